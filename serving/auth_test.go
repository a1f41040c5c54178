package serving_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/serving/client"
)

const allScopes = serving.ScopePredict | serving.ScopeLookup | serving.ScopeFeedback | serving.ScopeAdmin

// tokens are tokens of these texts, all with the same scopes.
func tokens(scopes serving.Scope, texts ...string) func() ([]serving.Token, error) {
	var list []serving.Token
	for _, text := range texts {
		list = append(list, serving.Token{Name: "token " + text[:1], Scopes: scopes, Hash: sha256.Sum256([]byte(text))})
	}
	return func() ([]serving.Token, error) { return list, nil }
}

// scoped are tokens named after their only scope.
func scoped() ([]serving.Token, error) {
	var list []serving.Token
	for _, name := range scopeNames {
		scope, _ := serving.ParseScope(name)
		list = append(list, serving.Token{Name: "of " + name, Scopes: scope, Hash: sha256.Sum256([]byte(name + "-token"))})
	}
	return list, nil
}

var scopeNames = []string{"predict", "lookup", "feedback", "admin"}

func TestScopesHaveNames(t *testing.T) {
	if got := allScopes.String(); got != strings.Join(scopeNames, ", ") {
		t.Errorf("%s", got)
	}
	if _, ok := serving.ParseScope("root"); ok {
		t.Error("root is a scope")
	}
}

// methods lists all methods of the gRPC server by full name, true for streams.
func methods(t *testing.T, s *serving.Server) map[string]bool {
	t.Helper()
	g, err := s.GRPC()
	if err != nil {
		t.Fatal(err)
	}
	defer g.Stop()
	all := map[string]bool{}
	for service, info := range g.GetServiceInfo() {
		for _, m := range info.Methods {
			all["/"+service+"/"+m.Name] = m.IsClientStream || m.IsServerStream
		}
	}
	return all
}

// Nothing that can be asked is without a scope, and the table names nothing that cannot be asked.
func TestNoRouteIsWithoutAScope(t *testing.T) {
	r := ready(t)
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	asked := map[string]bool{}
	for name := range methods(t, s) {
		asked[name] = true
	}
	web, admin := s.Patterns(http.NotFoundHandler())
	for _, p := range append(web, admin...) {
		asked[p] = true
	}
	if len(asked) < 30 {
		t.Fatalf("only %d methods and routes are known", len(asked))
	}
	for name := range asked {
		if serving.Access()[name] == 0 {
			t.Errorf("%s has no scope", name)
		}
	}
	for name := range serving.Access() {
		if !asked[name] {
			t.Errorf("%s is in the table, and nothing answers it", name)
		}
	}
}

// A token opens what its scope says and nothing else, over gRPC; without a token only probes answer.
func TestScopesOverGRPC(t *testing.T) {
	r := ready(t)
	r.config.Tokens = scoped
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	all := methods(t, s)
	r.deps.Metrics = nil
	c, _ := r.serve(client.Options{})
	for _, token := range append([]string{"", "wrong"}, scopeNames...) {
		o := client.Options{Timeout: 10 * time.Second}
		if token != "" {
			o.Token = token + "-token"
		}
		cl, err := client.Dial(c.Conn().Target(), o)
		r.ok(err)
		scope, known := serving.ParseScope(token)
		for name, stream := range all {
			want := codes.OK
			switch need := serving.Access()[name]; {
			case need == serving.Anyone:
			case !known:
				want = codes.Unauthenticated
			case need&scope == 0 && token != "admin":
				want = codes.PermissionDenied
			}
			got := status.Code(knock(t, cl.Conn(), name, stream))
			if refused := got == codes.Unauthenticated || got == codes.PermissionDenied; refused != (want != codes.OK) || refused && got != want {
				t.Errorf("%s with token %q: %v, want %v", name, token, got, want)
			}
		}
		r.ok(cl.Close())
	}
}

// knock makes a call with an empty request and returns what came of it.
func knock(t *testing.T, conn *grpc.ClientConn, name string, stream bool) error {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if !stream {
		return conn.Invoke(ctx, name, &emptypb.Empty{}, &emptypb.Empty{})
	}
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, name)
	if err != nil {
		return err
	}
	if err := s.SendMsg(&emptypb.Empty{}); err != nil {
		return s.RecvMsg(&emptypb.Empty{})
	}
	_ = s.CloseSend()
	return s.RecvMsg(&emptypb.Empty{})
}

