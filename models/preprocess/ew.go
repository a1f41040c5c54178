package preprocess

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// EWScalerComponent is the catalogue entry of EWScaler.
var EWScalerComponent = models.Component{
	Name: "ew_scaler", Kind: models.TransformerKind, Fold: 1,
	Params: []models.Param{columnsParam,
		{Name: "half_life", Default: 100000.0, Range: models.Above(0), Unit: "values", Doc: "after so many values of the column a value counts half"},
		{Name: "winsorise", Default: 8.0, Range: models.AtLeast(0), Unit: "standard deviations", Doc: "values further away than this update the statistics as if they were this far; 0: off"},
		{Name: "clip", Default: 0.0, Range: models.AtLeast(0), Unit: "standard deviations", Doc: "limit of the scaled values; 0: none"}},
	Cost: "O(columns)", Memory: "24 bytes per column", Source: "West 1979 for the updates",
	Doc: "Subtracts the mean and divides by the standard deviation, both exponentially weighted, so that it follows drift; a single absurd value moves them little. " +
		"It begins as a plain mean and variance and becomes exponential when it has seen enough. Missing values stay missing and are not counted.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, true)
		if err != nil {
			return nil, err
		}
		return NewEWScaler(env.Schema, cols, a.Float("half_life"), a.Float("winsorise"), a.Float("clip")), nil
	},
}

// ewWarm is how many values a column must have seen before outliers are cut.
const ewWarm = 32

// EWScaler centres and scales columns by exponentially weighted moments.
type EWScaler struct {
	unlabelled
	schema    *features.Schema
	columns   []int
	alpha     float64 // least weight of a new value
	winsorise float64
	clip      float64
	stats     []ewMoments
}

type ewMoments struct {
	n, mean, variance float64
	sd                float64 // derived: the root of variance, 0 if there is none
}

func (m *ewMoments) measure() {
	m.sd = 0
	if m.variance > 0 {
		m.sd = math.Sqrt(m.variance)
	}
}

// NewEWScaler returns a scaler of the given columns. halfLife is in values, winsorise and clip in
// standard deviations, 0 for none.
func NewEWScaler(schema *features.Schema, columns []int, halfLife, winsorise, clip float64) *EWScaler {
	return &EWScaler{schema: schema, columns: columns, alpha: -math.Expm1(-math.Ln2 / halfLife),
		winsorise: winsorise, clip: clip, stats: make([]ewMoments, len(columns))}
}

// Transform scales the columns and copies the others.
func (t *EWScaler) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.schema.Columns))
	for j, i := range t.columns {
		m := &t.stats[j]
		z := standardise(dst.Value[i], m.mean, m.sd)
		if t.clip > 0 {
			if z > t.clip {
				z = t.clip
			} else if z < -t.clip {
				z = -t.clip
			}
		}
		dst.Value[i] = z
	}
	return dst
}

// Observe takes the row in.
func (t *EWScaler) Observe(e *models.Example) {
	for j, i := range t.columns {
		if x := e.At(i); x == x {
			t.stats[j].add(bounded(x), t.alpha, t.winsorise)
		}
	}
}

// add takes one value in: with weight a = max(1/n, alpha), mean += a·d and
// variance = (1 − a)(variance + a·d²), which are Welford's for a = 1/n.
func (m *ewMoments) add(x, alpha, winsorise float64) {
	m.n = min(m.n+1, 1<<53)
	a := max(1/m.n, alpha)
	d := x - m.mean
	if far := winsorise * m.sd; far > 0 && m.n > ewWarm {
		if d > far {
			d = far
		} else if d < -far {
			d = -far
		}
	}
	m.mean += float64(a * d)
	m.variance = (1 - a) * (m.variance + float64(a*float64(d*d)))
	m.measure()
}

// State visits the moments.
func (t *EWScaler) State(s *codec.State) {
	s.Fixed("columns of ew_scaler", len(t.stats))
	for i := range t.stats {
		s.Float64(&t.stats[i].n)
		s.Float64(&t.stats[i].mean)
		s.Float64(&t.stats[i].variance)
		t.stats[i].measure()
	}
}

// Schema is that of the rows that come in.
func (t *EWScaler) Schema() *features.Schema { return t.schema }

// Snapshot copies the moments.
func (t *EWScaler) Snapshot() models.Transformer {
	c := *t
	c.stats = slices.Clone(t.stats)
	return &c
}
