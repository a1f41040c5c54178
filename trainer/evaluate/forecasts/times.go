package forecasts

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// scaleOf says how the times of a file are counted.
type scaleOf uint8

const (
	byPlace   scaleOf = 0 // there are no times: rows, or fields of a row, follow each other
	byNumber  scaleOf = 1 // numbers, in millionths
	byMoment  scaleOf = 2 // µs since the epoch
	byClock   scaleOf = 3 // µs of the calendar and clock on the wall: days that are 23 or 25 hours long are one step
	byMonth   scaleOf = 4 // months of the calendar
	dayLength         = int64(24 * time.Hour / time.Microsecond)
)

// grid turns times into steps: the step of a time of a series is (count − base)/step.
type grid struct {
	kind scaleOf
	step int64
	snap bool
}

// stamp is a time as it was read.
type stamp struct {
	t      int64 // by byNumber, else µs since the epoch
	offset int32 // seconds east, of moments
}

// clockReader reads the times of one file, or of a file and its test.
type clockReader struct {
	zone    *time.Location
	layout  string // the last that fitted
	numbers bool   // the first time was a number
	started bool
	monthly bool // every time so far is a month or quarter
}

var timeLayouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02",
	"2006-01-02 15:04:05Z07:00", "01/02/2006 15:04", "01/02/2006", "2006/01/02", "2006-01"}

var quarter = regexp.MustCompile(`^(\d{4})[- ]?Q([1-4])$`)

// numberUnit is the unit of times that are numbers: millionths.
const numberUnit = 1e6

// read parses a time. last is the moment of the row before of the same key, for hours that are there twice when clocks go back; minInt64 if there is none.
func (c *clockReader) read(text string, last int64) (stamp, error) {
	if x, ok := evaluate.Number(text); ok {
		if c.started && !c.numbers {
			return stamp{}, fmt.Errorf("%q is a number, and the times above are dates: write all in one way", text)
		}
		c.started, c.numbers = true, true
		if scaled := math.Round(x * numberUnit); math.Abs(scaled) < 1<<60 && math.Abs(scaled-x*numberUnit) < 1e-3 {
			return stamp{t: int64(scaled)}, nil
		}
		return stamp{}, fmt.Errorf("%q is out of range: times that are numbers lie within ±1e12 and have at most six decimals", text)
	}
	if c.started && c.numbers {
		return stamp{}, fmt.Errorf("%q is no number, and the times above are: write all in one way", text)
	}
	t, layout, ok := c.parse(text)
	if !ok {
		return stamp{}, fmt.Errorf("%q is no time: write RFC 3339 (2013-01-31T05:00:00Z), 2013-01-31 05:00:00, 2013-01-31, 2013-01, 2013Q1, or a number", text)
	}
	if t.Year() < 1 || t.Year() > 9999 {
		return stamp{}, fmt.Errorf("%q: the year is not one of 1 to 9999", text)
	}
	monthly := layout == "2006-01"
	c.monthly = monthly && (c.monthly || !c.started)
	c.started = true
	if !monthly && c.zone != nil && !hasOffset(layout) {
		var err error
		if t, err = c.resolve(text, layout, t, last); err != nil {
			return stamp{}, err
		}
	}
	_, offset := t.Zone()
	return stamp{t.UnixMicro(), int32(offset)}, nil
}

func hasOffset(layout string) bool { return strings.Contains(layout, "Z07:00") }

func (c *clockReader) parse(text string) (time.Time, string, bool) {
	zone := c.zone
	if zone == nil {
		zone = time.UTC
	}
	if c.layout != "" {
		if t, err := time.ParseInLocation(c.layout, text, zone); err == nil {
			return t, c.layout, true
		}
	}
	for _, l := range timeLayouts {
		if t, err := time.ParseInLocation(l, text, zone); err == nil {
			c.layout = l
			return t, l, true
		}
	}
	if m := quarter.FindStringSubmatch(text); m != nil {
		year, _ := strconv.Atoi(m[1])
		q, _ := strconv.Atoi(m[2])
		return time.Date(year, time.Month(3*q-2), 1, 0, 0, 0, 0, time.UTC), "2006-01", true
	}
	return time.Time{}, "", false
}

