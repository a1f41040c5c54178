package serving_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/features/vector"
	"github.com/freshet-ml/freshet/internal/metrics"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/serving/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	second   = int64(1e6)
	minute   = 60 * second
	departed = 0 // positions of the sources
	schedule = 1
)

var (
	start   = time.Date(2013, 7, 1, 12, 0, 0, 0, time.UTC)
	sources = append([]features.Source{
		{Name: "departed", Fields: []features.Field{{Name: "origin", Kind: features.String}, {Name: "tail", Kind: features.String, Nullable: true}, {Name: "delay", Kind: features.Double}}},
		{Name: "scheduled", Fields: []features.Field{{Name: "id", Kind: features.String}, {Name: "origin", Kind: features.String},
			{Name: "tail", Kind: features.String, Nullable: true}, {Name: "distance", Kind: features.Double}, {Name: "seats", Kind: features.Int, Nullable: true},
			{Name: "at", Kind: features.Time, Nullable: true}}},
	}, features.PlainSources()...)
)

// rig is a server over a small world: flights with the delays of their airport and their plane.
type rig struct {
	t        testing.TB
	programs []*unit.Program
	spec     *vector.Spec
	catalog  *serving.Catalog
	fold     *fold.Fold
	board    *serving.Board
	states   *memory
	log      *fakeLog
	metrics  *metrics.Metrics
	config   serving.Config
	deps     serving.Deps
	entry    fold.Entry
	wall     time.Time
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, states: newMemory(), log: &fakeLog{}, metrics: metrics.New(), wall: start}
	r.programs = []*unit.Program{
		r.program(unit.Entity{Name: "origin", Key: []string{"origin"}, Features: []unit.Feature{
			{Name: "flights", Agg: "count", Source: departed, Over: []time.Duration{time.Hour}},
			{Name: "mean_delay", Agg: "mean", Source: departed, Value: "delay", Over: []time.Duration{time.Hour}}}}),
		r.program(unit.Entity{Name: "plane", Key: []string{"tail"}, Keep: 24 * time.Hour, Features: []unit.Feature{
			{Name: "last_delay", Agg: "last", Source: departed, Value: "delay"}}}),
	}
	columns := func(e int) []features.Column { return r.programs[e].Columns() }
	spec, err := vector.New(vector.Layout{Trigger: &sources[schedule], Entities: []int{0, 1}, Columns: columns, Fields: []int{3, 4},
		Derived: []vector.Derived{{Name: "derived.far", Expr: "log1p(scheduled.distance)"}}})
	r.ok(err)
	r.spec = spec
	r.models()
	r.board = serving.NewBoard("late", "late.static", "asked", "kind")
	r.deps = serving.Deps{Catalog: r.catalog, Models: r.board, States: r.states, Log: r.log, Metrics: r.metrics,
		Now: func() time.Time { return r.wall }, Changed: r.board.Changed()}
	r.config = serving.Config{Reflection: true, Timeout: 10 * time.Second, Drain: 5 * time.Second}
	return r
}

func (r *rig) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) program(e unit.Entity) *unit.Program {
	p, err := unit.Compile(e, sources, unit.Options{})
	r.ok(err)
	return p
}

// models declares: late (binary, all columns, labels from a topic), its challenger, asked (binary, on
// request, feedback), and kind (multiclass, the origin's columns only).
func (r *rig) models() {
	fields := sources[schedule].Fields
	all := []int{0, 1, 2, 3, 4, 5}
	base := serving.Model{Name: "late", Of: "late", Task: models.Binary, On: "scheduled", Log: "flights.scheduled.1.log", Vector: r.spec,
		Fields: fields, ID: 0, Columns: all, Pipeline: "auto", Await: true, Label: serving.Label{From: "departed", By: "id", Value: "delay > 15"}}
	static, asked, kind := base, base, base
	static.Name, static.Role, static.Columns, static.Await = "late.static", freshetv1.Model_CHALLENGER, []int{3, 4}, false
	asked.Name, asked.Of, asked.On, asked.Request, asked.ID, asked.Log = "asked", "asked", "request", true, -1, "flights.asked.1.log"
	asked.Label = serving.Label{From: "feedback", Feedback: true}
	kind.Name, kind.Of, kind.Task, kind.Classes, kind.Columns = "kind", "kind", models.Multiclass, []string{"early", "on time", "late"}, []int{0, 1}
	kind.Label = serving.Label{From: "feedback", Feedback: true}
	key := func(names ...string) (out []features.Field) {
		for _, n := range names {
			out = append(out, features.Field{Name: n, Kind: features.String})
		}
		return out
	}
	r.catalog = &serving.Catalog{Project: "flights", Generation: "1", Build: "test", Lookback: time.Minute,
		Entities: []serving.Entity{{Name: "origin", Key: key("origin"), Reader: r.programs[0]}, {Name: "plane", Key: key("tail"), Reader: r.programs[1]}},
		Models:   []serving.Model{base, static, asked, kind}}
	var members []fold.Member
	for i := range r.catalog.Models {
		members = append(members, member(&r.catalog.Models[i]))
	}
	f, err := fold.New(r.spec.Schema, members)
	r.ok(err)
	r.fold = f
}

func member(m *serving.Model) fold.Member {
	name := "logistic_regression"
	if m.Task == models.Multiclass {
		name = "softmax_regression"
	}
	return fold.Member{Name: m.Name, Of: m.Of, Task: m.Task, Classes: m.Classes, Columns: m.Columns,
		Build: func(s *features.Schema) (models.Learner, error) {
			spec, err := models.ParseSpec([]any{"standard_scaler", name})
			if err != nil {
				return nil, err
			}
			return catalog.Build(spec, models.Env{Schema: s, Task: m.Task, Classes: max(2, len(m.Classes)), Seed: 1})
		}}
}

