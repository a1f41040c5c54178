package forecast

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// NegativeBinomialConfig are the parameters of NegativeBinomial.
type NegativeBinomialConfig struct {
	Discount      float64 // what the past keeps of its weight in the mean at each step, in (0, 1)
	Spread        float64 // the same for the size of the distribution, in (0, 1)
	ZeroInflation bool    // learn a share of extra zeros
	GapsZero      bool    // steps without a value had a count of 0; else they were not observed
	Outliers      float64 // a count above the mean by more than so many times the mean, the deviation or 1 is damped; 0: none is
}

// NegativeBinomial makes series of counts whose mean is an exponentially weighted one and whose spread beyond Poisson's is learned: with the error e of the forecast μ, the moments Σw(e² − μ) and
// Σwμ² give one by the size of a negative binomial distribution (Snyder, Ord & Beaumont 2012, whose level this is). The variance of forecasts grows by (1−ω)² of the one-step variance for each step. With ZeroInflation as GammaPoisson.
type NegativeBinomial struct{ NegativeBinomialConfig }

// NewNegativeBinomial returns the model, or an error that says which parameter is out of range.
func NewNegativeBinomial(c NegativeBinomialConfig) (*NegativeBinomial, error) {
	if !(c.Discount > 0 && c.Discount < 1) || !(c.Spread > 0 && c.Spread < 1) {
		return nil, fmt.Errorf("discount %v, spread_discount %v: give numbers between 0 and 1", c.Discount, c.Spread)
	}
	return &NegativeBinomial{c}, nil
}

// Start returns an empty series.
func (f *NegativeBinomial) Start() models.Series {
	s := &negativeBinomial{f: f}
	s.empty()
	return s
}

// MaxBytes is that of every series.
func (f *NegativeBinomial) MaxBytes() int { return demandBytes + 6*8 }

type negativeBinomial struct {
	f *NegativeBinomial
	demand
	dispersion
	sum, weight float64 // discounted counts and steps
	zeros       float64
}

// dispersion is what is learned of the spread of counts: κ, the variance being μ + κμ².
type dispersion struct {
	excess, squares float64 // discounted moments
}

// learn takes in the error of a mean.
func (d *dispersion) learn(e, mean, rate float64) {
	d.excess = min(d.excess+float64(rate*(min(e*e, mostSquare)-mean-d.excess)), mostSquare)
	d.squares = min(d.squares+float64(rate*(min(mean*mean, mostSquare)-d.squares)), mostSquare)
}

// mostSquare bounds squares.
const mostSquare = maxState * maxState

// size is 1/κ, at least a thousandth; very large where counts spread as Poisson's or less.
func (d *dispersion) size() float64 {
	if !(d.excess > 0) || !(d.squares > 0) {
		return 1e12
	}
	return min(max(d.squares/d.excess, leastShape), 1e12)
}

// State visits the moments.
func (d *dispersion) State(c *codec.State) {
	visitFloat(c, "excess spread", &d.excess, -maxState, mostSquare)
	visitFloat(c, "squares of means", &d.squares, 0, mostSquare)
}

func (s *negativeBinomial) empty() {
	*s = negativeBinomial{f: s.f, demand: emptyDemand()}
	if s.f.ZeroInflation {
		s.zeros = firstZeros
	}
}

// Advance goes on.
func (s *negativeBinomial) Advance(steps int64) {
	if empty := s.advance(steps); s.f.GapsZero {
		for range min(empty, longestGap) {
			s.learn(0, true)
		}
	}
}

// Observe takes in the count of a step. A second value of a step counts without forgetting.
func (s *negativeBinomial) Observe(y float64, _ []float64) {
	known := s.observed > 0
	first, ok := s.take(y)
	if !ok {
		return
	}
	y = bounded(y)
	if known {
		d := s.at(1)
		deviation := math.Sqrt(d.variance())
		s.missed(y-(1-d.zeros)*d.mean, deviation)
		var anew bool
		if y, anew = s.believe(y, d.mean, deviation, s.f.Outliers); anew {
			s.sum, s.weight = 0, 0
		}
	}
	s.learn(y, first)
}

