package agg_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
)

func TestFirstK(t *testing.T) {
	aggtest.Check(t, aggtest.Case{Agg: "first_k", Params: agg.Params{K: 3}, Brute: func(rows []agg.Row, s agg.Span) []float64 {
		v := []float64{math.NaN(), math.NaN(), math.NaN()}
		for i := 0; i < 3 && i < len(rows); i++ {
			v[i] = rows[i].X
		}
		return v
	}})
}

func Example_firstK() {
	v, _ := agg.Of("first_k", agg.Params{K: 2}, agg.Span{Seconds: 10, End: 10e6},
		agg.Row{X: 4, Y: 1, Time: 1e6}, agg.Row{X: 1, Y: 2, Time: 2e6}, agg.Row{X: 4, Y: 1, Time: 4e6})
	fmt.Println(v)
	// Output: [4 1]
}
