package preprocess

import (
	"math"
	"math/rand/v2"
	"testing"
)

// boosted answers with probabilities that are too sure: the true log odds, tripled and shifted.
func boosted(p float64) float64 { return 1 / (1 + math.Exp(-3*math.Log(p/(1-p))-1)) }

// TestCurves: answers that are too sure become true; the curve that is wanted is known.
func TestCurves(t *testing.T) {
	for name, by := range map[string]calibration{"platt": newPlatt(2), "isotonic": newIsotonic(1)} {
		at := func(p float64) float64 {
			answer := []float64{p}
			by.adjust(answer)
			return answer[0]
		}
		for _, p := range []float64{0.01, 0.3, 0.5, 0.9} {
			if got := at(p); math.Abs(got-p) > 0.01 {
				t.Errorf("%s before any label: %v becomes %v", name, p, got)
			}
		}
		rng := rand.New(rand.NewPCG(2, 8))
		for range 100000 {
			p, y := 0.02+0.96*rng.Float64(), 0.0
			if rng.Float64() < p {
				y = 1
			}
			by.learn([]float64{boosted(p)}, y, 1)
		}
		frozen := by.freeze()
		for _, p := range []float64{0.1, 0.3, 0.5, 0.7, 0.9} {
			if got := at(boosted(p)); math.Abs(got-p) > 0.06 {
				t.Errorf("%s: %.3f becomes %.3f, true is %v", name, boosted(p), got, p)
			}
			answer := []float64{boosted(p)}
			if frozen.adjust(answer); answer[0] != at(boosted(p)) {
				t.Errorf("%s: the copy differs", name)
			}
		}
		last := 0.0
		for p := 0.0; p <= 1; p += 0.001 {
			if got := at(p); got < last || got < 0 || got > 1 {
				t.Fatalf("%s falls or leaves [0, 1] at %v", name, p)
			} else {
				last = got
			}
		}
	}
}

// TestPooling: the fit is the rising step curve with the least squared error, found here by the definition: max over starts of the min over ends of means.
func TestPooling(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 50 {
		v := isotonicCurve{}
		for b := range isotonicBins {
			v.n[b] = float64(rng.IntN(200))
			v.labels[b] = v.n[b] * rng.Float64()
			v.answers[b] = v.n[b] * isotonicMiddle[b]
		}
		v.fit()
		for b := range isotonicBins {
			want := math.Inf(-1)
			for i := 0; i <= b; i++ {
				least := math.Inf(1)
				for j := b; j < isotonicBins; j++ {
					var n, y float64
					for k := i; k <= j; k++ {
						n += v.n[k] + isotonicPrior
						y += v.labels[k] + isotonicPrior*isotonicMiddle[k]
					}
					least = min(least, y/n)
				}
				want = max(want, least)
			}
			if math.Abs(v.to[b]-want) > 1e-9 {
				t.Fatalf("bin %d: %v, want %v", b, v.to[b], want)
			}
		}
	}
}
