package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/forecast/statespace"
)

// unobserved is a series of Unobserved.
type unobserved struct {
	u      *Unobserved
	guard  guard
	scale  scaling
	filter *statespace.Structural
	theta  []float64 // parameters of the filter
	turns  []int     // harmonics that were chosen
	fits   int
	count  int64     // values since the series began or began anew
	ring   []float64 // newest values by step, NaN: missing
	ringX  []float64 // their regressors
	steps  int       // steps in the ring
	at     int       // place of the present one
	unit   []float64 // by regressor: the size that counts as 1; 0: not yet known

	ahead          *statespace.Structural // scratch: what follows is not state
	x              []float64              // regressors in their units
	mean, variance []float64
}

// maxFits bounds how often a series is fitted; each is due after fitGrowth as many values as the one before. jumpSteps is from when on a gap is made in one go.
const (
	maxFits   = 12
	fitGrowth = 1.5
	jumpSteps = 64
)

// due is after how many values a series that was fitted so often is fitted again.
func (u *Unobserved) due(fits int) float64 {
	return float64(u.first) * math.Pow(fitGrowth, float64(fits))
}

func (s *unobserved) empty() {
	s.guard = newGuard(s.u.cfg.Memory)
	s.begin()
}

// begin forgets everything but what was counted.
func (s *unobserved) begin() {
	s.scale = scaling{log: s.u.cfg.Transform == "log", top: -700}
	s.u.guess(s.theta, 0)
	k := 0
	for _, p := range s.u.parts {
		for j := range p.size / 2 * min(p.period, 1) {
			s.turns[k] = j + 1
			k++
		}
	}
	s.u.tune(s.filter, s.theta, s.turns)
	s.fits, s.count, s.steps, s.at = 0, 0, 0, 0
	clear(s.unit)
	clear(s.ring)
	clear(s.ringX)
	clear(s.mean)
	clear(s.variance)
	s.filter.Restart(s.mean, s.variance)
}

// Advance moves the filter on: step by step, or for a long gap by all of it at once.
func (s *unobserved) Advance(steps int64) {
	for range min(steps, int64(len(s.ring))) {
		s.at++
		if s.at == len(s.ring) {
			s.at = 0
		}
		s.ring[s.at] = math.NaN()
		s.steps = min(s.steps+1, len(s.ring))
	}
	if s.count > 0 {
		s.move(s.filter, steps)
	}
}

func (s *unobserved) move(f *statespace.Structural, steps int64) {
	if steps > jumpSteps {
		f.Jump(min(steps, 1<<44))
		return
	}
	for range steps {
		f.Predict()
	}
}

// Observe takes in a value, and fits when it is time to.
func (s *unobserved) Observe(y float64, x []float64) {
	y = bounded(y)
	if s.scale.log && y <= 0 {
		if s.u.cfg.Transform == "log" {
			s.guard.health.Refused++
			return
		}
		s.fit(false)
	}
	row, ok := s.row(x)
	if !ok {
		return
	}
	s.ring[s.at] = y
	copy(s.ringX[s.at*s.u.k:], x)
	s.count++
	v := s.scale.to(y)
	if s.count == 1 {
		s.guard.first(v)
		s.u.begin(s.filter, v, s.theta, s.mean, s.variance, false)
		return
	}
	s.take(v, row)
	if s.fits < maxFits && float64(s.count) >= s.u.due(s.fits) {
		s.fit(s.u.cfg.Transform != "none")
	}
}

// row are the regressors in their units; false: one is missing.
func (s *unobserved) row(x []float64) ([]float64, bool) {
	if s.u.k == 0 {
		return nil, true
	}
	for i, v := range x {
		if math.IsNaN(v) {
			return nil, false
		}
		if s.unit[i] == 0 && v != 0 {
			s.unit[i] = math.Max(1e-100, math.Min(math.Abs(v), 1e100))
		}
		s.x[i] = s.relative(i, v)
	}
	return s.x, true
}

// maxRelative bounds a regressor in units of its usual size.
const maxRelative = 1e6

