package linear

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/loss"
	"github.com/freshet-ml/freshet/models/optim"
)

// TestShortWayGivesTheSameBits: rows of tame inputs are learned without looking at each, wild ones with care, both as the way that all
// optimizers can go.
func TestShortWayGivesTheSameBits(t *testing.T) {
	const columns = 5
	value := rapid.OneOf(rapid.Float64Range(-3, 3), rapid.SampledFrom([]float64{math.NaN(), 0, 1e90, -1e99, 1e100, 1e120, math.Inf(1)}))
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom([]float64{0.01, 0.5, 20}).Draw(t, "rate")
		short := newScorer(columns, optim.NewSGD(optim.Schedule{Rate: rate}), Options{InterceptRate: 0.01}.settings())
		long := newScorer(columns, optim.NewSGD(optim.Schedule{Rate: rate}), Options{InterceptRate: 0.01}.settings())
		long.plain = nil
		for range rapid.IntRange(1, 15).Draw(t, "rows") {
			r := models.Row{Value: rapid.SliceOfN(value, 0, columns+1).Draw(t, "values")}
			if rapid.Bool().Draw(t, "sparse") {
				for i := range r.Value {
					r.Index = append(r.Index, uint32(i+i/3)) // the last ones are beyond the weights
				}
			}
			y := float64(rapid.IntRange(0, 1).Draw(t, "y"))
			if a, b := short.score(&r), long.begin(&r); math.Float64bits(a) != math.Float64bits(b) {
				t.Fatalf("score %v, the long way %v, of %v", a, b, r)
			}
			short.learn(&r, y, 1, loss.Logistic{})
			long.learn(&r, y, 1, loss.Logistic{})
			for i := range short.w {
				if math.Float64bits(short.w[i]+0) != math.Float64bits(long.w[i]+0) { // −0 is 0
					t.Fatalf("weight %d: %v, the long way %v, after %v", i, short.w[i], long.w[i], r)
				}
			}
			if short.bias != long.bias {
				t.Fatalf("intercept %v, the long way %v", short.bias, long.bias)
			}
		}
	})
}
