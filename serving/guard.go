package serving

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// pagePolicy is the Content-Security-Policy of whatever sets none of its own.
const pagePolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Bounds of a request. A stream sets its own for each write.
const (
	answerWithin = time.Minute
	auditWithin  = auditTimeout + time.Minute
)

// routes is a mux that knows its patterns.
type routes struct {
	http.ServeMux
	patterns []string
}

// HandleFunc registers a route.
func (m *routes) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	m.Handle(pattern, http.HandlerFunc(h))
}

// Handle registers a route.
func (m *routes) Handle(pattern string, h http.Handler) {
	m.patterns = append(m.patterns, pattern)
	m.ServeMux.Handle(pattern, h)
}

// guarded lets a request through to its route when the table of access says so. It sets the headers that keep
// browsers from being turned against the server: nothing is open to scripts of other sites, and no header of CORS
// ever is sent. Requests that change something must not come from another site (cross-site request forgery): they are known
// by Sec-Fetch-Site, or by an Origin that is not this server.
func (s *Server) guarded(m *routes) http.Handler {
	sameSite := http.NewCrossOriginProtection()
	for _, host := range s.config.Hosts { // a proxy ends TLS in front of us: what the browser calls the origin is its name
		_ = sameSite.AddTrustedOrigin("https://" + host)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secureHeaders(w.Header(), s.certs != nil)
		_, pattern := m.Handler(r)
		bound(w, r, pattern)
		if err := sameSite.Check(r); err != nil {
			s.deps.Metrics.Rejected.WithLabelValues("cross_site").Inc()
			s.reply(w, r, pattern, nil, toStatus(&Error{Code: codes.PermissionDenied, Reason: "CROSS_SITE", Message: "the request comes from a page of another site",
				Hint: "ask from the page of this server, or from a program"}))
			return
		}
		if pattern != "" { // else the mux says 404, or 405 with what is allowed
			if err := s.allow(pattern, httpCaller(r)); err != nil {
				s.reply(w, r, pattern, nil, toStatus(err))
				return
			}
		}
		m.ServeHTTP(w, r)
	})
}

func secureHeaders(h http.Header, overTLS bool) {
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	if overTLS {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// bound limits how long an answer may take to be written, and lets reads wait that long. Errors mean that the connection has
// no deadlines, as in tests.
func bound(w http.ResponseWriter, r *http.Request, pattern string) {
	within := answerWithin
	if strings.HasPrefix(pattern, "GET /v1/audit/") {
		within = auditWithin
	}
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Now().Add(within))
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		_ = c.SetReadDeadline(time.Time{}) // or a long answer would end when the time to read its request does
	}
}

// forHosts refuses names that are not ours, when the server listens on this machine only or hosts are given: a page of another
// site can make a browser here ask it, under its own name (DNS rebinding). Probes may use any name.
func (s *Server) forHosts(local bool, next http.Handler) http.Handler {
	return forHosts(local, s.config.Hosts, func() { s.deps.Metrics.Rejected.WithLabelValues("host").Inc() }, next)
}

func forHosts(local bool, hosts []string, refused func(), next http.Handler) http.Handler {
	if !local && len(hosts) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if probe := r.URL.Path == "/healthz" || r.URL.Path == "/readyz"; !probe && !ours(r.Host, hosts) {
			refused()
			secureHeaders(w.Header(), false)
			plain(w, http.StatusMisdirectedRequest, "the server is not known by this name; ask 127.0.0.1 or localhost, or add the name to serving.hosts\n")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ours reports whether a Host header names this machine or one of the hosts.
func ours(host string, hosts []string) bool {
	u := url.URL{Host: host}
	name := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback() || slices.ContainsFunc(hosts, func(h string) bool { return strings.EqualFold(h, name) })
}
