package metric

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// Quantiles scores forecasts that are quantiles: pinball loss of each level, the continuous ranked probability score that they approximate, how often an
// interval held, and its width. It belongs to one goroutine. Memory: 32 bytes a level.
type Quantiles struct {
	levels  []float64
	loss    []float64 // by level
	below   []float64 // by level: weight of labels at or below
	weight  float64
	invalid float64
}

// NewQuantiles returns empty scores of rising levels in (0, 1); it panics for others, and for none.
func NewQuantiles(levels ...float64) *Quantiles {
	for i, l := range levels {
		if !(l > 0 && l < 1) || i > 0 && l <= levels[i-1] {
			panic("metric: levels of quantiles rise within (0, 1)")
		}
	}
	if len(levels) == 0 {
		panic("metric: no level")
	}
	return &Quantiles{levels: levels, loss: make([]float64, len(levels)), below: make([]float64, len(levels))}
}

// Pinball is the loss of a quantile of a level (Koenker & Bassett 1978): level·(y − q) above it, (1 − level)·(q − y) below.
func Pinball(y, q, level float64) float64 {
	if y >= q {
		return level * (y - q)
	}
	return (1 - level) * (q - y)
}

// Add scores one forecast: answer[i] is the quantile of the i-th level. What is not finite is counted by Invalid.
func (s *Quantiles) Add(y float64, answer []float64, weight float64) {
	if !(weight > 0) || math.IsInf(weight, 1) {
		return
	}
	ok := finite(y) && len(answer) >= len(s.levels)
	for i := 0; ok && i < len(s.levels); i++ {
		ok = finite(answer[i])
	}
	if !ok {
		s.invalid += weight
		return
	}
	s.weight += weight
	for i, l := range s.levels {
		s.loss[i] += float64(weight * Pinball(y, answer[i], l))
		if y <= answer[i] {
			s.below[i] += weight
		}
	}
}

// Pinball returns the mean pinball loss of each level, NaN without examples.
func (s *Quantiles) Pinball() []float64 { return s.shares(s.loss) }

// Coverage returns for each level the share of labels at or below its quantile: the level itself, if the forecasts are calibrated.
func (s *Quantiles) Coverage() []float64 { return s.shares(s.below) }

func (s *Quantiles) shares(sums []float64) []float64 {
	out := make([]float64, len(sums))
	for i, v := range sums {
		out[i] = ratio(v, s.weight)
	}
	return out
}

// CRPS is twice the mean pinball loss over the levels: the continuous ranked probability score (Gneiting & Raftery 2007, §4.2; Laio & Tamea 2007), as far as
// the levels show it. In units of the target.
func (s *Quantiles) CRPS() float64 {
	return ratio(2*sum(s.loss), s.weight*float64(len(s.levels)))
}

// Interval returns the mean interval score (Gneiting & Raftery 2007, eq. 43) of the central interval between the i-th level and the i-th from the end,
// which must lie symmetrically around a half: its width, and 2/α for each unit by which a label lies outside. It is (2/α) times the sum of the two
// pinball losses. MSIS divides it by the mean error of the seasonal naive forecast. NaN without examples or when the levels are not symmetric.
func (s *Quantiles) Interval(i int) float64 {
	j := len(s.levels) - 1 - i
	if i < 0 || i >= j || math.Abs(s.levels[i]+s.levels[j]-1) > 1e-9 {
		return math.NaN()
	}
	return ratio((s.loss[i]+s.loss[j])/s.levels[i], s.weight)
}

// Invalid returns the weight of forecasts or labels that were not finite, or too short.
func (s *Quantiles) Invalid() float64 { return s.invalid }

// State visits the sums; other levels are an error.
func (s *Quantiles) State(c *codec.State) {
	c.Fixed("levels", len(s.levels))
	for i := range s.levels {
		l := s.levels[i]
		if c.Float64(&l); math.Float64bits(l) != math.Float64bits(s.levels[i]) {
			c.Fail("level %v, not %v", l, s.levels[i])
		}
		c.Float64(&s.loss[i])
		c.Float64(&s.below[i])
	}
	c.Float64(&s.weight)
	c.Float64(&s.invalid)
}
