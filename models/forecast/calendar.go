package forecast

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Calendar makes regressors of the time at which a step starts, in UTC: known for every step of the future. The zero Calendar makes none.
type Calendar struct {
	Parts    []string // of CalendarParts, in any order, each once
	Holidays []int64  // days, counted from 1970-01-01; with any, a column is 1 on them and 0 else
}

// CalendarParts are the parts that a calendar may have. The first hour, day or month is the one that the others are compared with, so it has no column.
var CalendarParts = []string{
	"hour",    // 23 columns: 1 in the hours 1 to 23
	"weekday", // 6 columns: 1 on Tuesday to Sunday
	"month",   // 11 columns: 1 in February to December
	"year",    // 4 columns: cos and sin of the place in the year, once and twice around
}

const dayMicros = 24 * 3600 * 1_000_000

// ParseDay reads a day such as 2024-12-25.
func ParseDay(text string) (int64, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, fmt.Errorf("%q is no day: write it as 2024-12-25", text)
	}
	return t.Unix() / 86400, nil
}

func (c *Calendar) check() error {
	for i, part := range c.Parts {
		if !slices.Contains(CalendarParts, part) {
			return fmt.Errorf("calendar has no %q: choose among %s", part, strings.Join(CalendarParts, ", "))
		}
		if slices.Index(c.Parts, part) < i {
			return fmt.Errorf("%s stands in the calendar twice: remove one", part)
		}
	}
	if len(c.Holidays) > 10_000 {
		return fmt.Errorf("%d holidays: at most 10000", len(c.Holidays))
	}
	if !slices.IsSorted(c.Holidays) {
		return fmt.Errorf("holidays are out of order: sort them")
	}
	return nil
}

// Sort puts the holidays in order.
func (c *Calendar) Sort() {
	slices.Sort(c.Holidays)
	c.Holidays = slices.Compact(c.Holidays)
}

// Width is how many regressors there are.
func (c *Calendar) Width() int {
	n := 0
	for _, part := range c.Parts {
		switch part {
		case "hour":
			n += 23
		case "weekday":
			n += 6
		case "month":
			n += 11
		case "year":
			n += 4
		}
	}
	if len(c.Holidays) > 0 {
		n++
	}
	return n
}

// Fill writes the regressors of the step that starts at t (µs) to dst, which has Width numbers. It allocates nothing.
func (c *Calendar) Fill(dst []float64, t int64) {
	clear(dst)
	at := time.UnixMicro(t).UTC()
	mark := func(i, width int) {
		if i > 0 {
			dst[i-1] = 1
		}
		dst = dst[width:]
	}
	for _, part := range c.Parts {
		switch part {
		case "hour":
			mark(at.Hour(), 23)
		case "weekday":
			mark((int(at.Weekday())+6)%7, 6)
		case "month":
			mark(int(at.Month())-1, 11)
		case "year":
			angle := 2 * math.Pi * float64(at.YearDay()-1) / 365.25
			dst[0], dst[1], dst[2], dst[3] = math.Cos(angle), math.Sin(angle), math.Cos(2*angle), math.Sin(2*angle)
			dst = dst[4:]
		}
	}
	if len(c.Holidays) > 0 {
		if _, ok := slices.BinarySearch(c.Holidays, floorDiv(t, dayMicros)); ok {
			dst[0] = 1
		}
	}
}

// floorDiv is ⌊a/b⌋ for b > 0.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a < 0 && q*b != a {
		q--
	}
	return q
}
