package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// sarima is a series of SARIMA. Its rings have a place for each step of the window; filled steps have the value, or its forecast where none was seen.
type sarima struct {
	m      *SARIMA
	guard  guard
	scale  scaling
	theta  []float64
	center float64   // of the values, without differences
	beta   []float64 // of the regressors, in units
	unit   []float64 // by regressor: the size that counts as 1
	fits   int
	count  int64     // values since the series began or began anew
	steps  int       // steps in the rings
	at     int       // place of the present one
	missed int       // steps since the newest value
	raw    []float64 // values as they came, NaN: missing
	x      []float64 // their regressors
	y      []float64 // transformed, less center and regressors; forecasts where missing
	e      []float64 // errors

	polynomials sarimaPolynomials // derived from theta, as the weights
	psi         []float64         // ψ(0) … : sums of their squares, see weights
	path        []float64         // scratch
	seen        bool              // the present step has a value
	fitter      *sarimaFit        // room for fits, scratch
}

func (s *sarima) begin() {
	s.scale = scaling{log: s.m.cfg.Transform == "log", top: -700}
	clear(s.theta)
	clear(s.beta)
	clear(s.unit)
	s.center, s.fits, s.count, s.steps, s.at, s.missed, s.seen = 0, 0, 0, 0, 0, 0, false
	for _, r := range [][]float64{s.raw, s.x, s.y, s.e} {
		clear(r)
	}
	s.derive()
}

// derive forms what follows from the parameters.
func (s *sarima) derive() {
	s.polynomials.set(s.m, s.theta)
	s.weights(s.path[:len(s.psi)])
	total := 0.0
	for i, w := range s.path[:len(s.psi)] {
		total = math.Min(total+float64(w*w), 1e200)
		s.psi[i] = total
	}
}

// weights writes ψ: what an error adds to the value so many steps later (Box & Jenkins 1976, §5.2).
func (s *sarima) weights(psi []float64) {
	psi[0] = 1
	for j := 1; j < len(psi); j++ {
		w := 0.0
		for _, t := range s.polynomials.ar[1:] {
			if t.lag <= j {
				w += float64(t.c * psi[j-t.lag])
			}
		}
		for _, t := range s.polynomials.ma[1:] {
			if t.lag == j {
				w += t.c
			}
		}
		psi[j] = math.Max(-1e90, math.Min(w, 1e90))
	}
}

func (s *sarima) back(lag int) int {
	at := s.at - lag
	if at < 0 {
		at += len(s.y)
	}
	return at
}

// expected is the forecast of the present step.
func (s *sarima) expected() float64 {
	v := 0.0
	for _, t := range s.polynomials.ar[1:] {
		if t.lag <= s.steps {
			v += float64(t.c * s.y[s.back(t.lag)])
		}
	}
	for _, t := range s.polynomials.ma[1:] {
		v += float64(t.c * s.e[s.back(t.lag)])
	}
	return v
}

// Advance fills steps with their forecasts. Of a gap longer than the window the season's place is kept.
func (s *sarima) Advance(steps int64) {
	if most := int64(len(s.y)); steps > most {
		season := int64(s.m.season)
		steps = most - season + (steps-most)%season
	}
	for range steps {
		if s.at++; s.at == len(s.y) {
			s.at = 0
		}
		s.steps = min(s.steps+1, len(s.y)-1)
		s.raw[s.at], s.e[s.at], s.y[s.at] = math.NaN(), 0, 0
		if s.fits > 0 {
			s.y[s.at] = s.expected()
		}
		s.missed = min(s.missed+1, len(s.y)-1)
	}
	s.seen = false
}

// Observe takes in a value, and fits when it is time to.
func (s *sarima) Observe(y float64, x []float64) {
	y = bounded(y)
	if s.scale.log && y <= 0 {
		if s.m.cfg.Transform == "log" {
			s.guard.health.Refused++
			return
		}
		s.fit(false)
	}
	for i, v := range x {
		if math.IsNaN(v) {
			return
		}
		if s.unit[i] == 0 && v != 0 {
			s.unit[i] = math.Max(1e-100, math.Min(math.Abs(v), 1e100))
		}
	}
	s.raw[s.at] = y
	copy(s.x[s.at*s.m.k:], x)
	s.count++
	v := s.scale.to(y)
	if s.fits == 0 {
		s.cold(v)
	} else {
		s.take(v, x)
	}
	s.missed, s.seen = 0, true
	if s.fits < maxSarimaFits && float64(s.count) >= s.m.due(s.fits) {
		s.fit(s.m.cfg.Transform != "none")
	}
}

