package linear

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

const (
	bayesColumns = 1024 // 8 MB of covariances
	bayesInput   = 1e30 // greater inputs are taken as this, so that products of four stay finite
)

// BayesianComponent is the catalogue entry of Bayesian.
var BayesianComponent = models.Component{
	Name: "bayesian_linear_regression", Kind: models.ModelKind, Tasks: []models.Task{models.Regression}, Fold: 1, NumbersOnly: true,
	Params: []models.Param{
		{Name: "prior_precision", Default: 1.0, Range: models.Above(0), Doc: "1 over the prior variance of a weight, in units of the noise's"},
		{Name: "noise_shape", Default: 2.0, Range: models.Above(1), Doc: "prior of the noise variance: inverse gamma's shape"},
		{Name: "noise_rate", Default: 1.0, Range: models.Above(0), Doc: "and its rate"},
		{Name: "discount", Default: 1.0, Range: models.AboveTo(0, 1), Doc: "how much of what is known stays at each label; 1 forgets nothing. Weights never become less certain than the prior"},
	},
	Cost: "O(columns²)", Memory: fmt.Sprintf("8 bytes × (columns + 1)², at most %d columns", bayesColumns),
	Source: "Bishop 2006, §3.3; noise variance: Murphy 2012, §7.6.3",
	Doc: "The exact posterior of linear regression with a normal-inverse-gamma prior, updated label by label. After its answer Predict appends the predictive variance (noise and what is not known of the weights). " +
		"A missing value counts as 0.",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		if n := len(env.Schema.Columns); n > bayesColumns {
			return nil, models.SpecErrors{{Path: "bayesian_linear_regression", Reason: fmt.Sprintf("%d columns, at most %d", n, bayesColumns), Mend: "use linear_regression, or fewer columns"}}
		}
		return NewBayesian(len(env.Schema.Columns), a.Float("prior_precision"), a.Float("noise_shape"), a.Float("noise_rate"), a.Float("discount")), nil
	},
}

// Bayesian is linear regression with a posterior.
type Bayesian struct {
	posterior
	discount float64
	floor    float64 // prior variance of a weight over the noise's
	gain     []float64
}

// posterior is normal-inverse-gamma: weights ~ N(mean, σ²·cov), σ² ~ IG(shape, rate). The intercept is the last weight.
type posterior struct {
	n           int // weights
	mean        []float64
	cov         []float64 // n × n, symmetric to the bit
	shape, rate float64
}

// NewBayesian returns the model: prior precision > 0, shape > 1 and rate > 0 of the noise variance, discount in (0, 1].
func NewBayesian(columns int, precision, shape, rate, discount float64) *Bayesian {
	n := columns + 1
	m := &Bayesian{posterior: posterior{n: n, mean: make([]float64, n), cov: make([]float64, n*n), shape: shape, rate: rate},
		discount: discount, floor: 1 / precision, gain: make([]float64, n)}
	for i := range n {
		m.cov[i*n+i] = 1 / precision
	}
	return m
}

// each calls f with the entries of the row and the intercept's 1.
func (p *posterior) each(r *models.Row, f func(i int, x float64)) {
	for j, x := range r.Value {
		i := j
		if r.Index != nil {
			i = int(r.Index[j])
		}
		if x == x && x != 0 && i < p.n-1 {
			f(i, max(-bayesInput, min(bayesInput, x)))
		}
	}
	f(p.n-1, 1)
}

// answer returns the mean of the label and x'·cov·x.
func (p *posterior) answer(r *models.Row) (mean, q float64) {
	p.each(r, func(i int, x float64) {
		mean += float64(p.mean[i] * x)
		row := p.cov[i*p.n : (i+1)*p.n]
		p.each(r, func(j int, z float64) { q += float64(float64(x*z) * row[j]) })
	})
	return finite(mean, 0), finite(max(0, q), 0)
}

// Predict appends the mean, then the variance of the label: rate/(shape − 1)·(1 + x'·cov·x).
func (p *posterior) Predict(dst []float64, e *models.Example) []float64 {
	mean, q := p.answer(&e.Row)
	return append(dst, mean, min(float64(p.rate/(p.shape-1)*(1+q)), math.MaxFloat64))
}

// Observe does nothing.
func (m *Bayesian) Observe(*models.Example) {}

// Learn conditions on the label: with k = cov·x and q = x'k, cov −= w·kk'/(1 + wq), mean += w·k·(y − mean'x)/(1 + wq).
func (m *Bayesian) Learn(e *models.Example, _ []float64) {
	if e.Weight == 0 {
		return
	}
	m.forget()
	clear(m.gain)
	p, q := 0.0, 0.0
	m.each(&e.Row, func(i int, x float64) {
		p += float64(m.mean[i] * x)
		for j, c := range m.cov[i*m.n : (i+1)*m.n] {
			m.gain[j] += float64(c * x)
		}
	})
	m.each(&e.Row, func(i int, x float64) { q += float64(m.gain[i] * x) })
	q = max(0, q)
	w := min(e.Weight, 1e12)
	d := max(-1e60, min(1e60, e.Y)) - p
	scale := w / (1 + float64(w*q))
	if math.IsNaN(d) || math.IsInf(q, 0) || math.IsInf(d, 0) {
		return
	}
	for i, k := range m.gain {
		m.mean[i] += float64(scale * float64(k*d))
		row := m.cov[i*m.n : (i+1)*m.n]
		for j, l := range m.gain {
			row[j] -= scale * float64(k*l)
		}
		row[i] = max(0, row[i])
	}
	m.shape += w / 2
	m.rate = min(m.rate+float64(scale*float64(d*d))/2, 1e200)
}

// forget widens the posterior, where it is not as wide as the prior already.
func (m *Bayesian) forget() {
	if m.discount == 1 {
		return
	}
	m.shape = max(1.5, m.shape*m.discount)
	m.rate *= m.discount
	for i := range m.n {
		if m.cov[i*m.n+i] > m.floor*m.discount {
			return
		}
	}
	for i := range m.cov {
		m.cov[i] /= m.discount
	}
}

// State visits the posterior.
func (m *Bayesian) State(s *codec.State) {
	s.Fixed("number of weights", m.n)
	for i := range m.mean {
		s.Float64(&m.mean[i])
	}
	for i := range m.cov {
		s.Float64(&m.cov[i])
	}
	s.Float64(&m.shape)
	s.Float64(&m.rate)
	if !(m.shape > 1 && m.rate >= 0) {
		s.Fail("bayesian_linear_regression: shape %v, rate %v", m.shape, m.rate)
		m.shape, m.rate = 2, 1
	}
}

// Publish copies the posterior. Cost: O(columns²).
func (m *Bayesian) Publish() models.Predictor {
	c := m.posterior
	c.mean, c.cov = append([]float64(nil), m.mean...), append([]float64(nil), m.cov...)
	return &c
}
