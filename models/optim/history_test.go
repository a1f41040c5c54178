package optim_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models/optim"
)

// discounted is the mean of v with weights (1 − d)·d^age.
func discounted(v []float64, d float64) float64 {
	sum := 0.0
	for t, x := range v {
		sum += (1 - d) * math.Pow(d, float64(len(v)-1-t)) * x
	}
	return sum
}

func squared(v []float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = x * x
	}
	return out
}

// naiveNesterov keeps the real weights θ of Sutskever et al., whose gradient is taken at θ + μv.
func naiveNesterov(rate, mu float64) naive {
	return func(g, _ []float64) float64 {
		theta, v := 0.0, 0.0
		for _, x := range g {
			v = mu*v - rate*x
			theta += v
		}
		return theta + mu*v
	}
}

func naiveRMSProp(rate, d, epsilon float64) naive {
	return func(g, _ []float64) float64 {
		w := 0.0
		for t := range g {
			w -= rate * g[t] / (math.Sqrt(discounted(squared(g[:t+1]), d)) + epsilon)
		}
		return w
	}
}

func naiveAdaDelta(d, epsilon float64) naive {
	return func(g, _ []float64) float64 {
		w := 0.0
		var steps []float64
		for t := range g {
			rms := math.Sqrt(discounted(squared(steps), d) + epsilon)
			step := -rms / math.Sqrt(discounted(squared(g[:t+1]), d)+epsilon) * g[t]
			steps = append(steps, step)
			w += step
		}
		return w
	}
}

func naiveAMSGrad(rate, b1, b2, epsilon float64) naive {
	return func(g, _ []float64) float64 {
		w, top := 0.0, 0.0
		for t := range g {
			top = math.Max(top, discounted(squared(g[:t+1]), b2))
			w -= rate * discounted(g[:t+1], b1) / (math.Sqrt(top) + epsilon)
		}
		return w
	}
}

func naiveNadam(rate, b1, b2, epsilon float64) naive {
	return func(g, _ []float64) float64 {
		w := 0.0
		for t := range g {
			m := b1*discounted(g[:t+1], b1)/(1-math.Pow(b1, float64(t+2))) + (1-b1)*g[t]/(1-math.Pow(b1, float64(t+1)))
			v := discounted(squared(g[:t+1]), b2) / (1 - math.Pow(b2, float64(t+1)))
			w -= rate * m / (math.Sqrt(v) + epsilon)
		}
		return w
	}
}

// naiveFTRL minimises the sum it follows: Σ g·w + ½ Σ σ_s (w − w_s)² + l1|w| + ½(l2 + β/α)w², with Σσ = √Σg² / α
// (McMahan et al. 2013, the equation before algorithm 1).
func naiveFTRL(alpha, beta, l1, l2 float64) naive {
	return func(g, weights []float64) float64 {
		linear, quadratic, n := 0.0, beta/alpha+l2, 0.0
		for t, x := range g {
			sigma := (math.Sqrt(n+x*x) - math.Sqrt(n)) / alpha
			n += x * x
			linear += x - sigma*weights[t]
			quadratic += sigma
		}
		if math.Abs(linear) <= l1 {
			return 0
		}
		return -(linear - math.Copysign(l1, linear)) / quadratic
	}
}

// naiveNormalized has inputs of 1 only: N grows by 1 a step.
func naiveNormalized(rate float64) naive {
	return func(g, _ []float64) float64 {
		w, sum := 0.0, 0.0
		for _, x := range g {
			sum += x * x
			w -= rate * x / math.Sqrt(sum)
		}
		return w
	}
}

func init() {
	s := optim.Schedule{Rate: 0.1}
	for name, c := range map[string]oracle{
		"heavy ball": {func() optim.Optimizer { return optim.NewMomentum(3, s, 0.9, false) }, naiveMomentum(0.1, 0.9)},
		"nesterov":   {func() optim.Optimizer { return optim.NewMomentum(3, s, 0.9, true) }, naiveNesterov(0.1, 0.9)},
		"rmsprop":    {func() optim.Optimizer { return optim.NewRMSProp(3, s, 0.9, 1e-8) }, naiveRMSProp(0.1, 0.9, 1e-8)},
		"adadelta":   {func() optim.Optimizer { return optim.NewAdaDelta(3, 0.95, 1e-6) }, naiveAdaDelta(0.95, 1e-6)},
		"amsgrad":    {func() optim.Optimizer { return optim.NewAMSGrad(3, s, 0.9, 0.99, 1e-8) }, naiveAMSGrad(0.1, 0.9, 0.99, 1e-8)},
		"nadam":      {func() optim.Optimizer { return optim.NewNadam(3, s, 0.9, 0.999, 1e-8) }, naiveNadam(0.1, 0.9, 0.999, 1e-8)},
		"ftrl":       {func() optim.Optimizer { return optim.NewFTRL(3, 0.5, 1, 0, 1) }, naiveFTRL(0.5, 1, 0, 1)},
		"ftrl l1":    {func() optim.Optimizer { return optim.NewFTRL(3, 0.5, 1, 4, 0) }, naiveFTRL(0.5, 1, 4, 0)},
		"normalized": {func() optim.Optimizer { return optim.NewNormalized(3, 0.5) }, naiveNormalized(0.5)},
	} {
		oracles[name] = c
	}
}

