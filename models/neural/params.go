package neural

import (
	"math"

	"gonum.org/v1/gonum/blas/gonum"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models/optim"
)

// kernels are gonum's products of matrices and vectors: measured faster than loops of ours from 16 wide on (docs/adr/0011-neural-kernels.md).
var kernels gonum.Implementation

// span is where the weights of a layer lie in the flat weights of its net.
type span struct{ at, n int }

// of returns the layer's part of w.
func (s span) of(w []float64) []float64 { return w[s.at : s.at+s.n : s.at+s.n] }

// layout deals out spans while the layers of a net are made, and remembers how each begins.
type layout struct {
	n      int
	starts []start
}

// start fills the weights of a span when a net is made; nil leaves them at 0.
type start struct {
	span
	fill func(w []float64, r *draws)
}

// take returns a span of n weights that begin as fill writes them.
func (l *layout) take(n int, fill func(w []float64, r *draws)) span {
	s := span{l.n, n}
	l.n += n
	if fill != nil {
		l.starts = append(l.starts, start{s, fill})
	}
	return s
}

// draws is a stream of random numbers that is a function of its seed (splitmix64, Steele et al. 2014).
type draws struct{ seed, n uint64 }

const golden = 0x9e3779b97f4a7c15

func (r *draws) next() uint64 {
	r.n++
	return features.Mix(r.seed + r.n*golden)
}

// unit draws from [0, 1).
func (r *draws) unit() float64 { return unit(r.next()) }

func unit(bits uint64) float64 { return float64(bits>>11) / (1 << 53) }

// uniform fills w with draws from ±bound.
func uniform(bound float64) func(w []float64, r *draws) {
	return func(w []float64, r *draws) {
		for i := range w {
			w[i] = float64(bound * (float64(2*r.unit()) - 1))
		}
	}
}

// constantly fills w with v.
func constantly(v float64) func(w []float64, r *draws) {
	return func(w []float64, _ *draws) {
		for i := range w {
			w[i] = v
		}
	}
}

// params are the weights of a net, their derivatives, and the optimizer. They belong to one goroutine.
type params struct {
	w     []float64
	g     []float64 // derivatives of the loss, added up since the last move
	block *optim.Block
}

// newParams makes the weights of a layout; the optimizer is for at least l.n weights.
func newParams(l *layout, seed uint64, block *optim.Block) *params {
	p := &params{w: make([]float64, l.n), g: make([]float64, l.n), block: block}
	r := draws{seed: features.Mix(seed ^ 0x6e6575726f6e73)}
	for _, s := range l.starts {
		s.fill(s.of(p.w), &r)
	}
	return p
}

// square is the squared norm of the derivatives.
func (p *params) square() float64 {
	return kernels.Ddot(len(p.g), p.g, 1, p.g, 1)
}

// move takes one step against scale times the derivatives, and clears them.
func (p *params) move(scale float64) { p.block.Move(p.w, p.g, scale) }

// state visits weights and optimizer.
func (p *params) state(s *codec.State) {
	finiteState(s, "weights of the net", p.w)
	p.block.State(s)
	if s.Loading() {
		clear(p.g)
	}
}

// finiteState visits numbers whose count is fixed and which must be finite.
func finiteState(s *codec.State, name string, v []float64) {
	s.Fixed(name, len(v))
	bad := false
	for i := range v {
		s.Float64(&v[i])
		bad = bad || !finite(v[i])
	}
	if bad && s.Loading() {
		s.Fail("%s are not finite", name)
		clear(v)
	}
}

func finite(x float64) bool { return math.Abs(x) <= math.MaxFloat64 }

// allFinite reports whether a sum over the numbers is finite, which it is not if one of them is not.
func allFinite(v []float64) bool {
	sum := 0.0
	for _, x := range v {
		sum += float64(x * 0)
	}
	return sum == 0
}
