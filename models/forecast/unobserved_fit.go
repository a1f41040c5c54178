package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/models/forecast/statespace"
)

// unobservedFit is one fit of a series: its likelihood as a function of the parameters.
type unobservedFit struct {
	s        *unobserved
	f        *statespace.Structural
	order    []int // places of the window with a value, oldest first
	log      bool
	burn     int // values that only start the filter
	jacobian float64
}

// fitSettle is how little a gain may still move in a fit to count as settled.
const fitSettle = 1e-4

// fit looks for the likeliest parameters on the window, from the best of some starts and in the likelier form (logarithms, if they may be, or not), and starts the filter
// anew from the beginning of the window.
func (s *unobserved) fit(logs bool) {
	c := &unobservedFit{s: s, f: s.ahead, log: s.u.cfg.Transform == "log"}
	for i := s.steps - 1; i >= 0; i-- {
		if at := (s.at - i + len(s.ring)) % len(s.ring); !math.IsNaN(s.ring[at]) {
			c.order = append(c.order, at)
		}
	}
	if len(c.order) == 0 {
		return
	}
	c.measure()
	c.burn = min(s.u.n, len(c.order)/3)
	s.scale.log = c.log
	x, best := make([]float64, s.u.params), math.Inf(1)
	trial := make([]float64, s.u.params)
	forms := []bool{c.log}
	if logs && !c.log && c.positive() {
		forms = []bool{false, true}
	}
	for _, log := range forms {
		c.log = log
		c.setJacobian()
		c.choose()
		for start := range 3 { // two guesses, and what the fit before found
			switch {
			case start < 2:
				s.u.guess(trial, -1.5*float64(start))
			case s.fits == 0:
				continue
			default:
				copy(trial, s.theta)
			}
			if v := c.cost(trial); v < best {
				best = v
				copy(x, trial)
				s.scale.log = log
			}
		}
	}
	c.log = s.scale.log
	c.setJacobian()
	c.choose()
	c.f.SettleAt(fitSettle)
	statespace.Minimize(c.cost, x, 1, 1e-3, s.u.cfg.Evaluations)
	copy(s.theta, x)
	for i, p := range s.u.parts {
		s.theta[i] = math.Max(p.least, math.Min(p.most, s.theta[i]))
	}
	s.fits++
	s.fits = min(s.fits, maxFits)
	c.again()
}

// measure sets the units of the regressors to the root of their mean square.
func (c *unobservedFit) measure() {
	k := c.s.u.k
	for j := range k {
		total := 0.0
		for _, at := range c.order {
			v := math.Min(math.Abs(c.s.ringX[at*k+j]), 1e100)
			total += v * v / float64(len(c.order))
		}
		if total > 0 {
			c.s.unit[j] = math.Max(1e-100, math.Sqrt(total))
		}
	}
}

func (c *unobservedFit) positive() bool {
	for _, at := range c.order {
		if !(c.s.ring[at] > 0) {
			return false
		}
	}
	return true
}

// setJacobian sets what logarithms take from the log-likelihood of the values that count: Σ log y.
func (c *unobservedFit) setJacobian() {
	c.jacobian = 0
	if !c.log {
		return
	}
	for _, at := range c.order[c.burn:] {
		c.jacobian += math.Log(c.s.ring[at])
	}
}

func (c *unobservedFit) value(i int) float64 {
	y := c.s.ring[c.order[i]]
	if c.log {
		return math.Log(y)
	}
	return y
}

// choose takes, for each season that has more harmonics than the model, those of the greatest power in the window, less a line through it.
func (c *unobservedFit) choose() {
	if c.s.u.choices == 0 {
		return
	}
	rest, k := c.detrended(), 0
	for i := range c.s.u.parts {
		p := &c.s.u.parts[i]
		if p.period == 0 {
			continue
		}
		power := make([]float64, (p.period+1)/2)
		for j := 1; j < len(power); j++ {
			if !c.chosen(p.period, j, i) {
				power[j] = 1e-300 + strength(rest, p.period, j)
			}
		}
		for range p.size / 2 {
			best := 0
			for j, v := range power {
				if v > power[best] {
					best = j
				}
			}
			power[best] = 0
			c.s.turns[k] = max(best, 1)
			k++
		}
	}
}

// chosen reports whether a shorter season has the frequency j/period already.
func (c *unobservedFit) chosen(period, j, before int) bool {
	k := 0
	for i := range before {
		p := &c.s.u.parts[i]
		for range p.size / 2 * min(p.period, 1) {
			if c.s.turns[k]*period == j*p.period {
				return true
			}
			k++
		}
	}
	return c.s.u.whole(period, j)
}