// maxSarimaFits bounds how often a series is fitted; each is due after sarimaGrowth as many values as the one before.
const (
	maxSarimaFits = 40
	sarimaGrowth  = 1.25
)

// due is after how many values a series that was fitted so often is fitted again.
func (m *SARIMA) due(fits int) float64 {
	return float64(m.first) * math.Pow(sarimaGrowth, float64(fits))
}

// cold takes in a value before the first fit: forecasts are the newest value then.
func (s *sarima) cold(v float64) {
	if s.count == 1 {
		s.guard.first(v)
	} else {
		s.guard.take(v, v-s.center, 1)
	}
	s.center = v
}

// take takes in a transformed value.
func (s *sarima) take(v float64, x []float64) {
	middle := s.y[s.at] + s.center + s.regression(x)
	if s.seen { // a second value of the step: the mean of both
		s.y[s.at] += float64((v - middle) / 2)
		s.e[s.at] += float64((v - middle) / 2)
		s.guard.health.Observed++
		return
	}
	s.scale.smear(v, middle)
	missed := min(s.missed-1, len(s.psi)-1)
	e, shifted := s.guard.take(v, v-middle, s.psi[max(missed, 0)])
	if shifted { // go on from the new level as if it had always been there
		s.center += v - middle
	} else if missed <= 0 {
		s.e[s.at] = e
		s.y[s.at] += e
	} else {
		s.mend(e, missed)
	}
	if !(math.Abs(s.y[s.at]) < 1e140) {
		s.guard.restart()
		s.begin()
	}
}

// mend spreads the error of the first value after missing ones over their steps, as much on each as it is expected to have had: e(t−j) = ψ(j) v / Σ ψ².
func (s *sarima) mend(v float64, missed int) {
	s.weights(s.path[:missed+1])
	for j := range missed + 1 {
		s.e[s.back(j)] = float64(s.path[j] * (v / s.psi[missed]))
	}
	now := s.at
	for j := missed; j >= 0; j-- {
		if s.at = now - j; s.at < 0 {
			s.at += len(s.y)
		}
		s.y[s.at] = s.expected() + s.e[s.at]
	}
	s.at = now
}

// regression is what the regressors add.
func (s *sarima) regression(x []float64) float64 {
	v := 0.0
	for i, b := range s.beta {
		v += float64(b * relativeTo(s.unit[i], x[i]))
	}
	return v
}

// relativeTo is a regressor in units of its size, bounded; missing: 0.
func relativeTo(unit, v float64) float64 {
	if unit == 0 || math.IsNaN(v) {
		return 0
	}
	return math.Max(-maxRelative, math.Min(v/unit, maxRelative))
}

// variance is the sum of squared weights of so many steps ahead; beyond those that are kept it grows as in the last season.
func (s *sarima) variance(ahead int64) float64 {
	last := len(s.psi) - 1
	if ahead-1 <= int64(last) {
		return s.psi[ahead-1]
	}
	season := min(s.m.season, last)
	return s.psi[last] + float64(ahead-1-int64(last))*(s.psi[last]-s.psi[last-season])/float64(season)
}

