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
	slots   []int   // of each of Fields: one, but for texts
	texts   bool    // one of Fields is a text
	derived []derived
	fieldAt int
}

// Layout says what a vector is put together from.
type Layout struct {
	Trigger  *features.Source
	Entities []int                              // entity types whose columns come first
	Columns  func(entity int) []features.Column // of each of them
	Fields   []int                              // fields of the trigger, as columns trigger.field; a text takes several
	Bytes    map[int]int                        // of fields that are texts: how many bytes of one the vector holds; 0: features.DefaultTextSlots
	Derived  []Derived                          // features that follow from these columns
	Keys     [][]int                            // fields that name an entity together: a slot each behind the columns
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
// source.field, then the derived features in their order, then the keys. Errors name the derived feature that does not compile.
func New(l Layout) (*Spec, error) {
	s := &Spec{Schema: &features.Schema{}, Fields: l.Fields, Keys: l.Keys}
	for _, e := range l.Entities {
		cols := l.Columns(e)
		s.Parts = append(s.Parts, Part{Entity: e, Width: len(cols), Offset: len(s.Schema.Columns)})
		s.Schema.Columns = append(s.Schema.Columns, cols...)
	}
	s.fieldAt = len(s.Schema.Columns)
	for _, f := range l.Fields {
		cols := fieldColumns(l.Trigger, f, l.Bytes[f])
		s.slots, s.texts = append(s.slots, len(cols)), s.texts || cols[0].Kind == features.Text
		s.Schema.Columns = append(s.Schema.Columns, cols...)
	}
	plain := s.Schema.Columns
	for _, d := range l.Derived {
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
		if plain.Columns[at].Kind == features.Text {
			return c, fmt.Errorf("cross of the text %q: name categories", name)
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

func fieldColumns(src *features.Source, f, bytes int) []features.Column {
	c := features.Column{Name: src.Name + "." + src.Fields[f].Name}
	switch src.Fields[f].Kind {
	case features.FreeText:
		return features.TextColumns(c.Name, features.TextSlots(bytes))
	case features.String:
		c.Kind = features.Categorical
	}
	return []features.Column{c}
}

// FieldSlots returns where the columns of the i-th of Fields begin, and how many they are: one, but for texts.
func (s *Spec) FieldSlots(i int) (first, n int) {
	first = s.fieldAt
	for _, k := range s.slots[:i] {
		first += k
	}
	return first, s.slots[i]
}

// AppendText appends the slots of a text: NaN where it is null, else its beginning, cut as features.CutText cuts it.
func AppendText(dst []float64, v features.Value, slots int) []float64 {
	if v.IsNull() {
		for range slots {
			dst = append(dst, math.NaN())
		}
		return dst
	}
	text, _ := features.CutText(v.Str(), slots)
	return features.AppendText(dst, text, slots)
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
// becomes missing; Finish returns how many did. A text is cut as features.CutText cuts it; the slots of one that is null stay missing.
func (s *Spec) Finish(vec []float64, fields []features.Value) (notFinite int) {
	at := s.fieldAt
	for i, f := range s.Fields {
		n := s.slots[i]
		switch {
		case f >= len(fields):
		case s.texts && s.Schema.Columns[at].Kind == features.Text:
			AppendText(vec[at:at:at+n], fields[f], n)
		default:
			vec[at] = fields[f].Feature()
		}
		at += n
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
