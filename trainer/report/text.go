package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func day(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// short writes a metric with four digits behind the point; what is not defined is –.
func short(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "–"
	}
	return strconv.FormatFloat(x, 'f', 4, 64)
}

func signed(x float64) string {
	if x == 0 {
		return "0"
	}
	return strings.Replace(fmt.Sprintf("%+.5f", x), "-", "−", 1)
}

func percent(n, of uint64) string {
	if of == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of))
}

// count writes a number with separators.
func count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// seconds writes a span of seconds for people.
func seconds(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return span(time.Duration(x * float64(time.Second)))
}

func span(d time.Duration) string {
	day := 24 * time.Hour
	switch {
	case d >= 2*day && d%day == 0:
		return fmt.Sprintf("%d days", d/day)
	case d >= 2*day:
		return fmt.Sprintf("%.1f days", d.Hours()/24)
	case d == day:
		return "1 day"
	case d >= time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute), "00m")
	case d >= time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d >= time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d > 0:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return "0 s"
}
