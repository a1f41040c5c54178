package preprocess

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// SignedLogComponent is the catalogue entry of SignedLog.
var SignedLogComponent = models.Component{
	Name: "signed_log", Kind: models.TransformerKind, Fold: 1,
	Params: []models.Param{columnsParam,
		{Name: "scale", Default: 0.0, Range: models.AtLeast(0), Unit: "units of the column", Doc: "where the curve turns from linear to logarithmic; 0: the mean magnitude of the column so far"}},
	Cost: "O(columns)", Memory: "16 bytes per column with scale 0",
	Doc: "sign(x) · log(1 + |x| / scale): compresses heavy tails and keeps zero and sign. With scale 0 every column is bent at its own mean magnitude, " +
		"so values of the usual size stay nearly in proportion and only the tail is compressed, whatever the unit; nothing is switched on or off as data come. " +
		"Missing values stay missing and are not counted.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, true)
		if err != nil {
			return nil, err
		}
		return NewSignedLog(env.Schema, cols, a.Float("scale")), nil
	},
}

// SignedLog compresses the tails of columns.
type SignedLog struct {
	unlabelled
	schema  *features.Schema
	columns []int
	scale   float64
	n, mean []float64 // per column, of |x|; nil with a fixed scale
}

// NewSignedLog returns the transformer for the given columns. A scale of 0 takes each column's mean
// magnitude so far.
func NewSignedLog(schema *features.Schema, columns []int, scale float64) *SignedLog {
	t := &SignedLog{schema: schema, columns: columns, scale: scale}
	if scale == 0 {
		t.n, t.mean = make([]float64, len(columns)), make([]float64, len(columns))
	}
	return t
}

// Transform compresses the columns and copies the others. A column whose values were all 0 so far is
// bent at 1.
func (t *SignedLog) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.schema.Columns))
	for j, i := range t.columns {
		x := dst.Value[i]
		if x != x || x == 0 {
			continue
		}
		scale := t.scale
		if t.mean != nil {
			if scale = t.mean[j]; scale == 0 {
				scale = 1
			}
		}
		dst.Value[i] = math.Copysign(math.Log1p(math.Abs(bounded(x))/scale), x)
	}
	return dst
}

// Observe takes the magnitudes in.
func (t *SignedLog) Observe(e *models.Example) {
	if t.mean == nil {
		return
	}
	for j, i := range t.columns {
		if x := e.At(i); x == x {
			t.n[j]++
			t.mean[j] += (math.Abs(bounded(x)) - t.mean[j]) / t.n[j]
		}
	}
}

// State visits the mean magnitudes.
func (t *SignedLog) State(s *codec.State) {
	visit(s, "columns of signed_log", t.n)
	visit(s, "columns of signed_log", t.mean)
}

// Schema is that of the rows that come in.
func (t *SignedLog) Schema() *features.Schema { return t.schema }

// Snapshot copies the mean magnitudes.
func (t *SignedLog) Snapshot() models.Transformer {
	c := *t
	c.n, c.mean = slices.Clone(t.n), slices.Clone(t.mean)
	return &c
}
