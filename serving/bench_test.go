package serving

import (
	"context"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/features/vector"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// oneState answers every key with the same state.
type oneState struct {
	st   []unit.State
	head int64
}

func (o *oneState) Read(_ context.Context, keys []EntityKey, out []EntityState) error {
	for i, k := range keys {
		st, to := &o.st[k.Entity], &out[i]
		to.State.Head, to.State.Tiles = append(to.State.Head[:0], st.Head...), append(to.State.Tiles[:0], st.Tiles...)
		to.Found, to.Head, to.Watermark, to.Rebuilding = true, o.head, o.head, false
	}
	return nil
}

type bench struct {
	p    predictor
	m    *served
	snap *fold.Snapshot
	rows []*freshetv1.Row
	call *call
	ctx  context.Context // with a deadline, as unary calls have
}

func (b *bench) run() error {
	b.call.reset(b.m, b.snap)
	return b.p.run(b.ctx, b.call, b.rows, features.NoTime, false)
}

// newBench is a model of 13 columns: 6 aggregates over 2 windows of an entity with 100 events, and a field.
func newBench(tb testing.TB) *bench {
	tb.Helper()
	must := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	fields := []features.Field{{Name: "origin", Kind: features.String}, {Name: "delay", Kind: features.Double}}
	sources := []features.Source{{Name: "flights", Fields: fields}}
	e := unit.Entity{Name: "origin", Key: []string{"origin"}}
	for _, agg := range []string{"mean", "sum", "min", "max", "variance", "stddev"} {
		e.Features = append(e.Features, unit.Feature{Name: agg, Agg: agg, Value: "delay", Over: []time.Duration{time.Hour, 6 * time.Hour}, Suffix: true})
	}
	p, err := unit.Compile(e, sources, unit.Options{})
	must(err)
	spec, err := vector.New(vector.Layout{Trigger: &sources[0], Entities: []int{0}, Columns: func(int) []features.Column { return p.Columns() }, Fields: []int{1}})
	must(err)
	m := Model{Name: "late", Of: "late", Task: models.Binary, On: "flights", Vector: spec, Fields: fields, ID: -1}
	for c := range spec.Width() {
		m.Columns = append(m.Columns, c)
	}
	c := &Catalog{Entities: []Entity{{Name: "origin", Key: fields[:1], Reader: p}}, Models: []Model{m}}
	x, err := newIndex(c)
	must(err)
	f, err := fold.New(spec.Schema, []fold.Member{{Name: "late", Of: "late", Task: models.Binary, Columns: m.Columns,
		Build: func(s *features.Schema) (models.Learner, error) {
			sp, err := models.ParseSpec([]any{"standard_scaler", "logistic_regression"})
			if err != nil {
				return nil, err
			}
			return catalog.Build(sp, models.Env{Schema: s, Task: models.Binary, Classes: 2})
		}}})
	must(err)
	snap, err := f.Snapshot("late")
	must(err)
	states := &oneState{st: make([]unit.State, 1)}
	for i := range 100 {
		states.head = int64(i) * 60e6
		p.Apply(&states.st[0], &features.Item{Kind: features.EventItem, Seq: uint64(i), Time: states.head,
			Fields: []features.Value{features.StringValue("JFK"), features.DoubleValue(float64(i))}}, states.head)
	}
	row := &freshetv1.Row{Id: "x", Fields: map[string]*freshetv1.Value{"origin": {Kind: &freshetv1.Value_String_{String_: "JFK"}},
		"delay": {Kind: &freshetv1.Value_Double{Double: 3}}}}
	now := time.UnixMicro(states.head)
	ctx, cancel := context.WithTimeout(tb.Context(), time.Hour)
	tb.Cleanup(cancel)
	return &bench{ctx: ctx, p: predictor{catalog: c, states: states, now: func() time.Time { return now }, newID: func() string { return "id" }},
		m: x.models["late"], snap: snap, rows: []*freshetv1.Row{row}, call: newCall().(*call)}
}

func BenchmarkPredictor(b *testing.B) {
	x := newBench(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := x.run(); err != nil {
			b.Fatal(err)
		}
	}
}
