package forecasts

import (
	"time"

	"golang.org/x/sys/unix"
)

// threadTime is the processor time of the calling thread. getrusage would tell it in steps of the scheduler's, of milliseconds.
func threadTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return elapsed()
	}
	return time.Duration(t.Nano())
}
