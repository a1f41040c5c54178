package metric

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// mae is the mean of |y − ŷ|, in units of the target. NaN without examples.
func mae(s *Set) float64 { return ratio(s.errors.abs, s.errors.weight) }

// residuals are the sums behind the metrics of numbers. The spread of the labels is Welford's (1962),
// weighted as by West (1979): no sum of squares that cancels.
type residuals struct {
	abs, squares, relative, weight float64
	mean, spread                   float64 // of the labels
}

func (r *residuals) add(y, answer, w float64) {
	e := y - answer
	r.abs += float64(math.Abs(e) * w)
	r.squares += float64(float64(e*e) * w)
	if size := math.Abs(y) + math.Abs(answer); size > 0 {
		r.relative += float64(w * (math.Abs(e) / size))
	}
	r.weight += w
	d := y - r.mean
	r.mean += float64(d * (w / r.weight))
	r.spread += float64(float64(w*d) * (y - r.mean))
}

func (r *residuals) state(c *codec.State) {
	for _, v := range []*float64{&r.abs, &r.squares, &r.relative, &r.weight, &r.mean, &r.spread} {
		c.Float64(v)
	}
}
