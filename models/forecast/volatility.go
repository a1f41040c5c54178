package forecast

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// VolatilityConfig are the parameters of Volatility.
type VolatilityConfig struct {
	Omega, Alpha, Beta float64 // the recursion; with Moving they are 0, 1−Beta, Beta
	Moving             bool    // exponentially weighted: the first variances are plain means
	MeanRate           float64 // weight of the newest value in the mean, in [0, 1); 0: the mean is 0
	Degrees            float64 // of Student's t distribution of the noise, above 2; 0: normal
	Fit                int     // the recursion is fitted to the first so many steps; 0: it is given
	Paths              int     // simulated futures for quantiles more than one step ahead; 0: of the noise's distribution
	Seed               uint64  // of the paths
}

// Volatility makes series whose variance moves: returns of prices, errors of other forecasts. The value of a step is its mean plus e = σz, and
//
//	σ² ← ω + αe² + βσ²
//
// (GARCH(1,1): Bollerslev 1986; ω = 0, α + β = 1: exponentially weighted, RiskMetrics 1996). The variance h steps ahead is σ̄² + (α+β)^(h−1)·(σ₁² − σ̄²) with σ̄² = ω/(1−α−β); a step without value
// counts as one whose square was the expected one. Of several values of a step the newest counts.
type Volatility struct{ VolatilityConfig }

// NewVolatility returns the model, or an error that says which parameter is out of range.
func NewVolatility(c VolatilityConfig) (*Volatility, error) {
	if c.Moving {
		c.Omega, c.Alpha = 0, 1-c.Beta
	}
	switch {
	case !(c.Omega >= 0 && c.Omega <= maxValue) || !(c.Alpha >= 0) || !(c.Beta >= 0) || !(c.Alpha+c.Beta <= 1+1e-12):
		return nil, fmt.Errorf("omega %v, alpha %v, beta %v: give numbers ≥ 0, alpha + beta at most 1", c.Omega, c.Alpha, c.Beta)
	case !c.Moving && c.Fit == 0 && !(c.Omega > 0 && c.Alpha+c.Beta < 1):
		return nil, fmt.Errorf("omega %v, alpha + beta %v: give omega above 0 and alpha + beta below 1, or fit", c.Omega, c.Alpha+c.Beta)
	case !(c.MeanRate >= 0 && c.MeanRate < 1) || c.Degrees != 0 && !(c.Degrees > 2 && c.Degrees <= 1e6):
		return nil, fmt.Errorf("mean_rate %v, degrees %v: give a rate from 0 to 1, and degrees above 2 or 0", c.MeanRate, c.Degrees)
	case c.Fit < 0 || c.Fit > maxFit || c.Fit > 0 && (c.Fit < 50 || c.Moving):
		return nil, fmt.Errorf("fit %d: give 50 to %d steps, or 0", c.Fit, maxFit)
	case c.Paths < 0 || c.Paths > maxPaths:
		return nil, fmt.Errorf("paths %d: give 0 to %d", c.Paths, maxPaths)
	}
	return &Volatility{c}, nil
}

// Start returns an empty series.
func (f *Volatility) Start() models.Series {
	s := &volatility{f: f, warm: make([]float64, 0, f.Fit)}
	s.empty()
	return s
}

// MaxBytes is the larger of a series that warms up and a started one.
func (f *Volatility) MaxBytes() int { return 80 + watchBytes + 6*8 + 8*f.Fit }

type volatility struct {
	f                  *Volatility
	omega, alpha, beta float64
	fitted             bool
	observed           int64
	seen               bool    // the present step has a value
	ahead              int64   // steps since the newest value
	mean               float64 // of the present step
	variance           float64 // of the present step, before its value
	square             float64 // of the error of the present step, if seen
	residual, deviated float32
	warm               []float64 // errors of the first values, for the fit
	watch              watch
}

// firstBeta is the recursion before the fit: exponentially weighted.
const firstBeta = 0.94

