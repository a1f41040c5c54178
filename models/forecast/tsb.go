package forecast

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// TSBConfig are the parameters of the method of Teunter, Syntetos & Babai.
type TSBConfig struct {
	Demand      float64 // weight of the newest size, in (0, 1]
	Probability float64 // weight of the newest step in the probability of a demand, in (0, 1]
	GapsZero    bool    // steps without a value had no demand; else they were not observed
}

// TSB makes series of intermittent demand whose probability is updated at every step, so that forecasts fall while nothing is sold (Teunter, Syntetos & Babai 2011): p ← p + β(1{y>0} − p), and z ←
// z + α(y − z) at demands; forecast p·z. It starts at the first demand: z is its size, p one by its step, counted from the first observed one. Quantiles as those of Intermittent.
type TSB struct{ TSBConfig }

// NewTSB returns the method, or an error that says which parameter is out of range.
func NewTSB(c TSBConfig) (*TSB, error) {
	if !(c.Demand > 0 && c.Demand <= 1) || !(c.Probability > 0 && c.Probability <= 1) {
		return nil, fmt.Errorf("alpha_demand %v, alpha_probability %v: give numbers above 0, at most 1", c.Demand, c.Probability)
	}
	return &TSB{c}, nil
}

// Start returns an empty series.
func (f *TSB) Start() models.Series { return &tsb{f: f, demand: emptyDemand()} }

// MaxBytes is that of every series.
func (f *TSB) MaxBytes() int { return demandBytes + 2*10 + 1 + 3*8 }

type tsb struct {
	f *TSB
	demand
	demands      int64
	steps        int64 // observed ones until the first demand
	sold         bool  // the present step has had a demand
	size, spread float64
	share        float64 // probability of a demand
}

// Advance goes on.
func (s *tsb) Advance(steps int64) {
	empty := s.advance(steps)
	s.sold = false
	if !s.f.GapsZero || empty <= 0 {
		return
	}
	if s.demands == 0 {
		s.steps = later(s.steps, empty)
	}
	s.share *= math.Pow(1-s.f.Probability, float64(empty))
}

// Observe takes in the demand of a step. Of several values of one step each positive one is another size; the first of them makes it a step with demand.
func (s *tsb) Observe(y float64, _ []float64) {
	first, ok := s.take(y)
	if !ok {
		return
	}
	y = bounded(y)
	s.missed(y-s.mean(), amountDeviation(s.mean(), s.size, s.spread))
	if first && s.demands == 0 {
		s.steps = later(s.steps, 1)
	}
	if y > 0 && s.demands == 0 {
		s.demands, s.size, s.spread, s.share, s.sold = 1, y, y*y, 1/float64(max(s.steps, 1)), true
		return
	}
	if first {
		s.share -= float64(s.f.Probability * s.share)
	}
	if y == 0 || s.demands == 0 {
		return
	}
	if !s.sold {
		s.share = min(s.share+s.f.Probability, 1)
		s.sold = true
	}
	s.demands++
	e := y - s.size
	s.size += float64(s.f.Demand * e)
	s.spread += float64(max(1/float64(s.demands), s.f.Demand) * (e*e - s.spread))
}

func (s *tsb) mean() float64 { return s.share * s.size }

// Forecast answers all steps alike.
func (s *tsb) Forecast(o *models.Outlook, _ [][]float64) {
	o.Health = s.watch.health(s.observed, s.demands < 2)
	if s.observed == 0 {
		setUnknown(o)
		return
	}
	answerFlat(o, s.mean(), func(dst, levels []float64) { amountQuantiles(dst, levels, s.mean(), s.size, s.spread) })
}

// Level is the mean demand of a step.
func (s *tsb) Level() float64 {
	if s.observed == 0 {
		return math.NaN()
	}
	return s.mean()
}

// State visits size and probability.
func (s *tsb) State(c *codec.State) {
	s.state(c)
	visitCount(c, &s.demands)
	visitCount(c, &s.steps)
	c.Bool(&s.sold)
	visitFloat(c, "size of demand", &s.size, 0, maxValue)
	visitFloat(c, "spread of demand", &s.spread, 0, maxState*maxState)
	visitFloat(c, "probability of demand", &s.share, 0, 1)
}

// TSBComponent is the catalogue entry of TSB.
var TSBComponent = models.Component{
	Name: "tsb", Kind: models.ModelKind, Tasks: []models.Task{models.Forecast}, Fold: 1,
	Doc:  "Intermittent demand whose probability is updated at every step, so that forecasts fall while nothing is sold: for goods that may die out. Negative values are refused and counted. Regressors and seasons are not used.",
	Cost: "O(1)", Memory: "about 70 bytes", Source: "Teunter, Syntetos & Babai 2011",
	Params: []models.Param{
		{Name: "alpha_demand", Default: 0.1, Range: models.AboveTo(0, 1), Doc: "weight of the newest size"},
		{Name: "alpha_probability", Default: 0.05, Range: models.AboveTo(0, 1), Doc: "weight of the newest step in the probability of a demand"},
		gapsParam,
	},
	NewForecaster: func(a models.Args, _ models.ForecastEnv) (models.Forecaster, error) {
		return NewTSB(TSBConfig{Demand: a.Float("alpha_demand"), Probability: a.Float("alpha_probability"), GapsZero: a.Text("gaps") == "zero"})
	},
}