// depart folds a departure into both entities' states.
func (r *rig) depart(at int64, origin, tail string, delay float64) {
	it := &features.Item{Kind: features.EventItem, Source: departed, Seq: uint64(at), Time: start.UnixMicro() + at,
		Fields: []features.Value{features.StringValue(origin), features.StringValue(tail), features.DoubleValue(delay)}}
	for e, p := range r.programs {
		key, ok := p.AppendKey(nil, it)
		if !ok {
			r.t.Fatal("no key")
		}
		r.states.apply(e, string(key), p, it)
	}
}

// learn folds n examples, half of them late, and publishes every model.
func (r *rig) learn(n int) {
	r.t.Helper()
	for range n {
		r.step()
	}
	r.publish()
}

func (r *rig) step() {
	seq := r.fold.Position()
	late := float64(seq / 2 % 2)
	r.entry = fold.Entry{Kind: fold.Predict, Seq: seq, Time: start.UnixMicro(), ID: "x", Vector: append(r.entry.Vector[:0], 3, 30*late, 20*late, 500, 100, 6)}
	r.ok(r.fold.Apply(&r.entry))
	r.entry.Kind, r.entry.Ref, r.entry.Seq, r.entry.Y, r.entry.Taken = fold.Learn, seq, seq+1, late, r.entry.Time
	r.entry.Flags = fold.Final
	r.ok(r.fold.Apply(&r.entry))
}

func (r *rig) publish() {
	r.t.Helper()
	for _, name := range r.fold.Names() {
		s, err := r.fold.Snapshot(name)
		r.ok(err)
		r.board.Publish(name, s, r.wall)
	}
}

// serve runs the server on loopback until the test ends.
func (r *rig) serve(o client.Options) (*client.Client, string) {
	r.t.Helper()
	c, web, _ := r.serveUntil(o)
	return c, web
}

// serveUntil returns a function that stops the server and waits for its end.
func (r *rig) serveUntil(o client.Options) (c *client.Client, web string, stop func() error) {
	r.t.Helper()
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	g, err := serving.Listen("127.0.0.1:0", "serving.grpc")
	r.ok(err)
	h, err := serving.Listen("127.0.0.1:0", "serving.http")
	r.ok(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, g, h, nil) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	c, err = client.Dial(g.Addr().String(), o)
	r.ok(err)
	r.t.Cleanup(func() {
		r.ok(c.Close())
		r.ok(stop())
	})
	return c, "http://" + h.Addr().(*net.TCPAddr).String(), stop
}

// memory is an entity store in memory.
type memory struct {
	mu         sync.RWMutex
	states     map[serving.EntityKey]*unit.State
	head       int64
	rebuilding bool
	err        error
	hold       chan struct{} // when set, Read waits for it after telling entered
	entered    chan struct{}
	reads      atomic.Int64
	during     func() // when set, Read calls it before it returns
}

func newMemory() *memory {
	return &memory{states: map[serving.EntityKey]*unit.State{}, head: features.NoTime, entered: make(chan struct{}, 1024)}
}

func (m *memory) apply(entity int, key string, p *unit.Program, it *features.Item) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := serving.EntityKey{Entity: entity, Key: key}
	if m.states[k] == nil {
		m.states[k] = &unit.State{}
	}
	m.head = max(m.head, it.Time)
	p.Apply(m.states[k], it, m.head)
}

func (m *memory) Read(ctx context.Context, keys []serving.EntityKey, out []serving.EntityState) error {
	if m.hold != nil {
		m.entered <- struct{}{}
		select {
		case <-m.hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.reads.Add(1)
	if m.during != nil {
		defer m.during()
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for i, k := range keys {
		o := &out[i]
		st, ok := m.states[k]
		o.Found, o.Head, o.Watermark, o.Rebuilding = ok, m.head, m.head, m.rebuilding
		o.State.Head, o.State.Tiles = o.State.Head[:0], o.State.Tiles[:0]
		if ok {
			o.State.Head, o.State.Tiles = append(o.State.Head, st.Head...), append(o.State.Tiles, st.Tiles...)
		}
	}
	return m.err
}

// fakeLog keeps what it is given.
type fakeLog struct {
	mu       sync.Mutex
	served   []serving.Served
	feedback []serving.Truth
	err      error
	hold     chan struct{}
	entered  chan struct{}
}

func (l *fakeLog) Served(ctx context.Context, records []serving.Served) error {
	if l.hold != nil {
		l.entered <- struct{}{}
		<-l.hold
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range records {
		s.Vector, s.Answer = slices.Clone(s.Vector), slices.Clone(s.Answer)
		l.served = append(l.served, s)
	}
	return l.err
}

func (l *fakeLog) Feedback(_ context.Context, records []serving.Truth) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.feedback = append(l.feedback, records...)
	return l.err
}

var errAway = errors.New("away")

// flight is the row of a known flight.
func flight(more map[string]*freshetv1.Value) *freshetv1.Row {
	f := map[string]*freshetv1.Value{"id": client.String("f1"), "origin": client.String("JFK"), "tail": client.String("N1"), "distance": client.Double(500)}
	maps.Copy(f, more)
	for k, v := range f {
		if v == nil {
			delete(f, k)
		}
	}
	return &freshetv1.Row{Fields: f}
}

func ask(model string, rows ...*freshetv1.Row) *freshetv1.PredictRequest {
	return &freshetv1.PredictRequest{Model: model, Rows: rows}
}
