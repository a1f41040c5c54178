package realtest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/freshet-ml/freshet/internal/realtest"
)

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.AllowAutoTopicCreation(), kgo.DialTimeout(2*time.Second))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func send(t testing.TB, cl *kgo.Client, topic, value string) {
	t.Helper()
	if err := cl.ProduceSync(deadline(t), &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// first waits for the first record of a topic.
func first(t testing.TB, topic string, opts ...kgo.Opt) string {
	t.Helper()
	cl := client(t, append(opts, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	fetches := cl.PollFetches(deadline(t))
	if err := fetches.Err(); err != nil {
		t.Fatal(err)
	}
	return string(fetches.Records()[0].Value)
}

func TestOneBroker(t *testing.T) {
	t.Parallel()
	b := realtest.StartKafka(t)
	t.Run("killed and started it keeps its records", func(t *testing.T) { killedAndStarted(t, b) })
	t.Run("paused it does not answer", func(t *testing.T) { pausedBroker(t, b) })
}

func killedAndStarted(t *testing.T, b *realtest.Brokers) {
	seeds := kgo.SeedBrokers(b.Addrs()...)
	send(t, client(t, seeds), "kept", "before")
	b.Nodes[0].Kill()
	if b.Nodes[0].Alive() {
		t.Fatal("alive after it was killed")
	}
	b.Nodes[0].Start()
	if got := first(t, "kept", seeds); got != "before" {
		t.Errorf("read %q", got)
	}
}

func pausedBroker(t *testing.T, b *realtest.Brokers) {
	cl := client(t, kgo.SeedBrokers(b.Addrs()...), kgo.RequestRetries(0))
	b.Nodes[0].Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := kadm.NewClient(cl).ListTopics(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("paused broker: %v", err)
	}
	b.Nodes[0].Resume()
	if _, err := kadm.NewClient(cl).ListTopics(deadline(t)); err != nil {
		t.Error(err)
	}
}

func TestClusterOutlivesABroker(t *testing.T) {
	t.Parallel()
	b := realtest.StartKafkaCluster(t)
	seeds := kgo.SeedBrokers(b.Addrs()...)
	cl := client(t, seeds, kgo.RequiredAcks(kgo.AllISRAcks()))
	if _, err := kadm.NewClient(cl).CreateTopic(deadline(t), 3, -1, nil, "spread"); err != nil {
		t.Fatal(err)
	}
	send(t, cl, "spread", "three")
	topics, err := kadm.NewClient(cl).ListTopics(deadline(t), "spread")
	if err != nil || len(topics["spread"].Partitions[0].Replicas) != 3 {
		t.Fatalf("replicas: %v, %v", topics["spread"].Partitions, err)
	}
	b.Nodes[2].Kill()
	for p := range int32(3) { // leaders move
		if err := cl.ProduceSync(deadline(t), &kgo.Record{Topic: "spread", Partition: p, Value: []byte("two")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	b.Nodes[2].Start()
}

// trust is a client's TLS configuration, with its certificate or without.
func trust(t testing.TB, c *realtest.Certs, own bool) kgo.Opt {
	t.Helper()
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	cfg.RootCAs.AppendCertsFromPEM(pem)
	if own {
		pair, err := tls.LoadX509KeyPair(c.ClientCert, c.ClientKey)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return kgo.DialTLSConfig(cfg)
}

// unsigned is a token that a broker without an issuer takes.
func unsigned(sub string) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	now := time.Now().Unix()
	return part(`{"alg":"none"}`) + "." + part(fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d}`, sub, now, now+3600)) + "."
}

func TestSecureBroker(t *testing.T) {
	t.Parallel()
	b := realtest.StartSecureKafka(t)
	t.Run("takes each login", func(t *testing.T) { takesEachLogin(t, b) })
	t.Run("refuses", func(t *testing.T) { refuses(t, b) })
	t.Run("checks rules", func(t *testing.T) { checksRules(t, b) })
}

func takesEachLogin(t *testing.T, b *realtest.SecureBroker) {
	login := scram.Auth{User: b.User, Pass: b.Password}
	ways := map[string][]kgo.Opt{
		"plain listener":    {kgo.SeedBrokers(b.Plain)},
		"scram-sha-256":     {kgo.SeedBrokers(b.SASL), kgo.SASL(login.AsSha256Mechanism())},
		"scram-sha-512":     {kgo.SeedBrokers(b.SASL), kgo.SASL(login.AsSha512Mechanism())},
		"plain login":       {kgo.SeedBrokers(b.SASL), kgo.SASL(plain.Auth{User: b.User, Pass: b.Password}.AsMechanism())},
		"oauth":             {kgo.SeedBrokers(b.SASL), kgo.SASL(oauth.Auth{Token: unsigned("carol")}.AsMechanism())},
		"tls":               {kgo.SeedBrokers(b.TLS), trust(t, b.Certs, false)},
		"scram over tls":    {kgo.SeedBrokers(b.SASLTLS), trust(t, b.Certs, false), kgo.SASL(login.AsSha512Mechanism())},
		"client's identity": {kgo.SeedBrokers(b.MTLS), trust(t, b.Certs, true)},
	}
	for name, opts := range ways {
		topic := strings.NewReplacer(" ", "-", "'", "").Replace(name)
		send(t, client(t, opts...), topic, name)
		if got := first(t, topic, opts...); got != name {
			t.Errorf("%s: read %q", name, got)
		}
	}
}

func refuses(t *testing.T, b *realtest.SecureBroker) {
	fails := func(opts ...kgo.Opt) error {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := kadm.NewClient(client(t, append(opts, kgo.RequestRetries(0))...)).BrokerMetadata(ctx)
		if err == nil {
			t.Error("let in")
		}
		return err
	}
	wrong := scram.Auth{User: b.User, Pass: "guess"}
	if err := fails(kgo.SeedBrokers(b.SASL), kgo.SASL(wrong.AsSha256Mechanism())); !errors.Is(err, kerr.SaslAuthenticationFailed) {
		t.Errorf("wrong password: %v", err)
	}
	_ = fails(kgo.SeedBrokers(b.MTLS), trust(t, b.Certs, false))
	_ = fails(kgo.SeedBrokers(b.TLS), trust(t, realtest.NewCerts(t), false))
}

func checksRules(t *testing.T, b *realtest.SecureBroker) {
	adm := kadm.NewClient(client(t, kgo.SeedBrokers(b.Plain)))
	for _, on := range []*kadm.ACLBuilder{kadm.NewACLs().Clusters(), kadm.NewACLs().Topics("x").ResourcePatternType(kadm.ACLPatternLiteral)} {
		made, err := adm.CreateACLs(deadline(t), on.Deny("User:"+b.User).Operations(kadm.OpCreate))
		if err != nil || made[0].Err != nil {
			t.Fatal(err, made)
		}
	}
	alice := kadm.NewClient(client(t, kgo.SeedBrokers(b.SASL), kgo.SASL(scram.Auth{User: b.User, Pass: b.Password}.AsSha256Mechanism())))
	for ctx := deadline(t); ; { // a broker hears of a rule soon after it was made
		_, err := alice.CreateTopic(ctx, 1, 1, nil, "x")
		if errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("topic made against the rules: %v", err)
		}
		if _, err := adm.DeleteTopics(ctx, "x"); err != nil {
			t.Fatal(err)
		}
	}
}
