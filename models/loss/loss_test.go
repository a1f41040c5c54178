package loss_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/models/loss"
)

var (
	numeric = map[string]loss.Loss{"squared": loss.Squared{}, "absolute": loss.Absolute{}, "huber": loss.Huber{Delta: 1.5}, "quantile": loss.Quantile{Alpha: 0.9},
		"epsilon_insensitive": loss.EpsilonInsensitive{Epsilon: 0.5}, "poisson": loss.Poisson{}}
	classes = map[string]loss.Loss{"logistic": loss.Logistic{}, "hinge": loss.Hinge{},
		"squared_hinge": loss.SquaredHinge{}, "modified_huber": loss.ModifiedHuber{}, "focal": loss.Focal{Gamma: 2}}
)

// each runs f on every loss with a label that it takes.
func each(t *testing.T, f func(t *rapid.T, l loss.Loss, p, y float64)) {
	for name, l := range numeric {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			f(t, l, rapid.Float64Range(-20, 20).Draw(t, "p"), rapid.Float64Range(-50, 50).Draw(t, "y"))
		}))
	}
	for name, l := range classes {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			f(t, l, rapid.Float64Range(-50, 50).Draw(t, "p"), float64(rapid.IntRange(0, 1).Draw(t, "y")))
		}))
	}
}

// TestGradient compares with central differences, away from the kinks.
func TestGradient(t *testing.T) {
	each(t, func(t *rapid.T, l loss.Loss, p, y float64) {
		const h = 1e-5
		left, right := l.Gradient(p-h, y), l.Gradient(p+h, y)
		if math.Abs(left-right) > 0.1 {
			t.Skip("a kink lies between")
		}
		want := (l.Value(p+h, y) - l.Value(p-h, y)) / (2 * h)
		if got := l.Gradient(p, y); math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
			t.Fatalf("gradient at p %v, y %v is %v, differences give %v", p, y, got, want)
		}
	})
}

// TestConvexAndPositive: every loss is ≥ 0 and lies above its tangents.
func TestConvexAndPositive(t *testing.T) {
	each(t, func(t *rapid.T, l loss.Loss, p, y float64) {
		q := rapid.Float64Range(-20, 20).Draw(t, "q")
		if v := l.Value(p, y); v < 0 {
			t.Fatalf("loss %v", v)
		}
		if _, focal := l.(loss.Focal); focal {
			return // not convex
		}
		if tangent := l.Value(p, y) + l.Gradient(p, y)*(q-p); l.Value(q, y) < tangent-1e-9*(1+math.Abs(tangent)) {
			t.Fatalf("loss at %v is %v, below the tangent %v from %v", q, l.Value(q, y), tangent, p)
		}
	})
}

// TestReach: a move against the gradient by Reach does not raise a loss that measures a distance.
func TestReach(t *testing.T) {
	each(t, func(t *rapid.T, l loss.Loss, p, y float64) {
		_, logistic := l.(loss.Logistic)
		_, focal := l.(loss.Focal)
		if logistic || focal {
			if got := l.Reach(p, y); got < 1 || got > 200 {
				t.Fatalf("reach %v", got)
			}
			return
		}
		if _, poisson := l.(loss.Poisson); poisson && y <= 0 {
			return // the minimum lies at −∞
		}
		to := p - math.Copysign(l.Reach(p, y), l.Gradient(p, y))
		if l.Gradient(p, y) != 0 && l.Value(to, y) > l.Value(p, y)*(1+1e-12)+1e-9 {
			t.Fatalf("moving from %v to %v raises the loss from %v to %v", p, to, l.Value(p, y), l.Value(to, y))
		}
	})
}

