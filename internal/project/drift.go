package project

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/drift"
)

// lossDetectors are what to use where errors of classes are not to be had.
const lossDetectors = "use adwin, page_hinkley, cusum or kswin"

// Detector resolves what watches the losses of a model and its challengers: what the model names, else what the project does where the model has what it
// counts, else adwin. The error, if any, is models.SpecErrors.
func (p *Project) Detector(m *Model) (*models.Plan, error) {
	if m.Drift.Loss != nil {
		return detector(m.Drift.Loss)
	}
	plan, err := detector(p.Drift.Loss)
	if err == nil && !counts(plan, m.Task) {
		return detector(nil)
	}
	return plan, err
}

func detector(spec any) (*models.Plan, error) {
	if spec == nil {
		spec = drift.ADWINComponent.Name
	}
	return catalog.All.ResolvePart(spec, models.DetectorKind)
}

// counts reports whether the answers to a task have what the detector is given.
func counts(plan *models.Plan, task models.Task) bool {
	return !drift.OnErrors(plan.Name()) || task == models.Binary || task == models.Multiclass
}

// DetectorFingerprint names the detector on a model's losses with all its parameters; "" for the usual one, and for one that does not resolve.
func (p *Project) DetectorFingerprint(m *Model) string {
	plan, err := p.Detector(m)
	if err != nil {
		return ""
	}
	usual, err := detector(nil)
	if text := plan.Canonical(); err != nil || text != usual.Canonical() {
		return text
	}
	return ""
}

// measureOf resolves a measure of drift. The error, if any, is models.SpecErrors.
func measureOf(spec any) (drift.Measure, error) {
	if spec == nil {
		return drift.UsualMeasure, nil
	}
	plan, err := catalog.All.ResolvePart(spec, models.MeasureKind)
	if err != nil {
		return drift.Measure{}, err
	}
	part, err := plan.Part(models.Env{})
	if err != nil {
		return drift.Measure{}, err
	}
	return part.(drift.Measure), nil
}

// Measures returns by what each column of a trigger's vector is compared with its reference; list are the models that the trigger asks. nil: all by the
// usual measure. A measure that needs an order is the usual one for columns of categories.
func (p *Project) Measures(list []*Model, columns []features.Column) ([]drift.Measure, error) {
	usual, err := measureOf(p.Drift.Features)
	if err != nil {
		return nil, fmt.Errorf("drift.features: %w", err)
	}
	known := map[string]Column{}
	for _, m := range list {
		for _, c := range p.Columns(m) {
			known[c.Name] = c
		}
	}
	out, others := make([]drift.Measure, len(columns)), false
	for i, c := range columns {
		out[i] = usual
		column := known[c.Name]
		if pattern := p.Drift.pattern(&column); pattern != "" && column.Name != "" {
			if out[i], err = measureOf(p.Drift.Columns[pattern]); err != nil {
				return nil, fmt.Errorf("drift.columns.%s: %w", pattern, err)
			}
		}
		out[i] = out[i].For(c.Kind == features.Categorical)
		others = others || out[i] != drift.UsualMeasure
	}
	if !others {
		return nil, nil
	}
	return out, nil
}

// pattern returns the key of columns that is meant for a column: its own name, else its feature's, else the longest pattern; "" if there is none.
func (d *Drift) pattern(c *Column) string {
	best, rank := "", -1
	for _, pattern := range slices.Sorted(maps.Keys(d.Columns)) {
		r := -1
		switch {
		case pattern == c.Name:
			r = 1 << 21
		case pattern == c.Group+"."+c.Member:
			r = 1 << 20
		case c.fits(pattern):
			r = len(pattern)
		}
		if r > rank {
			best, rank = pattern, r
		}
	}
	return best
}

// fits reports whether a pattern of drift.columns takes the column; other than in use, * leaves nothing out.
func (c *Column) fits(pattern string) bool {
	all := *c
	all.Plain = true
	return all.matches(pattern)
}

// drift checks detectors and measures, and that models have what their detectors count.
func (c *checker) drift() {
	d := &c.p.Drift
	if plan := c.detector(d.Loss, "drift.loss"); plan != nil {
		c.anyCounts(plan)
	}
	for i := range c.p.Models {
		m := &c.p.Models[i]
		at := "models." + m.Name + ".drift.loss"
		if !c.given(at) {
			continue
		}
		if plan := c.detector(m.Drift.Loss, at); plan != nil && m.Task != 0 && !counts(plan, m.Task) {
			c.bad(at, fmt.Sprintf("%s counts errors of classifiers, and the model is %s", plan.Name(), m.Task), lossDetectors, "")
		}
	}
	if _, err := measureOf(d.Features); err != nil {
		c.badPart(err, "drift.features")
	}
	c.measuredColumns()
}

