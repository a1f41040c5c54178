package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/internal/demo"
	"github.com/freshet-ml/freshet/internal/metrics"
	"github.com/freshet-ml/freshet/models/catalog"
)

// onlyUnder lists what a healthy run of the demo does not export, with the reason.
var onlyUnder = map[string]string{
	"freshet_events_refused_total":                      "records that are refused: the demo's are all good",
	"freshet_feedback_total":                            "models whose label comes by feedback",
	"freshet_prediction_log_duration_seconds":           "models with on: request and log: acked",
	"freshet_checkpoint_duration_seconds":               "a run that keeps checkpoints: the demo ends with its process",
	"freshet_serving_reloads_total":                     "serving.tls or tokens_file whose files changed",
	"freshet_serving_certificate_end_timestamp_seconds": "serving.tls",
	"freshet_checkpoint_timestamp_seconds":              "a run that keeps checkpoints",
	"freshet_prediction_entities_not_found_total":       "entities that were asked for and never seen",
}

// prometheus is a running server.
type prometheus struct{ url string }

// serverAt starts a Prometheus that scrapes the target each second and evaluates the rules of deploy/prometheus.
func serverAt(t *testing.T, target string) *prometheus {
	t.Helper()
	path := tool(t, "prometheus")
	dir := t.TempDir()
	rules, err := filepath.Abs(filepath.Join(root, "deploy/prometheus"))
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%s/records.yml, %s/alerts.yml]\n"+
		"scrape_configs:\n  - job_name: freshet\n    static_configs: [{targets: [%q]}]\n", rules, rules, target)
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freePort(t)
	cmd := exec.Command(path, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		log.Close()
		if t.Failed() {
			b, _ := os.ReadFile(log.Name())
			t.Logf("Prometheus:\n%s", b)
		}
	})
	return &prometheus{url: "http://" + address}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// get reads an answer of the API into out.
func (p *prometheus) get(ctx context.Context, path string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
	if err != nil {
		return err
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, r.Status, b)
	}
	return json.Unmarshal(b, out)
}

// samples is how many series the query has now that are numbers. A query that Prometheus refuses is an error.
func (p *prometheus) samples(ctx context.Context, query string) (int, error) {
	var out struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := p.get(ctx, "/api/v1/query?query="+url.QueryEscape(query), &out); err != nil {
		return 0, err
	}
	n := 0
	for _, r := range out.Data.Result {
		if r.Value[1] != "NaN" {
			n++
		}
	}
	return n, nil
}

// ran is a run of the demo that goes on until the test ends.
func ran(t *testing.T) (httpAddress string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		_, err := demo.Run(ctx, demo.Options{Days: 9, GRPC: "127.0.0.1:0", HTTP: "127.0.0.1:0", NoReplay: true, Paced: 20 * time.Second, Stay: true,
			Build: "test", Logger: slog.New(slog.DiscardHandler), Catalog: catalog.All, Ready: func(_, http string) { ready <- http }})
		done <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	select {
	case httpAddress = <-ready:
	case err := <-done:
		done <- err
		t.Fatal(err)
	}
	return httpAddress
}

// asks looks features up and asks for what is not there, so that those metrics have something to tell.
func asks(ctx context.Context, address string) {
	for ctx.Err() == nil {
		for _, body := range []string{`{"features": ["origin.departures"], "entities": [{"origin": "EWR"}]}`, `{}`} {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v1/features", strings.NewReader(body))
			if err != nil {
				return
			}
			if r, err := http.DefaultClient.Do(req); err == nil {
				io.Copy(io.Discard, r.Body)
				r.Body.Close()
			}
		}
		wait(ctx, 200*time.Millisecond)
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// TestEveryQueryAnswers runs every query of the dashboard, and every rule, against a real Prometheus that scrapes a
// real run. A query must have had data at some time of the run, unless all its metrics are listed in onlyUnder.
func TestEveryQueryAnswers(t *testing.T) {
	tool(t, "prometheus")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	address := ran(t)
	p := serverAt(t, address)
	go asks(ctx, address)

	open := map[string]string{} // query to panel, of those without data so far
	for _, r := range Rows {
		for _, panel := range r.Panels {
			for _, q := range panel.Queries {
				if !excused(q.Expr) {
					open[Fill(q.Expr, "flights", "10s")] = panel.Title
				}
			}
		}
	}
	for _, d := range metrics.New().Defs() {
		name := d.Name
		if d.Type == "histogram" {
			name += "_count"
		}
		if onlyUnder[d.Name] == "" {
			open[name+`{project="flights"} >= 0`] = "metric " + d.Name
		}
	}
	t.Logf("%d queries", len(open))
	for len(open) > 0 && ctx.Err() == nil {
		for query, panel := range open {
			n, err := p.samples(ctx, query)
			if err != nil && strings.Contains(err.Error(), "bad_data") {
				t.Fatalf("%s: %v", panel, err)
			}
			if err == nil && n > 0 {
				delete(open, query)
			}
		}
		wait(ctx, 500*time.Millisecond)
	}
	for query, panel := range open {
		t.Errorf("%s: no data: %s", panel, query)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 30*time.Second) // the loop may have used the first up
	defer cancel()
	if n, err := p.samples(ctx, `freshet_events_total{project="another"}`); n != 0 || err != nil {
		t.Errorf("the control, a query without data, has %d samples: %v", n, err)
	}
	for _, a := range Annotations {
		if _, err := p.samples(ctx, Fill(a.Expr, "flights", "10s")); err != nil {
			t.Errorf("annotation %s: %v", a.Name, err)
		}
	}
	p.checkRules(ctx, t)
}

// excused reports whether a query is made of a metric that a healthy run does not export.
func excused(expr string) bool {
	for name := range onlyUnder {
		if strings.Contains(expr, name) {
			return true
		}
	}
	return false
}

// checkRules sees that every rule evaluates, and that a healthy run raises no alarm.
func (p *prometheus) checkRules(ctx context.Context, t *testing.T) {
	var out struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError, State string }
			}
		}
	}
	if err := p.get(ctx, "/api/v1/rules", &out); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range out.Data.Groups {
		for _, r := range g.Rules {
			n++
			if r.Health != "ok" {
				t.Errorf("rule %s: %s %s", r.Name, r.Health, r.LastError)
			}
			if r.State == "firing" && r.Name != "FreshetConceptDrift" { // the loss of the first days does change
				t.Errorf("%s fires in a healthy run", r.Name)
			}
		}
	}
	if want := len(rules(t, "alerts.yml")) + len(rules(t, "records.yml")); n != want {
		t.Errorf("%d rules were loaded, of %d", n, want)
	}
}
