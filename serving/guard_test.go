package serving_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // lets the server inflate what it is sent
	"google.golang.org/grpc/status"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/serving/client"
)

// A name that is not ours is refused where only this machine listens: a page of another site may have given it to
// our address.
func TestForeignNamesAreRefused(t *testing.T) {
	r := ready(t)
	r.config.Hosts = []string{"freshet.example"}
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	h := s.Web(nil).Handler
	for host, want := range map[string]int{"127.0.0.1:7071": 200, "localhost": 200, "LOCALHOST:7071": 200, "localhost.": 200, "[::1]:7071": 200, "127.3.2.1": 200,
		"freshet.example": 200, "Freshet.Example:443": 200, "evil.example": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example:7071": 421,
		"192.0.2.1": 421, "": 421, "freshet.example.evil.example": 421, "evil.example:7071@127.0.0.1": 421} {
		for path, code := range map[string]int{"/v1/status": want, "/metrics": want, "/healthz": 200} {
			req := httptest.NewRequest(http.MethodGet, path, nil)
			req.Host = host
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			if w.Code != code {
				t.Errorf("%q asks for %s: %d, want %d", host, path, w.Code, code)
			}
		}
	}
}

// What a page of another site can make a browser send changes nothing here.
func TestOtherSitesCannotChangeAnything(t *testing.T) {
	r := ready(t)
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	for name, tc := range map[string]struct {
		headers map[string]string
		refused bool
	}{
		"a program":                  {nil, false},
		"our own page":               {map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:7071"}, false},
		"typed in":                   {map[string]string{"Sec-Fetch-Site": "none"}, false},
		"a page of another site":     {map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}, true},
		"another port of the host":   {map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:8000"}, true},
		"an old browser":             {map[string]string{"Origin": "http://evil.example"}, true},
		"an old browser, our page":   {map[string]string{"Origin": "http://127.0.0.1:7071"}, false},
		"a file or a sandboxed page": {map[string]string{"Origin": "null"}, true},
	} {
		for _, at := range []string{"/v1/control", "/v1/feedback", "/v1/predict", "/v1/session"} {
			req := httptest.NewRequest(http.MethodPost, at, strings.NewReader("{}"))
			req.Host, req.RemoteAddr = "127.0.0.1:7071", "127.0.0.1:40000"
			req.Header.Set("Content-Type", "text/plain") // what needs no preflight
			for k, v := range tc.headers {
				req.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			s.Web(nil).Handler.ServeHTTP(w, req)
			if refused := w.Code == http.StatusForbidden; refused != tc.refused {
				t.Errorf("%s, %s: %d %s", name, at, w.Code, w.Body)
			}
			if w.Header().Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: CORS is open", name)
			}
		}
	}
	preflight := httptest.NewRequest(http.MethodOptions, "/v1/control", nil)
	preflight.Header.Set("Origin", "http://evil.example")
	w := httptest.NewRecorder()
	s.Handler(nil).ServeHTTP(w, preflight)
	if w.Code < 400 || w.Header().Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("preflight: %d %v", w.Code, w.Header())
	}
}

func TestPackedBodiesAreRefused(t *testing.T) {
	r := ready(t)
	_, web := r.serve(client.Options{})
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, err := z.Write(make([]byte, 64<<20))
	r.ok(err)
	r.ok(z.Close())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, web+"/v1/predict", &bomb)
	r.ok(err)
	req.Header.Set("Content-Encoding", "gzip")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	r.ok(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	r.ok(err)
	if resp.StatusCode != 400 || !strings.Contains(string(b), "packed") {
		t.Errorf("%d %s", resp.StatusCode, b)
	}
}

// A small message that inflates beyond max_message is refused at that size.
func TestInflatedMessagesAreBounded(t *testing.T) {
	r := ready(t)
	c, _ := r.serve(client.Options{})
	bomb := ask("late", flight(map[string]*freshetv1.Value{"origin": client.String(strings.Repeat("x", 32<<20))}))
	_, err := c.Predict(t.Context(), bomb, grpc.UseCompressor("gzip"))
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("%v", err)
	}
}

// The server announces bounds of what one connection may open and send in headers.
func TestHTTP2Bounds(t *testing.T) {
	r := ready(t)
	r.config.MaxInFlight = 10
	c, _ := r.serve(client.Options{})
	conn, err := net.Dial("tcp", c.Conn().Target())
	r.ok(err)
	defer conn.Close()
	_, err = io.WriteString(conn, http2.ClientPreface)
	r.ok(err)
	f := http2.NewFramer(conn, conn)
	r.ok(f.WriteSettings())
	for {
		frame, err := f.ReadFrame()
		r.ok(err)
		s, ok := frame.(*http2.SettingsFrame)
		if !ok || s.IsAck() {
			continue
		}
		streams, _ := s.Value(http2.SettingMaxConcurrentStreams)
		header, _ := s.Value(http2.SettingMaxHeaderListSize)
		if streams == 0 || streams > 100 || header == 0 || header > 1<<20 {
			t.Errorf("%d streams, %d bytes of headers", streams, header)
		}
		return
	}
}

