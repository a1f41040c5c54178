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

// sampleEvery is the stride of rows whose calls are timed one by one. Prime, so that it does not beat with what a model does every
// hundredth example.
const sampleEvery = 7

// stopwatch measures the mean time of calls on a sample of rows, less the cost of reading the clock.
type stopwatch struct {
	cost    time.Duration // of one reading
	total   time.Duration
	samples int64
}

// calibrate returns what reading the clock costs: the least of several means.
func calibrate() time.Duration {
	best := time.Duration(math.MaxInt64)
	for range 5 {
		start := time.Now()
		for range 200 {
			_ = time.Now()
		}
		best = min(best, time.Since(start)/200)
	}
	return best
}

func (w *stopwatch) add(d time.Duration) {
	w.total += d - w.cost
	w.samples++
}

// mean is the mean time of a call in ns, at least 0.
func (w *stopwatch) mean() float64 {
	if w.samples == 0 {
		return 0
	}
	return max(float64(w.total)/float64(w.samples), 0)
}
