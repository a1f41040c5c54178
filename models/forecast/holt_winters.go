package forecast

import (
	"errors"
	"math"

	"github.com/freshet-ml/freshet/features"
)

// HoltWintersConfig are the parameters of HoltWinters.
type HoltWintersConfig struct {
	Grid
	Alpha float64 // smoothing of the level, in [0, 1]
	Beta  float64 // smoothing of the trend, in [0, 1]; 0 with Phi 0: no trend
	Gamma float64 // smoothing of the season, in [0, 1]
	Phi   float64 // damping of the trend, in [0, 1]; 1: none
}

// DefaultHoltWinters returns usual parameters: α 0.3, β 0.05, γ 0.2, φ 0.98.
func DefaultHoltWinters(g Grid) HoltWintersConfig {
	return HoltWintersConfig{Grid: g, Alpha: 0.3, Beta: 0.05, Gamma: 0.2, Phi: 0.98}
}

// HoltWinters is exponential smoothing with additive, damped trend and additive season (Holt 1957, Winters 1960; damping: Gardner &
// McKenzie 1985), in error-correction form (Hyndman et al. 2008, §2.3):
//
//	e = y − (l + φb + s),  l ← l + φb + αe,  b ← φb + αβe,  s ← s + γ(1−α)e.
//
// Steps without a value move level and trend along and leave the season. A second value in the same step corrects the state without a step; an older one
// is left out, as is one that is not finite. The first two seasons are kept as they come and then fitted: trend from the
// difference of their means, season from the mean distance to that line; until then a forecast is the value one season
// before, or the mean. Without season, where γ is not used, it starts at the first value with trend 0.
//
// State per entity: 26 + 8·season bytes, up to 10 + 16·season in the first two seasons. Update is O(1), Read O(horizon).
type HoltWinters struct {
	cfg HoltWintersConfig
}

var _ features.Keyed = (*HoltWinters)(nil)

var holtWintersSpec = Spec{
	Name: "holt_winters",
	Doc: "Forecasts of the next `horizon` steps, as columns _1, _2 …, by exponential smoothing with damped trend and season " +
		"(Holt-Winters, additive). In the first two seasons the value one season before, or the mean; missing without events.",
	Uses: []string{"step", "season", "horizon", "alpha", "beta", "gamma", "damping"}, Version: holtWintersVersion,
	Cost: "constant to update, linear in the horizon to read", Memory: "26 + 8·season bytes, up to 16·season in the first two seasons",
	Source: "Holt 1957, Winters 1960, Gardner & McKenzie 1985; error-correction form of Hyndman et al. 2008, §2.3",
	New: func(c HoltWintersConfig) (features.Keyed, error) {
		h, err := NewHoltWinters(c)
		if err != nil {
			return nil, err
		}
		return h, nil
	},
}

const holtWintersVersion = 1

// NewHoltWinters returns a forecaster with these parameters, or an error that says which is out of range.
func NewHoltWinters(cfg HoltWintersConfig) (*HoltWinters, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	for _, p := range []struct {
		name  string
		value float64
	}{{"alpha", cfg.Alpha}, {"beta", cfg.Beta}, {"gamma", cfg.Gamma}, {"phi", cfg.Phi}} {
		if !(p.value >= 0 && p.value <= 1) {
			return nil, errors.New("holt_winters " + p.name + " out of range: give a number from 0 to 1")
		}
	}
	if cfg.Season == 1 {
		cfg.Gamma = 0 // one place in the season would be a second level
	}
	return &HoltWinters{cfg: cfg}, nil
}

// Shape returns the horizon as width; the largest state is that of a warm-up, or of one without season.
func (h *HoltWinters) Shape() features.KeyedShape {
	most := max(2*h.cfg.Season-1, 2+h.cfg.Season)
	return features.KeyedShape{Columns: h.cfg.columns(), Inputs: 1, MaxBytes: stateHead + 8*most, Version: holtWintersVersion}
}

