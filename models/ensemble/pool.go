package ensemble

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/loss"
)

// pool combines answers with exponents that are learned. Of probabilities it is the logarithmic opinion pool (Genest and Zidek 1986, section 3;
// weights by gradient steps on the log-loss: Hinton 2002), p_j ∝ e^(b_j) · Π_i p_ij^(a_i): unlike a weighted mean it can be surer than any of
// its experts, less sure than all of them, and hold what one says against another. Of numbers it is the first one plus a_i times the distance of each other
// one from it. It begins as the first of its inputs.
type pool struct {
	a, sums   []float64 // by input, with discounted squared gradients (adagrad)
	b, biases []float64 // by number of an answer
	loss      float64   // discounted
	trial     float64   // sum of losses since the last trial
}

const (
	poolRate     = 0.02
	poolDiscount = 0.99999
	lossDiscount = 0.9998
	maxExponent  = 20
)

func newPool(inputs, k int) pool {
	p := pool{a: make([]float64, inputs), sums: make([]float64, inputs), b: make([]float64, k), biases: make([]float64, k)}
	p.a[0] = 1
	for i := range p.sums {
		p.sums[i] = 1
	}
	for j := range p.biases {
		p.biases[j] = 1
	}
	return p
}

// inputs are what a pool combines: rows of k numbers, the first of which the others are measured by.
type inputs struct {
	first  []float64
	others []float64
	k      int
}

func (in inputs) row(i int) []float64 {
	if i == 0 {
		return in.first
	}
	return in.others[(i-1)*in.k : i*in.k]
}

// shape is what an input counts as: a logit, a logarithm, or a distance in standard deviations of the labels.
func (m *mixture) shape(in inputs, i, j int) float64 {
	x := in.row(i)[j]
	switch {
	case m.task == models.Multiclass:
		return math.Log(max(floor, x))
	case m.task == models.Binary:
		return loss.Logit(x, floor)
	case i == 0:
		return m.labels.standard(x)
	case x != x: // nothing remembered yet
		return 0
	}
	return (x - in.first[0]) / m.labels.deviation()
}

// pooled writes the pooled answer to dst, of length k.
func (m *mixture) pooled(p *pool, dst []float64, in inputs) {
	most := math.Inf(-1)
	for j := range dst {
		z := p.b[j]
		for i, a := range p.a {
			if a != 0 {
				z += float64(a * m.shape(in, i, j))
			}
		}
		dst[j], most = z, max(most, z)
	}
	switch m.task {
	case models.Regression:
		dst[0] = m.labels.bound(m.labels.raw(dst[0]))
	case models.Binary:
		dst[0] = max(floor, min(1-floor, loss.Sigmoid(dst[0])))
	default:
		sum := 0.0
		for j, z := range dst {
			dst[j] = math.Exp(z - most)
			sum += dst[j]
		}
		for j := range dst {
			dst[j] = max(floor, dst[j]/sum)
		}
	}
}

// teach takes one step on the log-loss (regression: on Huber's loss in units of the mixture's error). scratch has length 2k.
func (m *mixture) teach(p *pool, in inputs, y, weight float64, scratch []float64) {
	now, slope := scratch[:m.k], scratch[m.k:2*m.k]
	m.pooled(p, now, in)
	value := m.cost(y, now)
	p.loss = float64(lossDiscount*p.loss) + float64(weight*value)
	p.trial += weight * value
	copy(slope, now)
	switch m.task {
	case models.Regression:
		slope[0] = max(-3, min(3, (now[0]-y)/m.labels.error()))
	case models.Binary:
		slope[0] -= min(1, max(0, math.Round(y)))
	default:
		slope[int(y)]--
	}
	weight = min(weight, 100)
	for i := range p.a {
		g := 0.0
		for j, d := range slope {
			g += float64(d * m.shape(in, i, j))
		}
		g *= weight
		p.sums[i] = float64(poolDiscount*p.sums[i]) + float64(g*g)
		p.a[i] = max(-maxExponent, min(maxExponent, p.a[i]-poolRate*g/math.Sqrt(p.sums[i])))
	}
	unit := 1.0
	if m.task == models.Regression {
		unit = m.labels.error() / m.labels.deviation()
	}
	for j, d := range slope {
		g := weight * d
		p.biases[j] = float64(poolDiscount*p.biases[j]) + float64(g*g)
		p.b[j] = max(-maxExponent, min(maxExponent, p.b[j]-poolRate*unit*g/math.Sqrt(p.biases[j])))
	}
}

// state visits exponents and losses.
func (p *pool) state(s *codec.State) {
	for _, list := range [][]float64{p.a, p.b} {
		for i := range list {
			if s.Float64(&list[i]); !(math.Abs(list[i]) <= maxExponent) {
				s.Fail("exponent %v", list[i])
				list[i] = 0
			}
		}
	}
	for _, list := range [][]float64{p.sums, p.biases} {
		for i := range list {
			if s.Float64(&list[i]); !(list[i] > 0) || math.IsInf(list[i], 1) {
				s.Fail("squared gradients %v", list[i])
				list[i] = 1
			}
		}
	}
	for _, v := range []*float64{&p.loss, &p.trial} {
		if s.Float64(v); !finite(*v) {
			s.Fail("loss %v", *v)
			*v = 0
		}
	}
}

func finite(x float64) bool { return x-x == 0 }
