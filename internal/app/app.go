// Package app runs the roles of a project in one process: sequencer, feature units, joiners and learners,
// each as sessions that are run again when they end. It is wiring, shared by the commands and the tests.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/features/worker"
	"github.com/freshet-ml/freshet/internal/checkpoint"
	"github.com/freshet-ml/freshet/internal/metrics"
	"github.com/freshet-ml/freshet/internal/produce"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/internal/stage/redis"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/trainer"
	"github.com/freshet-ml/freshet/trainer/run"
)

// Roles says what a process runs.
type Roles struct{ Features, Trainer, Serve bool }

// Options describe a process.
type Options struct {
	Program     *program.Program
	Transport   stage.Transport
	Store       *redis.Store
	Checkpoints *checkpoint.Store // nil: none
	Roles       Roles
	// Groups lets output partitions find their owners among processes; without, this process owns all.
	Groups bool
	// Member names this process to the others, as host-pid; empty: it has no name.
	Member      string
	Logger      *slog.Logger
	Workers     int // goroutines that fold models; 0: GOMAXPROCS
	CommitEvery time.Duration
	// Publish is told of the learners of a trigger after they folded entries; it must not keep the fold.
	Publish func(t *trainer.Trigger, f *fold.Fold) error
	Answer  fold.Answer
	Taken   func(it *features.Item)
	Folded  func(t *trainer.Trigger, e *fold.Entry)
	// Rerun names a second folding of the same events: its parts, example logs and states are apart from the
	// first. Empty: the first.
	Rerun string
	// Partitions of the parts of a rerun; 0: as usual.
	Partitions int
	// Committed is told of each commit of feature units.
	Committed func(worker.UnitsProgress)
	Metrics   *metrics.Metrics // nil: none
	Curves    *serving.Curves  // remembers what learners say, for the page; nil: nothing
	Board     *serving.Board   // of Publish, for metrics and for models that must not answer; nil: none
	Build     string           // for attestations
	Secret    []byte           // for hashes of sensitive fields in dead letters
}

// App is a process of a project.
type App struct {
	o      Options
	Topics Topics
	watch  *watch
	// verifier compares what this process folds with what learners attest; nil where it trains itself.
	verifier  *Verifier
	survey    *surveyor          // of the units of other processes; nil where units run, or none is asked for
	ownStates *serving.OwnStates // of units that run where answers are given; nil: not both here
	recent    *recent
	letters   letterBox
	lineage   *freshetv1.LineageResponse

	mu       sync.Mutex
	progress Progress
	changed  chan struct{}
}

// Progress is how far the stages of this process are.
type Progress struct {
	Sequencer worker.SequencerProgress
	Units     map[int32]worker.UnitsProgress
	Joiners   map[string]run.JoinerProgress
	Learners  map[string]uint64 // entries folded and, where models are published, published, by trigger
}

// New makes the topics of the project that are missing, or says what to make where it must not, and checks the others.
func New(ctx context.Context, o Options) (*App, error) {
	a := &App{o: o, Topics: TopicsOf(o.Program), changed: make(chan struct{}),
		recent: newRecent(o.Program), lineage: Lineage(o.Program)}
	if o.Rerun != "" {
		a.Topics.rerun(o.Rerun, o.Partitions)
	}
	a.progress = Progress{Units: map[int32]worker.UnitsProgress{}, Joiners: map[string]run.JoinerProgress{}, Learners: map[string]uint64{}}
	if o.Roles.Serve && !o.Roles.Trainer {
		a.verifier = NewVerifier(barDiffering(o.Board, o.Logger))
	}
	if o.Roles.Serve && !o.Roles.Features {
		a.survey = newSurveyor(a)
	}
	if o.Roles.Serve && o.Roles.Features && o.Rerun == "" {
		a.ownStates = serving.NewOwnStates(o.Program.Entities, a.Topics.Partitions, a.outOfOrder(), a.behind)
	}
	a.watch = newWatch(o.Metrics, o.Program, a.Topics.Partitions)
	a.watch.curves = o.Curves
	a.watch.m.OnScrape(func() {
		p, _ := a.Progress()
		a.watch.scrape(p, &a.Topics, a.o.Board)
	})
	a.describe()
	if a.o.Workers <= 0 {
		a.o.Workers = runtime.GOMAXPROCS(0)
	}
	k := &o.Program.Project.Kafka
	if err := ensure(ctx, o.Transport, o.Program, a.Topics.Specs(int16(k.Replication), k.Retention)); err != nil {
		return nil, fmt.Errorf("topics of project %s: %w", o.Program.Project.Name, err)
	}
	return a, nil
}

