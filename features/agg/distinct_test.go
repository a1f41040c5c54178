package agg_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
)

func TestDistinct(t *testing.T) {
	aggtest.Check(t, aggtest.Case{Agg: "distinct", Brute: func(rows []agg.Row, s agg.Span) []float64 {
		seen := map[float64]bool{}
		for _, r := range rows {
			seen[r.X] = true
		}
		return []float64{float64(len(seen))}
	}})
}

func Example_distinct() {
	v, _ := agg.Of("distinct", agg.Params{}, agg.Span{Seconds: 10, End: 10e6},
		agg.Row{X: 4, Y: 1, Time: 1e6}, agg.Row{X: 1, Y: 2, Time: 2e6}, agg.Row{X: 4, Y: 1, Time: 4e6})
	fmt.Println(v)
	// Output: [2]
}

// TestDistinctSketch: beyond the cap the error stays within four standard errors of 1.04/√4096, merged
// or not, and the bytes do not depend on the order of rows.
func TestDistinctSketch(t *testing.T) {
	f, err := agg.Find("distinct").New(agg.Params{Cap: 16})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{16, 17, 1000, 20000, 300000} {
		var up, down, odd []byte
		for i := range n {
			up = f.Partial.Add(up, agg.Row{X: float64(i)})
			down = f.Partial.Add(down, agg.Row{X: float64(n - 1 - i)})
			if i%2 == 1 {
				odd = f.Partial.Add(odd, agg.Row{X: float64(i)})
			}
		}
		got := make([]float64, 1)
		f.Finish(got, up, agg.Span{})
		if tolerance := 4 * 1.04 / 64 * float64(n); math.Abs(got[0]-float64(n)) > tolerance || n <= 16 && got[0] != float64(n) {
			t.Errorf("%d values are estimated as %v", n, got[0])
		}
		if string(up) != string(down) || string(f.Partial.Merge(odd, up)) != string(up) {
			t.Errorf("the bytes of %d values depend on the order or change when a part is merged again", n)
		}
	}
}
