package forecast

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/optimize"
)

// Scored is what a form with given rates says of a whole series from a given state on: the way to compare with other programs.
type Scored struct {
	Fitted []float64 // forecasts one step ahead
	Errors []float64 // their errors, relative ones if the form has such; NaN where the value is missing
	SSE    float64   // sum of the squares of Errors
	// LogLikelihood is −½(n·log Σe² + 2·Σlog|forecast|), the second sum for relative errors only: without the constants, as R's forecast::ets states it.
	LogLikelihood float64
	Final         Smoothed
}

// Score runs the form and the rates that are given over the values of successive steps, NaN where one is missing. Nothing is damped.
func (f *Smoothing) Score(from Smoothed, y []float64) Scored {
	m := f.places()
	s := smoothState{level: from.Level, trend: from.Trend, season: make([]float64, m)}
	for i, v := range from.Season {
		s.season[(i+1)%m] = v
	}
	out := Scored{Fitted: make([]float64, 0, len(y)), Errors: make([]float64, 0, len(y))}
	run := f.given.run(&s, y, func(fitted, e float64) { out.Fitted, out.Errors = append(out.Fitted, fitted), append(out.Errors, e) })
	out.SSE, out.LogLikelihood = run.sse, run.logLikelihood()
	out.Final = Smoothed{Level: s.level, Trend: s.trend}
	for i := 1; i <= m && f.given.Season != NoSeason; i++ {
		out.Final.Season = append(out.Final.Season, s.season[(s.at+i)%m])
	}
	return out
}

// smoothRun is what a run over values sums up.
type smoothRun struct {
	n, sse, logs float64
}

func (r *smoothRun) logLikelihood() float64 {
	return -0.5 * (r.n*math.Log(max(r.sse, math.SmallestNonzeroFloat64)) + 2*r.logs)
}

// run takes in the values of successive steps; each, if not nil, is told every forecast and its error.
func (p *smoothParams) run(s *smoothState, y []float64, each func(fitted, e float64)) (r smoothRun) {
	for _, v := range y {
		p.advance(s, 1)
		f := p.predict(s)
		e := v - f
		if finite(e) {
			p.correct(s, e)
			if p.RelativeError {
				size := max(math.Abs(f), leastFactor)
				e /= size
				r.logs += math.Log(size)
			}
			r.n++
			r.sse += float64(e * e)
		}
		if each != nil {
			each(f, e)
		}
	}
	return r
}

// lineFit is a line with a season through values of successive steps.
type lineFit struct {
	level, slope float64   // of the first step, and per step
	season       []float64 // by step modulo season, sums to 0 or means 1
}

// throughLine fits a line with a season: the slope from the values one season apart (without season: by least squares), the level as the
// mean of what is left over the places of the season, the season from the mean distance (ratio, for factors) to that line.
func throughLine(y []float64, m int, form SmoothingForm) lineFit {
	l := lineFit{season: make([]float64, m)}
	if form.Trend {
		l.slope = slopeOf(y, m)
	}
	sums, counts := make([]float64, m), make([]float64, m)
	for i, v := range y {
		if finite(v) {
			sums[i%m] += v - float64(l.slope*float64(i))
			counts[i%m]++
		}
	}
	places := 0.0
	for k := range sums {
		if counts[k] > 0 {
			l.level += sums[k] / counts[k]
			places++
		}
	}
	l.level /= max(places, 1)
	switch form.Season {
	case AdditiveSeason:
		for k := range sums {
			if counts[k] > 0 {
				l.season[k] = sums[k]/counts[k] - l.level
			}
		}
	case MultiplicativeSeason:
		l.factors(y, m)
	}
	return l
}

// factors fills the season with the mean ratio of the values to the line; its mean is 1.
func (l *lineFit) factors(y []float64, m int) {
	counts := make([]float64, m)
	for i, v := range y {
		if line := l.level + float64(l.slope*float64(i)); finite(v) && line > 0 {
			l.season[i%m] += v / line
			counts[i%m]++
		}
	}
	total := 0.0
	for k := range l.season {
		if counts[k] > 0 {
			l.season[k] /= counts[k]
		} else {
			l.season[k] = 1
		}
		l.season[k] = min(max(l.season[k], leastFactor), 1/leastFactor)
		total += l.season[k]
	}
	for k := range l.season {
		l.season[k] = min(max(l.season[k]*float64(m)/total, leastFactor), 1/leastFactor)
	}
}