func (s *volatility) empty() {
	f := s.f
	*s = volatility{f: f, omega: f.Omega, alpha: f.Alpha, beta: f.Beta, fitted: f.Fit == 0, warm: s.warm[:0], residual: float32(math.NaN()), deviated: float32(math.NaN())}
	if !s.fitted {
		s.omega, s.alpha, s.beta = 0, 1-firstBeta, firstBeta
	}
	if s.omega > 0 {
		s.variance = s.longRun()
	}
}

// longRun is the variance far ahead.
func (s *volatility) longRun() float64 { return s.omega / (1 - s.alpha - s.beta) }

// weights are those of the newest square and of the past; while few values were seen, an exponentially weighted variance is their mean.
func (s *volatility) weights() (alpha, beta float64) {
	if s.omega > 0 {
		return s.alpha, s.beta
	}
	alpha = max(s.alpha, 1/float64(max(s.observed, 1)))
	return alpha, 1 - alpha
}

// after is the variance so many steps after the present one.
func (s *volatility) after(steps int64) float64 {
	v := s.variance
	if s.seen {
		alpha, beta := s.weights()
		v = s.omega + float64(alpha*s.square) + float64(beta*v)
		steps--
	}
	if steps == 0 || s.omega == 0 {
		return v
	}
	long := s.longRun()
	return long + math.Pow(s.alpha+s.beta, float64(steps))*(v-long)
}

// Advance goes on.
func (s *volatility) Advance(steps int64) {
	if s.observed == 0 {
		return
	}
	s.ahead = later(s.ahead, steps)
	s.variance, s.seen, s.square = min(s.after(steps), maxState*maxState), false, 0
}

// Observe takes in a value.
func (s *volatility) Observe(y float64, _ []float64) {
	y = bounded(y)
	again := s.seen
	s.observed++
	e := y - s.mean
	s.residual, s.deviated = float32(e), float32(math.Sqrt(s.variance))
	s.square, s.seen, s.ahead = e*e, true, 0
	s.mean += float64(s.f.MeanRate * s.tamed(e))
	if s.fitted {
		return
	}
	if again && len(s.warm) > 0 {
		s.warm = s.warm[:len(s.warm)-1]
	}
	s.warm = append(s.warm, e)
	if len(s.warm) == s.f.Fit {
		s.fit()
	}
}

// tamed is the error within four deviations: single large values are no change of the mean.
func (s *volatility) tamed(e float64) float64 {
	if most := 4 * math.Sqrt(s.variance); s.observed > 2 && math.Abs(e) > most {
		s.watch.anomalies++
		return math.Copysign(most, e)
	}
	return e
}

// fit finds α and β that maximise the normal likelihood of the first errors, which is consistent for other noise too (Bollerslev & Wooldridge 1992); ω makes the variance far ahead theirs (variance targeting:
// Francq, Horváth & Zakoïan 2011).
func (s *volatility) fit() {
	total := 0.0
	for _, e := range s.warm {
		total += e * e
	}
	target := total / float64(len(s.warm))
	s.fitted = true
	if !(target > 0) {
		s.warm = s.warm[:0]
		return // all alike: what moves is learned with the weights of before
	}
	at := func(x []float64) (omega, alpha, beta float64) {
		persistence, share := 0.999*sigmoid(x[0]), sigmoid(x[1])
		return target * (1 - persistence), persistence * share, persistence * (1 - share)
	}
	best := minimise([]float64{logit(0.9), logit(0.1)}, fineSearch, func(x []float64) float64 {
		omega, alpha, beta := at(x)
		v, loss := target, 0.0
		for _, e := range s.warm {
			loss += math.Log(v) + e*e/v
			v = omega + alpha*e*e + beta*v
		}
		return loss
	})
	s.omega, s.alpha, s.beta = at(best)
	s.variance = target
	for _, e := range s.warm[:len(s.warm)-1] {
		s.variance = s.omega + float64(s.alpha*e*e) + float64(s.beta*s.variance)
	}
	s.warm = s.warm[:0]
}

