package evaluate

import (
	"fmt"
	"math"
	"time"
)

// timeLayouts are the texts that a column of times may hold; without an offset they are UTC.
var timeLayouts = []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02", "01/02/2006 15:04", "01/02/2006"}

// parseTime reads an event time in µs: an epoch in seconds, milliseconds or microseconds, told apart by its size (below 1e11,
// below 1e14, above), or one of the layouts.
func parseTime(s string) (int64, error) {
	if x, ok := number(s); ok {
		switch size := math.Abs(x); {
		case size < 1e11:
			return int64(math.Round(x * 1e6)), nil
		case size < 1e14:
			return int64(math.Round(x * 1e3)), nil
		case size < 1e18:
			return int64(x), nil
		}
	}
	for _, l := range timeLayouts {
		if t, err := time.Parse(l, s); err == nil {
			return t.UnixMicro(), nil
		}
	}
	return 0, fmt.Errorf("%q is no time: write RFC 3339 (2013-01-31T05:00:00Z), 2013-01-31 05:00:00 or an epoch", s)
}

// stopwatch sums the processor time of stretches of calls.
type stopwatch struct {
	total time.Duration
	calls int64
}

func (w *stopwatch) add(since time.Duration, calls int) {
	w.total += processorTime() - since
	w.calls += int64(calls)
}

// mean is the mean time of a call in ns, 0 without calls.
func (w *stopwatch) mean() float64 {
	if w.calls == 0 {
		return 0
	}
	return float64(w.total) / float64(w.calls)
}
