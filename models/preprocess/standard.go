package preprocess

import (
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// StandardScalerComponent is the catalogue entry of StandardScaler.
var StandardScalerComponent = models.Component{
	Name: "standard_scaler", Kind: models.TransformerKind, Fold: 1, Params: []models.Param{columnsParam},
	Cost: "O(columns)", Memory: "24 bytes per column", Source: "Welford 1962",
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
	stats   []moments // one per selected column
}

// NewStandardScaler returns a scaler of the given columns of the schema.
func NewStandardScaler(schema *features.Schema, columns []int) *StandardScaler {
	return &StandardScaler{schema: schema, columns: columns, stats: make([]moments, len(columns))}
}

// Transform scales the columns and copies the others.
func (t *StandardScaler) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.schema.Columns))
	for j, i := range t.columns {
		m := &t.stats[j]
		dst.Value[i] = standardise(dst.Value[i], m.mean, m.sd)
	}
	return dst
}

// Observe takes the row in.
func (t *StandardScaler) Observe(e *models.Example) {
	for j, i := range t.columns {
		if x := e.At(i); x == x {
			t.stats[j].add(bounded(x))
		}
	}
}

// State visits the moments.
func (t *StandardScaler) State(s *codec.State) {
	s.Fixed("columns of standard_scaler", len(t.stats))
	for i := range t.stats {
		s.Float64(&t.stats[i].n)
		s.Float64(&t.stats[i].mean)
		s.Float64(&t.stats[i].m2)
		t.stats[i].measure()
	}
}

// Schema is that of the rows that come in.
func (t *StandardScaler) Schema() *features.Schema { return t.schema }

// Snapshot copies the moments.
func (t *StandardScaler) Snapshot() models.Transformer {
	c := *t
	c.stats = slices.Clone(t.stats)
	return &c
}