// slopeOf is the mean growth per step between values one season apart, without a season that of the line of least squares.
func slopeOf(y []float64, m int) float64 {
	if m > 1 {
		sum, n := 0.0, 0.0
		for i := m; i < len(y); i++ {
			if d := y[i] - y[i-m]; finite(d) {
				sum += d
				n++
			}
		}
		return sum / max(n, 1) / float64(m)
	}
	n, t, v, ty, tt := 0.0, 0.0, 0.0, 0.0, 0.0
	for i, x := range y {
		if finite(x) {
			n++
			dt, dx := float64(i)-t, x-v
			t += dt / n
			v += dx / n
			tt += dt * (float64(i) - t)
			ty += dt * (x - v)
		}
	}
	if tt == 0 {
		return 0
	}
	return ty / tt
}

// line starts a series at the end of the line with season through the collected values, whose residuals give the variance. The rates are those given.
func (s *smoothed) line(y []float64) {
	m := len(s.season)
	p := &s.p
	l := throughLine(y, m, p.SmoothingForm)
	s.level, s.trend = l.level+float64(l.slope*float64(len(y)-1)), l.slope
	for i := range s.season {
		if p.Season == NoSeason {
			s.season[i] = 0
		} else {
			s.season[(s.place(0, 0)+i)%m] = l.season[i]
		}
	}
	sum, n := 0.0, 0.0
	for i, v := range y {
		if !finite(v) {
			continue
		}
		fitted := l.level + float64(l.slope*float64(i))
		switch p.Season {
		case AdditiveSeason:
			fitted += l.season[i%m]
		case MultiplicativeSeason:
			fitted *= l.season[i%m]
		}
		e := v - fitted
		if p.RelativeError {
			e /= max(math.Abs(fitted), leastFactor)
		}
		sum += float64(e * e)
		n++
	}
	s.errors = int64(n) - int64(m) - 1
	if s.errors < 1 {
		s.errors = 0
		_, deviation := momentsOf(y)
		s.variance = deviation * deviation
		if p.RelativeError {
			s.variance = 1
		}
		return
	}
	s.variance = sum / float64(s.errors)
}

// The search tries every form roughly, and the best few finely; evaluations are for each coordinate.
const (
	finalists   = 3
	roughSearch = 15
	fineSearch  = 80
)

// fit chooses among the candidate forms by AICc, with rates, first level and first trend that maximise the likelihood of the collected values
// (Hyndman et al. 2008, §5.1 and §7.2; Nelder-Mead from one start), and runs over them.
func (s *smoothed) fit() {
	if s.f.Outliers > 0 {
		tame(s.warm)
	}
	var candidates []smoothFit
	for _, form := range s.f.forms {
		if fits(form, s.warm, s.f.Season) {
			c := newSmoothFit(form, s.f.given.winters, s.warm, len(s.season), s.place(0, 0))
			if len(s.f.forms) > finalists {
				c.search(roughSearch)
			}
			candidates = append(candidates, c)
		}
	}
	if len(candidates) == 0 {
		return // too few values, or not positive: go on as before
	}
	byAICc := func(a, b smoothFit) int { return cmp.Compare(a.aicc, b.aicc) }
	slices.SortStableFunc(candidates, byAICc)
	candidates = candidates[:min(len(candidates), finalists)]
	for i := range candidates {
		candidates[i].search(fineSearch)
	}
	chosen := slices.MinFunc(candidates, byAICc)
	s.p = chosen.params(chosen.best)
	run := chosen.run(chosen.best, &s.smoothState)
	s.errors = max(int64(run.n)-int64(len(chosen.best)), 1)
	s.variance = run.sse / float64(s.errors)
}

// fits reports whether the form can be used for the values: positive ones for relative errors and factors, two seasons for a season, and more of them
// than it has parameters.
func fits(form SmoothingForm, y []float64, season int) bool {
	n := 0
	for _, v := range y {
		if finite(v) {
			n++
			if v <= 0 && form.positive() {
				return false
			}
		}
	}
	if form.Season != NoSeason {
		return season >= 2 && len(y) >= 2*season && n > season+6
	}
	return n > 6
}

// smoothFit is one form on its way to its best rates.
type smoothFit struct {
	form    SmoothingForm
	winters bool
	y       []float64
	first   lineFit
	place   int // of the first value in the season
	count   float64
	scratch smoothState
	best    []float64
	aicc    float64
}

func newSmoothFit(form SmoothingForm, winters bool, y []float64, m, place int) smoothFit {
	head := y[:min(len(y), max(2*m, 10))]
	c := smoothFit{form: form, winters: winters, y: y, first: throughLine(head, m, form), place: place, scratch: smoothState{season: make([]float64, m)}}
	for _, v := range y {
		if finite(v) {
			c.count++
		}
	}
	c.best = c.begin()
	return c
}

