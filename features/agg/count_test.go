package agg_test

import (
	"fmt"
	"testing"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
)

func TestCount(t *testing.T) {
	aggtest.Check(t, aggtest.Case{Agg: "count", Brute: func(rows []agg.Row, s agg.Span) []float64 {
		return []float64{float64(len(rows))}
	}})
}

func Example_count() {
	v, _ := agg.Of("count", agg.Params{}, agg.Span{Seconds: 10, End: 10e6},
		agg.Row{X: 4, Y: 1, Time: 1e6}, agg.Row{X: 1, Y: 2, Time: 2e6}, agg.Row{X: 4, Y: 1, Time: 4e6})
	fmt.Println(v)
	// Output: [3]
}
