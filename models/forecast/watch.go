package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// watch counts what a series could not take or did not believe, and tells an outlier from a change of level: a value alone far outside its
// forecast is damped, the fourth in succession is believed (West & Harrison 1997, §11.4 signal a change after a run of such values).
type watch struct {
	refused, anomalies, shifts, restarts int64
	streak                               uint8 // values far outside in succession
	side                                 int8  // how many of the newest of them lay on one side: above (+) or below (−)
	calm                                 uint8 // values until a change of level is no longer young
}

const (
	shiftStreak = 4  // values in succession that are far outside: the series has changed
	shiftCalm   = 20 // values for which a series counts as shifted after that
	watchFrom   = 10 // errors after which a spread counts as known
	watchBytes  = 4*10 + 3
)

// unsure widens the square of a limit for a spread that few errors have shown: fourfold after watchFrom of them, without bound before the first.
func unsure(errors int64) float64 {
	w := 1 + watchFrom/float64(errors)
	return w * w
}

// outlier is what became of a value far outside its forecast.
type outlier uint8

const (
	outlierDamped outlier = iota // alone so far: damp it
	outlierLevel                 // the fourth in succession on one side: the level has changed
	outlierSpread                // the fourth in succession, on both sides: the spread has changed
)

// outside counts a value that lies far above or below its forecast.
func (w *watch) outside(above bool) outlier {
	w.streak++
	switch {
	case above:
		w.side = max(w.side, 0) + 1
	default:
		w.side = min(w.side, 0) - 1
	}
	if w.streak < shiftStreak {
		w.anomalies++
		return outlierDamped
	}
	oneSide := w.side == shiftStreak || w.side == -shiftStreak
	w.streak, w.side = 0, 0
	w.shifts++
	w.calm = shiftCalm
	if oneSide {
		return outlierLevel
	}
	return outlierSpread
}

// inside counts a value near its forecast.
func (w *watch) inside() {
	w.streak, w.side = 0, 0
	if w.calm > 0 {
		w.calm--
	}
}

// health is what the counters say; cold: the series knows too little for more than a simple forecast.
func (w *watch) health(observed int64, cold bool) models.Health {
	h := models.Health{Status: models.HealthGood, Observed: observed, Refused: w.refused, Anomalies: w.anomalies, Shifts: w.shifts, Restarts: w.restarts}
	switch {
	case observed == 0:
		h.Status = models.HealthUnknown
	case cold:
		h.Status = models.HealthCold
	case w.calm > 0:
		h.Status = models.HealthShifted
	}
	return h
}

// State visits the counters.
func (w *watch) State(c *codec.State) {
	for _, n := range []*int64{&w.refused, &w.anomalies, &w.shifts, &w.restarts} {
		visitCount(c, n)
	}
	c.Byte(&w.streak)
	b := byte(w.side + shiftStreak)
	c.Byte(&b)
	w.side = int8(min(b, 2*shiftStreak)) - shiftStreak
	c.Byte(&w.calm)
	if c.Loading() && (w.streak >= shiftStreak || b <= 0 || b >= 2*shiftStreak || w.calm > shiftCalm) {
		c.Fail("streak %d, side %d, calm %d of a series", w.streak, w.side, w.calm)
	}
}

// visitCount visits a number of events, in as few bytes as it needs.
func visitCount(c *codec.State, n *int64) { *n = int64(c.Len(int(*n), 0, math.MaxInt)) }

// visitFloat visits a double that must be finite and in [least, most].
func visitFloat(c *codec.State, name string, v *float64, least, most float64) {
	c.Float64(v)
	if c.Loading() && !(*v >= least && *v <= most) {
		c.Fail("%s is %v", name, *v)
		*v = 0
	}
}

// later adds steps to a count of steps, which stays in range.
func later(ahead, steps int64) int64 {
	if ahead > math.MaxInt64/4-steps {
		return math.MaxInt64 / 4
	}
	return ahead + steps
}

// unlike counts of steps, those of a season wrap.
func wrap(at int, steps int64, season int) int {
	if steps == 1 {
		if at++; at == season {
			return 0
		}
		return at
	}
	return int((int64(at) + steps%int64(season)) % int64(season))
}
