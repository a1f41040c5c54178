package loss_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/models/loss"
)

// TestFlow compares with a fine integration of dp/dt = −L′(p), and with the group law: twice h is h after h.
func TestFlow(t *testing.T) {
	each(t, func(t *rapid.T, l loss.Loss, p, y float64) {
		if _, focal := l.(loss.Focal); focal {
			return // one step
		}
		p /= 4
		if _, poisson := l.(loss.Poisson); poisson {
			y = math.Abs(y) / 10
		}
		h := rapid.Float64Range(0, 3).Draw(t, "h")
		q := p
		const n = 4000
		for range n {
			mid := q - h/(2*n)*l.Gradient(q, y)
			q -= h / n * l.Gradient(mid, y)
		}
		if got := loss.Flow(l, p, y, h); math.Abs(got-(q-p)) > 2e-2 {
			t.Fatalf("from %v with label %v for %v: moved %v, integration gives %v", p, y, h, got, q-p)
		}
		first := loss.Flow(l, p, y, h)
		second := loss.Flow(l, p+first, y, h)
		if got := loss.Flow(l, p, y, 2*h); math.Abs(got-first-second) > 1e-9*(1+math.Abs(got)) {
			t.Fatalf("twice %v moves %v, one after the other %v", h, got, first+second)
		}
	})
}

// TestFlowIsSafe: no time and no score makes it infinite or carries it past a label.
func TestFlowIsSafe(t *testing.T) {
	each(t, func(t *rapid.T, l loss.Loss, p, y float64) {
		p *= rapid.SampledFrom([]float64{1, 1e3, 1e100}).Draw(t, "scale")
		h := rapid.SampledFrom([]float64{0, 1e-300, 1e-9, 1, 1e9, 1e100, 1e300}).Draw(t, "h")
		got := loss.Flow(l, p, y, h)
		if math.IsNaN(got) || math.IsInf(got, 0) {
			t.Fatalf("from %v with label %v for %v: moved %v", p, y, h, got)
		}
		if _, squared := l.(loss.Squared); squared && math.Abs(got) > math.Abs(p-y) {
			t.Fatalf("moved %v past the label", got)
		}
	})
}

// TestLogisticFlowFar: where it ends, z + e^z is what it was before and the time, also where e^z₀ is too small a number and e^z
// nearly too large a one.
func TestLogisticFlowFar(t *testing.T) {
	for _, p := range []float64{-1e300, -1000, -700, -37.5, -36.5, 0, 19.5, 30} {
		for _, h := range []float64{1e-9, 1, 40, 800, 1100, 1e14, 1e16, 1e200, 1e249, 1e251, 1e300, math.MaxFloat64} {
			got := loss.Flow(loss.Logistic{}, p, 1, h)
			z, want := p+got, p+math.Exp(p)+h
			if math.Abs(z+math.Exp(z)-want) > 1e-10*(math.Abs(want)+math.Abs(p)) {
				t.Errorf("from %v for %v: moved %v: z + e^z is %v, want %v", p, h, got, z+math.Exp(z), want)
			}
		}
	}
}

// TestSlopes compares with central differences through the softmax.
func TestSlopes(t *testing.T) {
	softmax := func(z []float64) []float64 {
		p, sum := make([]float64, len(z)), 0.0
		for k, v := range z {
			p[k] = math.Exp(v)
			sum += p[k]
		}
		for k := range p {
			p[k] /= sum
		}
		return p
	}
	for name, l := range map[string]loss.Multi{"cross_entropy": loss.CrossEntropy{}, "focal 2": loss.Focal{Gamma: 2}, "focal 0.5": loss.Focal{Gamma: 0.5}, "focal 0": loss.Focal{}} {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			z := []float64{rapid.Float64Range(-5, 5).Draw(t, "z0"), rapid.Float64Range(-5, 5).Draw(t, "z1"), rapid.Float64Range(-5, 5).Draw(t, "z2")}
			y := rapid.IntRange(0, 2).Draw(t, "y")
			got := make([]float64, 3)
			l.Slopes(got, softmax(z), y)
			for k := range z {
				const h = 1e-5
				z[k] += h
				up := l.Cost(softmax(z), y)
				z[k] -= 2 * h
				down := l.Cost(softmax(z), y)
				z[k] += h
				if want := (up - down) / (2 * h); math.Abs(got[k]-want) > 1e-5*(1+math.Abs(want)) {
					t.Fatalf("slope %d is %v, differences give %v", k, got[k], want)
				}
			}
		}))
	}
}

func ExampleFlow() {
	// However long it lasts, the score does not pass the label.
	fmt.Printf("%.3f %.3f\n", loss.Flow(loss.Squared{}, 0, 10, 0.1), loss.Flow(loss.Squared{}, 0, 10, 1000))
	// Output: 0.952 10.000
}

func ExamplePoisson() {
	l := loss.Poisson{}
	fmt.Printf("%.1f %.1f\n", l.Answer(2), l.Gradient(2, 5))
	// Output: 7.4 2.4
}
