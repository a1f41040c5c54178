package serving_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/models/drift"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/models/metric"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/serving/client"
)

// watched is an Insight that notes what it is told to do.
type watched struct {
	verbs []string
	err   error
}

func (w *watched) Lineage() *freshetv1.LineageResponse {
	return &freshetv1.LineageResponse{Nodes: []*freshetv1.LineageNode{{Id: "source:departed"}}}
}

func (w *watched) DeadLetters(_ context.Context, source, _ string, limit int) (*freshetv1.DeadLettersResponse, error) {
	return &freshetv1.DeadLettersResponse{Total: uint64(limit), Letters: []*freshetv1.DeadLetter{{Source: source}}}, w.err
}

func (w *watched) Recent() []*freshetv1.RecentEvent { return nil }

func (w *watched) Control(_ context.Context, model, verb string) error {
	w.verbs = append(w.verbs, verb+" "+model)
	return w.err
}

// The history of a model is the scores of what was folded, and the bands and marks that go with it.
func TestHistoryTellsWhatWasScored(t *testing.T) {
	r := newRig(t)
	r.deps.Curves = serving.NewCurves()
	sum, n := map[string]float64{}, map[string]uint64{}
	r.fold.OnScored(func(s *fold.Scoring) {
		sum[s.Model.Name] += s.Loss
		n[s.Model.Name]++
		r.deps.Curves.Scored(s)
		r.deps.Curves.Scored(s) // a session that folds an entry again
	})
	r.learn(400)
	score, _ := r.fold.Score("late")
	r.board.Score("late", &serving.Scored{Score: score})
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	h, err := s.History(t.Context(), &freshetv1.HistoryRequest{Model: "late"})
	r.ok(err)
	if len(h.Members) != 2 || h.Members[0].Name != "late" || h.Members[1].Of != "late" {
		t.Fatalf("members %v", h.Members)
	}
	for _, m := range h.Members {
		if len(m.Points) != 1 || m.Points[0].Labels != n[m.Name] || m.Points[0].Scores[0].Name != "log_loss" {
			t.Fatalf("%s: points %v, want one of %d labels", m.Name, m.Points, n[m.Name])
		}
		if got, want := m.Points[0].Scores[0].Value, sum[m.Name]/float64(n[m.Name]); got-want > 1e-9 || want-got > 1e-9 {
			t.Errorf("%s: log-loss %v, want %v", m.Name, got, want)
		}
	}
	labels := 0.0
	for _, b := range h.Members[0].Calibration {
		labels += b.Labels
	}
	if labels != float64(n["late"]) {
		t.Errorf("calibration over %v labels, want %d", labels, n["late"])
	}
	for _, bad := range []*freshetv1.HistoryRequest{{Model: "nobody"}, {Points: 401}} {
		if _, err := s.History(t.Context(), bad); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

func TestCurvesAreBounded(t *testing.T) {
	c := serving.NewCurves()
	m := &fold.Member{Name: "late"}
	for i := range 5000 {
		c.Scored(&fold.Scoring{Model: m, Seq: uint64(i), Taken: int64(i) * 3600e6, Loss: 1, Answer: []float64{0.5}, Changed: true, Warned: true, Rose: true})
		c.Window("scheduled", int64(i), make([]drift.Score, 3))
	}
	r := newRig(t)
	r.deps.Curves = c
	r.board.Drift("scheduled", &serving.Drifted{})
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	h, err := s.History(t.Context(), &freshetv1.HistoryRequest{Model: "late", Points: 400})
	r.ok(err)
	d, err := s.Distributions(t.Context(), &freshetv1.DistributionsRequest{})
	r.ok(err)
	if points, marks, windows := len(h.Members[0].Points), len(h.Members[0].Marks), len(d.Triggers[0].Windows); points > metric.DefaultSteps || marks != 500 || windows != 200 {
		t.Errorf("%d points, %d marks, %d windows", points, marks, windows)
	}
	if warnings := h.Members[0].Warnings; len(warnings) != 500 || !warnings[499].Rose || warnings[499].At.AsTime().UnixMicro() != 4999*3600e6 {
		t.Errorf("%d warnings", len(warnings))
	}
	if newest := d.Triggers[0].Windows[199].Until.AsTime().UnixMicro(); newest != 4999 {
		t.Errorf("newest window ends at %d", newest)
	}
}

func TestControl(t *testing.T) {
	r := newRig(t)
	w := &watched{}
	r.deps.Insight = w
	_, web := r.serve(client.Options{})
	for body, want := range map[string]int{`{"model": "late", "verb": "freeze"}`: 200, `{"model": "late", "verb": "drop"}`: 400, `{"model": "nobody", "verb": "thaw"}`: 404} {
		if code, text := call(t, "POST", web+"/v1/control", body, ""); code != want {
			t.Errorf("%s: %d %s, want %d", body, code, text, want)
		}
	}
	req, _ := http.NewRequestWithContext(t.Context(), "POST", web+"/v1/control", strings.NewReader(`{"model": "late", "verb": "thaw"}`))
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	r.ok(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden || len(w.verbs) != 1 || w.verbs[0] != "freeze late" {
		t.Errorf("from another site: %d; done: %v", resp.StatusCode, w.verbs)
	}
	w.err = errors.New("broker away: canary")
	if code, text := call(t, "GET", web+"/v1/deadletters", "", ""); code != 503 || strings.Contains(text, "canary") {
		t.Errorf("broker away: %d %s", code, text)
	}
	if code, _ := call(t, "GET", web+"/v1/deadletters?limit=101", "", ""); code != 400 {
		t.Errorf("limit: %d", code)
	}
}

func TestWithoutInsight(t *testing.T) {
	r := newRig(t)
	_, web := r.serve(client.Options{})
	for _, path := range []string{"/v1/lineage", "/v1/deadletters", "/v1/recent"} {
		if code, text := call(t, "GET", web+path, "", ""); code != 405 || !strings.Contains(text, "hint") {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
}

// listen opens an event stream and returns its status and its next event.
func listen(t *testing.T, web, token string) (int, func() (string, map[string]any), func()) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", web+"/v1/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	next := func() (name string, data map[string]any) {
		for lines.Scan() {
			switch line := lines.Text(); {
			case strings.HasPrefix(line, "event: "):
				name = line[len("event: "):]
			case strings.HasPrefix(line, "data: "):
				if err := json.Unmarshal([]byte(line[len("data: "):]), &data); err != nil {
					t.Fatal(err)
				}
			case line == "":
				return name, data
			}
		}
		return "end", nil
	}
	return resp.StatusCode, next, func() { resp.Body.Close() }
}

func TestLiveSendsOverviewsUntilTheServerStops(t *testing.T) {
	r := newRig(t)
	r.config.Tokens = tokens(allScopes, "secret")
	r.deps.Now = time.Now
	r.learn(10)
	_, web, stop := r.serveUntil(client.Options{Token: "secret"})
	if code, _, done := listen(t, web, "wrong"); code != http.StatusUnauthorized {
		t.Errorf("wrong token: %d", code)
	} else {
		done()
	}
	code, next, done := listen(t, web, "secret")
	defer done()
	name, first := next()
	if code != 200 || name != "overview" || len(first["models"].([]any)) != 4 || first["grpc_address"] == "" {
		t.Fatalf("%d %s %v", code, name, first)
	}
	if _, second := next(); second["at"] == first["at"] {
		t.Error("the second event says the same as the first")
	} else if rates := second["rates"].([]any); len(rates[0].(map[string]any)["per_second"].([]any)) != 1 {
		t.Errorf("rates %v: want one sample after two looks", rates[0])
	}
	r.ok(stop())
	if name, _ := next(); name != "end" {
		t.Errorf("after the end of the server: %s", name)
	}
}

func TestListenersAreBounded(t *testing.T) {
	r := newRig(t)
	_, web := r.serve(client.Options{})
	for range 32 {
		code, next, done := listen(t, web, "")
		defer done()
		if name, _ := next(); code != 200 || name != "overview" {
			t.Fatalf("%d %s", code, name)
		}
	}
	code, _, done := listen(t, web, "")
	done()
	if code != http.StatusTooManyRequests {
		t.Errorf("the 33rd listener: %d", code)
	}
	if code, _ := call(t, "GET", web+"/v1/overview", "", ""); code != 200 {
		t.Errorf("overview beside the listeners: %d", code)
	}
}
