package forecast

import (
	"math"

	"gonum.org/v1/gonum/mathext"

	"github.com/freshet-ml/freshet/models"
)

// maxValue bounds what a series takes in: beyond it squares and products leave the range of doubles. Greater values count as it.
const maxValue = 1e100

// bounded returns y within ± maxValue.
func bounded(y float64) float64 { return math.Max(-maxValue, math.Min(maxValue, y)) }

// setNormal writes the quantiles of step i from its mean and the standard deviation of a normal distribution.
func setNormal(o *models.Outlook, i int, deviation float64) {
	n := len(o.Levels)
	for j, level := range o.Levels {
		o.Quantiles[i*n+j] = o.Mean[i] + float64(deviation*mathext.NormalQuantile(level))
	}
}

// setUnknown answers that nothing is known.
func setUnknown(o *models.Outlook) {
	for i := range o.Mean {
		o.Mean[i] = math.NaN()
	}
	for i := range o.Quantiles {
		o.Quantiles[i] = math.NaN()
	}
}
