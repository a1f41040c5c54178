package serving_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
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
		{Feature: "a", Measure: "ks", Value: 0.3, Threshold: 0.4, Alert: 0.5}, {Feature: "b", Measure: "psi", Value: 0.2, Threshold: 0.1, Alert: 0.25, Drifted: true, Missing: 0.5, Other: 0.25}}})
	r.board.Score("late", &serving.Scored{Score: fold.Score{Loss: 0.4, Window: 96, Watched: "error",
		Said: fold.Said{Detector: "ddm", Level: fold.Warning, Rose: true, At: 5e6, Changes: 2, ChangedAt: 3e6, ChangeUp: true, Warnings: 4}}})
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	d, err := s.Drift(context.Background(), &freshetv1.DriftRequest{Top: 1})
	r.ok(err)
	if len(d.Triggers) != 1 || d.Triggers[0].Drifted != 1 || len(d.Triggers[0].Features) != 1 || d.Triggers[0].Features[0].Name != "b" ||
		d.Triggers[0].Features[0].Unseen != 0.25 || d.Triggers[0].Features[0].Measure != "psi" || d.Triggers[0].Features[0].Alert != 0.25 || d.Triggers[0].Window != 2000 {
		t.Errorf("drift of features: %v", d.Triggers)
	}
	if len(d.Models) != 1 || d.Models[0].Changes != 2 || d.Models[0].Measure != "error" || !d.Models[0].Rose || d.Models[0].Window != 96 {
		t.Errorf("drift of models: %v", d.Models)
	}
	if m := d.Models[0]; m.Detector != "ddm" || m.Level != "warning" || m.Direction != "up" || m.At.AsTime().Unix() != 5 || m.ChangedAt.AsTime().Unix() != 3 || m.Warnings != 4 {
		t.Errorf("what the detector says: %v", m)
	}
	if code, body := r.call("/v1/models/late"); code != 200 || !strings.Contains(body, `"drift":{"at":"1970-01-01T00:00:05Z","changed_at":"1970-01-01T00:00:03Z","changes":2,"detector":"ddm","direction":"up","level":"warning"`) {
		t.Errorf("%d %s", code, body)
	}
	r.board.Score("late", &serving.Scored{Score: fold.Score{Watched: "log_loss", Said: fold.Said{Detector: "adwin", At: features.NoTime, ChangedAt: features.NoTime}}})
	if d, err = s.Drift(t.Context(), &freshetv1.DriftRequest{}); err != nil || d.Models[0].Level != "none" || d.Models[0].Direction != "" || d.Models[0].At != nil || d.Models[0].ChangedAt != nil {
		t.Errorf("a detector that has said nothing: %v, %v", d, err)
	}
	if code, body := r.call("/v1/drift?trigger=scheduled&top=2"); code != 200 || !strings.Contains(body, `"alert":0.5,"drifted":false,"measure":"ks","missing":0,"name":"a","score":0.3,"threshold":0.4`) {
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
