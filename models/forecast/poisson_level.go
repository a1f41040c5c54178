package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// PoissonLevelConfig are the parameters of PoissonLevel.
type PoissonLevelConfig struct {
	Alpha      float64 // weight of the newest count in the level, in (0, 1)
	Gamma      float64 // weight of the newest count in the season, in [0, 1)
	Season     int     // steps of a season; below 2: none
	Dispersion bool    // learn a spread beyond Poisson's (negative binomial)
	Paths      int     // simulated futures for quantiles more than one step ahead; 0: the distribution of the next step
	Outliers   float64 // a count above the mean by more than so many times the mean, the deviation or 1 is damped; 0: none is
	Seed       uint64  // of the paths
}

// PoissonLevel makes series of counts with a level and a season of factors: the count of a step is Poisson, or negative binomial, with the mean λ = l·s, and
//
//	l ← l + α(y − λ),  s ← s + γ·λ/(1 + λ)·(y/l − s)
//
// (Snyder, Ord & Beaumont 2012, with a season: l learns as a gamma distributed rate with the exposure s does, and s little where the mean is small and a count says little of a factor). What is ahead of the next step has no closed form: its quantiles are
// those of simulated paths. The first two seasons are collected; factors start from them, drawn towards 1 by two counts.
type PoissonLevel struct{ PoissonLevelConfig }

// NewPoissonLevel returns the model, or an error that says which parameter is out of range.
func NewPoissonLevel(c PoissonLevelConfig) (*PoissonLevel, error) {
	switch {
	case !(c.Alpha > 0 && c.Alpha < 1) || !(c.Gamma >= 0 && c.Gamma < 1):
		return nil, fmt.Errorf("alpha %v, gamma %v: give numbers from 0 to 1; alpha not 0, neither 1", c.Alpha, c.Gamma)
	case c.Season < 0 || c.Season > maxSeason:
		return nil, fmt.Errorf("season of %d steps: give 0 to %d", c.Season, maxSeason)
	case c.Paths < 0 || c.Paths > maxPaths || !(c.Outliers >= 0 && c.Outliers <= 1e6):
		return nil, fmt.Errorf("paths %d, outliers %v: give 0 to %d paths, and a number of times ≥ 0", c.Paths, c.Outliers, maxPaths)
	}
	c.Season = max(c.Season, 1)
	return &PoissonLevel{c}, nil
}

// Start returns an empty series.
func (f *PoissonLevel) Start() models.Series {
	s := &poissonLevel{f: f, season: make([]float64, f.Season), warm: make([]float64, 0, f.warm())}
	s.empty()
	return s
}

func (f *PoissonLevel) warm() int {
	if f.Season > 1 {
		return 2 * f.Season
	}
	return 1
}

// MaxBytes is the larger of a series that warms up and a started one.
func (f *PoissonLevel) MaxBytes() int {
	return demandBytes + 20 + max(8*f.warm()+10, 3*8+8*f.Season)
}

type poissonLevel struct {
	f *PoissonLevel
	demand
	dispersion
	started bool
	level   float64
	season  []float64 // by place
	at      int
	warm    []float64
}

// leastRate bounds levels from below, so that they can grow again.
const leastRate = 1e-6

func (s *poissonLevel) empty() {
	for i := range s.season {
		s.season[i] = 1
	}
	*s = poissonLevel{f: s.f, demand: emptyDemand(), season: s.season, warm: s.warm[:0]}
}

// Advance goes on.
func (s *poissonLevel) Advance(steps int64) {
	s.advance(steps)
	s.at = wrap(s.at, steps, len(s.season))
}

// Observe takes in the count of a step; a second one moves level and season once more.
func (s *poissonLevel) Observe(y float64, _ []float64) {
	gap := s.ahead
	if _, ok := s.take(y); !ok {
		return
	}
	y = bounded(y)
	if !s.started {
		s.collect(y, gap)
		return
	}
	s.learn(y)
}

// learn updates a started series.
func (s *poissonLevel) learn(y float64) {
	d := s.next(s.at)
	deviation := math.Sqrt(d.variance())
	s.missed(y-d.mean, deviation)
	y, anew := s.believe(y, d.mean, deviation, s.f.Outliers)
	factor := s.season[s.at]
	if anew {
		s.level = max(y/factor, leastRate)
		return
	}
	e := y - d.mean
	if s.f.Dispersion {
		s.dispersion.learn(e, d.mean, max(1/float64(s.observed+1), 0.02))
	}
	weight := s.f.Gamma * d.mean / (1 + d.mean)
	if len(s.season) > 1 {
		s.season[s.at] = min(max(factor+float64(weight*e/s.level), leastFactor), 1/leastFactor)
	}
	s.level = min(max(s.level+float64(min(s.f.Alpha, 1/factor)*e), leastRate), maxState)
	if s.at == 0 && len(s.season) > 1 {
		s.balance()
	}
}