// describe tells by metrics what this process is.
func (a *App) describe() {
	m, p := a.watch.m, a.o.Program.Project
	m.Name(p.Name)
	if a.o.Rerun != "" {
		return
	}
	m.Build.WithLabelValues(a.o.Build).Set(1)
	m.Project.WithLabelValues(p.Generation(), p.Clock).Set(1)
	for role, runs := range map[string]bool{"features": a.o.Roles.Features, "trainer": a.o.Roles.Trainer, "serve": a.o.Roles.Serve} {
		if runs {
			m.Role.WithLabelValues(role).Set(1)
		}
	}
}

// Trouble names the stages of this process that ended with an error and wait to be run again.
func (a *App) Trouble() []string { return a.watch.waiting() }

// EnsureSources makes the source topics that are missing, with the declared partitions: for projects whose
// topics Freshet fills itself. Topics that are there must have as many partitions; the rest of their settings is their
// owner's.
func (a *App) EnsureSources(ctx context.Context) error {
	return produce.EnsureTopics(ctx, a.o.Transport, a.o.Program.Project)
}

// Run runs the roles until ctx ends or one fails for good.
func (a *App) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	if a.o.Roles.Features {
		if a.o.Rerun == "" {
			g.Go(func() error { return a.sequencer(ctx) })
		}
		g.Go(func() error { return a.units(ctx) })
	}
	for _, t := range a.o.Program.Triggers {
		switch {
		case a.o.Roles.Trainer:
			g.Go(func() error { return a.joiner(ctx, t) })
			g.Go(func() error { return a.learner(ctx, t) })
		case a.o.Roles.Serve:
			g.Go(func() error { return a.follow(ctx, t) })
		}
	}
	if a.survey != nil {
		g.Go(func() error { return a.survey.run(ctx) })
	}
	if a.o.Groups {
		g.Go(func() error { return a.ends(ctx) })
	}
	if a.verifier != nil {
		g.Go(func() error { return a.attestations(ctx, a.verifier.Theirs) })
	}
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// member is how this process is named in groups.
func (a *App) member() string {
	if a.o.Member == "" {
		return ""
	}
	return memberPrefix + a.o.Member
}

// own runs a stage, named for metrics, for the partitions of an output topic that this process owns. One session runs those that
// came together: they share one reader of the input.
func (a *App) own(ctx context.Context, name, of, topic string, partitions int, f func(ctx context.Context, partitions []int32) error) error {
	o := stage.OwnOptions{Topic: topic, Together: true, Member: a.member(), Session: a.o.Program.Project.Kafka.Session, Logger: a.o.Logger}
	if a.o.Groups {
		o.Group = topic
	} else {
		o.Static = make([]int32, partitions)
		for i := range o.Static {
			o.Static[i] = int32(i)
		}
	}
	return stage.Own(ctx, a.o.Transport, o, func(ctx context.Context, partitions []int32) error {
		names := []string{of}
		if a.o.Groups && of == "" {
			names = names[:0]
			for _, p := range partitions {
				names = append(names, strconv.Itoa(int(p)))
			}
		}
		return a.watch.session(ctx, name, names, func() error { return f(ctx, partitions) })
	})
}

// sequencer runs sessions of the sequencer. Where several processes share the roles, one that does not own it folds
// the events along to take over at once.
func (a *App) sequencer(ctx context.Context) error {
	cfg, err := a.o.Program.Ingest(false)
	if err != nil {
		return err
	}
	o := worker.SequencerOptions{Transport: a.o.Transport, Ingest: cfg, Events: a.Topics.Events,
		DeadLetters: a.Topics.DeadLetters, Secret: a.o.Secret, Logger: a.o.Logger,
		Checkpoints: a.o.Checkpoints, Name: a.o.Program.Project.Name + "/sequencer", Every: a.o.Program.Project.Checkpoints.Every, Retention: a.retention(),
		Saved: a.watch.saved("sequencer", ""),
		Taken: func(it *features.Item) {
			a.watch.taken(it)
			a.recent.taken(it)
			if a.o.Taken != nil {
				a.o.Taken(it)
			}
		},
		Progress: func(p worker.SequencerProgress) {
			a.watch.sequenced(&p)
			a.recent.frame()
			a.note(func(all *Progress) { all.Sequencer = p })
		}}
	g, ctx := errgroup.WithContext(ctx)
	if a.o.Groups {
		o.Standby = worker.NewStandby(o)
		g.Go(func() error { return o.Standby.Run(ctx) })
	}
	g.Go(func() error {
		return a.own(ctx, "sequencer", "", a.Topics.Events, 1, func(ctx context.Context, _ []int32) error { return worker.Sequence(ctx, o) })
	})
	return g.Wait()
}

