package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/models/forecast/statespace"
)

// sarimaFit is one fit of a series, on its window from the oldest step on.
type sarimaFit struct {
	s        *sarima
	raw      []float64   // values, NaN: missing
	x        [][]float64 // by regressor, in units
	y, e     []float64
	terms    sarimaPolynomials
	from     int // first step whose error counts
	center   float64
	jacobian float64

	white, normal [][]float64 // of regress: what the polynomials leave of the regressors, and the normal equations
	right         []float64
}

// fit looks for the coefficients with the least conditional sum of squares (Box & Jenkins 1976, §7.1) on the window, in the likelier form (logarithms, if they may be, or not).
func (s *sarima) fit(logs bool) {
	c := newSarimaFit(s)
	if c == nil {
		return
	}
	log := s.m.cfg.Transform == "log"
	trial := make([]float64, s.m.params)
	copy(trial, s.theta)
	if logs && !log && c.positive() {
		costs := [2]float64{}
		for i := range costs {
			c.prepare(i == 1)
			c.regress(trial)
			costs[i] = c.cost(trial)
		}
		log = costs[1] < costs[0]
	}
	c.prepare(log)
	best, start := math.Inf(1), make([]float64, s.m.params)
	for i := range 3 { // two guesses, and what the fit before found
		switch {
		case i < 2:
			c.guess(trial, 0.3+0.5*float64(i))
		case s.fits > 0:
			copy(trial, s.theta)
		}
		if v := c.cost(trial); v < best {
			best = v
			copy(start, trial)
		}
	}
	if c.regress(start) {
		statespace.Minimize(c.cost, start, 0.4, 1e-4, s.m.cfg.Evaluations/2)
		c.regress(start)
	}
	statespace.Minimize(c.cost, start, 0.4, 1e-4, s.m.cfg.Evaluations)
	c.adopt(start, log)
}

// newSarimaFit copies the window into the room of the fit before; nil: it holds too little.
func newSarimaFit(s *sarima) *sarimaFit {
	n, k := s.steps, s.m.k
	if s.fitter == nil {
		all := s.m.window
		s.fitter = &sarimaFit{s: s, raw: make([]float64, all), y: make([]float64, all), e: make([]float64, all), x: matrix(k, all), white: matrix(k, all), normal: matrix(k, k), right: make([]float64, k)}
	}
	c := s.fitter
	c.raw, c.y, c.e = c.raw[:n], c.y[:n], c.e[:n]
	seen := 0
	for i := range n {
		c.raw[i] = s.raw[s.back(n-1-i)]
		if !math.IsNaN(c.raw[i]) {
			seen++
		}
	}
	if seen < 8 {
		return nil
	}
	o, so := s.m.cfg.Order, s.m.cfg.SeasonalOrder
	c.from = min(n/2, o[0]+o[1]+s.m.season*(so[0]+so[1]))
	for j := range k {
		c.x[j] = c.x[j][:n]
		total := 0.0
		for i := range n {
			v := math.Max(-1e100, math.Min(s.x[s.back(n-1-i)*k+j], 1e100))
			c.x[j][i] = v
			total += float64(v*v) / float64(n)
		}
		if total > 0 {
			s.unit[j] = math.Max(1e-100, math.Sqrt(total))
		}
		for i, v := range c.x[j] {
			c.x[j][i] = relativeTo(s.unit[j], v)
		}
	}
	return c
}

// matrix is one of zeros, rows of rows.
func matrix(rows, cols int) [][]float64 {
	m, flat := make([][]float64, rows), make([]float64, rows*cols)
	for i := range m {
		m[i], flat = flat[:cols:cols], flat[cols:]
	}
	return m
}

func (c *sarimaFit) positive() bool {
	for _, v := range c.raw {
		if v <= 0 {
			return false
		}
	}
	return true
}

// guess are small coefficients: the moving averages that differences ask for, and some autoregression.
func (c *sarimaFit) guess(x []float64, size float64) {
	o, so, at := c.s.m.cfg.Order, c.s.m.cfg.SeasonalOrder, 0
	clear(x)
	set := func(n int, v float64) {
		if n > 0 {
			x[at] = v
		}
		at += n
	}
	set(o[0], size)
	set(o[2], size*float64(o[1]))
	set(so[0], size/2)
	set(so[2], size*float64(so[1]))
	for range c.s.m.seasons {
		set(1, size/2)
		set(1, 0)
	}
}

// prepare sets the form of the values: their logarithms or not, and the center where no differences are taken.
func (c *sarimaFit) prepare(log bool) {
	c.s.scale.log = log
	c.jacobian, c.center = 0, 0
	total, n := 0.0, 0.0
	for i, v := range c.raw {
		if math.IsNaN(v) {
			continue
		}
		if log {
			v = math.Log(v)
			if i >= c.from {
				c.jacobian += v
			}
		}
		total += v
		n++
	}
	if c.s.m.cfg.Order[1]+c.s.m.cfg.SeasonalOrder[1] == 0 {
		c.center = total / n
	}
	clear(c.s.beta)
}

// value is the value of a step less center and regressors.
func (c *sarimaFit) value(i int) float64 {
	v := c.raw[i]
	if c.s.scale.log {
		v = math.Log(v)
	}
	v -= c.center
	for j, b := range c.s.beta {
		v -= float64(b * c.x[j][i])
	}
	return v
}

