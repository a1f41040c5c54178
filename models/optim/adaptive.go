package optim

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// RMSProp divides by the root of a discounted mean of squared gradients (Tieleman and Hinton 2012, lecture 6.5).
type RMSProp struct {
	Schedule
	Discount float64 // in [0, 1)
	Epsilon  float64 // > 0

	steps uint64
	mean  []float64
}

// NewRMSProp returns the optimizer for n columns.
func NewRMSProp(n int, sched Schedule, discount, epsilon float64) *RMSProp {
	return &RMSProp{Schedule: sched, Discount: discount, Epsilon: epsilon, mean: make([]float64, n)}
}

// Step computes E ← discount·E + (1−discount)g², −rate·g / (√E + epsilon). A column with gradient 0 is left alone.
func (o *RMSProp) Step(dst []float64, index []uint32, grad, _ []float64) {
	rate := o.At(o.steps)
	o.steps++
	for j, g := range grad {
		if g == 0 {
			dst[j] = 0
			continue
		}
		e := &o.mean[column(index, j)]
		*e = float64(o.Discount**e) + float64((1-o.Discount)*float64(g*g))
		dst[j] = -rate * g / (math.Sqrt(*e) + o.Epsilon)
	}
}

// Proportional is true.
func (o *RMSProp) Proportional() bool { return true }

// State visits the number of steps and the means.
func (o *RMSProp) State(s *codec.State) {
	s.Uint64(&o.steps)
	fixedFloats(s, o.mean)
}

// AdaDelta needs no rate: the length of past steps over the length of gradients gives it (Zeiler 2012, algorithm 1).
type AdaDelta struct {
	Discount float64 // ρ in [0, 1)
	Epsilon  float64 // > 0, also the length of the first steps
	cells    []adaDelta
}

type adaDelta struct{ gradients, steps float64 } // discounted means of squares

// NewAdaDelta returns the optimizer for n columns.
func NewAdaDelta(n int, discount, epsilon float64) *AdaDelta {
	return &AdaDelta{Discount: discount, Epsilon: epsilon, cells: make([]adaDelta, n)}
}

// Step computes E[g²], then −√(E[Δ²] + ε) / √(E[g²] + ε) · g, then E[Δ²]. A column with gradient 0 is left alone.
func (o *AdaDelta) Step(dst []float64, index []uint32, grad, _ []float64) {
	for j, g := range grad {
		if g == 0 {
			dst[j] = 0
			continue
		}
		c := &o.cells[column(index, j)]
		c.gradients = float64(o.Discount*c.gradients) + float64((1-o.Discount)*float64(g*g))
		d := -math.Sqrt(c.steps+o.Epsilon) / math.Sqrt(c.gradients+o.Epsilon) * g
		c.steps = float64(o.Discount*c.steps) + float64((1-o.Discount)*float64(d*d))
		dst[j] = d
	}
}

// Proportional is true.
func (o *AdaDelta) Proportional() bool { return true }

// State visits the columns.
func (o *AdaDelta) State(s *codec.State) {
	s.Fixed("number of columns of the optimizer", len(o.cells))
	for i := range o.cells {
		s.Float64(&o.cells[i].gradients)
		s.Float64(&o.cells[i].steps)
	}
}

// AMSGrad is Adam with the greatest mean of squares so far below the root, so that no rate grows again (Reddi, Kale and Kumar
// 2018, algorithm 2: without correction of the bias).
type AMSGrad struct {
	Schedule
	Beta1, Beta2 float64 // in [0, 1)
	Epsilon      float64 // > 0

	steps uint64
	cells []amsGrad
}

type amsGrad struct{ m, v, top float64 }

// NewAMSGrad returns the optimizer for n columns.
func NewAMSGrad(n int, sched Schedule, beta1, beta2, epsilon float64) *AMSGrad {
	return &AMSGrad{Schedule: sched, Beta1: beta1, Beta2: beta2, Epsilon: epsilon, cells: make([]amsGrad, n)}
}