// learn takes in a count.
func (s *negativeBinomial) learn(y float64, first bool) {
	own, d := 1.0, s.at(1)
	if s.f.ZeroInflation && s.weight > 0 {
		extra := 0.0
		if y == 0 {
			extra = d.zeros / (d.zeros + (1-d.zeros)*d.atZero())
		}
		s.zeros += float64(max(1/float64(s.observed+2), min(1-s.f.Discount, 0.05)) * (extra - s.zeros))
		own = 1 - extra
	}
	if s.weight > 0 {
		s.dispersion.learn(y-d.mean, d.mean, own*max(1/float64(s.observed+1), 1-s.f.Spread))
	}
	if first {
		s.sum *= s.f.Discount
		s.weight *= s.f.Discount
	}
	s.sum += float64(own * y)
	s.weight += own
}

// at is the distribution of a count so many steps after the newest value.
func (s *negativeBinomial) at(steps int64) countDist {
	if !(s.weight > 0) {
		return countDist{size: 1}
	}
	d := countDist{mean: min(s.sum/s.weight, maxState), size: s.size(), zeros: s.zeros}
	if steps > 1 && d.mean > 0 {
		rate := 1 - s.f.Discount
		one := d.mean + d.mean*d.mean/d.size
		excess := one*(1+float64(steps-1)*rate*rate) - d.mean
		d.size = min(max(d.mean*d.mean/excess, min(leastSize, d.size)), 1e12)
	}
	return d
}

// leastSize bounds how wide far forecasts grow: to a deviation of four means.
const leastSize = 1.0 / 16

// Forecast answers with the mean and quantiles of negative binomial distributions.
func (s *negativeBinomial) Forecast(o *models.Outlook, _ [][]float64) {
	o.Health = s.watch.health(s.observed, s.observed < 3)
	if s.observed == 0 {
		setUnknown(o)
		return
	}
	n := len(o.Levels)
	for i := range o.Mean {
		d := s.at(later(s.ahead, o.Skip+int64(i)+1))
		d.quantiles(o.Quantiles[i*n:(i+1)*n], o.Levels)
		o.Mean[i] = (1 - d.zeros) * d.mean
	}
}

// Level is the mean count of a step.
func (s *negativeBinomial) Level() float64 {
	if s.observed == 0 {
		return math.NaN()
	}
	return (1 - s.zeros) * s.sum / s.weight
}

// State visits mean and spread.
func (s *negativeBinomial) State(c *codec.State) {
	if c.Loading() {
		s.empty()
	}
	s.state(c)
	s.dispersion.State(c)
	visitFloat(c, "sum of counts", &s.sum, 0, maxState)
	visitFloat(c, "weight of counts", &s.weight, 0, maxState)
	if s.f.ZeroInflation {
		visitFloat(c, "share of zeros", &s.zeros, 0, 1)
	}
	if c.Loading() && s.observed > 0 && !(s.weight >= 1e-9) {
		c.Fail("negative_binomial: %d values weigh %v", s.observed, s.weight)
	}
}

// NegativeBinomialComponent is the catalogue entry of NegativeBinomial.
var NegativeBinomialComponent = models.Component{
	Name: "negative_binomial", Kind: models.ModelKind, Tasks: []models.Task{models.Forecast}, Fold: 1,
	Doc:  "Counts with a moving mean and a spread of their own beyond Poisson's, which is learned: lumpy demand, orders of several pieces. Quantiles are those of negative binomial distributions. Negative counts are refused and counted. Regressors and seasons are not used.",
	Cost: "O(1) to update, O(quantile) to ask a step", Memory: "about 80 bytes", Source: "Snyder, Ord & Beaumont 2012; zeros: Cappé & Moulines 2009",
	Params: []models.Param{
		{Name: "discount", Default: 0.95, Range: models.Inside(0, 1), Doc: "what the past keeps of its weight in the mean at each step"},
		{Name: "spread_discount", Default: 0.98, Range: models.Inside(0, 1), Doc: "the same for the spread"},
		{Name: "zero_inflation", Default: false, Doc: "learn a share of extra zeros"},
		gapsParam, outliersParam,
	},
	NewForecaster: func(a models.Args, _ models.ForecastEnv) (models.Forecaster, error) {
		return NewNegativeBinomial(NegativeBinomialConfig{Discount: a.Float("discount"), Spread: a.Float("spread_discount"), ZeroInflation: a.Bool("zero_inflation"), GapsZero: a.Text("gaps") == "zero", Outliers: a.Float("outliers")})
	},
}
