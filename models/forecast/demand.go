package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// demand is what every series of counts or amounts keeps besides its model: what it saw, where it is, and what it refused.
type demand struct {
	observed int64
	ahead    int64 // steps since the newest value
	residual float32
	deviated float32
	watch    watch
}

// demandBytes bounds what demand saves.
const demandBytes = 3*10 + 8 + watchBytes

// empty is a series that saw nothing.
func emptyDemand() demand {
	return demand{residual: float32(math.NaN()), deviated: float32(math.NaN())}
}

// advance goes on, and returns how many steps before the present one had no value since the newest one had.
func (d *demand) advance(steps int64) (empty int64) {
	if d.observed == 0 {
		return 0
	}
	empty = steps
	if d.ahead == 0 {
		empty--
	}
	d.ahead = later(d.ahead, steps)
	return empty
}

// take counts a value, and reports whether it is the first of its step, and whether it can be taken: negative ones cannot.
func (d *demand) take(y float64) (first, ok bool) {
	if y < 0 {
		d.watch.refused++
		return false, false
	}
	first = d.ahead > 0 || d.observed == 0
	d.ahead = 0
	d.observed++
	return first, true
}

// missed notes the error of a forecast.
func (d *demand) missed(e, deviation float64) {
	d.residual, d.deviated = float32(e), float32(deviation)
}

// believe returns what to learn from a count: a limit for one that is absurdly large, many times over the mean and the deviation; anew says that it is the
// fourth of such in succession, after which the series begins anew.
func (d *demand) believe(y, mean, deviation, outliers float64) (learn float64, anew bool) {
	limit := mean + outliers*max(mean, deviation, 1)
	if !(y > limit) || outliers == 0 || d.observed < 4 {
		d.watch.inside()
		return y, false
	}
	if d.watch.outside(true) == outlierDamped {
		return limit, false
	}
	return y, true
}

// outliersParam is the damping of counts.
var outliersParam = models.Param{Name: "outliers", Default: 20.0, Range: models.Between(0, 1e6), Doc: "a count above the mean by more than so many times the mean, the deviation or 1 is damped to that; 0: none is"}

// Residual is the newest one-step error.
func (d *demand) Residual() (value, deviation float64) {
	return float64(d.residual), float64(d.deviated)
}

// state visits it.
func (d *demand) state(c *codec.State) {
	visitCount(c, &d.observed)
	visitCount(c, &d.ahead)
	visitFloat32(c, &d.residual)
	visitFloat32(c, &d.deviated)
	d.watch.State(c)
}

// answerFlat answers every step alike: mean, and quantiles that rows writes once.
func answerFlat(o *models.Outlook, mean float64, rows func(dst, levels []float64)) {
	n := len(o.Levels)
	if len(o.Mean) == 0 {
		return
	}
	rows(o.Quantiles[:n], o.Levels)
	for i := range o.Mean {
		setRow(o, i, mean, o.Quantiles[:n])
	}
}

// gapsParam says what a step without a value is.
var gapsParam = models.Param{Name: "gaps", Default: "missing", Choices: []string{"missing", "zero"},
	Doc: "what a step without a value is that lies before one with a value: not observed, or no demand (zero), as where only sales make events"}

// longestGap bounds how many steps without values are gone through one by one.
const longestGap = 4096
