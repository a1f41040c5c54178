// Package linear holds linear models: any loss with any optimizer, on dense and sparse rows. In the
// flow it is the last stage of a pipeline, after a scaler.
//
// A missing value counts as 0: it adds nothing to the answer and its weight does not move. Behind a
// scaler that is the column's mean.
package linear

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/loss"
	"github.com/freshet-ml/freshet/models/optim"
)

const (
	maxInput    = 1e100 // greater inputs are taken as this, so that products stay finite
	maxGradient = 1e12  // greater derivatives of the loss are taken as this
)

// weights are one linear score: bias + Σ w_i x_i.
type weights struct {
	w    []float64 // one per column
	bias float64
	// With averaging, the mean of all weights so far is w − lag/steps.
	lag            []float64
	lagBias, steps float64
	fast           bool // the logistic loss by FastSigmoid: with plain steps, where the exponential is a large part of the cost
}

// probability returns the sigmoid of the score.
func (m *weights) probability(r *models.Row) float64 {
	if m.fast {
		return loss.FastSigmoid(m.score(r))
	}
	return loss.Sigmoid(m.answer(r))
}

// score returns the linear score of the row. Missing values and columns beyond the weights count as 0.
func (m *weights) score(r *models.Row) float64 {
	score, _, _ := m.survey(r)
	return score
}

// tame is a sum of squares up to which no input of it is missing or beyond maxInput.
const tame = 1e199

// survey returns the score, the sum of the squared inputs, and whether some are wild: missing or too great. Their squares tell, so that
// no input of a common row is looked at twice.
func (m *weights) survey(r *models.Row) (score, square float64, wild bool) {
	score = m.bias
	if r.Index == nil {
		v := r.Value[:min(len(r.Value), len(m.w))]
		w := m.w[:len(v)]
		for i, x := range v {
			score += float64(w[i] * x)
			square += float64(x * x)
		}
	} else {
		w, v := m.w, r.Value[:len(r.Index)]
		for j, i := range r.Index {
			if x := v[j]; uint(i) < uint(len(w)) {
				score += float64(w[i] * x)
				square += float64(x * x)
			}
		}
	}
	if !(square <= tame) {
		score, square = m.carefully(r)
		return finite(score, m.bias), square, true
	}
	return finite(score, m.bias), square, false
}

// carefully is survey of a row with wild inputs.
func (m *weights) carefully(r *models.Row) (score, square float64) {
	score = m.bias
	for j, x := range r.Value {
		i := j
		if r.Index != nil {
			i = int(r.Index[j])
		}
		if x != x || i >= len(m.w) {
			continue
		}
		x = clamp(x)
		score += float64(m.w[i] * x)
		square += float64(x * x)
	}
	return score, square
}

func clamp(x float64) float64 {
	if x > maxInput {
		return maxInput
	}
	if x < -maxInput {
		return -maxInput
	}
	return x
}

func finite(x, otherwise float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return otherwise
	}
	return x
}

// scorer learns one linear score by gradient steps.
//
// The guard: an update may move the score of its own example by no more than Reach of its loss and what
// the penalty asks for; otherwise every step of it is shortened by one factor. Unscaled or suddenly
// large inputs can thereby not make the model diverge, and updates that stay within are not touched. It
// applies to optimizers whose steps are proportional to the gradient; the others bound their steps
// themselves. An update that is not finite is left out.
type scorer struct {
	weights
	opt      optim.Optimizer
	plain    *optim.SGD        // opt, if its steps are −rate·gradient and nothing else is asked for; nil otherwise
	momentum *optim.Momentum   // opt, if it is one
	norm     *optim.Normalized // opt, if it is one
	l2       float64
	biasRate float64 // rate of the intercept; 0: the optimizer learns it as the last column
	fit      bool    // learn an intercept
	index    []uint32
	x, g, d  []float64 // scratch: inputs, gradients, steps
	old      []float64 // scratch: weights before
	n        int       // entries of the row in the scratch slices
}

// settings are what the models of this package share.
type settings struct {
	l2        float64
	intercept bool
	rate      float64
	average   bool
}

func newScorer(columns int, opt optim.Optimizer, s settings) scorer {
	m := scorer{weights: weights{w: make([]float64, columns)}, opt: opt, l2: s.l2, biasRate: s.rate, fit: s.intercept}
	switch o := opt.(type) {
	case *optim.SGD:
		if s.l2 == 0 && !s.average {
			m.plain = o
		}
	case *optim.Momentum:
		m.momentum = o
	case *optim.Normalized:
		m.norm = o
	}
	if s.average {
		m.lag = make([]float64, columns)
	}
	return m
}

