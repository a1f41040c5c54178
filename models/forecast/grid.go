// Package forecast holds forecasters that live in the state of each entity (features.Keyed): millions of series, each a few
// bytes that its feature unit updates with every event, whose forecasts are features.
//
// In the flow they stand inside feature units: at a trigger the unit reads the forecast, then updates. They draw no random
// numbers and read no clock, so a state is a function of the entity's events.
package forecast

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
)

// Grid is how a forecaster counts time.
type Grid struct {
	Period  int64 // length of one step, µs; 0: every event is one step
	Season  int   // steps of one season, 0 or 1: none
	Horizon int   // steps ahead that Read answers, at least 1
}

// maxSeason and maxHorizon bound the size of a state and of an answer.
const (
	maxSeason  = 1 << 16
	maxHorizon = 1 << 12
)

func (g *Grid) check() error {
	switch {
	case g.Period < 0:
		return errors.New("forecast period below 0: give the length of a step, or 0 for one step per event")
	case g.Season < 0 || g.Season > maxSeason:
		return errors.New("forecast season out of range: give the steps of one season, 0 to 65536")
	case g.Horizon < 1 || g.Horizon > maxHorizon:
		return errors.New("forecast horizon out of range: give the steps ahead, 1 to 4096")
	}
	g.Season = max(g.Season, 1)
	return nil
}

// columns names the steps of the horizon.
func (g *Grid) columns() []string {
	var names []string
	for i := range g.Horizon {
		names = append(names, "_"+strconv.Itoa(i+1))
	}
	return names
}

// slot is the step that the event time t falls into; for a grid by events, the step after last.
func (g *Grid) slot(t, last int64, started bool) int64 {
	switch {
	case g.Period > 0:
		s := t / g.Period
		if t < 0 && s*g.Period != t {
			s--
		}
		return s
	case started:
		return last + 1
	}
	return 0
}

// ahead is how many steps the time t lies after the last update.
func (g *Grid) ahead(t, last int64) int64 {
	if g.Period == 0 {
		return 0
	}
	return max(g.slot(t, last, true)-last, 0)
}

// phase is the place of a step in its season.
func (g *Grid) phase(slot int64) int {
	m := int64(g.Season)
	return int(((slot % m) + m) % m)
}

// missing appends NaN for every step of the horizon.
func (g *Grid) missing(dst []float64) []float64 {
	for range g.Horizon {
		dst = append(dst, math.NaN())
	}
	return dst
}

// A state is: version u8, kind u8, last slot i64, then doubles; all little endian.
const (
	stateVersion = 1
	stateHead    = 10
)

// The kinds of states.
const (
	kindWarmUp byte = 1 // doubles: the values since the first slot
	kindHolt   byte = 2 // doubles: level, trend, the season by phase
)

// stateKind returns the kind of a state, 0 if the bytes are none.
func stateKind(state []byte) byte {
	if len(state) < stateHead || state[0] != stateVersion || (len(state)-stateHead)%8 != 0 {
		return 0
	}
	return state[1]
}

var errState = errors.New("no state of this forecaster")

// checkSlot returns an error if no event time falls into the newest step of the state.
func (g *Grid) checkSlot(state []byte) error {
	slot := lastSlot(state)
	if g.Period == 0 && slot < 0 || g.Period > 0 && (slot > math.MaxInt64/g.Period || slot < (math.MinInt64+1)/g.Period-1) {
		return errState
	}
	return nil
}

func newState(state []byte, kind byte, slot int64, doubles int) []byte {
	size := stateHead + 8*doubles
	if cap(state) < size {
		state = make([]byte, size)
	}
	state = state[:size]
	state[0], state[1] = stateVersion, kind
	setSlot(state, slot)
	return state
}

func lastSlot(state []byte) int64 { return int64(binary.LittleEndian.Uint64(state[2:])) }

func setSlot(state []byte, slot int64) { binary.LittleEndian.PutUint64(state[2:], uint64(slot)) }

func doubles(state []byte) int { return (len(state) - stateHead) / 8 }

func double(state []byte, i int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(state[stateHead+8*i:]))
}

func setDouble(state []byte, i int, v float64) {
	binary.LittleEndian.PutUint64(state[stateHead+8*i:], math.Float64bits(v))
}

func finite(x float64) bool { return x-x == 0 }
