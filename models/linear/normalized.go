package linear

import (
	"math"

	"github.com/freshet-ml/freshet/models/loss"
)

// normalized takes an invariant step of the normalised adaptive gradient (see optim.Normalized) on the row that begin was called
// with: the score follows the gradient of l, without ever passing the label.
func (m *scorer) normalized(y, weight float64, l loss.Loss) {
	n := m.spread()
	p := m.prepare(n)
	g := max(-maxGradient, min(maxGradient, l.Gradient(p, y)))
	power := m.powers(n, g)
	m.move(n, power, loss.Flow(l, p, y, weight*power))
}

// normalizedBy is normalized with a derivative, the weight of the example in it, and a limit of the move.
func (m *scorer) normalizedBy(derivative, reach float64) {
	n := m.spread()
	m.prepare(n)
	derivative = max(-maxGradient, min(maxGradient, derivative))
	power := m.powers(n, derivative)
	m.move(n, power, max(-reach, min(reach, -derivative*power)))
}

// spread adds the intercept to the entries of the row, if the optimizer learns it, and returns their number.
func (m *scorer) spread() int {
	n := m.n
	if m.fit && m.biasRate == 0 {
		m.index[n], m.x[n], m.old[n] = uint32(len(m.w)), 1, m.bias
		n++
	}
	m.d = grow(m.d, n)
	return n
}

// prepare rescales the weights and returns the score that they give.
func (m *scorer) prepare(n int) float64 {
	m.norm.Prepare(m.index[:n], m.x[:n], m.old[:n])
	p := 0.0
	if n == m.n {
		p = m.bias
	}
	for j, w := range m.old[:n] {
		p += float64(w * m.x[j])
	}
	return finite(p, m.bias)
}

func (m *scorer) powers(n int, g float64) float64 {
	power := m.norm.Rates(m.d, m.index[:n], m.x[:n], g)
	if m.fit && m.biasRate > 0 {
		power += m.biasRate
	}
	return power
}

// move moves the score by so much in all: each weight by its share of power.
func (m *scorer) move(n int, power, move float64) {
	factor := 0.0
	if power > 0 {
		factor = finite(move/power, 0)
	}
	biasStep := 0.0
	switch {
	case n > m.n:
		biasStep = m.old[m.n] + float64(factor*m.d[m.n]) - m.bias
	case m.fit:
		biasStep = factor * m.biasRate
	}
	for j, i := range m.index[:m.n] {
		next := m.old[j] + float64(factor*m.d[j])
		if m.l2 > 0 && m.x[j] != 0 {
			next /= 1 + float64(m.l2*math.Abs(m.d[j]/m.x[j]))
		}
		m.d[j] = finite(next-m.w[i], 0)
		m.w[i] += m.d[j]
	}
	m.bias += biasStep
	if m.lag != nil {
		m.follow(1, biasStep)
	}
}
