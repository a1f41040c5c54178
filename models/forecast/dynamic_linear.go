package forecast

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/forecast/statespace"
)

// DynamicLinearConfig are the parameters of a dynamic linear model with discounts.
type DynamicLinearConfig struct {
	Trend      string // none, local or damped
	Damping    float64
	Harmonics  int     // of each season at most
	TrendKeep  float64 // discount of level and slope, in (0, 1]
	SeasonKeep float64
	CoefKeep   float64 // of regressors
	Log        bool
	Memory     float64 // discount of the variance
}

// DynamicLinearComponent is the catalogue entry of DynamicLinear.
var DynamicLinearComponent = models.Component{
	Name: "dynamic_linear_model", Kind: models.ModelKind, Tasks: []models.Task{models.Forecast}, Regressors: true, Fold: 2,
	Doc: "A dynamic linear model with discounts: level, slope, seasons as harmonics and coefficients of regressors, which all move; a discount says how much of what they knew each step leaves. Nothing is fitted: it learns from the first value " +
		"on, and the variance with it; forecasts are Student's t. Missing values and gaps widen the forecast without winding the covariance up. Errors beyond four deviations are damped and counted, a run of strange errors on one side widens the level. Good " +
		"for short series, for regressors whose effect changes, and where a fit would cost too much.",
	Cost: "O(states²) a value", Memory: "8·states² bytes; states: 2 + 2·harmonics a season + regressors",
	Source: "West & Harrison 1997, §4.5, §6.3, §10.8, §11.4",
	Params: []models.Param{
		{Name: "trend", Default: "damped", Choices: []string{"none", "local", "damped"}, Doc: "level alone, with a slope, or with a slope that fades"},
		{Name: "damping", Default: 0.98, Range: models.Inside(0, 1), Doc: "φ of a damped slope"},
		{Name: "harmonics", Default: 6, Range: models.Between(1, 60), Doc: "harmonics of each season at most; half of a season gives it any form"},
		{Name: "trend_discount", Default: 0.95, Range: models.AboveTo(0, 1), Doc: "part of what is known of level and slope that a step leaves"},
		{Name: "season_discount", Default: 0.995, Range: models.AboveTo(0, 1), Doc: "the same of seasons"},
		{Name: "regressor_discount", Default: 0.998, Range: models.AboveTo(0, 1), Doc: "the same of coefficients of regressors"},
		{Name: "log", Default: false, Doc: "work with logarithms: for values above 0 whose season grows with them; others are refused"},
		{Name: "memory", Default: 0.99, Range: models.Inside(0, 1), Doc: "discount of the variance"},
	},
	NewForecaster: func(a models.Args, env models.ForecastEnv) (models.Forecaster, error) {
		return NewDynamicLinear(DynamicLinearConfig{Trend: a.Text("trend"), Damping: a.Float("damping"), Harmonics: a.Int("harmonics"), TrendKeep: a.Float("trend_discount"),
			SeasonKeep: a.Float("season_discount"), CoefKeep: a.Float("regressor_discount"), Log: a.Bool("log"), Memory: a.Float("memory")}, env)
	},
}

// DynamicLinear makes series of a dynamic linear model.
type DynamicLinear struct {
	cfg      DynamicLinearConfig
	model    *statespace.DiscountModel
	variance []float64 // of the states at the start, in units of that of the values
	coef, k  int
	cold     int64
}

