package serving_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/freshet-ml/freshet/internal/certs/certstest"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/serving/client"
)

func TestTLSWithClientCertificates(t *testing.T) {
	r, ca := ready(t), certstest.New(t)
	cert, key := ca.Issue("server")
	r.config.TLS = &serving.TLS{Cert: cert, Key: key, CA: ca.File}
	c, web := r.serve(client.Options{TLS: ca.Client("me")})
	_, err := c.Predict(t.Context(), ask("late", flight(nil)))
	r.ok(err)
	stranger, err := client.Dial(c.Conn().Target(), client.Options{TLS: ca.Client("")})
	r.ok(err)
	defer stranger.Close()
	if _, err := stranger.Status(t.Context(), &freshetv1.StatusRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("without a certificate: %v", err)
	}
	get := func(c *tls.Config) error {
		resp, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}).Get(strings.Replace(web, "http:", "https:", 1) + "/v1/status")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Strict-Transport-Security") == "" {
				t.Errorf("%d %v", resp.StatusCode, resp.Header)
			}
		}
		return err
	}
	r.ok(get(ca.Client("me")))
	if err := get(ca.Client("")); err == nil {
		t.Error("HTTP without a certificate was answered")
	}
}

// lines collects a log that goroutines write.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// shown returns the serial number of the certificate that a server shows.
func shown(t *testing.T, address string, c *tls.Config) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", address, c)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// Certificates that change while the server runs are shown by both ports without a restart; broken ones are not, and
// the log says so once.
func TestRenewedCertificateIsTakenUpWhileServing(t *testing.T) {
	r, ca, log := ready(t), certstest.New(t), &lines{}
	r.deps.Logger = slog.New(slog.NewTextHandler(log, nil))
	cert, key := ca.Issue("server")
	r.config.TLS, r.config.Reload = &serving.TLS{Cert: cert, Key: key}, time.Millisecond
	c, web := r.serve(client.Options{TLS: ca.Client("")})
	trust := ca.Client("")
	trust.NextProtos = []string{"h2"}
	ports := []string{c.Conn().Target(), strings.TrimPrefix(web, "http://")}
	first := shown(t, ports[0], trust)
	ca.Issue("server")
	for _, p := range ports {
		for shown(t, p, trust) == first && t.Context().Err() == nil {
		}
	}
	second := shown(t, ports[0], trust)
	r.ok(os.WriteFile(cert, []byte("half a file"), 0o600))
	for !strings.Contains(log.String(), "renewal failed") {
	}
	if got := shown(t, ports[1], trust); got != second {
		t.Errorf("certificate %d while the file is broken, want %d", got, second)
	}
	_, err := c.Predict(t.Context(), ask("late", flight(nil))) // the old connection goes on
	r.ok(err)
	ca.Issue("server")
	for shown(t, ports[0], trust) == second {
	}
	if n := strings.Count(log.String(), "renewal failed"); n > 2 { // a certificate can be read before its key is written
		t.Errorf("the same error is told %d times", n)
	}
	if counter(t, r, "freshet_serving_reloads_total") == 0 {
		t.Error("no reload is counted")
	}
}

// far is a listener that other machines could reach.
type far struct{ net.Listener }

func (far) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7070} }

func TestOtherMachinesNeedTLSOrTokens(t *testing.T) {
	r, ca := ready(t), certstest.New(t)
	cert, key := ca.Issue("server")
	run := func(change func(c *serving.Config)) (string, error) {
		log := &lines{}
		config := r.config
		change(&config)
		r.deps.Metrics, r.deps.Logger = nil, slog.New(slog.NewTextHandler(log, nil))
		s, err := serving.New(config, r.deps)
		r.ok(err)
		l, err := serving.Listen("127.0.0.1:0", "serving.grpc")
		r.ok(err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err = s.Run(ctx, far{l}, nil, nil)
		return log.String(), err
	}
	if _, err := run(func(*serving.Config) {}); err == nil || !strings.Contains(err.Error(), "10.0.0.1:7070") || !strings.Contains(err.Error(), "serving.insecure") {
		t.Errorf("%v", err)
	}
	for warning, change := range map[string]func(c *serving.Config){
		"without TLS and without a token": func(c *serving.Config) { c.Insecure = true },
		"clear text":                      func(c *serving.Config) { c.Tokens = tokens(allScopes, "t") },
		"may ask without a token":         func(c *serving.Config) { c.TLS = &serving.TLS{Cert: cert, Key: key} },
	} {
		log, err := run(change)
		r.ok(err)
		if !strings.Contains(log, "level=WARN") || !strings.Contains(log, warning) || !strings.Contains(log, "10.0.0.1:7070") {
			t.Errorf("no warning of %q in %s", warning, log)
		}
	}
	for name, change := range map[string]func(c *serving.Config){
		"TLS and tokens": func(c *serving.Config) {
			c.TLS, c.Tokens = &serving.TLS{Cert: cert, Key: key}, tokens(allScopes, "t")
		},
		"client certificates": func(c *serving.Config) { c.TLS = &serving.TLS{Cert: cert, Key: key, CA: ca.File} },
	} {
		log, err := run(change)
		r.ok(err)
		if strings.Contains(log, "level=WARN") {
			t.Errorf("%s: %s", name, log)
		}
	}
}

func TestUnreadableFilesAreNamed(t *testing.T) {
	r := ready(t)
	r.config.TLS = &serving.TLS{Cert: "nowhere.pem", Key: "none.pem"}
	if _, err := serving.New(r.config, r.deps); err == nil || !strings.Contains(err.Error(), "nowhere.pem") {
		t.Errorf("%v", err)
	}
}

func TestMonitorFollowsItsCertificate(t *testing.T) {
	r, ca := ready(t), certstest.New(t)
	cert, key := ca.Issue("server")
	m := serving.Monitor{Metrics: r.metrics, Waiting: func() []string { return nil }, TLS: &serving.TLS{Cert: cert, Key: key}, Logger: slog.New(slog.DiscardHandler)}
	l, err := serving.Listen("127.0.0.1:0", "--http")
	r.ok(err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx, l) }()
	first := shown(t, l.Addr().String(), ca.Client(""))
	ca.Issue("server")
	if second := shown(t, l.Addr().String(), ca.Client("")); second <= first {
		t.Errorf("certificate %d, then %d", first, second)
	}
	cancel()
	r.ok(<-done)
}
