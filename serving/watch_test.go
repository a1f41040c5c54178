package serving_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/models/drift"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
)

func (r *rig) call(path string) (int, string) {
	r.t.Helper()
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	w := httptest.NewRecorder()
	s.Handler(nil).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestDriftRanksFeaturesByScoreOverThreshold(t *testing.T) {
	r := newRig(t)
	r.board.Drift("scheduled", &serving.Drifted{Reference: 5000, Window: 2000, Windows: 3, Scores: []drift.Score{
		{Feature: "a", PSI: 0.3, Threshold: 0.4}, {Feature: "b", PSI: 0.2, Threshold: 0.1, Drifted: true, Missing: 0.5, Other: 0.25}}})
	r.board.Score("late", &serving.Scored{Score: fold.Score{Drifts: 2, Loss: 0.4, Window: 96, Rose: true}})
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	d, err := s.Drift(context.Background(), &freshetv1.DriftRequest{Top: 1})
	r.ok(err)
	if len(d.Triggers) != 1 || d.Triggers[0].Drifted != 1 || len(d.Triggers[0].Features) != 1 || d.Triggers[0].Features[0].Name != "b" ||
		d.Triggers[0].Features[0].Unseen != 0.25 || d.Triggers[0].Window != 2000 {
		t.Errorf("drift of features: %v", d.Triggers)
	}
	if len(d.Models) != 1 || d.Models[0].Changes != 2 || d.Models[0].Measure != "log_loss" || !d.Models[0].Rose || d.Models[0].Window != 96 {
		t.Errorf("drift of models: %v", d.Models)
	}
	if code, body := r.call("/v1/drift?trigger=scheduled&top=2"); code != 200 || !strings.Contains(body, `"score":0.3`) {
		t.Errorf("%d %s", code, body)
	}
	if code, body := r.call("/v1/drift?trigger=nothing"); code != 404 || !strings.Contains(body, "nothing") {
		t.Errorf("%d %s", code, body)
	}
}

func TestBarredModelsStayOut(t *testing.T) {
	r := newRig(t)
	b := serving.NewBoard("m")
	b.Publish("m", &fold.Snapshot{}, r.wall)
	b.Bar("m")
	b.Publish("m", &fold.Snapshot{Seq: 9}, r.wall)
	if _, ok := b.Snapshot("m"); ok {
		t.Error("a barred model answers")
	}
}

type auditor struct{ err error }

func (a auditor) Audit(_ context.Context, model, id string) (*freshetv1.AuditResponse, error) {
	return &freshetv1.AuditResponse{Id: id, Model: model, Answer: []float64{0.5}}, a.err
}

func TestAudit(t *testing.T) {
	for _, c := range []struct {
		path string
		by   serving.Auditor
		code int
		body string
	}{
		{"/v1/audit/UA1?model=late", auditor{}, 200, `"model":"late"`},
		{"/v1/audit/UA1", nil, 409, "cannot read the logs"},
		{"/v1/audit/UA1?model=lat", auditor{}, 404, "lat"},
		{"/v1/audit/UA1", auditor{fmt.Errorf("log: %w", serving.ErrNoPrediction)}, 404, "UA1"},
		{"/v1/audit/UA1", auditor{serving.ErrManyPredictions}, 400, "name the model"},
		{"/v1/audit/" + strings.Repeat("x", 300), auditor{}, 400, "id"},
	} {
		r := newRig(t)
		r.deps.Audit = c.by
		if code, body := r.call(c.path); code != c.code || !strings.Contains(body, c.body) {
			t.Errorf("%.40s: %d %s, want %d with %s", c.path, code, body, c.code, c.body)
		}
	}
}