// balance makes the mean of the factors 1, once a season: level and factors know only their product.
func (s *poissonLevel) balance() {
	mean := 0.0
	for _, v := range s.season {
		mean += v / float64(len(s.season))
	}
	s.level = min(max(s.level*mean, leastRate), maxState)
	for i, v := range s.season {
		s.season[i] = min(max(v/mean, leastFactor), 1/leastFactor)
	}
}

// collect keeps the counts of the first two seasons; a gap too long for them begins anew.
func (s *poissonLevel) collect(y float64, gap int64) {
	n := len(s.warm)
	switch {
	case n > 0 && gap == 0:
		s.warm[n-1] = y
		return
	case n == 0 || gap > int64(cap(s.warm)-n):
		s.warm = append(s.warm[:0], y)
	default:
		for range gap - 1 {
			s.warm = append(s.warm, math.NaN())
		}
		s.warm = append(s.warm, y)
	}
	if len(s.warm) == cap(s.warm) {
		s.begin()
	}
}

// begin ends the warm-up: the level is the mean, and a factor (counts + 2)/(steps · mean + 2).
func (s *poissonLevel) begin() {
	if s.f.Outliers > 0 {
		s.watch.anomalies += tame(s.warm)
	}
	m := len(s.season)
	mean, _ := momentsOf(s.warm)
	s.level = max(mean, leastRate)
	if m > 1 {
		total := 0.0
		for k := range m {
			sum, n := 2.0, 2.0
			for i := k; i < len(s.warm); i += m {
				if v := s.warm[i]; finite(v) {
					sum += v
					n += s.level
				}
			}
			factor := min(max(sum/n, leastFactor), 1/leastFactor)
			s.season[((s.at-(len(s.warm)-1-k))%m+m)%m] = factor
			total += factor / float64(m)
		}
		s.level *= total
		for i := range s.season {
			s.season[i] = min(max(s.season[i]/total, leastFactor), 1/leastFactor)
		}
	}
	s.started, s.warm = true, s.warm[:0]
}

// next is the distribution of a count at a place, as if it were the next.
func (s *poissonLevel) next(at int) countDist {
	d := countDist{mean: s.level * s.season[at], size: 1e12}
	if s.f.Dispersion {
		d.size = s.size()
	}
	return d
}

// Forecast answers with the mean, and quantiles of the distribution of the next step or of paths.
func (s *poissonLevel) Forecast(o *models.Outlook, _ [][]float64) {
	o.Health = s.watch.health(s.observed, !s.started || s.observed < 3)
	switch {
	case s.observed == 0:
		setUnknown(o)
		return
	case !s.started:
		mean, _ := momentsOf(s.warm)
		d := countDist{mean: mean, size: 1}
		answerFlat(o, mean, d.quantiles)
		return
	}
	n := len(o.Levels)
	at := wrap(s.at, o.Skip, len(s.season))
	for i := range o.Mean {
		at = wrap(at, 1, len(s.season))
		d := s.next(at)
		o.Mean[i] = d.mean
		if s.f.Paths == 0 || s.ahead+o.Skip+int64(i) == 0 {
			d.quantiles(o.Quantiles[i*n:(i+1)*n], o.Levels)
		}
	}
	if s.f.Paths > 0 && n > 0 && s.ahead+o.Skip+int64(len(o.Mean)) > 1 {
		s.simulate(o)
	}
}

// simulate writes the quantiles of simulated paths for all but the next step. What lies more than longestPath steps ahead spreads as that.
func (s *poissonLevel) simulate(o *models.Outlook) {
	before := min(later(s.ahead, o.Skip), longestPath) // steps of each path before the first one answered
	p := takePaths(len(o.Mean), s.f.Paths, s.f.Seed, math.Float64bits(s.level)^uint64(s.observed))
	defer pathPool.Put(p)
	from := wrap(s.at, o.Skip, len(s.season))
	from = ((from-int(before%int64(len(s.season))))%len(s.season) + len(s.season)) % len(s.season)
	size := s.next(s.at).size
	for k := range p.n {
		p.season = append(p.season[:0], s.season...)
		level, at := s.level, from
		for i := range int(before) + len(o.Mean) {
			at = wrap(at, 1, len(p.season))
			mean := level * p.season[at]
			y := drawCount(p.draw, mean, size)
			if at := i - int(before); at >= 0 {
				p.samples[at*p.n+k] = y
			}
			e := y - mean
			if len(p.season) > 1 {
				p.season[at] = min(max(p.season[at]+s.f.Gamma*mean/(1+mean)*e/level, leastFactor), 1/leastFactor)
			}
			level = min(max(level+min(s.f.Alpha, level/mean)*e, leastRate), maxState)
		}
	}
	for i := range o.Mean {
		if before+int64(i) > 0 {
			p.quantiles(o, i)
			row := o.Quantiles[i*len(o.Levels) : (i+1)*len(o.Levels)]
			for j := range row {
				row[j] = math.Ceil(row[j]) // a count
			}
		}
	}
}

