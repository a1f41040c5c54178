package forecast

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// GammaPoissonConfig are the parameters of GammaPoisson.
type GammaPoissonConfig struct {
	Discount      float64 // ω: how much the past keeps of its weight at each step, in (0, 1]
	PriorMean     float64 // mean of counts that is believed before the first
	PriorWeight   float64 // of how many steps it counts, > 0 if PriorMean is; it never fades. 0: counts alone
	ZeroInflation bool    // learn a share of extra zeros
	GapsZero      bool    // steps without a value had a count of 0; else they were not observed
	Outliers      float64 // a count above the mean by more than so many times the mean, the deviation or 1 is damped; 0: none is
}

// GammaPoisson makes series of counts with a moving rate: the rate is gamma distributed with the shape a and the rate b, a count y moves them to a ← ωa + (1−ω)a₀ + y, b ← ωb + (1−ω)b₀ + 1, and the
// next count is negative binomial (Smith & Miller 1986; Harvey & Fernandes 1989; West & Harrison 1997, §14.4). ω forgets: counts weigh 1/(1−ω) steps. The prior a₀ = mean·weight, b₀ = weight is discounted towards, not away. Steps without a value do not forget (the rate
// would lose all it knows); the variance of the rate grows by one discount for each step ahead, as one step's noise of a random walk, up to that of a single observation.
//
// With ZeroInflation a count is 0 anyway with a share that is learned by on-line expectation-maximisation (Cappé & Moulines 2009); the rate then learns from a zero by how probably it is its own.
type GammaPoisson struct{ GammaPoissonConfig }

// NewGammaPoisson returns the model, or an error that says which parameter is out of range.
func NewGammaPoisson(c GammaPoissonConfig) (*GammaPoisson, error) {
	switch {
	case !(c.Discount > 0 && c.Discount <= 1):
		return nil, fmt.Errorf("discount %v: give a number above 0, at most 1", c.Discount)
	case !(c.PriorMean >= 0 && c.PriorMean <= 1e12) || !(c.PriorWeight >= 0 && c.PriorWeight <= 1e9) || c.PriorMean > 0 && c.PriorWeight == 0:
		return nil, fmt.Errorf("prior_mean %v with prior_weight %v: give a mean ≥ 0, and with one above 0 a weight above 0", c.PriorMean, c.PriorWeight)
	}
	return &GammaPoisson{c}, nil
}

// Start returns an empty series.
func (f *GammaPoisson) Start() models.Series {
	s := &gammaPoisson{f: f}
	s.empty()
	return s
}

// MaxBytes is that of every series.
func (f *GammaPoisson) MaxBytes() int { return demandBytes + 3*8 }

type gammaPoisson struct {
	f *GammaPoisson
	demand
	shape, rate float64 // after the newest value
	zeros       float64 // share of extra zeros
}

// leastShape is the least a shape is taken for: below it a distribution has all its mass at 0.
const leastShape = 1e-3

// firstZeros is the share of extra zeros that learning starts from.
const firstZeros = 0.2

func (s *gammaPoisson) empty() {
	*s = gammaPoisson{f: s.f, demand: emptyDemand(), shape: s.f.PriorMean * s.f.PriorWeight, rate: s.f.PriorWeight}
	if s.f.ZeroInflation {
		s.zeros = firstZeros
	}
}

// Advance goes on.
func (s *gammaPoisson) Advance(steps int64) {
	empty := s.advance(steps)
	if !s.f.GapsZero || empty <= 0 {
		return
	}
	if s.f.ZeroInflation {
		for range min(empty, longestGap) {
			s.learn(0)
		}
		return
	}
	w, prior := math.Pow(s.f.Discount, float64(empty)), s.f.PriorMean*s.f.PriorWeight
	s.shape = prior + w*(s.shape-prior)
	if s.f.Discount == 1 {
		s.rate += float64(empty)
		return
	}
	end := s.f.PriorWeight + 1/(1-s.f.Discount) // what the rate goes to
	s.rate = end + w*(s.rate-end)
}

// Observe takes in the count of a step. A second value of a step counts without forgetting.
func (s *gammaPoisson) Observe(y float64, _ []float64) {
	known := s.observed > 0 || s.f.PriorWeight > 0
	first, ok := s.take(y)
	if !ok {
		return
	}
	y = bounded(y)
	if known {
		d := s.ahead1()
		deviation := math.Sqrt(d.variance())
		s.missed(y-(1-d.zeros)*d.mean, deviation)
		var anew bool
		if y, anew = s.believe(y, d.mean, deviation, s.f.Outliers); anew {
			s.shape, s.rate = s.f.PriorMean*s.f.PriorWeight, s.f.PriorWeight
		}
	}
	if first {
		s.learn(y)
	} else {
		s.shape = min(s.shape+y, maxState)
		s.rate++
	}
}

