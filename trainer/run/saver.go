package run

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// endGrace is how long a session that is asked to end may take for a last checkpoint.
const endGrace = 5 * time.Second

// Grace returns a context that ends endGrace after ctx does.
func Grace(ctx context.Context) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(endGrace, cancel)
		context.AfterFunc(late, func() { timer.Stop() })
	})
	return late, func() { stop(); cancel() }
}

// saver sends checkpoints to their store beside the fold, one at a time: a slow store delays checkpoints, never what is
// learned. The session's goroutine starts them.
type saver struct {
	busy atomic.Bool
	wg   sync.WaitGroup
}

// start runs f unless the one before is still under way; it reports whether it did.
func (s *saver) start(f func()) bool {
	if !s.busy.CompareAndSwap(false, true) {
		return false
	}
	s.wg.Go(func() {
		defer s.busy.Store(false)
		f()
	})
	return true
}

// wait waits until nothing is under way.
func (s *saver) wait() { s.wg.Wait() }
