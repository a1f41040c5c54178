package metric

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// calibrationBins is the number of equal-width bins of ece; bin i is [i/15, (i+1)/15), the last one with 1.
const calibrationBins = 15

// ece is the expected calibration error (Naeini et al. 2015) over 15 equal-width bins: the weighted mean
// of |mean confidence − share right|. The confidence is P(y = 1), and right the label 1, for a
// binary task; it is the greatest probability, and right a hit, for a multiclass one. In [0, 1]; NaN without examples.
func ece(s *Set) float64 {
	total, weight := 0.0, 0.0
	for i := range s.reliability.weight {
		total += math.Abs(s.reliability.confidence[i] - s.reliability.right[i])
		weight += s.reliability.weight[i]
	}
	return ratio(total, weight)
}

// reliability are the sums behind ece, by bin of confidence.
type reliability struct {
	confidence, right, weight [calibrationBins]float64
}

func (r *reliability) add(confidence, right, w float64) {
	i := int(min(max(confidence, 0), 1) * calibrationBins)
	i = min(i, calibrationBins-1)
	r.confidence[i] += float64(confidence * w)
	r.right[i] += float64(right * w)
	r.weight[i] += w
}

func (r *reliability) state(c *codec.State) {
	for i := range r.weight {
		c.Float64(&r.confidence[i])
		c.Float64(&r.right[i])
		c.Float64(&r.weight[i])
	}
}
