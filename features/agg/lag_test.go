package agg_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
)

func TestLag(t *testing.T) {
	aggtest.Check(t, aggtest.Case{Agg: "lag", Params: agg.Params{K: 2}, Brute: func(rows []agg.Row, s agg.Span) []float64 {
		if len(rows) < 3 {
			return []float64{math.NaN()}
		}
		return []float64{rows[len(rows)-3].X}
	}})
}

func Example_lag() {
	v, _ := agg.Of("lag", agg.Params{K: 1}, agg.Span{Seconds: 10, End: 10e6},
		agg.Row{X: 4, Y: 1, Time: 1e6}, agg.Row{X: 1, Y: 2, Time: 2e6}, agg.Row{X: 4, Y: 1, Time: 4e6})
	fmt.Println(v)
	// Output: [1]
}
