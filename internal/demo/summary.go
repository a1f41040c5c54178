package demo

import (
	"context"
	"fmt"
	"io"
	"math"
	"reflect"
	"time"

	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/stage/redis"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/models/metric"
	"github.com/freshet-ml/freshet/trainer"
)

// Summary is what came of a run.
type Summary struct {
	Demo            string           `json:"demo"`
	Seconds         float64          `json:"seconds"` // from the first record to the last effect, the paced end included
	Events          uint64           `json:"events"`
	EventsPerSecond float64          `json:"events_per_second"` // without the paced end, unless that is all
	Predictions     uint64           `json:"predictions"`
	LabelsJoined    uint64           `json:"labels_joined"`
	LabelsMissing   uint64           `json:"labels_missing"`
	Refused         uint64           `json:"refused"`
	Models          map[string]Model `json:"models"`
	Freshness       Freshness        `json:"freshness_ms"`
	GRPC            string           `json:"grpc"`
	HTTP            string           `json:"http"`
	GRPCAnswers     int64            `json:"grpc_answers"` // predictions asked over gRPC meanwhile
	GRPCFailures    int64            `json:"grpc_failures"`
	Story           *Story           `json:"story,omitempty"`
	Golden          string           `json:"golden_sha256,omitempty"` // of everything that the events log answers
	ReplayEqual     *bool            `json:"replay_equal,omitempty"`
	SecondsReplay   float64          `json:"seconds_replay,omitempty"`
	first           *trainer.Golden
}

// Model is one model at the end of a run.
type Model struct {
	Metrics     map[string]float64 `json:"metrics"`
	Version     Version            `json:"version"`
	StateSHA256 string             `json:"state_sha256"`
}

// Version names a place of an example log.
type Version struct {
	Log string `json:"log"`
	Seq uint64 `json:"seq"`
}

// Freshness is measured over the paced end, in milliseconds from the broker's acknowledgement.
type Freshness struct {
	FeatureP50 float64 `json:"feature_p50"` // record to the end of a lookup that shows it
	FeatureP99 float64 `json:"feature_p99"`
	ModelP50   float64 `json:"model_p50"` // label to the end of a prediction that has learned it
	ModelP99   float64 `json:"model_p99"`
	Records    int     `json:"records"`
	Labels     int     `json:"labels"`
}

// Story is what streaming features and continued learning bring, March to December: those that stop
// learning do so on 1 March.
type Story struct {
	Static          Cell `json:"static"`
	StaticFrozen    Cell `json:"static_frozen"`
	Streaming       Cell `json:"streaming"`
	StreamingFrozen Cell `json:"streaming_frozen"`
}

// Cell is one of the four.
type Cell struct {
	AUC     float64 `json:"auc"`
	LogLoss float64 `json:"log_loss"`
}

func (r *run) summarise(ctx context.Context) (*Summary, error) {
	p, _ := r.service.App.Progress()
	s := &Summary{Demo: "flights", Seconds: time.Since(r.began).Seconds(), Events: p.Sequencer.Items, Refused: p.Sequencer.Refused, Models: map[string]Model{}}
	s.GRPC, s.HTTP = r.service.Addresses()
	s.GRPCAnswers, s.GRPCFailures = r.calls.answered.Load(), r.calls.failed.Load()
	paced := min(float64(r.total), pacedRate*r.o.Paced.Seconds())
	s.EventsPerSecond = float64(s.Events) / s.Seconds
	if fast := s.Seconds - paced/pacedRate; fast > 0 && float64(s.Events) > paced {
		s.EventsPerSecond = (float64(s.Events) - paced) / fast
	}
	sums := map[string]fold.Hashes{}
	for _, t := range r.prog.Triggers {
		stats := p.Joiners[t.Name].Stats
		s.Predictions += stats.Predicted
		s.LabelsJoined += stats.Learned
		s.LabelsMissing += stats.Missing
		f := r.learners(t.Name)
		for _, name := range f.Names() {
			score, _ := f.Score(name)
			sums[name], _ = f.Hashes(name)
			s.Models[name] = Model{Metrics: finite(score.Values), Version: Version{r.service.App.Topics.Logs[t.Name], score.Seq}, StateSHA256: sums[name].Weights}
		}
		s.Story = story(f)
	}
	f := r.fresh
	f.mu.Lock()
	s.Freshness = Freshness{Records: len(f.featureMS), Labels: len(f.modelMS)}
	s.Freshness.FeatureP50, s.Freshness.FeatureP99 = quantiles(f.featureMS)
	s.Freshness.ModelP50, s.Freshness.ModelP99 = quantiles(f.modelMS)
	f.mu.Unlock()
	var err error
	if r.o.NoReplay {
		return s, nil
	}
	if s.first, err = r.service.App.Golden(ctx, sums); err != nil {
		return nil, fmt.Errorf("sums of the run: %w", err)
	}
	s.Golden = s.first.Sum()
	return s, nil
}

func (r *run) learners(trigger string) *fold.Fold {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.folds[trigger]
}

func finite(values []metric.Named) map[string]float64 {
	m := map[string]float64{}
	for _, v := range values {
		if !math.IsNaN(v.Value) && !math.IsInf(v.Value, 0) {
			m[v.Name] = v.Value
		}
	}
	return m
}

