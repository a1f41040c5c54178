package preprocess

import (
	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// ClipComponent is the catalogue entry of Clip.
var ClipComponent = models.Component{
	Name: "clip", Kind: models.TransformerKind, Fold: 1,
	Params: []models.Param{columnsParam,
		{Name: "min", Default: -5.0, Doc: "lower limit"},
		{Name: "max", Default: 5.0, Doc: "upper limit"}},
	Cost: "O(columns)", Memory: "none",
	Doc: "Limits values to [min, max]. Missing values stay missing.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		if a.Float("min") > a.Float("max") {
			return nil, models.SpecErrors{{Path: "clip", Reason: "min is above max"}}
		}
		cols, err := selected(a, env, true)
		if err != nil {
			return nil, err
		}
		return &Clip{schema: env.Schema, columns: cols, lo: a.Float("min"), hi: a.Float("max")}, nil
	},
}

// Clip limits columns to an interval.
type Clip struct {
	stateless
	schema  *features.Schema
	columns []int
	lo, hi  float64
}

// Transform limits the columns and copies the others.
func (t *Clip) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.schema.Columns))
	for _, i := range t.columns {
		if x := dst.Value[i]; x < t.lo {
			dst.Value[i] = t.lo
		} else if x > t.hi {
			dst.Value[i] = t.hi
		}
	}
	return dst
}

// Schema is that of the rows that come in.
func (t *Clip) Schema() *features.Schema { return t.schema }

// Snapshot returns t itself: it never changes.
func (t *Clip) Snapshot() models.Transformer { return t }
