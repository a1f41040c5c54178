package bandit

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models/random"
)

// EpsilonGreedy takes the arm of the best mean reward, and with probability epsilon any (Sutton & Barto 2018, section 2.2).
type EpsilonGreedy struct {
	tallies
	epsilon float64
	rng     random.Source
}

// NewEpsilonGreedy returns a policy; epsilon in [0, 1], discount in (0, 1] fades older rewards.
func NewEpsilonGreedy(arms int, epsilon, discount float64, seed uint64) *EpsilonGreedy {
	return &EpsilonGreedy{newTallies(arms, discount), epsilon, random.New(seed, 1)}
}

// Choose draws an arm.
func (p *EpsilonGreedy) Choose([]float64) int {
	if p.rng.Unit() < p.epsilon {
		return p.rng.Below(len(p.n))
	}
	return p.best()
}

// Reward counts a reward.
func (p *EpsilonGreedy) Reward(arm int, _ []float64, reward float64) { p.add(arm, reward) }

// Best is the arm of the best mean.
func (p *EpsilonGreedy) Best([]float64) int { return p.best() }

// State visits means and random numbers.
func (p *EpsilonGreedy) State(s *codec.State) {
	p.tallies.state(s)
	p.rng.State(s)
}

// UCB takes the arm with the greatest upper confidence bound, mean + delta·√(2·ln n / n of the arm): UCB1 with delta 1 (Auer, Cesa-Bianchi &
// Fischer 2002), discounted with a discount below 1 (Garivier & Moulines 2011).
type UCB struct {
	tallies
	delta float64
}

// NewUCB returns a policy; delta > 0 is the width of the bounds, discount in (0, 1] fades older rewards.
func NewUCB(arms int, delta, discount float64) *UCB { return &UCB{newTallies(arms, discount), delta} }

// Choose takes arms without a reward first.
func (p *UCB) Choose([]float64) int {
	if arm := p.fresh(); arm >= 0 {
		return arm
	}
	total := 0.0
	for _, n := range p.n {
		total += n
	}
	best, at := math.Inf(-1), 0
	for i, n := range p.n {
		if b := p.mean[i] + p.delta*math.Sqrt(2*math.Log(max(total, 1))/max(n, 1e-12)); b > best {
			best, at = b, i
		}
	}
	return at
}

// Reward counts a reward.
func (p *UCB) Reward(arm int, _ []float64, reward float64) { p.add(arm, reward) }

// Best is the arm of the best mean.
func (p *UCB) Best([]float64) int { return p.best() }

// State visits the means.
func (p *UCB) State(s *codec.State) { p.tallies.state(s) }

// Thompson draws a mean reward for each arm from its beta posterior and takes the greatest (Thompson 1933; Agrawal & Goyal 2012). Rewards between 0 and 1 count
// as that share of a success.
type Thompson struct {
	tallies
	rng random.Source
}

// NewThompson returns a policy with uniform priors; discount in (0, 1] fades older rewards.
func NewThompson(arms int, discount float64, seed uint64) *Thompson {
	return &Thompson{newTallies(arms, discount), random.New(seed, 2)}
}

// Choose draws an arm.
func (p *Thompson) Choose([]float64) int {
	best, at := -1.0, 0
	for i, n := range p.n {
		won := n * clip(p.mean[i])
		a, b := gamma(&p.rng, 1+won), gamma(&p.rng, 1+max(0, n-won))
		if v := a / (a + b); v > best {
			best, at = v, i
		}
	}
	return at
}

// Reward counts a reward.
func (p *Thompson) Reward(arm int, _ []float64, reward float64) { p.add(arm, reward) }

// Best is the arm of the best mean.
func (p *Thompson) Best([]float64) int { return p.best() }

// State visits means and random numbers.
func (p *Thompson) State(s *codec.State) {
	p.tallies.state(s)
	p.rng.State(s)
}

// Exp3 draws arms by exponential weights mixed with a share gamma of exploring, for rewards that an adversary chooses (Auer et al. 2002). Only
// the reward of the newest choice can be told.
type Exp3 struct {
	gamma float64
	logs  []float64 // of the weights, the greatest 0
	share []float64 // scratch: probabilities
	rng   random.Source
}

// NewExp3 returns a policy; gamma in (0, 1].
func NewExp3(arms int, gamma float64, seed uint64) *Exp3 {
	return &Exp3{gamma, make([]float64, arms), make([]float64, arms), random.New(seed, 3)}
}

// shares computes the probability of each arm.
func (p *Exp3) shares() []float64 {
	total := 0.0
	for i, l := range p.logs {
		p.share[i] = math.Exp(l)
		total += p.share[i]
	}
	for i := range p.share {
		p.share[i] = (1-p.gamma)*p.share[i]/total + p.gamma/float64(len(p.share))
	}
	return p.share
}

// Choose draws an arm.
func (p *Exp3) Choose([]float64) int {
	r := p.rng.Unit()
	for i, q := range p.shares() {
		if r < q {
			return i
		}
		r -= q
	}
	return len(p.share) - 1
}

