package agg_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
)

func TestMin(t *testing.T) {
	aggtest.Check(t, aggtest.Case{Agg: "min", Brute: func(rows []agg.Row, s agg.Span) []float64 {
		best := math.NaN()
		for i, r := range rows {
			if i == 0 || r.X < best {
				best = r.X
			}
		}
		return []float64{best}
	}})
}

func Example_min() {
	v, _ := agg.Of("min", agg.Params{}, agg.Span{Seconds: 10, End: 10e6},
		agg.Row{X: 4, Y: 1, Time: 1e6}, agg.Row{X: 1, Y: 2, Time: 2e6}, agg.Row{X: 4, Y: 1, Time: 4e6})
	fmt.Println(v)
	// Output: [1]
}
