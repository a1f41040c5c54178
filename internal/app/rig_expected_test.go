package app_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
)

// expected is what a run must come to.
type expected struct {
	golden  *trainer.Golden
	items   uint64
	entries uint64
}

var cores sync.Map

// core folds the same records without any log, once for each number of days and partitions.
func core(t testing.TB, prog *program.Program) *expected {
	t.Helper()
	key := fmt.Sprint(prog.Generation, prog.Project.Inputs()[0].Partitions)
	if e, ok := cores.Load(key); ok {
		return e.(*expected)
	}
	replay := replayOf(t, prog, demoDays, nil)
	e := &expected{golden: replay.Golden(), items: replay.Items(), entries: replay.Joiner(prog.Triggers[0].Name).Next()}
	cores.Store(key, e)
	return e
}

// check compares everything that the run has written with what it must be.
func (r *rig) check() {
	r.t.Helper()
	want, got := core(r.t, r.prog).golden, r.golden()
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("the run differs from the undisturbed core, -core +run:\n%s", diff)
	}
}

// await waits until the logs, the states and the learners are where they must be, or beyond.
func (r *rig) await(ctx context.Context, want *expected) error {
	log := r.topics.Logs[r.prog.Triggers[0].Name]
	waits := []func() bool{
		func() bool { return r.tail(ctx, r.topics.Events) >= want.items },
		func() bool { return r.tail(ctx, log) >= want.entries },
		func() bool { return r.learned.Load() >= want.entries },
		func() bool { return r.states(ctx) == want.golden.States },
	}
	for ctx.Err() == nil {
		r.mu.Lock()
		failed := r.failed
		r.mu.Unlock()
		if failed != nil {
			return failed
		}
		if !waits[0]() {
			pause(ctx, 25*time.Millisecond)
		} else if waits = waits[1:]; len(waits) == 0 {
			return nil
		}
	}
	end := context.WithoutCancel(ctx)
	return fmt.Errorf("not through: %d of %d items, %d of %d entries, %d learned, states equal: %t", r.tail(end, r.topics.Events), want.items,
		r.tail(end, log), want.entries, r.learned.Load(), r.states(end) == want.golden.States)
}

// tail is how many items of a log count.
func (r *rig) tail(ctx context.Context, topic string) uint64 {
	l, err := stage.OpenLog(r.tr, topic, 0)
	if err != nil {
		return 0
	}
	defer l.Close()
	t, err := frame.ReadTail(ctx, l)
	if err != nil {
		return 0
	}
	return t.NextSeq
}

func (r *rig) states(ctx context.Context) string {
	sum, err := app.States(ctx, r.prog, r.direct(), r.watermark(ctx))
	if err != nil {
		return err.Error()
	}
	return sum
}

// watermark is that of the undisturbed core: no source of the demo may be out of order.
func (r *rig) watermark(context.Context) int64 {
	if r.head != 0 {
		return r.head
	}
	return replayHead(r.t, r.prog)
}

// golden sums all that lies in the logs and the store, to their ends.
func (r *rig) golden() *trainer.Golden {
	r.t.Helper()
	ctx := r.deadline()
	g := &trainer.Golden{Logs: map[string]string{}, Weights: map[string]string{}, Scores: map[string]string{}}
	items := trainer.NewItemHash(r.prog.Sources)
	if err := r.app.EachItem(ctx, r.tail(ctx, r.topics.Events), func(it *itemType) error { items.Add(it); return nil }); err != nil {
		r.t.Fatal(err)
	}
	g.Items, g.States = items.Sum(), r.states(ctx)
	for _, t := range r.prog.Triggers {
		entries := trainer.NewEntryHash()
		if err := r.app.EachEntry(ctx, t.Name, r.tail(ctx, r.topics.Logs[t.Name]), func(e *fold.Entry) error { entries.Add(e); return nil }); err != nil {
			r.t.Fatal(err)
		}
		g.Logs[t.Name] = entries.Sum()
	}
	for _, name := range r.final.Names() {
		h, _ := r.final.Hashes(name)
		g.Weights[name], g.Scores[name] = h.Weights, h.Scores
	}
	return g
}
