package tree

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// reductionAt is the variance that a cut takes away, from the definition.
func reductionAt(x, y []float64, threshold float64) float64 {
	variance := func(keep func(float64) bool) (v, n float64) {
		mean := 0.0
		for i := range y {
			if keep(x[i]) {
				n, mean = n+1, mean+y[i]
			}
		}
		mean /= n
		for i := range y {
			if keep(x[i]) {
				v += (y[i] - mean) * (y[i] - mean)
			}
		}
		return v, n
	}
	all, n := variance(func(float64) bool { return true })
	left, nl := variance(func(v float64) bool { return v <= threshold })
	right, nr := variance(func(v float64) bool { return v > threshold })
	if nl < leastSide || nr < leastSide {
		return math.Inf(-1)
	}
	return (all - left - right) / n
}

func columnOf(kind int, rng *rand.Rand) float64 {
	switch kind {
	case 0:
		return rng.NormFloat64()
	case 1:
		return math.Exp(8 * rng.NormFloat64())
	case 2:
		return float64(rng.IntN(4))
	}
	return 1e9 + rng.Float64()
}

// The search tree finds the best cut of all values; the bins find one that is as good as their resolution allows, and what
// they say of it is true.
func TestObserversAgainstBruteForce(t *testing.T) {
	for kind := range 4 {
		rng := rand.New(rand.NewPCG(uint64(kind), 1))
		var x, y []float64
		var b bst
		bins := make([]float64, binsLen)
		clearBins(bins)
		for range 600 {
			v := columnOf(kind, rng)
			label := rng.NormFloat64()
			if math.Log(math.Abs(v)+1) > 0.8 {
				label += 3
			}
			x, y = append(x, v), append(y, label)
			addBins(bins, v, 1, label)
			b.add(v, 1, label)
		}
		best := math.Inf(-1)
		for _, v := range x {
			best = max(best, reductionAt(x, y, v))
		}
		merit, cut := b.cut()
		if math.Abs(merit-best) > 1e-9 || math.Abs(reductionAt(x, y, cut)-best) > 1e-9 {
			t.Errorf("kind %d: search tree %g at %g, brute force %g", kind, merit, cut, best)
		}
		left, right := b.sides(cut)
		if n := float64(len(slices.Collect(func(yield func(float64) bool) {
			for _, v := range x {
				if v <= cut && !yield(v) {
					return
				}
			}
		}))); left[0] != n || right[0] != 600-n {
			t.Errorf("kind %d: sides %v and %v, %g values at or below", kind, left, right, n)
		}
		merit, cut = cutBins(bins)
		true_ := reductionAt(x, y, cut)
		if kind != 1 && (math.Abs(merit-true_) > 0.02*best || merit < 0.8*best) { // 64 bins do not resolve 16 decades
			t.Errorf("kind %d: bins %g at %g, where it is %g; brute force %g", kind, merit, cut, true_, best)
		}
	}
}

// Widening keeps weight and sum, and every value's bin holds it.
func TestBinsKeepWhatTheyCount(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 200 {
		bins := make([]float64, binsLen)
		clearBins(bins)
		n, s := 0.0, 0.0
		for range rng.IntN(100) {
			x, w := rng.NormFloat64()*math.Pow(10, float64(rng.IntN(300)-150)), rng.Float64()
			if rng.IntN(10) == 0 {
				x = math.Copysign(1e300, x)
			}
			addBins(bins, x, w, 2*w)
			n, s = n+w, s+2*w
		}
		gotN, gotS := 0.0, 0.0
		for i := 2; i < binsLen; i += 2 {
			gotN, gotS = gotN+bins[i], gotS+bins[i+1]
		}
		if math.Abs(gotN-n) > 1e-9 || math.Abs(gotS-s) > 1e-9 {
			t.Fatalf("%g and %g of %g and %g", gotN, gotS, n, s)
		}
	}
}

// steps is a function of one column with a jump, linear on both sides, and noise columns.
func steps(n int, seed uint64) []models.Example {
	rng := rand.New(rand.NewPCG(seed, 2))
	out := make([]models.Example, n)
	for i := range out {
		x := []float64{rng.Float64(), rng.Float64(), rng.NormFloat64()}
		y := 2 * x[1]
		if x[0] > 0.4 {
			y = 10 - 3*x[1]
		}
		out[i] = models.Example{Row: models.Row{Value: x}, Y: y + 0.1*rng.NormFloat64(), Weight: 1}
	}
	return out
}

func regressionEnv(columns int) models.Env {
	return models.Env{Schema: schema(columns), Task: models.Regression}
}

