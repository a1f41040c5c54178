package app

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/internal/certs/certstest"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/realtest"
	"github.com/freshet-ml/freshet/internal/stage"
)

// canary is a password with whatever a password can have.
const canary = `cAn:aRy "s3cret'%&/?#@\`

// written is a file of a test.
func written(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// parsed is a project with these sections.
func parsed(t testing.TB, sections string) *project.Project {
	t.Helper()
	p, err := project.Parse("freshet.yaml", []byte("version: 1\nproject: a\nsources: {s: {time: at, fields: {k: string}}}\nfeatures: {e: {key: k, n: {count: s}}}\n"+sections), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// use makes a topic and writes to it, the way the service does.
func use(t testing.TB, kafka string) error {
	t.Helper()
	tr, err := Transport(&parsed(t, "kafka: "+kafka).Kafka)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := stage.EnsureTopics(ctx, tr, stage.TopicSpec{Name: "a.events", Partitions: 1, Replicas: 1}); err != nil {
		return err
	}
	p, err := stage.OpenProducer(tr)
	if err != nil {
		return err
	}
	defer p.Close()
	return p.SendSync(ctx, &kgo.Record{Topic: "a.events", Value: []byte("x")})
}

func loginOver(addr, mechanism, user, file string) string {
	return fmt.Sprintf("{brokers: [%q], sasl: {mechanism: %s, user: %s, password_file: %q}}", addr, mechanism, user, file)
}

// Each way of logging in works from the project file, a wrong password does not, and the error does not show it. A password
// that is renewed in its file counts at the next login.
func TestLogins(t *testing.T) {
	good, wrong := written(t, canary+"\n"), written(t, "wrong-"+canary)
	for mechanism, name := range map[string]string{"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser(name, "me", canary))
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			addr := k.ListenAddrs()[0]
			if err := use(t, loginOver(addr, mechanism, "me", good)); err != nil {
				t.Error(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			tr, err := Transport(&parsed(t, "kafka: "+loginOver(addr, mechanism, "me", wrong)).Kafka)
			if err != nil {
				t.Fatal(err)
			}
			if err := stage.EnsureTopics(ctx, tr, stage.TopicSpec{Name: "b", Partitions: 1}); err == nil || strings.Contains(err.Error(), "cAn") {
				t.Errorf("wrong password: %v", err)
			}
			if err := os.WriteFile(wrong, []byte(canary), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := stage.EnsureTopics(t.Context(), tr, stage.TopicSpec{Name: "b", Partitions: 1, Replicas: 1}); err != nil {
				t.Errorf("the renewed password: %v", err)
			}
			if err := os.WriteFile(wrong, []byte("wrong-"+canary), 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestMutualTLSToBrokers(t *testing.T) {
	ca := certstest.New(t)
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(ca.Server("broker", true)))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	cert, key := ca.Issue("client")
	kafka := "{brokers: [%q], tls: {ca: %q, cert: %q, key: %q, server_name: %q}}"
	if err := use(t, fmt.Sprintf(kafka, k.ListenAddrs()[0], ca.File, cert, key, "broker")); err != nil {
		t.Error(err)
	}
}

// A user without rights is told what it may not do; one with the rights that docs/how-to/secure.md lists can do its work.
func TestRightsOnAFakeBroker(t *testing.T) {
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "root", "r"),
		kfake.User("PLAIN", "none", canary))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	err = use(t, loginOver(k.ListenAddrs()[0], "plain", "none", written(t, canary)))
	if err == nil || !strings.Contains(strings.ToLower(err.Error()), "authoriz") || strings.Contains(err.Error(), "cAn") {
		t.Errorf("%v", err)
	}
}

// issuer is a token endpoint that knows one client.
type issuer struct {
	*httptest.Server
	asked  atomic.Int64
	lives  time.Duration
	secret atomic.Value // string
	answer func(w http.ResponseWriter)
}

func newIssuer(t testing.TB, lives time.Duration) *issuer {
	i := &issuer{lives: lives}
	i.secret.Store(canary)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := i.asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		if i.answer != nil {
			i.answer(w)
			return
		}
		id, secret, _ := r.BasicAuth()
		if id == "" {
			id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
		}
		if plain, err := url.QueryUnescape(secret); err == nil {
			secret = plain
		}
		if id != "freshet" || secret != i.secret.Load() || r.FormValue("grant_type") != "client_credentials" || r.FormValue("audience") != "brokers" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error": "invalid_client", "error_description": "wrong secret %s"}`, "cAnary")
			return
		}
		fmt.Fprintf(w, `{"access_token": %q, "token_type": "bearer", "expires_in": %d}`, unsigned("carol", n), int(i.lives.Seconds()))
	}))
	t.Cleanup(i.Close)
	return i
}

