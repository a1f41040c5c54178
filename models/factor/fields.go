// Package factor holds models of hashed features and of how they act together: FTRL with crosses, factorization machines and
// field-aware ones. In the flow they are the last stage of a pipeline, and they read categories as they come: a category is a
// feature of value 1 that is named by its column and its text, a number is a feature of its column. Put a scaler before them for numbers.
//
// A missing value, and a 0, adds nothing. Features share a table of fixed size by their hash: it never grows, and nothing is
// dropped; two features may meet in one place.
package factor

import (
	"math"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// maxInput is the greatest magnitude of a number; greater ones are taken as this.
const maxInput = 1e3

// feature is one entry of a row.
type feature struct {
	hash  uint64
	field uint32 // the column
	x     float64
}

// fields knows what the columns are.
type fields struct {
	names       []uint64 // hash of the column's name
	categorical []bool
}

func newFields(s *features.Schema) fields {
	f := fields{names: make([]uint64, len(s.Columns)), categorical: make([]bool, len(s.Columns))}
	for i, c := range s.Columns {
		f.names[i], f.categorical[i] = features.Hash(c.Name), c.Kind == features.Categorical
	}
	return f
}

// read appends the features of the row.
func (f *fields) read(dst []feature, r *models.Row) []feature {
	for j, x := range r.Value {
		i := j
		if r.Index != nil {
			i = int(r.Index[j])
		}
		if i >= len(f.names) || x != x {
			continue
		}
		if f.categorical[i] {
			dst = append(dst, feature{hash: features.Mix(f.names[i] + math.Float64bits(x)*0x9e3779b97f4a7c15), field: uint32(i), x: 1})
		} else if x != 0 {
			dst = append(dst, feature{hash: f.names[i], field: uint32(i), x: max(-maxInput, min(maxInput, x))})
		}
	}
	return dst
}

// meet is the hash of two features together, in either order.
func meet(a, b uint64) uint64 { return features.Mix(a + b + 0x9e3779b97f4a7c15) }
