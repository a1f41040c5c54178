// Package vector assembles the union vector of a trigger: the parts that the feature units read, the
// fields of the triggering event, and features derived from both. The joiner and the server call the
// same function, so a vector that is trained on and one that is served come from one code path.
package vector

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/expr"
)

// Part is the share of one entity type in a vector: its columns land side by side from Offset on.
type Part struct {
	Entity int // index into the project's entities
	Width  int // number of columns that the entity reads
	Offset int // slot of the first
}

// Spec is how the union vector of a trigger is put together. It is immutable.
type Spec struct {
	Schema  *features.Schema
	Parts   []Part  // one for each entity, in the order of the project's entities
	Fields  []int   // fields of the trigger whose values are columns, after the parts
	Keys    [][]int // fields of the trigger that name an entity together: a slot each, behind all columns and no column itself
	derived []derived
	fieldAt int
}

// Derived is a feature that follows from the columns of the parts and the trigger's fields: by an expression, or
// as the cross of several columns, which is a category of its own for each combination.
type Derived struct {
	Name        string
	Expr        string
	Cross       []string
	Categorical bool // the result of Expr is a category
}

type derived struct {
	expr  *expr.Numeric
	cross []int
}

// New lays out a vector: the columns of each entity, then the named fields of the trigger as
// source.field, then the derived features in their order, then the keys. columns gives the columns of each entity in
// entities. Errors name the derived feature that does not compile.
func New(trigger *features.Source, entities []int, columns func(entity int) []features.Column, fields []int, list []Derived, keys ...[]int) (*Spec, error) {
	s := &Spec{Schema: &features.Schema{}, Fields: fields, Keys: keys}
	for _, e := range entities {
		cols := columns(e)
		s.Parts = append(s.Parts, Part{Entity: e, Width: len(cols), Offset: len(s.Schema.Columns)})
		s.Schema.Columns = append(s.Schema.Columns, cols...)
	}
	s.fieldAt = len(s.Schema.Columns)
	for _, f := range fields {
		s.Schema.Columns = append(s.Schema.Columns, fieldColumn(trigger, f))
	}
	plain := s.Schema.Columns
	for _, d := range list {
		x, err := compileDerived(d, s.Schema)
		if err != nil {
			return nil, fmt.Errorf("derived feature %s: %w", d.Name, err)
		}
		s.derived = append(s.derived, x)
		c := features.Column{Name: d.Name}
		if d.Categorical || len(d.Cross) > 0 {
			c.Kind = features.Categorical
		}
		plain = append(plain, c)
	}
	s.Schema = &features.Schema{Columns: plain}
	return s, nil
}

func compileDerived(d Derived, plain *features.Schema) (derived, error) {
	if len(d.Cross) == 0 {
		x, err := expr.CompileNumeric(d.Expr, plain.Columns)
		return derived{expr: x}, err
	}
	var c derived
	for _, name := range d.Cross {
		at := plain.Index(name)
		if at < 0 {
			return c, fmt.Errorf("cross of unknown column %q", name)
		}
		c.cross = append(c.cross, at)
	}
	return c, nil
}

func (d *derived) eval(vec []float64) float64 {
	if d.expr != nil {
		return d.expr.Eval(vec)
	}
	h := uint64(14695981039346656037)
	for _, at := range d.cross {
		if math.IsNaN(vec[at]) {
			return math.NaN()
		}
		h = features.Mix(h ^ math.Float64bits(vec[at]))
	}
	return float64(h >> 11)
}

func fieldColumn(src *features.Source, f int) features.Column {
	c := features.Column{Name: src.Name + "." + src.Fields[f].Name}
	if src.Fields[f].Kind == features.String {
		c.Kind = features.Categorical
	}
	return c
}

// Width returns the number of slots: of columns and keys.
func (s *Spec) Width() int { return len(s.Schema.Columns) + len(s.Keys) }

// ID tells layouts apart, like features.Schema.ID: vectors of equal IDs mean the same slot by slot.
func (s *Spec) ID() uint64 {
	id := s.Schema.ID()
	for _, key := range s.Keys {
		id = features.Mix(id + uint64(len(key)))
		for _, f := range key {
			id = features.Mix(id + uint64(f))
		}
	}
	return id
}

// KeySlot returns the slot of the i-th of Keys.
func (s *Spec) KeySlot(i int) int { return len(s.Schema.Columns) + i }

// Key is what a slot of a vector says of the entity that these fields name: 53 bits of the hash of their values, of every kind and in their order;
// NaN if one of them is null. So integers beyond 2^53 stay apart, which as columns they would not.
func Key(key []int, fields []features.Value) float64 {
	h := uint64(len(key))
	for _, f := range key {
		if f >= len(fields) || fields[f].IsNull() {
			return math.NaN()
		}
		h = features.Mix(h ^ fields[f].Hash())
	}
	return float64(h >> 11)
}

// Begin returns dst resized to the width of the vector with every slot missing. It allocates only
// when dst is too small.
func (s *Spec) Begin(dst []float64) []float64 {
	if cap(dst) < s.Width() {
		dst = make([]float64, s.Width())
	}
	dst = dst[:s.Width()]
	for i := range dst {
		dst[i] = math.NaN()
	}
	return dst
}

// Part returns the slots of the i-th part, to be filled with what the entity read.
func (s *Spec) Part(vec []float64, i int) []float64 {
	p := s.Parts[i]
	return vec[p.Offset : p.Offset : p.Offset+p.Width]
}

// Finish fills the slots of the trigger's fields, derives the rest, and writes the keys. A value that is not finite
// becomes missing; Finish returns how many did.
func (s *Spec) Finish(vec []float64, fields []features.Value) (notFinite int) {
	at := s.fieldAt
	for _, f := range s.Fields {
		if f < len(fields) {
			vec[at] = fields[f].Feature()
		}
		at++
	}
	for i := range s.derived {
		vec[at] = s.derived[i].eval(vec)
		at++
	}
	for _, key := range s.Keys {
		vec[at] = Key(key, fields)
		at++
	}
	for i, v := range vec {
		if math.IsInf(v, 0) {
			vec[i] = math.NaN()
			notFinite++
		}
	}
	return notFinite
}
