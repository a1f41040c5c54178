package stage_test

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/internal/stage"
)

// hangUp listens and ends every connection, after it has read so many bytes.
func hangUp(t *testing.T, after int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, after)) // 0: at once
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

// A broker that ends every connection is no broker that is away: the first question ends, and says what to look at, instead of
// being asked again and again.
func TestBrokerThatHangsUp(t *testing.T) {
	web := httptest.NewUnstartedServer(http.NotFoundHandler())
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	t.Cleanup(web.Close)
	encrypted := web.Client().Transport.(*http.Transport).TLSClientConfig
	for name, c := range map[string]struct {
		broker string
		tls    *tls.Config
		says   string
	}{
		"at once":                       {hangUp(t, 0), nil, "kafka.tls"},
		"at once, with TLS":             {hangUp(t, 0), encrypted, "plain text"},
		"after the first bytes":         {hangUp(t, 16), nil, "kafka.sasl"},
		"within the handshake":          {hangUp(t, 16), encrypted, "plain text"},
		"it wants TLS":                  {strings.TrimPrefix(web.URL, "https://"), nil, "kafka.tls"},
		"another authority signed this": {strings.TrimPrefix(web.URL, "https://"), &tls.Config{}, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := deadline(t)
			err := stage.EnsureTopics(ctx, stage.Transport{Brokers: []string{c.broker}, TLS: c.tls}, stage.TopicSpec{Name: topic, Partitions: 1})
			if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want an error that says %q, before the deadline", err, c.says)
			}
		})
	}
}