// learn takes in a count of a new step.
func (s *gammaPoisson) learn(y float64) {
	w := s.f.Discount
	own := 1.0
	if s.f.ZeroInflation {
		own = s.ownShare(y)
	}
	s.shape = min(float64(w*s.shape)+float64((1-w)*s.f.PriorMean*s.f.PriorWeight)+float64(own*y), maxState)
	s.rate = float64(w*s.rate) + float64((1-w)*s.f.PriorWeight) + own
}

// ownShare is how probably the count is not an extra zero, and moves the share of these.
func (s *gammaPoisson) ownShare(y float64) float64 {
	extra := 0.0
	if d := s.ahead1(); y == 0 {
		extra = d.zeros / (d.zeros + (1-d.zeros)*d.atZero())
	}
	s.zeros += float64(max(1/float64(s.observed+2), min(1-s.f.Discount, 0.05)) * (extra - s.zeros))
	return 1 - extra
}

// ahead1 is the distribution of the next count.
func (s *gammaPoisson) ahead1() countDist { return s.at(1) }

// at is the distribution of a count so many steps after the newest value: the variance of the rate has grown by one discount for each.
func (s *gammaPoisson) at(steps int64) countDist {
	if !(s.rate > 0) {
		return countDist{size: 1}
	}
	d := countDist{mean: s.shape / s.rate, zeros: s.zeros}
	shape := max(s.shape, leastShape)
	least := max(min(shape*s.f.Discount, 1), leastShape)
	d.size = max(shape/(1+float64(steps)*(1/s.f.Discount-1)), least)
	return d
}

// Forecast answers with the mean of the rate and quantiles of negative binomial distributions.
func (s *gammaPoisson) Forecast(o *models.Outlook, _ [][]float64) {
	o.Health = s.watch.health(s.observed, s.observed < 3)
	if s.observed == 0 {
		setUnknown(o)
		return
	}
	n := len(o.Levels)
	var before countDist
	for i := range o.Mean {
		d := s.at(later(s.ahead, o.Skip+int64(i)+1))
		row := o.Quantiles[i*n : (i+1)*n]
		if i > 0 && d == before {
			copy(row, o.Quantiles[(i-1)*n:i*n])
		} else {
			d.quantiles(row, o.Levels)
		}
		o.Mean[i], before = (1-d.zeros)*d.mean, d
	}
}

// Level is the mean count of a step.
func (s *gammaPoisson) Level() float64 {
	if s.observed == 0 {
		return math.NaN()
	}
	d := s.ahead1()
	return (1 - d.zeros) * d.mean
}

// State visits shape and rate.
func (s *gammaPoisson) State(c *codec.State) {
	if c.Loading() {
		s.empty()
	}
	s.state(c)
	visitFloat(c, "shape", &s.shape, 0, maxState)
	visitFloat(c, "rate", &s.rate, 0, maxState)
	if s.f.ZeroInflation {
		visitFloat(c, "share of zeros", &s.zeros, 0, 1)
	}
	if c.Loading() && s.observed > 0 && !(s.rate >= 0.5) {
		c.Fail("gamma_poisson: %d values weigh %v", s.observed, s.rate)
	}
}

// GammaPoissonComponent is the catalogue entry of GammaPoisson.
var GammaPoissonComponent = models.Component{
	Name: "gamma_poisson", Kind: models.ModelKind, Tasks: []models.Task{models.Forecast}, Fold: 1,
	Doc: "Counts with a moving rate: slow movers, failures, visits. The rate is gamma distributed and forgets by a discount, the next count is negative binomial, so quantiles are of whole numbers and right for zeros. A prior (of the group of a series) makes " +
		"first forecasts good. Where single demands are large and rare (lumpy), take negative_binomial. Negative counts are refused and counted. Regressors and seasons are not used.",
	Cost: "O(1) to update, O(quantile) to ask a step", Memory: "about 70 bytes", Source: "Smith & Miller 1986; Harvey & Fernandes 1989; West & Harrison 1997, §14.4; zeros: Cappé & Moulines 2009",
	Params: []models.Param{
		{Name: "discount", Default: 0.95, Range: models.AboveTo(0, 1), Doc: "what the past keeps of its weight at each step; 1: all"},
		{Name: "prior_mean", Default: 0.0, Range: models.Between(0, 1e12), Doc: "mean count that is believed before the first"},
		{Name: "prior_weight", Default: 0.0, Range: models.Between(0, 1e9), Unit: "steps", Doc: "how many steps it weighs, always"},
		{Name: "zero_inflation", Default: false, Doc: "learn a share of extra zeros"},
		gapsParam, outliersParam,
	},
	NewForecaster: func(a models.Args, _ models.ForecastEnv) (models.Forecaster, error) {
		return NewGammaPoisson(GammaPoissonConfig{Discount: a.Float("discount"), PriorMean: a.Float("prior_mean"), PriorWeight: a.Float("prior_weight"), ZeroInflation: a.Bool("zero_inflation"), GapsZero: a.Text("gaps") == "zero", Outliers: a.Float("outliers")})
	},
}
