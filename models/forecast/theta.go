package forecast

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// ThetaVariant says how Theta's lines are found.
type ThetaVariant string

// The variants:
const (
	StandardTheta  ThetaVariant = "standard"  // θ = 2, α from exponential smoothing alone (Assimakopoulos & Nikolopoulos 2000)
	OptimisedTheta ThetaVariant = "optimised" // θ and α fitted together, with the line of all values (Fiorucci et al. 2016)
	DynamicTheta   ThetaVariant = "dynamic"   // the same with the line of the values so far
)

// SeasonTest says how a season is found in the collected values.
type SeasonTest string

// The tests:
const (
	PlacesTest          SeasonTest = "places"          // the places of the season differ, about a moving average (F test, 1 %); for few seasons
	AutocorrelationTest SeasonTest = "autocorrelation" // the autocorrelation one season apart is larger than 1.645 of Bartlett's standard errors, as R tests; needs many seasons
	AlwaysSeason        SeasonTest = "always"
)

// ThetaConfig are the parameters of the Theta method.
type ThetaConfig struct {
	Variant    ThetaVariant
	Alpha      float64    // smoothing of the level, in (0, 1]; with Fit it is fitted
	Theta      float64    // curvature, ≥ 1: 2 is the standard one; fitted by the variants that do, with Fit
	Season     int        // steps of a season that may be there; below 2: none
	SeasonTest SeasonTest // "" is PlacesTest
	SeasonRate float64    // weight of the newest value in the season, in [0, 1]; 0: the season stays
	Discount   float64    // what the past keeps of its weight in the line at each step, in [0.01, 1]
	Fit        int        // steps that a series collects for the test of its season and the fit; 0: it starts at its first value, without season
	Spread     float64    // least weight of a new squared error in the variance
	Outliers   float64    // a value so many standard deviations away from its forecast is damped; 0: none is
}

// Theta makes series of the Theta method: exponential smoothing of the values without season, and a share of the slope of the line through them. With n values, the
// level l, the slope B of the line of least squares and k = 1 − 1/θ the forecast is
//
//	(l + k·B·(h − 1 + (1 − (1−α)ⁿ)/α)) · season
//
// (Hyndman & Billah 2003; Fiorucci, Pellegrini, Louzada, Petropoulos & Koehler 2016), with the variance σ²(1 + (h−1)α²), times the square of the season. The line is updated with every value, so
// that a series that goes on is one that is fitted again, but for α and θ. A season is taken out if the test finds one, by
// classical decomposition: factors for positive values, unless one would be below a twentieth or differences leave clearly smaller errors (seasonOf). Then it is updated with SeasonRate, by how far a value lies from the mean over a season. What a gap leaves out is what was forecast for it.
type Theta struct{ ThetaConfig }

// NewTheta returns the method, or an error that says which parameter is out of range.
func NewTheta(c ThetaConfig) (*Theta, error) {
	if c.Season < 2 {
		c.Season = 0
	}
	if c.Variant == StandardTheta {
		c.Theta = 2
	}
	if c.SeasonTest == "" {
		c.SeasonTest = PlacesTest
	}
	switch {
	case c.SeasonTest != PlacesTest && c.SeasonTest != AutocorrelationTest && c.SeasonTest != AlwaysSeason:
		return nil, fmt.Errorf("season_test %q: give places, autocorrelation or always", c.SeasonTest)
	case c.Variant != StandardTheta && c.Variant != OptimisedTheta && c.Variant != DynamicTheta:
		return nil, fmt.Errorf("variant %q: give standard, optimised or dynamic", c.Variant)
	case !(c.Alpha > 0 && c.Alpha <= 1) || !(c.SeasonRate >= 0 && c.SeasonRate <= 1) || !(c.Discount >= 0.01 && c.Discount <= 1) || !(c.Spread > 0 && c.Spread <= 1):
		return nil, fmt.Errorf("alpha %v, season_rate %v, discount %v, spread %v: give numbers from 0 to 1, a discount of at least 0.01; only season_rate may be 0", c.Alpha, c.SeasonRate, c.Discount, c.Spread)
	case !(c.Theta >= 1 && c.Theta <= 1e6):
		return nil, fmt.Errorf("theta %v: give a number ≥ 1", c.Theta)
	case c.Season > maxSeason:
		return nil, fmt.Errorf("season of %d steps: give 0 to %d", c.Season, maxSeason)
	case c.Fit < 0 || c.Fit > maxFit || c.Fit > 0 && c.Fit < max(2*c.Season+1, 10):
		return nil, fmt.Errorf("fit %d: give more than two seasons, at least 10 and at most %d steps, or 0", c.Fit, maxFit)
	case !(c.Outliers >= 0 && c.Outliers <= 1e6):
		return nil, fmt.Errorf("outliers %v: give a number of deviations, 0 for none", c.Outliers)
	}
	return &Theta{c}, nil
}

