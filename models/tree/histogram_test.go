package tree

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/models"
)

// labelled is a value with its class and weight.
type labelled struct {
	x, w float64
	y    int
}

// histogramOf puts values into one column of bins.
func histogramOf(values []labelled, classes, bins int) histograms {
	h := newHistograms(1, classes, bins)
	for _, v := range values {
		h.addOne(0, v.x, v.y, v.w)
	}
	return h
}

// exactGain is the best gain over all thresholds, by sorting.
func exactGain(values []labelled, classes int) float64 {
	sorted := slices.Clone(values)
	slices.SortFunc(sorted, func(a, b labelled) int {
		switch {
		case a.x < b.x:
			return -1
		case a.x > b.x:
			return 1
		}
		return 0
	})
	left, right := make([]float64, classes), make([]float64, classes)
	for _, v := range sorted {
		right[v.y] += v.w
	}
	before, best := entropy(right), 0.0
	for i, v := range sorted[:len(sorted)-1] {
		left[v.y] += v.w
		right[v.y] -= v.w
		if v.x < sorted[i+1].x {
			best = max(best, pairGain(left, right, before))
		}
	}
	return best
}

// gainOf is the best gain that the histogram finds, 0 if none.
func gainOf(h histograms) float64 {
	all := make([]float64, h.classes)
	used, _, _, weights := h.column(0)
	for i := range int(*used) * h.classes {
		all[i%h.classes] += weights[i]
	}
	return max(0, h.best(0, entropy(all), make([]float64, 2*h.classes)).merit)
}

// heaviest is the share of the weight that the heaviest bin holds.
func heaviest(h histograms) float64 {
	used, _, _, weights := h.column(0)
	most, all := 0.0, 0.0
	for i := range int(*used) {
		w := total(weights[i*h.classes : (i+1)*h.classes])
		most, all = max(most, w), all+w
	}
	return most / all
}

// drawValues draws streams of many shapes: normal, with a heavy tail, rising, falling, of few values, and with everything behind two outliers.
func drawValues(t *rapid.T, classes int) []labelled {
	shape := rapid.SampledFrom([]string{"normal", "heavy", "rising", "falling", "few", "outliers"}).Draw(t, "shape")
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	out := make([]labelled, rapid.IntRange(2, 2000).Draw(t, "values"))
	for i := range out {
		x := rng.NormFloat64()
		switch shape {
		case "heavy":
			x = math.Exp(6 * x)
		case "rising":
			x = float64(i)
		case "falling":
			x = -float64(i)
		case "few":
			x = float64(rng.IntN(10))
		case "outliers":
			if i < 2 {
				x = 1e300 * float64(1-2*i)
			}
		}
		y := rng.IntN(classes)
		if rng.IntN(3) > 0 {
			y = int(math.Float64bits(math.Floor(2*x)) >> 50 % uint64(classes))
		}
		out[i] = labelled{x, float64(1 + rng.IntN(4)), y}
	}
	return out
}

// Bins rise without touching, no more than asked for, and hold on either side of each gap exactly the weights of the values there.
func TestHistogramIsExactBetweenBins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes, bins := rapid.IntRange(2, 4).Draw(t, "classes"), rapid.IntRange(4, 40).Draw(t, "bins")
		values := drawValues(t, classes)
		h := histogramOf(values, classes, bins)
		used, low, high, weights := h.column(0)
		n := int(*used)
		if n > bins || !soundBins(low[:n], high[:n], weights[:n*classes]) {
			t.Fatalf("%d bins of %d: %v to %v", n, bins, low[:n], high[:n])
		}
		left, right := make([]float64, classes), make([]float64, classes)
		for i := range n - 1 {
			threshold := between(high[i], low[i+1])
			h.sides(0, threshold, left, right)
			for _, v := range values {
				if v.x <= threshold {
					left[v.y] -= v.w
				} else {
					right[v.y] -= v.w
				}
			}
			for c := range classes {
				if left[c] != 0 || right[c] != 0 {
					t.Fatalf("threshold %g: sides are off by %v and %v", threshold, left, right)
				}
			}
		}
	})
}

// The gain that the histogram finds is never above the best one, and below it by no more than the entropy of half the heaviest bin; as long as no
// bins had to be joined they are the same.
func TestHistogramGainAgainstTheBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		classes, bins := rapid.IntRange(2, 4).Draw(t, "classes"), rapid.IntRange(16, 64).Draw(t, "bins")
		values := drawValues(t, classes)
		h := histogramOf(values, classes, bins)
		got, want := gainOf(h), exactGain(values, classes)
		s := heaviest(h) / 2
		bound := entropy([]float64{s, 1 - s})
		seen := map[float64]bool{}
		for _, v := range values {
			seen[v.x] = true
		}
		if len(seen) <= bins {
			bound = 0
		}
		if got > want+1e-9 || got < want-bound-1e-9 {
			t.Fatalf("gain %g, the best is %g, the bound %g", got, want, bound)
		}
	})
}

