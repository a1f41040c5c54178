// Package preprocess holds the transformers: scalers, encoders and imputers that stand before a model
// in a pipeline. What needs no label is learned at the predict record, after the answer was given; what
// needs the label is learned at the learn record, after the model.
//
// Every transformer says what it does with missing values. Scalers let them pass, so that
// missing_indicator or a model can decide. Scalers turn sparse rows into dense ones, because a zero
// does not stay zero; encoders of categories make sparse rows.
package preprocess

import (
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// limit is the greatest magnitude that scalers compute with; beyond it inputs count as this, so that
// squares stay finite.
const limit = 1e100

func bounded(x float64) float64 {
	if x > limit {
		return limit
	}
	if x < -limit {
		return -limit
	}
	return x
}

// stateless is embedded by transformers that learn nothing.
type stateless struct{ models.LabelFree }

// Observe does nothing.
func (stateless) Observe(*models.Example) {}

// State visits nothing.
func (stateless) State(*codec.State) {}

// unlabelled is embedded by transformers that learn nothing from labels.
type unlabelled = models.LabelFree

// dense writes the n columns of r into dst's memory: absent columns of a sparse row, and those beyond a
// short one, are 0.
func dense(dst models.Row, r models.Row, n int) models.Row {
	v := dst.Value
	if cap(v) < n {
		v = make([]float64, n)
	}
	v = v[:n]
	if r.Index == nil {
		clear(v[copy(v, r.Value):])
	} else {
		clear(v)
		for j, i := range r.Index {
			if int(i) < n {
				v[i] = r.Value[j]
			}
		}
	}
	return models.Row{Value: v}
}

// present calls f with the first n columns that the row holds, in order: all of a dense row, the
// entries of a sparse one.
func present(r models.Row, n int, f func(i int, x float64)) {
	if r.Index == nil {
		for i, x := range r.Value[:min(n, len(r.Value))] {
			f(i, x)
		}
		return
	}
	for j, i := range r.Index {
		if int(i) < n {
			f(int(i), r.Value[j])
		}
	}
}

// startSparse empties dst as a sparse row.
func startSparse(dst models.Row) models.Row {
	if dst.Index == nil {
		dst.Index = []uint32{}
	}
	return models.Row{Index: dst.Index[:0], Value: dst.Value[:0]}
}

// mix is a finaliser of 64 bits (splitmix64), for placing categories in slots. It is part of the fold.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// numbers lists the columns that are marked.
func numbers(marks []bool) []int {
	var out []int
	for i, m := range marks {
		if m {
			out = append(out, i)
		}
	}
	return out
}

var columnsParam = models.Param{Name: "columns", Default: []string(nil), Doc: "the columns to work on; none: every numeric column"}
var categoriesParam = models.Param{Name: "columns", Default: []string(nil), Doc: "the columns to work on; none: every categorical column"}

// selected returns the columns that a component works on.
func selected(a models.Args, env models.Env, numeric bool) ([]int, error) {
	marks, err := models.SelectColumns(env, a.Texts("columns"), numeric)
	return numbers(marks), err
}

// standardise returns (x − mean) / sd, and 0 for a column that has not varied.
func standardise(x, mean, sd float64) float64 {
	if x != x {
		return x
	}
	if sd == 0 {
		return 0
	}
	return (bounded(x) - mean) / sd
}

func visit(s *codec.State, name string, v []float64) {
	s.Fixed(name, len(v))
	for i := range v {
		s.Float64(&v[i])
	}
}

// extended returns the schema with more columns at its end.
func extended(s *features.Schema, more ...features.Column) *features.Schema {
	cols := make([]features.Column, 0, len(s.Columns)+len(more))
	return &features.Schema{Columns: append(append(cols, s.Columns...), more...)}
}

// held returns the value of a column, and whether the row holds one: dense rows up to their length, sparse
// ones where they have an entry.
func held(r models.Row, column int) (float64, bool) {
	if r.Index == nil {
		if column < len(r.Value) {
			return r.Value[column], true
		}
		return 0, false
	}
	if j, ok := slices.BinarySearch(r.Index, uint32(column)); ok {
		return r.Value[j], true
	}
	return 0, false
}
