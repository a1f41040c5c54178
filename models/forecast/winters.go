package forecast

import (
	"fmt"

	"github.com/freshet-ml/freshet/models"
)

// WintersConfig are the parameters of Holt-Winters smoothing as its books write them: every rate is that of one average.
type WintersConfig struct {
	Alpha float64 // of the level, in [0, 1]
	Beta  float64 // of the trend, in [0, 1]
	Gamma float64 // of the season, in [0, 1]
	Phi   float64 // damping of the trend, in [0, 1]; 1: none
	Form  SmoothingForm
	SmoothingOptions
}

// NewWinters returns Holt-Winters smoothing (Holt 1957, Winters 1960; damping: Gardner & McKenzie 1985) in error-correction form: with the error e of the
// present step and q = l + φb,
//
//	additive season:       l ← q + αe, b ← φb + αβe, s ← s + γ(1−α)e
//	multiplicative season: l ← q + αe/s, b ← φb + αβe/s, s ← s + γ(y/l − s), with the new l
//
// which is what R's stats::HoltWinters computes. A relative error changes no forecast, but its spread is proportional to the forecast. Without a trend (Form.Trend false) Beta and Phi
// are not used, without a season Gamma is not. Intervals are normal; their variance is exact for an additive season and, for a multiplicative one, that of a season that stays as it is
// (Chatfield & Yar 1991).
func NewWinters(c WintersConfig) (*Smoothing, error) {
	if err := checkRates(c.Alpha, c.Beta, c.Gamma, c.Phi); err != nil {
		return nil, err
	}
	p := smoothParams{SmoothingForm: c.Form, winters: true, alpha: c.Alpha, beta: c.Alpha * c.Beta, gamma: c.Gamma * (1 - c.Alpha), phi: c.Phi}
	if c.Learn && c.Fit > 0 {
		return nil, fmt.Errorf("fit %d and learn: rates are fitted once or learned with every value; give one of the two", c.Fit)
	}
	s, err := newSmoothing("holt_winters", p, c.SmoothingOptions, []SmoothingForm{c.Form})
	if err == nil {
		s.rates = [learnedRates]float64{c.Alpha, c.Beta, c.Gamma}
	}
	return s, err
}

// newSmoothing checks the options and what form and season say of each other.
func newSmoothing(name string, p smoothParams, o SmoothingOptions, forms []SmoothingForm) (*Smoothing, error) {
	switch {
	case o.Season < 0 || o.Season > maxSeason:
		return nil, fmt.Errorf("season of %d steps: give 0 to %d", o.Season, maxSeason)
	case !(o.Spread > 0 && o.Spread <= 1):
		return nil, fmt.Errorf("spread %v: give a weight above 0, at most 1", o.Spread)
	case !(o.Outliers >= 0 && o.Outliers <= 1e6):
		return nil, fmt.Errorf("outliers %v: give a number of deviations, 0 for none", o.Outliers)
	case o.Fit < 0 || o.Fit > maxFit:
		return nil, fmt.Errorf("fit %d: give 0 to %d steps", o.Fit, maxFit)
	case o.Paths < 0 || o.Paths > maxPaths:
		return nil, fmt.Errorf("paths %d: give 0 to %d", o.Paths, maxPaths)
	}
	if o.Season < 2 {
		o.Season, p.Season = 0, NoSeason
	}
	if p.Season == NoSeason {
		p.gamma = 0
		if o.Fit == 0 {
			o.Season = 0
		}
	}
	if !p.Trend {
		p.Damped, p.beta, p.phi = false, 0, 1
	}
	if o.Fit > 0 && o.Fit < max(2*o.Season, 10) {
		return nil, fmt.Errorf("fit %d: give at least two seasons and at least 10 values, or 0 for rates that are given", o.Fit)
	}
	return &Smoothing{SmoothingOptions: o, name: name, seasonOf: "season of " + name, given: p, forms: forms}, nil
}

// Bounds of options.
const (
	maxFit   = 1 << 16
	maxPaths = 1 << 14
)