// Forecast answers with the mean and the quantiles of the noise.
func (s *volatility) Forecast(o *models.Outlook, _ [][]float64) {
	o.Health = s.watch.health(s.observed, !s.fitted || s.observed < 10)
	if s.observed == 0 {
		setUnknown(o)
		return
	}
	z := newNormals(o)
	if s.f.Degrees > 0 {
		z = s.students(o)
	}
	for i := range o.Mean {
		o.Mean[i] = s.mean
		v := s.after(later(o.Skip, int64(i)+1))
		if s.observed == 1 {
			v = max(v, s.mean*s.mean)
		}
		z.set(o, i, math.Sqrt(v))
	}
	if s.f.Paths > 0 && s.omega > 0 && len(o.Levels) > 0 {
		s.simulate(o)
	}
}

// students are the quantiles of Student's distribution, scaled to a variance of 1.
func (s *volatility) students(o *models.Outlook) (q normals) {
	if len(o.Levels) > len(q.z) {
		return newNormals(o)
	}
	q.n = len(o.Levels)
	t := distuv.StudentsT{Sigma: math.Sqrt((s.f.Degrees - 2) / s.f.Degrees), Nu: s.f.Degrees}
	for i, level := range o.Levels {
		q.z[i] = t.Quantile(level)
	}
	return q
}

// simulate replaces the quantiles of all but the next step by those of paths: sums of squares that move are not normal.
func (s *volatility) simulate(o *models.Outlook) {
	skip := int(min(o.Skip, longestPath))
	start := s.after(o.Skip - int64(skip) + 1)
	p := takePaths(len(o.Mean), s.f.Paths, s.f.Seed, math.Float64bits(s.variance)^uint64(s.observed))
	defer pathPool.Put(p)
	for k := range p.n {
		p.mirror(k, skip+len(o.Mean))
		v := start
		for i, z := range p.noise {
			if s.f.Degrees > 0 {
				z = s.heavy(p, z)
			}
			e := math.Sqrt(v) * z
			if i >= skip {
				p.samples[(i-skip)*p.n+k] = s.mean + e
			}
			v = s.omega + s.alpha*e*e + s.beta*v
		}
	}
	for i := range o.Mean {
		if o.Skip+int64(i) == 0 && !s.longer() {
			continue
		}
		p.quantiles(o, i)
	}
}

// longer reports whether the present step has no value: the next one is then two steps ahead of what is known.
func (s *volatility) longer() bool { return !s.seen }

// heavy makes Student's noise of normal noise.
func (s *volatility) heavy(p *paths, z float64) float64 {
	nu := s.f.Degrees
	return z * math.Sqrt((nu-2)/(2*drawGamma(p.draw, nu/2)))
}

// Level is the mean.
func (s *volatility) Level() float64 {
	if s.observed == 0 {
		return math.NaN()
	}
	return s.mean
}

// Residual is the newest error and the deviation that was expected of it.
func (s *volatility) Residual() (value, deviation float64) {
	return float64(s.residual), float64(s.deviated)
}

// State visits variance and recursion.
func (s *volatility) State(c *codec.State) {
	if c.Loading() {
		s.empty()
	}
	visitCount(c, &s.observed)
	visitCount(c, &s.ahead)
	c.Bool(&s.seen)
	visitFloat(c, "mean", &s.mean, -maxState, maxState)
	visitFloat(c, "variance", &s.variance, 0, maxState*maxState)
	visitFloat(c, "square", &s.square, 0, maxState*maxState)
	visitFloat32(c, &s.residual)
	visitFloat32(c, &s.deviated)
	s.watch.State(c)
	if s.f.Fit == 0 {
		return
	}
	c.Bool(&s.fitted)
	if !s.fitted {
		visitCollected(c, "garch", &s.warm, cap(s.warm)-1, s.observed)
		return
	}
	visitFloat(c, "omega", &s.omega, 0, maxValue*maxValue)
	visitFloat(c, "alpha", &s.alpha, 0, 1)
	visitFloat(c, "beta", &s.beta, 0, 1)
	if c.Loading() && s.omega > 0 && !(s.alpha+s.beta < 1) {
		c.Fail("garch: alpha + beta is %v", s.alpha+s.beta)
	}
}

