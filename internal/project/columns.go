package project

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/window"
)

// Origin says where a column of a vector comes from.
type Origin uint8

// The origins of columns.
const (
	FromEntity  Origin = iota + 1 // an aggregation; Group is the entity
	FromTable                     // a field of a row; Group is the table
	FromTrigger                   // a field of the trigger; Group is the source, or request
	FromDerived                   // an expression; Group is derived
)

// Column is a column that a model may use.
type Column struct {
	Name   string // as in vectors: origin.mean_delay_1h, planes.seats, scheduled.distance, derived.slack
	Group  string // before the dot
	Member string // the feature, field or derived feature; without a window's suffix
	Kind   features.ColumnKind
	Origin Origin
	Plain  bool // matched by *; false for ids, keys' instants and what would give the label away
	Bytes  int  `json:",omitempty"` // of a text: how long it may be; 0: as long as features.DefaultTextSlots holds
}

// Columns returns what the model may use, in the order of the union vector: entities, tables, the
// trigger's fields, derived features, each by name (fields as declared).
func (p *Project) Columns(m *Model) []Column {
	var list []Column
	for i := range p.Features {
		list = append(list, p.entityColumns(&p.Features[i])...)
	}
	for i := range p.Tables {
		t := &p.Tables[i]
		for _, f := range t.Fields {
			if !contains(t.Key, f.Name) && f.Name != t.Time {
				list = append(list, Column{t.Name + "." + f.Name, t.Name, f.Name, kindOf(f.Kind), FromTable, true, 0})
			}
		}
	}
	for i := range p.own {
		list = append(list, p.entityColumns(&p.own[i])...)
	}
	group, fields := p.trigger(m)
	for _, f := range fields {
		list = append(list, Column{group + "." + f.Name, group, f.Name, kindOf(f.Kind), FromTrigger, p.plainField(m, &f), f.Bytes})
	}
	for _, d := range p.Derived {
		kind := features.Numeric
		if d.Categorical || len(d.Cross) > 0 {
			kind = features.Categorical
		}
		list = append(list, Column{"derived." + d.Name, "derived", d.Name, kind, FromDerived, true, 0})
	}
	return list
}

// trigger returns the name before the dot and the fields of the model's trigger.
func (p *Project) trigger(m *Model) (group string, fields []Field) {
	if m.On == Request {
		return Request, m.Request
	}
	if s := p.Input(m.On); s != nil && !s.Table {
		return s.Name, s.Fields
	}
	return m.On, nil
}

// plainField reports whether * takes the field: it is no id, no instant, and not part of a label that
// comes with the trigger.
func (p *Project) plainField(m *Model, f *Field) bool {
	if f.Name == m.ID || f.Kind == features.Time {
		return false
	}
	if m.Label != nil && m.Label.From == m.On && m.Label.Ahead == 0 {
		return !mentions(m.Label.Value, f.Name)
	}
	return true
}

// mentions reports whether the name stands in the expression as a word.
func mentions(expression, name string) bool {
	for _, word := range strings.FieldsFunc(expression, func(r rune) bool { return r != '_' && !isName("_"+string(r)) }) {
		if word == name {
			return true
		}
	}
	return false
}

func kindOf(k features.Kind) features.ColumnKind {
	switch k {
	case features.String:
		return features.Categorical
	case features.FreeText:
		return features.Text
	}
	return features.Numeric
}

func (p *Project) entityColumns(e *Entity) []Column {
	var list []Column
	for i := range e.Features {
		f := &e.Features[i]
		kind := features.Numeric
		if s := p.Input(f.Source); s != nil && f.keepsValue() {
			if field := s.Field(f.Value); field != nil {
				kind = kindOf(field.Kind)
			}
		}
		for _, suffix := range f.suffixes() {
			list = append(list, Column{e.Name + "." + f.Name + suffix, e.Name, f.Name, kind, FromEntity, true, 0})
		}
	}
	return list
}

// keepsValue reports whether the feature's columns are values of its input, so that a text stays one.
func (f *Feature) keepsValue() bool {
	spec := agg.Find(f.Agg)
	if spec == nil || spec.New == nil {
		return false
	}
	fold, err := spec.New(agg.Params{Valued: true, K: max(f.K, 1), HalfLife: f.HalfLife, Weight: f.Weight, Cap: f.Cap})
	return err == nil && fold.Category
}

// suffixes returns what stands after the feature's name in its columns.
func (f *Feature) suffixes() []string {
	windows := []string{""}
	if f.Suffix {
		windows = windows[:0]
		for _, w := range f.Over {
			windows = append(windows, "_"+window.Suffix(w))
		}
	}
	if f.forecasts() {
		return f.keyedColumns()
	}
	if f.Agg != "last_k" && f.Agg != "first_k" {
		return windows
	}
	var all []string
	for _, w := range windows {
		for i := range f.K {
			all = append(all, w+"_"+strconv.Itoa(i+1))
		}
	}
	return all
}

// Use returns the columns that the patterns of use: take, in the order of the union vector, and the
// patterns that take none.
func (p *Project) Use(m *Model, use []string) (columns []Column, vain []string) {
	all := p.Columns(m)
	taken := make([]bool, len(all))
	for _, pattern := range use {
		found := false
		for i := range all {
			if all[i].matches(pattern) {
				taken[i], found = true, true
			}
		}
		if !found {
			vain = append(vain, pattern)
		}
	}
	for i := range all {
		if taken[i] {
			columns = append(columns, all[i])
		}
	}
	return columns, slices.Compact(vain)
}

// matches reports whether a pattern of use: takes the column: its name, the name of its feature (all
// windows), or a pattern with *.
func (c *Column) matches(pattern string) bool {
	if pattern == c.Name || pattern == c.Group+"."+c.Member {
		return true
	}
	if !c.Plain || !strings.Contains(pattern, "*") {
		return false
	}
	ok, _ := path.Match(pattern, c.Name)
	return ok
}
