package forecast

import (
	"fmt"
	"math"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// SmoothingOptions are what every exponential smoothing has besides its form and rates.
type SmoothingOptions struct {
	Season   int     // steps of a season; below 2: none
	Spread   float64 // least weight of a new squared error in the variance, in (0, 1]: 0.02 forgets after about 50
	Outliers float64 // a value so many standard deviations away from its forecast is damped; 0: none is
	Fit      int     // rates are fitted to the first so many values of each series; 0: they are given
	Refit    bool    // and again whenever the values have doubled, to the newest four times as many steps
	Paths    int     // paths that are simulated where there is no closed form; 0: quantiles are normal
	Learn    bool    // rates are learned with every value, from the given ones on; for Holt-Winters, without Fit
	Seed     uint64  // of the paths
}

// Smoothing makes series of exponential smoothing: ETS and Holt-Winters.
type Smoothing struct {
	SmoothingOptions
	name, seasonOf string // for messages
	given          smoothParams
	forms          []SmoothingForm       // with Fit: the candidates
	rates          [learnedRates]float64 // with Learn: the given ones
}

// warm is how many steps are collected before a series starts.
func (f *Smoothing) warm() int {
	if f.given.Season != NoSeason {
		return 2 * f.Season
	}
	return 1
}

// window is how many of the newest steps are kept for the fit.
func (f *Smoothing) window() int {
	if f.Refit {
		return 4 * f.Fit
	}
	return f.Fit
}

// places is how many numbers a season has; one that is not used, if there is none.
func (f *Smoothing) places() int { return max(f.Season, 1) }

// Start returns an empty series.
func (f *Smoothing) Start() models.Series {
	s := &smoothed{f: f}
	s.season = make([]float64, f.places())
	s.warm = make([]float64, 0, max(f.warm(), f.window()))
	if f.Learn {
		s.learn = newRateLearner(f.places())
	}
	s.empty()
	return s
}

// MaxBytes is the larger of a series that warms up and a started one.
func (f *Smoothing) MaxBytes() int {
	head := 6 + 1 + 3*10 + 8 + watchBytes + 10
	if f.Learn {
		head += 8 * learnedRates * (5 + f.places())
	}
	return head + 8*max(f.warm(), f.window()) + 10 + 24 + 20 + 8*f.places() + 33
}

// Smoothed is a state of exponential smoothing that is given to a series or asked of it.
type Smoothed struct {
	Level, Trend float64
	Season       []float64 // of the steps that follow, in order; nil without season
}

// Resume returns a series that goes on from a state, with the variance of its one-step errors (of the relative errors where the form has such); its
// next value is that of the step after the state. It takes the form and the rates that are given, also where others would be fitted.
func (f *Smoothing) Resume(from Smoothed, variance float64) models.Series {
	s := f.Start().(*smoothed)
	s.started, s.observed, s.errors, s.variance = true, 1, watchFrom, variance
	s.level, s.trend = from.Level, from.Trend
	for i, v := range from.Season {
		s.season[(i+1)%len(s.season)] = v
	}
	return s
}

// smoothed is one series of exponential smoothing.
type smoothed struct {
	f *Smoothing
	p smoothParams
	smoothState
	started  bool
	ahead    int64 // steps since the newest value
	observed int64
	errors   int64     // that the variance holds
	variance float64   // of one-step errors, relative ones if the form has such
	residual float32   // the newest one-step error
	deviated float32   // the deviation that was expected of it
	warm     []float64 // by step, until the start or for the next fit; NaN: missing
	due      int64     // values at the next fit; 0: there is none
	watch    watch
	learn    *rateLearner // nil: rates stay
}

func (s *smoothed) empty() {
	season, warm := s.season, s.warm[:0]
	for i := range season {
		season[i] = 0
	}
	*s = smoothed{f: s.f, p: s.f.given, smoothState: smoothState{season: season}, warm: warm, due: int64(s.f.Fit), learn: s.learn}
	if s.learn != nil {
		s.learn.begin(s.f.rates)
		s.learn.rates(&s.p)
	}
	s.residual, s.deviated = float32(math.NaN()), float32(math.NaN())
}

// Advance moves level, trend and season along; the rates do not change for a gap, the variance of the next error does.
func (s *smoothed) Advance(steps int64) {
	s.ahead = later(s.ahead, steps)
	if s.started {
		s.p.advance(&s.smoothState, steps)
		if s.learn != nil {
			s.learn.advance(&s.p, steps)
		}
	} else {
		s.at = wrap(s.at, steps, len(s.season))
	}
}

// Observe takes in a value.
func (s *smoothed) Observe(y float64, _ []float64) {
	if y < 0 && s.p.positive() {
		s.watch.refused++
		return
	}
	y = bounded(y)
	s.observed++
	if !s.started {
		s.collect(y)
		return
	}
	if s.due > 0 {
		s.keep(y)
	}
	s.take(y)
	if s.due > 0 && s.observed >= s.due && s.started {
		s.fit()
		s.due *= 2
		if !s.f.Refit {
			s.due, s.warm = 0, s.warm[:0]
		}
	}
}

// keep puts a value of the present step to those for the next fit.
func (s *smoothed) keep(y float64) {
	if s.ahead == 0 && len(s.warm) > 0 {
		s.warm[len(s.warm)-1] = y
		return
	}
	for range min(s.ahead-1, int64(cap(s.warm))) {
		s.push(math.NaN())
	}
	s.push(y)
}

// push appends a value; the oldest makes room.
func (s *smoothed) push(y float64) {
	if n := len(s.warm); n == cap(s.warm) {
		copy(s.warm, s.warm[1:])
		s.warm = s.warm[:n-1]
	}
	s.warm = append(s.warm, y)
}

// take updates a started series.
func (s *smoothed) take(y float64) {
	f := s.p.predict(&s.smoothState)
	e := y - f
	growth := 1.0
	if s.ahead > 1 {
		growth = min(s.p.growth(s.ahead, len(s.season)), widest)
	}
	s.ahead = 0
	square := e * e / growth // as an error of one step
	if s.p.RelativeError {
		size := max(math.Abs(f), leastFactor)
		growth *= size * size
		square /= size * size
	}
	s.residual, s.deviated = float32(e), float32(math.Sqrt(s.variance*growth))
	if limit := s.f.Outliers * s.f.Outliers * s.variance; square > limit && s.f.Outliers > 0 && square > limit*unsure(s.errors) {
		e, square = s.doubt(e, square, limit)
	} else if s.watch.streak|s.watch.calm != 0 {
		s.watch.inside()
	}
	s.errors++
	rate := s.f.Spread
	if n := 1 / float64(s.errors); n > rate {
		rate = n
	}
	s.variance += float64(rate * (square - s.variance))
	if s.learn != nil {
		s.learn.take(&s.p, &s.smoothState, e, s.variance*growth)
	} else {
		s.p.correct(&s.smoothState, e)
	}
	if !(math.Abs(s.level) <= maxState && math.Abs(s.trend) <= maxState && math.Abs(s.season[s.at]) <= maxState) {
		s.restart(y)
	}
}

// doubt is take for a value far outside its forecast: it returns the error to learn from (Huber's ψ) and the square for the variance.
func (s *smoothed) doubt(e, square, limit float64) (float64, float64) {
	switch s.watch.outside(e > 0) {
	case outlierLevel:
		share := e
		if s.p.Season == MultiplicativeSeason {
			share /= max(s.season[s.at], leastFactor)
		}
		s.level += share
		return 0, limit
	case outlierSpread:
		s.variance = max(s.variance, square/4)
		return e, square
	}
	size := limit + 1 // a spread that was too small, even 0, must find up again, and quicker than from nothing
	if !s.p.RelativeError {
		size = limit + s.level*s.level
	}
	if size == 0 {
		size = square
	}
	return e * math.Sqrt(limit/square), min(square, 4*limit+doubtful*size)
}

// widest bounds the variance of the first error after a gap, as a multiple of that without: nothing is believed only because the gap was long.
const widest = 100

// doubtful is what share of the square of the level counts for the variance when an error is damped.
const doubtful = 1e-4

// restart forgets all but the counters, and takes y as the first value.
func (s *smoothed) restart(y float64) {
	watch, observed := s.watch, s.observed
	s.empty()
	s.watch, s.observed = watch, observed
	s.watch.restarts++
	s.collect(y)
}

// collect keeps the values of the first steps, and starts when there are enough. A gap that leaves no season of values begins anew.
func (s *smoothed) collect(y float64) {
	n := len(s.warm)
	switch {
	case n > 0 && s.ahead == 0:
		s.warm[n-1] = y
		return
	case n == 0 || s.ahead > int64(s.f.warm()-n):
		if n > s.f.places() && n > 4 && s.begin() { // beyond the steps of the start: start with those there are
			if s.due > 0 {
				s.keep(y)
			}
			s.take(y)
			return
		}
		s.warm = append(s.warm[:0], y)
	default:
		for range s.ahead - 1 {
			s.warm = append(s.warm, math.NaN())
		}
		s.warm = append(s.warm, y)
	}
	s.ahead = 0
	if len(s.warm) == s.f.warm() {
		s.begin()
	}
}

// begin ends the warm-up with a line and a season through the values, and goes on to the present step. Where the numbers do not allow it, the newest
// value begins anew.
func (s *smoothed) begin() bool {
	here := s.at
	s.at = s.place(len(s.warm)-1, s.ahead)
	if s.f.Outliers > 0 {
		s.watch.anomalies += tame(s.warm)
	}
	s.line(s.warm)
	if s.ahead > 0 {
		s.p.advance(&s.smoothState, s.ahead)
	}
	s.at = here
	if !(math.Abs(s.level) <= maxState && math.Abs(s.trend) <= maxState && s.variance <= maxState*maxState) {
		watch, observed, last := s.watch, s.observed, s.warm[len(s.warm)-1]
		ahead := s.ahead
		s.empty()
		s.watch, s.observed, s.ahead, s.at = watch, observed, ahead, here
		s.watch.restarts++
		s.warm = append(s.warm, last)
		if s.f.warm() > 1 {
			return false
		}
		s.level = last
	}
	s.started = true
	if s.due == 0 {
		s.warm = s.warm[:0]
	}
	return true
}

// tame bounds values to a hundred times their median size, and counts them: a wrong one among the first would spoil a season for long.
func tame(x []float64) (bounded int64) {
	var sizes []float64
	for _, v := range x {
		if finite(v) {
			sizes = append(sizes, math.Abs(v))
		}
	}
	slices.Sort(sizes)
	most := 100 * sizes[len(sizes)/2]
	for i, v := range x {
		if most > 0 && math.Abs(v) > most {
			x[i] = math.Copysign(most, v)
			bounded++
		}
	}
	return bounded
}

// place is where the ith collected value stands in the season, if the newest lies so many steps back.
func (s *smoothed) place(i int, back int64) int {
	m := len(s.season)
	return ((s.at-int(back%int64(m))-(len(s.warm)-1-i)%m)%m + m) % m
}

// Forecast answers with the level, trend and season of the steps. The variance is that of the linear forms; for others it is theirs for a season that
// stays, or quantiles are those of simulated paths.
func (s *smoothed) Forecast(o *models.Outlook, _ [][]float64) {
	o.Health = s.watch.health(s.observed, !s.started || s.errors < 3)
	switch {
	case s.observed == 0:
		setUnknown(o)
		return
	case !s.started:
		s.early(o)
		return
	}
	z := newNormals(o)
	m := len(s.season)
	damped, power := 0.0, 1.0
	if s.p.Trend && o.Skip > 0 {
		damped, power = geometric(s.p.phi, float64(o.Skip)), math.Pow(s.p.phi, float64(o.Skip))
	}
	at := wrap(s.at, o.Skip, m)
	for i := range o.Mean {
		power *= s.p.phi
		damped += power
		at = wrap(at, 1, m)
		level := s.level
		if s.p.Trend {
			level += float64(damped * s.trend)
		}
		o.Mean[i] = level
		switch s.p.Season {
		case AdditiveSeason:
			o.Mean[i] += s.season[at]
		case MultiplicativeSeason:
			o.Mean[i] *= s.season[at]
		}
		z.set(o, i, math.Sqrt(s.variance)*min(math.Sqrt(s.spread(o.Skip+int64(i)+1, o.Mean[i])), maxDeviation))
	}
	if s.f.Paths > 0 && !s.p.linear() && len(o.Levels) > 0 {
		s.simulate(o)
	}
}

// exactSpread is up to how many steps ahead the spread of a multiplicative season sums up every step.
const exactSpread = 256

// spread is the variance of the forecast so many steps ahead as a multiple of that of one-step errors.
func (s *smoothed) spread(steps int64, mean float64) float64 {
	m, h := len(s.season), later(s.ahead, steps)
	switch {
	case s.p.RelativeError:
		return mean * mean * s.p.growth(h, m)
	case s.p.Season != MultiplicativeSeason:
		return s.p.growth(h, m)
	}
	own := s.season[wrap(s.at, steps, m)]
	if h > exactSpread {
		inverse := 0.0
		for _, f := range s.season {
			inverse += 1 / (f * f)
		}
		return 1 + own*own*inverse/float64(m)*(s.p.growth(h, m)-1)
	}
	// An error at step h−j moves the level by its share of that step's season, and the forecast by that times its own.
	sum, back := 1.0, wrap(s.at, steps, m)
	for j := int64(1); j < h; j++ {
		if back--; back < 0 {
			back = m - 1
		}
		c := s.p.effect(j, m) * own / s.season[back]
		sum += c * c
	}
	return sum
}

// early answers while the series warms up: with the value one season before, or the mean, and the spread of the values.
func (s *smoothed) early(o *models.Outlook) {
	z := newNormals(o)
	mean, deviation := momentsOf(s.warm)
	m := int64(s.f.places())
	for i := range o.Mean {
		o.Mean[i] = mean
		if k := s.ahead + o.Skip%m + int64(i) + 1; m > 1 { // steps after the newest value
			if at := int64(len(s.warm)) - 1 - m + (k-1)%m + 1; at >= 0 && finite(s.warm[at]) {
				o.Mean[i] = s.warm[at]
			}
		}
		z.set(o, i, deviation)
	}
}

// momentsOf are mean and deviation of the values that are not missing; of a single one, the deviation is its size.
func momentsOf(x []float64) (mu, deviation float64) {
	n, sum := 0.0, 0.0
	for _, v := range x {
		if finite(v) {
			n++
			d := v - mu
			mu += d / n
			sum += float64(d * (v - mu))
		}
	}
	if n > 1 {
		return mu, math.Sqrt(sum / (n - 1))
	}
	if mu == 0 {
		return 0, 1
	}
	return mu, math.Abs(mu)
}

// levelOf is the level of a series: while it warms up the mean of what was collected, NaN before the first value.
func levelOf(observed int64, started bool, warm []float64, level float64) float64 {
	switch {
	case observed == 0:
		return math.NaN()
	case !started:
		mean, _ := momentsOf(warm)
		return mean
	}
	return level
}

// checkRates wants rates in [0, 1].
func checkRates(alpha, beta, gamma, phi float64) error {
	for _, r := range []struct {
		name  string
		value float64
	}{{"alpha", alpha}, {"beta", beta}, {"gamma", gamma}, {"phi", phi}} {
		if !(r.value >= 0 && r.value <= 1) {
			return fmt.Errorf("%s %v: give a number from 0 to 1", r.name, r.value)
		}
	}
	return nil
}

// Level is the level of the present step.
func (s *smoothed) Level() float64 { return levelOf(s.observed, s.started, s.warm, s.level) }

// Residual is the newest one-step error.
func (s *smoothed) Residual() (value, deviation float64) {
	return float64(s.residual), float64(s.deviated)
}

// State visits a series that warms up or a started one.
func (s *smoothed) State(c *codec.State) {
	if c.Loading() {
		s.empty()
	}
	c.Fixed(s.f.seasonOf, len(s.season))
	c.Bool(&s.started)
	s.at = c.Len(s.at, 0, len(s.season)-1)
	visitCount(c, &s.ahead)
	visitCount(c, &s.observed)
	visitFloat32(c, &s.residual)
	visitFloat32(c, &s.deviated)
	s.watch.State(c)
	if !s.started {
		visitCollected(c, s.f.name, &s.warm, s.f.warm()-1, s.observed)
		return
	}
	visitCount(c, &s.errors)
	visitFloat(c, "level", &s.level, -maxState, maxState)
	visitFloat(c, "trend", &s.trend, -maxState, maxState)
	visitFloat(c, "variance", &s.variance, 0, maxState*maxState)
	if s.f.Fit > 0 {
		s.visitFitted(c)
	}
	if s.learn != nil {
		s.learn.state(c)
		s.learn.rates(&s.p)
	}
	least, most := -maxState, maxState
	switch s.p.Season {
	case MultiplicativeSeason:
		least, most = leastFactor, 1/leastFactor
	case NoSeason:
		least, most = 0, 0
	}
	for i := range s.season {
		visitFloat(c, "season", &s.season[i], least, most)
	}
	if c.Loading() && s.observed == 0 {
		c.Fail("%s started without a value", s.f.name)
	}
}

// visitFitted visits the form and the rates of a series that fits its own, and the values for the next fit.
func (s *smoothed) visitFitted(c *codec.State) {
	form := 0
	for i, f := range smoothingForms {
		if f == s.p.SmoothingForm {
			form = i
		}
	}
	form = c.Len(form, 0, len(smoothingForms)-1)
	s.p.SmoothingForm = smoothingForms[form]
	visitCount(c, &s.due)
	if s.due > 0 {
		visitCollected(c, s.f.name, &s.warm, cap(s.warm), s.observed)
	}
	for _, v := range []*float64{&s.p.alpha, &s.p.beta, &s.p.gamma, &s.p.phi} {
		visitFloat(c, "rate", v, 0, 1)
	}
	if c.Loading() && s.p.Season != NoSeason && s.f.Season < 2 {
		c.Fail("%s has a season", s.f.name)
	}
}