// unsigned is a token that a broker without an issuer takes.
func unsigned(sub string, n int64) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	now := time.Now().Unix()
	return part(`{"alg":"none"}`) + "." + part(fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d,"n":%d}`, sub, now, now+3600, n)) + "."
}

func (i *issuer) section(file string) string {
	return fmt.Sprintf("{token_url: %q, client_id: freshet, client_secret_file: %q, audience: brokers, scopes: [kafka]}", i.URL+"/token", file)
}

func (i *issuer) tokens(t testing.TB, file string) *tokens {
	t.Helper()
	p := parsed(t, "kafka: {brokers: [b:1], sasl: {mechanism: oauthbearer, oauth: "+i.section(file)+"}}")
	source, err := newTokens(p.Kafka.SASL.OAuth)
	if err != nil {
		t.Fatal(err)
	}
	return source
}

func TestTokensOfAnEndpoint(t *testing.T) {
	i := newIssuer(t, time.Hour)
	file := written(t, canary)
	source := i.tokens(t, file)
	first, err := source.token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	second, err := source.token(t.Context())
	if err != nil || second != first || i.asked.Load() != 1 {
		t.Errorf("a token that is still good was asked for again: %d times, %v", i.asked.Load(), err)
	}
	i.lives = tokenMargin / 2
	source = i.tokens(t, file)
	first, _ = source.token(t.Context())
	if second, err = source.token(t.Context()); err != nil || second == first {
		t.Errorf("a token that is about to end is used: %v", err)
	}
	i.secret.Store("renewed-" + canary)
	if _, err = source.token(t.Context()); err == nil || !strings.Contains(err.Error(), "invalid_client") || !strings.Contains(err.Error(), "401") ||
		strings.Contains(err.Error(), "cAn") {
		t.Errorf("another secret: %v", err)
	}
	if err := os.WriteFile(file, []byte("renewed-"+canary), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = source.token(t.Context()); err != nil {
		t.Errorf("the renewed secret: %v", err)
	}
}

// Whatever an endpoint answers, the error says where and what kind, and repeats nothing of it.
func TestEndpointsThatFail(t *testing.T) {
	i := newIssuer(t, time.Hour)
	stolen := false
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen = true }))
	defer thief.Close()
	for name, answer := range map[string]func(w http.ResponseWriter){
		"text":       func(w http.ResponseWriter) { w.WriteHeader(500); _, _ = io.WriteString(w, "cAnary") },
		"odd error":  func(w http.ResponseWriter) { w.WriteHeader(400); _, _ = io.WriteString(w, `{"error": "cAnary"}`) },
		"no token":   func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"x": "cAnary"}`) },
		"broken":     func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"access_token": "cAnary`) },
		"hang up":    func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"endless":    func(w http.ResponseWriter) { _, _ = io.WriteString(w, strings.Repeat("cAnary", 1<<20)) },
		"redirected": func(w http.ResponseWriter) { w.Header().Set("Location", thief.URL); w.WriteHeader(307) },
	} {
		i.answer = answer
		_, err := i.tokens(t, written(t, canary)).token(t.Context())
		if err == nil || !strings.Contains(err.Error(), "token endpoint http://127.0.0.1") || strings.Contains(err.Error(), "cAn") || len(err.Error()) > 300 {
			t.Errorf("%s: %.300v", name, err)
		}
	}
	if stolen {
		t.Error("a redirect was followed with the secret")
	}
}

