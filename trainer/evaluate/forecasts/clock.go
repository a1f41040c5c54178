package forecasts

import "time"

var started = time.Now()

// elapsed is the time since the program began.
func elapsed() time.Duration { return time.Since(started) }