// Start returns an empty series.
func (f *Theta) Start() models.Series {
	s := &theta{f: f, season: make([]float64, max(f.Season, 1)), warm: make([]float64, 0, max(f.Fit, 1))}
	s.empty()
	return s
}

// MaxBytes is the larger of a series that warms up and a started one.
func (f *Theta) MaxBytes() int {
	return 80 + watchBytes + max(8*f.Fit+10, 13*8+8*max(f.Season, 1))
}

// Resume returns a series before its first value, with a level and a season (of the steps that follow, in order; factors, or nil) that are known: a case as other
// programs write it.
func (f *Theta) Resume(level float64, season []float64, variance float64) models.Series {
	s := f.Start().(*theta)
	s.started, s.level, s.mean, s.variance = true, level, level, variance
	if len(season) > 0 {
		s.kind = MultiplicativeSeason
		for i, v := range season {
			s.season[(i+1)%len(s.season)] = v
		}
	}
	return s
}

// theta is one series.
type theta struct {
	f            *Theta
	alpha, share float64 // share is 1 − 1/θ
	kind         SeasonForm
	season       []float64 // by place
	at           int
	started      bool
	ahead        int64
	observed     int64
	steps        float64 // since the first value, that included
	level        float64
	mean         float64 // of the values without season, over about a season
	line         runningLine
	errors       int64
	variance     float64 // of errors without season
	residual     float32
	deviated     float32
	warm         []float64
	watch        watch
}

func (s *theta) empty() {
	for i := range s.season {
		s.season[i] = 0
	}
	*s = theta{f: s.f, season: s.season, warm: s.warm[:0], alpha: s.f.Alpha, share: 1 - 1/s.f.Theta}
	s.residual, s.deviated = float32(math.NaN()), float32(math.NaN())
}

// Advance goes on.
func (s *theta) Advance(steps int64) {
	s.ahead = later(s.ahead, steps)
	s.at = wrap(s.at, steps, len(s.season))
}

// damping is 1 − (1−α)ⁿ after so many steps.
func (s *theta) damping() float64 {
	if s.alpha >= 1 {
		return 1
	}
	return -math.Expm1(s.steps * math.Log1p(-s.alpha))
}

// trend is the forecast without season so many steps after the newest value.
func (s *theta) trend(ahead float64) float64 {
	return s.level + float64(s.share*s.line.slope()*(ahead-1+s.damping()/s.alpha))
}

// seasoned puts a place of the season to a value, and says by what an error is multiplied there.
func (s *theta) seasoned(x float64, at int) (y, unit float64) {
	switch s.kind {
	case AdditiveSeason:
		return x + s.season[at], 1
	case MultiplicativeSeason:
		return x * s.season[at], s.season[at]
	}
	return x, 1
}

// Observe takes in a value.
func (s *theta) Observe(y float64, _ []float64) {
	y = bounded(y)
	if s.kind == MultiplicativeSeason && y < 0 {
		s.watch.refused++
		return
	}
	s.observed++
	if !s.started {
		s.collect(y)
		return
	}
	s.take(y)
}

// take updates a started series.
func (s *theta) take(y float64) {
	first := s.ahead > 0
	x := s.level
	if first {
		x = s.trend(float64(s.ahead))
	}
	f, unit := s.seasoned(x, s.at)
	e := (y - f) / unit
	growth := min(1+float64(max(s.ahead-1, 0))*s.alpha*s.alpha, widest)
	square := e * e / growth
	s.residual, s.deviated = float32(y-f), float32(unit*math.Sqrt(s.variance*growth))
	jump := 0.0
	if limit := s.f.Outliers * s.f.Outliers * s.variance; square > limit && limit >= 0 && s.f.Outliers > 0 && square > limit*unsure(s.errors) {
		e, square, jump = s.doubt(e, square, limit)
	} else {
		s.watch.inside()
	}
	s.errors++
	s.variance += float64(max(s.f.Spread, 1/float64(s.errors)) * (square - s.variance))
	if first {
		s.pass()
	}
	if jump != 0 {
		s.line.shift(jump)
		s.level += jump
		s.mean += jump
		x += jump
	}
	s.line.add(s.steps, x+e, s.f.Discount, first)
	s.level += float64(s.alpha * (x + e - s.level))
	s.reseason(x + e)
	s.ahead = 0
	if s.at == 0 && s.f.SeasonRate > 0 {
		s.balance()
	}
	if !(math.Abs(s.level) <= maxState && math.Abs(s.mean) <= maxState && math.Abs(s.season[s.at]) <= maxState && s.line.good()) {
		s.restart(y)
	}
}

