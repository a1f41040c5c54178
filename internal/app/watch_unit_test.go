package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/worker"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/metrics"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/trainer"
	"github.com/freshet-ml/freshet/trainer/run"
)

func TestPredictionRecord(t *testing.T) {
	binary := newPredictionWriter(&fold.Member{Name: "late", Task: models.Binary}, "p.late.predictions", "p.scheduled.1.log")
	kind := newPredictionWriter(&fold.Member{Name: "kind", Task: models.Multiclass, Classes: []string{"a", `b"`}}, "p.kind.predictions", "p.scheduled.1.log")
	at := time.Date(2013, 7, 1, 12, 0, 0, 250_000_000, time.UTC)
	e := fold.Entry{Kind: fold.Predict, ID: "UA-1", Seq: 7, Event: 9, Time: at.UnixMicro()}
	odd := e
	odd.ID, odd.Flags = "a\"\\\x01é\xff", fold.NotLearned
	for _, c := range []struct {
		w      *predictionWriter
		e      fold.Entry
		answer []float64
		want   string
	}{
		{binary, e, []float64{0.25}, `{"id":"UA-1","model":"late","log":"p.scheduled.1.log","seq":7,"event":9,"event_time":"2013-07-01T12:00:00.25Z","answer":0.25}`},
		{kind, e, []float64{1, math.NaN()}, `{"id":"UA-1","model":"kind","log":"p.scheduled.1.log","seq":7,"event":9,"event_time":"2013-07-01T12:00:00.25Z","answer":[1,null],"classes":["a","b\""]}`},
		{binary, odd, []float64{math.Inf(1)}, `{"id":"a\"\\\u0001é` + "\ufffd" + `","model":"late","log":"p.scheduled.1.log","seq":7,"event":9,"event_time":"2013-07-01T12:00:00.25Z","answer":null,"not_learned":true}`},
	} {
		r := c.w.record(&c.e, c.answer)
		if string(r.Value) != c.want || string(r.Key) != c.e.ID || r.Topic != c.w.topic {
			t.Errorf("key %q\n%s\nwant %s", r.Key, r.Value, c.want)
		}
	}
}

func TestPredictionsReadBackAsTheSameBits(t *testing.T) {
	w := newPredictionWriter(&fold.Member{Name: "m", Task: models.Multiclass, Classes: []string{"a", "b", "c"}}, "t", "l")
	rapid.Check(t, func(t *rapid.T) {
		answer := rapid.SliceOfN(rapid.Float64(), 3, 3).Draw(t, "answer")
		e := fold.Entry{ID: rapid.String().Draw(t, "id"), Seq: rapid.Uint64().Draw(t, "seq")}
		var p Prediction
		if err := json.Unmarshal(w.record(&e, answer).Value, &p); err != nil {
			t.Fatal(err)
		}
		if !sameBits(p.Answer, answer) || p.Seq != e.Seq || p.ID != e.ID {
			t.Fatalf("%v %d %q came back as %v %d %q", answer, e.Seq, e.ID, p.Answer, p.Seq, p.ID)
		}
	})
}

func TestPredictionRecordsComeFromSlabs(t *testing.T) {
	w := newPredictionWriter(&fold.Member{Name: "late", Task: models.Binary}, "p.late.predictions", "p.scheduled.1.log")
	e := fold.Entry{ID: "2013-07-01-UA1545-EWR", Seq: 123456, Event: 1234567, Time: 1372680000000000}
	answer := []float64{0.1234567890123}
	if n := testing.AllocsPerRun(5000, func() { w.record(&e, answer) }); n > 0.1 {
		t.Errorf("%v allocations for a record", n)
	}
}

func BenchmarkPredictionRecord(b *testing.B) {
	w := newPredictionWriter(&fold.Member{Name: "late", Task: models.Binary}, "p.late.predictions", "p.scheduled.1.log")
	e := fold.Entry{ID: "2013-07-01-UA1545-EWR", Seq: 123456, Event: 1234567, Time: 1372680000000000}
	b.ReportAllocs()
	for b.Loop() {
		w.record(&e, []float64{0.1234567890123})
	}
}

// weights is a learner of two weights that never change.
type weights struct{ a, b float64 }