// begin is where the search starts: rates that are usual, first level and trend of the line.
func (c *smoothFit) begin() []float64 {
	x := []float64{logit(0.3), 0} // α, first level in deviations
	if c.form.Trend {
		x = append(x, logit(0.1), 0) // β/α, first trend
	}
	if c.form.Damped {
		x = append(x, 0)
	}
	if c.form.Season != NoSeason {
		x = append(x, logit(0.1)) // γ/(1−α)
	}
	return x
}

// params are the rates of a point of the search: α in (0, 1), β in (0, α), γ in (0, 1−α), φ in (0.8, 0.98).
func (c *smoothFit) params(x []float64) smoothParams {
	p := smoothParams{SmoothingForm: c.form, winters: c.winters, phi: 1, alpha: rate(x[0])}
	at := 2
	if c.form.Trend {
		p.beta = p.alpha * rate(x[at])
		at += 2
	}
	if c.form.Damped {
		p.phi = 0.8 + 0.18*sigmoid(x[at])
		at++
	}
	if c.form.Season != NoSeason {
		p.gamma = (1 - p.alpha) * rate(x[at])
	}
	return p
}

// rate keeps a rate off 0 and 1.
func rate(x float64) float64 { return 1e-4 + (1-2e-4)*sigmoid(x) }

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func logit(p float64) float64 { return math.Log(p / (1 - p)) }

// run runs over the values from the first state of a point, and leaves the last one in s.
func (c *smoothFit) run(x []float64, s *smoothState) smoothRun {
	p := c.params(x)
	m := len(s.season)
	_, scale := momentsOf(c.y)
	s.trend = 0
	if c.form.Trend {
		s.trend = c.first.slope + float64(scale/float64(len(c.y))*x[3])
	}
	s.level = c.first.level - c.first.slope + float64(scale*x[1])
	for i := range s.season {
		v := 0.0
		if c.form.Season != NoSeason {
			v = c.first.season[i]
		}
		s.season[(c.place+i)%m] = v
	}
	s.at = (c.place + m - 1) % m
	return p.run(s, c.y, nil)
}

// search looks for a better point from the best one on, and sets its AICc.
func (c *smoothFit) search(evaluations int) {
	c.best = minimise(c.best, evaluations, func(x []float64) float64 {
		r := c.run(x, &c.scratch)
		return -r.logLikelihood() + c.doubt(x)
	})
	r := c.run(c.best, &c.scratch)
	if c.form.RelativeError && r.sse > mostRelative*r.n {
		c.aicc = math.MaxFloat64 / 4
		return
	}
	k := float64(len(c.best) + 1)
	if c.form.Season != NoSeason {
		k += float64(len(c.scratch.season) - 1)
	}
	room := c.count - k - 1
	if room < 1 {
		c.aicc = math.MaxFloat64 / 2 * (1 - room/1e6) // more parameters than values: only if nothing else is left
		return
	}
	c.aicc = -2*r.logLikelihood() + 2*k + 2*k*(k+1)/room
}

// doubt is what a prior says of a point: normal ones with a deviation of 2 about the usual rates (as logits), of 1 about the first level and trend of the line. It matters for
// few values, whose likelihood alone takes rates to 0 or 1.
func (c *smoothFit) doubt(x []float64) (sum float64) {
	for i, usual := range c.begin() {
		deviation := 2.0
		if i == 1 || i == 3 && c.form.Trend {
			deviation = 1
		}
		d := (x[i] - usual) / deviation
		sum += d * d / 2
	}
	return sum
}

// mostRelative is the largest mean square of relative errors with which a form with such is a candidate: normal errors of that size would make values negative.
const mostRelative = 0.1

// minimise finds a minimum of f from x on with the method of Nelder & Mead, with so many evaluations for each coordinate at most; the start if it finds nothing better. It
// is deterministic.
func minimise(x []float64, evaluations int, f func([]float64) float64) []float64 {
	safe := func(x []float64) float64 {
		if v := f(x); finite(v) {
			return v
		}
		return math.MaxFloat64
	}
	settings := &optimize.Settings{FuncEvaluations: evaluations * len(x), Converger: &optimize.FunctionConverge{Relative: 1e-9, Iterations: 20 * len(x)}}
	r, err := optimize.Minimize(optimize.Problem{Func: safe}, x, settings, &optimize.NelderMead{SimplexSize: 0.5})
	if r == nil || err != nil && len(r.X) != len(x) || !(r.F <= safe(x)) {
		return x
	}
	return r.X
}