// pass goes over the steps since the newest value: those without one are taken for what was forecast, which moves the level along.
func (s *theta) pass() {
	if missed := float64(s.ahead - 1); missed > 0 {
		s.level += float64(missed * s.share * s.line.slope() * s.damping())
	}
	s.steps = min(s.steps+float64(s.ahead), 1e18)
}

// doubt is take for a value far outside its forecast: what to learn of its error, what to count for the variance, and by what the series has moved.
func (s *theta) doubt(e, square, limit float64) (learn, count, jump float64) {
	switch s.watch.outside(e > 0) {
	case outlierLevel:
		return 0, limit, e
	case outlierSpread:
		s.variance = max(s.variance, square/4)
		return e, square, 0
	}
	size := limit + s.level*s.level
	if size == 0 {
		size = square
	}
	return e * math.Sqrt(limit/square), min(square, 4*limit+doubtful*size), 0
}

// leastThetaFactor is the least factor with which a season is one of factors: dividing by smaller ones makes noise of small values large.
const leastThetaFactor = 0.05

// reseason moves the place of the present step by how far x, a value without season, lies from their mean over about a season. The level would not do: one that follows every value leaves nothing for the season to
// learn from, and classical decomposition compares with such a mean too.
func (s *theta) reseason(x float64) {
	d := x - s.mean
	s.mean += float64(2 / float64(len(s.season)+1) * d)
	switch v := &s.season[s.at]; s.kind {
	case AdditiveSeason:
		*v += float64(s.f.SeasonRate * d)
	case MultiplicativeSeason:
		if s.mean > 0 {
			change := min(max(d/s.mean, -0.9), 9) // a mean near zero says little of factors
			*v = min(max(*v*(1+float64(s.f.SeasonRate*change)), leastThetaFactor/2), 1/leastFactor)
		}
	}
}

// balance makes the mean of the season 1, or 0, once a season: level and season know only their product or sum.
func (s *theta) balance() {
	mean := 0.0
	for _, v := range s.season {
		mean += v / float64(len(s.season))
	}
	switch s.kind {
	case AdditiveSeason:
		for i := range s.season {
			s.season[i] -= mean
		}
		s.level += mean
		s.mean += mean
		s.line.shift(mean)
	case MultiplicativeSeason:
		for i, v := range s.season {
			s.season[i] = min(max(v/mean, leastThetaFactor/2), 1/leastFactor)
		}
		s.level *= mean
		s.mean *= mean
		s.line.value *= mean
		s.line.tv *= mean
	}
}

// restart forgets all but the counters, and takes y as the first value.
func (s *theta) restart(y float64) {
	watch, observed, at := s.watch, s.observed, s.at
	s.empty()
	s.watch, s.observed, s.at = watch, observed, at
	s.watch.restarts++
	s.collect(y)
}

// collect keeps the values of the first steps, and starts when there are enough; a gap too long for them begins anew.
func (s *theta) collect(y float64) {
	n := len(s.warm)
	switch {
	case n > 0 && s.ahead == 0:
		s.warm[n-1] = y
		return
	case n == 0 || s.ahead > int64(cap(s.warm)-n):
		s.warm = append(s.warm[:0], y)
	default:
		for range s.ahead - 1 {
			s.warm = append(s.warm, math.NaN())
		}
		s.warm = append(s.warm, y)
	}
	s.ahead = 0
	if len(s.warm) == cap(s.warm) {
		s.begin()
	}
}

// begin ends the warm-up.
func (s *theta) begin() {
	s.started = true
	here := s.at
	if s.f.Outliers > 0 {
		s.watch.anomalies += tame(s.warm)
	}
	if s.f.Fit > 0 {
		s.fit()
	} else {
		s.level, s.mean = s.warm[0], s.warm[0]
	}
	_, deviation := momentsOf(s.warm)
	s.variance = deviation * deviation
	y := s.warm
	s.warm = s.warm[:0]
	for i, v := range y {
		s.at = ((here-(len(y)-1-i))%len(s.season) + len(s.season)) % len(s.season)
		if s.ahead++; finite(v) && s.started {
			s.take(v)
		}
	}
}