func (w *weights) Predict(dst []float64, _ *models.Example) []float64 { return append(dst, 0.5) }
func (w *weights) Observe(*models.Example)                            {}
func (w *weights) Learn(*models.Example, []float64)                   {}
func (w *weights) State(s *codec.State)                               { s.Float64(&w.a); s.Float64(&w.b) }
func (w *weights) Publish() models.Predictor                          { c := *w; return &c }

func TestAModelWithAnotherWeightIsTakenOutOfService(t *testing.T) {
	attest := func(w weights) Attestation {
		union := &features.Schema{Columns: []features.Column{{Name: "x"}}}
		f, err := fold.New(union, []fold.Member{{Name: "m", Of: "m", Task: models.Binary, Columns: []int{0},
			Build: func(*features.Schema) (models.Learner, error) { return &w, nil }}})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Apply(&fold.Entry{Kind: fold.Predict, Vector: []float64{1}}); err != nil {
			t.Fatal(err)
		}
		a, ok := attestation(f, "m", "log", f.Position(), "build")
		if !ok || a.Seq != 0 {
			t.Fatalf("%+v %t", a, ok)
		}
		return a
	}
	good := attest(weights{1, 2})
	flipped := attest(weights{1, math.Float64frombits(math.Float64bits(2) ^ 1)})
	other := flipped
	other.Arch = "another"
	for _, c := range []struct {
		name   string
		theirs Attestation
		answer bool
	}{{"the same weights", good, true}, {"one bit of a weight flipped", flipped, false}, {"another architecture", other, true}} {
		for _, first := range []string{"own", "theirs"} {
			board := serving.NewBoard("m")
			board.Publish("m", &fold.Snapshot{}, time.Unix(1, 0))
			v := NewVerifier(barDiffering(board, slog.New(slog.DiscardHandler)))
			if first == "own" {
				v.Own(good)
				v.Theirs(c.theirs)
			} else {
				v.Theirs(c.theirs)
				v.Own(good)
			}
			if _, ok := board.Snapshot("m"); ok != c.answer {
				t.Errorf("%s, %s first: the model answers: %t", c.name, first, ok)
			}
		}
	}
}

func TestVerifierForgetsTheOldest(t *testing.T) {
	n := 0
	v := NewVerifier(func(own, theirs Attestation) { n++ })
	for i := range uint64(attestLimit + 10) {
		v.Theirs(Attestation{Model: "m", Seq: i, Weights: "a", Arch: runtime.GOARCH})
	}
	v.Own(Attestation{Model: "m", Seq: 3, Weights: "b"})
	v.Own(Attestation{Model: "m", Seq: attestLimit, Weights: "b"})
	if n != 1 || len(v.theirs) != attestLimit {
		t.Errorf("%d differences found, %d kept", n, len(v.theirs))
	}
}

func TestMedianDelayIsClose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Int64Range(0, 40*24*3600*1e6), 1, 50).Draw(t, "delays")
		var d delays
		for i, x := range list {
			d.add(uint64(i), x)
			d.add(uint64(i), 0) // folded again
		}
		got, ok := d.median()
		sorted := append([]int64(nil), list...)
		for i := range sorted {
			for j := range i {
				if sorted[j] > sorted[i] {
					sorted[i], sorted[j] = sorted[j], sorted[i]
				}
			}
		}
		want := sorted[(len(sorted)-1)/2]
		if off := math.Abs(float64(got.Microseconds() - want)); !ok || off > 0.0626*float64(want)+1 {
			t.Fatalf("median of %v: %v, want about %dµs", list, got, want)
		}
	})
}

func TestProbes(t *testing.T) {
	var f featureProbe
	if _, ok := f.end(9); ok {
		t.Error("measured what was not begun")
	}
	f.begin(7)
	if _, ok := f.end(7); ok {
		t.Error("item 7 counts as committed before it was")
	}
	if _, ok := f.end(8); !ok {
		t.Error("the commit of item 7 was not measured")
	}
	var m modelProbe
	m.begin(7)
	m.folded(6)
	if _, ok := m.end(); ok {
		t.Error("measured before the label was folded")
	}
	m.folded(7)
	m.folded(8)
	if _, ok := m.end(); !ok {
		t.Error("the publication of label 7 was not measured")
	}
	m = modelProbe{}
	m.begin(7)
	m.folded(8) // 7 was no label of an example
	if m.open {
		t.Error("waits for a label that found no example")
	}
}

