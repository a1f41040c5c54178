package agg_test

import (
	"fmt"
	"testing"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
)

func TestMean(t *testing.T) {
	aggtest.Check(t, aggtest.Case{Agg: "mean", Brute: func(rows []agg.Row, s agg.Span) []float64 {
		sum := 0.0
		for _, r := range rows {
			sum += r.X
		}
		return []float64{sum / float64(len(rows))}
	}})
}

func Example_mean() {
	v, _ := agg.Of("mean", agg.Params{}, agg.Span{Seconds: 10, End: 10e6},
		agg.Row{X: 4, Y: 1, Time: 1e6}, agg.Row{X: 1, Y: 2, Time: 2e6}, agg.Row{X: 4, Y: 1, Time: 4e6})
	fmt.Println(v)
	// Output: [3]
}
