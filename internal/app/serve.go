package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/internal/metrics"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/internal/stage/redis"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/trainer"
)

// Catalog is the project as its servers see it.
func Catalog(p *program.Program, t *Topics, build string) *serving.Catalog {
	c := &serving.Catalog{Project: p.Project.Name, Generation: p.Project.Generation(), Build: build,
		EventsClock: p.Project.Clock == "events", Lookback: p.Project.MaxSkew}
	for _, prog := range p.Entities {
		c.Entities = append(c.Entities, serving.Entity{Name: prog.Name(), Key: keyFields(p, prog.Entity().Key, prog.Takes), Reader: prog})
	}
	for _, trigger := range p.Triggers {
		for i := range trigger.Members {
			c.Models = append(c.Models, servedModel(p, t, trigger, &trigger.Members[i]))
		}
	}
	return c
}

// keyFields finds the kinds of an entity's key in a source that carries it.
func keyFields(p *program.Program, key []string, takes func(int) bool) []features.Field {
	for i := range p.Sources {
		if !takes(i) {
			continue
		}
		var fields []features.Field
		for _, name := range key {
			if at := p.Sources[i].FieldIndex(name); at >= 0 {
				fields = append(fields, p.Sources[i].Fields[at])
			}
		}
		if len(fields) == len(key) {
			return fields
		}
	}
	return nil
}

// Serves reports whether servers of the project answer for a member: those that serving.models names, or all champions.
func Serves(p *program.Program, m *fold.Member) bool {
	if named := p.Project.Serving.Models; len(named) > 0 {
		return slices.Contains(named, m.Name)
	}
	return m.Of == m.Name
}

func servedModel(p *program.Program, t *Topics, trigger *trainer.Trigger, m *fold.Member) serving.Model {
	declared := p.Project.Model(m.Of)
	out := serving.Model{Name: m.Name, Of: m.Of, Task: m.Task, Classes: m.Classes, On: trigger.Name, Log: t.Logs[trigger.Name],
		Request: trigger.Request && m.Name == m.Of, Async: declared.Log == "async", Vector: trigger.Vector, ID: trigger.ID,
		Columns: m.Columns, MaxAge: declared.MaxAge, Pipeline: m.Pipeline, Await: Serves(p, m)}
	switch {
	case m.Baseline:
		out.Role = freshetv1.Model_BASELINE
	case m.Name != m.Of:
		out.Role = freshetv1.Model_CHALLENGER
	}
	if trigger.Request {
		out.On, out.ID = project.Request, slices.IndexFunc(declared.Request, func(f project.Field) bool { return f.Name == declared.ID })
		for _, f := range declared.Request {
			out.Fields = append(out.Fields, features.Field{Name: f.Name, Kind: f.Kind, Nullable: f.Nullable})
		}
	} else {
		out.Fields = p.Sources[trigger.Source].Fields
	}
	if m.Entities {
		out.Key = trigger.Vector.Keys[m.Entity-trigger.Vector.KeySlot(0)]
	}
	if m.Task == models.Forecast {
		out.Forecast = seriesOf(p, declared, m)
	}
	if l := declared.Label; l != nil {
		out.Label = serving.Label{From: l.From, By: l.By, Value: l.Value, Missing: l.Missing, Wait: l.Wait, Feedback: l.From == project.Feedback}
	}
	return out
}

// seriesOf says where the series of a forecast are.
func seriesOf(p *program.Program, declared *project.Model, m *fold.Member) *serving.Forecast {
	feature, _ := p.Project.Forecaster(declared, strings.TrimPrefix(m.Name, m.Of+"."))
	return &serving.Forecast{Entity: slices.IndexFunc(p.Entities, func(u *unit.Program) bool { return u.Name() == declared.Name }),
		Feature: feature.Name, Horizon: declared.Horizon, Levels: m.Levels, Regressors: feature.Regressors}
}

// scoreEvery is how often the scores and hashes of a model are taken for GetModel. They cost a pass over its
// state, so models take turns: all at once would hold up what is learned meanwhile.
const scoreEvery = 2 * time.Second