// resolve settles a time on the wall on days when clocks change: an hour that is there twice is the earlier one, unless the row before of the key has come to
// it; one that is left out is an error.
func (c *clockReader) resolve(text, layout string, t time.Time, last int64) (time.Time, error) {
	wall, _ := time.Parse(layout, text)
	same := func(t time.Time) bool {
		_, offset := t.Zone()
		return t.Unix()+int64(offset) == wall.Unix()
	}
	if !same(t) {
		return t, fmt.Errorf("%q does not exist in %s: clocks go forward over it; mend the time, write it with its offset, or leave out --zone", text, c.zone)
	}
	early, late := t, t
	for _, by := range []time.Duration{-2 * time.Hour, -time.Hour, -30 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour} {
		if other := t.Add(by); same(other) {
			if by < 0 {
				early = other
			} else {
				late = other
			}
		}
	}
	if last != math.MinInt64 && early.UnixMicro() <= last {
		return late, nil
	}
	return early, nil
}

// count is a time on the scale.
func (g *grid) count(s stamp) int64 {
	switch g.kind {
	case byClock:
		return s.wall()
	case byMonth:
		return s.month()
	}
	return s.t
}

func (s stamp) wall() int64 { return s.t + int64(s.offset)*1e6 }

func (s stamp) month() int64 {
	t := time.UnixMicro(s.wall()).UTC()
	return int64(t.Year())*12 + int64(t.Month()) - 1
}

// slot is the step of a count in a series that begins at base, and whether it fits.
func (g *grid) slot(count, base int64) (int64, bool) {
	if g.snap {
		return floorDiv(count, g.step) - floorDiv(base, g.step), true
	}
	return (count - base) / g.step, (count-base)%g.step == 0
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// text writes the time of a step.
func (g *grid) text(slot, base int64) string {
	if g.kind == byPlace {
		return strconv.FormatInt(slot+1, 10)
	}
	at := base + slot*g.step
	if g.snap {
		at = (floorDiv(base, g.step) + slot) * g.step
	}
	switch g.kind {
	case byNumber:
		return strconv.FormatFloat(float64(at)/numberUnit, 'f', -1, 64)
	case byMonth:
		return fmt.Sprintf("%04d-%02d", floorDiv(at, 12), at-12*floorDiv(at, 12)+1)
	}
	t := time.UnixMicro(at).UTC()
	switch {
	case g.kind == byClock && at%dayLength == 0:
		return t.Format(time.DateOnly)
	case g.kind == byClock:
		return t.Format("2006-01-02T15:04:05")
	}
	return t.Format(time.RFC3339Nano)
}

// describe writes the length of a step, as --step reads it.
func (g *grid) describe() string {
	switch g.kind {
	case byPlace:
		return "1"
	case byNumber:
		return strconv.FormatFloat(float64(g.step)/numberUnit, 'f', -1, 64)
	case byMonth:
		switch {
		case g.step%12 == 0:
			return fmt.Sprintf("%dy", g.step/12)
		case g.step%3 == 0:
			return fmt.Sprintf("%dq", g.step/3)
		}
		return fmt.Sprintf("%dmo", g.step)
	}
	if g.step%dayLength == 0 {
		return fmt.Sprintf("%dd", g.step/dayLength)
	}
	text := (time.Duration(g.step) * time.Microsecond).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// parseStep reads --step for times of a kind.
func parseStep(text string, numbers bool) (grid, error) {
	bad := func(want string) error { return fmt.Errorf("step %q: give %s", text, want) }
	if numbers {
		x, err := strconv.ParseFloat(text, 64)
		scaled := math.Round(x * numberUnit)
		if err != nil || !(scaled >= 1 && scaled < 1<<60) {
			return grid{}, bad("a number above 0, since the times are numbers")
		}
		return grid{kind: byNumber, step: int64(scaled)}, nil
	}
	for unit, months := range map[string]int64{"mo": 1, "q": 3, "y": 12} {
		if n, ok := prefixed(text, unit); ok {
			return grid{kind: byMonth, step: n * months}, nil
		}
	}
	for unit, days := range map[string]int64{"d": 1, "w": 7} {
		if n, ok := prefixed(text, unit); ok {
			return grid{kind: byClock, step: n * days * dayLength}, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Microsecond || d%time.Microsecond != 0 {
		return grid{}, bad("a duration (90s, 15m, 1h, 7d, 1w) or a stretch of the calendar (1mo, 1q, 1y)")
	}
	g := grid{kind: byMoment, step: d.Microseconds()}
	if g.step%dayLength == 0 {
		g.kind = byClock
	}
	return g, nil
}

// prefixed reads a number before a unit.
func prefixed(text, unit string) (int64, bool) {
	digits, ok := strings.CutSuffix(text, unit)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil && n > 0 && n <= 100_000
}

// wallDate is the calendar's view of a time.
func wallDate(s stamp) time.Time { return time.UnixMicro(s.wall()).UTC() }
