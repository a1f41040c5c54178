package serving_test

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/serving/client"
)

func ready(t testing.TB) *rig {
	r := newRig(t)
	r.depart(-30*minute, "JFK", "N1", 10)
	r.depart(-10*minute, "JFK", "N2", 30)
	r.learn(200)
	return r
}

// P8: every answer says which version gave it, how old that is, and how old its features are.
func TestPredictSaysHowFreshItIs(t *testing.T) {
	r := ready(t)
	r.wall = start.Add(5 * time.Second)
	r.deps.Catalog.Models[0].MaxAge = time.Second
	c, _ := r.serve(client.Options{})
	got, err := c.Predict(t.Context(), ask("late", flight(nil)))
	r.ok(err)
	want := &freshetv1.PredictResponse{Model: "late", Version: &freshetv1.Version{Log: "flights.scheduled.1.log", Seq: 399},
		TrainedUntil: timestamppb.New(start), AsOf: timestamppb.New(r.wall), Stale: true,
		Predictions: []*freshetv1.Prediction{{PredictionId: "f1", NewestEvent: timestamppb.New(start.Add(-10 * time.Minute)),
			OldestEntity: timestamppb.New(start.Add(-30 * time.Minute)), Missing: 1}}}
	if d := cmp.Diff(want, got, protocmp.Transform(), protocmp.IgnoreFields(&freshetv1.Prediction{}, "probability"),
		protocmp.IgnoreFields(&freshetv1.PredictResponse{}, "model_age", "staleness")); d != "" {
		t.Error(d)
	}
	if age, stale := got.GetModelAge().AsDuration(), got.GetStaleness().AsDuration(); age != 5*time.Second || stale != 5*time.Second {
		t.Errorf("model age %v, staleness %v; want 5s each", age, stale)
	}
}

// An answer is what the snapshot says about the vector that the joiner would have made.
func TestPredictAnswersFromTheJoinersVector(t *testing.T) {
	r := ready(t)
	c, _ := r.serve(client.Options{})
	union := r.spec.Begin(nil)
	for i, key := range []string{"JFK", "N1"} {
		st := r.states.states[serving.EntityKey{Entity: i, Key: string(features.AppendKey(nil, key))}]
		r.programs[i].Read(r.spec.Part(union, i), st, start.UnixMicro())
	}
	r.spec.Finish(union, []features.Value{features.StringValue("f1"), features.StringValue("JFK"), features.StringValue("N1"), features.DoubleValue(500), {}, {}})
	if union[0] != 2 || union[1] != 20 || union[2] != 10 {
		t.Fatalf("vector %v: two departures, mean 20, last 10", union)
	}
	for _, name := range []string{"late", "late.static", "asked"} {
		snap, _ := r.board.Snapshot(name)
		row := snap.Project(nil, union)
		want := snap.Predictor.Predict(nil, &models.Example{Row: models.Row{Value: row}, Weight: 1})[0]
		got, err := c.Predict(t.Context(), ask(name, flight(nil)))
		r.ok(err)
		if p := got.GetPredictions()[0].GetProbability(); p != want {
			t.Errorf("%s: %v by entity, %v by vector", name, p, want)
		}
		if name == "asked" {
			continue
		}
		got, err = c.Predict(t.Context(), ask(name, &freshetv1.Row{Id: "v", Vector: row}))
		r.ok(err)
		if p := got.GetPredictions()[0]; p.GetProbability() != want || p.GetPredictionId() != "v" || p.GetNewestEvent() != nil {
			t.Errorf("%s: given vector: %v, want %v", name, p, want)
		}
	}
}

func TestPredictUnknownEntityIsNoError(t *testing.T) {
	r := ready(t)
	c, _ := r.serve(client.Options{})
	got, err := c.Predict(t.Context(), ask("late", flight(map[string]*freshetv1.Value{"origin": client.String("XXX"), "tail": client.Null()}),
		flight(map[string]*freshetv1.Value{"tail": nil})))
	r.ok(err)
	p := got.GetPredictions()
	if d := cmp.Diff([]string{"origin", "plane"}, p[0].GetNotFound()); d != "" || p[0].GetMissing() != 3 || p[0].GetNewestEvent() != nil {
		t.Errorf("unknown origin, null tail: %v, missing %d", p[0].GetNotFound(), p[0].GetMissing())
	}
	if d := cmp.Diff([]string{"plane"}, p[1].GetNotFound()); d != "" {
		t.Error("absent tail: ", d)
	}
}