// Publisher returns a function for Options.Publish that puts every member of the fold on the board.
func Publisher(board *serving.Board) func(t *trainer.Trigger, f *fold.Fold) error {
	var mu sync.Mutex // triggers are told apart, and at the same time
	turns := map[string]*turn{}
	return func(t *trainer.Trigger, f *fold.Fold) error {
		now := time.Now()
		for _, name := range f.Names() {
			s, err := f.Snapshot(name)
			if err != nil {
				return err
			}
			if s != nil { // else its guard has let none pass yet
				board.Publish(name, s, time.Time{}) // when it is the newest, Confirm tells
			}
		}
		mu.Lock()
		own := turns[t.Name]
		if own == nil {
			own = &turn{}
			turns[t.Name] = own
		}
		mu.Unlock()
		own.score(board, t, f, now)
		return nil
	}
}

// turn says whose scores of a trigger are taken next.
type turn struct {
	next     int
	last     time.Time
	position uint64
}

// score takes the scores of the next model if it is time, and of all once more when the log has gone quiet.
func (u *turn) score(board *serving.Board, t *trainer.Trigger, f *fold.Fold, now time.Time) {
	idle := u.position == f.Position()
	u.position = f.Position()
	n := len(f.Names())
	switch {
	case idle:
		drifted(board, t, f)
		for range n {
			u.one(board, f)
		}
	case n > 0 && now.Sub(u.last) >= scoreEvery/time.Duration(n):
		u.last = now
		if u.next%n == 0 {
			drifted(board, t, f)
		}
		u.one(board, f)
	}
}

func (u *turn) one(board *serving.Board, f *fold.Fold) {
	name := f.Names()[u.next%len(f.Names())]
	u.next++
	score, _ := f.Score(name)
	board.Score(name, &serving.Scored{Score: score, Hash: score.Hash, HashedAt: score.Seq})
}

func drifted(board *serving.Board, t *trainer.Trigger, f *fold.Fold) {
	if reference, window, windows := f.DriftSizes(); reference > 0 {
		board.Drift(t.Name, &serving.Drifted{Reference: reference, Window: window, Windows: windows, Scores: f.Drift(), Distributions: f.Distributions()})
	}
}

// plainLog writes served answers and feedback to Freshet's own topics.
type plainLog struct {
	topics   *Topics
	producer *stage.Producer
}

func (l *plainLog) Served(ctx context.Context, records []serving.Served) error {
	out := make([]*kgo.Record, len(records))
	for i := range records {
		out[i] = l.record(l.topics.Served, records[i].At, records[i].Fields(nil))
	}
	return l.producer.SendAll(ctx, out)
}

func (l *plainLog) Feedback(ctx context.Context, records []serving.Truth) error {
	out := make([]*kgo.Record, len(records))
	for i := range records {
		out[i] = l.record(l.topics.Feedback, records[i].At, records[i].Fields(nil))
	}
	return l.producer.SendAll(ctx, out)
}

func (l *plainLog) record(topic string, at int64, fields []features.Value) *kgo.Record {
	return &kgo.Record{Topic: topic, Value: program.PlainRecord(at, fields...)}
}

// ServeOptions describe a server.
type ServeOptions struct {
	Board    *serving.Board
	Metrics  *metrics.Metrics
	GRPC     net.Listener // nil: none
	HTTP     net.Listener // nil: none
	Admin    net.Listener // nil: none
	Page     http.Handler
	Config   serving.Config
	Build    string
	Logger   *slog.Logger
	Lookback time.Duration
}