// HoltWintersComponent is the catalogue entry of Holt-Winters smoothing.
var HoltWintersComponent = models.Component{
	Name: "holt_winters", Kind: models.ModelKind, Tasks: []models.Task{models.Forecast}, Fold: 1,
	Doc: "Exponential smoothing with damped trend and one season, additive or multiplicative. The first two seasons are collected (forecasts are then the value one season before, or the mean, and the series is cold) and give " +
		"level, trend and season; without season it starts at the first value. Rates are given, fitted to the first `fit` values of each series, or learned with every value. Missing values move level, trend and season along; a second value of a step corrects without a step. " +
		"A value far outside its forecast is damped and counted as an anomaly; the fourth in succession is believed and counted as a shift. With a multiplicative season or error negative values are refused and counted. Regressors are not used.",
	Cost: "O(1) to update, O(horizon) to ask", Memory: "8 bytes per step of the season and about 60; in the first two seasons, and until a fit, 8 per step more",
	Source: "Holt 1957; Winters 1960; learned rates: Ljung & Söderström 1983, §3.8; Gardner & McKenzie 1985; Hyndman, Koehler, Ord & Snyder 2008, §2–6; intervals: Chatfield & Yar 1991",
	Params: append([]models.Param{
		{Name: "alpha", Default: 0.3, Range: models.Between(0, 1), Doc: "weight of the newest value in the level"},
		{Name: "beta", Default: 0.05, Range: models.Between(0, 1), Doc: "weight of the newest change in the trend"},
		{Name: "gamma", Default: 0.2, Range: models.Between(0, 1), Doc: "weight of the newest value in the season"},
		{Name: "phi", Default: 0.98, Range: models.Between(0, 1), Doc: "damping of the trend; 1: none"},
		{Name: "trend", Default: true, Doc: "whether there is a trend"},
		{Name: "seasonal", Default: "additive", Choices: []string{"additive", "multiplicative"}, Doc: "how the season enters"},
		{Name: "error", Default: "additive", Choices: []string{"additive", "multiplicative"}, Doc: "whether the spread is constant or grows with the forecast"},
		{Name: "fit", Default: 0, Range: models.Between(0, maxFit), Unit: "values", Doc: "rates are fitted once to the first so many values of each series; 0: they are given"},
		{Name: "learn", Default: false, Doc: "alpha, beta and gamma move with every value by the gradient of the likelihood, from the given ones on (phi stays): for long series, whose best rates nobody knows or which change; costs some seven times as much, and four times the memory"},
	}, smoothingParams...),
	NewForecaster: func(a models.Args, env models.ForecastEnv) (models.Forecaster, error) {
		c := WintersConfig{Alpha: a.Float("alpha"), Beta: a.Float("beta"), Gamma: a.Float("gamma"), Phi: a.Float("phi"), SmoothingOptions: smoothingOptions(a, env)}
		c.Learn = a.Bool("learn")
		c.Form = SmoothingForm{RelativeError: a.Text("error") == "multiplicative", Trend: a.Bool("trend"), Damped: a.Bool("trend") && c.Phi < 1, Season: AdditiveSeason}
		if a.Text("seasonal") == "multiplicative" {
			c.Form.Season = MultiplicativeSeason
		}
		if c.Season == 0 {
			c.Form.Season = NoSeason
		}
		return NewWinters(c)
	},
}

// smoothingParams are those that the components of exponential smoothing share.
var smoothingParams = []models.Param{
	{Name: "season", Default: 0, Range: models.Between(0, maxSeason), Unit: "steps", Doc: "length of the season; 0: the longest of the task; 1: none"},
	{Name: "spread", Default: 0.02, Range: models.AboveTo(0, 1), Doc: "least weight of the newest squared error in the variance"},
	{Name: "outliers", Default: 4.0, Range: models.Between(0, 1e6), Unit: "deviations", Doc: "a value farther from its forecast is damped to this distance; 0: none is"},
}

// smoothingOptions reads them.
func smoothingOptions(a models.Args, env models.ForecastEnv) SmoothingOptions {
	o := SmoothingOptions{Season: a.Int("season"), Spread: a.Float("spread"), Outliers: a.Float("outliers"), Fit: a.Int("fit"), Seed: env.Seed}
	if n := len(env.Seasons); o.Season == 0 && n > 0 {
		o.Season = env.Seasons[n-1]
	}
	if o.Season == 1 {
		o.Season = 0
	}
	return o
}
