package bandit_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models/bandit"
)

func policies(arms int, seed uint64) map[string]bandit.Policy {
	return map[string]bandit.Policy{
		"epsilon_greedy": bandit.NewEpsilonGreedy(arms, 0.1, 1, seed),
		"ucb":            bandit.NewUCB(arms, 1, 1),
		"thompson":       bandit.NewThompson(arms, 1, seed),
		"exp3":           bandit.NewExp3(arms, 0.1, seed),
		"lin_ucb":        bandit.NewLinUCB(arms, 1, 1),
	}
}

// TestSimulation: on Bernoulli arms every policy finds the best, and loses much less than choosing at random, which loses 0.3 a step. UCB1 stays
// below the bound of Auer, Cesa-Bianchi & Fischer 2002, theorem 1.
func TestSimulation(t *testing.T) {
	chances := []float64{0.2, 0.5, 0.8, 0.5}
	const steps, runs = 5000, 10
	for name := range policies(4, 0) {
		regret, right := 0.0, 0
		for run := range uint64(runs) {
			p, rng := policies(len(chances), run)[name], rand.New(rand.NewPCG(run, 9))
			for range steps {
				arm := p.Choose([]float64{1})
				reward := 0.0
				if rng.Float64() < chances[arm] {
					reward = 1
				}
				p.Reward(arm, []float64{1}, reward)
				regret += (0.8 - chances[arm]) / runs
			}
			if p.Best([]float64{1}) == 2 {
				right++
			}
		}
		if right < runs-1 || regret > 0.1*steps {
			t.Errorf("%s: the best arm in %d of %d runs, regret %.0f of %d steps", name, right, runs, regret, steps)
		}
		bound := 0.0
		for _, c := range chances {
			if gap := 0.8 - c; gap > 0 {
				bound += 8*math.Log(steps)/gap + (1+math.Pi*math.Pi/3)*gap
			}
		}
		if name == "ucb" && regret > bound {
			t.Errorf("UCB1 regrets %.0f, its bound is %.0f", regret, bound)
		}
	}
}

// TestDiscountFollowsChange: when the best arm changes, policies that forget follow.
func TestDiscountFollowsChange(t *testing.T) {
	for name, p := range map[string]bandit.Policy{"epsilon_greedy": bandit.NewEpsilonGreedy(2, 0.1, 0.99, 1), "ucb": bandit.NewUCB(2, 0.5, 0.99), "thompson": bandit.NewThompson(2, 0.99, 1)} {
		for i := range 4000 {
			arm := p.Choose(nil)
			p.Reward(arm, nil, map[bool]float64{true: 0.9, false: 0.1}[(arm == 0) == (i < 2000)])
		}
		if p.Best(nil) != 1 {
			t.Errorf("%s stays with the arm that was best before", name)
		}
	}
}

// TestLinUCBIsRidge: the inverse that is kept by rank-one updates gives the estimates of the normal equations, and the choice depends on the context.
func TestLinUCBIsRidge(t *testing.T) {
	p, rng := bandit.NewLinUCB(2, 2, 0.5), rand.New(rand.NewPCG(4, 4))
	for range 3000 {
		x := []float64{1, rng.Float64()*2 - 1}
		arm := p.Choose(x)
		p.Reward(arm, x, map[int]float64{0: 0.5 + 0.4*x[1], 1: 0.5 - 0.4*x[1]}[arm])
	}
	if p.Best([]float64{1, 0.5}) != 0 || p.Best([]float64{1, -0.5}) != 1 {
		t.Error("the choice does not follow the context")
	}
	// one arm, against the closed form of ridge regression with a column of ones and one column
	q := bandit.NewLinUCB(2, 1, 0)
	sxx, sxy := 1.0, 0.0
	for range 200 {
		x, r := rng.Float64(), rng.Float64()
		q.Reward(0, []float64{x}, r)
		sxx, sxy = sxx+x*x, sxy+x*r
	}
	q.Reward(1, []float64{1}, 1) // estimate ½
	for _, scale := range []float64{0.999, 1.001} {
		r := bandit.NewLinUCB(2, 1, 0)
		if err := codec.Load(r, codec.Save(q)); err != nil {
			t.Fatal(err)
		}
		want := sxy / sxx * scale
		for range 4000 { // bring arm 1 to the value of arm 0, a little below and above: the estimate of n equal rewards v is n·v/(n + 1)
			r.Reward(1, []float64{1}, want)
		}
		if first := r.Best([]float64{1}) == 0; first != (scale < 1) {
			t.Errorf("arm 0 before an arm of %v times its value: %v", scale, first)
		}
	}
}

func TestStatesGoOn(t *testing.T) {
	for name, p := range policies(3, 5) {
		rng := rand.New(rand.NewPCG(1, 1))
		step := func(p bandit.Policy, r float64) int {
			arm := p.Choose([]float64{1})
			p.Reward(arm, []float64{1}, r)
			return arm
		}
		for range 100 {
			step(p, rng.Float64())
		}
		q := policies(3, 99)[name]
		if err := codec.Load(q, codec.Save(p)); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if r := rng.Float64(); step(p, r) != step(q, r) {
				t.Fatalf("%s: another choice after loading", name)
			}
		}
	}
}

func show(p bandit.Policy) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 2000 {
		arm, reward := p.Choose([]float64{1}), 0.0
		if rng.Float64() < []float64{0.1, 0.9}[arm] {
			reward = 1
		}
		p.Reward(arm, []float64{1}, reward)
	}
	fmt.Println(p.Best([]float64{1}))
}

func ExampleNewEpsilonGreedy() {
	show(bandit.NewEpsilonGreedy(2, 0.1, 1, 1))
	// Output: 1
}

func ExampleNewUCB() {
	show(bandit.NewUCB(2, 1, 1))
	// Output: 1
}

func ExampleNewThompson() {
	show(bandit.NewThompson(2, 1, 1))
	// Output: 1
}

func ExampleNewExp3() {
	show(bandit.NewExp3(2, 0.1, 1))
	// Output: 1
}

func ExampleNewLinUCB() {
	show(bandit.NewLinUCB(2, 1, 1))
	// Output: 1
}
