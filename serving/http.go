package serving

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// httpServer returns a server that slow and greedy clients cannot tie down. How long an answer may take is each
// route's (bound).
func (s *Server) httpServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.deps.Logger.Handler(), slog.LevelWarn),
	}
}

// Handler returns what the HTTP port serves, with who may ask for it checked. The API has the messages of gRPC as JSON and
// passes the same limits. page gets every other path; nil: they are not found. Metrics, probes and page need no token.
func (s *Server) Handler(page http.Handler) http.Handler { return s.guarded(s.routes(page)) }

func (s *Server) routes(page http.Handler) *routes {
	mux := &routes{}
	handle(mux, s, "POST /v1/predict", "Predict", s.Predict, nil)
	handle(mux, s, "POST /v1/forecast", "Forecast", s.Forecast, nil)
	handle(mux, s, "POST /v1/features", "GetFeatures", s.GetFeatures, nil)
	handle(mux, s, "POST /v1/feedback", "Feedback", s.Feedback, nil)
	handle(mux, s, "GET /v1/models", "ListModels", s.ListModels, nil)
	handle(mux, s, "GET /v1/models/{name...}", "GetModel", s.GetModel, func(r *http.Request, req *freshetv1.GetModelRequest) {
		req.Name = r.PathValue("name")
	})
	handle(mux, s, "GET /v1/status", "Status", s.Status, nil)
	handle(mux, s, "GET /v1/drift", "Drift", s.Drift, func(r *http.Request, req *freshetv1.DriftRequest) {
		req.Trigger = r.URL.Query().Get("trigger")
		if n, err := strconv.ParseUint(r.URL.Query().Get("top"), 10, 32); err == nil {
			req.Top = uint32(n)
		}
	})
	handle(mux, s, "GET /v1/audit/{id...}", "Audit", s.Audit, func(r *http.Request, req *freshetv1.AuditRequest) {
		req.Id, req.Model = r.PathValue("id"), r.URL.Query().Get("model")
	})
	s.handleInsight(mux)
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		s.reply(w, r, "/v1/", nil, apiPath(r))
	})
	mux.HandleFunc("POST /v1/session", s.openSession)
	mux.HandleFunc("DELETE /v1/session", s.closeSession)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.deps.Metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", s.readyz)
	if page != nil {
		mux.Handle("/", page)
	}
	return mux
}

// handleInsight serves what the page is made of.
func (s *Server) handleInsight(mux *routes) {
	handle(mux, s, "GET /v1/overview", "Overview", s.Overview, nil)
	mux.HandleFunc("GET /v1/live", s.live)
	handle(mux, s, "GET /v1/lineage", "Lineage", s.Lineage, nil)
	handle(mux, s, "GET /v1/history", "History", s.History, func(r *http.Request, req *freshetv1.HistoryRequest) {
		req.Model, req.Points = r.URL.Query().Get("model"), number(r, "points")
	})
	handle(mux, s, "GET /v1/distributions", "Distributions", s.Distributions, func(r *http.Request, req *freshetv1.DistributionsRequest) {
		req.Trigger = r.URL.Query().Get("trigger")
	})
	handle(mux, s, "GET /v1/deadletters", "DeadLetters", s.DeadLetters, func(r *http.Request, req *freshetv1.DeadLettersRequest) {
		q := r.URL.Query()
		req.Source, req.Reason, req.Limit = q.Get("source"), q.Get("reason"), number(r, "limit")
	})
	handle(mux, s, "GET /v1/recent", "Recent", s.Recent, nil)
	handle(mux, s, "POST /v1/control", "Control", s.Control, nil)
}

// number reads a whole number from the query; 0 when it is none.
func number(r *http.Request, name string) uint32 {
	n, _ := strconv.ParseUint(r.URL.Query().Get(name), 10, 32)
	return uint32(n)
}

