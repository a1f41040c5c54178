package agg_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
)

func TestDecayedMean(t *testing.T) {
	aggtest.Check(t, aggtest.Case{Agg: "decayed_mean", Params: agg.Params{HalfLife: 10 * time.Minute}, Brute: func(rows []agg.Row, s agg.Span) []float64 {
		count, sum := 0.0, 0.0
		for _, r := range rows {
			w := math.Exp2(-float64(s.End-r.Time) / 600e6)
			count += w
			sum += w * r.X
		}
		return []float64{sum / count}
	}})
}

func Example_decayedMean() {
	v, _ := agg.Of("decayed_mean", agg.Params{Weight: 0.5}, agg.Span{Seconds: 10, End: 10e6},
		agg.Row{X: 2, Time: 1e6}, agg.Row{X: 5, Time: 2e6})
	fmt.Println(v)
	// Output: [3.5]
}

// TestDecayedMeanByEvent: m += a·(x − m), started with the first value, whatever way the rows are cut
// into neighbours and merged.
func TestDecayedMeanByEvent(t *testing.T) {
	aggtest.Check(t, aggtest.Case{Agg: "decayed_mean", Params: agg.Params{Weight: 0.2}, InTime: true, Brute: func(rows []agg.Row, _ agg.Span) []float64 {
		m := math.NaN()
		for i, r := range rows {
			if i == 0 {
				m = r.X
			} else {
				m += 0.2 * (r.X - m)
			}
		}
		return []float64{m}
	}})
}