// story is nil when the run has no label of March or later.
func story(f *fold.Fold) *Story {
	var s Story
	for name, cell := range map[string]*Cell{"late": &s.Streaming, "frozen": &s.StreamingFrozen, "static": &s.Static, "static_frozen": &s.StaticFrozen} {
		values, n := f.Between(name, "2013-03", "2013-12")
		if n == 0 {
			return nil
		}
		m := finite(values)
		cell.AUC, cell.LogLoss = m["roc_auc"], m["log_loss"]
	}
	return &s
}

// again folds the events log a second time, in fresh stages with another poll size, other worker counts and
// other parts partitions, and compares every sum.
func (r *run) again(ctx context.Context, s *Summary) error {
	began := time.Now()
	if r.o.Progress != nil {
		r.o.Progress(Progress{Stage: "folding again", Events: int64(s.Events), Of: int64(s.Events)})
	}
	servers, err := embedded.Start(embedded.Options{NoBroker: true})
	if err != nil {
		return err
	}
	defer servers.Close()
	store, err := redis.Open(redis.Options{Addrs: []string{servers.Redis}, Volatile: true})
	if err != nil {
		return err
	}
	defer store.Close()
	transport := r.service.Transport
	transport.FetchBytes = 600 << 10
	var last *fold.Fold
	folds := map[string]*fold.Fold{}
	o := app.Options{Program: r.prog, Transport: transport, Store: store, Roles: app.Roles{Features: true, Trainer: true}, Logger: r.o.Logger,
		Workers: 1, Rerun: "again", Partitions: 3, CommitEvery: 20 * time.Millisecond,
		Publish: func(t *trainer.Trigger, f *fold.Fold) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			folds[t.Name], last = f, f
			return nil
		}}
	second, err := app.New(ctx, o)
	if err != nil {
		return err
	}
	p, _ := r.service.App.Progress()
	second.Assume(p.Sequencer)
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- second.Run(running) }()
	err = r.whileRunning(ctx, ended, func(ctx context.Context) error { return second.Wait(ctx, second.CaughtUp) })
	stop()
	if err := drop(ended); err != nil {
		return err
	}
	if err != nil || last == nil {
		return err
	}
	sums := map[string]fold.Hashes{}
	for _, f := range folds {
		for _, name := range f.Names() {
			sums[name], _ = f.Hashes(name)
		}
	}
	g, err := second.Golden(ctx, sums)
	if err != nil {
		return fmt.Errorf("sums of the second folding: %w", err)
	}
	equal := Equal(s.first, g)
	s.ReplayEqual, s.SecondsReplay = &equal, time.Since(began).Seconds()
	return nil
}

// Equal reports whether two foldings of one log agree on everything.
func Equal(a, b *trainer.Golden) bool { return reflect.DeepEqual(a, b) }

// WriteText tells the story of a run in a few lines.
func (s *Summary) WriteText(w io.Writer) error {
	p := &printer{w: w}
	p.f("\n%d events of a year of flights out of New York in %.1f s (%.0f a second), %d predictions an hour before departure;\n",
		s.Events, s.Seconds, s.EventsPerSecond, s.Predictions)
	p.f("%d labels came hours later and were learned then, %d never came, %d records were refused.\n\n", s.LabelsJoined, s.LabelsMissing, s.Refused)
	if t := s.Story; t != nil {
		p.f("Will the flight be more than 15 minutes late? March to December, AUC / log-loss:\n\n")
		p.f("                             stopped on 1 March    learning on\n")
		p.f("  schedule and plane only       %.3f / %.3f        %.3f / %.3f\n", t.StaticFrozen.AUC, t.StaticFrozen.LogLoss, t.Static.AUC, t.Static.LogLoss)
		p.f("  with streaming features       %.3f / %.3f        %.3f / %.3f\n\n", t.StreamingFrozen.AUC, t.StreamingFrozen.LogLoss, t.Streaming.AUC, t.Streaming.LogLoss)
	}
	if m, ok := s.Models["late"]; ok {
		p.f("All of the data: AUC %.3f, log-loss %.3f (without streaming features: %.3f, %.3f).\n",
			m.Metrics["roc_auc"], m.Metrics["log_loss"], s.Models["static"].Metrics["roc_auc"], s.Models["static"].Metrics["log_loss"])
	}
	p.f("Fresh at %d events a second: record to lookup %.0f ms (p99 %.0f), label to prediction %.0f ms (p99 %.0f).\n",
		pacedRate, s.Freshness.FeatureP50, s.Freshness.FeatureP99, s.Freshness.ModelP50, s.Freshness.ModelP99)
	p.f("Meanwhile %d predictions were answered over gRPC, %d failed.\n", s.GRPCAnswers, s.GRPCFailures)
	switch {
	case s.ReplayEqual == nil:
	case *s.ReplayEqual:
		p.f("Folding the events again in fresh stages took %.1f s and gave the same hash: %.16s…\n", s.SecondsReplay, s.Golden)
	default:
		p.f("FOLDING THE EVENTS AGAIN GAVE ANOTHER HASH than %.16s…\n", s.Golden)
	}
	p.f("\nAsk yourself, while `freshet demo` runs without --exit:\n")
	p.f("  freshet predict late carrier=UA flight=1545 tail=N14228 origin=EWR dest=IAH departs=2013-12-31T23:00:00Z block=227 distance=1400\n")
	p.f("  freshet lookup origin origin=EWR\n")
	return p.err
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) f(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
