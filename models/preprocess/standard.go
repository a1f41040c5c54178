package preprocess

import (
	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// StandardScalerComponent is the catalogue entry of StandardScaler.
var StandardScalerComponent = models.Component{
	Name: "standard_scaler", Kind: models.TransformerKind, Fold: 2, Params: []models.Param{columnsParam},
	Cost: "O(columns)", Memory: "32 bytes per column", Source: "Welford 1962",
	Doc: "Subtracts the mean and divides by the standard deviation of all values so far (population variance; a column that has not varied gives 0). " +
		"It answers with the values before an example, then takes the example in, then the model learns from the row as scaled by then: " +
		"without label delay this is the order of River's pipelines. Missing values stay missing and are not counted.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, true)
		if err != nil {
			return nil, err
		}
		return NewStandardScaler(env.Schema, cols), nil
	},
}

// StandardScaler centres and scales columns by all values so far, exactly.
type StandardScaler struct {
	unlabelled
	schema  *features.Schema
	columns []int
	whole   bool // columns are all of the schema's, in order
	stats   columnMoments
	scratch []float64 // the row as it is taken in, where columns are chosen
}

// NewStandardScaler returns a scaler of the given columns of the schema, in increasing order.
func NewStandardScaler(schema *features.Schema, columns []int) *StandardScaler {
	return &StandardScaler{schema: schema, columns: columns, whole: len(columns) == len(schema.Columns), stats: newColumnMoments(len(columns))}
}

// Transform scales the columns and copies the others.
func (t *StandardScaler) Transform(dst models.Row, e *models.Example) models.Row {
	t.TransformInto(&dst, e)
	return dst
}

// TransformInto is Transform in place.
func (t *StandardScaler) TransformInto(dst *models.Row, e *models.Example) {
	n := len(t.columns)
	if t.whole && e.Index == nil && len(e.Value) == n && cap(dst.Value) >= n {
		dst.Index, dst.Value = nil, dst.Value[:n]
		t.stats.scaleTo(dst.Value, e.Value)
		return
	}
	*dst = dense(*dst, e.Row, len(t.schema.Columns))
	for j, i := range t.columns {
		dst.Value[i] = (bounded(dst.Value[i]) - t.stats.mean[j]) * t.stats.scale[j]
	}
}

// Observe takes the row in.
func (t *StandardScaler) Observe(e *models.Example) {
	if t.whole && e.Index == nil && len(e.Value) == len(t.columns) {
		t.stats.add(e.Value)
		return
	}
	if t.scratch == nil {
		t.scratch = make([]float64, len(t.columns))
	}
	for j, i := range t.columns {
		t.scratch[j] = e.At(i)
	}
	t.stats.add(t.scratch)
}

// State visits the moments.
func (t *StandardScaler) State(s *codec.State) {
	s.Fixed("columns of standard_scaler", len(t.columns))
	t.stats.state(s)
}

// Schema is that of the rows that come in.
func (t *StandardScaler) Schema() *features.Schema { return t.schema }

// Snapshot copies the moments.
func (t *StandardScaler) Snapshot() models.Transformer {
	c := *t
	c.stats, c.scratch = t.stats.clone(), nil
	return &c
}