// volatilityParams are those that both models share.
var volatilityParams = []models.Param{
	{Name: "mean_rate", Default: 0.0, Range: models.Between(0, 0.99), Doc: "weight of the newest value in the mean; 0: the mean is 0"},
	{Name: "degrees", Default: 0.0, Range: models.Between(0, 1e6), Doc: "degrees of freedom of Student's noise, above 2; 0: normal noise"},
}

// EWMAVolatilityComponent is the catalogue entry of the exponentially weighted variance.
var EWMAVolatilityComponent = models.Component{
	Name: "ewma_volatility", Kind: models.ModelKind, Tasks: []models.Task{models.Forecast}, Fold: 1,
	Doc: "Quantiles of values around zero, or a moving mean, whose spread moves: returns of prices, errors of other forecasts. The variance is an exponentially weighted mean of squares; it is the same for every step ahead. Values are not to be " +
		"prices but their relative changes. Regressors and seasons are not used.",
	Cost: "O(1)", Memory: "about 80 bytes", Source: "RiskMetrics 1996, §5",
	Params: append([]models.Param{{Name: "decay", Default: firstBeta, Range: models.Inside(0, 1), Doc: "what the past keeps of its weight at each step"}}, volatilityParams...),
	NewForecaster: func(a models.Args, _ models.ForecastEnv) (models.Forecaster, error) {
		return NewVolatility(VolatilityConfig{Moving: true, Beta: a.Float("decay"), MeanRate: a.Float("mean_rate"), Degrees: a.Float("degrees")})
	},
}

// GARCHComponent is the catalogue entry of GARCH(1,1).
var GARCHComponent = models.Component{
	Name: "garch", Kind: models.ModelKind, Tasks: []models.Task{models.Forecast}, Fold: 1,
	Doc: "As ewma_volatility, with a variance that returns to its long-run mean: GARCH(1,1). The recursion is fitted to the first `fit` steps of each series (before, the series is cold and the variance exponentially weighted), or given. Quantiles more than one step ahead are those of simulated paths. " +
		"Regressors and seasons are not used.",
	Cost: "O(1) to update, once 300 times `fit`; O(paths · horizon) to ask", Memory: "about 110 bytes; until the fit 8 per step",
	Source: "Bollerslev 1986; fit: Bollerslev & Wooldridge 1992, Francq, Horváth & Zakoïan 2011",
	Params: append([]models.Param{
		{Name: "fit", Default: 250, Range: models.Between(0, maxFit), Unit: "steps", Doc: "steps that the recursion is fitted to, at least 50; 0: omega, alpha and beta are given"},
		{Name: "omega", Default: 0.0, Range: models.Between(0, maxValue), Doc: "with fit 0: variance that each step adds, above 0"},
		{Name: "alpha", Default: 0.1, Range: models.Between(0, 1), Doc: "with fit 0: weight of the newest square"},
		{Name: "beta", Default: 0.85, Range: models.Between(0, 1), Doc: "with fit 0: weight of the variance before"},
		{Name: "paths", Default: 500, Range: models.Between(0, maxPaths), Doc: "simulated futures; 0: quantiles of the noise at every step"},
	}, volatilityParams...),
	NewForecaster: func(a models.Args, env models.ForecastEnv) (models.Forecaster, error) {
		c := VolatilityConfig{Fit: a.Int("fit"), Omega: a.Float("omega"), Alpha: a.Float("alpha"), Beta: a.Float("beta"), MeanRate: a.Float("mean_rate"), Degrees: a.Float("degrees"), Paths: a.Int("paths"), Seed: env.Seed}
		return NewVolatility(c)
	},
}
