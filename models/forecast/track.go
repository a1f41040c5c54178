package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Track is one series in event time: it turns times into steps for a models.Series. It belongs to one goroutine.
type Track struct {
	Series  models.Series
	step    int64 // length of a step, µs; 0: every value is a step
	slot    int64 // the present step
	started bool
}

// Taken says what became of a value.
type Taken uint8

// What becomes of a value.
const (
	TakenStep    Taken = 1 // it was the first of its step
	TakenAgain   Taken = 2 // it corrected a step that had one
	TakenNothing Taken = 3 // missing: it moved time on
	TakenLate    Taken = 4 // its step lies before the present one: it was left out
)

// NewTrack starts a series of f whose steps last stepLength µs, 0 for one step per value.
func NewTrack(f models.Forecaster, stepLength int64) *Track {
	return &Track{Series: f.Start(), step: stepLength}
}

// at is the step that the event time lies in.
func (k *Track) at(t int64) int64 {
	if k.step == 0 {
		return k.slot + 1
	}
	return floorDiv(t, k.step)
}

// start is the event time at which a step of a grid by time starts.
func (k *Track) start(slot int64) int64 { return slot * k.step }

// outside reports a step that no event time lies in.
func (k *Track) outside() bool {
	return k.step > 0 && (k.slot > maxTime/k.step || k.slot < floorDiv(-maxTime, k.step)) || k.step == 0 && k.slot < 0
}

// Ahead is how many steps t lies after the present one, 0 if none.
func (k *Track) Ahead(t int64) int64 {
	if !k.started || k.step == 0 {
		return 0
	}
	return max(k.at(t)-k.slot, 0)
}

// Update takes in y, NaN if missing, at the event time t (µs). x are its regressors, borrowed. The step of a missing value passes. A missing
// value before the first one is left out.
func (k *Track) Update(t int64, y float64, x []float64) Taken {
	missing := math.IsNaN(y) || math.IsInf(y, 0)
	if missing && !k.started {
		return TakenNothing
	}
	slot := k.at(t)
	if k.started && slot < k.slot {
		return TakenLate
	}
	taken := TakenAgain
	if steps := slot - k.slot; !k.started || steps > 0 {
		if !k.started {
			steps = 1
		}
		k.Series.Advance(steps)
		k.slot, k.started, taken = slot, true, TakenStep
	}
	if missing {
		return TakenNothing
	}
	k.Series.Observe(y, x)
	return taken
}

// Forecast answers the steps after the one that t lies in (the present one, if t is older); x as in models.Series.
func (k *Track) Forecast(o *models.Outlook, t int64, x [][]float64) {
	o.Skip = k.Ahead(t)
	k.Series.Forecast(o, x)
}

// State visits the series and its place in time.
func (k *Track) State(s *codec.State) {
	s.Int64(&k.slot)
	s.Bool(&k.started)
	k.Series.State(s)
}