// learn takes one step on the loss l of the row and the label.
func (m *scorer) learn(r *models.Row, y, weight float64, l loss.Loss) {
	if m.norm != nil {
		m.begin(r)
		m.normalized(y, weight, l)
		return
	}
	if m.plain == nil {
		p := m.begin(r)
		m.finish(weight*l.Gradient(p, y), l.Reach(p, y))
		return
	}
	p, square, wild := m.survey(r)
	derivative, reach := 0.0, 0.0
	if m.fast {
		derivative, reach = weight*(loss.FastSigmoid(p)-y), loss.Logistic{}.Reach(p, y)
	} else {
		derivative, reach = weight*l.Gradient(p, y), l.Reach(p, y)
	}
	if !m.stride(r, derivative, square, wild, reach) {
		m.begin(r)
		m.finish(derivative, reach)
	}
}

// stride takes a plain step where the guard surely lets it pass, and reports whether it did. It gives the bits that finish
// would: the move of the score is (rate · square + rate of the intercept) · derivative, up to rounding.
func (m *scorer) stride(r *models.Row, derivative, square float64, wild bool, reach float64) bool {
	if !(math.Abs(derivative) <= maxGradient) {
		return false
	}
	rate := m.plain.Next()
	bias := 0.0
	if m.fit {
		if bias = m.biasRate; bias == 0 {
			bias = rate
		}
	}
	if !(math.Abs(derivative)*(rate*square+bias)*(1+1e-6) <= reach) {
		return false
	}
	m.plain.Count()
	if m.fit {
		m.bias += float64(-bias * derivative)
	}
	if wild {
		m.shiftCarefully(r, -rate, derivative)
	} else {
		m.shift(r, -rate, derivative)
	}
	return true
}

// shift adds rate · derivative · x to the weights.
func (m *weights) shift(r *models.Row, rate, derivative float64) {
	if r.Index == nil {
		v := r.Value[:min(len(r.Value), len(m.w))]
		w := m.w[:len(v)]
		for i, x := range v {
			w[i] += float64(rate * (derivative * x))
		}
		return
	}
	w, v := m.w, r.Value[:len(r.Index)]
	for j, i := range r.Index {
		if x := v[j]; uint(i) < uint(len(w)) {
			w[i] += float64(rate * (derivative * x))
		}
	}
}

// shiftCarefully is shift of a row with wild inputs.
func (m *weights) shiftCarefully(r *models.Row, rate, derivative float64) {
	for j, x := range r.Value {
		i := j
		if r.Index != nil {
			i = int(r.Index[j])
		}
		if x == x && i < len(m.w) {
			m.w[i] += float64(rate * (derivative * clamp(x)))
		}
	}
}

// begin copies the present entries of the row and their weights into the scratch slices, for the step
// that follows, and returns the score.
func (m *scorer) begin(r *models.Row) float64 {
	n := len(r.Value)
	m.index, m.x, m.old = grow(m.index, n+1), grow(m.x, n+1), grow(m.old, n+1)
	index, xs, old, w := m.index, m.x, m.old, m.w
	k, sum := 0, m.bias
	if r.Index == nil {
		for i, x := range r.Value[:min(n, len(w))] {
			if x != x || x == 0 {
				continue
			}
			x = clamp(x)
			index[k], xs[k], old[k] = uint32(i), x, w[i]
			sum += float64(w[i] * x)
			k++
		}
	} else {
		for j, i := range r.Index {
			x := r.Value[j]
			if x != x || x == 0 || int(i) >= len(w) {
				continue
			}
			x = clamp(x)
			index[k], xs[k], old[k] = i, x, w[i]
			sum += float64(w[i] * x)
			k++
		}
	}
	m.n = k
	return finite(sum, m.bias)
}

