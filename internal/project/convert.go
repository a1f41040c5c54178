package project

import (
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/unit"
)

// Inputs returns all sources and tables in the order of their index: sources and tables together by
// name. Freshet's own plain sources (features.PlainSources) come after them.
func (p *Project) Inputs() []*Source {
	var list []*Source
	for i := range p.Sources {
		list = append(list, &p.Sources[i])
	}
	for i := range p.Tables {
		list = append(list, &p.Tables[i])
	}
	slices.SortFunc(list, func(a, b *Source) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
	return list
}

// Index returns the position of the source or table in Inputs, or -1.
func (p *Project) Index(name string) int {
	return slices.IndexFunc(p.Inputs(), func(s *Source) bool { return s.Name == name })
}

// FeatureSources returns Inputs as the stages after the sequencer see them, then the plain sources.
func (p *Project) FeatureSources() []features.Source {
	var list []features.Source
	for _, s := range p.Inputs() {
		list = append(list, features.Source{Name: s.Name, Fields: declared(s.Fields), Table: s.Table, OutOfOrder: s.OutOfOrderness.Microseconds()})
	}
	return append(list, features.PlainSources()...)
}

// Entities returns the declared entity types by name, then the tables by name, then those of the forecasters of models: a table is an entity
// with the last value of every field that is neither key nor time.
func (p *Project) Entities() []unit.Entity {
	var list []unit.Entity
	for i := range p.Features {
		list = append(list, p.entity(&p.Features[i]))
	}
	for i := range p.Tables {
		list = append(list, p.table(&p.Tables[i]))
	}
	for i := range p.own {
		list = append(list, p.entity(&p.own[i]))
	}
	return list
}

func (p *Project) entity(e *Entity) unit.Entity {
	u := unit.Entity{Name: e.Name, Key: e.Key, Keep: e.Keep, Buckets: e.Buckets}
	for i := range e.Features {
		f := &e.Features[i]
		g := unit.Feature{Name: f.Name, Agg: f.Agg, Source: p.Index(f.Source), Value: f.Value, Where: f.Where, At: f.At, Per: f.Per,
			Over: f.Over, Suffix: f.Suffix, Exact: f.Exact, Lag: f.Lag, K: f.K, HalfLife: f.HalfLife, Weight: f.Weight,
			Due: f.Due, By: f.By}
		g.Keyed, _ = f.keyed() // checked: of a feature that is wrong unit.Compile says what it lacks
		if spec := agg.Find(f.Agg); spec != nil && spec.Set {
			g.Keep = f.Keep
		}
		if f.Agg == "distinct" {
			g.Cap = f.Cap
		}
		for _, name := range f.Until {
			g.Until = append(g.Until, p.Index(name))
		}
		slices.Sort(g.Until)
		u.Features = append(u.Features, g)
	}
	return u
}

func (p *Project) table(t *Source) unit.Entity {
	u := unit.Entity{Name: t.Name, Key: t.Key, Buckets: defaultBuckets}
	index := p.Index(t.Name)
	for _, f := range t.Fields {
		if !contains(t.Key, f.Name) && f.Name != t.Time {
			u.Features = append(u.Features, unit.Feature{Name: f.Name, Agg: "last", Source: index, Value: f.Name})
		}
	}
	return u
}

const defaultBuckets = 16
