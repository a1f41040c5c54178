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

// recurrentBound is that of the weights from a hidden state of n numbers to itself.
func recurrentBound(n int) float64 { return 1 / math.Sqrt(float64(n)) }

// slab returns n slices of size numbers each, in one block of memory.
func slab(n, size int) [][]float64 {
	block, out := make([]float64, n*size), make([][]float64, n)
	for i := range out {
		out[i] = block[i*size : (i+1)*size : (i+1)*size]
	}
	return out
}
