package optim

import "github.com/freshet-ml/freshet/internal/codec"

// Momentum is gradient descent with a velocity (Polyak 1964) or, with Ahead, with Nesterov's accelerated one in the form of
// Sutskever et al. 2013, §2, rewritten for the weights that are looked ahead to: the step is momentum·v − rate·g with the new
// velocity v. Only the columns that an example holds move.
type Momentum struct {
	Schedule
	Share float64 // in [0, 1): of the velocity that stays
	Ahead bool

	steps    uint64
	velocity []float64
}

// NewMomentum returns the optimizer for n columns.
func NewMomentum(n int, sched Schedule, share float64, ahead bool) *Momentum {
	return &Momentum{Schedule: sched, Share: share, Ahead: ahead, velocity: make([]float64, n)}
}

// Step computes v ← share·v − rate·g and moves by v, or by share·v − rate·g with the new v.
func (o *Momentum) Step(dst []float64, index []uint32, grad, _ []float64) {
	rate := o.At(o.steps)
	o.steps++
	for j, g := range grad {
		i := column(index, j)
		v := float64(o.Share*o.velocity[i]) - float64(rate*g)
		o.velocity[i] = v
		if o.Ahead {
			v = float64(o.Share*v) - float64(rate*g)
		}
		dst[j] = v
	}
}

// Proportional is false: a step follows past gradients.
func (o *Momentum) Proportional() bool { return false }

// Impulse returns the rate of the plain step in the next one: models shorten gradients whose plain step would go too far, so that
// the velocity never takes in more.
func (o *Momentum) Impulse() float64 { return o.At(o.steps) }

// State visits the number of steps and the velocities.
func (o *Momentum) State(s *codec.State) {
	s.Uint64(&o.steps)
	fixedFloats(s, o.velocity)
}