// Reward weighs a reward by the inverse of the probability that the arm had.
func (p *Exp3) Reward(arm int, _ []float64, reward float64) {
	p.logs[arm] += p.gamma * clip(reward) / p.shares()[arm] / float64(len(p.logs))
	top := p.logs[argmax(p.logs)]
	for i := range p.logs {
		p.logs[i] = max(-700, p.logs[i]-top)
	}
}

// Best is the arm of the greatest weight.
func (p *Exp3) Best([]float64) int { return argmax(p.logs) }

// State visits weights and random numbers.
func (p *Exp3) State(s *codec.State) {
	s.Fixed("arms", len(p.logs))
	for i := range p.logs {
		s.Float64(&p.logs[i])
		if s.Loading() && !(p.logs[i] >= -700 && p.logs[i] <= 0) {
			s.Fail("weight e^%v of arm %d", p.logs[i], i)
			p.logs[i] = 0
		}
	}
	p.rng.State(s)
}

// LinUCB takes the reward of an arm as linear in the context, by a ridge regression for each arm, and takes the arm with the greatest upper bound:
// x·θ + alpha·√(xᵀA⁻¹x) (Li et al. 2010, algorithm 1). A⁻¹ is kept by Sherman and Morrison's formula. Memory: 8·columns² bytes per arm; O(arms · columns²).
type LinUCB struct {
	alpha   float64
	d       int
	inverse [][]float64 // A⁻¹ by arm, row by row
	b       [][]float64
	theta   [][]float64 // derived: A⁻¹b
	v       []float64   // scratch
}

// NewLinUCB returns a policy for contexts of d numbers; alpha ≥ 0 is the width of the bounds.
func NewLinUCB(arms, d int, alpha float64) *LinUCB {
	p := &LinUCB{alpha: alpha, d: d, v: make([]float64, d)}
	for range arms {
		a := make([]float64, d*d)
		for i := range d {
			a[i*d+i] = 1
		}
		p.inverse, p.b, p.theta = append(p.inverse, a), append(p.b, make([]float64, d)), append(p.theta, make([]float64, d))
	}
	return p
}

// bound is the estimate of an arm plus alpha times its deviation. v receives A⁻¹x.
func (p *LinUCB) bound(arm int, x, v []float64, alpha float64) float64 {
	mean, spread := 0.0, 0.0
	for i := range p.d {
		v[i] = 0
		for j, xj := range x[:p.d] {
			v[i] += float64(p.inverse[arm][i*p.d+j] * xj)
		}
		mean += float64(v[i] * p.b[arm][i]) // A⁻¹ is symmetric: x·A⁻¹b
		spread += float64(v[i] * x[i])
	}
	return mean + float64(alpha*math.Sqrt(max(0, spread)))
}

// Choose takes the arm of the greatest bound, the first of equals. x has d finite numbers.
func (p *LinUCB) Choose(x []float64) int {
	best, at := math.Inf(-1), 0
	for arm := range p.b {
		if u := p.bound(arm, x, p.v, p.alpha); u > best {
			best, at = u, arm
		}
	}
	return at
}

// Best is the arm of the greatest estimate.
func (p *LinUCB) Best(x []float64) int { return greatest(p.theta, x) }

// greatest is the place of the row with the greatest product with x, the first of equals.
func greatest(theta [][]float64, x []float64) int {
	best, at := math.Inf(-1), 0
	for arm, t := range theta {
		u := 0.0
		for i, v := range t {
			u += float64(v * x[i])
		}
		if u > best {
			best, at = u, arm
		}
	}
	return at
}

// solve derives the coefficients of an arm.
func (p *LinUCB) solve(arm int) {
	for i := range p.d {
		u := 0.0
		for j, b := range p.b[arm] {
			u += float64(p.inverse[arm][i*p.d+j] * b)
		}
		p.theta[arm][i] = u
	}
}

// Reward adds a context and its reward to the regression of the arm.
func (p *LinUCB) Reward(arm int, x []float64, reward float64) {
	p.bound(arm, x, p.v, 0)
	below := 1.0
	for i, v := range p.v {
		below += float64(v * x[i])
	}
	for i := range p.d {
		for j := range p.d {
			p.inverse[arm][i*p.d+j] -= float64(p.v[i]*p.v[j]) / below
		}
		p.b[arm][i] += float64(clip(reward) * x[i])
	}
	p.solve(arm)
}

// State visits the regressions.
func (p *LinUCB) State(s *codec.State) {
	s.Fixed("arms", len(p.b))
	s.Fixed("context", p.d)
	for arm := range p.b {
		for _, v := range [][]float64{p.inverse[arm], p.b[arm]} {
			for i := range v {
				s.Float64(&v[i])
				if s.Loading() && v[i]-v[i] != 0 {
					s.Fail("regression of arm %d", arm)
					v[i] = 0
				}
			}
		}
		p.solve(arm)
	}
}