// NewDynamicLinear returns the forecaster for the seasons and regressors of env, or an error that says what is out of range.
func NewDynamicLinear(cfg DynamicLinearConfig, env models.ForecastEnv) (*DynamicLinear, error) {
	d := &DynamicLinear{cfg: cfg, k: env.Regressors, model: &statespace.DiscountModel{}, cold: 8}
	var blocks []statespace.Block
	add := func(b statespace.Block, keep float64, variance ...float64) {
		if len(b.T) == 0 {
			return
		}
		d.model.Blocks = append(d.model.Blocks, [2]int{len(d.variance), len(b.T)})
		d.model.Discount = append(d.model.Discount, keep)
		for i := range b.T {
			d.variance = append(d.variance, variance[min(i, len(variance)-1)])
		}
		blocks = append(blocks, b)
	}
	switch cfg.Trend {
	case "none":
		add(statespace.Level(0), cfg.TrendKeep, 100)
	case "local":
		add(statespace.Trend(0, 0), cfg.TrendKeep, 100, 0.1)
	default:
		add(statespace.DampedTrend(cfg.Damping, 0, 0), cfg.TrendKeep, 100, 0.1)
	}
	for i, m := range env.Seasons {
		add(freeHarmonics(m, cfg.Harmonics, env.Seasons[:i]), cfg.SeasonKeep, 10)
		d.cold = max(d.cold, 2*int64(m))
	}
	d.coef = len(d.variance)
	if d.k > 0 {
		add(statespace.Regression(d.k, 0), cfg.CoefKeep, 10)
	}
	if len(d.variance) > maxUnobserved {
		return nil, fmt.Errorf("dynamic_linear_model: %d states, more than %d: give fewer harmonics, seasons or regressors", len(d.variance), maxUnobserved)
	}
	m := statespace.Compose(1, blocks...)
	d.model.G, d.model.F = m.T, m.Z[0]
	return d, d.model.Check()
}

// freeHarmonics are the first harmonics of a season that no shorter one has.
func freeHarmonics(period, harmonics int, shorter []int) statespace.Block {
	var free []statespace.Block
	for j := 1; j <= min(harmonics, period/2); j++ {
		if !taken(period, j, harmonics, shorter) {
			free = append(free, statespace.Harmonic(period, j, 0))
		}
	}
	if len(free) == 0 {
		return statespace.Block{}
	}
	m := statespace.Compose(0, free...)
	return statespace.Block{Z: m.Z[0], T: m.T, Q: m.Q}
}

// Start returns an empty series.
func (d *DynamicLinear) Start() models.Series {
	n := len(d.variance)
	s := &dynamicLinear{d: d, guard: newGuard(d.cfg.Memory), unit: make([]float64, d.k), f: append([]float64(nil), d.model.F...), mean: make([]float64, n), start: make([]float64, n)}
	s.filter, s.ahead = d.filter(s.mean), d.filter(s.mean)
	s.begin()
	return s
}

func (d *DynamicLinear) filter(mean []float64) *statespace.Discounted {
	zero := make([][]float64, len(mean))
	for i := range zero {
		zero[i] = make([]float64, len(mean))
	}
	f, err := statespace.NewDiscounted(d.model, mean, zero)
	if err != nil {
		panic("dynamic_linear_model: " + err.Error()) // NewDynamicLinear has checked it
	}
	return f
}

// MaxBytes is the filter and the guard.
func (d *DynamicLinear) MaxBytes() int {
	n := len(d.variance)
	return guardBytes + 8*(n*(n+1)+n+d.k) + 96
}

// dynamicLinear is a series of DynamicLinear.
type dynamicLinear struct {
	d      *DynamicLinear
	guard  guard
	scale  scaling
	filter *statespace.Discounted
	unit   []float64 // by regressor: the size that counts as 1: that of its first value
	count  int64     // values since the series began or began anew
	fresh  bool      // the newest step has no value yet, and was discounted

	ahead          *statespace.Discounted // scratch
	f, mean, start []float64
}

// holdSteps is how many steps of a gap widen a forecast; maxDiscounted bounds variances in units of that of the values.
const (
	holdSteps     = 64
	maxDiscounted = 1e8
)

func (s *dynamicLinear) begin() {
	s.scale = scaling{log: s.d.cfg.Log, top: -700}
	s.count, s.fresh = 0, false
	clear(s.unit)
	clear(s.mean)
	clear(s.start)
	s.filter.Restart(s.mean, s.start)
}

