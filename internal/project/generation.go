package project

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
)

// Generation names what is folded from the events log: 16 hexadecimal digits of a SHA-256 over features,
// buckets, tables, derived features and models as compiled, with the fold versions of aggregations and
// pipelines. Comments, the order of keys, addresses, and settings that only servers read do not change
// it. State, parts, example logs and checkpoints of two generations never mix.
func (p *Project) Generation() string {
	return sum(p.parts())[:16]
}

// part is a piece of a project whose fingerprint decides what a change rebuilds.
type part struct {
	Kind string // entity, table, derived, model
	Name string
	Body any
}

// stateLayout is raised when what is stored under a generation changes in a way that no older build would find again.
const stateLayout = 2

// parts returns what the generation is made of, in a fixed order.
func (p *Project) parts() []part {
	list := []part{{"layout", "", stateLayout}, {"max_skew", "", p.MaxSkew}}
	if bound := p.outOfOrderness(); bound > 0 { // the watermark of all stages follows from it
		list = append(list, part{"out_of_orderness", "", bound})
	}
	for _, e := range slices.Concat(p.Features, p.own) {
		list = append(list, part{"entity", e.Name, struct {
			Entity
			Versions  []int
			Forecasts []string `json:",omitempty"`
		}{e, versions(&e), e.forecasts()}})
	}
	for i := range p.Tables {
		t := &p.Tables[i]
		list = append(list, part{"table", t.Name, struct {
			Key    []string
			Fields []Field
		}{t.Key, t.Fields}})
	}
	for i := range p.Models {
		list = append(list, part{"model", p.Models[i].Name, p.modelPart(&p.Models[i])})
	}
	return list
}

// outOfOrderness is the greatest of all sources.
func (p *Project) outOfOrderness() (bound time.Duration) {
	for _, s := range p.Inputs() {
		bound = max(bound, s.OutOfOrderness)
	}
	return bound
}

// order returns the fields of the trigger's source as they stand in vectors, where that is not the order in which the model names
// them; nil where it is.
func (p *Project) order(m *Model, columns []Column) []string {
	s := p.Input(m.On)
	if s == nil {
		return nil
	}
	at := func(member string) int {
		return slices.IndexFunc(s.Fields, func(f Field) bool { return f.Name == member })
	}
	var named []string
	for _, c := range columns {
		if c.Group == s.Name && at(c.Member) >= 0 {
			named = append(named, c.Member)
		}
	}
	declared := slices.Clone(named)
	slices.SortStableFunc(declared, func(a, b string) int { return at(a) - at(b) })
	if slices.Equal(named, declared) {
		return nil
	}
	return declared
}

func versions(e *Entity) []int {
	var list []int
	for i := range e.Features {
		if spec := find(e.Features[i].Agg); spec != nil {
			list = append(list, spec.Version)
		}
	}
	return list
}

// modelPart is what of a model decides about vectors, labels and weights.
func (p *Project) modelPart(m *Model) any {
	type learner struct {
		Name, Pipeline, Until string
		Columns               []Column
		Derived               []Derived
		Seed                  uint64
	}
	one := func(name string, use []string, pipeline any, until string, seed uint64) learner {
		columns, _ := p.Use(m, use)
		l := learner{Name: name, Pipeline: fingerprint(pipeline, m.Task), Until: until, Columns: columns, Seed: seed}
		for _, col := range columns {
			for _, d := range p.Derived {
				if col.Origin == FromDerived && d.Name == col.Member {
					l.Derived = append(l.Derived, d)
				}
			}
		}
		return l
	}
	list := []learner{one(m.Name, m.Use, m.Pipeline, m.LearnUntil.String(), m.Seed)}
	for _, c := range m.Challengers {
		list = append(list, one(c.Name, c.Use, c.Pipeline, c.LearnUntil.String(), c.Seed))
	}
	return struct {
		Task     string
		On, ID   string
		Key      []string
		Request  []Field
		Label    *Label
		Classes  []string
		Learners []learner
		Order    []string `json:",omitempty"`
	}{m.Task.String(), m.On, m.ID, m.Key, m.Request, m.Label, m.Classes, list, p.order(m, p.union(m))}
}

// fingerprint is the canonical text of a pipeline; of one that does not resolve, the text as written.
func fingerprint(pipeline any, task models.Task) string {
	if spec, err := models.ParseSpec(pipeline); err == nil {
		if plan, err := catalog.Resolve(spec, task); err == nil {
			return plan.Canonical()
		}
	}
	return sum(pipeline)
}

// sum is the SHA-256 of the JSON of v, which has sorted keys and so one form.
func sum(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("project: fingerprint: " + err.Error())
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
