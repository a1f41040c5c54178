package forecast

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/freshet-ml/freshet/models"
)

// SARIMAConfig are the parameters of a seasonal ARIMA model.
type SARIMAConfig struct {
	Order         [3]int // p, d, q
	SeasonalOrder [3]int // P, D, Q of the longest season
	Shorter       bool   // with one autoregressive and one moving average term of every shorter season
	Transform     string // none, log, or auto: the likelier at each fit
	Window        int    // newest steps that fits look at; 0: four of the longest season, 120 to 1024
	Evaluations   int    // sums of squares at most that one fit computes
	Memory        float64
}

// SARIMAComponent is the catalogue entry of SARIMA.
var SARIMAComponent = models.Component{
	Name: "sarima", Kind: models.ModelKind, Tasks: []models.Task{models.Forecast}, Regressors: true, Fold: 2,
	Doc: "A seasonal ARIMA model with regressors. It runs in innovations form: a ring of the newest values and errors, from which a value costs as much as its polynomials have terms (16 or so, whatever the season). Coefficients minimise the " +
		"conditional sum of squares on the newest `window` steps, first after two of the longest season, then whenever a quarter more values were seen (40 times at most); the fit is part of the fold and replays exactly. Coefficients stay stationary and invertible. " +
		"Missing values are filled with their forecasts, and mended when the next value comes (exactly for the first after a gap; what stays unknown of their errors is left out of the few that follow). Errors beyond four deviations are damped and counted. Good for strong, regular seasons; with a season above 1,000 steps take harmonics (unobserved_components).",
	Cost:   "O(terms) a value; a fit: evaluations · window · terms",
	Memory: "32·(window + season) bytes, regressors 8·window each",
	Source: "Box & Jenkins 1976, ch. 7 and 9; ranges: Barndorff-Nielsen & Schou 1973, Monahan 1984; regressors: Cochrane & Orcutt 1949",
	Params: []models.Param{
		{Name: "order", Default: "1,0,1", Doc: "p,d,q: autoregressive terms, differences, moving average terms; 0 to 5, differences 0 to 2"},
		{Name: "seasonal_order", Default: "1,0,1", Doc: "P,D,Q of the longest season, 0 to 2 each, D 0 or 1; left out without a season"},
		{Name: "shorter", Default: true, Doc: "with one autoregressive and one moving average term of every shorter season"},
		{Name: "transform", Default: "auto", Choices: []string{"auto", "none", "log"}, Doc: "auto: logarithms while all values of the window are above 0 and they are likelier; log: values ≤ 0 are refused"},
		{Name: "window", Default: 0, Range: models.Between(0, 8192), Unit: "steps", Doc: "newest steps that a fit looks at; 0: four of the longest season, 120 to 1024"},
		{Name: "evaluations", Default: 300, Range: models.Between(1, 5000), Doc: "sums of squares that one fit computes at most"},
		{Name: "memory", Default: 0.995, Range: models.Inside(0, 1), Doc: "weight that the variance leaves to earlier values with each value"},
	},
	NewForecaster: func(a models.Args, env models.ForecastEnv) (models.Forecaster, error) {
		cfg := SARIMAConfig{Shorter: a.Bool("shorter"), Transform: a.Text("transform"), Window: a.Int("window"), Evaluations: a.Int("evaluations"), Memory: a.Float("memory")}
		for name, to := range map[string]*[3]int{"order": &cfg.Order, "seasonal_order": &cfg.SeasonalOrder} {
			o, err := parseOrder(a.Text(name))
			if err != nil {
				return nil, fmt.Errorf("sarima: %s: %w", name, err)
			}
			*to = o
		}
		return NewSARIMA(cfg, env)
	},
}

// parseOrder reads three numbers, such as 1,0,1.
func parseOrder(text string) (o [3]int, err error) {
	fields := strings.Split(text, ",")
	if len(fields) != 3 {
		return o, fmt.Errorf("%q: give three numbers, such as 1,0,1", text)
	}
	for i, f := range fields {
		if o[i], err = strconv.Atoi(strings.TrimSpace(f)); err != nil {
			return o, fmt.Errorf("%q: give three numbers, such as 1,0,1", text)
		}
	}
	return o, nil
}

// SARIMA makes series of a seasonal ARIMA model.
type SARIMA struct {
	cfg     SARIMAConfig
	k       int // regressors
	season  int // longest, 1: none
	seasons []int
	lag     int // the longest of both polynomials
	params  int
	window  int
	first   int64
	horizon int // steps whose weights are kept
}

