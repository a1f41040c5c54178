package report

import (
	"math"
	"strconv"
	"time"
)

// scale maps values to pixels.
type scale struct{ from, to, low, high float64 } // values from … to at pixels low … high

func (s scale) at(x float64) float64 {
	if s.to == s.from {
		return (s.low + s.high) / 2
	}
	return s.low + (x-s.from)/(s.to-s.from)*(s.high-s.low)
}

// clamp is at, kept within the pixels of the scale.
func (s scale) clamp(x float64) float64 {
	p := s.at(x)
	return min(max(p, min(s.low, s.high)), max(s.low, s.high))
}

// nice widens from … to to round numbers and returns about n ticks.
func nice(from, to float64, n int) (lo, hi float64, ticks []float64) {
	if !(to-from > max(1e-30, 1e-9*max(math.Abs(from), math.Abs(to)))) { // no span that an axis can show
		pad := math.Max(math.Abs(from)*0.1, 1e-3)
		from, to = from-pad, to+pad
	}
	step := roundStep((to - from) / float64(n))
	first, last := math.Floor(from/step+1e-9), math.Ceil(to/step-1e-9)
	for k := first; k <= last && len(ticks) < 4*n; k++ {
		ticks = append(ticks, k*step)
	}
	return first * step, last * step, ticks
}

// roundStep is the least of 1, 2, 5 times a power of ten that is not below x.
func roundStep(x float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(x)))
	for _, k := range []float64{1, 2, 5, 10} {
		if k*unit >= x*(1-1e-9) {
			return k * unit
		}
	}
	return 10 * unit
}

// tickText writes a tick with as many digits as its step needs.
func tickText(x, step float64) string {
	digits := int(math.Max(0, math.Ceil(-math.Log10(step)-1e-9)))
	if math.Abs(x) < step/1e6 {
		x = 0
	}
	return strconv.FormatFloat(x, 'f', min(digits, 6), 64)
}

// timeTicks returns at most about n places in from … to, µs, at the beginnings of round spans, and how to write them.
func timeTicks(from, to int64, n int) (ticks []int64, layout string) {
	spans := []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 2 * 24 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour}
	for _, s := range spans {
		step := s.Microseconds()
		if (to-from)/step > int64(n) {
			continue
		}
		for t := (from + step - 1) / step * step; t <= to; t += step {
			ticks = append(ticks, t)
		}
		switch {
		case s < 12*time.Hour && to-from < 24*time.Hour.Microseconds():
			layout = "15:04"
		case s < 24*time.Hour:
			layout = "2 Jan 15:04"
		default:
			layout = "2 Jan"
		}
		return ticks, layout
	}
	return monthTicks(from, to, n)
}

func monthTicks(from, to int64, n int) (ticks []int64, layout string) {
	begin, end := time.UnixMicro(from).UTC(), time.UnixMicro(to).UTC()
	months := (end.Year()-begin.Year())*12 + int(end.Month()) - int(begin.Month()) + 1
	step := 1
	for _, k := range []int{1, 2, 3, 6, 12, 24, 60, 120, 1200} {
		if step = k; months/k <= n {
			break
		}
	}
	layout = "Jan 2006"
	if step >= 12 {
		layout = "2006"
	}
	at := time.Date(begin.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	for ; !at.After(end); at = at.AddDate(0, step, 0) {
		if !at.Before(begin) {
			ticks = append(ticks, at.UnixMicro())
		}
	}
	return ticks, layout
}