// Serve answers calls until ctx ends.
func (a *App) Serve(ctx context.Context, o ServeOptions) error {
	producer, err := stage.OpenProducer(a.o.Transport)
	if err != nil {
		return err
	}
	defer producer.Close()
	p := a.o.Program
	s, err := serving.New(o.Config, serving.Deps{Catalog: Catalog(p, &a.Topics, o.Build), Models: o.Board,
		States: serving.NewStoreStates(a.o.Store, p.Project.Name, p.Generation, p.Entities, a.outOfOrder(), a.behind), Own: a.ownStates,
		Log: &plainLog{topics: &a.Topics, producer: producer}, Report: a, Audit: a, Insight: a, Curves: a.o.Curves, Metrics: o.Metrics, Logger: o.Logger, Changed: o.Board.Changed()})
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.Run(ctx, o.GRPC, o.HTTP, o.Page) })
	if o.Admin != nil {
		g.Go(func() error { return s.RunAdmin(ctx, o.Admin) })
	}
	return g.Wait()
}

// rebuildItems is how many items the states of a bucket may be behind the order before answers from them
// are refused.
const rebuildItems = 100_000

// behind reports whether the states of a bucket are being rebuilt: the units of this process know, or else the place at which
// the bucket stands.
func (a *App) behind(entity, bucket int, v *redis.View) bool {
	if a.survey != nil {
		last := a.survey.last.Load()
		return last != nil && last.lag(v.At) > rebuildItems
	}
	if !a.o.Roles.Features {
		return false
	}
	prog := a.o.Program.Entities[entity]
	a.mu.Lock()
	defer a.mu.Unlock()
	done := a.progress.Units[partitionOf(prog, bucket, a.Topics.Partitions)].Items
	return done+rebuildItems < a.progress.Sequencer.Items
}

// Report fills in what the stages of this process know.
func (a *App) Report(ctx context.Context, to *freshetv1.StatusResponse) {
	p, _ := a.Progress()
	s := p.Sequencer
	to.Head, to.Watermark = stamp(s.Head), stamp(s.Watermark)
	if a.o.Roles.Features {
		to.Stages = append(to.Stages, &freshetv1.StageStatus{Name: "sequencer", State: state(uint64(s.Queued)), Lag: uint64(s.Queued)})
		for _, part := range sorted(p.Units) {
			lag := s.Items - min(s.Items, p.Units[part].Items)
			to.Stages = append(to.Stages, &freshetv1.StageStatus{Name: "units", Of: fmt.Sprintf("parts/%d", part), State: state(lag), Lag: lag})
		}
	}
	for _, name := range sorted(p.Joiners) {
		j := p.Joiners[name]
		lag := s.Items - min(s.Items, j.Items)
		to.Stages = append(to.Stages, &freshetv1.StageStatus{Name: "joiner", Of: name, State: state(lag), Lag: lag})
		lag = j.Entries - min(j.Entries, p.Learners[name])
		to.Stages = append(to.Stages, &freshetv1.StageStatus{Name: "learner", Of: name, State: state(lag), Lag: lag})
		to.Triggers = append(to.Triggers, &freshetv1.TriggerStatus{Name: name, Examples: j.Stats.Predicted, Labelled: j.Stats.Learned,
			Unlabelled: j.Stats.Missing, Pending: uint64(j.Pending), NotLearned: j.Stats.NotLearned,
			LabelDelay: a.watch.delay(name)})
		if j.Stats.Predicted > 0 && j.Stats.NotLearned*100 > j.Stats.Predicted {
			to.Warnings = append(to.Warnings, fmt.Sprintf("%.1f %% of the examples of %s come later than max_skew and are not learned: declare out_of_orderness, or produce the topics with time marks",
				100*float64(j.Stats.NotLearned)/float64(j.Stats.Predicted), name))
		}
	}
	if a.o.Roles.Features {
		a.watch.report(to)
	}
	to.WaitingFor = append(to.WaitingFor, s.Blocked()...)
	if a.survey != nil {
		a.apart(ctx, to)
	}
}

// Waiting names what must happen before features can be served.
func (a *App) Waiting() string {
	if a.survey == nil || a.o.Program.Project.Serving.AllowStale {
		return ""
	}
	return a.survey.rebuilding()
}

func state(lag uint64) string {
	if lag > 1000 {
		return "catching up"
	}
	return "running"
}

func stamp(t int64) *timestamppb.Timestamp {
	if t == features.NoTime {
		return nil
	}
	return timestamppb.New(time.UnixMicro(t))
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
