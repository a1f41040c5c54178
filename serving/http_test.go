package serving_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/serving/client"
)

// call makes an HTTP request and returns status and body.
func call(t testing.TB, method, url, body, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "close")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func parse(t testing.TB, text string) (v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// The JSON of the API is what people write and read, and says the same as gRPC.
func TestJSONSaysWhatGRPCSays(t *testing.T) {
	r := ready(t)
	c, web := r.serve(client.Options{})
	code, body := call(t, "POST", web+"/v1/predict", `{"model": "late", "rows": [
		{"fields": {"id": "f1", "origin": "JFK", "tail": null, "distance": 500, "seats": 100.0, "at": "2013-07-01T12:00:00Z"}},
		{"id": "v", "vector": [2, 20, null, 500, "NaN", 6.2]}]}`, "")
	if code != 200 {
		t.Fatalf("%d: %s", code, body)
	}
	got, err := c.Predict(t.Context(), ask("late", flight(map[string]*freshetv1.Value{"tail": client.Null(), "seats": client.Int(100), "at": client.Time(start)}),
		&freshetv1.Row{Id: "v", Vector: []float64{2, 20, math.NaN(), 500, math.NaN(), 6.2}}))
	r.ok(err)
	p := got.GetPredictions()
	want := map[string]any{"model": "late", "version": map[string]any{"log": "flights.scheduled.1.log", "seq": 399.0}, "trained_until": "2013-07-01T12:00:00Z",
		"model_age": "0s", "staleness": "0s", "as_of": "2013-07-01T12:00:00Z", "held": false, "stale": false, "predictions": []any{
			map[string]any{"prediction_id": "f1", "probability": p[0].GetProbability(), "newest_event": "2013-07-01T11:50:00Z", "oldest_entity": "2013-07-01T11:50:00Z",
				"not_found": []any{"plane"}, "missing": 1.0},
			map[string]any{"prediction_id": "v", "probability": p[1].GetProbability(), "not_found": []any{}, "missing": 2.0}}}
	if d := cmp.Diff(want, parse(t, body)); d != "" {
		t.Error(d)
	}
}

func TestJSONOfTheOtherMethods(t *testing.T) {
	r := ready(t)
	score, _ := r.fold.Score("late")
	r.board.Score("late", &serving.Scored{Score: score, Hash: "ab", HashedAt: 399})
	_, web := r.serve(client.Options{})
	for _, tc := range []struct{ method, path, body, want string }{
		{"POST", "/v1/features", `{"features": ["origin.flights", "plane.last_delay"], "rows": [{"keys": {"origin": "JFK", "tail": null}}]}`,
			`"statuses":["PRESENT"],"values":[2],"window":"3600s"`},
		{"POST", "/v1/features", `{"features": ["plane.last_delay"], "rows": [{"keys": {"tail": "?"}}]}`, `"statuses":["NOT_FOUND"],"values":[null]`},
		{"POST", "/v1/feedback", `{"model": "asked", "labels": [{"prediction_id": "x", "value": 1}, {"predictionId": "y", "value": 0}]}`, `{"accepted":2}`},
		{"GET", "/v1/models", "", `"role":"CHALLENGER"`},
		{"GET", "/v1/models/late", "", `"state_sha256":"ab"`},
		{"GET", "/v1/models/late", "", `"name":"roc_auc"`},
		{"GET", "/v1/models/late", "", `{"keys":["origin"],"kind":"string","name":"origin","nullable":false}`},
		{"GET", "/v1/models/late", "", `{"kind":"numeric","name":"derived.far"}`},
		{"GET", "/v1/models/late.static", "", `"of":"late"`},
		{"GET", "/v1/status", "", `"ready":true`},
		{"GET", "/metrics", "", `freshet_model_version{model="late"} 399`},
		{"GET", "/metrics", "", `grpc_server_handled_total`},
		{"GET", "/healthz", "", `ok`},
		{"GET", "/readyz", "", `{"ready":true,"waiting_for":[]}`},
	} {
		code, body := call(t, tc.method, web+tc.path, tc.body, "")
		if code != 200 || !strings.Contains(body, tc.want) {
			t.Errorf("%s %s: %d %s; want %s", tc.method, tc.path, code, body, tc.want)
		}
	}
}

func TestHTTPErrors(t *testing.T) {
	r := ready(t)
	r.config.MaxMessage, r.config.Tokens = 2<<10, tokens(allScopes, "secret")
	_, web := r.serve(client.Options{Token: "secret"})
	row := `{"fields": {"origin": "JFK", "distance": 1}}`
	for _, tc := range []struct {
		method, path, body string
		status             int
		code, says         string
	}{
		{"POST", "/v1/predict", `{`, 400, "INVALID_ARGUMENT", "unexpected EOF"},
		{"POST", "/v1/predict", ``, 400, "INVALID_ARGUMENT", "EOF"},
		{"POST", "/v1/predict", `[]`, 400, "INVALID_ARGUMENT", "no JSON object"},
		{"POST", "/v1/predict", `{} {}`, 400, "INVALID_ARGUMENT", "goes on"},
		{"POST", "/v1/predict", `{"modle": "late"}`, 400, "INVALID_ARGUMENT", "modle"},
		{"POST", "/v1/predict", `{"model": 3}`, 400, "INVALID_ARGUMENT", "model"},
		{"POST", "/v1/predict", `{"model": "late", "rows": {}}`, 400, "INVALID_ARGUMENT", "rows is no list"},
		{"POST", "/v1/predict", `{"model": "late", "rows": [null]}`, 400, "INVALID_ARGUMENT", ""},
		{"POST", "/v1/predict", `{"model": "late", "rows": [{"fields": {"origin": ["JFK"]}}]}`, 400, "INVALID_ARGUMENT", "rows[0].fields.origin is a list"},
		{"POST", "/v1/predict", `{"model": "late", "rows": [{"fields": {"distance": 1e999}}]}`, 400, "INVALID_ARGUMENT", "out of range"},
		{"POST", "/v1/predict", `{"model": "late", "rows": [{"fields": {"origin": "JFK", "distance": "1"}}]}`, 400, "INVALID_ARGUMENT", "declared double, got string"},
		{"POST", "/v1/predict", `{"model": "nope", "rows": [` + row + `]}`, 404, "NOT_FOUND", "no model"},
		{"POST", "/v1/predict", `{"model": "late", "rows": [{"vector": [1]}]}`, 400, "INVALID_ARGUMENT", "takes 6"},
		{"POST", "/v1/predict", `{"model": "` + strings.Repeat("x", 3<<10) + `"}`, 429, "RESOURCE_EXHAUSTED", "2048 bytes"},
		{"POST", "/v1/feedback", `{"model": "late", "labels": [{"prediction_id": "x", "value": 1}]}`, 409, "FAILED_PRECONDITION", "takes no feedback"},
		{"GET", "/v1/predict", ``, 405, "UNIMPLEMENTED", "use POST"},
		{"GET", "/v1/models/nope", ``, 404, "NOT_FOUND", "no model"},
		{"GET", "/v1/model", ``, 404, "NOT_FOUND", "no /v1/model"},
	} {
		code, body := call(t, tc.method, web+tc.path, tc.body, "secret")
		var e struct {
			Error struct{ Code, Message, Hint string }
		}
		if err := json.Unmarshal([]byte(body), &e); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if code != tc.status || e.Error.Code != tc.code || !strings.Contains(e.Error.Message, tc.says) || e.Error.Hint == "" && tc.code != "UNIMPLEMENTED" {
			t.Errorf("%s %s %.60s: %d %s; want %d %s with %q and a hint", tc.method, tc.path, tc.body, code, body, tc.status, tc.code, tc.says)
		}
	}
	if code, body := call(t, "POST", web+"/v1/predict", "{}", "wrong"); code != 401 || strings.Contains(body, "secret") {
		t.Errorf("wrong token: %d %s", code, body)
	}
	if code, _ := call(t, "GET", web+"/readyz", "", ""); code != 200 {
		t.Errorf("probes need no token: %d", code)
	}
}

func TestReadyzSaysWhatIsWaitedFor(t *testing.T) {
	r := newRig(t)
	_, web := r.serve(client.Options{})
	if code, body := call(t, "GET", web+"/readyz", "", ""); code != 503 || !strings.Contains(body, `{"model":"late","reason":"has no version yet"}`) {
		t.Errorf("%d %s", code, body)
	}
}

// Whatever bytes come, decoding a request ends with a message or a refusal, and what was decoded
// encodes to JSON that decodes to the same.
func FuzzJSONRequest(f *testing.F) {
	for _, s := range []string{`{"model":"late","rows":[{"id":"x","fields":{"a":1,"b":2.5,"c":null,"d":"t","e":true}}]}`, `{"rows":[{"vector":[1,null,"NaN"]}]}`,
		`{"version":{"log":"l","seq":"7"},"asOf":"2013-07-01T12:00:00Z"}`, `{"rows":[{"fields":{"a":{"int":"3"}}}]}`, `{"rows":[{"fields":{"a":{"time":"2013-07-01T12:00:00Z"}}}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		req := &freshetv1.PredictRequest{}
		if serving.UnmarshalJSON(b, req) != nil {
			return
		}
		first, err := serving.MarshalJSON(req)
		if err != nil {
			return // a time out of range decodes and does not encode
		}
		again := &freshetv1.PredictRequest{}
		if err := serving.UnmarshalJSON(first, again); err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		second, err := serving.MarshalJSON(again)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s and %s (%v)", first, second, err)
		}
	})
}

// Readiness follows staleness, and catching up: /readyz and health say which model and why, while calls are still answered.
func TestReadinessFollowsStaleness(t *testing.T) {
	r := ready(t)
	r.config.MaxStaleness = 5 * time.Second
	var clock atomic.Pointer[time.Time]
	clock.Store(&r.wall)
	r.deps.Now = func() time.Time { return *clock.Load() }
	c, web := r.serve(client.Options{})
	if code, body := call(t, "GET", web+"/readyz", "", ""); code != 200 {
		t.Errorf("fresh: %d %s", code, body)
	}
	now := r.wall.Add(6 * time.Second)
	clock.Store(&now)
	for _, name := range []string{"asked", "kind"} {
		r.board.Confirm(name, now)
	}
	code, body := call(t, "GET", web+"/readyz", "", "")
	if want := `{"ready":false,"waiting_for":[{"model":"late","reason":"is stale: its version was last known to be the newest 6s ago, serving.ready.max_staleness is 5s"}]}`; code != 503 || strings.TrimSpace(body) != want {
		t.Errorf("stale: %d %s", code, body)
	}
	if _, err := c.Predict(t.Context(), ask("late", flight(nil))); err != nil {
		t.Errorf("a stale model does not answer: %v", err)
	}
	r.board.Confirm("late", now.Add(-time.Hour)) // never back
	r.board.Confirm("late", now)
	if code, body := call(t, "GET", web+"/readyz", "", ""); code != 200 {
		t.Errorf("fresh again: %d %s", code, body)
	}
}