// run computes the errors of the window; missing values are their forecasts.
func (c *sarimaFit) run(theta []float64) {
	c.terms.set(c.s.m, theta)
	for i := range c.raw {
		f := c.forecast(i)
		c.e[i], c.y[i] = 0, f
		if v := c.value(i); !math.IsNaN(v) {
			c.y[i] = v
			if i >= c.from {
				c.e[i] = v - f
			}
		}
	}
}

func (c *sarimaFit) forecast(i int) float64 {
	f := 0.0
	for _, t := range c.terms.ar[1:] {
		if t.lag <= i {
			f += float64(t.c * c.y[i-t.lag])
		}
	}
	for _, t := range c.terms.ma[1:] {
		if t.lag <= i {
			f += float64(t.c * c.e[i-t.lag])
		}
	}
	return f
}

// cost is minus the conditional log-likelihood, errors beyond six deviations damped, with a mild pull away from the ends of the ranges.
func (c *sarimaFit) cost(theta []float64) float64 {
	c.run(theta)
	n, total := 0.0, 0.0
	for i := c.from; i < len(c.e); i++ {
		if math.IsNaN(c.raw[i]) {
			continue
		}
		square := c.e[i] * c.e[i]
		if limit := 36 * total / math.Max(n, 1); n > 20 && square > limit && limit > 0 {
			square = limit
		}
		total += square
		n++
	}
	pull := 0.0
	for _, v := range theta {
		pull += 0.05 * v * v
	}
	return 0.5*n*math.Log(math.Max(total/math.Max(n, 1), 1e-300)) + c.jacobian + pull
}

// regress sets the coefficients of the regressors to those of least squares between what the polynomials leave of values and regressors (Cochrane & Orcutt 1949); false: there are none.
func (c *sarimaFit) regress(theta []float64) bool {
	k := len(c.x)
	if k == 0 {
		return false
	}
	clear(c.s.beta)
	c.run(theta)
	white, a, b := c.white, c.normal, c.right
	for j := range white {
		white[j] = white[j][:len(c.raw)]
		c.whiten(white[j], c.x[j])
	}
	for r := range a {
		clear(a[r])
		b[r] = 0
		for i := c.from; i < len(c.e); i++ {
			if math.IsNaN(c.raw[i]) {
				continue
			}
			b[r] += white[r][i] * c.e[i]
			for q := range r + 1 {
				a[r][q] += white[r][i] * white[q][i]
			}
		}
		a[r][r] += 1e-6 + 1e-8*a[r][r]
	}
	solve(a, b)
	for j, v := range b {
		if math.Abs(v) < 1e110 {
			c.s.beta[j] = v
		}
	}
	return true
}

// whiten writes to e what the polynomials leave of x.
func (c *sarimaFit) whiten(e, x []float64) {
	for i := range x {
		f := 0.0
		for _, t := range c.terms.ar[1:] {
			if t.lag <= i {
				f += float64(t.c * x[i-t.lag])
			}
		}
		for _, t := range c.terms.ma[1:] {
			if t.lag <= i {
				f += float64(t.c * e[i-t.lag])
			}
		}
		e[i] = 0
		if i >= c.from {
			e[i] = x[i] - f
		}
	}
}

// solve solves a b' = b for symmetric positive definite a, of which the lower half is given, by Cholesky's factors, in place.
func solve(a [][]float64, b []float64) {
	for i := range a {
		for j := range i + 1 {
			s := a[i][j]
			for k := range j {
				s -= float64(a[i][k] * a[j][k])
			}
			if i == j {
				a[i][i] = math.Sqrt(math.Max(s, 1e-12))
			} else {
				a[i][j] = s / a[j][j]
			}
		}
	}
	for i := range b {
		for k := range i {
			b[i] -= float64(a[i][k] * b[k])
		}
		b[i] /= a[i][i]
	}
	for i := len(b) - 1; i >= 0; i-- {
		for k := i + 1; k < len(b); k++ {
			b[i] -= float64(a[k][i] * b[k])
		}
		b[i] /= a[i][i]
	}
}

// adopt gives the series the coefficients, and values, errors and variance that follow from them.
func (c *sarimaFit) adopt(theta []float64, log bool) {
	s := c.s
	for i, v := range theta {
		s.theta[i] = math.Max(-100, math.Min(v, 100))
	}
	s.scale = scaling{log: log, top: -700}
	s.center = c.center
	s.fits = min(s.fits+1, maxSarimaFits)
	s.derive()
	counted := s.guard.health
	s.guard = newGuard(s.m.cfg.Memory)
	c.run(s.theta)
	for i, v := range c.raw {
		at := s.back(len(c.raw) - 1 - i)
		s.y[at], s.e[at] = c.y[i], c.e[i]
		if math.IsNaN(v) {
			continue
		}
		v = s.scale.to(v)
		switch {
		case s.guard.health.Observed == 0:
			s.guard.first(v)
			s.guard.n = 0
		case i >= c.from:
			s.scale.smear(v, v-c.e[i])
			s.guard.take(v, c.e[i], 1)
		}
	}
	s.guard.health = counted
}
