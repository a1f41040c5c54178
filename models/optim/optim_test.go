package optim_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models/optim"
)

// naive optimizers keep one column and follow the paper's formulas word for word, from the whole history
// of gradients.
type naive func(history []float64, weights []float64) (weight float64)

func naiveSGD(rate, power float64) naive {
	return func(g, _ []float64) float64 {
		w := 0.0
		for t := range g {
			w -= rate / math.Pow(1+float64(t), power) * g[t]
		}
		return w
	}
}

func naiveMomentum(rate, momentum float64) naive {
	return func(g, _ []float64) float64 {
		w := 0.0
		for t := range g { // every gradient's effect, with its echoes
			for echo := t; echo < len(g); echo++ {
				w -= rate * g[t] * math.Pow(momentum, float64(echo-t))
			}
		}
		return w
	}
}

func naiveAdaGrad(rate, discount, epsilon float64) naive {
	return func(g, _ []float64) float64 {
		w := 0.0
		for t := range g {
			sum := 0.0
			for s := 0; s <= t; s++ {
				sum += g[s] * g[s] * math.Pow(discount, float64(t-s))
			}
			w -= rate * g[t] / (math.Sqrt(sum) + epsilon)
		}
		return w
	}
}

func naiveAdam(rate, b1, b2, epsilon float64) naive {
	return func(g, _ []float64) float64 {
		w := 0.0
		for t := range g {
			m, v := 0.0, 0.0
			for s := 0; s <= t; s++ {
				m += (1 - b1) * math.Pow(b1, float64(t-s)) * g[s]
				v += (1 - b2) * math.Pow(b2, float64(t-s)) * g[s] * g[s]
			}
			m /= 1 - math.Pow(b1, float64(t+1))
			v /= 1 - math.Pow(b2, float64(t+1))
			w -= rate * m / (math.Sqrt(v) + epsilon)
		}
		return w
	}
}

// naiveCoin is algorithm 2 of Orabona and Tommasi (2017), with the weights that were bet.
func naiveCoin(alpha float64) naive {
	return func(g, weights []float64) float64 {
		L, G, reward, theta, w := 0.0, 0.0, 0.0, 0.0, 0.0
		for t := range g {
			L = math.Max(L, math.Abs(g[t]))
			G += math.Abs(g[t])
			reward = math.Max(reward-weights[t]*g[t], 0)
			theta -= g[t]
			w = theta / (L * math.Max(G+L, alpha*L)) * (L + reward)
		}
		return w
	}
}

// oracle is an optimizer and its formula.
type oracle struct {
	make  func() optim.Optimizer
	naive naive
}

func cases() map[string]oracle { return oracles }

var oracles = map[string]oracle{
	"sgd":       {func() optim.Optimizer { return optim.NewSGD(optim.Schedule{Rate: 0.1}) }, naiveSGD(0.1, 0)},
	"inverse":   {func() optim.Optimizer { return optim.NewSGD(optim.Schedule{Rate: 0.1, Power: 0.5}) }, naiveSGD(0.1, 0.5)},
	"power":     {func() optim.Optimizer { return optim.NewSGD(optim.Schedule{Rate: 0.1, Power: 0.75}) }, naiveSGD(0.1, 0.75)},
	"adagrad":   {func() optim.Optimizer { return optim.NewAdaGrad(3, 0.1, 1, 1e-8) }, naiveAdaGrad(0.1, 1, 1e-8)},
	"discount":  {func() optim.Optimizer { return optim.NewAdaGrad(3, 0.1, 0.9, 1e-8) }, naiveAdaGrad(0.1, 0.9, 1e-8)},
	"adam":      {func() optim.Optimizer { return optim.NewAdam(3, optim.Schedule{Rate: 0.1}, 0.9, 0.999, 1e-8) }, naiveAdam(0.1, 0.9, 0.999, 1e-8)},
	"coin":      {func() optim.Optimizer { return optim.NewCoin(3, 100) }, naiveCoin(100)},
	"coin bold": {func() optim.Optimizer { return optim.NewCoin(3, 1) }, naiveCoin(1)},
}

