package produce

import "time"

// AtSpeed paces by event time: speed 1 sends records as far apart as their event times, 60 an hour in a
// minute. The clock starts with the first record. It is for one run.
func AtSpeed(speed float64) func(n, t int64) time.Time {
	var began time.Time
	var first int64
	return func(_, t int64) time.Time {
		if began.IsZero() {
			began, first = time.Now(), t
		}
		return began.Add(time.Duration(float64(t-first) * float64(time.Microsecond) / speed))
	}
}

// AtRate paces by number: so many records a second, evenly. The clock starts with its first record, which
// need not be the run's, so a run may be paced from some record on.
func AtRate(perSecond float64) func(n, t int64) time.Time {
	var began time.Time
	var first int64
	return func(n, _ int64) time.Time {
		if began.IsZero() {
			began, first = time.Now(), n
		}
		return began.Add(time.Duration(float64(n-first) * float64(time.Second) / perSecond))
	}
}
