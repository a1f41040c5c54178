package neural

import "math"

// layerNorm centres and scales the numbers of one layer by their own mean and deviation, then by a gain and a bias of each (Ba, Kiros
// and Hinton 2016, §3). Unlike batch normalisation it needs no other examples.
type layerNorm struct {
	n          int
	gain, bias span
}

// normEpsilon is added to the variance.
const normEpsilon = 1e-5

func newLayerNorm(l *layout, n int) layerNorm {
	return layerNorm{n: n, gain: l.take(n, constantly(1)), bias: l.take(n, nil)}
}

// forward writes the normalised x into hat and gain·hat + bias into y, and returns 1/deviation: backward needs hat and it. y may be x.
func (n *layerNorm) forward(w, x, y, hat []float64) (inverse float64) {
	mean, square := 0.0, 0.0
	for _, v := range x {
		mean += v
	}
	mean /= float64(n.n)
	for _, v := range x {
		d := v - mean
		square += float64(d * d)
	}
	inverse = 1 / math.Sqrt(square/float64(n.n)+normEpsilon)
	gain, bias := n.gain.of(w), n.bias.of(w)
	for i, v := range x {
		h := float64((v - mean) * inverse)
		hat[i] = h
		y[i] = float64(gain[i]*h) + bias[i]
	}
	return inverse
}

// backward turns the derivatives dy by its outputs into those by its inputs, in place.
func (n *layerNorm) backward(w, g, hat []float64, inverse float64, dy []float64) {
	gain, gg, gb := n.gain.of(w), n.gain.of(g), n.bias.of(g)
	mean, along := 0.0, 0.0
	for i, d := range dy {
		gg[i] += float64(d * hat[i])
		gb[i] += d
		d = float64(d * gain[i])
		dy[i] = d
		mean += d
		along += float64(d * hat[i])
	}
	mean /= float64(n.n)
	along /= float64(n.n)
	for i, d := range dy {
		dy[i] = float64(inverse * (d - mean - float64(hat[i]*along)))
	}
}
