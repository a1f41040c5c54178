package preprocess

import (
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// RobustScalerComponent is the catalogue entry of RobustScaler.
var RobustScalerComponent = models.Component{
	Name: "robust_scaler", Kind: models.TransformerKind, Fold: 1,
	Params: []models.Param{columnsParam,
		{Name: "low", Default: 0.25, Range: models.Inside(0, 0.5), Doc: "lower quantile of the range that is scaled to 1; the upper one mirrors it"}},
	Cost: "O(columns)", Memory: "250 bytes per column", Source: "Jain & Chlamtac 1985 for the quantiles",
	Doc: "Subtracts the median and divides by the distance of two quantiles, all estimated in constant memory, so that outliers move neither. " +
		"A column whose quantiles are equal is only centred. Missing values stay missing and are not counted.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, true)
		if err != nil {
			return nil, err
		}
		return NewRobustScaler(env.Schema, cols, a.Float("low")), nil
	},
}

// RobustScaler centres columns by their median and scales them by a distance of quantiles.
type RobustScaler struct {
	unlabelled
	schema  *features.Schema
	columns []int
	stats   []robust
}

type robust struct{ low, median, high quantile }

// NewRobustScaler returns a scaler of the given columns; low is in (0, 0.5).
func NewRobustScaler(schema *features.Schema, columns []int, low float64) *RobustScaler {
	t := &RobustScaler{schema: schema, columns: columns, stats: make([]robust, len(columns))}
	for i := range t.stats {
		t.stats[i] = robust{quantile{p: low}, quantile{p: 0.5}, quantile{p: 1 - low}}
	}
	return t
}

// Transform scales the columns and copies the others.
func (t *RobustScaler) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.schema.Columns))
	for j, i := range t.columns {
		x := bounded(dst.Value[i])
		if x != x {
			continue
		}
		s := &t.stats[j]
		if x -= s.median.value(); s.median.n == 0 {
			x = 0
		}
		if width := s.high.value() - s.low.value(); width > 0 {
			x /= width
		}
		dst.Value[i] = x
	}
	return dst
}

// Observe takes the row in.
func (t *RobustScaler) Observe(e *models.Example) {
	for j, i := range t.columns {
		if x := bounded(e.At(i)); x == x {
			s := &t.stats[j]
			s.low.add(x)
			s.median.add(x)
			s.high.add(x)
		}
	}
}

// State visits the quantiles.
func (t *RobustScaler) State(s *codec.State) {
	s.Fixed("columns of robust_scaler", len(t.stats))
	for i := range t.stats {
		r := &t.stats[i]
		r.low.state(s)
		r.median.state(s)
		r.high.state(s)
	}
}

// Schema is that of the rows that come in.
func (t *RobustScaler) Schema() *features.Schema { return t.schema }

// Snapshot copies the quantiles.
func (t *RobustScaler) Snapshot() models.Transformer {
	c := *t
	c.stats = slices.Clone(t.stats)
	return &c
}

// quantile estimates the p-quantile of a stream by five markers (the P² algorithm of Jain & Chlamtac 1985, box 1): the least value, the p/2-, p-
// and (1+p)/2-quantiles, and the greatest value. It is exact up to the fifth value.
type quantile struct {
	p      float64
	n      float64
	height [5]float64
	place  [5]float64 // ranks of the markers, 1-based; set from the fifth value on
}

// value returns the estimate, 0 before the first value.
func (q *quantile) value() float64 {
	if q.n >= 5 {
		return q.height[2]
	}
	if q.n == 0 {
		return 0
	}
	return q.height[int(q.p*(q.n-1)+0.5)]
}

// add takes one more value in.
func (q *quantile) add(x float64) {
	if q.n < 5 {
		k := int(q.n)
		for ; k > 0 && q.height[k-1] > x; k-- {
			q.height[k] = q.height[k-1]
		}
		q.height[k] = x
		if q.n++; q.n == 5 {
			q.place = [5]float64{1, 2, 3, 4, 5}
		}
		return
	}
	q.n++
	q.height[0], q.height[4] = min(q.height[0], x), max(q.height[4], x)
	for k := 1; k < 5; k++ {
		if k == 4 || x < q.height[k] {
			q.place[k]++
		}
	}
	for k := 1; k < 4; k++ {
		wanted := 1 + float64((q.n-1)*[5]float64{0, q.p / 2, q.p, (1 + q.p) / 2, 1}[k])
		if d := wanted - q.place[k]; d >= 1 && q.place[k+1]-q.place[k] > 1 {
			q.move(k, 1)
		} else if d <= -1 && q.place[k]-q.place[k-1] > 1 {
			q.move(k, -1)
		}
	}
}

// move shifts marker k by one rank along the parabola through its neighbours, or along the line where that leaves their order.
func (q *quantile) move(k int, d float64) {
	h, n := &q.height, &q.place
	up, down := (h[k+1]-h[k])/(n[k+1]-n[k]), (h[k]-h[k-1])/(n[k]-n[k-1])
	at := h[k] + d/(n[k+1]-n[k-1])*(float64((n[k]-n[k-1]+d)*up)+float64((n[k+1]-n[k]-d)*down))
	if !(at > h[k-1] && at < h[k+1]) {
		if d > 0 {
			at = h[k] + up
		} else {
			at = h[k] - down
		}
	}
	h[k] = at
	n[k] += d
}

func (q *quantile) state(s *codec.State) {
	s.Float64(&q.n)
	for i := range q.height {
		s.Float64(&q.height[i])
		s.Float64(&q.place[i])
	}
	if !(q.n >= 0) {
		s.Fail("a quantile of %v values", q.n)
		q.n = 0
	}
}
