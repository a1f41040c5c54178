package ensemble

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// floor keeps probabilities away from 0 and 1, so that one sure mistake costs an expert a bounded part
// of its weight and logits stay finite.
const floor = 1e-6

// mixture combines experts. Three answers stand one on the other: a weighted mean (fixed share), which finds the best expert fast; a pool of that mean, of
// the experts and of the newest labels, which can be better than all; and its calibration. Each is used while it does better than the one below.
//
// Experts after the first `light` ones are dear. They are kept while the pool of all has a loss at least keepGain below that of the pool of the light ones, judged every
// trialLabels labels; else they are dropped for good, and their memory with them.
type mixture struct {
	task      models.Task
	k         int // numbers of an answer
	share     float64
	rate      float64 // of the weights: they fall by e^(−rate·loss)
	early     float64 // the rate at the first label, which falls to rate as labels come
	calibrate bool
	experts   []expert
	light     int
	weights   []float64 // sum 1
	n         float64   // labels
	mean      float64   // discounted loss of the weighted mean
	all, some pool      // of all experts, and of the light ones while there are others
	recent    []float64 // by memory: shares of the classes, or the mean, of the newest labels
	bins      calibration
	labels    labels // regression
	scratch   []float64
	given     int          // dear experts that were given up
	gone      models.Drops // their counts
}

type expert struct {
	learner   models.Learner // nil in a snapshot
	predictor models.Predictor
	encoded   bool // sees encoded rows and standardised labels
}

const (
	trialLabels = 8192
	keepGain    = 0.01
	earlyLabels = 200.0
)

// memories are how much of the newest labels is kept at each further one. What they are is known by the labels that have come, as under label delay.
func (m *mixture) memories() []float64 {
	if m.task == models.Regression {
		return []float64{0, 0.8}
	}
	return []float64{0.5, 0.8, 0.95}
}

// ready makes what depends on the number of experts, once they are known.
func (m *mixture) ready() {
	n := len(m.experts)
	m.weights = make([]float64, n)
	for i := range m.weights {
		m.weights[i] = 1 / float64(n)
	}
	past := len(m.memories())
	m.recent = make([]float64, past*m.k)
	for i := range m.recent {
		switch m.task {
		case models.Regression:
			m.recent[i] = math.NaN()
		case models.Binary:
			m.recent[i] = 0.5
		default:
			m.recent[i] = 1 / float64(m.k)
		}
	}
	m.all = newPool(1+past+n, m.k)
	if m.light < n {
		m.some = newPool(1+past+m.light, m.k)
	}
	m.scratch = make([]float64, 3*m.k)
}

// pick returns the example that the expert sees.
func (m *mixture) pick(i int, raw, encoded *models.Example) *models.Example {
	if m.experts[i].encoded {
		return encoded
	}
	return raw
}

// head is how many numbers stand before those of the experts: answer, weighted mean, what is calibrated, and the newest labels.
func (m *mixture) head() int { return 3*m.k + len(m.recent) }

// parts are the weighted mean, what was calibrated, and the inputs of the pool after the first, of an answer.
func (m *mixture) parts(past []float64) (mixed, used, others []float64) {
	return past[m.k : 2*m.k], past[2*m.k : 3*m.k], past[3*m.k:]
}

// predict appends answer, weighted mean, what is calibrated, the newest labels and the experts' answers.
func (m *mixture) predict(dst []float64, raw, encoded *models.Example) []float64 {
	head := len(dst)
	for range 3 * m.k {
		dst = append(dst, 0)
	}
	dst = append(dst, m.recent...)
	for i := range m.experts {
		at := len(dst)
		dst = m.experts[i].predictor.Predict(dst, m.pick(i, raw, encoded))[:at+m.k]
		m.sane(dst[at:], m.experts[i].encoded)
	}
	mixed, used, others := m.parts(dst[head:])
	m.average(mixed, others[len(m.recent):], len(m.experts))
	if copy(used, mixed); m.all.loss <= m.mean {
		m.pooled(&m.all, used, inputs{mixed, others, m.k})
	}
	answer := dst[head : head+m.k]
	if copy(answer, used); m.calibrate {
		answer[0] = m.bins.answer(used[0])
	}
	return dst
}

