// Package program compiles a project file into what the stages run: sources, entity programs, triggers
// with their union vectors and labels, and the models that learn from them. It is wiring: everything it
// makes belongs to the packages along the flow.
package program

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/expr"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/features/vector"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/forecast"
	"github.com/freshet-ml/freshet/trainer"
)

// Program is a compiled project.
type Program struct {
	*trainer.Program
	Project *project.Project
	// Generation is Project.Generation as a number. It names state hashes, parts, example logs and
	// checkpoints.
	Generation uint64
}

// Compile compiles a valid project with the models of a catalogue. Errors name what cannot be
// compiled; a project that Load accepted gives none but for pipelines.
func Compile(p *project.Project, reg models.Registry) (*Program, error) {
	c := &compiler{project: p, registry: reg, out: &trainer.Program{Sources: p.FeatureSources()}}
	if err := c.entities(); err != nil {
		return nil, err
	}
	var errs []error
	for _, group := range c.groups() {
		t, err := c.trigger(group)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.out.Triggers = append(c.out.Triggers, t)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	gen, err := strconv.ParseUint(p.Generation(), 16, 64)
	if err != nil {
		return nil, fmt.Errorf("generation: %w", err)
	}
	return &Program{Program: c.out, Project: p, Generation: gen}, nil
}

type compiler struct {
	project  *project.Project
	registry models.Registry
	out      *trainer.Program
}

func fieldsOf(list []project.Field) []features.Field {
	out := make([]features.Field, len(list))
	for i, f := range list {
		out[i] = features.Field{Name: f.Name, Kind: f.Kind, Nullable: f.Nullable}
	}
	return out
}

func (c *compiler) source(name string) int {
	return slices.IndexFunc(c.out.Sources, func(s features.Source) bool { return s.Name == name })
}

func (c *compiler) entities() error {
	var errs []error
	for _, e := range c.project.Entities() {
		u, err := unit.Compile(e, c.out.Sources, c.project.UnitOptions())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		c.out.Entities = append(c.out.Entities, u)
	}
	return errors.Join(errs...)
}

// groups puts the models of one source together: they share a trigger. A request model is its own.
func (c *compiler) groups() [][]*project.Model {
	var out [][]*project.Model
	at := map[string]int{}
	for i := range c.project.Models {
		m := &c.project.Models[i]
		g, ok := at[m.On]
		if !ok || m.On == project.Request {
			at[m.On] = len(out)
			out = append(out, nil)
			g = len(out) - 1
		}
		out[g] = append(out[g], m)
	}
	return out
}

func (c *compiler) trigger(group []*project.Model) (*trainer.Trigger, error) {
	first := group[0]
	src := &features.Source{Name: first.On, Fields: fieldsOf(first.Request)}
	t := &trainer.Trigger{Name: first.On, Source: c.source(first.On)}
	if first.On == project.Request {
		t.Name, t.Request, t.Source = first.Name, true, c.source(features.ServedSource)
		t.ID, t.Packed, t.Model = features.ServedID, features.ServedVector, features.ServedModel
	} else {
		src = &c.out.Sources[t.Source]
		t.ID = c.name(t, src, group)
	}
	if err := c.vector(t, src, group); err != nil {
		return nil, err
	}
	var err error
	if t.Measures, err = c.project.Measures(group, t.Vector.Schema.Columns); err != nil {
		return nil, err
	}
	var errs []error
	for _, m := range group {
		label, err := c.label(t, m)
		if err != nil {
			errs = append(errs, fmt.Errorf("models.%s.label: %w", m.Name, err))
			continue
		}
		errs = append(errs, c.members(t, src, m, label)...)
	}
	return t, errors.Join(errs...)
}

// name returns the field that names the examples of a source, of the first model that has one; if none does, they are named by the keys of their forecasts.
func (c *compiler) name(t *trainer.Trigger, src *features.Source, group []*project.Model) int {
	for _, m := range group {
		if m.ID != "" {
			return src.FieldIndex(m.ID)
		}
	}
	for i, f := range src.Fields {
		if slices.ContainsFunc(group, func(m *project.Model) bool { return slices.Contains(m.Key, f.Name) }) {
			t.Key = append(t.Key, i)
		}
	}
	return -1
}

// vector lays out the union of what the models of a trigger use.
func (c *compiler) vector(t *trainer.Trigger, src *features.Source, group []*project.Model) error {
	want := map[string]bool{}
	for _, m := range group {
		c.names(want, m, m.Use)
		for _, ch := range m.Challengers {
			c.names(want, m, ch.Use)
		}
	}
	var derived []vector.Derived
	for _, d := range c.project.Derived {
		if name := "derived." + d.Name; want[name] {
			derived = append(derived, vector.Derived{Name: name, Expr: d.Expr, Cross: d.Cross, Categorical: d.Categorical})
			for _, of := range slices.Concat(d.Cross, Names(d.Expr)) {
				want[of] = true
			}
		}
	}
	var entities, fields []int
	for i, u := range c.out.Entities {
		if slices.ContainsFunc(u.Columns(), func(col features.Column) bool { return want[col.Name] }) {
			entities = append(entities, i)
		}
	}
	for i, f := range src.Fields {
		if want[src.Name+"."+f.Name] {
			fields = append(fields, i)
		}
	}
	v, err := vector.New(vector.Layout{Trigger: src, Entities: entities, Columns: func(e int) []features.Column { return c.out.Entities[e].Columns() },
		Fields: fields, Bytes: c.textBytes(group[0]), Derived: derived, Keys: keysOf(src, group)})
	if err != nil {
		return fmt.Errorf("trigger %s: %w", t.Name, err)
	}
	t.Vector = v
	return nil
}

// textBytes returns how long the texts of a model's trigger may be, by field.
func (c *compiler) textBytes(m *project.Model) map[int]int {
	fields := m.Request
	if in := c.project.Input(m.On); in != nil && m.On != project.Request {
		fields = in.Fields
	}
	out := map[int]int{}
	for i, f := range fields {
		if f.Kind == features.FreeText {
			out[i] = f.Bytes
		}
	}
	return out
}

// keysOf returns the keys of the entities that models of a trigger remember, each once.
func keysOf(src *features.Source, group []*project.Model) (keys [][]int) {
	for _, m := range group {
		key := keyOf(src, m)
		if len(key) > 0 && !slices.ContainsFunc(keys, func(k []int) bool { return slices.Equal(k, key) }) {
			keys = append(keys, key)
		}
	}
	return keys
}

// keyOf returns the fields of the trigger that name the entities that a model remembers. The series of a forecast are not in the example log.
func keyOf(src *features.Source, m *project.Model) (key []int) {
	if m.Task == models.Forecast {
		return nil
	}
	for _, k := range m.Key {
		key = append(key, src.FieldIndex(k))
	}
	return key
}

// Names returns the names with a dot in an expression.
func Names(src string) []string {
	var names []string
	isName := func(r rune) bool {
		return r == '.' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	for _, word := range strings.FieldsFunc(src, func(r rune) bool { return !isName(r) }) {
		if i := strings.IndexByte(word, '.'); i > 0 && (word[0] < '0' || word[0] > '9') {
			names = append(names, word)
		}
	}
	return names
}

// names adds the columns that a use list names: what * stands for is the project's to say, which leaves out ids,
// instants and what would give the label away.
func (c *compiler) names(into map[string]bool, m *project.Model, use []string) {
	columns, _ := c.project.Use(m, use)
	for _, col := range columns {
		into[col.Name] = true
	}
}

// label adds the label of a model to its trigger, or finds the same one, and returns its index.
func (c *compiler) label(t *trainer.Trigger, m *project.Model) (int, error) {
	spec := m.Label
	if spec == nil {
		return -1, nil
	}
	l := trainer.Label{Model: -1, Of: m.Name, Wait: spec.Wait.Microseconds(), Early: spec.Early.Microseconds(), CorrectFor: spec.CorrectFor.Microseconds()}
	if spec.Missing == "negative" {
		l.Missing = trainer.Negative
	}
	value := spec.Value
	if spec.From == project.Feedback {
		l.Source, l.ID, l.Model = c.source(features.FeedbackSource), features.FeedbackID, features.FeedbackModel
		value = "value"
		if len(m.Classes) > 0 {
			value = "class"
		}
	} else {
		l.Source = c.source(spec.From)
		l.ID = c.out.Sources[l.Source].FieldIndex(spec.By)
	}
	if m.Task == models.Forecast {
		l.ID, l.StepLength, l.Lead = -1, m.Step.Microseconds(), int64(spec.Ahead/m.Step)
		l.Aggregate, _ = forecast.ParseAggregate(m.Aggregate) // judged when it was read
		if l.Aggregate != forecast.AggregateNone {
			l.Late = m.Lateness.Microseconds()
		}
		for _, k := range m.Key {
			l.Key = append(l.Key, c.out.Sources[l.Source].FieldIndex(k))
			l.Asked = append(l.Asked, c.out.Sources[t.Source].FieldIndex(k))
		}
	}
	x, err := expr.Compile(value, expr.FieldsOf(c.out.Sources[l.Source].Fields))
	if err != nil {
		return 0, err
	}
	l.Value, l.Text = x, value
	if len(m.Classes) > 0 {
		l.Classes = map[string]int{}
		for i, name := range m.Classes {
			l.Classes[name] = i
		}
	}
	if i := slices.IndexFunc(t.Labels, l.Same); i >= 0 {
		return i, nil
	}
	t.Labels = append(t.Labels, l)
	return len(t.Labels) - 1, nil
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
