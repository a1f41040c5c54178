package serving

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/freshet-ml/freshet/internal/metrics"
)

// Monitor serves /metrics, /healthz and /readyz of a process that answers no predictions: one that runs
// feature units or learners alone. It shows nothing of entities, and takes no token.
type Monitor struct {
	Metrics *metrics.Metrics
	Waiting func() []string // what is not ready; none: ready
	TLS     *TLS            // nil: plain HTTP
	// Insecure lets other machines look without TLS.
	Insecure bool
	Logger   *slog.Logger
}

// Run serves on the listener, which it closes, until ctx ends. An address beyond this machine is refused
// without TLS unless Insecure is set.
func (m *Monitor) Run(ctx context.Context, l net.Listener) error {
	if m.TLS == nil && !m.Insecure && !Loopback(l.Addr()) {
		return errors.Join(fmt.Errorf("watch on %s: other machines could look without TLS; set serving.tls, or serving.insecure: true if the network protects it", l.Addr()), l.Close())
	}
	if m.TLS != nil {
		secure, err := m.TLS.config()
		if err != nil {
			return errors.Join(err, l.Close())
		}
		l = tls.NewListener(l, secure)
	}
	web := &http.Server{Handler: m.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(m.Logger.Handler(), slog.LevelWarn)}
	stop := context.AfterFunc(ctx, func() { web.Close() })
	defer stop()
	if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (m *Monitor) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.Metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		var waiting []waitingFor
		for _, why := range m.Waiting() {
			waiting = append(waiting, waitingFor{Reason: why})
		}
		readiness(w, waiting)
	})
	return mux
}
