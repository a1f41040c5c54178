package optim

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// Normalized is the normalised adaptive gradient (Ross, Mineiro and Langford 2013, algorithm 2, NAG): every column has a rate that
// falls with its gradients, as in AdaGrad, and that knows the greatest input the column has had, so that the units of a
// column do not matter and a jump shrinks the weight instead of the model. Steps are invariant: models follow the gradient to the
// end of the step (loss.Flow) and never pass the label.
//
// A model calls Prepare before it scores, then Rates; Step is for those that know gradients only, and takes the inputs as 1.
type Normalized struct {
	Rate  float64 // > 0
	cells []normalized
	total float64 // N: sum of x²/scale² over all entries so far
	steps float64
}

type normalized struct {
	scale float64 // greatest |x|
	sum   float64 // of squared gradients
}

// NewNormalized returns the optimizer for n columns.
func NewNormalized(n int, rate float64) *Normalized {
	return &Normalized{Rate: rate, cells: make([]normalized, n)}
}

// Prepare takes in the inputs x of the columns index of an example, before it is scored for learning: a weight whose column has a
// greatest input now is multiplied by the old one over the new one.
func (o *Normalized) Prepare(index []uint32, x, w []float64) {
	o.steps++
	for j, v := range x {
		a := math.Abs(v)
		if a == 0 {
			continue
		}
		c := &o.cells[column(index, j)]
		if a > c.scale {
			w[j] *= c.scale / a
			c.scale = a
		}
		q := a / c.scale
		o.total += float64(q * q)
	}
}

// Rates takes in the gradient by the score and writes rate·x of every entry into dst. It returns Σ rate·x²: how fast the score moves
// along a gradient of 1. Call it after Prepare of the same example.
func (o *Normalized) Rates(dst []float64, index []uint32, x []float64, gradient float64) float64 {
	all := 0.0
	if o.total > 0 {
		all = o.Rate * math.Sqrt(o.steps/o.total)
	}
	power := 0.0
	for j, v := range x {
		c := &o.cells[column(index, j)]
		g := gradient * v
		c.sum += float64(g * g)
		dst[j] = 0
		if c.sum > 0 && c.scale > 0 {
			dst[j] = all / (math.Sqrt(c.sum) * c.scale) * v
		}
		power += float64(dst[j] * v)
	}
	return power
}

// Step is a plain step of inputs 1.
func (o *Normalized) Step(dst []float64, index []uint32, grad, _ []float64) {
	o.steps++
	for j := range grad {
		c := &o.cells[column(index, j)]
		c.scale = max(c.scale, 1)
		o.total += 1 / float64(c.scale*c.scale)
	}
	all := o.Rate * math.Sqrt(o.steps/o.total)
	for j, g := range grad {
		c := &o.cells[column(index, j)]
		c.sum += float64(g * g)
		dst[j] = 0
		if c.sum > 0 {
			dst[j] = -all / (math.Sqrt(c.sum) * c.scale) * g
		}
	}
}

// Proportional is true.
func (o *Normalized) Proportional() bool { return true }

// State visits the counts and the columns.
func (o *Normalized) State(s *codec.State) {
	s.Float64(&o.total)
	s.Float64(&o.steps)
	if !(o.total >= 0 && o.steps >= 0) {
		s.Fail("normalized: counts %v and %v", o.total, o.steps)
		o.total, o.steps = 0, 0
	}
	s.Fixed("number of columns of the optimizer", len(o.cells))
	for i := range o.cells {
		s.Float64(&o.cells[i].scale)
		s.Float64(&o.cells[i].sum)
	}
}
