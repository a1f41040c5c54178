package metric

import (
	"math"
	"strconv"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// quantiles are the sums behind the metrics of forecasts that say quantiles.
type quantiles struct {
	levels  []float64
	weights []float64 // of each level's pinball loss in crps
	crps    float64
	inside  []float64 // by pair of levels q, 1 − q from the outside in: weight of labels inside
	weight  float64
}

// NewForecast returns the empty set of the task forecast whose answers are a mean and these quantiles (levels rise, in (0, 1)). Beside the metrics of numbers, which judge the
// mean, it has
//
//	crps         the continuous ranked probability score, in units of the target, of which 0 is best: 2·∫ρ_τ(y, q(τ))dτ with the pinball loss ρ (Gneiting & Raftery 2007, §4.2),
//	             the integral taken by the trapezoidal rule over the levels, its ends reaching to 0 and 1
//	coverage_80  for levels 0.1 and 0.9, and in the same way for each pair q and 1 − q: the share of labels inside
//
// Without levels it is New.
func NewForecast(levels []float64) *Set {
	s := New(models.Forecast, 0)
	if len(levels) == 0 {
		return s
	}
	q := &quantiles{levels: levels, weights: make([]float64, len(levels))}
	for i := range levels {
		from, to := 0.0, 1.0
		if i > 0 {
			from = (levels[i-1] + levels[i]) / 2
		}
		if i < len(levels)-1 {
			to = (levels[i] + levels[i+1]) / 2
		}
		q.weights[i] = to - from
	}
	s.quantiles = q
	s.entries = append(s.entries[:len(s.entries):len(s.entries)], entry{"crps", numbers, func(s *Set) float64 { return ratio(s.quantiles.crps, s.quantiles.weight) }})
	for i, j := 0, len(levels)-1; i < j && math.Abs(levels[i]+levels[j]-1) < 1e-9; i, j = i+1, j-1 {
		name := "coverage_" + strconv.FormatFloat(math.Round((levels[j]-levels[i])*1e6)/1e4, 'f', -1, 64)
		s.entries = append(s.entries, entry{name, numbers, func(s *Set) float64 { return ratio(s.quantiles.inside[i], s.quantiles.weight) }})
		q.inside = append(q.inside, 0)
	}
	return s
}

func (q *quantiles) add(y float64, answer []float64, w float64) {
	for i, level := range q.levels {
		e := y - answer[i]
		q.crps += float64(2 * q.weights[i] * w * math.Max(float64(level*e), float64((level-1)*e)))
	}
	for i := range q.inside {
		if y >= answer[i] && y <= answer[len(q.levels)-1-i] {
			q.inside[i] += w
		}
	}
	q.weight += w
}

func (q *quantiles) state(c *codec.State) {
	c.Fixed("levels of quantiles", len(q.levels))
	c.Float64(&q.crps)
	c.Float64(&q.weight)
	for i := range q.inside {
		c.Float64(&q.inside[i])
	}
}

func (q *quantiles) merge(o *quantiles) {
	q.crps += o.crps
	q.weight += o.weight
	for i := range q.inside {
		q.inside[i] += o.inside[i]
	}
}
