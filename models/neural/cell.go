package neural

import (
	"math"

	"github.com/freshet-ml/freshet/models/loss"
)

// cell is one step of a recurrence: the hidden state before an event and the event's input give the hidden state after it. It is
// immutable: learner and snapshots share it. Its working memory belongs to one goroutine and keeps what the backward pass of
// each of the steps of a walk needs.
type cell interface {
	// size is how many numbers the hidden state has.
	size() int
	// memory is for walks of at most that many steps.
	memory(steps int) any
	// begin reads from the weights what all steps of a walk share.
	begin(w []float64, m any)
	// forward is step t: it writes the state after it into next.
	forward(w []float64, m any, t int, x, h, next []float64)
	// backward is step t backward: the derivatives by next are in dnext. It adds those of the weights to g, writes those of the state
	// before into dh, and those of the first len(dx) inputs into dx.
	backward(w, g []float64, m any, t int, x, h, next, dnext, dh, dx []float64)
	// end adds the derivatives of what begin read, after the last backward step.
	end(w, g []float64, m any)
}

// fastTanh is the hyperbolic tangent within 1e-15 of it, by the sigmoid: tanh x = 2σ(2x) − 1.
func fastTanh(x float64) float64 { return float64(2*loss.FastSigmoid(2*x)) - 1 }

// orthogonal fills a matrix of n rows and blocks·n columns with orthogonal matrices side by side, drawn at random: a state neither fades nor grows on
// its way through one, in either direction (Saxe, McClelland and Ganguli 2014, §4). Columns are made by Gram and Schmidt's process, twice for
// the sake of rounding.
func orthogonal(n, blocks int) func(w []float64, r *draws) {
	return func(w []float64, r *draws) {
		width := blocks * n
		for first := 0; first < width; first += n {
			for c := first; c < first+n; c++ {
				for i := range n {
					w[i*width+c] = float64(2*r.unit()) - 1
				}
				straighten(w, n, width, first, c)
				straighten(w, n, width, first, c)
			}
		}
	}
}

// straighten takes out of column c what lies along the columns from first on, and makes its length 1.
func straighten(w []float64, n, width, first, c int) {
	square := 0.0
	for o := first; o <= c; o++ {
		along := 0.0
		for i := range n {
			along += float64(w[i*width+o] * w[i*width+c])
		}
		if o == c {
			square = along
			break
		}
		for i := range n {
			w[i*width+c] -= float64(along * w[i*width+o])
		}
	}
	for i := range n {
		w[i*width+c] /= math.Sqrt(square)
	}
}

// slab returns n slices of size numbers each, in one block of memory.
func slab(n, size int) [][]float64 {
	block, out := make([]float64, n*size), make([][]float64, n)
	for i := range out {
		out[i] = block[i*size : (i+1)*size : (i+1)*size]
	}
	return out
}
