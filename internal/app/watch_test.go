package app_test

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
)

// started is a running service with ports and checkpoints.
type started struct {
	*app.Service
	t   testing.TB
	ctx context.Context
}

func start(t testing.TB, prog *program.Program) *started {
	t.Helper()
	p := prog.Project
	if p.Serving.HTTP = "127.0.0.1:0"; p.Serving.GRPC != "127.0.0.1:0" { // unless the test wants it
		p.Serving.GRPC = "off"
	}
	p.Checkpoints.URL, p.Checkpoints.Every, p.Checkpoints.Keep = "file://"+t.TempDir(), 300*time.Millisecond, 1000
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	s, err := app.NewService(ctx, prog, app.ServiceOptions{Features: true, Trainer: true, Serve: true, Build: "test", DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.App.EnsureSources(ctx); err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- s.Run(running) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &started{Service: s, t: t, ctx: ctx}
}

// scored reports whether the versions and the scores of all models are those behind the last entry of their log,
// which must be complete.
func (s *started) scored() bool {
	p, _ := s.App.Progress()
	for _, trigger := range s.App.Program().Triggers {
		for i := range trigger.Members {
			name, last := trigger.Members[i].Name, p.Joiners[trigger.Name].Entries-1
			snap, ok := s.Board.Snapshot(name)
			if sc := s.Board.Scored(name); !ok || snap.Seq != last || sc == nil || sc.Seq != last {
				return false
			}
		}
	}
	return true
}

func (s *started) call(method, path, body string) string {
	s.t.Helper()
	_, address := s.Addresses()
	req, err := http.NewRequestWithContext(s.ctx, method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %s: %d %s %v", method, path, r.StatusCode, b, err)
	}
	return string(b)
}

// values reads all records of a plain topic.
func (s *started) values(topic string) [][]byte {
	s.t.Helper()
	log, err := stage.OpenLog(s.Transport, topic, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	end, err := log.End(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	var out [][]byte
	if err := log.Scan(s.ctx, 0, end, func(_ int64, r []byte) error { out = append(out, r); return nil }); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// metric returns the sum of the samples of a metric with these labels.
func metric(text, name string, labels ...string) float64 {
	sum := math.NaN()
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), name)
		if !ok || rest[0] != '{' && rest[0] != ' ' || slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(rest, l) }) {
			continue
		}
		v, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if err != nil {
			continue
		}
		if math.IsNaN(sum) {
			sum = 0
		}
		sum += v
	}
	return sum
}

// TestWatchingARun looks at a run of some days of flights from all sides.
func TestWatchingARun(t *testing.T) {
	prog := compiled(t, 1)
	s := start(t, prog)
	produce(t, prog, 7, s.Transport) // fewer have not enough examples for drift
	if err := s.App.Wait(s.ctx, s.App.Finished); err != nil {
		t.Fatal(err)
	}
	for !s.scored() { // half a second after the end
		if pause(s.ctx, 20*time.Millisecond); s.ctx.Err() != nil {
			t.Fatal("the last scores were never published")
		}
	}
	p, _ := s.App.Progress()
	stats := p.Joiners["scheduled"].Stats
	t.Run("metrics", func(t *testing.T) { s.checkMetrics(t, float64(stats.Predicted), float64(stats.Learned)) })
	t.Run("predictions", func(t *testing.T) { s.checkPredictions(t, int(stats.Predicted)) })
	t.Run("attestations", s.checkAttestations)
	t.Run("status", s.checkStatus)
	t.Run("drift", s.checkDrift)
	t.Run("audit", s.checkAudit)
	for now := time.Now(); s.Board.Confirmed("late").Before(now); pause(s.ctx, 20*time.Millisecond) { // a quiet log leaves nothing stale
		if s.ctx.Err() != nil {
			t.Fatal("the versions were never confirmed")
		}
	}
}

