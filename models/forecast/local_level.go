package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/forecast/statespace"
)

// LocalLevelComponent is the catalogue entry of LocalLevel.
var LocalLevelComponent = models.Component{
	Name: "local_level", Kind: models.ModelKind, Tasks: []models.Task{models.Forecast}, Fold: 1,
	Doc: "A level that moves like a random walk, seen with noise: exponential smoothing whose rate follows from how much of the change is noise, with intervals. The ratio of the two variances is given, or learned: eight ratios from 10⁻⁴ to 10 run side by side, and the one whose " +
		"discounted likelihood is greatest answers. Seasons and regressors do not matter. Missing values and gaps widen the forecast. Errors beyond four deviations are damped and counted. Good for the many short series without season.",
	Cost: "O(1): a closed form, eight of them while the ratio is learned", Memory: "0.3 kB",
	Source: "Durbin & Koopman 2012, ch. 2; Harvey 1989, §4.1.2; multiple models: West & Harrison 1997, §12.2",
	Params: []models.Param{
		{Name: "ratio", Default: 0.0, Range: models.AtLeast(0), Doc: "variance of the steps of the level over that of the noise; 0: learned"},
		{Name: "memory", Default: 0.99, Range: models.Inside(0, 1), Doc: "weight that variance and likelihoods leave to earlier values with each value"},
	},
	NewForecaster: func(a models.Args, _ models.ForecastEnv) (models.Forecaster, error) {
		return NewLocalLevel(a.Float("ratio"), a.Float("memory")), nil
	},
}

// LocalLevel makes series of a local level model.
type LocalLevel struct {
	ratios []float64
	memory float64
}

// NewLocalLevel returns the forecaster with this ratio of the variances, 0: learned.
func NewLocalLevel(ratio, memory float64) *LocalLevel {
	l := &LocalLevel{memory: memory, ratios: []float64{ratio}}
	if ratio == 0 {
		l.ratios = []float64{1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 1, 10}
	}
	return l
}

// Start returns an empty series.
func (l *LocalLevel) Start() models.Series {
	return &localLevel{l: l, guard: newGuard(l.memory), levels: make([]weighed, len(l.ratios))}
}

// MaxBytes is what eight levels take.
func (l *LocalLevel) MaxBytes() int { return guardBytes + 40*len(l.ratios) + 16 }

// weighed is the filter of one ratio, with its variance and likelihood.
type weighed struct {
	statespace.LocalLevel
	n, s float64 // degrees of freedom and variance
	cost float64 // discounted sum of ½ (log F S + e²/F S)
}

type localLevel struct {
	l      *LocalLevel
	guard  guard
	levels []weighed
	best   int
	count  int64
}

// Advance adds the variance of the steps.
func (s *localLevel) Advance(steps int64) {
	for i := range s.levels {
		s.levels[i].Predict(s.l.ratios[i], float64(min(steps, 1<<44)))
	}
}

// Observe takes in a value; the error of the best ratio says what of it is believed.
func (s *localLevel) Observe(y float64, _ []float64) {
	y = bounded(y)
	s.count++
	if s.count == 1 {
		s.guard.first(y)
		for i := range s.levels {
			s.levels[i] = weighed{LocalLevel: statespace.LocalLevel{Mean: y, Variance: 1, Known: true}, n: 1, s: s.guard.s}
		}
		return
	}
	own := &s.levels[s.best]
	e := y - own.Mean
	believed, shifted := s.guard.take(y, e, own.Variance+1)
	y -= e - believed
	least := float64(s.guard.deviation() * 1e-3)
	for i := range s.levels {
		s.levels[i].take(y, s.l.memory, float64(least*least), shifted)
		if s.levels[i].cost < s.levels[s.best].cost {
			s.best = i
		}
	}
	if !(math.Abs(s.levels[s.best].Mean) < 1e140) {
		s.guard.restart()
		*s = localLevel{l: s.l, guard: s.guard, levels: s.levels}
		clear(s.levels)
	}
}

func (w *weighed) take(y, memory, least float64, shifted bool) {
	if shifted {
		w.Variance += 100
	}
	e, f := w.LocalLevel.Observe(y, 1)
	square := float64(e/f) * e
	w.cost = float64(memory*w.cost) + float64(0.5*(math.Log(float64(f*math.Max(w.s, least))+1e-300)+float64(square/(math.Max(w.s, least)+1e-300))))
	w.n = float64(memory*w.n) + 1
	w.s += float64((square - w.s) / w.n)
}

// Forecast is the level; its variance grows by that of a step each.
func (s *localLevel) Forecast(o *models.Outlook, _ [][]float64) {
	o.Health = s.guard.report(8)
	if s.count == 0 {
		setUnknown(o)
		return
	}
	var room [32]float64
	multiples := quantiles(room[:0], o.Levels, s.guard.n)
	own, sigma := &s.levels[s.best], s.guard.deviation()
	scale := scaling{}
	for i := range o.Mean {
		variance := own.Variance + 1 + float64(s.l.ratios[s.best]*float64(min(o.Skip, 1<<44)+int64(i)+1))
		answer(o, i, own.Mean, float64(math.Sqrt(variance)*sigma), 0, multiples, &scale)
	}
}

// Level is the level.
func (s *localLevel) Level() float64 {
	if s.count == 0 {
		return math.NaN()
	}
	return s.levels[s.best].Mean
}

// Residual is the error of the newest one-step forecast and its expected deviation.
func (s *localLevel) Residual() (value, deviation float64) { return s.guard.e, s.guard.sd }

// State visits the levels.
func (s *localLevel) State(c *codec.State) {
	c.Fixed("levels of local_level", len(s.levels))
	s.guard.state(c, "local_level")
	c.Int64(&s.count)
	s.best = c.Len(s.best, 0, len(s.levels)-1)
	for i := range s.levels {
		w := &s.levels[i]
		visitFloat(c, "level", &w.Mean, -1e140, 1e140)
		visitFloat(c, "variance of a level", &w.Variance, 0, 1e140)
		visitFloat(c, "degrees of freedom", &w.n, 0, 1e12)
		visitFloat(c, "variance of local_level", &w.s, 0, 1e250)
		visitFloat(c, "likelihood of local_level", &w.cost, -1e250, math.MaxFloat64)
		w.Known = s.count > 0
	}
	if c.Loading() && (s.count < 0 || s.count > s.guard.health.Observed) {
		c.Fail("local_level: %d values", s.count)
	}
}