// drawCount draws a count: Poisson, with a gamma distributed mean if the size is not very large.
func drawCount(rng *rand.Rand, mean, size float64) float64 {
	if size < 1e6 {
		mean *= drawGamma(rng, size) / size
	}
	if mean >= 30 { // Cornish & Fisher's expansion to the second order
		z := rng.NormFloat64()
		return max(0, math.Round(mean+math.Sqrt(mean)*z+(z*z-1)/6))
	}
	k, left := 0.0, math.Exp(-mean)
	for u := rng.Float64(); u > left && k < 1000; u *= rng.Float64() {
		k++
	}
	return k
}

// drawGamma draws from a gamma distribution with a shape and the scale 1 (Marsaglia & Tsang 2000).
func drawGamma(rng *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return drawGamma(rng, shape+1) * math.Pow(rng.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		z := rng.NormFloat64()
		v := 1 + c*z
		if v <= 0 {
			continue
		}
		v *= v * v
		if math.Log(1-rng.Float64()) < 0.5*z*z+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// Level is the level without season.
func (s *poissonLevel) Level() float64 { return levelOf(s.observed, s.started, s.warm, s.level) }

// State visits a series that warms up or a started one.
func (s *poissonLevel) State(c *codec.State) {
	if c.Loading() {
		s.empty()
	}
	c.Fixed("season of poisson_level", len(s.season))
	c.Bool(&s.started)
	s.at = c.Len(s.at, 0, len(s.season)-1)
	s.state(c)
	if !s.started {
		visitCollected(c, "poisson_level", &s.warm, cap(s.warm)-1, s.observed)
		return
	}
	visitFloat(c, "level", &s.level, leastRate, maxState)
	if s.f.Dispersion {
		s.dispersion.State(c)
	}
	for i := range s.season {
		visitFloat(c, "season", &s.season[i], leastFactor, 1/leastFactor)
	}
}

// PoissonLevelComponent is the catalogue entry of PoissonLevel.
var PoissonLevelComponent = models.Component{
	Name: "poisson_level", Kind: models.ModelKind, Tasks: []models.Task{models.Forecast}, Fold: 1,
	Doc: "Counts with a moving level and a season of factors: arrivals, calls, sales of many pieces. The next count is Poisson, or negative binomial with a learned spread; quantiles further ahead are those of simulated paths. The first two seasons are collected (the series is cold). " +
		"Without season and for slow movers take gamma_poisson, which costs less. Negative counts are refused and counted. Regressors are not used.",
	Cost: "O(1) to update, O(paths · horizon) to ask", Memory: "8 bytes per step of the season and about 70; in the first two seasons 8 per step", Source: "Snyder, Ord & Beaumont 2012; gamma variates: Marsaglia & Tsang 2000",
	Params: []models.Param{
		{Name: "alpha", Default: 0.1, Range: models.Inside(0, 1), Doc: "weight of the newest count in the level"},
		{Name: "gamma", Default: 0.1, Range: models.Between(0, 0.99), Doc: "weight of the newest count in the season"},
		{Name: "season", Default: 0, Range: models.Between(0, maxSeason), Unit: "steps", Doc: "length of the season; 0: the longest of the task; 1: none"},
		{Name: "distribution", Default: "negative_binomial", Choices: []string{"poisson", "negative_binomial"}, Doc: "of the next count: without or with a spread that is learned"},
		{Name: "paths", Default: 300, Range: models.Between(0, maxPaths), Doc: "simulated futures; 0: every step has the distribution of the next"},
		outliersParam,
	},
	NewForecaster: func(a models.Args, env models.ForecastEnv) (models.Forecaster, error) {
		c := PoissonLevelConfig{Alpha: a.Float("alpha"), Gamma: a.Float("gamma"), Season: a.Int("season"), Dispersion: a.Text("distribution") != "poisson", Paths: a.Int("paths"), Outliers: a.Float("outliers"), Seed: env.Seed}
		if n := len(env.Seasons); c.Season == 0 && n > 0 {
			c.Season = env.Seasons[n-1]
		}
		return NewPoissonLevel(c)
	},
}
