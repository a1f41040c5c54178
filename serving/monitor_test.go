package serving_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/freshet-ml/freshet/internal/metrics"
	"github.com/freshet-ml/freshet/serving"
)

func TestMonitorServesMetricsAndProbes(t *testing.T) {
	var why atomic.Value
	why.Store([]string(nil))
	m := &serving.Monitor{Metrics: metrics.New(), Waiting: func() []string { return why.Load().([]string) }, Logger: slog.New(slog.DiscardHandler)}
	m.Metrics.Name("shop")
	m.Metrics.Role.WithLabelValues("trainer").Set(1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx, l) }()
	get := func(path string) (int, string) {
		r, err := http.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(b)
	}
	if code, body := get("/metrics"); code != 200 || !strings.Contains(body, `freshet_role{project="shop",role="trainer"} 1`) {
		t.Errorf("metrics: %d %s", code, body)
	}
	if code, body := get("/readyz"); code != 200 || body != `{"ready":true,"waiting_for":[]}`+"\n" {
		t.Errorf("ready: %d %q", code, body)
	}
	why.Store([]string{"joiner orders waits to try again"})
	if code, body := get("/readyz"); code != 503 || !strings.Contains(body, "joiner orders") {
		t.Errorf("not ready: %d %q", code, body)
	}
	if code, body := get("/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("alive: %d %q", code, body)
	}
	if code, _ := get("/v1/models"); code != 404 {
		t.Errorf("the API of a process that serves none: %d", code)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestMonitorKeepsToThisMachine(t *testing.T) {
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Skip("no address beyond loopback: ", err)
	}
	m := &serving.Monitor{Metrics: metrics.New(), Logger: slog.New(slog.DiscardHandler)}
	if err := m.Run(t.Context(), l); err == nil || !strings.Contains(err.Error(), "serving.insecure") {
		t.Errorf("%v", err)
	}
}