// average writes the mean of the first n experts' answers, weighted.
func (m *mixture) average(dst, answers []float64, n int) {
	clear(dst)
	sum := 0.0
	for i, w := range m.weights[:n] {
		sum += w
		for j := range dst {
			dst[j] += float64(w * answers[i*m.k+j])
		}
	}
	for j := range dst {
		dst[j] /= sum
	}
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

// weigh updates all that combines by the answers that were given. Each weight is multiplied by e^(−loss·rate), then all give share of
// theirs, dealt out evenly (Herbster and Warmuth 1998, the fixed-share update).
func (m *mixture) weigh(y, weight float64, past []float64) {
	mixed, used, others := m.parts(past)
	if m.task == models.Regression {
		m.labels.residual(y-past[0], weight)
	} else if m.task == models.Multiclass && !(y >= 0 && int(y) < m.k) {
		return
	}
	if m.calibrate {
		m.bins.learn(used[0], min(1, max(0, math.Round(y))), weight)
	}
	m.mean = float64(lossDiscount*m.mean) + float64(weight*m.cost(y, mixed))
	m.teach(&m.all, inputs{mixed, others, m.k}, y, weight, m.scratch)
	answers := others[len(m.recent):]
	if m.light < len(m.experts) {
		first := m.scratch[2*m.k:]
		m.average(first, answers, m.light)
		m.teach(&m.some, inputs{first, others, m.k}, y, weight, m.scratch)
	}
	rate := max(m.rate, m.early*earlyLabels/(earlyLabels+m.n))
	sum := 0.0
	for i := range m.weights {
		m.weights[i] *= math.Exp(-min(10, rate*weight*m.cost(y, answers[i*m.k:(i+1)*m.k])))
		sum += m.weights[i]
	}
	each := m.share / float64(len(m.weights))
	for i := range m.weights {
		m.weights[i] = float64((1-m.share)*(m.weights[i]/sum)) + each
	}
	m.remember(y)
	m.n++
	if m.light < len(m.experts) && math.Mod(m.n, trialLabels) == 0 {
		m.judge()
	}
}

// remember takes a label into the newest ones.
func (m *mixture) remember(y float64) {
	for i, keep := range m.memories() {
		row := m.recent[i*m.k : (i+1)*m.k]
		switch {
		case m.task == models.Regression && row[0] != row[0]:
			row[0] = m.labels.bound(y)
		case m.task == models.Multiclass:
			for j := range row {
				row[j] *= keep
			}
			row[int(y)] += 1 - keep
		default:
			row[0] = float64(keep*row[0]) + float64((1-keep)*y)
		}
	}
}

// judge drops the dear experts if they do not pay.
func (m *mixture) judge() {
	if m.all.trial <= (1-keepGain)*m.some.trial {
		m.all.trial, m.some.trial = 0, 0
		return
	}
	m.drop()
}

// drop goes on with the light experts alone.
func (m *mixture) drop() {
	for _, x := range m.experts[m.light:] {
		m.gone.Of(x.learner)
	}
	m.given = len(m.experts) - m.light
	m.experts = m.experts[:m.light:m.light]
	m.weights = m.weights[:m.light:m.light]
	sum := 0.0
	for _, w := range m.weights {
		sum += w
	}
	for i := range m.weights {
		m.weights[i] /= sum
	}
	m.all, m.some = m.some, pool{}
}

// expertsDropped is the name of what is counted.
const expertsDropped = "experts_dropped"

func (m *mixture) dropped(d *models.Drops) {
	d.Add(expertsDropped, uint64(m.given))
	d.Of(m.gone)
	for i := range m.experts {
		d.Of(m.experts[i].learner)
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

// freeze gives a copy of the mixture memory of its own for all that an answer depends on.
func (m *mixture) freeze() {
	m.weights, m.experts, m.recent = slices.Clone(m.weights), slices.Clone(m.experts), slices.Clone(m.recent)
	m.all.a, m.all.b = slices.Clone(m.all.a), slices.Clone(m.all.b)
	m.all.sums, m.all.biases, m.some, m.scratch = nil, nil, pool{}, nil
}

// state visits the counts of experts that were given up, experts, weights, pools, calibration and labels.
func (m *mixture) state(s *codec.State) {
	n := s.Len(len(m.experts), 0, len(m.experts))
	if s.Loading() && n != len(m.experts) {
		if n != m.light {
			s.Fail("%d experts, of %d", n, len(m.experts))
			return
		}
		m.drop()
	}
	if m.given > 0 {
		m.gone.State(s)
	}
	for i := range m.experts {
		m.experts[i].learner.State(s)
	}
	sum := 0.0
	for i := range m.weights {
		s.Float64(&m.weights[i])
		if w := m.weights[i]; !(w >= 0 && w <= 1) {
			s.Fail("weight %v of expert %d", w, i)
			m.weights[i] = 0
		}
		sum += m.weights[i]
	}
	if s.Loading() && !(sum > 0.5) {
		s.Fail("weights of sum %v", sum)
		m.weights[0] = 1
	}
	for _, v := range []*float64{&m.n, &m.mean} {
		if s.Float64(v); !finite(*v) {
			s.Fail("mixture: %v", *v)
			*v = 0
		}
	}
	m.all.state(s)
	if m.light < len(m.experts) {
		m.some.state(s)
	}
	for i := range m.recent {
		v := &m.recent[i]
		if s.Float64(v); m.task != models.Regression && !(*v >= 0 && *v <= 1) || math.IsInf(*v, 0) {
			s.Fail("newest labels: %v", *v)
			*v = 0
		}
	}
	m.bins.state(s)
	for _, v := range []*float64{&m.labels.n, &m.labels.mean, &m.labels.m2, &m.labels.lo, &m.labels.hi, &m.labels.errorSum, &m.labels.errorN} {
		s.Float64(v)
	}
}

// labels are the running moments and range of the labels of a regression, and the mixture's own error.
type labels struct {
	n, mean, m2      float64
	lo, hi           float64
	errorSum, errorN float64 // discounted squared error of the mixture
}

const (
	maxLabel      = 1e100
	errorDiscount = 0.98
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

// error is the mixture's recent error, root mean squared; the labels' deviation before there is one.
func (l *labels) error() float64 {
	if !(l.errorSum > 0) {
		return l.deviation()
	}
	return math.Sqrt(l.errorSum / l.errorN)
}
