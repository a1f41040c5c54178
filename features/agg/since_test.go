package agg_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
)

func TestSince(t *testing.T) {
	aggtest.Check(t, aggtest.Case{Agg: "since", Brute: func(rows []agg.Row, s agg.Span) []float64 {
		if len(rows) == 0 {
			return []float64{math.NaN()}
		}
		return []float64{float64(s.End-rows[len(rows)-1].Time) / 1e6}
	}})
}

func Example_since() {
	v, _ := agg.Of("since", agg.Params{}, agg.Span{Seconds: 10, End: 10e6},
		agg.Row{X: 4, Y: 1, Time: 1e6}, agg.Row{X: 1, Y: 2, Time: 2e6}, agg.Row{X: 4, Y: 1, Time: 4e6})
	fmt.Println(v)
	// Output: [6]
}