func TestPredictMulticlass(t *testing.T) {
	r := ready(t)
	c, _ := r.serve(client.Options{})
	got, err := c.Predict(t.Context(), ask("kind", flight(nil)))
	r.ok(err)
	classes := got.GetPredictions()[0].GetClasses()
	sum, best := 0.0, &freshetv1.Class{}
	for _, k := range classes.GetClasses() {
		if sum += k.GetProbability(); k.GetProbability() > best.GetProbability() {
			best = k
		}
	}
	if len(classes.GetClasses()) != 3 || math.Abs(sum-1) > 1e-12 || best.GetName() != classes.GetBest() {
		t.Errorf("%v", classes)
	}
}

// P6: an answer is recomputed from its id: the log has the vector that was served and the version that
// answered, and folding the example log up to that version gives the same bits, whatever was learned since.
func TestAnyAnswerCanBeRecomputed(t *testing.T) {
	r := ready(t)
	c, _ := r.serve(client.Options{})
	answers := map[string]float64{}
	for i := range 20 {
		got, err := c.Predict(t.Context(), ask("asked", flight(map[string]*freshetv1.Value{"distance": client.Double(float64(100 * i))})))
		r.ok(err)
		answers[got.GetPredictions()[0].GetPredictionId()] = got.GetPredictions()[0].GetProbability()
		r.learn(3)
	}
	again := newRig(t)
	for _, rec := range r.log.served {
		for again.fold.Position() <= rec.Version {
			again.step()
		}
		snap, err := again.fold.Snapshot("asked")
		r.ok(err)
		if got := snap.Predictor.Predict(nil, &models.Example{Row: models.Row{Value: snap.Project(nil, rec.Vector)}, Weight: 1})[0]; snap.Seq != rec.Version || got != answers[rec.ID] {
			t.Errorf("%s: version %d answered %v; version %d says %v", rec.ID, rec.Version, answers[rec.ID], snap.Seq, got)
		}
		delete(answers, rec.ID)
	}
	if len(answers) > 0 {
		t.Errorf("not in the log: %v", answers)
	}
}

func TestAsOf(t *testing.T) {
	r := ready(t)
	r.depart(-10*second, "JFK", "N3", 90)
	c, _ := r.serve(client.Options{})
	missing := func(at time.Time) *freshetv1.GetFeaturesResponse {
		got, err := c.GetFeatures(t.Context(), &freshetv1.GetFeaturesRequest{Features: []string{"origin.flights"}, AsOf: timestamppb.New(at),
			Rows: []*freshetv1.EntityRow{{Keys: map[string]*freshetv1.Value{"origin": client.String("JFK")}}}})
		r.ok(err)
		return got
	}
	for at, want := range map[time.Duration]float64{0: 3, -20 * time.Second: 2, 31 * time.Minute: 2, 2 * time.Hour: 0} {
		if v := missing(start.Add(at)).GetColumns()[0].GetValues()[0].GetDouble(); v != want {
			t.Errorf("at %v: %v flights, want %v", at, v, want)
		}
	}
	req := ask("late", flight(nil))
	req.AsOf = timestamppb.New(start.Add(-2 * time.Minute))
	if _, err := c.Predict(t.Context(), req); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "2013-07-01T11:58:50Z") {
		t.Errorf("too far back: %v", err)
	}
}

func TestClockOfEventsAsksAtTheHead(t *testing.T) {
	r := ready(t)
	r.catalog.EventsClock = true
	r.wall = start.AddDate(10, 0, 0)
	c, _ := r.serve(client.Options{})
	got, err := c.Predict(t.Context(), ask("late", flight(nil)))
	r.ok(err)
	if at := got.GetAsOf().AsTime(); !at.Equal(start.Add(-10 * time.Minute)) {
		t.Errorf("as of %v, want the head", at)
	}
}