// Forecast continues the values without errors.
func (s *sarima) Forecast(o *models.Outlook, x [][]float64) {
	o.Health = s.guard.report(s.m.first)
	if s.fits == 0 && o.Health.Status == models.HealthGood {
		o.Health.Status = models.HealthCold
	}
	if o.Health.Observed == 0 {
		setUnknown(o)
		return
	}
	var room [32]float64
	multiples := quantiles(room[:0], o.Levels, s.guard.n)
	sigma := s.guard.deviation()
	skip := o.Skip
	if most, season := int64(s.m.horizon-len(o.Mean)), int64(s.m.season); skip > most {
		most = max(most, 0)
		skip = most - most%season + skip%season
	}
	n := s.ahead(int(skip) + len(o.Mean))
	for i := range o.Mean {
		middle := s.center
		if s.fits > 0 {
			middle += n[int(skip)+i]
			if s.m.k > 0 {
				middle += s.regression(x[i])
			}
		}
		steps := o.Skip + int64(i) + 1 + int64(s.missed)
		variance := float64(steps)
		if s.fits > 0 {
			variance = s.variance(min(steps, 1<<44))
		}
		answer(o, i, middle, float64(math.Sqrt(variance)*sigma), sigma, multiples, &s.scale)
	}
}

// ahead returns the forecasts of the next steps, without center and regressors.
func (s *sarima) ahead(steps int) []float64 {
	lag := s.m.lag
	if len(s.path) < lag+steps {
		s.path = make([]float64, lag+steps)
	}
	for j := range lag {
		s.path[lag-1-j] = 0
		if j <= s.steps {
			s.path[lag-1-j] = s.y[s.back(j)]
		}
	}
	for h := range steps {
		v := 0.0
		for _, t := range s.polynomials.ar[1:] {
			v += float64(t.c * s.path[lag+h-t.lag])
		}
		for _, t := range s.polynomials.ma[1:] {
			if back := t.lag - h - 1; back >= 0 {
				v += float64(t.c * s.e[s.back(back)])
			}
		}
		s.path[lag+h] = math.Max(-1e140, math.Min(v, 1e140))
	}
	return s.path[lag : lag+steps]
}

// Level is the forecast of the next season's mean; without a season of the next step.
func (s *sarima) Level() float64 {
	if s.count == 0 {
		return math.NaN()
	}
	if s.fits == 0 {
		return s.scale.back(s.center)
	}
	total := 0.0
	for _, v := range s.ahead(s.m.season) {
		total += v / float64(s.m.season)
	}
	return s.scale.back(total + s.center)
}

// Residual is the error of the newest one-step forecast and its expected deviation, of logarithms while the series works with them.
func (s *sarima) Residual() (value, deviation float64) { return s.guard.e, s.guard.sd }

// State visits parameters and rings, of values and errors as far back as they are looked at.
func (s *sarima) State(c *codec.State) {
	c.Fixed("lags of sarima", s.m.lag)
	s.guard.state(c, "sarima")
	s.scale.state(c, "scale of sarima")
	for i := range s.theta {
		visitFloat(c, "parameter of sarima", &s.theta[i], -1e3, 1e3)
	}
	for i := range s.beta {
		visitFloat(c, "coefficient of a regressor", &s.beta[i], -1e120, 1e120)
		visitFloat(c, "unit of a regressor", &s.unit[i], 0, 1e100)
	}
	visitFloat(c, "center of sarima", &s.center, -1e120, 1e120)
	s.fits = c.Len(s.fits, 0, maxSarimaFits)
	c.Int64(&s.count)
	s.steps = c.Len(s.steps, 0, len(s.y)-1)
	s.at = c.Len(s.at, 0, len(s.y)-1)
	s.missed = c.Len(s.missed, 0, len(s.y)-1)
	c.Bool(&s.seen)
	for i := range min(s.steps, len(s.raw)) {
		at := s.back(i)
		c.Float64(&s.raw[at])
		for j := range s.m.k {
			c.Float64(&s.x[at*s.m.k+j])
		}
		if c.Loading() && math.Abs(s.raw[at]) > maxValue {
			c.Fail("sarima: value %v", s.raw[at])
		}
	}
	for i := range min(s.steps, s.m.lag) {
		visitFloat(c, "value of sarima", &s.y[s.back(i)], -1e140, 1e140)
		visitFloat(c, "error of sarima", &s.e[s.back(i)], -1e140, 1e140)
	}
	if c.Loading() {
		if s.count < 0 || s.count > s.guard.health.Observed {
			c.Fail("sarima: %d values", s.count)
		}
		s.derive()
	}
}
