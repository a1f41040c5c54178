// Package optim holds the optimizers of linear models: how a gradient becomes a step. In the flow it
// stands inside a model, at the learn record. State is kept per column and grows with the columns.
package optim

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Optimizer turns gradients into steps. It belongs to one goroutine.
type Optimizer interface {
	// Step writes into dst[j] the change of the weight of column index[j] (of column j if index is nil)
	// for its gradient grad[j]; w[j] is the weight as it is. The slices have one length and do not
	// overlap. An entry with gradient 0 may still move its weight.
	Step(dst []float64, index []uint32, grad, w []float64)
	// Proportional reports whether a step is a positive multiple of −grad in every column. The guard of
	// the models can then shorten it without changing what the optimizer remembers.
	Proportional() bool
	// State visits what the optimizer remembers.
	State(s *codec.State)
}

// SGD is plain stochastic gradient descent. For momentum see Momentum.
type SGD struct {
	Schedule
	steps uint64
}

// NewSGD returns the optimizer, for any number of columns.
func NewSGD(sched Schedule) *SGD { return &SGD{Schedule: sched} }

// Step computes −rate·g.
func (o *SGD) Step(dst []float64, _ []uint32, grad, _ []float64) {
	rate := o.At(o.steps)
	o.steps++
	for j, g := range grad {
		dst[j] = -rate * g
	}
}

// Next returns the rate of the next step: for models that take plain steps themselves.
func (o *SGD) Next() float64 { return o.At(o.steps) }

// Count counts such a step.
func (o *SGD) Count() { o.steps++ }

// Proportional is true.
func (o *SGD) Proportional() bool { return true }

// State visits the number of steps.
func (o *SGD) State(s *codec.State) {
	s.Uint64(&o.steps)
	fixedFloats(s, nil) // velocities, once
}

// AdaGrad scales each column's step by the root of its summed squared gradients (Duchi, Hazan and
// Singer 2011). With Discount < 1 older gradients fade (the sum is multiplied by it at every step of the
// column), so that the model keeps following a drifting stream.
type AdaGrad struct {
	Rate     float64 // > 0
	Discount float64 // in (0, 1]; 1 is the paper's
	Epsilon  float64 // > 0, keeps the first steps finite
	sum      []float64
}

// NewAdaGrad returns the optimizer for n columns.
func NewAdaGrad(n int, rate, discount, epsilon float64) *AdaGrad {
	return &AdaGrad{Rate: rate, Discount: discount, Epsilon: epsilon, sum: make([]float64, n)}
}

// Step computes G ← discount·G + g², −rate·g / (√G + epsilon). A column with gradient 0 is left alone.
func (o *AdaGrad) Step(dst []float64, index []uint32, grad, _ []float64) {
	for j, g := range grad {
		if g == 0 {
			dst[j] = 0
			continue
		}
		i := column(index, j)
		sum := float64(o.Discount*o.sum[i]) + float64(g*g)
		o.sum[i] = sum
		dst[j] = -o.Rate * g / (math.Sqrt(sum) + o.Epsilon)
	}
}

// Proportional is true.
func (o *AdaGrad) Proportional() bool { return true }

// State visits the sums.
func (o *AdaGrad) State(s *codec.State) { fixedFloats(s, o.sum) }

// Adam keeps discounted means of gradients and of their squares (Kingma and Ba 2015, algorithm 1). Time
// is counted per step of the model; columns that an example does not hold are not moved.
type Adam struct {
	Schedule
	Beta1, Beta2 float64 // in [0, 1)
	Epsilon      float64 // > 0

	steps  uint64
	m, v   []float64
	p1, p2 float64 // beta^t, kept as running products
}

// NewAdam returns the optimizer for n columns.
func NewAdam(n int, sched Schedule, beta1, beta2, epsilon float64) *Adam {
	return &Adam{Schedule: sched, Beta1: beta1, Beta2: beta2, Epsilon: epsilon, m: make([]float64, n), v: make([]float64, n), p1: 1, p2: 1}
}