func (s *started) checkMetrics(t *testing.T, examples, labels float64) {
	text := s.call("GET", "/metrics", "")
	for _, c := range []struct {
		name   string
		labels string
		least  float64
		most   float64
	}{
		{"freshet_events_total", `source="scheduled"`, examples, examples},
		{"freshet_source_lag_records", `source="scheduled"`, 0, 0},
		{"freshet_project_info", `clock="events"`, 1, 1},
		{"freshet_build_info", `build="test"`, 1, 1},
		{"freshet_role", `project="flights"`, 3, 3},
		{"freshet_serving_ready", "", 1, 1},
		{"freshet_recent_loss", `model="late"`, 0.01, 1},
		{"freshet_feature_head_timestamp_seconds", `entity="origin"`, 1.35e9, 1.4e9},
		{"freshet_sequencer_queued_records", "", 0, 0},
		{"freshet_head_timestamp_seconds", "", 1.35e9, 1.4e9},
		{"freshet_watermark_timestamp_seconds", "", 1.35e9, 1.4e9},
		{"freshet_skewed_examples_ratio", `source="scheduled"`, 0, 0.01},
		{"freshet_feature_lag_seconds", `entity="origin"`, 0, 0},
		{"freshet_feature_freshness_seconds_count", "", 1, math.Inf(1)},
		{"freshet_commit_duration_seconds_count", "", 1, math.Inf(1)},
		{"freshet_commit_entities_sum", "", 100, math.Inf(1)},
		{"freshet_examples_total", `trigger="scheduled"`, examples, examples},
		{"freshet_examples_pending", `trigger="scheduled"`, 0, 2000},
		{"freshet_label_join_total", `outcome="joined"`, labels, labels},
		{"freshet_label_join_ratio", `trigger="scheduled"`, 0.8, 1},
		{"freshet_label_delay_seconds_count", `trigger="scheduled"`, labels, labels},
		{"freshet_learn_events_total", `model="late"`, labels, labels},
		{"freshet_prequential_loss", `metric="roc_auc",model="late"`, 0.5, 1},
		{"freshet_model_freshness_seconds_count", `model="late"`, 1, math.Inf(1)},
		{"freshet_model_state_bytes", `model="late"`, 100, math.Inf(1)},
		{"freshet_model_dropped_total", `what="experts_dropped"`, 0, math.Inf(1)},
		{"freshet_model_version", `model="late"`, examples, math.Inf(1)},
		{"freshet_checkpoint_duration_seconds_count", `stage="learner"`, 1, math.Inf(1)},
		{"freshet_checkpoint_duration_seconds_count", `stage="joiner"`, 1, math.Inf(1)},
		{"freshet_stage_running", "", 4, 4},
		{"freshet_stage_lag_records", `stage="learner"`, 0, 0},
	} {
		if v := metric(text, c.name, c.labels); !(v >= c.least && v <= c.most) {
			t.Errorf("%s{%s} = %v, want %v to %v", c.name, c.labels, v, c.least, c.most)
		}
	}
	if v := metric(text, "freshet_stage_restarts_total"); v != 0 {
		t.Errorf("%v stages were started again", v)
	}
}

func (s *started) checkPredictions(t *testing.T, examples int) {
	want := map[uint64][]float64{}
	s.folded(t, func(f *fold.Fold) {
		f.OnAnswer(func(m *fold.Member, e *fold.Entry, answer []float64) {
			if m.Name == "late" {
				want[e.Seq] = slices.Clone(answer)
			}
		})
	}, nil)
	got := map[uint64]bool{}
	for _, b := range s.values("flights.late.predictions") {
		var r app.Prediction
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if len(r.Answer) != 1 || math.Float64bits(r.Answer[0]) != math.Float64bits(want[r.Seq][0]) || r.ID == "" || r.EventTime.Year() != 2013 && r.EventTime.Year() != 2012 {
			t.Fatalf("%s: the log says %v", b, want[r.Seq])
		}
		got[r.Seq] = true
	}
	if len(got) != examples {
		t.Errorf("%d predictions of %d examples", len(got), examples)
	}
}

