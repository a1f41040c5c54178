package serving

import (
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// adminHandler serves profiles and metrics to whoever runs the service.
func (s *Server) adminHandler() http.Handler {
	return s.guarded(s.adminRoutes())
}

func (s *Server) adminRoutes() *routes {
	m := &routes{}
	m.HandleFunc("/debug/pprof/", func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/debug/pprof/cmdline": // arguments may hold a token
			http.Error(w, "not shown", http.StatusForbidden)
		case "/debug/pprof/profile":
			pprof.Profile(w, r)
		case "/debug/pprof/symbol":
			pprof.Symbol(w, r)
		case "/debug/pprof/trace":
			pprof.Trace(w, r)
		default:
			w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
			pprof.Index(w, r)
		}
	})
	m.Handle("GET /metrics", promhttp.HandlerFor(s.deps.Metrics, promhttp.HandlerOpts{}))
	m.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	return m
}

// adminOnly refuses an admin address that others can reach, whatever else is set: a profile of the heap holds what is in memory.
func adminOnly(l net.Listener) error {
	if l == nil || Loopback(l.Addr()) {
		return nil
	}
	return fmt.Errorf("serve on %s: serving.admin must be an address of this machine only, such as 127.0.0.1:7072; forward the port to reach it from elsewhere", l.Addr())
}