// finish takes one step along the derivative of the loss by the score of the row that begin was called
// with; the weight of the example is part of it. reach is how far that score may move.
func (m *scorer) finish(derivative, reach float64) {
	derivative = max(-maxGradient, min(maxGradient, derivative))
	if derivative != derivative {
		return
	}
	n := m.n
	byOptimizer := m.fit && m.biasRate == 0
	if byOptimizer {
		m.index[n], m.x[n], m.old[n] = uint32(len(m.w)), 1, m.bias
		n++
	}
	if m.momentum != nil {
		derivative = m.gentle(derivative, reach, n)
	}
	m.g, m.d = grow(m.g, n), grow(m.d, n)
	index, xs, old, g, d := m.index[:n], m.x[:n], m.old[:n], m.g[:n], m.d[:n]
	for j, x := range xs {
		g[j] = derivative * x
	}
	if m.l2 > 0 {
		shrink := 0.0
		for j := range g {
			g[j] += float64(m.l2 * old[j])
			shrink += float64(m.l2 * float64(old[j]*xs[j]))
		}
		reach += math.Abs(shrink)
	}
	m.opt.Step(d, index, g, old)
	move := 0.0
	for j, v := range d {
		move += float64(v * xs[j])
	}
	biasStep := 0.0
	if m.fit && !byOptimizer {
		biasStep = -m.biasRate * derivative
		move += biasStep
	}
	m.apply(move, reach, biasStep, byOptimizer)
}

// apply adds the steps to the weights, shortened by the guard.
func (m *scorer) apply(move, reach, biasStep float64, byOptimizer bool) {
	if math.IsNaN(move) || math.IsInf(move, 0) {
		return
	}
	factor := 1.0
	if a := math.Abs(move); a > reach && m.opt.Proportional() {
		factor = reach / a
	}
	if byOptimizer {
		biasStep = m.d[m.n]
	}
	m.bias += float64(factor * biasStep)
	for j, d := range m.d[:m.n] {
		m.w[m.index[j]] += float64(factor * d)
	}
	if m.lag != nil {
		m.follow(factor, factor*biasStep)
	}
}

// follow keeps what the mean of all weights so far lags behind by: after T steps it is w − (1/T)·Σ t·Δ, where t steps came before
// the change Δ.
func (m *scorer) follow(factor, biasStep float64) {
	t := m.steps
	m.steps++
	m.lagBias += float64(t * biasStep)
	for j, d := range m.d[:m.n] {
		m.lag[m.index[j]] += float64(t * float64(factor*d))
	}
}

// gentle shortens a derivative whose plain step over the n entries would move the score further than reach, before a velocity takes
// it in.
func (m *scorer) gentle(derivative, reach float64, n int) float64 {
	square := 0.0
	for _, x := range m.x[:n] {
		square += float64(x * x)
	}
	if a := math.Abs(derivative) * float64(m.momentum.Impulse()*square); a > reach {
		return derivative * (reach / a)
	}
	return derivative
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// State visits weights and optimizer.
func (m *scorer) State(s *codec.State) {
	s.Fixed("number of columns", len(m.w))
	for i := range m.w {
		s.Float64(&m.w[i])
	}
	s.Float64(&m.bias)
	m.opt.State(s)
	if m.lag == nil {
		return
	}
	for i := range m.lag {
		s.Float64(&m.lag[i])
	}
	s.Float64(&m.lagBias)
	s.Float64(&m.steps)
	if !(m.steps >= 0) {
		s.Fail("linear model: %v steps", m.steps)
		m.steps = 0
	}
}

// clone copies the weights that answer: with averaging, the means.
func (m *weights) clone() weights {
	c := weights{w: append([]float64(nil), m.w...), bias: m.bias, fast: m.fast}
	if m.steps > 0 {
		share := 1 / m.steps
		for i, l := range m.lag {
			c.w[i] -= float64(l * share)
		}
		c.bias -= float64(m.lagBias * share)
	}
	return c
}

// answer is the score that predictions are made of: that of the weights or, with averaging, of the mean of all weights so far.
func (m *weights) answer(r *models.Row) float64 {
	if m.steps == 0 {
		return m.score(r)
	}
	share := 1 / m.steps
	bias := m.bias - float64(m.lagBias*share)
	sum := bias
	for j, x := range r.Value {
		i := j
		if r.Index != nil {
			i = int(r.Index[j])
		}
		if x != x || i >= len(m.w) {
			continue
		}
		sum += float64((m.w[i] - float64(m.lag[i]*share)) * clamp(x))
	}
	return finite(sum, bias)
}

// Options are what all models of this package take.
type Options struct {
	L2          float64 // ≥ 0, penalty l2/2·w² on the weights of the columns that an example holds
	NoIntercept bool
	// InterceptRate is the learning rate of the intercept; 0: the optimizer learns it like a column of 1.
	InterceptRate float64
	// Average answers with the mean of all weights so far (Polyak and Juditsky 1992); learning goes on from the last ones.
	Average bool
	// Loss of a softmax regression; nil is the cross-entropy.
	Loss loss.Multi
}

func (o Options) settings() settings {
	return settings{l2: o.L2, intercept: !o.NoIntercept, rate: o.InterceptRate, average: o.Average}
}
