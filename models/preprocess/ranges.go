package preprocess

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// MinMaxScalerComponent is the catalogue entry of the scaler by range.
var MinMaxScalerComponent = models.Component{
	Name: "min_max_scaler", Kind: models.TransformerKind, Fold: 1,
	Params: []models.Param{columnsParam, {Name: "clip", Default: true, Doc: "limit values beyond the range so far to 0 and 1"}},
	Cost:   "O(columns)", Memory: "16 bytes per column", Source: "definition",
	Doc: "Moves the range of all values so far to [0, 1]; a column that has not varied gives 0. Missing values stay missing and are not counted.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, true)
		if err != nil {
			return nil, err
		}
		return NewMinMaxScaler(env.Schema, cols, a.Bool("clip")), nil
	},
}

// MaxAbsScalerComponent is the catalogue entry of the scaler by magnitude.
var MaxAbsScalerComponent = models.Component{
	Name: "max_abs_scaler", Kind: models.TransformerKind, Fold: 1, Params: []models.Param{columnsParam},
	Cost: "O(columns)", Memory: "16 bytes per column", Source: "definition",
	Doc: "Divides by the greatest magnitude so far, so that values lie in [−1, 1] and 0 stays 0; a column of zeros gives 0. Missing values stay missing and are not counted.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, true)
		if err != nil {
			return nil, err
		}
		return NewMaxAbsScaler(env.Schema, cols), nil
	},
}

// RangeScaler scales columns by the range, or the greatest magnitude, of all values so far.
type RangeScaler struct {
	unlabelled
	schema    *features.Schema
	columns   []int
	clip      bool
	magnitude bool
	spans     []span
}

type span struct{ lo, hi float64 } // lo > hi before the first value

// NewMinMaxScaler returns a scaler of the given columns to [0, 1].
func NewMinMaxScaler(schema *features.Schema, columns []int, clip bool) *RangeScaler {
	t := &RangeScaler{schema: schema, columns: columns, clip: clip, spans: make([]span, len(columns))}
	for i := range t.spans {
		t.spans[i] = span{math.Inf(1), math.Inf(-1)}
	}
	return t
}

// NewMaxAbsScaler returns a scaler of the given columns to [−1, 1]. A value greater than all before is scaled to 1 or −1.
func NewMaxAbsScaler(schema *features.Schema, columns []int) *RangeScaler {
	t := NewMinMaxScaler(schema, columns, true)
	t.magnitude = true
	return t
}

// Transform scales the columns and copies the others.
func (t *RangeScaler) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.schema.Columns))
	for j, i := range t.columns {
		if x := bounded(dst.Value[i]); x == x {
			dst.Value[i] = t.scale(x, &t.spans[j])
		}
	}
	return dst
}

func (t *RangeScaler) scale(x float64, s *span) float64 {
	lo, width, least := s.lo, s.hi-s.lo, 0.0
	if t.magnitude {
		lo, width, least = 0, max(s.hi, -s.lo), -1
	}
	if !(width > 0) {
		return 0
	}
	z := (x - lo) / width
	if t.clip {
		z = max(least, min(1, z))
	}
	return z
}

// Observe takes the row in.
func (t *RangeScaler) Observe(e *models.Example) {
	for j, i := range t.columns {
		if x := bounded(e.At(i)); x == x {
			s := &t.spans[j]
			s.lo, s.hi = min(s.lo, x), max(s.hi, x)
		}
	}
}

// State visits the ranges.
func (t *RangeScaler) State(s *codec.State) {
	s.Fixed("columns of a scaler by range", len(t.spans))
	for i := range t.spans {
		s.Float64(&t.spans[i].lo)
		s.Float64(&t.spans[i].hi)
	}
}

// Schema is that of the rows that come in.
func (t *RangeScaler) Schema() *features.Schema { return t.schema }

// Snapshot copies the ranges.
func (t *RangeScaler) Snapshot() models.Transformer {
	c := *t
	c.spans = slices.Clone(t.spans)
	return &c
}
