package neural

import (
	"fmt"
	"strconv"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// inputs turns a row into what a net computes with:
//
//	x   = [embedding of each category | scaled number | 1 where the number is missing]
//	emb = the row of numbers of each category, Lead of which (weights of linear parts, say) do not go into x
//
// Numbers are (value − mean)/deviation of all values so far within ±5, 0 where missing. A category without a row (rare, new) has
// the row that all such of its field share, a missing one another: both are ordinary weights of the net.
type inputs struct {
	numeric []int   // columns, in order
	fields  []field // of categories
	width   int     // numbers of an embedding that go into x
	lead    int     // numbers before them in a row that do not
	shared  span    // for each field: the row of rare categories, that of missing ones
	at      int     // of its first numeric column among those of the net: where its moments are
	clip    float64 // deviations at which scaled numbers end
}

// field is what a category is of: a column, or two columns whose values together are one category.
type field struct {
	column, with int // with is −1 for one column
	salt         uint64
}

// key is the key of the field's category in a row, and false if it is missing.
func (f *field) key(e *models.Example) (uint64, bool) {
	a := value(e, f.column)
	if f.with < 0 {
		return fieldKey(f.salt, a), a == a
	}
	b := value(e, f.with)
	return fieldKey(fieldKey(f.salt, a), b), a == a && b == b
}

// newInputs takes the shared rows of the columns. keep says which columns of the schema it reads; nil: all.
func newInputs(l *layout, s *features.Schema, keep []bool, width, lead, at int) (inputs, error) {
	in := inputs{width: width, lead: lead, at: at, clip: clipInput}
	for i, c := range s.Columns {
		switch {
		case keep != nil && !keep[i]:
		case c.Kind == features.Text:
			return in, models.SpecErrors{{Path: "columns", Reason: "column " + strconv.Quote(c.Name) + " is a text", Mend: "put word_ngrams, char_ngrams or tf_idf before the net"}}
		case c.Kind == features.Categorical:
			in.fields = append(in.fields, field{i, -1, features.Hash(c.Name)})
		default:
			in.numeric = append(in.numeric, i)
		}
	}
	in.shared = l.take(2*len(in.fields)*in.stride(), nil)
	if n := in.size(); n > maxInputs {
		return in, models.SpecErrors{{Path: "columns", Reason: fmt.Sprintf("%d inputs of a net, at most %d", n, maxInputs),
			Mend: "leave categories as they are (no one_hot or hashing before a net), or choose fewer columns"}}
	}
	return in, nil
}

// newCrosses returns inputs of the pairs of the fields of in, each of which has lead numbers that do not go into x.
func newCrosses(l *layout, in *inputs, lead int) (inputs, error) {
	c := inputs{lead: lead}
	for i, a := range in.fields {
		for _, b := range in.fields[:i] {
			c.fields = append(c.fields, field{a.column, b.column, features.Mix(a.salt + golden*b.salt)})
		}
	}
	if len(c.fields) > maxCrosses {
		return c, models.SpecErrors{{Path: "crosses", Reason: fmt.Sprintf("%d pairs of columns, at most %d", len(c.fields), maxCrosses), Mend: "crosses: false, or fewer categorical columns"}}
	}
	c.shared = l.take(2*len(c.fields)*lead, nil)
	return c, nil
}

// maxCrosses bounds the pairs of columns of one net.
const maxCrosses = 1 << 12

// maxInputs bounds the width of a net's first layer.
const maxInputs = 1 << 16

// stride is the length of a row of embeddings.
func (in *inputs) stride() int { return in.lead + in.width }

// embedded is how many numbers of x come from embeddings.
func (in *inputs) embedded() int { return len(in.fields) * in.width }

// size is the length of x.
func (in *inputs) size() int { return in.embedded() + 2*len(in.numeric) }

// encoded is the working memory of one row.
type encoded struct {
	x, dx     []float64 // dx: derivatives of the embeddings' part of x
	emb, demb []float64 // rows of embeddings and their derivatives
	slots     []int     // of those rows; −1: the shared one of rare, −2: of missing categories
	keys      []uint64  // of those rows that are in the table
}

func (in *inputs) memory() encoded {
	n := len(in.fields)
	return encoded{x: make([]float64, in.size()), dx: make([]float64, in.embedded()),
		emb: make([]float64, n*in.stride()), demb: make([]float64, n*in.stride()), slots: make([]int, n), keys: make([]uint64, n)}
}

const (
	rare    = -1
	missing = -2
)

// observe takes the numbers of a row into the moments.
func (in *inputs) observe(stats []moments, e *models.Example, rate float64) {
	stats = stats[in.at:]
	for k, i := range in.numeric {
		if x := value(e, i); x == x {
			stats[k].add(x, rate)
		}
	}
}

func value(e *models.Example, column int) float64 {
	if e.Index == nil && column < len(e.Value) {
		return e.Value[column]
	}
	return e.At(column)
}

// encode fills m with the row as w, stats and t have it. With learner, which is the table of t or nil, categories that the gate lets
// pass get a row.
func (in *inputs) encode(m *encoded, e *models.Example, w []float64, stats []moments, t *rows, learner *table) {
	for f := range in.fields {
		key, ok := in.fields[f].key(e)
		in.lookUpKey(m, f, key, ok, e.Time, w, t, learner)
	}
	stats = stats[in.at:]
	z := m.x[in.embedded():]
	gone := z[len(in.numeric):]
	for k, i := range in.numeric {
		if x := value(e, i); x == x {
			z[k], gone[k] = stats[k].scale(x, in.clip), 0
		} else {
			z[k], gone[k] = 0, 1
		}
	}
}

// lookUp finds the row of a category of one column, NaN for a missing one, and copies it.
func (in *inputs) lookUp(m *encoded, f int, category float64, now int64, w []float64, t *rows, learner *table) {
	in.lookUpKey(m, f, fieldKey(in.fields[f].salt, category), category == category, now, w, t, learner)
}

// lookUpKey finds the row of a key of one field, which is missing unless ok, and copies it.
func (in *inputs) lookUpKey(m *encoded, f int, key uint64, ok bool, now int64, w []float64, t *rows, learner *table) {
	slot := missing
	if ok {
		if learner != nil {
			slot = learner.admit(key, now, in.sharedRow(w, f, rare))
		} else {
			slot = t.find(key)
		}
	}
	m.slots[f], m.keys[f] = slot, key
	row := m.emb[f*in.stride() : (f+1)*in.stride()]
	if slot >= 0 {
		for k, v := range t.row(slot) {
			row[k] = float64(v)
		}
	} else {
		copy(row, in.sharedRow(w, f, slot))
	}
	copy(m.x[f*in.width:(f+1)*in.width], row[in.lead:])
}

// sharedRow is the part of w (or of its derivatives) that is the row of the rare or the missing categories of a field.
func (in *inputs) sharedRow(w []float64, f, which int) []float64 {
	n := in.stride()
	at := (2*f + (-1 - which)) * n
	return in.shared.of(w)[at : at+n]
}

// fold adds dx to the derivatives of the rows.
func (in *inputs) fold(m *encoded) {
	for f := range in.fields {
		row := m.demb[f*in.stride()+in.lead : (f+1)*in.stride()]
		for k, d := range m.dx[f*in.width : (f+1)*in.width] {
			row[k] += d
		}
	}
}

// spread adds the derivatives of shared rows to g.
func (in *inputs) spread(m *encoded, g []float64) {
	for f, slot := range m.slots {
		if slot >= 0 {
			continue
		}
		row := in.sharedRow(g, f, slot)
		for k, d := range m.demb[f*in.stride() : (f+1)*in.stride()] {
			row[k] += d
		}
	}
}

// square is the squared norm of the derivatives of rows in the table.
func (in *inputs) square(m *encoded) float64 {
	sum := 0.0
	for f, slot := range m.slots {
		if slot < 0 {
			continue
		}
		for _, d := range m.demb[f*in.stride() : (f+1)*in.stride()] {
			sum += float64(d * d)
		}
	}
	return sum
}

// learn moves the rows in the table. One that gave way to a later category of the same row is left alone.
func (in *inputs) learn(m *encoded, t *table, scale float64) {
	for f, slot := range m.slots {
		if slot >= 0 && t.holds(slot, m.keys[f]) {
			t.learn(slot, m.demb[f*in.stride():(f+1)*in.stride()], scale)
		}
	}
}
