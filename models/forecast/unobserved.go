package forecast

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/forecast/statespace"
)

// UnobservedConfig are the parameters of an unobserved components model.
type UnobservedConfig struct {
	Trend       string  // none: a level; local: level and slope; damped: with a slope that fades
	Damping     float64 // of the slope, in (0, 1)
	Harmonics   int     // of each season at most, ≥ 1
	AR          bool    // with an autoregression of order one
	Transform   string  // none, log, or auto: the likelier at each fit
	Window      int     // newest steps that fits look at; 0: four of the longest season, 120 to 1024
	Evaluations int     // likelihoods at most that one fit computes
	Memory      float64 // of the variance, in (0, 1)
}

// UnobservedComponent is the catalogue entry of Unobserved.
var UnobservedComponent = models.Component{
	Name: "unobserved_components", Kind: models.ModelKind, Tasks: []models.Task{models.Forecast}, Regressors: true, Fold: 2,
	Doc: "A structural time series model: level and slope that move, each season as a sum of harmonics that move, an autoregression, regressors with fixed coefficients, and noise; taken in value by value by a Kalman filter. " +
		"How much each part moves is fitted by likelihood to the newest `window` steps, first after two of the longest season, then whenever half as many more were seen (12 times at most); the fit is part of the fold and replays exactly. " +
		"The variance is learned with every value; errors beyond four deviations are damped and counted, a run of strange errors on one side widens the level. Missing values and gaps widen the forecast. Good for one to some thousand series with clear seasons, regressors or gaps; for " +
		"millions of keys or seasons of sharp form take forecaster_bank.",
	Cost:   "O(states²) a value (1.5 products for each pair of states), O(states) once the gain has settled; a fit: evaluations · window times that",
	Memory: "4·states² + 8·(window + 10·states) bytes; states: 2 + 2·harmonics a season + regressors",
	Source: "Harvey 1989, ch. 2–4; Durbin & Koopman 2012, ch. 3, 4, 7; variance: West & Harrison 1997, §10.8",
	Params: []models.Param{
		{Name: "trend", Default: "none", Choices: []string{"none", "local", "damped"}, Doc: "level alone, with a slope, or with a slope that fades (Harvey's form: μ ← μ + b, b ← φb)"},
		{Name: "damping", Default: 0.98, Range: models.Inside(0, 1), Doc: "φ of a damped slope"},
		{Name: "harmonics", Default: 6, Range: models.Between(1, 60), Doc: "harmonics of each season at most; half of a season gives it any form; of a longer season each fit takes the strongest"},
		{Name: "ar", Default: true, Doc: "with an autoregression of order one"},
		{Name: "transform", Default: "auto", Choices: []string{"auto", "none", "log"}, Doc: "auto: logarithms while all values of the window are above 0 and they are likelier; log: values ≤ 0 are refused"},
		{Name: "window", Default: 0, Range: models.Between(0, 4096), Unit: "steps", Doc: "newest steps that a fit looks at; 0: four of the longest season, 120 to 1024"},
		{Name: "evaluations", Default: 120, Range: models.Between(1, 2000), Doc: "likelihoods that one fit computes at most"},
		{Name: "memory", Default: 0.995, Range: models.Inside(0, 1), Doc: "weight that the variance leaves to earlier values with each value"},
	},
	NewForecaster: func(a models.Args, env models.ForecastEnv) (models.Forecaster, error) {
		return NewUnobserved(UnobservedConfig{Trend: a.Text("trend"), Damping: a.Float("damping"), Harmonics: a.Int("harmonics"), AR: a.Bool("ar"), Transform: a.Text("transform"),
			Window: a.Int("window"), Evaluations: a.Int("evaluations"), Memory: a.Float("memory")}, env)
	},
}

// Unobserved makes series of an unobserved components model. Variances are in units of that of the noise, which each series learns.
type Unobserved struct {
	cfg     UnobservedConfig
	model   statespace.Structure
	tables  map[int][][2]float64 // of the waves
	parts   []part
	n       int // states
	coef    int // first state of the regressors
	k       int // regressors
	params  int // numbers that a fit looks for
	window  int
	first   int64 // values before the first fit
	longest int
	full    []int // seasons of which it has all harmonics
	choices int   // harmonics that fits choose
}

// part are states whose noise has one variance.
type part struct {
	at, size int
	cold     float64 // variance at the start, before the first fit
	wide     float64 // in fits
	least    float64 // logarithms (base 10) of the variance of the noise that fits look between
	most     float64
	guess    float64
	ar       bool
	wave     int // the first of a season
	period   int // of a season that has more harmonics than the model: which ones a fit chooses; else 0
}

// maxUnobserved bounds the states: a value costs some states³/3.
const maxUnobserved = 160

// NewUnobserved returns the forecaster for the seasons and regressors of env, or an error that says what is out of range.
func NewUnobserved(cfg UnobservedConfig, env models.ForecastEnv) (*Unobserved, error) {
	u := &Unobserved{cfg: cfg, k: env.Regressors, longest: 1, tables: map[int][][2]float64{}}
	u.trend()
	if cfg.AR {
		u.model.AR = true
		u.add(part{size: 1, ar: true, least: -4, most: 4, guess: -0.5})
	}
	for i, m := range env.Seasons {
		u.season(m, env.Seasons[:i])
		u.longest = m
	}
	u.params = len(u.parts)
	if cfg.AR {
		u.params++
	}
	u.coef = u.n
	u.model.Coefficients = u.k
	u.n += u.k
	if u.n > maxUnobserved {
		return nil, fmt.Errorf("unobserved_components: %d states, more than %d: give fewer harmonics, seasons or regressors", u.n, maxUnobserved)
	}
	u.window = cfg.Window
	if u.window == 0 {
		u.window = max(120, min(4*u.longest, 1024))
	}
	u.first = int64(min(u.window, max(2*u.longest+4, 24)))
	return u, nil
}