// folded folds the example log from its beginning.
func (s *started) folded(t *testing.T, prepare func(*fold.Fold), visit func(f *fold.Fold)) {
	t.Helper()
	trigger := s.App.Program().Triggers[0]
	f, err := fold.New(trigger.Vector.Schema, trigger.Members)
	if err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(f)
	}
	p, _ := s.App.Progress()
	err = s.App.EachEntry(s.ctx, trigger.Name, p.Joiners[trigger.Name].Entries, func(e *fold.Entry) error {
		if err := f.Apply(e); err != nil {
			return err
		}
		if visit != nil {
			visit(f)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *started) checkAttestations(t *testing.T) {
	said := map[uint64][]app.Attestation{}
	for _, b := range s.values("flights.hashes") {
		var a app.Attestation
		if err := json.Unmarshal(b, &a); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		said[a.Seq] = append(said[a.Seq], a)
	}
	checked := 0
	s.folded(t, nil, func(f *fold.Fold) {
		for _, a := range said[f.Position()-1] {
			h, ok := f.Hashes(a.Model)
			if !ok || h.Weights != a.Weights || h.Scores != a.Scores || a.Build != "test" || a.Arch == "" {
				t.Errorf("%+v is attested, the fold says %+v", a, h)
			}
			checked++
		}
	})
	if models := len(s.App.Program().Triggers[0].Members); checked < models {
		t.Errorf("%d attestations for %d models", checked, models)
	}
}

func (s *started) checkStatus(t *testing.T) {
	text := s.call("GET", "/v1/status", "")
	var st struct {
		Ready   bool
		Sources []struct {
			Name     string
			Accepted uint64
			Newest   time.Time
			Lag      uint64
		}
		Triggers []struct {
			Name       string
			LabelDelay string `json:"label_delay"`
		}
	}
	if err := json.Unmarshal([]byte(text), &st); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(st.Sources, func(x struct {
		Name     string
		Accepted uint64
		Newest   time.Time
		Lag      uint64
	}) bool {
		return x.Name == "arrived"
	})
	if i < 0 || st.Sources[i].Accepted == 0 || st.Sources[i].Newest.Year() != 2013 || st.Sources[i].Lag != 0 {
		t.Errorf("sources: %+v", st.Sources)
	}
	if d, err := time.ParseDuration(st.Triggers[0].LabelDelay); err != nil || d < time.Hour || d > 12*time.Hour {
		t.Errorf("median label delay %q: %v; an hour before departure to landing is some hours", st.Triggers[0].LabelDelay, err)
	}
}

func (s *started) checkDrift(t *testing.T) {
	d := s.Board.Drifted("scheduled")
	if d == nil || d.Reference != 5000 || d.Window != 2000 {
		t.Fatalf("drift of the features: %+v", d)
	}
	if columns := len(s.App.Program().Triggers[0].Vector.Schema.Columns); d.Windows > 0 && len(d.Scores) != columns {
		t.Errorf("%d scores of %d columns", len(d.Scores), columns)
	}
	text := s.call("GET", "/v1/drift?top=3", "")
	if !strings.Contains(text, `"reference":5000`) || !strings.Contains(text, `"measure":"log_loss"`) {
		t.Errorf("drift: %s", text)
	}
}

func (s *started) checkAudit(t *testing.T) {
	all := s.values("flights.late.predictions")
	for _, at := range []int{0, len(all) / 2, len(all) - 1} {
		var r app.Prediction
		if err := json.Unmarshal(all[at], &r); err != nil {
			t.Fatal(err)
		}
		a, err := s.App.Audit(s.ctx, "", r.ID)
		if err != nil {
			t.Fatal(err)
		}
		if a.Logged == nil || !a.Logged.Equal || len(a.Answer) != 1 || a.Answer[0] != r.Answer[0] || a.Example.Seq != r.Seq || a.Event != r.Event {
			t.Errorf("%s is audited as %v", all[at], a)
		}
		if len(a.Vector) != len(s.App.Program().Triggers[0].Members[0].Columns) || a.Vector[0].Name == "" {
			t.Errorf("vector of %d columns", len(a.Vector))
		}
		if at == len(all)/2 {
			if a.Label == nil || a.Label.Delay.AsDuration() < 30*time.Minute || a.TrainedUntil == nil || a.FoldedFrom+a.Folded != r.Seq+1 {
				t.Errorf("label %v, trained until %v, folded %d from %d", a.Label, a.TrainedUntil, a.Folded, a.FoldedFrom)
			}
		}
	}
	if _, err := s.App.Audit(s.ctx, "late", "nobody"); err == nil || err != serving.ErrNoPrediction {
		t.Errorf("an id that was never used: %v", err)
	}
	if a, err := s.App.Audit(s.ctx, "late.static", func() string { var r app.Prediction; _ = json.Unmarshal(all[5], &r); return r.ID }()); err != nil || a.Logged != nil || len(a.Answer) != 1 {
		t.Errorf("audit of a challenger: %v %v", a, err)
	}
}

const asks = `version: 1
project: asks
clock: wall
sources:
  paid:
    time: at
    fields: {user: string, at: time, amount: double}
features:
  user:
    key: user
    spent: {sum: paid.amount, over: 24h}
models:
  fraud:
    task: binary
    on: request
    use: [user.*, request.amount]
    request: {user: string, amount: double}
    label: {from: feedback, wait: 1h}
    pipeline: [standard_scaler, logistic_regression]
`

// TestAuditOfServedAnswers asks for answers and computes them again.
func TestAuditOfServedAnswers(t *testing.T) {
	p, err := project.Parse("freshet.yaml", []byte(asks), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, prog)
	cl, err := s.Transport.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	now := time.Now().UTC().Format(time.RFC3339Nano)
	if err := cl.ProduceSync(s.ctx, &kgo.Record{Topic: "paid", Value: []byte(`{"user":"ann","at":"` + now + `","amount":12.5}`)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	wait := func(until func(*app.Progress) bool) {
		t.Helper()
		if err := s.App.Wait(s.ctx, until); err != nil {
			t.Fatal(err)
		}
	}
	wait(func(p *app.Progress) bool { return p.Sequencer.Items > 0 && s.App.CaughtUp(p) })
	for i := range 20 {
		id := "a" + strconv.Itoa(i)
		var r struct {
			Predictions []struct{ Probability float64 }
		}
		answer := s.call("POST", "/v1/predict", `{"model":"fraud","rows":[{"id":"`+id+`","fields":{"user":"ann","amount":`+strconv.Itoa(i)+`}}]}`)
		if err := json.Unmarshal([]byte(answer), &r); err != nil {
			t.Fatal(err)
		}
		s.call("POST", "/v1/feedback", `{"model":"fraud","labels":[{"predictionId":"`+id+`","value":`+strconv.Itoa(i%2)+`}]}`)
		wait(func(p *app.Progress) bool { return p.Joiners["fraud"].Stats.Learned > uint64(i) && s.App.CaughtUp(p) })
		var a *freshetv1.AuditResponse
		if a, err = s.App.Audit(s.ctx, "", id); err != nil {
			t.Fatal(err)
		}
		if a.Served == nil || !a.Served.Equal || a.Served.Answer[0] != r.Predictions[0].Probability || a.Label == nil || a.Label.Value != float64(i%2) {
			t.Fatalf("answer %s is audited as %v", answer, a)
		}
		if i == 3 && a.Vector[1].Value != 3 && a.Vector[0].Value != 3 {
			t.Errorf("vector %v", a.Vector)
		}
	}
}
