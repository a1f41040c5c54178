package app_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/features/worker"
	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/checkpoint"
	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/internal/stage/redis"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer/run"
)

// rig is a project over embedded servers whose stages run as sessions that can be killed one by one.
type rig struct {
	t       testing.TB
	prog    *program.Program
	topics  app.Topics
	app     *app.App
	servers *embedded.Servers
	tr      stage.Transport
	store   *redis.Store
	proxy   *proxy
	log     *slog.Logger

	checkpoints   *checkpoint.Store
	checkpointDir string
	damaged       atomic.Int64
	late          map[string]chan struct{} // stages that begin when theirs is closed
	onAlive       func(stage string)
	commitEvery   time.Duration
	workers       int
	apart         bool      // the test runs the sequencer itself
	maxCached     int       // of the units; 0: the usual
	unitGroups    [][]int32 // parts partitions by process; nil: all in one

	// holds are called while the triggers come in, each when so great a part of them is sent, the last before the
	// last piece: what they wait for comes before the end of the run, however fast it is.
	holds []func(ctx context.Context)

	mu       sync.Mutex
	lives    map[string]context.CancelFunc // of the session that runs, by stage
	final    *fold.Fold
	learned  atomic.Uint64
	steps    atomic.Int64 // reports of all stages so far
	sessions map[string]int
	failed   error
	head     int64       // of the events, when they are not the demo's alone
	answer   fold.Answer // of the learner
}

// demoDays is how much of the demo the disturbed runs take.
const demoDays = 1

// logLevel keeps the tests quiet unless FRESHET_TEST_LOG is set.
func logLevel() slog.Level {
	if os.Getenv("FRESHET_TEST_LOG") != "" {
		return slog.LevelDebug
	}
	return slog.LevelError + 4
}

func newRig(t testing.TB, prog *program.Program) *rig {
	t.Helper()
	servers, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Close)
	return rigOn(t, prog, servers)
}

// rigOn is a rig over servers that run; over real ones servers has their addresses alone.
func rigOn(t testing.TB, prog *program.Program, servers *embedded.Servers) *rig {
	t.Helper()
	var err error
	r := &rig{t: t, prog: prog, topics: app.TopicsOf(prog), servers: servers, sessions: map[string]int{}, lives: map[string]context.CancelFunc{}, workers: 1,
		commitEvery: 2 * time.Millisecond,                                                        // in a backlog it is 50 times that: faults have to meet commits
		tr:          stage.Transport{Brokers: servers.Brokers, Local: true, FetchBytes: 2 << 10}, // many polls, many frames
		log:         slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: logLevel()}))}
	r.proxy = newProxy(t, servers.Redis)
	if r.store, err = redis.Open(redis.Options{Addrs: []string{r.proxy.addr()}, Timeout: time.Second}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.store.Close() })
	ctx := r.deadline()
	if r.app, err = app.New(ctx, app.Options{Program: prog, Transport: r.tr, Store: r.store, Logger: r.log}); err != nil {
		t.Fatal(err)
	}
	if err := r.app.EnsureSources(ctx); err != nil {
		t.Fatal(err)
	}
	return r
}

// change gives the rig another project for the sessions that begin from now on.
func (r *rig) change(prog *program.Program) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, err := app.New(r.deadline(), app.Options{Program: prog, Transport: r.tr, Store: r.store, Logger: r.log})
	if err != nil {
		r.t.Error(err)
		return
	}
	r.prog, r.app, r.topics = prog, a, app.TopicsOf(prog)
}

func (r *rig) deadline() context.Context {
	ctx, cancel := context.WithTimeout(r.t.Context(), 60*time.Second)
	r.t.Cleanup(cancel)
	return ctx
}

func (r *rig) partitions() int { return r.prog.Project.Inputs()[0].Partitions }

func (r *rig) withCheckpoints() {
	r.t.Helper()
	r.checkpointDir = r.t.TempDir()
	c, err := checkpoint.Open(r.deadline(), checkpoint.Options{URL: "file://" + r.checkpointDir, Keep: 3, Logger: r.log})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	r.checkpoints = c
}

// session is one session of a stage; alive is called at each of its reports.
type session func(ctx context.Context, alive func()) error

func (r *rig) sequence(ctx context.Context, alive func()) error {
	cfg, err := r.prog.Ingest(false)
	if err != nil {
		return err
	}
	o := r.sequencerOptions(cfg)
	o.Progress = func(worker.SequencerProgress) { alive() }
	return worker.Sequence(ctx, o)
}

func (r *rig) sequencerOptions(cfg ingest.Config) worker.SequencerOptions {
	return worker.SequencerOptions{Transport: r.tr, Ingest: cfg, Events: r.topics.Events, DeadLetters: r.topics.DeadLetters,
		Checkpoints: r.checkpoints, Name: "sequencer", Every: time.Millisecond, Logger: r.log}
}

func (r *rig) units(partitions []int32) session {
	return func(ctx context.Context, alive func()) error {
		return worker.Units(ctx, worker.UnitsOptions{Transport: r.tr, Project: r.prog.Project.Name, Generation: r.prog.Generation,
			Events: r.topics.Events, Parts: r.topics.Parts, Partitions: r.topics.Partitions, Sources: r.prog.Sources, Entities: r.prog.Entities,
			Reads: r.prog.Reads, Store: r.store, Logger: r.log, CommitEvery: r.commitEvery, MaxCached: r.maxCached,
			Committed: func(worker.UnitsProgress) { alive() }}, partitions)
	}
}