// add appends a part behind the others.
func (u *Unobserved) add(p part) {
	p.at = u.n
	u.n += p.size
	u.parts = append(u.parts, p)
}

// trend adds level and slope.
func (u *Unobserved) trend() {
	u.add(part{size: 1, cold: 1e4, wide: 1e4, least: -6, most: 4, guess: -1})
	if u.cfg.Trend == "none" {
		return
	}
	u.model.Slope, u.model.Damping = true, 1
	if u.cfg.Trend == "damped" {
		u.model.Damping = u.cfg.Damping
	}
	u.add(part{size: 1, cold: 1e-2, wide: 10, least: -9, most: 1, guess: -4})
}

// season adds the first harmonics of a season that none of the shorter ones has, if the model has all; else as many as there is room for.
func (u *Unobserved) season(period int, shorter []int) {
	p := part{cold: 1, wide: 1e3, least: -8, most: 2, guess: -3, wave: len(u.model.Waves)}
	whole := period/2 <= u.cfg.Harmonics
	for j := 1; j <= min(u.cfg.Harmonics, period/2); j++ {
		if whole && taken(period, j, u.cfg.Harmonics, shorter) {
			continue
		}
		u.model.Waves = append(u.model.Waves, statespace.Wave{Period: period, Turns: j})
		p.size += 2
		if 2*j == period {
			p.size--
		}
	}
	if whole {
		u.full = append(u.full, period)
	}
	if p.size == 0 {
		return
	}
	if !whole {
		p.period = period
		u.choices += p.size / 2
	}
	u.tables[period] = statespace.TurnTable(period)
	u.add(p)
}

// taken reports whether the frequency j/period is a harmonic of a shorter season.
func taken(period, j, harmonics int, shorter []int) bool {
	for _, m := range shorter {
		if j*m%period == 0 && j*m/period <= harmonics {
			return true
		}
	}
	return false
}

// whole reports whether the frequency j/period is a harmonic of a season that the model has in full.
func (u *Unobserved) whole(period, j int) bool {
	for _, m := range u.full {
		if m < period && j*m%period == 0 {
			return true
		}
	}
	return false
}

// Start returns an empty series.
func (u *Unobserved) Start() models.Series {
	s := &unobserved{u: u, theta: make([]float64, u.params), turns: make([]int, u.choices), ring: make([]float64, u.window), ringX: make([]float64, u.window*u.k), unit: make([]float64, u.k), x: make([]float64, u.k)}
	s.filter, s.ahead = u.filter(), u.filter()
	s.mean, s.variance = make([]float64, u.n), make([]float64, u.n)
	s.empty()
	return s
}

func (u *Unobserved) filter() *statespace.Structural {
	return statespace.NewStructural(u.model, u.tables)
}

// MaxBytes is the filter, the window and the rest.
func (u *Unobserved) MaxBytes() int {
	return guardBytes + 8*(u.n*(u.n+1)/2+3*u.n) + 3*len(u.model.Waves) + 64 + 8*(u.params+u.k) + 3*u.choices + 8*u.window*(1+u.k) + 112
}

// guess are the parameters before the first fit.
func (u *Unobserved) guess(theta []float64, shift float64) {
	for i, p := range u.parts {
		theta[i] = math.Max(p.least, math.Min(p.most, p.guess+shift))
	}
	if u.cfg.AR {
		theta[len(u.parts)] = 0.5 // tanh⁻¹-like, see phi
	}
}

// phi is the coefficient of the autoregression that a number stands for.
func phi(x float64) float64 { return 0.01 + 0.97*sigmoid(2*x) }

// tune sets the variances and the harmonics of a filter.
func (u *Unobserved) tune(f *statespace.Structural, theta []float64, turns []int) {
	k := 0
	for i, p := range u.parts {
		q := math.Pow(10, math.Max(p.least, math.Min(p.most, theta[i])))
		for j := range p.size {
			f.Tune(p.at+j, q)
		}
		if p.ar {
			f.SetAR(phi(theta[len(u.parts)]))
		}
		if p.period > 0 {
			for j := range p.size / 2 {
				f.Turn(p.wave+j, turns[k])
				k++
			}
		}
	}
}

// begin sets a filter to the start: the level at y, everything else at 0.
func (u *Unobserved) begin(f *statespace.Structural, y float64, theta, mean, variance []float64, wide bool) {
	clear(mean)
	mean[0] = y
	for i, p := range u.parts {
		v := p.cold
		if wide {
			v = p.wide
		}
		if p.ar {
			a := phi(theta[len(u.parts)])
			v = math.Pow(10, theta[i]) / (1 - a*a)
		}
		for j := range p.size {
			variance[p.at+j] = v
		}
	}
	for i := u.coef; i < u.n; i++ {
		variance[i] = 1
		if wide {
			variance[i] = 1e3
		}
	}
	f.Restart(mean, variance)
}