// NewSARIMA returns the forecaster for the seasons and regressors of env, or an error that says what is out of range.
func NewSARIMA(cfg SARIMAConfig, env models.ForecastEnv) (*SARIMA, error) {
	m := &SARIMA{cfg: cfg, k: env.Regressors, season: 1}
	if n := len(env.Seasons); n > 0 {
		m.season = env.Seasons[n-1]
		if cfg.Shorter {
			m.seasons = env.Seasons[:n-1]
		}
	} else {
		m.cfg.SeasonalOrder = [3]int{}
	}
	o, s := m.cfg.Order, m.cfg.SeasonalOrder
	for i, most := range [3]int{5, 2, 5} {
		if o[i] < 0 || o[i] > most {
			return nil, fmt.Errorf("sarima: order %v: p and q go from 0 to 5, d from 0 to 2", o)
		}
	}
	for i, most := range [3]int{2, 1, 2} {
		if s[i] < 0 || s[i] > most {
			return nil, fmt.Errorf("sarima: seasonal_order %v: P and Q go from 0 to 2, D is 0 or 1", s)
		}
	}
	m.params = o[0] + o[2] + s[0] + s[2] + 2*len(m.seasons)
	short := 0
	for _, n := range m.seasons {
		short += n
	}
	m.lag = max(1, o[0]+o[1]+m.season*(s[0]+s[1])+short, o[2]+m.season*s[2]+short)
	if m.lag > 1<<14 {
		return nil, fmt.Errorf("sarima: %d values back, more than %d: give a lower order, or a shorter season", m.lag, 1<<14)
	}
	m.window = cfg.Window
	if m.window == 0 {
		m.window = max(120, min(4*m.season, 1024))
	}
	m.window = max(m.window, 2*m.lag+16)
	m.first = int64(min(m.window, max(2*m.season, m.lag)+4+4*m.params))
	m.horizon = max(env.Horizon, 2*m.season, 32)
	return m, nil
}

// term is one of a sparse polynomial in the lag.
type term struct {
	lag int
	c   float64
}

// expand multiplies polynomials that are 1 and the terms of a factor; the first term of the product is 1 · B⁰.
func expand(dst []term, factors [][]term) []term {
	dst = append(dst[:0], term{0, 1})
	for _, f := range factors {
		for i, n := 0, len(dst); i < n; i++ {
			for _, t := range f {
				dst = append(dst, term{dst[i].lag + t.lag, float64(dst[i].c * t.c)})
			}
		}
	}
	return dst
}

// coefficients are those of a stationary autoregression of order len(x) whose partial autocorrelations are tanh of x (Barndorff-Nielsen & Schou 1973; Monahan 1984).
func coefficients(dst, x []float64) []float64 {
	var before [8]float64
	dst = dst[:0]
	for k, v := range x {
		r := 0.99 * math.Tanh(v)
		copy(before[:], dst)
		for i := range dst {
			dst[i] -= float64(r * before[k-1-i])
		}
		dst = append(dst, r)
	}
	return dst
}

// sarimaPolynomials are those of a set of parameters.
type sarimaPolynomials struct {
	ar, ma []term // y(t) = Σ ar y(t−lag) + Σ ma e(t−lag) + e(t)

	factors [2][][]term // scratch
	terms   []term
	room    []float64
}

// set forms y(t) = … from the parameters.
func (p *sarimaPolynomials) set(m *SARIMA, x []float64) {
	p.terms, p.factors[0], p.factors[1] = p.terms[:0], p.factors[0][:0], p.factors[1][:0]
	if p.terms == nil { // room for all: factors are parts of it
		p.terms = make([]term, 0, m.params+4)
		p.ar, p.ma, p.room = make([]term, 0, 64), make([]term, 0, 64), make([]float64, 0, 8)
	}
	next := func(n, step, side int) {
		p.room = coefficients(p.room, x[:n])
		x = x[n:]
		p.factor(p.room, step, side)
	}
	o, s := m.cfg.Order, m.cfg.SeasonalOrder
	next(o[0], 1, 0)
	next(o[2], 1, 1)
	next(s[0], m.season, 0)
	next(s[2], m.season, 1)
	for _, n := range m.seasons {
		next(1, n, 0)
		next(1, n, 1)
	}
	for range o[1] {
		p.factor(one, 1, 0)
	}
	if s[1] > 0 {
		p.factor(one, m.season, 0)
	}
	p.ar, p.ma = expand(p.ar, p.factors[0]), expand(p.ma, p.factors[1])
	for i := range p.ar {
		p.ar[i].c = -p.ar[i].c
	}
}

var one = []float64{1}

// factor adds 1 − Σ c(i) B^(i·step) to the factors of a side: 0 autoregressive, 1 moving average.
func (p *sarimaPolynomials) factor(c []float64, step, side int) {
	if len(c) == 0 {
		return
	}
	from := len(p.terms)
	for i, v := range c {
		p.terms = append(p.terms, term{(i + 1) * step, -v})
	}
	p.factors[side] = append(p.factors[side], p.terms[from:])
}

// Start returns an empty series.
func (m *SARIMA) Start() models.Series {
	n := m.window
	s := &sarima{m: m, theta: make([]float64, m.params), beta: make([]float64, m.k), unit: make([]float64, m.k), raw: make([]float64, n), x: make([]float64, n*m.k), y: make([]float64, n), e: make([]float64, n), psi: make([]float64, m.horizon+1), path: make([]float64, m.lag+m.horizon+1)}
	s.guard = newGuard(m.cfg.Memory)
	s.begin()
	return s
}

// MaxBytes are the rings, parameters and counts.
func (m *SARIMA) MaxBytes() int {
	return guardBytes + 8*(m.window*(1+m.k)+2*m.lag+m.params+2*m.k) + 128
}