// On values in random order no bin holds more than a tenth, and 64 of them find all but a hundredth of a bit.
func TestHistogramGainOnStationaryColumns(t *testing.T) {
	columns := map[string]func(rng *rand.Rand) (x float64, y int){
		"threshold": func(rng *rand.Rand) (float64, int) {
			x := rng.NormFloat64()
			return x, flip(rng, 0.1, x > 0.7)
		},
		"heavy tail": func(rng *rand.Rand) (float64, int) {
			z := rng.NormFloat64()
			return math.Exp(5 * z), flip(rng, 0.1, z > 0.3)
		},
		"two modes": func(rng *rand.Rand) (float64, int) {
			x := rng.Float64()
			return x, flip(rng, 0.1, x < 0.3 || x > 0.8 && x < 0.9)
		},
		"noise": func(rng *rand.Rand) (float64, int) { return rng.NormFloat64(), rng.IntN(2) },
	}
	for name, draw := range columns {
		rng := rand.New(rand.NewPCG(8, 8))
		values, s := make([]labelled, 20000), classStats{classes: 2, scope: &scope{numeric: []int32{0}}, block: make([]float64, blockLen(2, 1))}
		s.activate(s.block)
		for i := range values {
			x, y := draw(rng)
			values[i] = labelled{x, 1, y}
			s.add(nil, []float64{x}, nil, y, 1)
		}
		h, want := histogramOf(values, 2, 64), exactGain(values, 2)
		gaussian := max(0, s.bestThreshold(0, entropy(s.counts()), make([]float64, 4)).merit)
		t.Logf("%s: best %.4f bits, histogram %.4f, heaviest bin %.3f, normal distributions say %.4f", name, want, gainOf(h), heaviest(h), gaussian)
		if got := gainOf(h); got < want-0.01 || heaviest(h) > 0.1 {
			t.Errorf("%s: gain %g of %g, heaviest bin %g", name, got, want, heaviest(h))
		}
	}
}

func flip(rng *rand.Rand, noise float64, one bool) int {
	if one != (rng.Float64() < noise) {
		return 1
	}
	return 0
}

// What is found depends on the order of the values alone: a rising function of the column leaves weights and gains as they are.
func TestHistogramDoesNotDependOnScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := drawValues(t, 3)
		bent := slices.Clone(values)
		for i := range bent {
			bent[i].x = math.Cbrt(bent[i].x) + math.Copysign(math.Log1p(math.Abs(bent[i].x)), bent[i].x)
		}
		distinct := func(values []labelled) int {
			seen := map[float64]bool{}
			for _, v := range values {
				seen[v.x] = true
			}
			return len(seen)
		}
		if distinct(values) != distinct(bent) {
			t.Skip("rounding made two values one")
		}
		a, b := histogramOf(values, 3, 16), histogramOf(bent, 3, 16)
		na, _, _, wa := a.column(0)
		nb, _, _, wb := b.column(0)
		if *na != *nb || !slices.Equal(wa[:3*int(*na)], wb[:3*int(*nb)]) || gainOf(a) != gainOf(b) {
			t.Fatalf("%g bins of %v, bent %g of %v", *na, wa, *nb, wb)
		}
	})
}

// A class in bands of a column looks to a normal distribution like the other class; histograms find the bands.
func TestHistogramFindsBands(t *testing.T) {
	bands := func(n int, seed uint64) []models.Example {
		rng := rand.New(rand.NewPCG(seed, 3))
		out := make([]models.Example, n)
		for i := range out {
			x := []float64{rng.Float64(), rng.Float64()}
			out[i] = models.Example{Row: models.Row{Value: x}, Y: float64(int(8*x[0]) % 2), Weight: 1}
		}
		return out
	}
	cfg := DefaultConfig()
	score := map[int]float64{}
	for _, bins := range []int{0, 32} {
		cfg.Bins = bins
		h := New(models.Env{Schema: schema(2), Task: models.Binary}, cfg)
		accuracy(h, bands(20000, 1))
		score[bins] = accuracy(h, bands(5000, 2))
	}
	if t.Logf("normal distributions %.3f, histograms %.3f", score[0], score[32]); score[32] < 0.97 || score[32] < score[0] {
		t.Errorf("normal distributions %.3f, histograms %.3f", score[0], score[32])
	}
}

func ExampleConfig_histogram() {
	cfg := DefaultConfig()
	cfg.Bins = 32
	h := New(models.Env{Schema: schema(3, "kind"), Task: models.Binary}, cfg)
	for _, e := range stairs(20000, 1) {
		h.Learn(&e, nil)
	}
	probe := stairs(1, 9)[0]
	fmt.Println(probe.Y == 1, h.Predict(nil, &probe)[0] > 0.5)
	// Output:
	// true true
}