func (r *rig) join(ctx context.Context, alive func()) error {
	t := r.prog.Triggers[0]
	return run.Joiner(ctx, run.JoinerOptions{Transport: r.tr, Program: r.prog.Program, Trigger: t, Generation: r.prog.Generation,
		Events: r.topics.Events, Parts: r.topics.Parts, Partitions: r.topics.Partitions, Log: r.topics.Logs[t.Name],
		Checkpoints: r.checkpoints, Name: "joiner", Every: time.Millisecond, Logger: r.log, Progress: func(run.JoinerProgress) { alive() }})
}

func (r *rig) learn(ctx context.Context, alive func()) error {
	t := r.prog.Triggers[0]
	return run.Learner(ctx, run.LearnerOptions{Transport: r.tr, Trigger: t, Members: t.Members, Log: r.topics.Logs[t.Name], Workers: r.workers,
		Checkpoints: r.checkpoints, Name: "models", Every: time.Millisecond, Logger: r.log, Answer: r.answer,
		Publish: func(f *fold.Fold) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if f.Position() >= r.learned.Load() { // not that of a session that begins again
				r.final = f
				r.learned.Store(f.Position())
			}
			return nil
		},
		After: func(context.Context, uint64) error { alive(); return nil }})
}

// stages are all stages by name, once each, or once for each process of the units.
func (r *rig) stages() map[string]session {
	all := map[string]session{"sequencer": r.sequence, "joiner": r.join, "learner": r.learn}
	if r.apart {
		delete(all, "sequencer")
	}
	groups := r.unitGroups
	if groups == nil {
		groups = [][]int32{r.allParts()}
	}
	for i, g := range groups {
		all["units"+strconv.Itoa(i)] = r.units(g)
	}
	return all
}

func (r *rig) allParts() []int32 {
	var list []int32
	for p := range r.topics.Partitions {
		list = append(list, int32(p))
	}
	return list
}

// schedule says after how many reports a session of a stage is killed; 0: never.
type schedule func(stage string, session int) int

func undisturbed(string, int) int { return 0 }

// kills gives each stage that many sessions that end after one to most reports, drawn from the seed.
func kills(seed uint64, sessions, most int) schedule {
	return func(stage string, n int) int {
		if n >= sessions {
			return 0
		}
		h := rand.New(rand.NewPCG(seed, uint64(n)<<32^uint64(len(stage))<<8^uint64(stage[0])))
		return 1 + h.IntN(most)
	}
}

// gone is the schedule entry of a process that ends for good.
const gone = -1

// leaves is a schedule of a process that lives for so many sessions.
func leaves(when schedule, sessions int) schedule {
	return func(stage string, n int) int {
		if n == sessions {
			return gone
		}
		return when(stage, n)
	}
}

// again runs sessions of a stage until ctx ends or the schedule says that the process is gone. A session that meets an error is followed by the next after a
// pause that grows as in stage.Own; an error that is final fails the rig.
func (r *rig) again(ctx context.Context, name string, s session, when schedule) {
	draw := rand.New(rand.NewPCG(uint64(len(name)), uint64(name[len(name)-1])))
	wait := 5 * time.Millisecond
	if begin := r.late[name]; begin != nil {
		select {
		case <-begin:
		case <-ctx.Done():
		}
	}
	for n := 0; ctx.Err() == nil; n++ {
		began := time.Now()
		life, cancel := context.WithCancel(ctx)
		left := int64(when(name, n))
		if left == gone {
			cancel()
			return
		}
		r.mu.Lock()
		r.lives[name] = cancel
		r.mu.Unlock()
		var count atomic.Int64
		err := s(life, func() {
			r.steps.Add(1)
			if r.onAlive != nil {
				r.onAlive(name)
			}
			if count.Add(1) == left {
				cancel()
			}
		})
		cancel()
		r.mu.Lock()
		delete(r.lives, name)
		r.sessions[name]++
		if (stage.Final(err) || errors.Is(err, run.ErrLostPart)) && r.failed == nil {
			r.failed = fmt.Errorf("%s, session %d: %w", name, n, err)
		}
		r.mu.Unlock()
		if err != nil && !errors.Is(err, context.Canceled) {
			r.log.Warn("session ended", "stage", name, "error", err)
			if time.Since(began) > 250*time.Millisecond {
				wait = 5 * time.Millisecond
			}
			pause(ctx, wait/2+time.Duration(draw.Int64N(int64(wait))))
			wait = min(2*wait, 500*time.Millisecond)
		}
	}
}

// killAll kills the session of every stage once something was learned, and waits until they have ended.
func (r *rig) killAll(ctx context.Context) {
	for r.learned.Load() == 0 && ctx.Err() == nil {
		pause(ctx, time.Millisecond)
	}
	for name := range r.stages() {
		before := -1
		for ended := false; !ended && ctx.Err() == nil; pause(ctx, time.Millisecond) {
			r.mu.Lock()
			if kill := r.lives[name]; before < 0 && kill != nil {
				before = r.sessions[name]
				kill()
			}
			ended = before >= 0 && r.sessions[name] > before
			r.mu.Unlock()
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// run starts the stages while the records come in, in pieces, and waits until all is through.
func (r *rig) run(when schedule, beside ...func(ctx context.Context)) {
	r.t.Helper()
	want := core(r.t, r.prog)
	ctx, cancel := context.WithCancel(r.deadline())
	var wg sync.WaitGroup
	for name, s := range r.stages() {
		wg.Go(func() { r.again(ctx, name, s, when) })
	}
	for _, f := range beside {
		wg.Go(func() { f(ctx) })
	}
	r.produce(ctx, 400)
	err := r.await(ctx, want)
	cancel()
	wg.Wait()
	if err != nil {
		r.t.Fatalf("%v; sessions %v", err, r.sessions)
	}
}