// Advance discounts one step, and makes those without values with its noise.
func (s *dynamicLinear) Advance(steps int64) {
	if s.count == 0 {
		return
	}
	if !s.fresh {
		s.filter.Predict()
		s.fresh = true
		steps--
	}
	s.filter.HoldMany(min(steps, 1<<44), holdSteps)
}

// Observe takes in a value.
func (s *dynamicLinear) Observe(y float64, x []float64) {
	y = bounded(y)
	if s.scale.log && y <= 0 {
		s.guard.health.Refused++
		return
	}
	if !s.row(x) {
		return
	}
	v := s.scale.to(y)
	s.count++
	s.fresh = false
	if s.count == 1 {
		s.guard.first(v)
		clear(s.mean)
		s.mean[0] = v
		s.filter.Restart(s.mean, s.d.variance)
		return
	}
	in := s.filter.Weigh(v, s.f)
	s.scale.smear(v, v-in.Error)
	e, shifted := s.guard.take(v, in.Error, in.Variance)
	if shifted {
		s.filter.Widen(100 * math.Max(1, in.Variance))
		e = in.Error
	}
	s.filter.Correct(e)
	for i := range s.d.variance {
		s.filter.Cap(i, maxDiscounted)
	}
	if !(math.Abs(s.filter.Mean()[0]) < 1e140) || !(in.Variance < 1e140) {
		s.guard.restart()
		s.begin()
	}
}

// row sets the regressors in F; false: one is missing.
func (s *dynamicLinear) row(x []float64) bool {
	for i, v := range x {
		if math.IsNaN(v) {
			return false
		}
		if s.unit[i] == 0 && v != 0 {
			s.unit[i] = math.Max(1e-100, math.Min(math.Abs(v), 1e100))
		}
		s.f[s.d.coef+i] = relativeTo(s.unit[i], v)
	}
	return true
}

// Forecast runs a copy of the filter ahead.
func (s *dynamicLinear) Forecast(o *models.Outlook, x [][]float64) {
	o.Health = s.guard.report(s.d.cold)
	if o.Health.Observed == 0 {
		setUnknown(o)
		return
	}
	var room [32]float64
	multiples := quantiles(room[:0], o.Levels, s.guard.memory*s.guard.n)
	sigma := s.guard.deviation()
	s.ahead.CopyFrom(s.filter)
	held := s.fresh
	if o.Skip > 0 {
		if !held {
			s.ahead.Predict()
			held = true
			s.ahead.HoldMany(min(o.Skip-1, 1<<44), holdSteps)
		} else {
			s.ahead.HoldMany(min(o.Skip, 1<<44), holdSteps)
		}
	}
	once := s.guard.sd
	for i := range o.Mean {
		if held {
			s.ahead.Hold()
		} else {
			s.ahead.Predict()
			held = true
		}
		for j := range s.d.k {
			s.f[s.d.coef+j] = relativeTo(s.unit[j], x[i][j])
		}
		middle, variance := s.ahead.Forecast(s.f)
		answer(o, i, middle, float64(math.Sqrt(variance)*sigma), once, multiples, &s.scale)
	}
}

// Level is the level, without slope, season and regressors.
func (s *dynamicLinear) Level() float64 {
	if s.count == 0 {
		return math.NaN()
	}
	return s.scale.back(s.filter.Mean()[0])
}

// Residual is the error of the newest one-step forecast and its expected deviation, of logarithms with `log`.
func (s *dynamicLinear) Residual() (value, deviation float64) { return s.guard.e, s.guard.sd }

// State visits the filter and the guard.
func (s *dynamicLinear) State(c *codec.State) {
	s.guard.state(c, "dynamic_linear_model")
	s.scale.state(c, "scale of dynamic_linear_model")
	for i := range s.unit {
		visitFloat(c, "unit of a regressor", &s.unit[i], 0, 1e100)
	}
	c.Int64(&s.count)
	c.Bool(&s.fresh)
	s.filter.State(c)
	if c.Loading() && (s.count < 0 || s.count > s.guard.health.Observed || s.scale.log != s.d.cfg.Log) {
		c.Fail("dynamic_linear_model: %d values", s.count)
	}
}
