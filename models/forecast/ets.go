package forecast

import (
	"fmt"

	"github.com/freshet-ml/freshet/models"
)

// ETSConfig are a form and its rates, in innovations form: one error moves every part of the state, so that Beta holds the factor α of the books and Gamma
// the factor 1−α. The usual region is 0 < β < α, 0 < γ < 1−α.
type ETSConfig struct {
	Form               SmoothingForm
	Alpha, Beta, Gamma float64 // in [0, 1]
	Phi                float64 // damping, in [0, 1]; used where Form.Damped
	Forms              []SmoothingForm
	SmoothingOptions
}

// NewETS returns exponential smoothing in innovations form (Hyndman, Koehler, Ord & Snyder 2008, table 2.2 and 2.3): with q = l + φb and the forecast f = q,
// q + s or q·s of the present step, its error e = y − f, divided by f for a relative error, whose variance is what is kept, moves
//
//	no or additive season: l ← q + αe, b ← φb + βe, s ← s + γe
//	multiplicative season: l ← q + αe/s, b ← φb + βe/s, s ← s + γe/q
//
// with e in units of y. Forecasts of forms with additive error and no factors are normal with variances in closed form (table 6.2 there); for others the mean is the path
// without errors and quantiles are those of simulated paths. With Fit the candidates Forms (nil: the one of Form) are fitted to the first so many steps of each series, and
// the best by AICc is taken; the rates given do not matter then.
func NewETS(c ETSConfig) (*Smoothing, error) {
	if err := checkRates(c.Alpha, c.Beta, c.Gamma, c.Phi); err != nil {
		return nil, err
	}
	p := smoothParams{SmoothingForm: c.Form, alpha: c.Alpha, beta: c.Beta, gamma: c.Gamma, phi: c.Phi}
	if !c.Form.Damped {
		p.phi = 1
	}
	if len(c.Forms) == 0 {
		c.Forms = []SmoothingForm{c.Form}
	}
	return newSmoothing("ets", p, c.SmoothingOptions, c.Forms)
}

// stableForms are the candidates of an automatic choice: all but additive errors with factors, whose variance is not finite (Hyndman et al. 2008, chapter 15).
func stableForms() (forms []SmoothingForm) {
	for _, f := range smoothingForms {
		if f.RelativeError || f.Season != MultiplicativeSeason {
			forms = append(forms, f)
		}
	}
	return forms
}

// leastFit is after how many values an automatic fit comes at the earliest.
const leastFit = 36

// ETSComponent is the catalogue entry of exponential smoothing in innovations form.
var ETSComponent = models.Component{
	Name: "ets", Kind: models.ModelKind, Tasks: []models.Task{models.Forecast}, Fold: 1,
	Doc: "Exponential smoothing in innovations form: error A or M, trend N, A or Ad, season N, A or M. A series starts after two seasons with usual rates; after `fit` values, and whenever they have doubled, the form " +
		"with the best AICc is taken, with the most probable rates. For long or many seasons, and for the least memory, prefer forecaster_bank and holt_winters. Missing values move level, trend and season along. " +
		"A value far outside its forecast is damped and counted as an anomaly; the fourth in succession is believed and counted as a shift. Forms with relative error or factors are chosen for positive series only, and refuse and count negative values. Regressors are not used.",
	Cost:   "O(1) to update, once about 400 times `fit` for each form tried; O(horizon) to ask, O(paths · horizon) for forms with M",
	Memory: "8 bytes per step of the season and about 100; with refit 8 for each of four times `fit` steps",
	Source: "Hyndman, Koehler, Ord & Snyder 2008, §2–6; choice of the form: Hyndman, Koehler, Snyder & Grose 2002",
	Params: append([]models.Param{
		{Name: "form", Default: "auto", Choices: formNames(), Doc: "error, trend and season; auto: the best by AICc of those whose variance is finite"},
		{Name: "fit", Default: 0, Range: models.Between(0, maxFit), Unit: "values", Doc: "values after which form and rates are fitted first; 0: three seasons, at least 36"},
		{Name: "refit", Default: true, Doc: "fit again whenever the values have doubled, to the newest four times `fit` steps"},
		{Name: "given", Default: false, Doc: "take alpha, beta, gamma and phi instead of a fit; needs a form"},
		{Name: "alpha", Default: 0.3, Range: models.Between(0, 1), Doc: "with given: what an error moves the level by"},
		{Name: "beta", Default: 0.015, Range: models.Between(0, 1), Doc: "with given: what it moves the trend by; usually below alpha"},
		{Name: "gamma", Default: 0.1, Range: models.Between(0, 1), Doc: "with given: what it moves the season by; usually below 1 − alpha"},
		{Name: "phi", Default: 0.98, Range: models.Between(0, 1), Doc: "with given: damping of the trend of a form with Ad"},
		{Name: "paths", Default: 500, Range: models.Between(0, maxPaths), Doc: "simulated futures for the quantiles of forms with M; 0: normal quantiles"},
	}, smoothingParams...),
	NewForecaster: func(a models.Args, env models.ForecastEnv) (models.Forecaster, error) {
		c := ETSConfig{Alpha: a.Float("alpha"), Beta: a.Float("beta"), Gamma: a.Float("gamma"), Phi: a.Float("phi"), SmoothingOptions: smoothingOptions(a, env)}
		c.Paths = a.Int("paths")
		c.Refit = a.Bool("refit")
		switch name := a.Text("form"); {
		case name != "auto":
			c.Form, _ = ParseSmoothingForm(name)
		case a.Bool("given"):
			return nil, fmt.Errorf("given rates need a form: give form, such as AAdA, or leave given out")
		default:
			c.Forms = stableForms()
			c.Form = SmoothingForm{Trend: true, Damped: true, Season: AdditiveSeason} // until the fit
		}
		switch {
		case a.Bool("given"):
			c.Fit = 0
		case c.Fit == 0:
			c.Fit = min(max(3*c.Season, leastFit), maxFit)
		}
		return NewETS(c)
	},
}

func formNames() []string {
	names := []string{"auto"}
	for _, f := range smoothingForms {
		names = append(names, f.String())
	}
	return names
}
