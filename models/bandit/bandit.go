// Package bandit holds policies that choose among arms and learn from the reward of the arm chosen, and a model that chooses
// among models with them. In the flow bandit_selection is a model: models/catalog lists Components. The policies are also a library: Choose
// draws an arm, Reward tells what it brought. Rewards lie in [0, 1].
package bandit

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/random"
)

// Components lists the models of this package for the catalogue.
var Components = []models.Component{SelectionComponent}

// Policy chooses among a fixed number of arms. x is the context, which only LinUCB reads. Random numbers come from the policy's own source,
// which is part of its state. A policy belongs to one goroutine.
type Policy interface {
	Choose(x []float64) int
	// Reward tells what the arm that was chosen brought: a number in [0, 1], beyond it the nearer end counts. The context is that of the choice.
	Reward(arm int, x []float64, reward float64)
	// Best is the arm that looks best now, without exploring. It changes nothing.
	Best(x []float64) int
	State(s *codec.State)
}

// clip keeps a reward in range; NaN counts 0.
func clip(r float64) float64 {
	if r != r {
		return 0
	}
	return max(0, min(1, r))
}

// gamma draws from the gamma distribution of shape a ≥ 1 (Marsaglia & Tsang 2000).
func gamma(r *random.Source, a float64) float64 {
	d := a - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.Normal()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if u := 1 - r.Unit(); math.Log(u) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// tallies are counts and mean rewards by arm; older rewards fade by discount at each reward of any arm.
type tallies struct {
	n, mean  []float64
	discount float64
}

func newTallies(arms int, discount float64) tallies {
	return tallies{make([]float64, arms), make([]float64, arms), discount}
}

func (t *tallies) add(arm int, reward float64) {
	if t.discount < 1 {
		for i := range t.n {
			t.n[i] *= t.discount
		}
	}
	t.n[arm]++
	t.mean[arm] += (clip(reward) - t.mean[arm]) / t.n[arm]
}

func (t *tallies) best() int { return argmax(t.mean) }

// fresh is an arm without a reward, −1 if there is none.
func (t *tallies) fresh() int {
	for i, n := range t.n {
		if n == 0 {
			return i
		}
	}
	return -1
}

func (t *tallies) state(s *codec.State) {
	s.Fixed("arms", len(t.n))
	for i := range t.n {
		s.Float64(&t.n[i])
		s.Float64(&t.mean[i])
		if s.Loading() && !(t.n[i] >= 0 && t.n[i] <= 1<<53 && t.mean[i] >= -1e-9 && t.mean[i] <= 1+1e-9) {
			s.Fail("arm %d with mean reward %v of %v", i, t.mean[i], t.n[i])
			t.n[i], t.mean[i] = 0, 0
		}
	}
}

func argmax(x []float64) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
