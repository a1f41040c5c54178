package program

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/drift"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
)

// candidate is one way of answering a model's question.
type candidate struct {
	name     string
	use      []string
	pipeline any
	until    time.Time
	seed     uint64
	baseline bool
}

// members adds the champion, its challengers and the baselines that run beside every model: the prior
// rate or mean, the newest label, and the same pipeline without streaming features.
func (c *compiler) members(t *trainer.Trigger, src *features.Source, m *project.Model, label int) []error {
	if m.Task == models.Forecast {
		return c.forecasts(t, m, label)
	}
	list := []candidate{{name: m.Name, use: m.Use, pipeline: m.Pipeline, until: m.LearnUntil, seed: m.Seed}}
	for _, ch := range m.Challengers {
		list = append(list, candidate{name: c.memberName(m, ch.Name), use: ch.Use, pipeline: ch.Pipeline, until: ch.LearnUntil, seed: ch.Seed})
	}
	list = append(list, c.baselines(t, m, list)...)
	var errs []error
	for _, x := range list {
		member, err := c.member(t, m, x, label, keyOf(src, m))
		if err != nil {
			errs = append(errs, fmt.Errorf("models.%s: %s: %w", m.Name, x.name, err))
			continue
		}
		t.Members = append(t.Members, member)
	}
	return errs
}

// memberName is the challenger's own name where no other model or challenger has it, else model.name.
func (c *compiler) memberName(m *project.Model, name string) string {
	for i := range c.project.Models {
		other := &c.project.Models[i]
		taken := other.Name == name || other != m && slices.ContainsFunc(other.Challengers, func(x project.Challenger) bool { return x.Name == name })
		if taken {
			return m.Name + "." + name
		}
	}
	return name
}

func (c *compiler) baselines(t *trainer.Trigger, m *project.Model, have []candidate) []candidate {
	if m.Label == nil {
		return nil
	}
	constant := "prior"
	if m.Task == models.Regression {
		constant = "mean"
	}
	out := []candidate{
		{name: m.Name + "." + constant, use: m.Use, pipeline: constant, baseline: true},
		{name: m.Name + ".no_change", use: m.Use, pipeline: "no_change", baseline: true},
	}
	static := c.columns(t, m, m.Use, true)
	if len(static) == 0 || slices.Equal(static, c.columns(t, m, m.Use, false)) {
		return out
	}
	for _, x := range have {
		if x.until.IsZero() && slices.Equal(c.columns(t, m, x.use, false), static) {
			return out
		}
	}
	var use []string
	for _, col := range static {
		if name, first := t.Vector.Schema.Columns[col].Base(); first {
			use = append(use, name)
		}
	}
	return append(out, candidate{name: m.Name + ".static", use: use, pipeline: m.Pipeline, seed: m.Seed, baseline: true})
}

// columns returns the slots that a use list names; static leaves out those that follow from events.
func (c *compiler) columns(t *trainer.Trigger, m *project.Model, use []string, static bool) []int {
	want := map[string]bool{}
	c.names(want, m, use)
	var out []int
	for i, col := range t.Vector.Schema.Columns {
		if name, _ := col.Base(); want[name] && !(static && c.streaming(col.Name)) {
			out = append(out, i)
		}
	}
	return out
}

// streaming reports whether a column follows from the events of an entity, directly or through a
// derived feature.
func (c *compiler) streaming(column string) bool {
	group, name, _ := strings.Cut(column, ".")
	if group != "derived" {
		return c.project.Entity(group) != nil
	}
	for _, d := range c.project.Derived {
		if d.Name == name {
			return slices.ContainsFunc(append(slices.Clone(d.Cross), Names(d.Expr)...), c.streaming)
		}
	}
	return false
}

// detector is what watches the losses of a model, its challengers and its baselines; nil: the usual one.
func (c *compiler) detector(m *project.Model) (*fold.Detector, error) {
	print := c.project.DetectorFingerprint(m)
	if print == "" {
		return nil, nil //nolint:nilnil // nil is the usual detector
	}
	plan, err := c.project.Detector(m)
	if err != nil {
		return nil, fmt.Errorf("drift of the loss: %w", err)
	}
	made := func() (drift.Detector, error) {
		part, err := plan.Part(models.Env{Seed: 1})
		if err != nil {
			return nil, fmt.Errorf("drift of the loss: %w", err)
		}
		return part.(drift.Detector), nil
	}
	if _, err := made(); err != nil {
		return nil, err
	}
	return &fold.Detector{Name: plan.Name(), Fingerprint: print, Errors: drift.OnErrors(plan.Name()), New: func() drift.Detector {
		d, _ := made() // it was made before
		return d
	}}, nil
}

func (c *compiler) member(t *trainer.Trigger, m *project.Model, x candidate, label int, key []int) (fold.Member, error) {
	spec, err := models.ParseSpec(x.pipeline)
	if err != nil {
		return fold.Member{}, err
	}
	plan, err := c.registry.Resolve(spec, m.Task)
	if err != nil {
		return fold.Member{}, err
	}
	detector, err := c.detector(m)
	if err != nil {
		return fold.Member{}, err
	}
	out := fold.Member{Name: x.name, Of: m.Name, Task: m.Task, Classes: m.Classes, Label: label, Detector: detector,
		Columns: c.columns(t, m, x.use, false), Pipeline: plan.Canonical(), LearnUntil: micros(x.until), Baseline: x.baseline}
	if plan.Entity() != nil && len(key) > 0 {
		out.Entities = true
		out.Entity = t.Vector.KeySlot(slices.IndexFunc(t.Vector.Keys, func(k []int) bool { return slices.Equal(k, key) }))
	}
	classes := 2
	if m.Task == models.Multiclass {
		classes = len(m.Classes)
	}
	out.Build = func(schema *features.Schema) (models.Learner, error) {
		return plan.Build(models.Env{Schema: schema, Task: m.Task, Classes: classes, Seed: x.seed})
	}
	if _, err := out.Build(out.Schema(t.Vector.Schema)); err != nil {
		return fold.Member{}, err
	}
	b := features.AppendKey(nil, plan.Canonical(), m.Task.String(), strings.Join(m.Classes, "\x00"))
	b = binary.LittleEndian.AppendUint64(b, out.Schema(t.Vector.Schema).ID())
	b = binary.LittleEndian.AppendUint64(b, uint64(out.LearnUntil))
	b = binary.LittleEndian.AppendUint64(b, x.seed)
	if out.Entities {
		b = features.AppendKey(b, m.Key...)
	}
	out.Fingerprint = features.Hash(string(b))
	return out, nil
}
