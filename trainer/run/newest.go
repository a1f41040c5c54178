package run

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/freshet-ml/freshet/internal/stage"
)

const (
	lookEvery   = 250 * time.Millisecond
	lookTimeout = time.Second
)

// newest knows since when a fold has all of its log. It looks now and then at where the log ends; once the fold has come so
// far, what it publishes was the newest at the time of that look. The clocks of other machines play no part.
type newest struct {
	look atomic.Pointer[look] // not yet reached
	last time.Time            // of the newest look that was reached; the session's goroutine alone
}

type look struct {
	end int64
	at  time.Time
}

// watch looks until ctx ends. A broker that does not answer is no reason to end: versions are then not confirmed.
func (n *newest) watch(ctx context.Context, log *stage.Log) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if n.look.Load() == nil {
			asking, stop := context.WithTimeout(ctx, lookTimeout)
			at := time.Now()
			if end, err := log.End(asking); err == nil {
				n.look.Store(&look{end, at})
			}
			stop()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// reached is told that everything before offset is folded and published, at this time. It returns when that was last known
// to be all of the log, or nearly: between two looks that were reached it goes by the clock. The zero time: nothing new is known.
func (n *newest) reached(offset int64, now time.Time) time.Time {
	l := n.look.Load()
	switch {
	case l != nil && offset >= l.end:
		n.look.Store(nil)
		n.last = l.at
		return l.at
	case l == nil && now.Sub(n.last) < 2*lookEvery:
		return now
	}
	return time.Time{}
}