// detector resolves the detector at a place of the file, or reports what is wrong with it.
func (c *checker) detector(spec any, at string) *models.Plan {
	plan, err := detector(spec)
	if err != nil {
		c.badPart(err, at)
		return nil
	}
	return plan
}

// badPart reports why a detector or a measure does not resolve.
func (c *checker) badPart(err error, at string) {
	var errs models.SpecErrors
	if errors.As(err, &errs) {
		c.specErrors(errs, at, at)
		return
	}
	c.bad(at, err.Error(), "", "")
}

// anyCounts checks that a detector of the whole project has a model that it can watch.
func (c *checker) anyCounts(plan *models.Plan) {
	if len(c.p.Models) == 0 || slices.ContainsFunc(c.p.Models, func(m Model) bool { return m.Task == 0 || counts(plan, m.Task) }) {
		return
	}
	m := &c.p.Models[0]
	c.bad("drift.loss", fmt.Sprintf("%s counts errors of classifiers, and no model is one: %s is %s", plan.Name(), m.Name, m.Task), lossDetectors, "")
}

// measuredColumns checks the measures of single columns, and that there are such columns.
func (c *checker) measuredColumns() {
	var columns []Column
	for i := range c.p.Models {
		columns = append(columns, c.p.Columns(&c.p.Models[i])...)
	}
	for _, pattern := range slices.Sorted(maps.Keys(c.p.Drift.Columns)) {
		at, spec := "drift.columns."+pattern, c.p.Drift.Columns[pattern]
		if spec == nil {
			c.badKey(at, "no measure stands here", "name one, such as ks", "")
			continue
		}
		m, err := measureOf(spec)
		if err != nil {
			c.badPart(err, at)
			continue
		}
		if c.unfinished() || len(columns) == 0 {
			continue
		}
		if _, err := path.Match(pattern, ""); err != nil {
			c.badKey(at, fmt.Sprintf("%q is no pattern of columns", pattern), "write group.name, or group.*", "")
			continue
		}
		i := slices.IndexFunc(columns, func(col Column) bool { return col.fits(pattern) })
		switch {
		case i < 0:
			group, member, _ := strings.Cut(pattern, ".")
			near, mend := nearestColumn(group, member, columns)
			c.badKey(at, fmt.Sprintf("%q takes no column of a model", pattern), mend, near)
		case !strings.Contains(pattern, "*") && columns[i].Kind == features.Categorical && m.Ordered():
			c.bad(at, fmt.Sprintf("%s orders values, and %s is a category", m.Name, pattern), "use psi or jensen_shannon", "")
		}
	}
}

// driftChanges lists what a change of drift leads to: learners fold again where their states hold something else.
func driftChanges(from, to *Project) (list []Change) {
	const again = "learners fold their example logs again from the beginning, which must still be there; features and logs stay"
	var losses, vectors []string
	measured := false
	for i := range to.Models {
		m := &to.Models[i]
		old := from.Model(m.Name)
		if old == nil {
			continue
		}
		if from.DetectorFingerprint(old) != to.DetectorFingerprint(m) {
			losses = append(losses, m.Name)
		}
		before, after := from.measured(old), to.measured(m)
		if !slices.Equal(inOrder(before), inOrder(after)) {
			vectors = append(vectors, m.Name)
		}
		measured = measured || !maps.Equal(before, after)
	}
	if losses != nil {
		list = append(list, Change{"drift of the loss", "changed", Restart, "of " + strings.Join(losses, ", ") + ": " + again})
	}
	switch {
	case vectors != nil:
		list = append(list, Change{"drift of features", "changed", Restart, "of " + strings.Join(vectors, ", ") + ": " + again})
	case measured:
		list = append(list, Change{"drift of features", "changed", Restart, ""})
	}
	return list
}

// measured returns the measures of all columns that a model may use.
func (p *Project) measured(m *Model) map[string]drift.Measure {
	var columns []features.Column
	for _, c := range p.Columns(m) {
		columns = append(columns, features.Column{Name: c.Name, Kind: c.Kind})
	}
	list, _ := p.Measures([]*Model{m}, columns)
	out := map[string]drift.Measure{}
	for i := range list {
		out[columns[i].Name] = list[i]
	}
	return out
}

// inOrder returns the columns with measures of ordered values, whose counts are in the states of learners.
func inOrder(measured map[string]drift.Measure) (columns []string) {
	for _, name := range slices.Sorted(maps.Keys(measured)) {
		if measured[name].Ordered() {
			columns = append(columns, name)
		}
	}
	return columns
}
