package forecasts

import (
	"syscall"
	"time"
)

// rusageThread asks for the calling thread alone; a constant of getrusage(2) that syscall does not name.
const rusageThread = 1

// threadTime is the processor time of the calling thread, in steps of a microsecond.
func threadTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(rusageThread, &u) != nil {
		return elapsed()
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
