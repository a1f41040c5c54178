package neural

import (
	"math"

	"gonum.org/v1/gonum/blas"
)

// dense is y = b + xW: in inputs, out outputs. W has one row of out weights for each input, so that both passes walk it in order.
// Cost: in·out products forward, twice that backward.
type dense struct {
	in, out int
	w, b    span
}

// newDense takes a dense layer whose weights begin within ±bound and whose biases begin at 0.
func newDense(l *layout, in, out int, bound float64) dense {
	var fill func(w []float64, r *draws)
	if bound > 0 {
		fill = uniform(bound)
	}
	return dense{in: in, out: out, w: l.take(in*out, fill), b: l.take(out, nil)}
}

// heBound keeps the variance of activations through layers of rectifiers (He et al. 2015, equation 10, as a uniform distribution).
func heBound(in int) float64 { return math.Sqrt(6 / float64(max(1, in))) }

// glorotBound is that of saturating activations (Glorot and Bengio 2010, equation 16).
func glorotBound(in, out int) float64 { return math.Sqrt(6 / float64(max(1, in+out))) }

// forward writes b + xW into y.
func (d *dense) forward(w, x, y []float64) {
	copy(y[:d.out], d.b.of(w))
	if d.in == 0 || d.out == 0 {
		return
	}
	kernels.Dgemv(blas.Trans, d.in, d.out, 1, d.w.of(w), d.out, x, 1, 1, y, 1)
}

// backward adds the derivatives of the weights to g and writes those of the first len(dx) inputs into dx; with keep it adds them to
// what stands there.
func (d *dense) backward(w, g, x, dy, dx []float64, keep bool) {
	if d.out == 0 {
		return
	}
	kernels.Dger(d.in, d.out, 1, x, 1, dy, 1, d.w.of(g), d.out)
	gb := d.b.of(g)
	for j, v := range dy[:d.out] {
		gb[j] += v
	}
	beta := 0.0
	if keep {
		beta = 1
	}
	if len(dx) > 0 {
		kernels.Dgemv(blas.NoTrans, len(dx), d.out, 1, d.w.of(w), d.out, dy, 1, beta, dx, 1)
	}
}