// Step computes m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², −rate·m̂ / (√v̂ + ε).
func (o *Adam) Step(dst []float64, index []uint32, grad, _ []float64) {
	rate := o.At(o.steps)
	o.steps++
	o.p1 *= o.Beta1
	o.p2 *= o.Beta2
	c1, c2 := 1/(1-o.p1), 1/(1-o.p2)
	for j, g := range grad {
		i := column(index, j)
		m := float64(o.Beta1*o.m[i]) + float64((1-o.Beta1)*g)
		v := float64(o.Beta2*o.v[i]) + float64((1-o.Beta2)*float64(g*g))
		o.m[i], o.v[i] = m, v
		dst[j] = -rate * float64(m*c1) / (math.Sqrt(float64(v*c2)) + o.Epsilon)
	}
}

// Proportional is false: a step follows the mean of past gradients.
func (o *Adam) Proportional() bool { return false }

// State visits the number of steps and the means.
func (o *Adam) State(s *codec.State) {
	s.Uint64(&o.steps)
	s.Float64(&o.p1)
	s.Float64(&o.p2)
	fixedFloats(s, o.m)
	fixedFloats(s, o.v)
}

// Coin is parameter-free: every column bets the money it has won so far on the sign of its next
// gradient, so there is no learning rate to choose (Orabona and Tommasi 2017, COCOB-Backprop, algorithm
// 2, from weights that start at 0). A weight is a function of what the column has seen:
// w = θ / (L·max(G + L, α·L)) · (L + reward).
type Coin struct {
	Alpha float64 // ≥ 1; limits the first bets to 1/α of the money
	cells []coin
}

type coin struct {
	scale  float64 // L: the greatest |gradient| so far
	total  float64 // G: the sum of |gradient|
	reward float64 // money won
	theta  float64 // sum of −gradient
}

// NewCoin returns the optimizer for n columns.
func NewCoin(n int, alpha float64) *Coin { return &Coin{Alpha: alpha, cells: make([]coin, n)} }

// Step updates each column's bet and computes the way to its new weight. A column with gradient 0 is
// left alone.
func (o *Coin) Step(dst []float64, index []uint32, grad, w []float64) {
	for j, g := range grad {
		if g == 0 {
			dst[j] = 0
			continue
		}
		c := &o.cells[column(index, j)]
		a := math.Abs(g)
		c.scale = max(c.scale, a)
		c.total += a
		c.reward = max(0, c.reward-float64(w[j]*g))
		c.theta -= g
		bet := c.theta / (c.scale * max(c.total+c.scale, o.Alpha*c.scale))
		dst[j] = float64(bet*(c.scale+c.reward)) - w[j]
	}
}

// Proportional is false: a step leads to the weight that the bets ask for.
func (o *Coin) Proportional() bool { return false }

// State visits the columns.
func (o *Coin) State(s *codec.State) {
	s.Fixed("number of columns of the optimizer", len(o.cells))
	for i := range o.cells {
		c := &o.cells[i]
		s.Float64(&c.scale)
		s.Float64(&c.total)
		s.Float64(&c.reward)
		s.Float64(&c.theta)
	}
}

func column(index []uint32, j int) int {
	if index == nil {
		return j
	}
	return int(index[j])
}

// fixedFloats visits a slice whose length is fixed by the configuration.
func fixedFloats(s *codec.State, v []float64) {
	s.Fixed("number of columns of the optimizer", len(v))
	for i := range v {
		s.Float64(&v[i])
	}
}

// Columns is the number of columns that an optimizer built from a spec is for; a model asks for one
// more than its schema has when the optimizer learns its intercept too.
func Columns(env models.Env) int { return len(env.Schema.Columns) + 1 }

// Build makes the optimizer of the parameter, for the columns of env's schema and an intercept after
// them.
func Build(a models.Args, param string, env models.Env) (Optimizer, error) {
	p, err := a.Part(param, env)
	if err != nil {
		return nil, err
	}
	o, ok := p.(Optimizer)
	if !ok {
		return nil, fmt.Errorf("parameter %s: a %T is no optimizer", param, p)
	}
	return o, nil
}