func (a *App) units(ctx context.Context) error {
	p := a.o.Program
	return a.own(ctx, "units", "", a.Topics.Parts, a.Topics.Partitions, func(ctx context.Context, partitions []int32) error {
		var visible func(worker.BucketCommit)
		if a.ownStates != nil {
			visible = a.ownStates.Commit
		}
		return worker.Units(ctx, worker.UnitsOptions{Visible: visible, Transport: a.o.Transport, Project: p.Project.Name, Generation: p.Generation,
			Events: a.Topics.Events, Parts: a.Topics.Parts, Partitions: a.Topics.Partitions, Retention: a.retention(), Sources: p.Sources, Entities: p.Entities,
			Reads: p.Reads, Store: a.o.Store, Logger: a.o.Logger, CommitEvery: a.o.CommitEvery,
			Committed: func(u worker.UnitsProgress) {
				a.committed(u)
				if a.o.Committed != nil {
					a.o.Committed(u)
				}
			}}, partitions)
	})
}

// retention is for how long the brokers keep Freshet's own logs, at least; 0: for ever.
func (a *App) retention() time.Duration { return a.o.Program.Project.Kafka.Retention }

func (a *App) checkpointName(kind, trigger string) string {
	if kind == "models" { // their state has that of what watches them
		if watching := a.watching(trigger); watching != "" {
			kind = fmt.Sprintf("%s.%x", kind, features.Hash(watching))
		}
	}
	return fmt.Sprintf("%s/%x/%s-%s", a.o.Program.Project.Name, a.o.Program.Generation, kind, trigger)
}

func (a *App) watching(trigger string) string {
	for _, t := range a.o.Program.Triggers {
		if t.Name == trigger {
			return t.Watching()
		}
	}
	return ""
}

func (a *App) joiner(ctx context.Context, t *trainer.Trigger) error {
	return a.own(ctx, "joiner", t.Name, a.Topics.Logs[t.Name], 1, func(ctx context.Context, _ []int32) error {
		return run.Joiner(ctx, run.JoinerOptions{Transport: a.o.Transport, Program: a.o.Program.Program, Trigger: t,
			Generation: a.o.Program.Generation, Events: a.Topics.Events, Parts: a.Topics.Parts, Partitions: a.Topics.Partitions,
			Log: a.Topics.Logs[t.Name], Retention: a.retention(), Checkpoints: a.o.Checkpoints, Name: a.checkpointName("joiner", t.Name),
			Every: a.o.Program.Project.Checkpoints.Every, Leave: true, Logger: a.o.Logger, Saved: a.watch.saved("joiner", t.Name),
			Progress: func(j run.JoinerProgress) { a.note(func(all *Progress) { all.Joiners[t.Name] = j }) }})
	})
}

// committed notes a commit of feature units.
func (a *App) committed(u worker.UnitsProgress) {
	a.watch.committed(u)
	items := u.Items
	a.note(func(all *Progress) {
		all.Units[u.Partition] = u
		for _, other := range all.Units {
			items = min(items, other.Items)
		}
	})
	if took, ok := a.watch.feature.end(items); ok {
		a.watch.m.Freshness.WithLabelValues().Observe(took.Seconds())
	}
}

func (a *App) note(f func(*Progress)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f(&a.progress)
	close(a.changed)
	a.changed = make(chan struct{})
}

// Progress returns how far the stages are, and a channel that is closed at the next change.
func (a *App) Progress() (Progress, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := Progress{Sequencer: a.progress.Sequencer, Units: map[int32]worker.UnitsProgress{}, Joiners: map[string]run.JoinerProgress{}, Learners: map[string]uint64{}}
	for k, v := range a.progress.Units {
		p.Units[k] = v
	}
	for k, v := range a.progress.Joiners {
		p.Joiners[k] = v
	}
	for k, v := range a.progress.Learners {
		p.Learners[k] = v
	}
	return p, a.changed
}

// CaughtUp reports whether everything that the sequencer has ordered has gone through all stages of this process.
func (a *App) CaughtUp(p *Progress) bool {
	items := p.Sequencer.Items
	if items == 0 {
		return true
	}
	if len(p.Units) < a.unitPartitions() || len(p.Joiners) < len(a.o.Program.Triggers) {
		return false
	}
	for _, u := range p.Units {
		if u.Items < items {
			return false
		}
	}
	for name, j := range p.Joiners {
		if j.Items < items || p.Learners[name] < j.Entries {
			return false
		}
	}
	return true
}

func partitionOf(prog *unit.Program, bucket, partitions int) int32 {
	return unit.PartitionOf(prog.Name(), bucket, partitions)
}

// unitPartitions is how many parts partitions have units.
func (a *App) unitPartitions() int {
	return a.Topics.Partitions
}

// Wait waits until until holds of the progress.
func (a *App) Wait(ctx context.Context, until func(*Progress) bool) error {
	for {
		p, changed := a.Progress()
		if until(&p) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Assume tells an app that runs no sequencer how far the events log goes.
func (a *App) Assume(s worker.SequencerProgress) { a.note(func(p *Progress) { p.Sequencer = s }) }

// Finished reports whether the sources have ended and all of them has gone through.
func (a *App) Finished(p *Progress) bool { return p.Sequencer.Done && a.CaughtUp(p) }
