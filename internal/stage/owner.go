package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
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
	// Together makes one session of all partitions that come to this process at the same time, so that they share one reader of their
	// input; else each has a session of its own. When some of them go, the session ends and another runs the rest.
	Together bool
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

// Run is one session of a stage on output partitions, in ascending order: on one, unless OwnOptions.Together. Its context ends when any
// of them is taken away; it must then return soon, and has to drop all that is not counted or committed.
type Run func(ctx context.Context, partitions []int32) error

// Own runs the stage for every output partition that this process owns, each session in a goroutine, until ctx
// ends or a stage returns a Final error. A stage that returns another error, or nil, is run again after
// a pause while it is still owned; one that was fenced waits at least a heartbeat, so that a process
// that no longer owns the partition hears of it first. All stages have returned when Own does.
func Own(ctx context.Context, t Transport, o OwnOptions, run Run) error {
	o = o.defaults()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	own := &owner{o: o, run: run, ctx: ctx, fail: cancel, live: map[*tenure]bool{}}
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
	live map[*tenure]bool
}

// tenure is the time during which partitions are owned together.
type tenure struct {
	partitions []int32
	cancel     context.CancelFunc
	gone       chan struct{}
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

// start runs sessions for those of the partitions that have none.
func (w *owner) start(partitions []int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var fresh []int32
	for _, p := range partitions {
		if !w.has(p) && !slices.Contains(fresh, p) {
			fresh = append(fresh, p)
		}
	}
	slices.Sort(fresh)
	size := 1
	if w.o.Together {
		size = max(1, len(fresh))
	}
	for some := range slices.Chunk(fresh, size) {
		w.begin(some)
	}
}

func (w *owner) has(p int32) bool {
	for ten := range w.live {
		if slices.Contains(ten.partitions, p) {
			return true
		}
	}
	return false
}

// begin runs a session of these partitions; w.mu is held.
func (w *owner) begin(partitions []int32) {
	ctx, cancel := context.WithCancel(w.ctx)
	ten := &tenure{slices.Clone(partitions), cancel, make(chan struct{})}
	w.live[ten] = true
	go func() {
		defer close(ten.gone)
		w.serve(ctx, ten.partitions)
	}()
}

// stop ends the sessions of these partitions, cancelling all of them first and waiting then. What else they had goes on in new ones.
func (w *owner) stop(partitions []int32) {
	w.mu.Lock()
	var leaving []*tenure
	for ten := range w.live {
		if slices.ContainsFunc(ten.partitions, func(p int32) bool { return slices.Contains(partitions, p) }) {
			ten.cancel()
			leaving = append(leaving, ten)
			delete(w.live, ten)
		}
	}
	w.mu.Unlock()
	for _, ten := range leaving {
		<-ten.gone
		if rest := slices.DeleteFunc(ten.partitions, func(p int32) bool { return slices.Contains(partitions, p) }); len(rest) > 0 && w.ctx.Err() == nil {
			w.start(rest)
		}
	}
}

func (w *owner) stopAll() {
	w.mu.Lock()
	var all []int32
	for ten := range w.live {
		all = append(all, ten.partitions...)
	}
	w.mu.Unlock()
	w.stop(all)
}

// serve runs the stage again and again while the partitions are owned.
func (w *owner) serve(ctx context.Context, partitions []int32) {
	longest := 50 * w.o.Retry
	pause := w.o.Retry
	for ctx.Err() == nil {
		began := time.Now()
		err := w.run(ctx, partitions)
		if ctx.Err() != nil {
			return
		}
		if Final(err) {
			w.fail(fmt.Errorf("stage on %s: %w", named(w.o.Topic, partitions), err))
			return
		}
		if time.Since(began) > longest {
			pause = w.o.Retry
		}
		wait := pause/2 + rand.N(pause)
		if errors.Is(err, frame.ErrFenced) && len(w.o.Static) == 0 {
			wait += w.heartbeat()
		}
		w.o.Logger.Warn("stage ended, it is run again", "partitions", named(w.o.Topic, partitions), "pause", wait, "error", err)
		pause = min(2*pause, longest)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// named names partitions of a topic: topic/3, or topic/3 and so many more.
func named(topic string, partitions []int32) string {
	name := fmt.Sprintf("%s/%d", topic, partitions[0])
	if n := len(partitions) - 1; n > 0 {
		name += fmt.Sprintf(" and %d more", n)
	}
	return name
}

// cause is nil when the caller's context ended.
func (w *owner) cause() error {
	if err := context.Cause(w.ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