// Forecast answers with the line and the season.
func (s *theta) Forecast(o *models.Outlook, _ [][]float64) {
	o.Health = s.watch.health(s.observed, !s.started || s.errors < 3)
	if s.observed == 0 && !s.started {
		setUnknown(o)
		return
	}
	z := newNormals(o)
	m := len(s.season)
	mean, deviation := 0.0, 0.0
	if !s.started {
		mean, deviation = momentsOf(s.warm)
	}
	at := wrap(s.at, o.Skip, m)
	for i := range o.Mean {
		at = wrap(at, 1, m)
		if !s.started {
			o.Mean[i] = mean
			if k := s.ahead + o.Skip%int64(m) + int64(i); m > 1 {
				if p := int64(len(s.warm)-m) + k%int64(m); p >= 0 && finite(s.warm[p]) {
					o.Mean[i] = s.warm[p]
				}
			}
			z.set(o, i, deviation)
			continue
		}
		h := float64(later(s.ahead, o.Skip+int64(i)+1))
		y, unit := s.seasoned(s.trend(h), at)
		o.Mean[i] = y
		z.set(o, i, unit*math.Sqrt(s.variance)*math.Sqrt(1+(h-1)*s.alpha*s.alpha))
	}
}

// Level is the level without season.
func (s *theta) Level() float64 { return levelOf(s.observed, s.started, s.warm, s.level) }

// Residual is the newest one-step error.
func (s *theta) Residual() (value, deviation float64) {
	return float64(s.residual), float64(s.deviated)
}

// State visits a series that warms up or a started one.
func (s *theta) State(c *codec.State) {
	if c.Loading() {
		s.empty()
	}
	c.Fixed("season of theta", len(s.season))
	c.Bool(&s.started)
	s.at = c.Len(s.at, 0, len(s.season)-1)
	visitCount(c, &s.ahead)
	visitCount(c, &s.observed)
	visitFloat32(c, &s.residual)
	visitFloat32(c, &s.deviated)
	s.watch.State(c)
	if !s.started {
		visitCollected(c, "theta", &s.warm, cap(s.warm)-1, s.observed)
		return
	}
	s.visitStarted(c)
}

func (s *theta) visitStarted(c *codec.State) {
	visitCount(c, &s.errors)
	visitFloat(c, "level", &s.level, -maxState, maxState)
	visitFloat(c, "mean", &s.mean, -maxState, maxState)
	visitFloat(c, "steps", &s.steps, 0, 1e18)
	visitFloat(c, "variance", &s.variance, 0, maxState*maxState)
	visitFloat(c, "alpha", &s.alpha, 1e-6, 1)
	visitFloat(c, "share of the slope", &s.share, 0, 1)
	s.line.State(c)
	kind := c.Len(int(s.kind), 0, int(MultiplicativeSeason))
	s.kind = SeasonForm(kind)
	least, most := -maxState, maxState
	switch {
	case s.kind == NoSeason:
		return
	case s.kind == MultiplicativeSeason:
		least, most = leastThetaFactor/2, 1/leastFactor
	}
	for i := range s.season {
		visitFloat(c, "season", &s.season[i], least, most)
	}
}

// runningLine is a line of least squares through values at times, with discounted weights; the moments are central (Welford).
type runningLine struct {
	weight, time, value, tt, tv float64
}

// add takes in a value; the first of a step discounts those before.
func (l *runningLine) add(t, v, discount float64, first bool) {
	if first {
		l.weight *= discount
		l.tt *= discount
		l.tv *= discount
	}
	l.weight++
	dt, dv := t-l.time, v-l.value
	l.time += dt / l.weight
	l.value += dv / l.weight
	l.tt += float64(dt * (t - l.time))
	l.tv += float64(dt * (v - l.value))
}

// slope is that of the line, 0 before there are two times.
func (l *runningLine) slope() float64 {
	if !(l.tt > 0) {
		return 0
	}
	return l.tv / l.tt
}

// shift moves all values: a change of level is no slope.
func (l *runningLine) shift(by float64) { l.value += by }

func (l *runningLine) good() bool {
	return math.Abs(l.value) <= maxState && l.tt <= maxState && math.Abs(l.tv) <= maxState
}