// pipes is a listener of connections in memory.
type pipes struct{ ch chan net.Conn }

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p.ch
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (pipes) Close() error   { return nil }
func (pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// A client that sends its header or its body drop by drop is cut off.
func TestSlowSendersAreCutOff(t *testing.T) {
	for name, tc := range map[string]struct {
		first  string
		within time.Duration
	}{
		"header": {"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nX: ", 6 * time.Second},
		"body":   {"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n", 40 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			r := ready(t)
			s, err := serving.New(r.config, r.deps)
			r.ok(err)
			synctest.Test(t, func(t *testing.T) {
				web, l := s.Web(nil), pipes{make(chan net.Conn)}
				go func() { _ = web.Serve(l) }()
				ours, theirs := net.Pipe()
				l.ch <- theirs
				began, dripped := time.Now(), make(chan struct{})
				go func() {
					defer close(dripped)
					_, err := io.WriteString(ours, tc.first)
					for err == nil {
						time.Sleep(time.Second)
						_, err = io.WriteString(ours, "a")
					}
				}()
				_, _ = io.Copy(io.Discard, ours) // ends when the server hangs up
				if took := time.Since(began); took > tc.within {
					t.Errorf("cut off after %s", took)
				}
				ours.Close()
				<-dripped
				close(l.ch)
				synctest.Wait()
				web.Close()
			})
		})
	}
}

// A long answer outlives the time in which its request must be read.
func TestLongAnswersAreNotCutOff(t *testing.T) {
	r := ready(t)
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	synctest.Test(t, func(t *testing.T) {
		var ended error
		page := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			select {
			case <-q.Context().Done():
				ended = q.Context().Err()
			case <-time.After(50 * time.Second):
			}
			_, _ = io.WriteString(w, "done")
		})
		web, l := s.Web(page), pipes{make(chan net.Conn)}
		go func() { _ = web.Serve(l) }()
		ours, theirs := net.Pipe()
		l.ch <- theirs
		go func() { _, _ = io.WriteString(ours, "GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") }()
		b, _ := io.ReadAll(ours)
		if !strings.Contains(string(b), "done") || ended != nil {
			t.Errorf("%s %v", b, ended)
		}
		close(l.ch)
		synctest.Wait()
		web.Close()
	})
}

func TestConnectionsAreBounded(t *testing.T) {
	r := ready(t)
	r.config.MaxConns = 1
	_, web := r.serve(client.Options{})
	address := strings.TrimPrefix(web, "http://")
	first, err := net.Dial("tcp", address)
	r.ok(err)
	_, err = io.WriteString(first, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	r.ok(err)
	buf := make([]byte, 15)
	_, err = io.ReadFull(first, buf)
	r.ok(err)
	second, err := net.Dial("tcp", address) // the kernel takes it, the server does not
	r.ok(err)
	defer second.Close()
	_, err = io.WriteString(second, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	r.ok(err)
	r.ok(second.SetReadDeadline(time.Now().Add(50 * time.Millisecond)))
	if n, err := second.Read(buf); err == nil {
		t.Fatalf("a second connection was answered: %s", buf[:n])
	}
	r.ok(first.Close())
	r.ok(second.SetReadDeadline(time.Now().Add(10 * time.Second)))
	_, err = io.ReadFull(second, buf)
	r.ok(err)
}

// Profiles are for this machine, and for tokens of scope admin where there are tokens.
func TestAdminPort(t *testing.T) {
	r := ready(t)
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	l, err := serving.Listen("127.0.0.1:0", "serving.admin")
	r.ok(err)
	if err := s.RunAdmin(t.Context(), far{l}); err == nil || !strings.Contains(err.Error(), "serving.admin") {
		t.Errorf("an address of others: %v", err)
	}
	if l, err = serving.Listen("127.0.0.1:0", "serving.admin"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.RunAdmin(ctx, l) }()
	for at, want := range map[string]string{"/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile", "/metrics": "freshet_", "/healthz": "ok"} {
		if code, body := call(t, "GET", "http://"+l.Addr().String()+at, "", ""); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.200s", at, code, body)
		}
	}
	if code, body := call(t, "GET", "http://"+l.Addr().String()+"/debug/pprof/cmdline", "", ""); code != 403 || strings.Contains(body, "test") {
		t.Errorf("cmdline: %d %s", code, body)
	}
	if code, _ := call(t, "GET", "http://"+l.Addr().String()+"/v1/status", "", ""); code != 404 {
		t.Errorf("the API on the admin port: %d", code)
	}
	cancel()
	r.ok(<-done)
	_, web := r.serve(client.Options{})
	if code, _ := call(t, "GET", web+"/debug/pprof/", "", ""); code != 404 {
		t.Errorf("profiles on the HTTP port: %d", code)
	}
}
