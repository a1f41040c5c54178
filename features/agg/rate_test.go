package agg_test

import (
	"fmt"
	"testing"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
)

func TestRate(t *testing.T) {
	aggtest.Check(t, aggtest.Case{Agg: "rate", Params: agg.Params{Valued: true}, Brute: func(rows []agg.Row, s agg.Span) []float64 {
		sum := 0.0
		for _, r := range rows {
			sum += r.X
		}
		return []float64{sum / s.Seconds}
	}})
}

func Example_rate() {
	v, _ := agg.Of("rate", agg.Params{Valued: true}, agg.Span{Seconds: 10, End: 10e6},
		agg.Row{X: 4, Y: 1, Time: 1e6}, agg.Row{X: 1, Y: 2, Time: 2e6}, agg.Row{X: 4, Y: 1, Time: 4e6})
	fmt.Println(v)
	// Output: [0.9]
}
