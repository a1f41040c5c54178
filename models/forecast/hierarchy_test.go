package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// TestReconcileIsMinT compares the two passes with the formula of MinT, S(S'W⁻¹S)⁻¹S'W⁻¹ŷ, on random trees.
func TestReconcileIsMinT(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		parent := []int{-1}
		for i := 1; i < rapid.IntRange(1, 25).Draw(t, "nodes"); i++ {
			parent = append(parent, rng.IntN(i))
		}
		rng.Shuffle(0, nil)
		h, err := NewHierarchy(parent)
		if err != nil {
			t.Fatal(err)
		}
		n := len(parent)
		f, v := make([]float64, n), make([]float64, n)
		for i := range f {
			f[i], v[i] = 100*rng.NormFloat64(), math.Exp(2*rng.NormFloat64())
		}
		var leaves []int
		for i := range parent {
			if h.Leaf(i) {
				leaves = append(leaves, i)
			}
		}
		s := mat.NewDense(n, len(leaves), nil)
		for j, leaf := range leaves {
			for i := leaf; i >= 0; i = parent[i] {
				s.Set(i, j, 1)
			}
		}
		w := mat.NewDiagDense(n, nil)
		for i := range v {
			w.SetDiag(i, 1/v[i])
		}
		var sw, sws, right, b, want mat.Dense
		sw.Mul(s.T(), w)
		sws.Mul(&sw, s)
		right.Mul(&sw, mat.NewDense(n, 1, f))
		if err := b.Solve(&sws, &right); err != nil {
			t.Skip("ill-conditioned")
		}
		want.Mul(s, &b)
		got := make([]float64, n)
		h.Reconcile(got, f, v)
		for i := range got {
			if math.Abs(got[i]-want.At(i, 0)) > 1e-6*(1+math.Abs(want.At(i, 0))) {
				t.Fatalf("node %d of %v: %g, MinT says %g", i, parent, got[i], want.At(i, 0))
			}
		}
		if c := h.Coherent(got); c > 1e-9 {
			t.Fatalf("does not add up: %g", c)
		}
		h.BottomUp(f)
		if c := h.Coherent(f); c > 1e-12 {
			t.Fatalf("bottom-up does not add up: %g", c)
		}
	})
}

// TestReconcileByHand: a forecast that holds, one that is missing, and one that no one knows.
func TestReconcileByHand(t *testing.T) {
	h, err := NewHierarchy([]int{-1, 0, 0, 0})
	if err != nil {
		t.Fatal(err)
	}
	nan, inf := math.NaN(), math.Inf(1)
	for name, c := range map[string]struct{ f, v, want []float64 }{
		"equal trust":      {[]float64{12, 1, 2, 3}, []float64{1, 1, 1, 1}, []float64{10.5, 2.5, 3.5, 4.5}},
		"the total holds":  {[]float64{12, 1, 2, 3}, []float64{0, 1, 1, 4}, []float64{12, 2, 3, 7}},
		"the leaves hold":  {[]float64{12, 1, 2, 3}, []float64{1, 0, 0, 0}, []float64{6, 1, 2, 3}},
		"no total":         {[]float64{nan, 1, 2, 3}, []float64{1, 1, 1, 1}, []float64{6, 1, 2, 3}},
		"one leaf missing": {[]float64{12, 1, nan, 3}, []float64{1, 1, 1, 1}, []float64{12, 1, 8, 3}},
		"one leaf unsure":  {[]float64{12, 1, 50, 3}, []float64{1, 1, inf, 1}, []float64{12, 1, 8 - 50 + 50, 3}},
		"two leaves":       {[]float64{12, nan, nan, 3}, []float64{1, 1, 1, 1}, []float64{12, nan, nan, 3}},
		"nothing":          {[]float64{nan, nan, nan, nan}, []float64{1, 1, 1, 1}, []float64{nan, nan, nan, nan}},
	} {
		got := make([]float64, 4)
		h.Reconcile(got, c.f, c.v)
		for i := range got {
			if math.IsNaN(c.want[i]) != math.IsNaN(got[i]) || math.Abs(got[i]-c.want[i]) > 1e-12 {
				t.Errorf("%s: %v, want %v", name, got, c.want)
				break
			}
		}
	}
	if h.Coherent([]float64{0, 1, -1, 0}) != 0 || h.Coherent([]float64{4, 1, 1, 0}) != .5 {
		t.Error("coherence")
	}
}

func TestHierarchyIsChecked(t *testing.T) {
	for want, parent := range map[string][]int{"without nodes": nil, "parent 3, of 2": {-1, 3}, "own ancestors": {-1, 2, 1}, "parent -2": {-2}} {
		if _, err := NewHierarchy(parent); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func ExampleHierarchy() {
	h, err := NewHierarchy([]int{-1, 0, 0}) // both shops, and each
	if err != nil {
		fmt.Println(err)
		return
	}
	x := make([]float64, 3)
	h.Reconcile(x, []float64{100, 40, 50}, []float64{4, 1, 5}) // of the second shop the least is known
	fmt.Println(x)
	// Output: [96 41 55]
}
