//go:build unix

package evaluate

import (
	"syscall"
	"time"
)

// processorTime is what all threads of the process have used so far, in steps of a microsecond: models that learn in parallel count whole, and
// other processes do not.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