func TestSessionsAreCounted(t *testing.T) {
	prog := newWatch(metrics.New(), &program.Program{Project: &project.Project{}, Program: &trainer.Program{}}, 1)
	ctx, stop := context.WithCancel(t.Context())
	_ = prog.session(ctx, "units", []string{"0"}, func() error { return context.DeadlineExceeded })
	got := exposition(t, prog.m)
	for _, line := range []string{`freshet_stage_restarts_total{class="retriable",of="0",stage="units"} 1`, `freshet_stage_running{of="0",stage="units"} 0`} {
		if !strings.Contains(got, line) {
			t.Errorf("no %s in\n%s", line, got)
		}
	}
	if why := prog.waiting(); len(why) != 1 || !strings.Contains(why[0], "units 0") {
		t.Errorf("waits for %v", why)
	}
	_ = prog.session(ctx, "units", []string{"0"}, func() error { // run again, and then told to stop
		if got := exposition(t, prog.m); !strings.Contains(got, `freshet_stage_running{of="0",stage="units"} 1`) || len(prog.waiting()) > 0 {
			t.Error("a stage that runs again is not told")
		}
		stop()
		return ctx.Err()
	})
	for len(prog.waiting()) > 0 { // what follows the end of a context does so in a goroutine
		runtime.Gosched()
	}
	if got := exposition(t, prog.m); strings.Contains(got, "freshet_stage_running{") || !strings.Contains(got, `restarts_total{class="retriable",of="0",stage="units"} 1`) {
		t.Errorf("told of a stage that another process runs:\n%s", got)
	}
}

// TestLagOfALogThatAnotherProcessWrites: a process that only trains, or whose sequencer stands by, knows the ends of the
// logs from the broker; a stage that it does not run has no lag here.
func TestLagOfALogThatAnotherProcessWrites(t *testing.T) {
	trigger := &trainer.Trigger{Name: "a"}
	w := newWatch(nil, &program.Program{Project: &project.Project{}, Program: &trainer.Program{Sources: features.PlainSources(), Triggers: []*trainer.Trigger{trigger}}}, 2)
	topics := &Topics{Events: "p.events", Logs: map[string]string{"a": "p.a.log"}}
	w.begin("joiner", "a")
	w.begin("units", "1")
	w.reached("p.events", 100)
	w.reached("p.events", 90) // an older answer
	w.reached("p.a.log", 50)
	p := Progress{Units: map[int32]worker.UnitsProgress{0: {Items: 10}, 1: {Items: 70}}, Joiners: map[string]run.JoinerProgress{"a": {Items: 60}}, Learners: map[string]uint64{"a": 20}}
	w.scrape(p, topics, nil)
	got := exposition(t, w.m)
	for _, line := range []string{`freshet_stage_lag_records{of="a",stage="joiner"} 40`, `freshet_stage_lag_records{of="1",stage="units"} 30`} {
		if !strings.Contains(got, line) {
			t.Errorf("no %s in the metrics", line)
		}
	}
	if n := strings.Count(got, "freshet_stage_lag_records{"); n != 2 || strings.Contains(got, "freshet_head_timestamp_seconds") {
		t.Errorf("%d stages have lag, of two that run; or a head without a sequencer:\n%s", n, got)
	}
	w.begin("follower", "a")
	w.scrape(p, topics, nil)
	if got := exposition(t, w.m); !strings.Contains(got, `freshet_stage_lag_records{of="a",stage="follower"} 30`) {
		t.Error("the follower's lag is not told")
	}
}