// Step computes m and v as Adam does, top ← max(top, v), −rate·m / (√top + ε).
func (o *AMSGrad) Step(dst []float64, index []uint32, grad, _ []float64) {
	rate := o.At(o.steps)
	o.steps++
	for j, g := range grad {
		c := &o.cells[column(index, j)]
		c.m = float64(o.Beta1*c.m) + float64((1-o.Beta1)*g)
		c.v = float64(o.Beta2*c.v) + float64((1-o.Beta2)*float64(g*g))
		c.top = max(c.top, c.v)
		dst[j] = -rate * c.m / (math.Sqrt(c.top) + o.Epsilon)
	}
}

// Proportional is false: a step follows the mean of past gradients.
func (o *AMSGrad) Proportional() bool { return false }

// State visits the number of steps and the columns.
func (o *AMSGrad) State(s *codec.State) {
	s.Uint64(&o.steps)
	s.Fixed("number of columns of the optimizer", len(o.cells))
	for i := range o.cells {
		s.Float64(&o.cells[i].m)
		s.Float64(&o.cells[i].v)
		s.Float64(&o.cells[i].top)
	}
}

// Nadam is Adam with Nesterov's look ahead (Dozat 2016, algorithm 2 with constant β₁).
type Nadam struct{ Adam }

// NewNadam returns the optimizer for n columns.
func NewNadam(n int, sched Schedule, beta1, beta2, epsilon float64) *Nadam {
	return &Nadam{*NewAdam(n, sched, beta1, beta2, epsilon)}
}

// Step computes m and v as Adam does, and −rate·(β₁·m/(1−β₁^(t+1)) + (1−β₁)·g/(1−β₁^t)) / (√v̂ + ε).
func (o *Nadam) Step(dst []float64, index []uint32, grad, _ []float64) {
	rate := o.At(o.steps)
	o.steps++
	o.p1 *= o.Beta1
	o.p2 *= o.Beta2
	mean, now, c2 := o.Beta1/(1-float64(o.p1*o.Beta1)), (1-o.Beta1)/(1-o.p1), 1/(1-o.p2)
	for j, g := range grad {
		i := column(index, j)
		m := float64(o.Beta1*o.m[i]) + float64((1-o.Beta1)*g)
		v := float64(o.Beta2*o.v[i]) + float64((1-o.Beta2)*float64(g*g))
		o.m[i], o.v[i] = m, v
		dst[j] = -rate * (float64(mean*m) + float64(now*g)) / (math.Sqrt(float64(v*c2)) + o.Epsilon)
	}
}

// FTRL follows the regularised leader, per column: exact zeros with L1, no memory of where the weight has been
// (McMahan et al. 2013, algorithm 1).
type FTRL struct {
	Alpha, Beta float64 // rate Alpha / (Beta + √Σg²)
	L1, L2      float64 // ≥ 0
	cells       []ftrl
}

type ftrl struct{ z, n float64 }

// NewFTRL returns the optimizer for n columns.
func NewFTRL(n int, alpha, beta, l1, l2 float64) *FTRL {
	return &FTRL{Alpha: alpha, Beta: beta, L1: l1, L2: l2, cells: make([]ftrl, n)}
}

// Step computes σ = (√(n+g²) − √n)/α, z ← z + g − σw, n ← n + g², and the way to the new weight, which is 0 while |z| ≤ L1. A
// column with gradient 0 is left alone.
func (o *FTRL) Step(dst []float64, index []uint32, grad, w []float64) {
	for j, g := range grad {
		if g == 0 {
			dst[j] = 0
			continue
		}
		c := &o.cells[column(index, j)]
		before := math.Sqrt(c.n)
		c.n += float64(g * g)
		root := math.Sqrt(c.n)
		c.z += g - float64((root-before)/o.Alpha*w[j])
		next := 0.0
		if math.Abs(c.z) > o.L1 {
			next = -(c.z - math.Copysign(o.L1, c.z)) / ((o.Beta+root)/o.Alpha + o.L2)
		}
		dst[j] = next - w[j]
	}
}

// Proportional is false: a step leads to the leader.
func (o *FTRL) Proportional() bool { return false }

// State visits the columns.
func (o *FTRL) State(s *codec.State) {
	s.Fixed("number of columns of the optimizer", len(o.cells))
	for i := range o.cells {
		s.Float64(&o.cells[i].z)
		s.Float64(&o.cells[i].n)
	}
}