// detrended are the values of the window by step, less a line; missing ones are 0.
func (c *unobservedFit) detrended() []float64 {
	out := make([]float64, c.s.steps)
	n, t, y, tt, ty := 0.0, 0.0, 0.0, 0.0, 0.0
	each := func(f func(at int, v float64)) {
		at := c.s.steps - 1 - (c.s.at-c.order[0]+len(c.s.ring))%len(c.s.ring)
		for i := range c.order {
			if i > 0 {
				at += c.gap(i)
			}
			f(at, c.value(i))
		}
	}
	each(func(at int, v float64) {
		x := float64(at)
		n, t, y, tt, ty = n+1, t+x, y+v, tt+x*x, ty+x*v
	})
	slope := 0.0
	if d := n*tt - t*t; d > 0 {
		slope = (n*ty - t*y) / d
	}
	each(func(at int, v float64) { out[at] = v - y/n - slope*(float64(at)-t/n) })
	return out
}

// strength is the power of the jth harmonic of a season in x.
func strength(x []float64, period, j int) float64 {
	step := 2 * math.Pi * float64(j) / float64(period)
	c, s := 0.0, 0.0
	for i, v := range x {
		sin, cos := math.Sincos(step * float64(i))
		c, s = c+v*cos, s+v*sin
	}
	return c*c + s*s
}

// gap is how many steps lie between the value and the one before it.
func (c *unobservedFit) gap(i int) int {
	n := len(c.s.ring)
	return (c.order[i] - c.order[i-1] + n) % n
}

func (c *unobservedFit) row(i int) []float64 {
	s := c.s
	if s.u.k == 0 {
		return nil
	}
	for j := range s.u.k {
		s.x[j] = s.relative(j, s.ringX[c.order[i]*s.u.k+j])
	}
	return s.x
}

// cost is minus the concentrated log-likelihood (Harvey 1989, §3.4.2), errors beyond six deviations damped, with a mild pull to the inside of the ranges.
func (c *unobservedFit) cost(theta []float64) float64 {
	pull := 0.0
	for i, p := range c.s.u.parts {
		out := math.Max(0, math.Max(p.least-theta[i], theta[i]-p.most))
		pull += 10*out*out + 0.01*math.Pow(theta[i]-p.guess, 2)
	}
	if c.s.u.cfg.AR {
		pull += 0.05 * math.Pow(theta[len(c.s.u.parts)]-0.5, 2)
	}
	c.s.u.tune(c.f, theta, c.s.turns)
	c.s.u.begin(c.f, c.value(0), theta, c.s.mean, c.s.variance, true)
	n, squares, logs, product, running, seen := 0.0, 0.0, 0.0, 1.0, 0.0, 0.0
	for i := 1; i < len(c.order); i++ {
		for range c.gap(i) {
			c.f.Predict()
		}
		in := c.f.Weigh(c.value(i), c.row(i))
		e := in.Error
		if limit := 6 * math.Sqrt(running/math.Max(seen, 1)*in.Variance); seen > 20 && limit > 0 && math.Abs(e) > limit {
			e = math.Copysign(limit, e)
		}
		c.f.Correct(e)
		square := e / in.Variance * e
		running += square
		seen++
		if i >= c.burn {
			n++
			squares += square
			if product *= in.Variance; product > 1e150 { // a logarithm for some values at a time; F is at least 1
				logs, product = logs+math.Log(product), 1
			}
		}
	}
	logs += math.Log(product)
	least := 1e-12 * c.value(0) * c.value(0)
	return 0.5*(n*math.Log(math.Max(squares/n, least+1e-300))+logs) + c.jacobian + pull
}

// again runs the filter of the series over the window with its new parameters, the way values are taken in.
func (c *unobservedFit) again() {
	s := c.s
	counted, log := s.guard.health, s.scale.log
	s.u.tune(s.filter, s.theta, s.turns)
	s.u.begin(s.filter, c.value(0), s.theta, s.mean, s.variance, true)
	s.guard = newGuard(s.u.cfg.Memory)
	s.scale = scaling{log: log, top: -700}
	s.guard.first(s.scale.to(s.ring[c.order[0]]))
	s.guard.n = 0 // the first error says more than the size of a value
	for i := 1; i < len(c.order); i++ {
		for range c.gap(i) {
			s.filter.Predict()
		}
		v := s.scale.to(s.ring[c.order[i]])
		in := s.filter.Weigh(v, c.row(i))
		e, shifted := in.Error, false
		if i >= c.burn {
			s.scale.smear(v, v-in.Error)
			e, shifted = s.guard.take(v, in.Error, in.Variance)
		}
		if shifted {
			s.filter.Widen(100 * math.Max(1, in.Variance))
			e = in.Error
		}
		s.filter.Correct(e)
	}
	for range (s.at - c.order[len(c.order)-1] + len(s.ring)) % len(s.ring) {
		s.filter.Predict()
	}
	s.guard.health = counted // the window was counted when it came
}