func (s *unobserved) relative(i int, v float64) float64 {
	if s.unit[i] == 0 || math.IsNaN(v) {
		return 0
	}
	return math.Max(-maxRelative, math.Min(v/s.unit[i], maxRelative))
}

// take takes in a transformed value.
func (s *unobserved) take(v float64, row []float64) {
	in := s.filter.Weigh(v, row)
	s.scale.smear(v, v-in.Error)
	e, shifted := s.guard.take(v, in.Error, in.Variance)
	if shifted {
		s.filter.Widen(100 * math.Max(1, in.Variance))
		e = in.Error
	}
	s.filter.Correct(e)
	if !(math.Abs(s.filter.Mean()[0]) < 1e140) || !(in.Variance > 0) || !(in.Variance < 1e140) {
		s.guard.restart()
		s.begin()
	}
}

// Forecast runs a copy of the filter ahead.
func (s *unobserved) Forecast(o *models.Outlook, x [][]float64) {
	o.Health = s.guard.report(s.u.first)
	if s.fits == 0 && o.Health.Status == models.HealthGood {
		o.Health.Status = models.HealthCold
	}
	if o.Health.Observed == 0 {
		setUnknown(o)
		return
	}
	s.u.tune(s.ahead, s.theta, s.turns)
	s.ahead.CopyFrom(s.filter)
	if o.Skip > 0 {
		s.move(s.ahead, o.Skip)
	}
	var room [32]float64
	multiples := quantiles(room[:0], o.Levels, s.guard.n)
	sigma := s.guard.deviation()
	for i := range o.Mean {
		s.ahead.Predict()
		for j := range s.u.k {
			s.x[j] = s.relative(j, x[i][j])
		}
		middle, variance := s.ahead.Forecast(s.x)
		answer(o, i, middle, float64(math.Sqrt(variance+1)*sigma), s.guard.sd, multiples, &s.scale)
	}
}

// Level is the level, without slope, season and regressors.
func (s *unobserved) Level() float64 {
	if s.count == 0 {
		return math.NaN()
	}
	return s.scale.back(s.filter.Mean()[0])
}

// Residual is the error of the newest one-step forecast and its expected deviation, of logarithms while the series works with them.
func (s *unobserved) Residual() (value, deviation float64) { return s.guard.e, s.guard.sd }

// State visits the filter, its parameters and the window.
func (s *unobserved) State(c *codec.State) {
	c.Fixed("states of unobserved_components", s.u.n)
	s.guard.state(c, "unobserved_components")
	s.scale.state(c, "scale of unobserved_components")
	for i := range s.theta {
		visitFloat(c, "parameter of unobserved_components", &s.theta[i], -100, 100)
	}
	k := 0
	for _, p := range s.u.parts {
		for range p.size / 2 * min(p.period, 1) {
			s.turns[k] = c.Len(s.turns[k], 0, (p.period-1)/2)
			if c.Loading() && s.turns[k] == 0 {
				c.Fail("unobserved_components: harmonic 0")
			}
			k++
		}
	}
	for i := range s.unit {
		visitFloat(c, "unit of a regressor", &s.unit[i], 0, 1e100)
	}
	if c.Loading() {
		s.u.tune(s.filter, s.theta, s.turns)
	}
	s.filter.State(c)
	s.fits = c.Len(s.fits, 0, maxFits)
	c.Int64(&s.count)
	s.steps = c.Len(s.steps, 0, len(s.ring))
	s.at = c.Len(s.at, 0, len(s.ring)-1)
	for i := range s.steps { // oldest last, so that a young series is short
		at := (s.at - i + len(s.ring)) % len(s.ring)
		c.Float64(&s.ring[at])
		for j := range s.u.k {
			c.Float64(&s.ringX[at*s.u.k+j])
		}
		if c.Loading() && math.Abs(s.ring[at]) > maxValue {
			c.Fail("unobserved_components: value %v", s.ring[at])
		}
	}
	if c.Loading() && (s.count < 0 || s.count > s.guard.health.Observed) {
		c.Fail("unobserved_components: %d values", s.count)
	}
}
