package agg_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
)

func TestStddev(t *testing.T) {
	aggtest.Check(t, aggtest.Case{Agg: "stddev", Tolerance: 1e-7, Brute: func(rows []agg.Row, s agg.Span) []float64 {
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
		return []float64{math.Sqrt(squares / float64(len(rows)-1))}
	}})
}

func Example_stddev() {
	v, _ := agg.Of("stddev", agg.Params{}, agg.Span{Seconds: 10, End: 10e6},
		agg.Row{X: 1}, agg.Row{X: 3}, agg.Row{X: 5})
	fmt.Println(v)
	// Output: [2]
}
