package agg_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
)

func TestDecayedCount(t *testing.T) {
	aggtest.Check(t, aggtest.Case{Agg: "decayed_count", Params: agg.Params{HalfLife: 10 * time.Minute}, Brute: func(rows []agg.Row, s agg.Span) []float64 {
		count, sum := 0.0, 0.0
		for _, r := range rows {
			w := math.Exp2(-float64(s.End-r.Time) / 600e6)
			count += w
			sum += w * r.X
		}
		return []float64{count}
	}})
}

func Example_decayedCount() {
	v, _ := agg.Of("decayed_count", agg.Params{HalfLife: 4 * time.Second}, agg.Span{Seconds: 10, End: 10e6},
		agg.Row{X: 1, Time: 2e6}, agg.Row{X: 1, Time: 6e6}, agg.Row{X: 1, Time: 10e6})
	fmt.Println(v)
	// Output: [1.75]
}
