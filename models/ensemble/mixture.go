package ensemble

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/loss"
)

// floor keeps probabilities away from 0 and 1, so that one sure mistake costs an expert a bounded part
// of its weight and logits stay finite.
const floor = 1e-6

// mixture weighs experts by fixed share.
type mixture struct {
	task      models.Task
	k         int // numbers of an answer
	share     float64
	rate      float64 // of the weights: they fall by e^(−rate·loss)
	calibrate bool
	experts   []expert
	weights   []float64 // sum 1
	platt     platt
	labels    labels // regression
}

type expert struct {
	learner   models.Learner // nil in a snapshot
	predictor models.Predictor
	encoded   bool // sees encoded rows and standardised labels
}

// pick returns the example that the expert sees.
func (m *mixture) pick(i int, raw, encoded *models.Example) *models.Example {
	if m.experts[i].encoded {
		return encoded
	}
	return raw
}

// predict appends answer, mixture and experts' answers, k numbers each.
func (m *mixture) predict(dst []float64, raw, encoded *models.Example) []float64 {
	head := len(dst)
	for range 2 * m.k {
		dst = append(dst, 0)
	}
	for i := range m.experts {
		at := len(dst)
		dst = m.experts[i].predictor.Predict(dst, m.pick(i, raw, encoded))[:at+m.k]
		m.sane(dst[at:], m.experts[i].encoded)
	}
	mixed, answers := dst[head+m.k:head+2*m.k], dst[head+2*m.k:]
	for i, w := range m.weights {
		for j := range mixed {
			mixed[j] += float64(w * answers[i*m.k+j])
		}
	}
	copy(dst[head:head+m.k], mixed)
	if m.calibrate {
		dst[head] = m.platt.bend(mixed[0])
	}
	return dst
}

// sane brings an expert's answer into the unit of the labels and into bounds.
func (m *mixture) sane(answer []float64, encoded bool) {
	if m.task == models.Regression {
		if encoded {
			answer[0] = m.labels.raw(answer[0])
		}
		answer[0] = m.labels.bound(answer[0])
		return
	}
	for j, p := range answer {
		if p != p {
			p = 1 / float64(max(2, m.k))
		}
		answer[j] = max(floor, min(1-floor, p))
	}
}

// weigh updates the weights and the calibration by the answers that were given. Each weight is
// multiplied by e^(−loss·weight), then all give share of theirs, dealt out evenly (Herbster and
// Warmuth 1998, the fixed-share update).
func (m *mixture) weigh(y, weight float64, past []float64) {
	answers := past[2*m.k:]
	if m.task == models.Regression {
		m.labels.residual(y-past[0], weight)
	} else if m.task == models.Multiclass && !(y >= 0 && int(y) < m.k) {
		return
	}
	sum := 0.0
	for i := range m.weights {
		m.weights[i] *= math.Exp(-min(10, m.rate*weight*m.cost(y, answers[i*m.k:(i+1)*m.k])))
		sum += m.weights[i]
	}
	each := m.share / float64(len(m.weights))
	for i := range m.weights {
		m.weights[i] = float64((1-m.share)*(m.weights[i]/sum)) + each
	}
	if m.calibrate {
		m.platt.learn(past[m.k], y, weight)
	}
}

// cost is the loss of one expert's answer, in nats.
func (m *mixture) cost(y float64, answer []float64) float64 {
	switch m.task {
	case models.Regression:
		return m.labels.cost(y - answer[0])
	case models.Multiclass:
		return -math.Log(max(floor, answer[int(y)]))
	}
	if y > 0.5 {
		return -math.Log(max(floor, answer[0]))
	}
	return -math.Log(max(floor, 1-answer[0]))
}

