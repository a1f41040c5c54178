package stage_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
)

// The broker goes away and comes back: an open reader goes on by itself, a writer goes on or ends its
// session, and nothing is lost or doubled.
func TestBrokerComesBack(t *testing.T) {
	o := embedded.Options{NoStore: true, DataDir: t.TempDir()}
	s, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	_, port, _ := strings.Cut(s.Brokers[0], ":")
	if o.KafkaPort, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	ctx := deadline(t)
	tr := stage.Transport{Brokers: s.Brokers, Local: true}
	if err := stage.EnsureTopics(ctx, tr, stage.TopicSpec{Name: topic, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	r, err := stage.OpenReader(ctx, tr, topic, 0, frame.Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w, _ := open(t, tr)
	var next uint64
	for round := range 3 {
		n := appendItems(t, w, 3)
		if round > 0 {
			s.Close()
			if s, err = embedded.Start(o); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.WaitCounted(ctx, n); err != nil {
			if !errors.Is(err, stage.ErrSessionEnded) || stage.Final(err) {
				t.Fatal(err)
			}
			var tail *frame.Tail
			if w, tail = open(t, tr); tail.NextSeq < uint64(3*round+3) {
				appendItems(t, w, 3)
			}
			if err := w.Drain(ctx); err != nil {
				t.Fatal(err)
			}
		}
		for next < uint64(3*round+3) {
			c, err := r.Next(ctx)
			if err != nil {
				t.Fatalf("reader in round %d: %v", round, err)
			}
			if c.FirstSeq != next {
				t.Fatalf("frame begins with item %d, want %d", c.FirstSeq, next)
			}
			next = c.NextSeq()
		}
	}
	read(t, tr, frame.Position{}, 0, 9)
}

func TestTransportWithTLSAndPassword(t *testing.T) {
	web := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	defer web.Close()
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "me", "secret"),
		kfake.TLS(&tls.Config{Certificates: web.TLS.Certificates}))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	good := stage.Transport{
		Brokers: k.ListenAddrs(), Local: true,
		TLS:  web.Client().Transport.(*http.Transport).TLSClientConfig,
		SASL: []sasl.Mechanism{plain.Auth{User: "me", Pass: "secret"}.AsMechanism()},
	}
	if err := stage.EnsureTopics(deadline(t), good, stage.TopicSpec{Name: topic, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	w, _ := open(t, good)
	appendItems(t, w, 1)
	if err := w.Drain(deadline(t)); err != nil {
		t.Fatal(err)
	}
}