// Check returns an error if the bytes are no state of a forecaster with this season.
func (h *HoltWinters) Check(state []byte) error {
	if len(state) == 0 {
		return nil
	}
	kind := h.kind(state)
	if kind == 0 || kind == kindWarmUp && h.cfg.Season == 1 {
		return errState
	}
	if err := h.cfg.checkSlot(state); err != nil {
		return err
	}
	for i := range doubles(state) {
		v := double(state, i)
		if missing := kind == kindWarmUp && i > 0 && math.IsNaN(v); !missing && !finite(v) {
			return errState
		}
	}
	return nil
}

// Update takes in x[0] at the event time t. It allocates only while a state grows.
func (h *HoltWinters) Update(state []byte, t int64, x []float64) (next []byte, late bool) {
	if h.kind(state) != 0 && h.cfg.slot(t, lastSlot(state), true) < lastSlot(state) {
		return state, true
	}
	return h.update(state, t, x), false
}

func (h *HoltWinters) update(state []byte, t int64, x []float64) []byte {
	y := math.NaN()
	if len(x) > 0 && finite(x[0]) {
		y = x[0]
	}
	switch h.kind(state) {
	case kindHolt:
		return h.step(state, t, y)
	case kindWarmUp:
		return h.warm(state, t, y)
	}
	if !finite(y) {
		return state[:0]
	}
	slot := h.cfg.slot(t, 0, false)
	if h.cfg.Season == 1 {
		return h.start(state, slot, y, 0, nil)
	}
	state = newState(state, kindWarmUp, slot, 1)
	setDouble(state, 0, y)
	return state
}

// kind returns the kind of a state that has the size of its kind, else 0.
func (h *HoltWinters) kind(state []byte) byte {
	switch k := stateKind(state); {
	case k == kindHolt && doubles(state) == 2+h.cfg.Season, k == kindWarmUp && doubles(state) > 0 && doubles(state) < 2*h.cfg.Season:
		return k
	}
	return 0
}

// start makes the state after the first fit; season is by phase, nil: zeros.
func (h *HoltWinters) start(state []byte, slot int64, level, trend float64, season []float64) []byte {
	state = newState(state, kindHolt, slot, 2+h.cfg.Season)
	setDouble(state, 0, level)
	setDouble(state, 1, trend)
	for i := range h.cfg.Season {
		s := 0.0
		if season != nil {
			s = season[i]
		}
		setDouble(state, 2+i, s)
	}
	return state
}

// step updates a running state with the value of a step, NaN if it has none.
func (h *HoltWinters) step(state []byte, t int64, y float64) []byte {
	last := lastSlot(state)
	slot := h.cfg.slot(t, last, true)
	if slot < last || slot == last && !finite(y) {
		return state
	}
	level, trend := h.advance(double(state, 0), double(state, 1), slot-last)
	at := 2 + h.cfg.phase(slot)
	if finite(y) {
		season := double(state, at)
		e := y - (level + season)
		level += float64(h.cfg.Alpha * e)
		trend += float64(float64(h.cfg.Alpha*h.cfg.Beta) * e)
		setDouble(state, at, season+float64(float64(h.cfg.Gamma*(1-h.cfg.Alpha))*e))
	}
	if !finite(level) || !finite(trend) || !finite(double(state, at)) {
		return state[:0] // beyond the range of numbers: start anew
	}
	setSlot(state, slot)
	setDouble(state, 0, level)
	setDouble(state, 1, trend)
	return state
}

// advance moves level and trend by steps without a value.
func (h *HoltWinters) advance(level, trend float64, steps int64) (float64, float64) {
	switch {
	case steps == 0:
		return level, trend
	case steps == 1:
		trend *= h.cfg.Phi
		return level + trend, trend
	}
	return level + float64(trend*h.damped(float64(steps))), trend * math.Pow(h.cfg.Phi, float64(steps))
}

// damped is φ + φ² + … + φⁿ.
func (h *HoltWinters) damped(n float64) float64 {
	if h.cfg.Phi == 1 {
		return n
	}
	return h.cfg.Phi * (1 - math.Pow(h.cfg.Phi, n)) / (1 - h.cfg.Phi)
}

