// Package heap lets a process with little memory in use collect its garbage more rarely. It stands outside of the flow: commands call it
// as they start.
//
// By the collector's usual rule a heap may double before it runs. A service that holds 60 MB and makes 180 MB of garbage a second is
// then beside a collection, which takes a quarter of the processors, a tenth of its time, and its slowest calls are those.
package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// What Ease is told by a service, and by a load generator, which should leave the processors to those it measures.
const (
	Service = 128 << 20
	Load    = 64 << 20
)

// Ease sees to it, until the process ends, that so many bytes of garbage may gather between two collections, however little is live.
// Where more is live the usual rule holds; GOMEMLIMIT keeps its meaning. It does nothing where GOGC is set: that is the user's word.
// It costs some microseconds a collection.
func Ease(garbage uint64) {
	if os.Getenv("GOGC") == "" {
		(&collector{garbage: garbage}).ease()
	}
}

// collector sets the collector's percentage anew after each collection.
type collector struct {
	garbage uint64
	percent int
}

// cycle is garbage at once: its cleanup tells that a collection has ended.
type cycle struct{ of *collector }

func (c *collector) ease() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	if p := percentFor(live[0].Value.Uint64(), c.garbage); p != c.percent {
		c.percent = p
		debug.SetGCPercent(p)
	}
	runtime.AddCleanup(&cycle{c}, (*collector).ease, c)
}

// percentFor is how much of the live bytes may gather as garbage: at least 100 %, more where that is less than garbage. It moves in steps
// of a quarter, since each change stops the world.
func percentFor(live, garbage uint64) int {
	percent := 100 * garbage / max(live, 4<<20)
	for p := uint64(1); ; p += p/4 + 1 {
		if next := p + p/4 + 1; next > percent {
			return int(max(p, 100))
		}
	}
}
