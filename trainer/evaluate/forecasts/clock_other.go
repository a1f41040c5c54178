//go:build !linux

package forecasts

import "time"

// threadTime is the time that has passed, where the system does not tell what a thread used.
func threadTime() time.Duration { return elapsed() }
