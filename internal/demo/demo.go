package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/worker"
	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/produce"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/serving/client"
	"github.com/freshet-ml/freshet/trainer"
)

// Options describe a run of the demo.
type Options struct {
	Days       int    // of the year; 0: all
	GRPC, HTTP string // addresses; empty: the project's
	Partitions int    // of each topic; 0: 1
	NoReplay   bool   // leave out the second folding
	// Paced is how long the end of the data, sent at 2,000 records a second, lasts: freshness is measured there.
	// 0: 5 s.
	Paced   time.Duration
	Stay    bool // go on serving until ctx ends
	Build   string
	Logger  *slog.Logger
	Catalog models.Registry
	// Progress is told a few times a second how far the run is; nil: nobody.
	Progress func(Progress)
	// Ready is told the addresses once the service answers; nil: nobody.
	Ready func(grpc, http string)
	// Ended is told the summary when the data has ended, before Stay; nil: nobody.
	Ended func(*Summary)
}

// Progress is how far a run is.
type Progress struct {
	Stage     string // replaying, measuring freshness, folding again
	EventTime time.Time
	Events    int64
	Of        int64
	PerSecond float64
	Left      time.Duration
	AUC       float64 // of the champion so far; NaN before there are both labels
	LogLoss   float64
}

// Freshness is measured on the last records, sent at a steady pace.
const (
	pacedRate = 2000 // records a second
	// scoreEvery is the least time between two looks at the scores, which read some thousands of bins.
	scoreEvery = 200 * time.Millisecond
	pacedTime  = 5 * time.Second
)

// Project returns the compiled project of the demo, with the addresses and partitions of the options.
func Project(o *Options) (*program.Program, error) {
	p, err := project.Parse("freshet.yaml", flights.Project(), func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, err
	}
	if o.GRPC != "" {
		p.Serving.GRPC = o.GRPC
	}
	if o.HTTP != "" {
		p.Serving.HTTP = o.HTTP
	}
	for _, in := range p.Inputs() {
		in.Partitions = max(o.Partitions, 1)
	}
	return program.Compile(p, o.Catalog)
}

// stream gives the flights as records of the project's inputs.
func stream(prog *program.Program, s *flights.Stream) produce.Stream {
	index := map[string]int{}
	for i, in := range prog.Project.Inputs() {
		index[in.Name] = i
	}
	return produce.InOrder(func(rec *produce.Record) error {
		r, ok := s.Next()
		if !ok {
			return io.EOF
		}
		*rec = produce.Record{Source: index[r.Source], Time: r.Time, Partition: -1,
			Key: append([]byte(nil), r.Key...), Value: append([]byte(nil), r.Value...)}
		return nil
	})
}

// run is a run of the demo.
type run struct {
	o       Options
	prog    *program.Program
	service *app.Service
	client  *client.Client
	total   int64
	fresh   *freshness
	calls   callCount

	mu     sync.Mutex
	folds  map[string]*fold.Fold // the learners, by trigger: read only when they have stopped or in Publish
	seen   Progress
	scored time.Time // when the scores were looked at
	began  time.Time
}

// Run runs the demo until its data ends, or ctx does with Stay.
func Run(ctx context.Context, o Options) (*Summary, error) {
	prog, err := Project(&o)
	if err != nil {
		return nil, err
	}
	if o.Paced <= 0 {
		o.Paced = pacedTime
	}
	days := o.Days
	if days <= 0 {
		days = 366
	}
	data, err := flights.Days(days)
	if err != nil {
		return nil, err
	}
	dir, remove, err := app.ScratchDir()
	if err != nil {
		return nil, err
	}
	defer remove()
	r := &run{o: o, prog: prog, total: int64(data.Len()), folds: map[string]*fold.Fold{}}
	r.fresh = newFreshness()
	r.service, err = app.NewService(ctx, prog, app.ServiceOptions{Features: true, Trainer: true, Serve: true, DataDir: dir, NoCheckpoints: true,
		Build: o.Build, Logger: o.Logger, Tune: r.tune})
	if err != nil {
		return nil, err
	}
	defer r.service.Close()
	return r.all(ctx, data)
}

// tune lets the run watch the stages.
func (r *run) tune(o *app.Options) {
	publish := o.Publish
	o.Publish = func(t *trainer.Trigger, f *fold.Fold) error {
		if err := publish(t, f); err != nil {
			return err
		}
		r.fresh.published()
		r.quality(t, f)
		return nil
	}
	o.Taken = func(it *features.Item) { r.fresh.taken(it) }
	o.Folded = func(_ *trainer.Trigger, e *fold.Entry) { r.fresh.folded(e) }
	o.Committed = func(worker.UnitsProgress) { r.fresh.committed() }
}