// State visits the moments.
func (l *runningLine) State(c *codec.State) {
	visitFloat(c, "weight of the line", &l.weight, 0, maxState)
	visitFloat(c, "time of the line", &l.time, 0, 1e18)
	visitFloat(c, "value of the line", &l.value, -maxState, maxState)
	visitFloat(c, "moment of the line", &l.tt, 0, maxState)
	visitFloat(c, "slope of the line", &l.tv, -maxState, maxState)
	if c.Loading() && l.tt > 0 && !(l.tt >= 1e-9) {
		c.Fail("moment of the line is %v", l.tt)
	}
}

// visitFloat32 visits a number that is kept in four bytes.
func visitFloat32(c *codec.State, v *float32) {
	u := math.Float32bits(*v)
	c.Uint32(&u)
	*v = math.Float32frombits(u)
}

// visitCollected visits the values of a series that warms up, or keeps them for a fit: at most so many, the newest of which is there.
func visitCollected(c *codec.State, name string, warm *[]float64, most int, observed int64) {
	n := c.Len(len(*warm), 8, most)
	if c.Loading() {
		*warm = (*warm)[:n]
		if (n == 0) != (observed == 0) {
			c.Fail("%s has %d values of %d", name, n, observed)
		}
	}
	for i := range *warm {
		c.Float64(&(*warm)[i])
		if v := (*warm)[i]; c.Loading() && (math.Abs(v) > maxValue || i == n-1 && math.IsNaN(v)) {
			c.Fail("%s has collected %v", name, v)
		}
	}
	if c.Loading() && c.Err() != nil {
		*warm = (*warm)[:0]
	}
}

// ThetaComponent is the catalogue entry of the Theta method.
var ThetaComponent = models.Component{
	Name: "theta", Kind: models.ModelKind, Tasks: []models.Task{models.Forecast}, Fold: 2,
	Doc: "The Theta method: exponential smoothing and a share of the slope of the line through all values, without season. The first `fit` steps are collected (forecasts are then the value one season before, or the mean, and the series is cold); a season is taken out if their " +
		"test shows one. Good for short series with a slow trend; a line through years of a stream is not: then set discount below 1, or take forecaster_bank, as for hourly series whose season the first days do not show. A value far outside its forecast is damped and counted; the fourth in succession moves the line. " +
		"The season is one of factors for positive values, unless differences leave clearly smaller errors of the collected ones or a factor would be below a twentieth; with factors negative values are refused and counted. Regressors are not used.",
	Cost: "O(1) to update, O(horizon) to ask", Memory: "8 bytes per step of the season and about 150; until the fit 8 per step",
	Source: "Assimakopoulos & Nikolopoulos 2000; Hyndman & Billah 2003; Fiorucci, Pellegrini, Louzada, Petropoulos & Koehler 2016; Spiliotis, Assimakopoulos & Makridakis 2020 (form of the season)",
	Params: append([]models.Param{
		{Name: "variant", Default: "standard", Choices: []string{"standard", "optimised", "dynamic"}, Doc: "θ = 2; or θ fitted, with the line of all values, or of those so far"},
		{Name: "fit", Default: 0, Range: models.Between(0, maxFit), Unit: "steps", Doc: "steps that season, alpha and theta are found from; 0: three seasons and one, at least 20"},
		{Name: "season_test", Default: "places", Choices: []string{"places", "autocorrelation", "always"}, Doc: "how a season is found: the places of the season differ (F test, for few seasons), the autocorrelation one season apart is large (as R tests, for many), or always"},
		{Name: "season_rate", Default: 0.1, Range: models.Between(0, 1), Doc: "weight of the newest value in the season; 0: it stays"},
		{Name: "discount", Default: 1.0, Range: models.Between(0.01, 1), Doc: "what the past keeps of its weight in the line at each step; 1: all"},
	}, smoothingParams...),
	NewForecaster: func(a models.Args, env models.ForecastEnv) (models.Forecaster, error) {
		o := smoothingOptions(a, env)
		c := ThetaConfig{Variant: ThetaVariant(a.Text("variant")), SeasonTest: SeasonTest(a.Text("season_test")), Alpha: 0.3, Theta: 2, Season: o.Season, SeasonRate: a.Float("season_rate"), Discount: a.Float("discount"), Fit: o.Fit, Spread: o.Spread, Outliers: o.Outliers}
		if c.Fit == 0 {
			c.Fit = min(max(3*c.Season+1, 20), maxFit)
		}
		return NewTheta(c)
	},
}