// What an on: request model answers from is in the log before the answer, bit for bit.
func TestRequestModelLogsWhatItServed(t *testing.T) {
	r := ready(t)
	c, _ := r.serve(client.Options{})
	got, err := c.Predict(t.Context(), ask("asked", flight(nil), flight(map[string]*freshetv1.Value{"distance": client.Int(100)})))
	r.ok(err)
	if len(r.log.served) != 2 {
		t.Fatalf("%d records", len(r.log.served))
	}
	for i, rec := range r.log.served {
		p := got.GetPredictions()[i]
		if rec.ID != p.GetPredictionId() || rec.ID == "" || rec.Model != "asked" || rec.Answer[0] != p.GetProbability() ||
			rec.Version != got.GetVersion().GetSeq() || rec.At != start.UnixMicro() || len(rec.Vector) != r.spec.Width() {
			t.Errorf("record %d: %+v, answer %v", i, rec, p)
		}
	}
	if r.log.served[0].Vector[3] != 500 || r.log.served[1].Vector[3] != 100 || r.log.served[0].ID == r.log.served[1].ID {
		t.Errorf("vectors %v", r.log.served)
	}
	if f := r.log.served[0].Fields(nil); len(f) != len(features.PlainSources()[0].Fields) || len(f[features.ServedVector].Str()) != 8*r.spec.Width() {
		t.Errorf("fields %v", f)
	}
	r.log.err = errAway
	if _, err = c.Predict(t.Context(), ask("asked", flight(nil))); status.Code(err) != codes.Unavailable {
		t.Errorf("log away: %v", err)
	}
}

func TestAsyncLogLosesAndCountsButNeverWaits(t *testing.T) {
	r := ready(t)
	r.catalog.Models[2].Async = true
	r.config.LogQueue = 2
	r.log.hold, r.log.entered = make(chan struct{}), make(chan struct{}, 16)
	c, _, stop := r.serveUntil(client.Options{})
	send := func() {
		_, err := c.Predict(t.Context(), ask("asked", flight(nil)))
		r.ok(err)
	}
	send()
	<-r.log.entered // the writer holds one
	for range 5 {
		send() // two wait, three are lost
	}
	if n := counter(t, r, "freshet_prediction_log_dropped_total"); n != 3 {
		t.Errorf("%v lost, want 3", n)
	}
	close(r.log.hold)
	r.ok(stop())
	if len(r.log.served) != 3 {
		t.Errorf("%d logged, want 3", len(r.log.served))
	}
}

func counter(t testing.TB, r *rig, name string) float64 {
	t.Helper()
	families, err := r.metrics.Gather()
	r.ok(err)
	for _, f := range families {
		if f.GetName() == name {
			sum := 0.0
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
			return sum
		}
	}
	return 0
}

// P5: while another goroutine publishes as fast as it can, every answer of a call comes from one
// version: recomputing it from the version that is named gives the same bits.
func TestAnswersComeFromOneVersion(t *testing.T) {
	r := ready(t)
	c, _ := r.serve(client.Options{})
	var mu sync.Mutex
	byVersion := map[uint64]*fold.Snapshot{}
	snap, _ := r.board.Snapshot("late")
	byVersion[snap.Seq] = snap
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			default:
			}
			r.step()
			s, err := r.fold.Snapshot("late")
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			byVersion[s.Seq] = s
			mu.Unlock()
			r.board.Publish("late", s, start)
		}
	}()
	row := []float64{3, 12, 7, 400, math.NaN(), 6}
	rows := make([]*freshetv1.Row, 64)
	for i := range rows {
		rows[i] = &freshetv1.Row{Id: "x", Vector: row}
	}
	versions := map[uint64]bool{}
	for range 200 {
		got, err := c.Predict(t.Context(), ask("late", rows...))
		r.ok(err)
		mu.Lock()
		s := byVersion[got.GetVersion().GetSeq()]
		mu.Unlock()
		want := s.Predictor.Predict(nil, &models.Example{Row: models.Row{Value: row}, Weight: 1})[0]
		for i, p := range got.GetPredictions() {
			if p.GetProbability() != want {
				t.Fatalf("version %d, row %d: %v, recomputed %v", s.Seq, i, p.GetProbability(), want)
			}
		}
		versions[s.Seq] = true
	}
	close(quit)
	<-done
	if len(versions) < 2 {
		t.Errorf("only %d versions answered; the test saw no change", len(versions))
	}
}

func TestStreamAnswersInOrderAndSurvivesErrors(t *testing.T) {
	r := ready(t)
	c, _ := r.serve(client.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, err := c.PredictStream(ctx)
	r.ok(err)
	for i, model := range []string{"late", "nope", "late"} {
		r.ok(s.Send(&freshetv1.PredictStreamRequest{Sequence: uint64(i + 7), Request: ask(model, flight(nil))}))
	}
	r.ok(s.CloseSend())
	for i := range 3 {
		got, err := s.Recv()
		r.ok(err)
		if got.GetSequence() != uint64(i+7) || (got.GetError().GetCode() == "NOT_FOUND") != (i == 1) || (got.GetResponse() == nil) != (i == 1) {
			t.Errorf("answer %d: %v", i, got)
		}
	}
	if _, err := s.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("end: %v", err)
	}
}