// path returns a request that a pattern takes.
func path(pattern string) (method, at string) {
	method, at, ok := strings.Cut(pattern, " ")
	if !ok {
		method, at = "GET", pattern
	}
	return method, strings.NewReplacer("{name...}", "late", "{id...}", "x").Replace(at)
}

// The same over HTTP, for the API, the event stream, the page and the admin port.
func TestScopesOverHTTP(t *testing.T) {
	r := ready(t)
	r.config.Tokens = scoped
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	web, admin := s.Patterns(page)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // ends the event stream at once
	for _, pattern := range append(web, admin...) {
		h := s.Handler(page)
		if !slices.Contains(web, pattern) {
			h = s.Admin()
		}
		method, at := path(pattern)
		for _, token := range append([]string{"", "wrong"}, scopeNames...) {
			req := httptest.NewRequestWithContext(ctx, method, at, strings.NewReader("{}"))
			req.Host = "127.0.0.1"
			if token != "" {
				req.Header.Set("Authorization", "Bearer "+token+"-token")
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			scope, known := serving.ParseScope(token)
			want := 0
			switch need := serving.Access()[pattern]; {
			case need == serving.Anyone:
			case !known:
				want = http.StatusUnauthorized
			case need&scope == 0 && token != "admin":
				want = http.StatusForbidden
			}
			if refused := w.Code == 401 || w.Code == 403; refused != (want != 0) || refused && w.Code != want {
				t.Errorf("%s with token %q: %d %s; want %d", pattern, token, w.Code, w.Body, want)
			}
			if strings.Contains(w.Body.String(), "-token") {
				t.Errorf("%s: the answer repeats a token: %s", pattern, w.Body)
			}
			h := w.Header()
			if h.Get("Content-Security-Policy") == "" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" ||
				h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" || h.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: headers %v", pattern, h)
			}
		}
	}
}

// Without tokens everything but admin is open; admin is for callers on this machine that no proxy stands before.
func TestAdminWithoutTokens(t *testing.T) {
	r := ready(t)
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	for name, tc := range map[string]struct {
		from, forwarded string
		code            int
	}{
		"this machine":       {"127.0.0.1:40000", "", 501},
		"over IPv6":          {"[::1]:40000", "", 501},
		"another machine":    {"192.0.2.7:40000", "", 403},
		"a proxy in front":   {"127.0.0.1:40000", "203.0.113.9", 403},
		"an unclear address": {"@", "", 403},
	} {
		req := httptest.NewRequest(http.MethodPost, "/v1/control", strings.NewReader(`{"model": "late", "verb": "freeze"}`))
		req.RemoteAddr = tc.from
		if tc.forwarded != "" {
			req.Header.Set("X-Forwarded-For", tc.forwarded)
		}
		w := httptest.NewRecorder()
		s.Handler(nil).ServeHTTP(w, req)
		if refused := w.Code == 403; refused != (tc.code == 403) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		status := httptest.NewRequest(http.MethodGet, "/v1/status", nil)
		status.RemoteAddr = tc.from
		w = httptest.NewRecorder()
		s.Handler(nil).ServeHTTP(w, status)
		if w.Code != 200 {
			t.Errorf("%s: status %d", name, w.Code)
		}
	}
}