// apiPath says what is wrong with a path under /v1/ that no method has.
func apiPath(r *http.Request) error {
	want, ok := map[string]string{"/v1/predict": "POST", "/v1/forecast": "POST", "/v1/features": "POST", "/v1/feedback": "POST", "/v1/models": "GET", "/v1/status": "GET", "/v1/drift": "GET",
		"/v1/overview": "GET", "/v1/live": "GET", "/v1/lineage": "GET", "/v1/history": "GET", "/v1/distributions": "GET", "/v1/deadletters": "GET", "/v1/recent": "GET", "/v1/control": "POST"}[r.URL.Path]
	if ok {
		return status.Error(codes.Unimplemented, r.Method+" "+r.URL.Path+"; use "+want)
	}
	return toStatus(notFound("UNKNOWN_PATH", "no "+clip(r.URL.Path)+" in the API",
		"it has POST /v1/predict, /v1/forecast, /v1/features, /v1/feedback, /v1/control and GET /v1/models, /v1/models/NAME, /v1/status, /v1/drift, /v1/audit/ID, /v1/overview, /v1/live, /v1/lineage, /v1/history, /v1/distributions, /v1/deadletters, /v1/recent"))
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) { readiness(w, s.waiting()) }

// readiness answers a probe: 200 or 503, with {"ready", "waiting_for": [{"model", "reason"}]}.
func readiness(w http.ResponseWriter, waiting []waitingFor) {
	code := http.StatusOK
	if len(waiting) > 0 {
		code = http.StatusServiceUnavailable
	} else {
		waiting = []waitingFor{} // a list, not null
	}
	b, _ := json.Marshal(map[string]any{"ready": len(waiting) == 0, "waiting_for": waiting}) // texts: no error
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	w.Write(append(b, '\n'))
}

func plain(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	io.WriteString(w, text)
}

// message is a pointer to a request.
type message[T any] interface {
	*T
	proto.Message
}

// handle serves a unary method at a route. fill takes what the path says.
func handle[T any, Req message[T], Resp proto.Message](mux *routes, s *Server, route, method string,
	call func(context.Context, Req) (Resp, error), fill func(*http.Request, Req)) {
	info := &grpc.UnaryServerInfo{Server: s, FullMethod: "/freshet.v1.Freshet/" + method}
	mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
		req := Req(new(T))
		if err := s.request(w, r, req); err != nil {
			s.reply(w, r, route, nil, toStatus(err))
			return
		}
		if fill != nil {
			fill(r, req)
		}
		out, err := s.admitted(r.Context(), req, info, func(ctx context.Context, _ any) (any, error) { return call(ctx, req) })
		resp, _ := out.(proto.Message)
		s.reply(w, r, route, resp, err)
	})
}

// request reads a request before its call takes a slot, so that slow senders hold none, and after its
// token was looked at (guarded), so that strangers cannot make the server read.
func (s *Server) request(w http.ResponseWriter, r *http.Request, req proto.Message) error {
	if r.Method != http.MethodPost {
		return nil
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return invalid("ENCODING", "the body is packed: "+clip(e), "send it plain")
	}
	return s.body(w, r, req)
}

// body reads a request of at most the size of a gRPC message.
func (s *Server) body(w http.ResponseWriter, r *http.Request, req proto.Message) error {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.config.MaxMessage)))
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return exhausted("MESSAGE_TOO_BIG", "the body has more than "+strconv.FormatInt(big.Limit, 10)+" bytes", "send several calls, or raise serving.max_message", 0)
	}
	if err != nil {
		return invalid("BODY", "the body cannot be read", "send it whole")
	}
	return unmarshal(b, req)
}

var httpCodes = map[codes.Code]int{codes.OK: 200, codes.InvalidArgument: 400, codes.Unauthenticated: 401, codes.PermissionDenied: 403,
	codes.NotFound: 404, codes.Unimplemented: 405, codes.FailedPrecondition: 409, codes.ResourceExhausted: 429, codes.Canceled: 499,
	codes.Unavailable: 503, codes.DeadlineExceeded: 504}

// reply writes the response, or the error as {"error": {"code", "message", "hint"}}.
func (s *Server) reply(w http.ResponseWriter, r *http.Request, route string, resp proto.Message, err error) {
	code, known := httpCodes[status.Code(err)]
	if !known {
		code = http.StatusInternalServerError
	}
	var body []byte
	if err == nil {
		body, err = marshal(resp)
	}
	if err != nil {
		if code == http.StatusOK {
			code = http.StatusInternalServerError
		}
		e := wireError(err)
		body, _ = json.Marshal(map[string]any{"error": map[string]string{"code": e.Code, "message": e.Message, "hint": e.Hint}})
	}
	switch code {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	w.Write(append(body, '\n'))
	s.deps.Metrics.HTTP.WithLabelValues(route, strconv.Itoa(code)).Inc()
}