func exposition(t testing.TB, m *metrics.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(m, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

func TestWhatTheSequencerTakesIsCounted(t *testing.T) {
	prog := &program.Program{Project: &project.Project{}, Program: &trainer.Program{
		Sources:  append([]features.Source{{Name: "a", OutOfOrder: 10}, {Name: "b"}}, features.PlainSources()...),
		Triggers: []*trainer.Trigger{{Name: "a", Source: 0, Labels: []trainer.Label{{Source: 1}}}}}}
	w := newWatch(nil, prog, 1)
	for i, it := range []features.Item{
		{Kind: features.EventItem, Source: 0, Time: 100},
		{Kind: features.EventItem, Source: 1, Time: 90},                             // at the watermark: not late
		{Kind: features.EventItem, Source: 1, Time: 89},                             // late
		{Kind: features.EventItem, Source: 0, Time: 50, Flags: features.NotLearned}, // late and skewed
		{Kind: features.EventItem, Source: 2, Time: 1},                              // Freshet's own are never late
		{Kind: features.RefusalItem, Source: 1, Reason: "late"},
		{Kind: features.TickItem, Time: 200},
		{Kind: features.EventItem, Source: 0, Time: 189},
	} {
		it.Seq = uint64(i)
		w.taken(&it)
	}
	w.sequenced(&worker.SequencerProgress{Lags: []int64{7, 0}})
	var st freshetv1.StatusResponse
	w.report(&st)
	a, b := st.Sources[0], st.Sources[1]
	if a.Accepted != 3 || a.Late != 2 || a.Lag != 7 || a.Newest.AsTime().UnixMicro() != 189 {
		t.Errorf("source a: %v", a)
	}
	if b.Accepted != 2 || b.Late != 1 || b.Refused != 1 || b.Lag != 0 || b.Newest.AsTime().UnixMicro() != 90 {
		t.Errorf("source b: %v", b)
	}
	if st.Sources[2].Late != 0 {
		t.Errorf("source %v", st.Sources[2])
	}
	w.begin("sequencer", "")
	w.scrape(Progress{}, &Topics{}, nil)
	w.scrape(Progress{}, &Topics{}, nil) // totals are not added twice
	got := exposition(t, w.m)
	for _, line := range []string{`freshet_events_total{source="a"} 3`, `freshet_events_late_total{source="a"} 2`,
		`freshet_events_refused_total{reason="late",source="b"} 1`, `freshet_skewed_examples_ratio{source="a"} 0.3333`, `freshet_source_lag_records{source="a"} 7`} {
		if !strings.Contains(got, line) {
			t.Errorf("no %s in the metrics", line)
		}
	}
}

func TestCountingAnItemAllocatesNothing(t *testing.T) {
	prog := &program.Program{Project: &project.Project{}, Program: &trainer.Program{Sources: features.PlainSources()}}
	w := newWatch(nil, prog, 1)
	it := features.Item{Kind: features.EventItem, Time: 1}
	if n := testing.AllocsPerRun(1000, func() { it.Seq++; w.taken(&it) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAttestationsAreRead(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer servers.Close()
	tr := stage.Transport{Brokers: servers.Brokers, Local: true}
	if err := stage.EnsureTopics(t.Context(), tr, stage.TopicSpec{Name: "p.hashes", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	out, err := stage.OpenProducer(tr)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	want := Attestation{Model: "m", Log: "l", Seq: 65535, Weights: "aa", Scores: "bb", Build: "x", Arch: "amd64"}
	if err := out.SendAll(t.Context(), []*kgo.Record{{Topic: "p.hashes", Value: []byte("no attestation")}, want.record("p.hashes")}); err != nil {
		t.Fatal(err)
	}
	a := &App{o: Options{Transport: tr, Logger: slog.New(slog.DiscardHandler)}, Topics: Topics{Hashes: "p.hashes"}}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	var got []Attestation
	_ = a.attestations(ctx, func(at Attestation) { got = append(got, at); stop() })
	stop()
	if len(got) != 1 || got[0] != want {
		t.Errorf("read %+v", got)
	}
}

func BenchmarkTaken(b *testing.B) {
	prog := &program.Program{Project: &project.Project{}, Program: &trainer.Program{
		Sources:  []features.Source{{Name: "a"}},
		Triggers: []*trainer.Trigger{{Name: "a", Source: 0, Labels: []trainer.Label{{Source: 0}}}}}}
	w := newWatch(nil, prog, 1)
	it := features.Item{Kind: features.EventItem}
	b.ReportAllocs()
	for b.Loop() {
		it.Seq++
		it.Time++
		w.taken(&it)
		w.feature.end(it.Seq + 1)
	}
}

func BenchmarkFolded(b *testing.B) {
	t := &trainer.Trigger{Name: "a"}
	prog := &program.Program{Project: &project.Project{}, Program: &trainer.Program{Triggers: []*trainer.Trigger{t}, Sources: []features.Source{{Name: "a"}}}}
	w := newWatch(nil, prog, 1)
	e := fold.Entry{Kind: fold.Learn}
	b.ReportAllocs()
	for b.Loop() {
		e.Seq++
		e.Time += 1e6
		w.folded(t, &e)
	}
}