func TestKnownValues(t *testing.T) {
	for _, c := range []struct {
		l                     loss.Loss
		p, y, value, gradient float64
	}{
		{loss.Squared{}, 3, 1, 2, 2},
		{loss.Absolute{}, 1, 3, 2, -1},
		{loss.Huber{Delta: 1}, 4, 1, 2.5, 1},
		{loss.Huber{Delta: 1}, 1.5, 1, 0.125, 0.5},
		{loss.Quantile{Alpha: 0.9}, 1, 3, 1.8, -0.9},
		{loss.Quantile{Alpha: 0.9}, 3, 1, 0.2, 0.1},
		{loss.Logistic{}, 0, 1, math.Ln2, -0.5},
		{loss.Logistic{}, 800, 0, 800, 1},
		{loss.Logistic{}, -800, 0, 0, 0},
		{loss.Hinge{}, 0.25, 1, 0.75, -1},
		{loss.Hinge{}, 2, 0, 3, 1},
		{loss.Hinge{}, -2, 0, 0, 0},
		{loss.EpsilonInsensitive{Epsilon: 0.5}, 3, 1, 1.5, 1},
		{loss.EpsilonInsensitive{Epsilon: 0.5}, 1.4, 1, 0, 0},
		{loss.SquaredHinge{}, -1, 1, 4, -4},
		{loss.ModifiedHuber{}, -3, 1, 12, -4},
		{loss.ModifiedHuber{}, 0.5, 1, 0.25, -1},
		{loss.Poisson{}, 0, 1, 0, 0},
		{loss.Poisson{}, 1, 0, math.E, math.E},
		{loss.Focal{}, 0, 1, math.Ln2, -0.5},
		{loss.Focal{Gamma: 2}, 0, 1, math.Ln2 / 4, -(math.Ln2 + 0.5) / 4},
	} {
		if v, g := c.l.Value(c.p, c.y), c.l.Gradient(c.p, c.y); math.Abs(v-c.value) > 1e-12 || math.Abs(g-c.gradient) > 1e-12 {
			t.Errorf("%T at p %v, y %v: value %v, gradient %v, want %v, %v", c.l, c.p, c.y, v, g, c.value, c.gradient)
		}
	}
}

// TestQuantileMinimiser: the constant with the least pinball loss is the quantile.
func TestQuantileMinimiser(t *testing.T) {
	q := loss.Quantile{Alpha: 0.8}
	best, at := math.Inf(1), 0.0
	for p := 0.0; p <= 11; p += 0.25 {
		sum := 0.0
		for y := 1.0; y <= 10; y++ {
			sum += q.Value(p, y)
		}
		if sum < best-1e-12 {
			best, at = sum, p
		}
	}
	if at < 8 || at > 9 {
		t.Errorf("the least loss is at %v, the 0.8-quantile of 1…10 lies in [8, 9]", at)
	}
}

func TestLogitInverts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-30, 30).Draw(t, "x")
		if got := loss.Logit(loss.Sigmoid(x), 1e-14); math.Abs(got-x) > 1e-2*math.Exp(math.Abs(x)-30)+1e-9 {
			t.Fatalf("logit of the sigmoid of %v is %v", x, got)
		}
	})
}

func ExampleLogistic() {
	l := loss.Logistic{}
	fmt.Printf("loss %.3f, gradient %.3f\n", l.Value(2, 1), l.Gradient(2, 1))
	// Output: loss 0.127, gradient -0.119
}

// Probabilities are those of the definition, and scores whose exponentials overflow are as good as others.
func TestSoftmax(t *testing.T) {
	scores := []float64{-1, 0.5, 2}
	sum := math.Exp(-1) + math.Exp(0.5) + math.Exp(2)
	for _, shift := range []float64{0, 1e4, -1e4} {
		p := make([]float64, len(scores))
		for k, s := range scores {
			p[k] = s + shift
		}
		loss.Softmax(p)
		for k, s := range scores {
			if want := math.Exp(s) / sum; math.Abs(p[k]-want) > 1e-12 {
				t.Errorf("shifted by %g: P(%d) = %g, want %g", shift, k, p[k], want)
			}
		}
	}
}