// Every leaf model and splitter learns a jump; the linear ones learn the slopes besides.
func TestRegressorLearns(t *testing.T) {
	for _, splitter := range []string{splitQuantised, splitTree} {
		for leaf, most := range map[string]float64{leafMean: 0.45, leafLinear: 0.25, leafAdaptive: 0.2} {
			cfg := DefaultRegressConfig()
			cfg.Leaf, cfg.Splitter = leaf, splitter
			r := NewRegressor(regressionEnv(3), cfg)
			regression(r, steps(20000, 1))
			if got := regression(r, steps(2000, 2)); got.RMSE > most {
				t.Errorf("%s, %s: rmse %.3f; noise is 0.1", leaf, splitter, got.RMSE)
			}
			if n := r.nodes[r.root]; n.column != 0 || math.Abs(n.threshold-0.4) > 1.0/32 {
				t.Errorf("%s, %s: first split on column %d at %g", leaf, splitter, n.column, n.threshold)
			}
		}
	}
}

// Answers never leave the range of the labels, whatever the values.
func TestRegressorStaysInRange(t *testing.T) {
	cfg := DefaultRegressConfig()
	cfg.Leaf = leafLinear
	r := NewRegressor(regressionEnv(3), cfg)
	for i, e := range steps(3000, 3) {
		if i%100 == 0 {
			e.Value[1] = 1e12
		}
		if p := r.Predict(nil, &e); !(p[0] >= -1 && p[0] <= 11) {
			t.Fatalf("example %d: answer %g of labels in [0, 10]", i, p[0])
		}
		r.Learn(&e, nil)
	}
}

// A regression follows drift, and its states with alternates go on.
func TestAdaptiveRegressorFollowsDrift(t *testing.T) {
	fresh := func() *AdaptiveRegressor {
		return NewAdaptiveRegressor(regressionEnv(3), DefaultRegressConfig(), 0.002)
	}
	a, plain := fresh(), NewRegressor(regressionEnv(3), DefaultRegressConfig())
	before, after := steps(20000, 1), steps(20000, 2)
	for i := range after {
		x := after[i].Value
		x[0], x[2] = x[2], x[0] // the jump is in another column
	}
	turned := append(before, after[:10000]...)
	regression(plain, turned)
	alternates := 0
	for i := range turned {
		a.Learn(&turned[i], nil)
		if i%300 != 0 {
			continue
		}
		b := fresh()
		if err := codec.Load(b, codec.Save(a)); err != nil || b.leaves != a.leaves || b.active != a.active {
			t.Fatalf("after %d: %v, %d leaves of %d", i, err, b.leaves, a.leaves)
		}
		if w := a.notes[a.root].watch; w != nil && w.alternate >= 0 {
			alternates++
		}
		if i%3000 == 0 {
			a = b
		}
	}
	got, other := regression(a, after[10000:]), regression(plain, after[10000:])
	if got.RMSE > 0.9*other.RMSE || alternates == 0 {
		t.Errorf("rmse after the turn %.3f (plain %.3f); %d states with an alternate at the root", got.RMSE, other.RMSE, alternates)
	}
}

func ExampleRegressor() {
	r := NewRegressor(regressionEnv(3), DefaultRegressConfig())
	for _, e := range steps(20000, 1) {
		r.Learn(&e, nil)
	}
	for _, x := range [][]float64{{0.1, 0.5, 0}, {0.9, 0.5, 0}} {
		p := r.Predict(nil, &models.Example{Row: models.Row{Value: x}})
		fmt.Printf("%.0f\n", p[0]) // 1 and 8.5
	}
	// Output:
	// 1
	// 8
}

func ExampleAdaptiveRegressor() {
	a := NewAdaptiveRegressor(regressionEnv(3), DefaultRegressConfig(), 0.002)
	for _, turned := range []bool{false, true} {
		for _, e := range steps(20000, 1) {
			if turned {
				e.Y = 12 - e.Y
			}
			a.Learn(&e, nil)
		}
		p := a.Predict(nil, &models.Example{Row: models.Row{Value: []float64{0.1, 0.5, 0}}})
		fmt.Printf("%.0f\n", p[0])
	}
	// Output:
	// 1
	// 11
}

// Bins of a state that widening could never bring to a value are refused: from 1e308 on the range overflows.
func TestEndlessBinsAreRefused(t *testing.T) {
	for _, c := range []struct {
		low, width float64
		ok         bool
	}{{math.NaN(), 0, true}, {3, 0, true}, {-2, 0.5, true}, {1e308, 0, false}, {1e300, 1e299, false}, {1, 1e-20, false}, {0, -1, false}, {math.NaN(), 1, false}, {0, math.Inf(1), false}} {
		bins := make([]float64, binsLen)
		bins[0], bins[1] = c.low, c.width
		s := codec.Loader(nil)
		checkBins(s, bins)
		if (s.Err() == nil) != c.ok {
			t.Errorf("from %g with width %g: %v", c.low, c.width, s.Err())
			continue
		}
		if c.ok {
			for _, x := range []float64{1e300, -1e300, 5e-324, 7} {
				addBins(bins, x, 1, 1)
			}
		}
	}
}
