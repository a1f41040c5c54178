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
	"golang.org/x/net/netutil"

	"github.com/freshet-ml/freshet/internal/certs"
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
	handler := forHosts(Loopback(l.Addr()), nil, func() {}, m.handler())
	l = netutil.LimitListener(l, monitorConns)
	if m.TLS != nil {
		files, err := certs.Follow(certs.Files{Cert: m.TLS.Cert, Key: m.TLS.Key, CA: m.TLS.CA}, "serving.tls")
		if err != nil {
			return errors.Join(err, l.Close())
		}
		l = tls.NewListener(l, m.following(files))
	}
	web := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(m.Logger.Handler(), slog.LevelWarn)}
	stop := context.AfterFunc(ctx, func() { web.Close() })
	defer stop()
	if err := web.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// monitorConns are connections at a time.
const monitorConns = 256

// following returns the configuration of a server that looks at its files at every handshake, of which there are few.
func (m *Monitor) following(files *certs.Follower) *tls.Config {
	c := files.Server()
	newest := c.GetConfigForClient
	c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if _, err := files.Reload(); err != nil {
			m.Logger.Warn("renewal failed; the former stay in use", "what", "certificates", "error", err)
		}
		return newest(h)
	}
	return c
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
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secureHeaders(w.Header(), m.TLS != nil)
		mux.ServeHTTP(w, r)
	})
}