// The same project sections against a real broker: every way in, and rules on topics.
func TestLoginsOfARealBroker(t *testing.T) {
	b := realtest.StartSecureKafka(t)
	password := written(t, b.Password)
	tls := fmt.Sprintf("tls: {ca: %q}", b.Certs.CA)
	i := newIssuer(t, time.Hour)
	for name, kafka := range map[string]string{
		"plain over TLS":     fmt.Sprintf("{brokers: [%q], %s, sasl: {mechanism: plain, user: %s, password_file: %q}}", b.SASLTLS, tls, b.User, password),
		"scram-256":          loginOver(b.SASL, "scram-sha-256", b.User, password),
		"scram-512 over TLS": fmt.Sprintf("{brokers: [%q], %s, sasl: {user: %s, password_file: %q}}", b.SASLTLS, tls, b.User, password),
		"TLS":                fmt.Sprintf("{brokers: [%q], %s}", b.TLS, tls),
		"mutual TLS": fmt.Sprintf("{brokers: [%q], tls: {ca: %q, cert: %q, key: %q, server_name: localhost}}", b.MTLS, b.Certs.CA,
			b.Certs.ClientCert, b.Certs.ClientKey),
		"token of a file":      fmt.Sprintf("{brokers: [%q], %s, sasl: {mechanism: oauthbearer, token_file: %q}}", b.SASLTLS, tls, written(t, unsigned("dave", 0))),
		"token of an endpoint": fmt.Sprintf("{brokers: [%q], %s, sasl: {mechanism: oauthbearer, oauth: %s}}", b.SASLTLS, tls, i.section(written(t, canary))),
	} {
		if err := use(t, kafka); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if i.asked.Load() != 1 {
		t.Errorf("the clients of one transport asked for %d tokens", i.asked.Load())
	}
	for name, c := range map[string]struct{ kafka, says string }{
		"plain text where TLS is wanted":      {fmt.Sprintf("{brokers: [%q]}", b.TLS), "kafka.tls"},
		"TLS where plain text is wanted":      {fmt.Sprintf("{brokers: [%q], %s}", b.Plain, tls), "plain text"},
		"no login where one is wanted":        {fmt.Sprintf("{brokers: [%q]}", b.SASL), "kafka.sasl"},
		"no certificate where one is wanted":  {fmt.Sprintf("{brokers: [%q], %s}", b.MTLS, tls), "certificate"},
		"a login where encryption is missing": {loginOver(b.SASLTLS, "scram-sha-256", b.User, password), "kafka.tls"},
	} {
		began := time.Now()
		if err := use(t, c.kafka); err == nil || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: after %v: %v; want an error that says %q", name, time.Since(began), err, c.says)
		} else {
			t.Logf("%s: after %v: %v", name, time.Since(began), err)
		}
	}
	t.Run("least rights", func(t *testing.T) { leastRights(t, b, loginOver(b.SASL, "scram-sha-512", b.User, password)) })
}

// leastRights gives Alice the rights that docs/how-to/secure.md lists, and nothing else, and then takes one away.
func leastRights(t *testing.T, b *realtest.SecureBroker, kafka string) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Plain))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	if _, err := adm.DeleteTopics(t.Context(), "a.events"); err != nil {
		t.Fatal(err)
	}
	rules := func(add *kadm.ACLBuilder) {
		t.Helper()
		made, err := adm.CreateACLs(t.Context(), add)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range made {
			if m.Err != nil {
				t.Fatal(m.Err)
			}
		}
	}
	// A rule for somebody else closes what nobody had a rule for.
	rules(kadm.NewACLs().Allow("User:nobody").AllowHosts("*").Topics("*").Groups("*").ResourcePatternType(kadm.ACLPatternLiteral).Operations(kadm.OpAll))
	rules(kadm.NewACLs().Allow("User:nobody").AllowHosts("*").Clusters().Operations(kadm.OpAll))
	for end := time.Now().Add(20 * time.Second); ; { // a broker hears of a rule soon after it was made
		err := use(t, kafka)
		if err != nil && strings.Contains(strings.ToLower(err.Error()), "authoriz") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("without rights: %v", err)
		}
	}
	rules(kadm.NewACLs().Allow("User:"+b.User).AllowHosts("*").Topics("a.").Groups("a.").ResourcePatternType(kadm.ACLPatternPrefixed).
		Operations(kadm.OpCreate, kadm.OpDescribe, kadm.OpDescribeConfigs, kadm.OpRead, kadm.OpWrite))
	for end := time.Now().Add(20 * time.Second); ; {
		err := use(t, kafka)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("with the rights of the guide: %v", err)
		}
	}
}

