package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// regression learns what unexpected regressors add to a series. What is expected of a regressor is its smoothed level and season: so much is in the level and the
// tables of the series already. The coefficients are ridge regression by recursive least squares with a slow discount (Young 1984, §4.2) of the errors of the smoother whose errors are whitest on what is new in the
// regressors after its autocorrelation is taken out (generalised least squares, Cochrane & Orcutt 1949), one set for each view; regressors count in units of their mean deviation, at most ± 5.
type regression struct {
	season  int
	level   []float64
	size    []float64 // mean deviation from what was expected
	table   []float32 // by regressor and phase
	cov     []float64 // rows of the inverse of the discounted moments, common to both views
	theta   [2][]float64
	n       float64
	effect  [2]float64 // scratch: of the step that was asked for
	error   [2]float64 // scratch: of the views
	before  []float64  // deviations of the newest value in their units
	u, gain []float64  // scratch: those of the step that was asked for; gains
	white   []float64  // scratch: what is new in them
}

const (
	regressorAlpha    = 0.1
	regressorGamma    = 0.1
	regressorRidge    = 0.1 // of the first covariance: ten observations that say nothing
	regressorDiscount = 0.9995
	mostDeviation     = 5 // of a regressor, in units of its size
)

func newRegression(b *Bank) *regression {
	r := b.env.Regressors
	g := &regression{season: b.shortSeason(), cov: make([]float64, r*r)}
	g.table = make([]float32, r*g.season)
	for _, p := range []*[]float64{&g.level, &g.size, &g.theta[0], &g.theta[1], &g.before, &g.u, &g.gain, &g.white} {
		*p = make([]float64, r)
	}
	g.forget()
	return g
}

// at is the regressor within its bounds.
func regressorValue(x float64) float64 { return max(-bankLimit, min(bankLimit, x)) }

// expect works out the deviations of x from what was expected for the step, and what they add.
func (g *regression) expect(s *bankSeries, step int64, x []float64) {
	g.effect = [2]float64{}
	phase := int(step % int64(g.season))
	for i := range g.u {
		g.u[i] = 0
		if g.n > 0 && g.size[i] > 0 && i < len(x) && x[i] == x[i] {
			e := regressorValue(x[i]) - g.level[i] - float64(g.table[i*g.season+phase])
			g.u[i] = max(-mostDeviation, min(mostDeviation, e/g.size[i]))
		}
		for v := range g.effect {
			g.effect[v] += float64(g.theta[v][i] * g.u[i])
		}
	}
	width := s.high - s.low
	g.effect[linearView] = max(-width, min(width, g.effect[linearView]))
	g.effect[logView] = max(-2, min(2, g.effect[logView]))
}

// learn moves the coefficients by the errors of the views, then what is expected.
func (g *regression) learn(s *bankSeries, x []float64) {
	if s.observed > 1 {
		g.coefficients()
	}
	phase := int(s.step % int64(g.season))
	least := 1 / (g.n + 1)
	for i := range g.level {
		c := &g.table[i*g.season+phase]
		e := regressorValue(x[i]) - g.level[i] - float64(*c)
		if g.n > 0 {
			g.size[i] += float64(max(0.01, 1/g.n) * (math.Abs(e) - g.size[i]))
		}
		g.level[i] += float64(max(regressorAlpha, least) * e)
		if g.season > 1 && g.n >= float64(g.season) {
			*c = float32(float64(*c) + float64(regressorGamma*e))
		}
	}
	g.n++
	g.error = [2]float64{}
}

// coefficients is one step of recursive least squares.
func (g *regression) coefficients() {
	r := len(g.u)
	for i := range g.u {
		g.white[i] = g.u[i] - float64(bankFilters[bankWhite].rho*g.before[i])
		g.before[i] = g.u[i]
	}
	variance := regressorDiscount
	for i := range r {
		row := g.cov[i*r : (i+1)*r]
		sum := 0.0
		for j, u := range g.white {
			sum += float64(row[j] * u)
		}
		g.gain[i] = sum
		variance += float64(sum * g.white[i])
	}
	if !(variance > 0) || !finite(variance) { // rounding
		g.forget()
		return
	}
	for v := range g.theta {
		for i := range g.theta[v] {
			g.theta[v][i] += float64(g.gain[i] / variance * g.error[v])
		}
	}
	trace := 0.0
	for i := range r {
		for j := 0; j <= i; j++ { // both halves alike
			c := (g.cov[i*r+j] - float64(g.gain[i]*g.gain[j]/variance)) / regressorDiscount
			g.cov[i*r+j], g.cov[j*r+i] = c, c
		}
		trace += g.cov[i*r+i]
	}
	if !(trace <= 2*regressorRidge*float64(r)) || !g.sound() { // nothing to learn from for long, or rounding
		g.forget()
	}
}

// forget begins with the ridge again, from the coefficients as they are.
func (g *regression) forget() {
	clear(g.cov)
	for i := range g.u {
		g.cov[i*len(g.u)+i] = regressorRidge
	}
}

// sound reports whether every variance is above 0 and every coefficient a number; others are forgotten.
func (g *regression) sound() bool {
	r, ok := len(g.u), true
	for i := range r {
		ok = ok && g.cov[i*r+i] > 0
		for v := range g.theta {
			if !(math.Abs(g.theta[v][i]) < 1e32) {
				g.theta[v][i], ok = 0, false
			}
		}
	}
	return ok
}

func (g *regression) state(c *codec.State) {
	for _, list := range [][]float64{g.level, g.size, g.cov, g.theta[0], g.theta[1], g.before} {
		for i := range list {
			bankNumber(c, &list[i], "of regressors")
		}
	}
	for i := range g.cov {
		if c.Loading() && math.Abs(g.cov[i]) > 1e6 {
			c.Fail("forecaster_bank: covariance %v of regressors", g.cov[i])
		}
	}
	for i := range g.before {
		if c.Loading() && (math.Abs(g.before[i]) > mostDeviation || g.size[i] < 0) {
			c.Fail("forecaster_bank: regressor %v deviations from its mean, of size %v", g.before[i], g.size[i])
		}
	}
	for i := range g.table {
		bankSingle(c, &g.table[i], false)
	}
	bankWhole(c, &g.n)
}
