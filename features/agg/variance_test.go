package agg_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
)

func TestVariance(t *testing.T) {
	aggtest.Check(t, aggtest.Case{Agg: "variance", Brute: func(rows []agg.Row, s agg.Span) []float64 {
		if len(rows) < 2 {
			return []float64{math.NaN()}
		}
		mean, squares := 0.0, 0.0
		for _, r := range rows {
			mean += r.X / float64(len(rows))
		}
		for _, r := range rows {
			squares += (r.X - mean) * (r.X - mean)
		}
		return []float64{squares / float64(len(rows)-1)}
	}})
}

func Example_variance() {
	v, _ := agg.Of("variance", agg.Params{}, agg.Span{Seconds: 10, End: 10e6},
		agg.Row{X: 4, Y: 1, Time: 1e6}, agg.Row{X: 1, Y: 2, Time: 2e6}, agg.Row{X: 4, Y: 1, Time: 4e6})
	fmt.Println(v)
	// Output: [3]
}
