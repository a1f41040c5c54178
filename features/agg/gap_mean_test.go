package agg_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
)

func TestGapMean(t *testing.T) {
	aggtest.Check(t, aggtest.Case{Agg: "gap_mean", Brute: func(rows []agg.Row, s agg.Span) []float64 {
		if len(rows) < 2 {
			return []float64{math.NaN()}
		}
		sum := 0.0
		for i := range rows[1:] {
			sum += float64(rows[i+1].Time-rows[i].Time) / 1e6
		}
		return []float64{sum / float64(len(rows)-1)}
	}})
}

func Example_gapMean() {
	v, _ := agg.Of("gap_mean", agg.Params{}, agg.Span{Seconds: 10, End: 10e6},
		agg.Row{X: 4, Y: 1, Time: 1e6}, agg.Row{X: 1, Y: 2, Time: 2e6}, agg.Row{X: 4, Y: 1, Time: 4e6})
	fmt.Println(v)
	// Output: [1.5]
}
