package agg_test

import (
	"fmt"
	"testing"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
)

func TestRatio(t *testing.T) {
	aggtest.Check(t, aggtest.Case{Agg: "ratio", Brute: func(rows []agg.Row, s agg.Span) []float64 {
		x, y := 0.0, 0.0
		for _, r := range rows {
			x += r.X
			y += r.Y
		}
		return []float64{x / y}
	}})
}

func Example_ratio() {
	v, _ := agg.Of("ratio", agg.Params{}, agg.Span{Seconds: 10, End: 10e6},
		agg.Row{X: 4, Y: 1, Time: 1e6}, agg.Row{X: 1, Y: 2, Time: 2e6}, agg.Row{X: 4, Y: 1, Time: 4e6})
	fmt.Println(v)
	// Output: [2.25]
}
