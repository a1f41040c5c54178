//go:build !unix

package evaluate

import "time"

var started = time.Now()

// processorTime is the time that has passed, where the system does not tell what the process used.
func processorTime() time.Duration { return time.Since(started) }