// A token that is renewed, added or taken away counts without a restart. What cannot be read, or holds none, changes
// nothing: least of all that tokens are needed.
func TestTokensAreReadAgain(t *testing.T) {
	r, log := ready(t), &lines{}
	r.deps.Logger = slog.New(slog.NewTextHandler(log, nil))
	var now atomic.Value
	type answer struct {
		list []serving.Token
		err  error
	}
	set := func(err error, texts ...string) {
		list, _ := tokens(allScopes, texts...)()
		now.Store(answer{list, err})
	}
	set(nil, "first")
	r.config.Tokens = func() ([]serving.Token, error) { a := now.Load().(answer); return a.list, a.err }
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	expect := func(when string, good, bad string) {
		t.Helper()
		s.Reload()
		for token, want := range map[string]int{good: 200, bad: 401, "": 401} {
			req := httptest.NewRequest(http.MethodGet, "/v1/status", nil)
			if token != "" {
				req.Header.Set("Authorization", "Bearer "+token)
			}
			w := httptest.NewRecorder()
			s.Handler(nil).ServeHTTP(w, req)
			if w.Code != want {
				t.Errorf("%s, token %q: %d, want %d", when, token, w.Code, want)
			}
		}
	}
	expect("at the start", "first", "second")
	set(nil, "first", "second")
	expect("one more", "second", "third")
	set(nil, "second")
	expect("one less", "second", "first")
	set(errors.New("tokens.txt: line 3 has 2 words"))
	expect("broken", "second", "first")
	expect("still broken", "second", "first")
	set(nil)
	expect("empty", "second", "first")
	set(nil, "third")
	expect("mended", "third", "second")
	if n := strings.Count(log.String(), "line 3"); n != 1 {
		t.Errorf("the error is told %d times", n)
	}
	if strings.Contains(log.String(), "second") {
		t.Errorf("the log shows a token: %s", log)
	}
}

func TestFirstTokensMustBeReadable(t *testing.T) {
	r := ready(t)
	r.config.Tokens = func() ([]serving.Token, error) { return nil, errors.New("tokens.txt is gone") }
	if _, err := serving.New(r.config, r.deps); err == nil || !strings.Contains(err.Error(), "tokens.txt is gone") {
		t.Errorf("%v", err)
	}
}

// A browser shows its token once and asks with a cookie from then on: it has the scopes of the token, ends with it and by
// itself, and is not the token.
func TestSessionsOfBrowsers(t *testing.T) {
	r := ready(t)
	r.config.Tokens = scoped
	now := start
	r.deps.Now = func() time.Time { return now }
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	send := func(method, at, authorization, cookie string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(method, at, strings.NewReader(`{"model": "late", "verb": "freeze"}`))
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		if cookie != "" {
			req.AddCookie(&http.Cookie{Name: "freshet_session", Value: cookie})
		}
		w := httptest.NewRecorder()
		s.Handler(nil).ServeHTTP(w, req)
		return w
	}
	if w := send("POST", "/v1/session", "Bearer wrong", ""); w.Code != 401 || len(w.Result().Cookies()) != 0 {
		t.Errorf("wrong token: %d %v", w.Code, w.Header())
	}
	w := send("POST", "/v1/session", "Bearer lookup-token", "")
	if w.Code != 204 || len(w.Result().Cookies()) != 1 {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	k := w.Result().Cookies()[0]
	if !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Path != "/" || strings.Contains(k.Value, "lookup") || k.MaxAge <= 0 {
		t.Errorf("%+v", k)
	}
	for at, want := range map[string]int{"GET /v1/drift": 200, "GET /v1/status": 200, "POST /v1/control": 403} {
		method, url, _ := strings.Cut(at, " ")
		if w := send(method, url, "", k.Value); w.Code != want {
			t.Errorf("%s: %d %s, want %d", at, w.Code, w.Body, want)
		}
	}
	flipped := []byte(k.Value)
	flipped[20] ^= 1
	longer := "ffff" + k.Value[4:] // another end under the same seal
	for _, wrong := range []string{string(flipped), longer, "", "zz", k.Value + "00", strings.Repeat("0", len(k.Value))} {
		if w := send("GET", "/v1/drift", "", wrong); w.Code != 401 {
			t.Errorf("cookie %.20q…: %d", wrong, w.Code)
		}
	}
	if w := send("POST", "/v1/session", "", k.Value); len(w.Result().Cookies()) != 0 {
		t.Error("a session can be prolonged without the token")
	}
	if w := send("DELETE", "/v1/session", "", k.Value); w.Code != 204 || w.Result().Cookies()[0].MaxAge >= 0 {
		t.Errorf("leaving: %d %v", w.Code, w.Header())
	}
	now = now.Add(12*time.Hour + time.Second)
	if w := send("GET", "/v1/drift", "", k.Value); w.Code != 401 {
		t.Errorf("after its end: %d", w.Code)
	}
	now = start
	r.config.Tokens = tokens(allScopes, "another")
	r.deps.Metrics = nil
	s, err = serving.New(r.config, r.deps)
	r.ok(err)
	if w := send("GET", "/v1/drift", "", k.Value); w.Code != 401 {
		t.Errorf("after its token: %d", w.Code)
	}
}
