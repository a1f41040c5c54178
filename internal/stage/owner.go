package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/internal/frame"
)

// OwnOptions say how output partitions find their owner.
type OwnOptions struct {
	Topic string
	Group string // consumer group on the output topic; every process that runs the stage names it
	// Static owns these partitions without a group, for a single process. They are pinned: a second
	// process would be fenced frame by frame, correct and useless.
	Static []int32
	// Member names this process to the group's other members and to whoever asks who owns what; empty: as the transport does.
	Member string
	// Session is how long a dead owner is waited for, 10 s when 0; a heartbeat goes out every tenth.
	Session time.Duration
	// Retry is the least pause before a stage that ended is run again, 100 ms when 0. It doubles up
	// to 50 times that, with jitter, and starts anew when the stage has run for longer than the
	// longest pause.
	Retry  time.Duration
	Logger *slog.Logger // nil: none
}

// Rebalances wait so long for stages to leave before the broker goes on without them.
const rebalanceTimeout = 15 * time.Second

// Run is one stage on one output partition. Its context ends when the partition is taken away; it must
// then return soon, and has to drop all that is not counted or committed.
type Run func(ctx context.Context, partition int32) error

// Own runs the stage for every output partition that this process owns, each in a goroutine, until ctx
// ends or a stage returns a Final error. A stage that returns another error, or nil, is run again after
// a pause while it is still owned; one that was fenced waits at least a heartbeat, so that a process
// that no longer owns the partition hears of it first. All stages have returned when Own does.
func Own(ctx context.Context, t Transport, o OwnOptions, run Run) error {
	o = o.defaults()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	own := &owner{o: o, run: run, ctx: ctx, fail: cancel, live: map[int32]*tenure{}}
	if o.Group == "" || len(o.Static) > 0 {
		own.start(o.Static)
		<-ctx.Done()
		own.stop(o.Static)
		return own.cause()
	}
	cl, err := t.Client(own.options()...)
	if err != nil {
		return err
	}
	// The group is joined for ownership alone: nothing is fetched through it.
	cl.PauseFetchTopics(o.Topic)
	defer cl.Close()
	for ctx.Err() == nil {
		if _, err := poll(ctx, cl, 1); err != nil && ctx.Err() == nil {
			if Final(err) {
				cancel(err)
				break
			}
			o.Logger.Warn("group session failed", "topic", o.Topic, "group", o.Group, "error", err)
		}
	}
	own.stopAll() // before the group is left, so that the next owner finds no rival
	return own.cause()
}

func (o OwnOptions) defaults() OwnOptions {
	if o.Session <= 0 {
		o.Session = 10 * time.Second
	}
	if o.Retry <= 0 {
		o.Retry = 100 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

type owner struct {
	o    OwnOptions
	run  Run
	ctx  context.Context
	fail context.CancelCauseFunc

	mu   sync.Mutex
	live map[int32]*tenure
}

// tenure is the time during which a partition is owned.
type tenure struct {
	cancel context.CancelFunc
	gone   chan struct{}
}

func (w *owner) options() []kgo.Opt {
	leave := func(_ context.Context, _ *kgo.Client, all map[string][]int32) { w.stop(all[w.o.Topic]) }
	opts := []kgo.Opt{
		kgo.ConsumerGroup(w.o.Group), kgo.ConsumeTopics(w.o.Topic), kgo.DisableAutoCommit(),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtEnd()),
		kgo.SessionTimeout(w.o.Session), kgo.HeartbeatInterval(w.heartbeat()),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, all map[string][]int32) { w.start(all[w.o.Topic]) }),
		kgo.OnPartitionsRevoked(leave), kgo.OnPartitionsLost(leave),
	}
	if w.o.Member != "" {
		opts = append(opts, kgo.ClientID(w.o.Member))
	}
	return opts
}

func (w *owner) heartbeat() time.Duration { return w.o.Session / 10 }

func (w *owner) start(partitions []int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range partitions {
		if w.live[p] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(w.ctx)
		ten := &tenure{cancel, make(chan struct{})}
		w.live[p] = ten
		go func() {
			defer close(ten.gone)
			w.serve(ctx, p)
		}()
	}
}

// stop cancels all of them first and waits then.
func (w *owner) stop(partitions []int32) {
	w.mu.Lock()
	var leaving []*tenure
	for _, p := range partitions {
		if ten := w.live[p]; ten != nil {
			ten.cancel()
			leaving = append(leaving, ten)
			delete(w.live, p)
		}
	}
	w.mu.Unlock()
	for _, ten := range leaving {
		<-ten.gone
	}
}

func (w *owner) stopAll() {
	w.mu.Lock()
	all := make([]int32, 0, len(w.live))
	for p := range w.live {
		all = append(all, p)
	}
	w.mu.Unlock()
	w.stop(all)
}

// serve runs the stage again and again while the partition is owned.
func (w *owner) serve(ctx context.Context, partition int32) {
	longest := 50 * w.o.Retry
	pause := w.o.Retry
	for ctx.Err() == nil {
		began := time.Now()
		err := w.run(ctx, partition)
		if ctx.Err() != nil {
			return
		}
		if Final(err) {
			w.fail(fmt.Errorf("stage on %s/%d: %w", w.o.Topic, partition, err))
			return
		}
		if time.Since(began) > longest {
			pause = w.o.Retry
		}
		wait := pause/2 + rand.N(pause)
		if errors.Is(err, frame.ErrFenced) && len(w.o.Static) == 0 {
			wait += w.heartbeat()
		}
		w.o.Logger.Warn("stage ended, it is run again", "topic", w.o.Topic, "partition", partition, "pause", wait, "error", err)
		pause = min(2*pause, longest)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// cause is nil when the caller's context ended.
func (w *owner) cause() error {
	if err := context.Cause(w.ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
