package preprocess

import (
	"math"
	"slices"

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
	whole   bool      // columns are all of the schema's, in order
	stats   []moments // one per selected column
}

// NewStandardScaler returns a scaler of the given columns of the schema, in increasing order.
func NewStandardScaler(schema *features.Schema, columns []int) *StandardScaler {
	return &StandardScaler{schema: schema, columns: columns, whole: len(columns) == len(schema.Columns),
		stats: make([]moments, len(columns))}
}

// moments is a running mean and sum of squared deviations (Welford 1962).
type moments struct {
	n, mean, m2 float64
	scale       float64 // derived: 1 / the population's standard deviation, 0 while the column has not varied
}

// measure derives the scale; inverse is 1/n.
func (m *moments) measure(inverse float64) {
	m.scale = 0
	if v := m.m2 * inverse; v > 0 {
		m.scale = 1 / math.Sqrt(v)
	}
}

// Transform scales the columns and copies the others.
func (t *StandardScaler) Transform(dst models.Row, e *models.Example) models.Row {
	if t.whole && e.Index == nil && len(e.Value) == len(t.stats) && cap(dst.Value) >= len(t.stats) {
		out := dst.Value[:len(t.stats)]
		for i, x := range e.Value[:len(out)] {
			m := &t.stats[i]
			out[i] = (bounded(x) - m.mean) * m.scale
		}
		return models.Row{Value: out}
	}
	dst = dense(dst, e.Row, len(t.schema.Columns))
	for j, i := range t.columns {
		m := &t.stats[j]
		dst.Value[i] = (bounded(dst.Value[i]) - m.mean) * m.scale
	}
	return dst
}

// Observe takes the row in. Columns without missing values have seen equally many, so 1/n is divided once.
func (t *StandardScaler) Observe(e *models.Example) {
	n, inverse := 0.0, 0.0
	whole := t.whole && e.Index == nil && len(e.Value) == len(t.stats)
	for j := range t.stats {
		var x float64
		if whole {
			x = e.Value[j]
		} else {
			x = e.At(t.columns[j])
		}
		if x != x {
			continue
		}
		m := &t.stats[j]
		m.n++
		if m.n != n {
			n, inverse = m.n, 1/m.n
		}
		x = bounded(x)
		d := x - m.mean
		m.mean += float64(d * inverse)
		m.m2 += float64(d * (x - m.mean))
		m.measure(inverse)
	}
}

// State visits the moments.
func (t *StandardScaler) State(s *codec.State) {
	s.Fixed("columns of standard_scaler", len(t.stats))
	for i := range t.stats {
		m := &t.stats[i]
		s.Float64(&m.n)
		s.Float64(&m.mean)
		s.Float64(&m.m2)
		if m.scale = 0; m.n > 0 {
			m.measure(1 / m.n)
		}
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