// quality notes how good the champion is, a few times a second.
func (r *run) quality(t *trainer.Trigger, f *fold.Fold) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.folds[t.Name] = f
	if time.Since(r.scored) < scoreEvery {
		return
	}
	r.scored = time.Now()
	champion := t.Members[0].Name
	if v, ok := f.Metric(champion, "roc_auc"); ok {
		r.seen.AUC = v
	}
	if v, ok := f.Metric(champion, "log_loss"); ok {
		r.seen.LogLoss = v
	}
}

func (r *run) all(ctx context.Context, data *flights.Stream) (*Summary, error) {
	if err := produce.EnsureTopics(ctx, r.service.Transport, r.prog.Project); err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- r.service.Run(running) }()
	grpc, http := r.service.Addresses()
	var err error
	if r.client, err = client.Dial(grpc, client.Options{}); err != nil {
		return nil, err
	}
	defer r.client.Close()
	if r.o.Ready != nil {
		r.o.Ready(grpc, http)
	}
	r.began = time.Now()
	var summary *Summary
	err = r.whileRunning(running, ended, func(ctx context.Context) error {
		if err := r.replay(ctx, data); err != nil {
			return err
		}
		summary, err = r.summarise(ctx)
		if err != nil || r.o.NoReplay {
			return err
		}
		return r.again(ctx, summary)
	})
	if err != nil {
		stop()
		return nil, errors.Join(err, drop(ended))
	}
	if r.o.Ended != nil {
		r.o.Ended(summary)
	}
	if r.o.Stay {
		<-ctx.Done()
	}
	stop()
	return summary, <-ended
}

// drop waits for the service and leaves out that it was stopped.
func drop(ended chan error) error {
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// whileRunning runs f, and ends it when the service ends before.
func (r *run) whileRunning(ctx context.Context, ended chan error, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	select {
	case err := <-done:
		return err
	case err := <-ended:
		ended <- nil
		if err == nil {
			err = errors.New("the service ended")
		}
		cancel(err)
		<-done
		return err
	}
}

// replay sends all records, the last ones at a steady pace, and waits until all have gone through.
func (r *run) replay(ctx context.Context, data *flights.Stream) error {
	fast := max(r.total-int64(pacedRate*r.o.Paced.Seconds()), 0)
	pace := produce.AtRate(pacedRate)
	probes, stopProbes := context.WithCancel(ctx)
	defer stopProbes()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stopProbes()
	wg.Go(func() { r.callNowAndThen(probes) })
	wg.Go(func() { r.report(probes) })
	wg.Go(func() { r.fresh.probeFeatures(probes, r) })
	wg.Go(func() { r.fresh.probeModel(probes, r) })
	var waited bool
	_, err := produce.Run(ctx, produce.Options{Transport: r.service.Transport, Program: r.prog, Stream: stream(r.prog, data),
		OnAck: r.fresh.acked,
		Due: func(n, t int64) time.Time {
			if n < fast {
				return time.Time{}
			}
			if !waited {
				// Freshness is what it is at lag 0: let the stages come to the end of what is there.
				waited = true
				if err := r.catchUp(ctx); err != nil {
					return time.Time{}
				}
				r.fresh.begin()
			}
			return pace(n, t)
		}})
	if err != nil {
		return fmt.Errorf("write the topics: %w", err)
	}
	if err := r.service.App.Wait(ctx, r.service.App.Finished); err != nil {
		return err
	}
	r.fresh.last(ctx, 3*time.Second)
	return nil
}

// catchUp waits until what was sent so far has gone as far as it can: the newest records wait in the order for
// marks that come with the next ones.
func (r *run) catchUp(ctx context.Context) error {
	last, since := uint64(0), time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		p, _ := r.service.App.Progress()
		if p.Sequencer.Items != last || !r.service.App.CaughtUp(&p) {
			last, since = p.Sequencer.Items, time.Now()
		}
		if time.Since(since) > 300*time.Millisecond {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// report tells the progress a few times a second.
func (r *run) report(ctx context.Context) {
	if r.o.Progress == nil {
		return
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		p, _ := r.service.App.Progress()
		r.mu.Lock()
		now := r.seen
		r.mu.Unlock()
		now.Stage, now.Events, now.Of = "replaying", int64(p.Sequencer.Items), r.total
		if r.fresh.on() {
			now.Stage = "measuring freshness"
		}
		if p.Sequencer.Items > 0 {
			now.EventTime = time.UnixMicro(p.Sequencer.Head).UTC()
		}
		for _, j := range p.Joiners {
			now.Events = min(now.Events, int64(j.Items))
		}
		now.PerSecond = float64(now.Events) / time.Since(r.began).Seconds()
		if now.PerSecond > 0 {
			now.Left = time.Duration(float64(now.Of-now.Events) / now.PerSecond * float64(time.Second))
		}
		r.o.Progress(now)
	}
}