// state visits experts, weights, calibration and labels.
func (m *mixture) state(s *codec.State) {
	s.Fixed("number of experts", len(m.experts))
	for i := range m.experts {
		m.experts[i].learner.State(s)
	}
	for i := range m.weights {
		s.Float64(&m.weights[i])
		if w := m.weights[i]; !(w >= 0 && w <= 1) {
			s.Fail("weight %v of expert %d", w, i)
			m.weights[i] = 0
		}
	}
	for _, v := range []*float64{&m.platt.slope, &m.platt.shift, &m.platt.slopeSum, &m.platt.shiftSum} {
		s.Float64(v)
	}
	for _, v := range []*float64{&m.labels.n, &m.labels.mean, &m.labels.m2, &m.labels.lo, &m.labels.hi, &m.labels.errorSum, &m.labels.errorN} {
		s.Float64(v)
	}
}

// platt bends a probability on the logit scale: sigmoid(slope·logit(p) + shift).
type platt struct {
	slope, shift       float64
	slopeSum, shiftSum float64 // discounted squared gradients
}

const (
	plattRate     = 0.02
	plattDiscount = 0.9999
)

func (c *platt) bend(p float64) float64 {
	return loss.Sigmoid(float64(c.slope*loss.Logit(p, floor)) + c.shift)
}

// learn takes one adagrad step on the log-loss; the sums start at 1, so that it starts slowly.
func (c *platt) learn(p, y, weight float64) {
	z := loss.Logit(p, floor)
	g := loss.Sigmoid(float64(c.slope*z)+c.shift) - min(1, max(0, math.Round(y)))
	g *= min(weight, 100)
	gs := g * z
	c.slopeSum = float64(plattDiscount*c.slopeSum) + float64(gs*gs)
	c.shiftSum = float64(plattDiscount*c.shiftSum) + float64(g*g)
	c.slope -= plattRate * gs / math.Sqrt(1+c.slopeSum)
	c.shift -= plattRate * g / math.Sqrt(1+c.shiftSum)
	c.slope, c.shift = max(0.2, min(5, c.slope)), max(-3, min(3, c.shift))
}

// labels are the running moments and range of the labels of a regression, and the mixture's own error.
type labels struct {
	n, mean, m2      float64
	lo, hi           float64
	errorSum, errorN float64 // discounted squared error of the mixture
}

const (
	maxLabel      = 1e100
	errorDiscount = 0.999
)

func (l *labels) add(y float64) {
	y = max(-maxLabel, min(maxLabel, y))
	if l.n == 0 {
		l.lo, l.hi = y, y
	}
	l.lo, l.hi = min(l.lo, y), max(l.hi, y)
	l.n++
	d := y - l.mean
	l.mean += d / l.n
	l.m2 += float64(d * (y - l.mean))
}

func (l *labels) deviation() float64 {
	if l.n < 2 || !(l.m2 > 0) {
		return 1
	}
	return math.Sqrt(l.m2 / l.n)
}

func (l *labels) standard(y float64) float64 {
	return (max(-maxLabel, min(maxLabel, y)) - l.mean) / l.deviation()
}

func (l *labels) raw(z float64) float64 { return float64(z*l.deviation()) + l.mean }

// bound limits an answer to the range of the labels so far and its width beyond on either side.
func (l *labels) bound(p float64) float64 {
	if p != p {
		return l.mean
	}
	width := l.hi - l.lo
	return max(l.lo-width, min(l.hi+width, p))
}

func (l *labels) residual(d, weight float64) {
	weight = min(weight, 100)
	d = max(-maxLabel, min(maxLabel, d))
	l.errorSum = float64(errorDiscount*l.errorSum) + float64(weight*float64(d*d))
	l.errorN = float64(errorDiscount*l.errorN) + weight
}

// cost is the log-loss, up to a constant, of a Gaussian as wide as the mixture's recent error.
func (l *labels) cost(d float64) float64 {
	if !(l.errorSum > 0) {
		return 0
	}
	return min(10, float64(d*d)/(2*l.errorSum/l.errorN))
}