// TestNormalizedPaper follows algorithm 2 (NAG) of Ross, Mineiro and Langford word for word, over inputs whose scale jumps.
func TestNormalizedPaper(t *testing.T) {
	const eta = 0.3
	o := optim.NewNormalized(3, eta)
	w, index := []float64{0, 0, 0}, []uint32{0, 1, 2}
	var pw, s, g [3]float64
	n := 0.0
	for step := 1; step <= 200; step++ {
		x := []float64{math.Sin(float64(step)), 1e3 * math.Cos(float64(3*step)), 1}
		if step > 100 {
			x[0] *= 1e6
		}
		y := 2*x[0] - x[1]/100
		o.Prepare(index, x, w)
		p := w[0]*x[0] + w[1]*x[1] + w[2]*x[2]
		rates := make([]float64, 3)
		o.Rates(rates, index, x, p-y)
		for j := range w {
			w[j] -= rates[j] * (p - y)
		}

		pp := 0.0
		for i := range x {
			if a := math.Abs(x[i]); a > s[i] {
				if s[i] > 0 {
					pw[i] *= s[i] / a
				}
				s[i] = a
			}
			pp += pw[i] * x[i]
			n += x[i] * x[i] / (s[i] * s[i])
		}
		for i := range x {
			d := (pp - y) * x[i]
			g[i] += d * d
			pw[i] -= eta * math.Sqrt(float64(step)/n) / (s[i] * math.Sqrt(g[i])) * d
			if math.Abs(w[i]-pw[i]) > 1e-9*(1+math.Abs(pw[i])) {
				t.Fatalf("step %d, weight %d: %v, the paper gives %v", step, i, w[i], pw[i])
			}
		}
	}
}

// TestNormalizedRefusesDamage: counts that no stream makes.
func TestNormalizedRefusesDamage(t *testing.T) {
	b := codec.Save(optim.NewNormalized(1, 0.5))
	b[7] = 0xff // a negative N
	if err := codec.Load(optim.NewNormalized(1, 0.5), b); err == nil {
		t.Error("a negative count was loaded")
	}
}

func TestSchedules(t *testing.T) {
	for _, c := range []struct {
		name string
		s    optim.Schedule
		want map[uint64]float64
	}{
		{"constant", optim.Schedule{Rate: 2}, map[uint64]float64{0: 2, 1e9: 2}},
		{"inverse", optim.Schedule{Rate: 2, Power: 1}, map[uint64]float64{0: 2, 1: 1, 3: 0.5}},
		{"root", optim.Schedule{Rate: 2, Power: 0.5}, map[uint64]float64{0: 2, 3: 1}},
		{"stairs", optim.Schedule{Rate: 2, Shape: optim.Stairs, Steps: 10, Factor: 0.5}, map[uint64]float64{0: 2, 9: 2, 10: 1, 25: 0.5}},
		{"cosine", optim.Schedule{Rate: 2, Shape: optim.Cosine, Steps: 10, Factor: 0.1}, map[uint64]float64{0: 2, 5: 1.1, 10: 0.2, 1000: 0.2}},
		{"warm-up", optim.Schedule{Rate: 2, Power: 1, WarmUp: 4}, map[uint64]float64{0: 0.5, 1: 1, 3: 2, 4: 2, 5: 1}},
	} {
		for step, want := range c.want {
			if got := c.s.At(step); math.Abs(got-want) > 1e-12 {
				t.Errorf("%s at %d: %v, want %v", c.name, step, got, want)
			}
		}
	}
}

func ExampleFTRL() {
	o := optim.NewFTRL(2, 0.1, 1, 1, 1)
	w, step := []float64{0, 0}, []float64{0, 0}
	for range 5 {
		o.Step(step, nil, []float64{1, 0.1}, w)
		w[0], w[1] = w[0]+step[0], w[1]+step[1]
	}
	fmt.Println(w[0] < 0, w[1]) // l1 keeps the column of small gradients at exactly 0
	// Output: true 0
}

func ExampleSchedule() {
	s := optim.Schedule{Rate: 1, Shape: optim.Cosine, Steps: 4, WarmUp: 2}
	for t := range uint64(7) {
		fmt.Printf("%.2f ", s.At(t))
	}
	// Output: 0.50 1.00 1.00 0.85 0.50 0.15 0.00
}