// TestAgainstHistory compares every optimizer, step by step, with its formula over the whole history; the
// gradients depend on the weight, as those of a model do.
func TestAgainstHistory(t *testing.T) {
	for name, c := range cases() {
		t.Run(name, func(t *testing.T) {
			o := c.make()
			rng := rand.New(rand.NewPCG(1, 2))
			index := []uint32{1}
			var history, weights []float64
			w := []float64{0}
			step := []float64{0}
			for i := range 60 {
				g := w[0] - 3 + rng.NormFloat64()
				history, weights = append(history, g), append(weights, w[0])
				o.Step(step, index, []float64{g}, w)
				w[0] += step[0]
				if want := c.naive(history, weights); math.Abs(w[0]-want) > 1e-9*(1+math.Abs(want)) {
					t.Fatalf("after %d steps the weight is %v, the formula gives %v", i+1, w[0], want)
				}
			}
		})
	}
}

// TestColumnsAreApart: what one column sees does not move another, and a dense step is the sparse steps
// of its columns.
func TestColumnsAreApart(t *testing.T) {
	for name, c := range cases() {
		if name == "normalized" {
			continue // its steps grow as a row has fewer entries
		}
		dense, sparse := c.make(), c.make()
		grad, w := []float64{0.5, -2, 1}, []float64{0.1, 0.2, 0.3}
		all, some := make([]float64, 3), make([]float64, 2)
		dense.Step(all, nil, grad, w)
		sparse.Step(some, []uint32{0, 2}, []float64{0.5, 1}, []float64{0.1, 0.3})
		if all[0] != some[0] || all[2] != some[1] {
			t.Errorf("%s: dense steps %v, sparse steps %v", name, all, some)
		}
	}
}

// TestStateGoesOn: saved and loaded in the middle, an optimizer goes on to the same bits.
func TestStateGoesOn(t *testing.T) {
	for name, c := range cases() {
		a, b := c.make(), c.make()
		rng := rand.New(rand.NewPCG(3, 4))
		da, db, grad, w := make([]float64, 3), make([]float64, 3), make([]float64, 3), []float64{1, 2, 3}
		for i := range 40 {
			for j := range grad {
				grad[j] = rng.NormFloat64()
			}
			if i == 20 {
				b = c.make()
				if err := codec.Load(b, codec.Save(a)); err != nil {
					t.Fatal(err)
				}
			}
			a.Step(da, nil, grad, w)
			b.Step(db, nil, grad, w)
			for j := range da {
				if da[j] != db[j] {
					t.Fatalf("%s: step %d is %v, after a load %v", name, i, da, db)
				}
			}
		}
	}
}

// TestCoinNeedsNoRate: on |w − 10|, whose scale it does not know, the mean of the coin's weights
// approaches 10; the scale of the gradients does not matter.
func TestCoinNeedsNoRate(t *testing.T) {
	for _, scale := range []float64{1e-6, 1, 1e6} {
		o := optim.NewCoin(1, 1)
		w, step, sum := []float64{0}, []float64{0}, 0.0
		const n = 20000
		for range n {
			o.Step(step, nil, []float64{math.Copysign(scale, w[0]-10)}, w)
			w[0] += step[0]
			sum += w[0]
		}
		if mean := sum / n; math.Abs(mean-10) > 0.5 {
			t.Errorf("gradients of %v: mean weight %v, want about 10", scale, mean)
		}
	}
}

func ExampleAdaGrad() {
	o := optim.NewAdaGrad(2, 0.1, 1, 1e-8)
	w, step := []float64{0, 0}, []float64{0, 0}
	for range 2 {
		o.Step(step, nil, []float64{1, 100}, w)
		w[0], w[1] = w[0]+step[0], w[1]+step[1]
	}
	fmt.Printf("%.3f %.3f\n", w[0], w[1]) // the scale of a column does not matter
	// Output: -0.171 -0.171
}

func ExampleSGD() {
	o := optim.NewSGD(optim.Schedule{Rate: 0.1, Power: 0.5})
	step := []float64{0}
	for range 3 {
		o.Step(step, nil, []float64{1}, []float64{0})
		fmt.Printf("%.3f ", step[0])
	}
	// Output: -0.100 -0.071 -0.058
}