// warm collects the first two seasons.
func (h *HoltWinters) warm(state []byte, t int64, y float64) []byte {
	last, n := lastSlot(state), doubles(state)
	slot := h.cfg.slot(t, last, true)
	switch {
	case slot < last:
		return state
	case slot == last:
		if finite(y) {
			setDouble(state, n-1, y)
		}
		return state
	case slot-last >= int64(2*h.cfg.Season-n)+int64(h.cfg.Season): // a gap that leaves less than one season: start anew
		return h.update(state[:0], t, []float64{y})
	}
	for s := last + 1; s <= slot; s++ {
		v := math.NaN()
		if s == slot {
			v = y
		}
		if doubles(state) == 2*h.cfg.Season-1 {
			state = h.fit(state, s, v)
			if h.kind(state) == kindHolt && s < slot {
				return h.step(state, t, y)
			}
			return state
		}
		state = append(state, 0, 0, 0, 0, 0, 0, 0, 0)
		setDouble(state, doubles(state)-1, v)
	}
	setSlot(state, slot)
	return state
}

// fit starts the smoothing from two seasons: those of the state and the value y of the last slot.
func (h *HoltWinters) fit(state []byte, slot int64, y float64) []byte {
	m := h.cfg.Season
	values := make([]float64, 2*m)
	for i := range 2*m - 1 {
		values[i] = double(state, i)
	}
	values[2*m-1] = y
	first, second := mean(values[:m]), mean(values[m:])
	if !finite(first) {
		first = second
	}
	if !finite(second) {
		second = first
	}
	trend := (second - first) / float64(m)
	season, shift := make([]float64, m), 0.0
	origin := slot - int64(2*m-1)
	for i := range m {
		line := first + float64(trend*(float64(i)-float64(m-1)/2))
		s := mean([]float64{values[i] - line, values[m+i] - line - float64(trend*float64(m))})
		if !finite(s) {
			s = 0
		}
		season[h.cfg.phase(origin+int64(i))] = s
		shift += s / float64(m)
	}
	for i := range season {
		season[i] -= shift
	}
	state = h.start(state, slot, second+float64(trend*float64(m-1)/2)+shift, trend, season)
	if h.Check(state) != nil {
		return state[:0] // beyond the range of numbers: start anew
	}
	return state
}

// mean is that of the finite values, NaN if there is none.
func mean(x []float64) float64 {
	total, n := 0.0, 0.0
	for _, v := range x {
		if finite(v) {
			total, n = total+v, n+1
		}
	}
	return total / n
}

// Read appends the forecasts of the Horizon steps after that of t (or after the newest value, if t is older).
func (h *HoltWinters) Read(dst []float64, state []byte, t int64) []float64 {
	switch h.kind(state) {
	case kindHolt:
	case kindWarmUp:
		return h.readWarm(dst, state, t)
	default:
		return h.cfg.missing(dst)
	}
	last := lastSlot(state)
	from := h.cfg.ahead(t, last)
	level, trend := double(state, 0), double(state, 1)
	damped := 0.0
	if from > 0 {
		damped = h.damped(float64(from))
	}
	power := math.Pow(h.cfg.Phi, float64(from))
	for k := range int64(h.cfg.Horizon) {
		power *= h.cfg.Phi
		damped += power
		f := level + float64(damped*trend) + double(state, 2+h.cfg.phase(last+from+k+1))
		if !finite(f) {
			f = math.NaN()
		}
		dst = append(dst, f)
	}
	return dst
}

// readWarm answers with the value one or two seasons before, or the mean of what there is.
func (h *HoltWinters) readWarm(dst []float64, state []byte, t int64) []float64 {
	last, n := lastSlot(state), doubles(state)
	total, count := 0.0, 0.0
	for i := range n {
		if v := double(state, i); finite(v) {
			total, count = total+v, count+1
		}
	}
	from := h.cfg.ahead(t, last)
	for k := range int64(h.cfg.Horizon) {
		f := total / count
		phase := h.cfg.phase(last + from + k + 1)
		for i := n - 1; i >= 0 && i > n-1-h.cfg.Season; i-- {
			if v := double(state, i); h.cfg.phase(last-int64(n-1-i)) == phase && finite(v) {
				f = v
			}
		}
		dst = append(dst, f)
	}
	return dst
}
