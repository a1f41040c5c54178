package neural

import (
	"math"

	"github.com/freshet-ml/freshet/models/loss"
)

// activation is what a layer's sums go through, each by itself.
type activation uint8

const (
	leakyRelu activation = iota // x, or .01·x below 0 (Maas, Hannun and Ng 2013): no unit dies
	relu                        // max(0, x) (Nair and Hinton 2010)
	tanh
	sigmoid
	gelu // x·Φ(x) (Hendrycks and Gimpel 2016), exactly
	identity
)

var activationNames = []string{"leaky_relu", "relu", "tanh", "sigmoid", "gelu"}

func parseActivation(name string) activation {
	for i, n := range activationNames {
		if n == name {
			return activation(i)
		}
	}
	panic("neural: no activation " + name)
}

const leak = 0.01

// bound is that of the weights before the activation.
func (a activation) bound(in, out int) float64 {
	if a == tanh || a == sigmoid {
		return glorotBound(in, out)
	}
	return heBound(in)
}

// apply writes the activations of z into y, which may be z.
func (a activation) apply(y, z []float64) {
	y = y[:len(z)]
	switch a {
	case leakyRelu:
		for i, v := range z {
			y[i] = max(v, float64(leak*v))
		}
	case relu:
		for i, v := range z {
			y[i] = max(v, 0)
		}
	case tanh:
		for i, v := range z {
			y[i] = math.Tanh(v)
		}
	case sigmoid:
		for i, v := range z {
			y[i] = loss.FastSigmoid(v)
		}
	case gelu:
		for i, v := range z {
			y[i] = float64(v * normal(v))
		}
	default:
		copy(y, z)
	}
}

// slope multiplies dy by the derivatives of the activation, which had the inputs z and the outputs y.
func (a activation) slope(dy, z, y []float64) {
	z, y = z[:len(dy)], y[:len(dy)]
	switch a {
	case leakyRelu:
		for i, v := range z {
			if v < 0 {
				dy[i] *= leak
			}
		}
	case relu:
		for i, v := range z {
			if v <= 0 {
				dy[i] = 0
			}
		}
	case tanh:
		for i, v := range y {
			dy[i] *= 1 - float64(v*v)
		}
	case sigmoid:
		for i, v := range y {
			dy[i] *= float64(v * (1 - v))
		}
	case gelu:
		for i, v := range z {
			dy[i] *= normal(v) + float64(v*math.Exp(-0.5*v*v))/math.Sqrt(2*math.Pi)
		}
	}
}

// normal is Φ, the distribution of a standard normal number.
func normal(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }
