package app_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features/worker"
	"github.com/freshet-ml/freshet/internal/stage"
)

// cord is the network of one process: once cut, nothing goes through any more.
type cord struct {
	mu    sync.Mutex
	conns []net.Conn
	gone  bool
}

var errCut = errors.New("the process is dead")

func (c *cord) dial(ctx context.Context, network, host string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, host)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		_ = conn.Close()
		return nil, errCut
	}
	c.conns = append(c.conns, conn)
	return conn, nil
}

func (c *cord) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
	for _, conn := range c.conns {
		_ = conn.Close()
	}
}

// sequencerProcess is a process with the role of the sequencer, as App runs it among several.
type sequencerProcess struct {
	cord     cord
	o        worker.SequencerOptions
	standby  *worker.Standby
	sessions atomic.Int64  // that have begun to write
	folded   atomic.Uint64 // by the session before it went on
	began    atomic.Uint64 // item at which the session went on
}

func newSequencerProcess(r *rig) *sequencerProcess {
	cfg, err := r.prog.Ingest(false)
	if err != nil {
		r.t.Fatal(err)
	}
	p := &sequencerProcess{}
	p.o = r.sequencerOptions(cfg)
	p.o.Transport.Dial = p.cord.dial
	p.standby = worker.NewStandby(p.o)
	p.o.Standby = p.standby
	return p
}

func (p *sequencerProcess) run(ctx context.Context, r *rig, alive func()) {
	o, first := p.o, true
	o.Ready = func() { p.sessions.Add(1); first = true }
	o.Progress = func(s worker.SequencerProgress) {
		if first {
			first = false
			p.folded.Store(s.Folded)
			p.began.Store(s.Items)
		}
		alive()
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = p.standby.Run(ctx) })
	_ = stage.Own(ctx, o.Transport, stage.OwnOptions{Topic: o.Events, Group: o.Events, Session: 6 * time.Second, Logger: r.log},
		func(ctx context.Context, _ []int32) error { return worker.Sequence(ctx, o) })
	wg.Wait()
}

// The process that owns the sequencer dies in the middle, without leaving its group; another that stood by takes over after the session
// timeout, goes on from what it has folded along, and folds only what came since. All answers are those of the undisturbed core.
func TestStandbyTakesOver(t *testing.T) {
	with(t, []int{3}, func(t *testing.T, r *rig) {
		r.apart = true
		owner, standby := newSequencerProcess(r), newSequencerProcess(r)
		ready := make(chan struct{})
		var once sync.Once
		var died atomic.Uint64
		r.holds = []func(context.Context){until(func() bool { // a part of the log is written and folded along
			tail := r.tail(t.Context(), r.topics.Events)
			_, next := standby.standby.Folded()
			if tail < core(t, r.prog).items/4 || next < tail {
				return false
			}
			died.Store(tail)
			owner.cord.cut()
			return true
		})}
		r.run(undisturbed, func(ctx context.Context) {
			owner.run(ctx, r, func() { once.Do(func() { close(ready) }) })
		}, func(ctx context.Context) {
			select {
			case <-ready:
			case <-ctx.Done():
			}
			standby.run(ctx, r, func() {})
		})
		r.check()
		along, _ := standby.standby.Folded()
		took := standby.folded.Load()
		if standby.sessions.Load() == 0 || standby.began.Load() < died.Load() {
			t.Fatalf("the standby has not taken over: %d sessions, at item %d, of %d", standby.sessions.Load(), standby.began.Load(), died.Load())
		}
		if along < died.Load() || took > standby.began.Load()/4 {
			t.Errorf("the owner died at item %d; %d items were folded along, and %d to go on at item %d", died.Load(), along, took, standby.began.Load())
		}
		t.Logf("the owner died at item %d; %d items were folded along, and %d to go on at item %d", died.Load(), along, took, standby.began.Load())
	})
}
