package optim

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Block is an optimizer over the weights of a net, which lie in one flat slice: it moves all of them in one pass, without a call for
// each. RMSProp, SGD and Adam have passes of their own; the others go through Step.
type Block struct {
	opt   Optimizer
	steps []float64 // scratch of those that go through Step
}

// NewBlock returns the optimizer over blocks of n weights; opt must have been made for at least n columns, and is owned by the block from now on. It refuses
// optimizers whose weights are a function of their sums and begin at 0: they would throw away what a net was started with.
func NewBlock(opt Optimizer, n int) (*Block, error) {
	switch opt.(type) {
	case *FTRL, *Coin, *Normalized:
		return nil, fmt.Errorf("the weights of a net do not begin at 0, as this optimizer asks; use rmsprop, adam, adagrad, sgd, momentum, nesterov, adadelta, amsgrad or nadam")
	}
	b := &Block{opt: opt}
	switch opt.(type) {
	case *RMSProp, *Adam:
	default:
		b.steps = make([]float64, n)
	}
	return b, nil
}

// BuildBlock makes the optimizer of the parameter, for a block of n weights.
func BuildBlock(a models.Args, param string, env models.Env, n int) (*Block, error) {
	env.Schema = &features.Schema{Columns: make([]features.Column, max(0, n-1))}
	opt, err := Build(a, param, env)
	if err != nil {
		return nil, err
	}
	b, err := NewBlock(opt, n)
	if err != nil {
		return nil, models.SpecErrors{{Path: param, Reason: err.Error()}}
	}
	return b, nil
}

// Move moves every weight of the block by one step against its gradient times scale, and clears the gradients. The slices have one length and do not overlap.
func (b *Block) Move(w, grad []float64, scale float64) {
	if scale != 1 {
		for j := range grad {
			grad[j] *= scale
		}
	}
	switch o := b.opt.(type) {
	case *RMSProp:
		rate := o.At(o.steps)
		o.steps++
		rmsMove(w, grad, o.mean[:len(w)], rate, o.Discount, o.Epsilon)
	case *Adam:
		o.move(w, grad)
	default:
		o.Step(b.steps, nil, grad, w)
		for j, d := range b.steps {
			w[j] += d
		}
		clear(grad)
	}
}

// State visits what the optimizer remembers.
func (b *Block) State(s *codec.State) { b.opt.State(s) }

// rmsMovePlain is Step of RMSProp over a whole block: what rmsMove does everywhere but on amd64, and there for what is left over.
func rmsMovePlain(w, grad, mean []float64, rate, discount, epsilon float64) {
	grad, mean = grad[:len(w)], mean[:len(w)]
	fresh := 1 - discount
	for j, g := range grad {
		if g == 0 {
			continue
		}
		grad[j] = 0
		e := float64(discount*mean[j]) + float64(fresh*float64(g*g))
		mean[j] = e
		w[j] -= float64(rate*g) / (math.Sqrt(e) + epsilon)
	}
}

// move is Step over a whole block.
func (o *Adam) move(w, grad []float64) {
	rate := o.At(o.steps)
	o.steps++
	o.p1 *= o.Beta1
	o.p2 *= o.Beta2
	c1, c2 := 1/(1-o.p1), 1/(1-o.p2)
	ms, vs := o.m[:len(w)], o.v[:len(w)]
	for j, g := range grad[:len(w)] {
		grad[j] = 0
		m := float64(o.Beta1*ms[j]) + float64((1-o.Beta1)*g)
		v := float64(o.Beta2*vs[j]) + float64((1-o.Beta2)*float64(g*g))
		ms[j], vs[j] = m, v
		w[j] -= rate * float64(m*c1) / (math.Sqrt(float64(v*c2)) + o.Epsilon)
	}
}
