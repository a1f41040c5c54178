package project

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

var durationUnits = []struct {
	name string
	unit time.Duration
}{
	{"us", time.Microsecond}, {"µs", time.Microsecond}, {"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute},
	{"h", time.Hour}, {"d", 24 * time.Hour}, {"w", 7 * 24 * time.Hour},
}

// ParseDuration reads 500ms, 90s, 1h, 7d, 1w, 1.5h or 1h30m. A day is 24 hours, a week 7 days. The
// result is a whole number of µs, at least 0 and at most 100 years of 365 days.
func ParseDuration(text string) (time.Duration, error) {
	rest := strings.TrimSpace(text)
	if rest == "" {
		return 0, fmt.Errorf("no duration in %q", text)
	}
	var total float64
	for rest != "" {
		n := 0
		for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || rest[n] == '.') {
			n++
		}
		number, err := strconv.ParseFloat(rest[:n], 64)
		if err != nil {
			return 0, fmt.Errorf("%q is no duration", text)
		}
		rest = rest[n:]
		n = 0
		for n < len(rest) && (rest[n] < '0' || rest[n] > '9') && rest[n] != '.' {
			n++
		}
		unit := unitOf(rest[:n])
		if unit == 0 {
			if n == 0 {
				return 0, fmt.Errorf("%q has no unit", text)
			}
			return 0, fmt.Errorf("%q has the unknown unit %q", text, rest[:n])
		}
		rest = rest[n:]
		total += float64(number * float64(unit))
	}
	if total > float64(100*365*24*time.Hour) {
		return 0, fmt.Errorf("%q is more than 100 years", text)
	}
	d := time.Duration(math.Round(total/1e3)) * time.Microsecond
	if d == 0 && total > 0 {
		return 0, fmt.Errorf("%q is less than a microsecond", text)
	}
	return d, nil
}

func unitOf(name string) time.Duration {
	for _, u := range durationUnits {
		if u.name == name {
			return u.unit
		}
	}
	return 0
}

// FormatDuration writes a duration as ParseDuration reads it, with the fewest units: 1h, 7d, 1h30m.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	for _, u := range []int{6, 5, 4, 3, 2, 0} {
		if unit := durationUnits[u]; d%unit.unit == 0 {
			return strconv.FormatInt(int64(d/unit.unit), 10) + unit.name
		}
	}
	return d.String()
}

var sizeUnits = []struct {
	name string
	unit float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1},
}

// ParseSize reads 512, 64KiB, 4MiB, 1GiB or 10MB as a number of bytes, at most 2^50.
func ParseSize(text string) (Size, error) {
	text = strings.TrimSpace(text)
	n := 0
	for n < len(text) && (text[n] >= '0' && text[n] <= '9' || text[n] == '.') {
		n++
	}
	number, err := strconv.ParseFloat(text[:n], 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no size", text)
	}
	for _, u := range sizeUnits {
		if u.name == strings.TrimSpace(text[n:]) {
			if b := number * u.unit; b <= 1<<50 {
				return Size(b), nil
			}
			return 0, fmt.Errorf("%q is too large", text)
		}
	}
	return 0, fmt.Errorf("%q has the unknown unit %q", text, strings.TrimSpace(text[n:]))
}

// String formats the size with the largest binary unit that divides it.
func (s Size) String() string {
	for _, u := range []int{3, 2, 1, 0} {
		if unit := Size(sizeUnits[u].unit); s >= unit && s%unit == 0 {
			return strconv.FormatInt(int64(s/unit), 10) + sizeUnits[u].name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// parseInstant reads 2013-03-01 (midnight UTC) or an RFC 3339 time.
func parseInstant(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time", text)
}

const maxName = 63

// isName reports whether text can name a source, table, entity, feature, model or field: a letter or _,
// then letters, digits and _, at most 63.
func isName(text string) bool {
	if text == "" || len(text) > maxName {
		return false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// isProjectName reports whether text matches [a-z0-9_-]{1,63}.
func isProjectName(text string) bool {
	if text == "" || len(text) > maxName {
		return false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '_' && c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// isTopic reports whether text is a legal name of a Kafka topic.
func isTopic(text string) bool {
	if text == "" || len(text) > 249 || text == "." || text == ".." {
		return false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c != '.' && c != '_' && c != '-' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}
