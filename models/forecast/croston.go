package forecast

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// CrostonVariant is how Croston's ratio is corrected.
type CrostonVariant string

// The variants: with the size z and the interval p of demands, smoothed with α,
const (
	Croston CrostonVariant = "croston" // z/p (Croston 1972), which is too high on average
	SBA     CrostonVariant = "sba"     // (1 − α/2)·z/p (Syntetos & Boylan 2005)
	SBJ     CrostonVariant = "sbj"     // (1 − α/(2 − α))·z/p (Shale, Boylan & Johnston 2006)
)

// CrostonConfig are the parameters of Croston's method.
type CrostonConfig struct {
	Alpha    float64 // weight of the newest demand and the newest interval, in (0, 1]
	Variant  CrostonVariant
	GapsZero bool // steps without a value had no demand; else they were not observed
}

// Intermittent makes series of intermittent demand by Croston's method and its corrections: sizes and intervals of demands are smoothed apart, at steps with
// demand only. The first demand gives the size, its step (counted from the first observed one as 1) the interval. Quantiles are those of a demand with the probability that mean and size
// imply, whose size is gamma distributed with the smoothed size and spread: Croston's method itself has no distribution, and gamma_poisson is to be preferred where quantiles matter.
type Intermittent struct {
	CrostonConfig
	factor float64
}

// NewCroston returns the method, or an error that says which parameter is out of range.
func NewCroston(c CrostonConfig) (*Intermittent, error) {
	if !(c.Alpha > 0 && c.Alpha <= 1) {
		return nil, fmt.Errorf("alpha %v: give a number above 0, at most 1", c.Alpha)
	}
	f := &Intermittent{CrostonConfig: c, factor: 1}
	switch c.Variant {
	case Croston:
	case SBA:
		f.factor = 1 - c.Alpha/2
	case SBJ:
		f.factor = 1 - c.Alpha/(2-c.Alpha)
	default:
		return nil, fmt.Errorf("variant %q: give croston, sba or sbj", c.Variant)
	}
	return f, nil
}

// Start returns an empty series.
func (f *Intermittent) Start() models.Series { return &croston{f: f, demand: emptyDemand(), since: 1} }

// MaxBytes is that of every series.
func (f *Intermittent) MaxBytes() int { return demandBytes + 2*10 + 3*8 }

type croston struct {
	f *Intermittent
	demand
	demands        int64
	since          int64   // observed steps since the newest demand, the present one included
	size, interval float64 // of demands, smoothed
	spread         float64 // variance of sizes
}

// Advance goes on.
func (s *croston) Advance(steps int64) {
	if empty := s.advance(steps); s.f.GapsZero {
		s.since = later(s.since, empty)
	}
}

// Observe takes in the demand of a step. A second positive value of a step is another size of the same demand.
func (s *croston) Observe(y float64, _ []float64) {
	first, ok := s.take(y)
	if !ok {
		return
	}
	y = bounded(y)
	s.missed(y-s.mean(), s.deviation())
	switch {
	case y > 0 && !first && s.since == 1 && s.demands > 0:
		s.resize(y)
	case y > 0 && !first:
		s.since-- // the step was counted as one without demand
		s.order(y)
	case y > 0:
		s.order(y)
	case first:
		s.since = later(s.since, 1)
	}
}

// order takes in a demand and the interval since the one before.
func (s *croston) order(y float64) {
	p := float64(max(s.since, 1))
	s.since = 1
	if s.demands == 0 {
		s.demands, s.size, s.interval, s.spread = 1, y, p, y*y
		return
	}
	s.interval += float64(s.f.Alpha * (p - s.interval))
	s.resize(y)
}

// resize takes in the size of a demand.
func (s *croston) resize(y float64) {
	s.demands++
	e := y - s.size
	s.size += float64(s.f.Alpha * e)
	s.spread += float64(max(1/float64(s.demands), s.f.Alpha) * (e*e - s.spread))
}

// mean is the demand of a step.
func (s *croston) mean() float64 {
	if s.demands == 0 {
		return 0
	}
	return s.f.factor * s.size / s.interval
}

func (s *croston) deviation() float64 { return amountDeviation(s.mean(), s.size, s.spread) }

// Forecast answers all steps alike.
func (s *croston) Forecast(o *models.Outlook, _ [][]float64) {
	o.Health = s.watch.health(s.observed, s.demands < 2)
	if s.observed == 0 {
		setUnknown(o)
		return
	}
	answerFlat(o, s.mean(), func(dst, levels []float64) { amountQuantiles(dst, levels, s.mean(), s.size, s.spread) })
}

// Level is the mean demand of a step.
func (s *croston) Level() float64 {
	if s.observed == 0 {
		return math.NaN()
	}
	return s.mean()
}

// State visits sizes and intervals.
func (s *croston) State(c *codec.State) {
	s.state(c)
	visitCount(c, &s.demands)
	visitCount(c, &s.since)
	visitFloat(c, "size of demand", &s.size, 0, maxValue)
	visitFloat(c, "interval of demand", &s.interval, 0, math.MaxInt64)
	visitFloat(c, "spread of demand", &s.spread, 0, maxState*maxState)
	if c.Loading() && (s.since < 1 || s.demands > 0 && !(s.interval >= 1)) {
		c.Fail("croston: %d demands, %d since, interval %v", s.demands, s.since, s.interval)
	}
}

// amountDeviation is that of an amount that is 0 but for demands of a size with a spread, whose mean is given.
func amountDeviation(mean, size, spread float64) float64 {
	if !(size > 0) {
		return 0
	}
	p := min(mean/size, 1)
	return math.Sqrt(p * (spread + (1-p)*size*size))
}

// amountQuantiles writes quantiles of such an amount: 0 up to the share of steps without demand, then those of a gamma distribution.
func amountQuantiles(dst, levels []float64, mean, size, spread float64) {
	before := 0.0
	for i, u := range levels {
		if size > 0 {
			if p := min(mean/size, 1); u > 1-p {
				before = max(before, gammaQuantile((u-(1-p))/p, size, spread))
			}
		}
		dst[i] = before
	}
}

// CrostonComponent is the catalogue entry of Croston's method.
var CrostonComponent = models.Component{
	Name: "croston", Kind: models.ModelKind, Tasks: []models.Task{models.Forecast}, Fold: 1,
	Doc: "Intermittent demand by Croston's method: sizes and intervals of demands are smoothed apart, when there is a demand; the forecast is their ratio, by default corrected for its bias. It does not fall while nothing is sold: for goods that die out " +
		"take tsb, for quantiles gamma_poisson. Negative values are refused and counted. Regressors and seasons are not used.",
	Cost: "O(1)", Memory: "about 70 bytes", Source: "Croston 1972; Syntetos & Boylan 2005; Shale, Boylan & Johnston 2006",
	Params: []models.Param{
		{Name: "alpha", Default: 0.1, Range: models.AboveTo(0, 1), Doc: "weight of the newest demand and the newest interval"},
		{Name: "variant", Default: "sba", Choices: []string{"croston", "sba", "sbj"}, Doc: "correction of the bias: none, of Syntetos & Boylan, of Shale, Boylan & Johnston"},
		gapsParam,
	},
	NewForecaster: func(a models.Args, _ models.ForecastEnv) (models.Forecaster, error) {
		return NewCroston(CrostonConfig{Alpha: a.Float("alpha"), Variant: CrostonVariant(a.Text("variant")), GapsZero: a.Text("gaps") == "zero"})
	},
}