// Redis asks for a user, a password, and certificates of both sides.
func TestLoginsOfRealRedis(t *testing.T) {
	certs := realtest.NewCerts(t)
	s := realtest.StartRedisTLS(t, certs, "--tls-auth-clients", "yes")
	check := func(section string) error {
		store, err := Store(&parsed(t, "redis: "+section).Redis)
		if err != nil {
			return err
		}
		defer store.Close()
		return store.Check(t.Context())
	}
	section := "{addr: %q, user: %s, password_file: %q, tls: {ca: %q, cert: %q, key: %q, server_name: %q}}"
	password := written(t, s.Password)
	if err := check(fmt.Sprintf(section, s.Addr, s.User, password, certs.CA, certs.ClientCert, certs.ClientKey, "localhost")); err != nil {
		t.Error(err)
	}
	for name, tc := range map[string]string{
		"wrong password": fmt.Sprintf(section, s.Addr, s.User, written(t, "wrong-"+canary), certs.CA, certs.ClientCert, certs.ClientKey, "localhost"),
		"wrong user":     fmt.Sprintf(section, s.Addr, "nobody", password, certs.CA, certs.ClientCert, certs.ClientKey, "localhost"),
		"wrong name":     fmt.Sprintf(section, s.Addr, s.User, password, certs.CA, certs.ClientCert, certs.ClientKey, "elsewhere"),
		"no certificate": fmt.Sprintf("{addr: %q, user: %s, password_file: %q, tls: {ca: %q}}", s.Addr, s.User, password, certs.CA),
		"wrong CA":       fmt.Sprintf("{addr: %q, user: %s, password_file: %q, tls: {ca: %q}}", s.Addr, s.User, password, realtest.NewCerts(t).CA),
		"no TLS":         fmt.Sprintf("{addr: %q, user: %s, password_file: %q}", s.Addr, s.User, password),
	} {
		if err := check(tc); err == nil || strings.Contains(err.Error(), "cAn") || strings.Contains(err.Error(), s.Password) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Do("ACL", "SETUSER", s.User, ">renewed", "<"+s.Password)
	if err := os.WriteFile(password, []byte("renewed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := check(fmt.Sprintf(section, s.Addr, s.User, password, certs.CA, certs.ClientCert, certs.ClientKey, "localhost")); err != nil {
		t.Errorf("the renewed password: %v", err)
	}
}

// A cluster is logged in to at every node.
func TestLoginsOfARealCluster(t *testing.T) {
	c := realtest.StartRedisCluster(t)
	section := "{addr: [%s], cluster: true, user: app, password_file: %q}"
	open := func(file string) error {
		store, err := Store(&parsed(t, "redis: "+fmt.Sprintf(section, `"`+strings.Join(c.Addrs(), `", "`)+`"`, file)).Redis)
		if err != nil {
			return err
		}
		defer store.Close()
		return store.Check(t.Context())
	}
	if err := open(written(t, c.Nodes[0].Password)); err != nil {
		t.Error(err)
	}
	if err := open(written(t, "wrong-"+canary)); err == nil || strings.Contains(err.Error(), "cAn") {
		t.Errorf("wrong password: %v", err)
	}
}
