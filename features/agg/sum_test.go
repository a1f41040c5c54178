package agg_test

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
)

func TestSum(t *testing.T) {
	aggtest.Check(t, aggtest.Case{Agg: "sum", Brute: func(rows []agg.Row, s agg.Span) []float64 {
		sum := new(big.Float).SetPrec(200)
		for _, r := range rows {
			sum.Add(sum, big.NewFloat(r.X))
		}
		x, _ := sum.Float64()
		return []float64{x}
	}})
}

func Example_sum() {
	v, _ := agg.Of("sum", agg.Params{}, agg.Span{Seconds: 10, End: 10e6},
		agg.Row{X: 4, Y: 1, Time: 1e6}, agg.Row{X: 1, Y: 2, Time: 2e6}, agg.Row{X: 4, Y: 1, Time: 4e6})
	fmt.Println(v)
	// Output: [9]
}
