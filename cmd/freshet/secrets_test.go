package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/freshet-ml/freshet/internal/certs/certstest"
)

// canaries are secrets by the name of their variable. Each has a core that nothing may show, and whatever characters a password
// can have around it.
var canaries = map[string]string{
	"KAFKA_PW": "kAnarieKafka/@:#?%& '\"\\", "REDIS_PW": "kAnarieRedis/@:#?%& '\"\\", "CLIENT_SECRET": "kAnarieClient/@:#?%&",
	"S3_SECRET": "kAnarieBlob/@:#?%&", "TOKEN": "kAnarieToken/@:#?%&", "WRONG": "kAnarieWrong/@:#?%&",
	"FRESHET_TOKEN": "kAnarieShown/@:#?%&", "FRESHET_SECRET": "kAnarieHmac", "AWS_SECRET_ACCESS_KEY": "kAnarieEnv",
}

func canaryEnv(name string) (string, bool) {
	v, ok := canaries[name]
	return v, ok
}

// noCanary fails when a text holds a canary: as it is, or in what it would be in a URL, a header or a hash of bytes.
func noCanary(t *testing.T, where, text string) {
	t.Helper()
	for name, c := range canaries {
		core := c[:strings.IndexFunc(c+"/", func(r rune) bool { return r == '/' })]
		for _, form := range []string{core, hex.EncodeToString([]byte(core)), base64.StdEncoding.EncodeToString([]byte(core))[:len(core)], url.QueryEscape(c), strconv.Quote(c)} {
			if i := strings.Index(text, form); i >= 0 {
				t.Errorf("%s shows %s: …%s…", where, name, text[max(0, i-100):min(len(text), i+60)])
			}
		}
	}
}

const canaryProject = `version: 1
project: canary
sources:
  s: {time: at, fields: {id: string, k: string, card: string}, sensitive: card, expect: ["k != 'bad'"]}
features:
  e: {key: k, n: {count: s}}
models:
  m: {task: binary, on: request, request: {k: string}, use: [e.n], label: {from: feedback, wait: 1h}}
`

// canaryFile writes a project with more sections.
func canaryFile(t *testing.T, sections string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "freshet.yaml")
	if err := os.WriteFile(file, []byte(canaryProject+sections), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const (
	canaryTokens = `
serving: {grpc: "127.0.0.1:0", http: "127.0.0.1:0", tokens: [{name: one, token: "${TOKEN}", scopes: [predict, lookup, feedback, admin]}]}
checkpoints: {url: "s3://bucket/x", endpoint: "http://127.0.0.1:1", region: here, access_key: me, secret_key: "${S3_SECRET}"}
`
	canaryRedis = "redis: {addr: %q, user: me, password: \"${REDIS_PW}\"%s}\n"
	canaryKafka = "kafka: {brokers: [%q]%s, sasl: {mechanism: %s, user: me, password: \"${%s}\"}}\n"
)

// Commands that fail, in whatever way, show no secret, as text and as JSON.
func TestFailingCommandsShowNoSecret(t *testing.T) {
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "me", canaries["KAFKA_PW"]))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	r := miniredis.RunT(t)
	r.RequireUserAuth("me", canaries["REDIS_PW"])
	broker := k.ListenAddrs()[0]
	ca := certstest.New(t)
	data := filepath.Join(t.TempDir(), "s.jsonl")
	if err := os.WriteFile(data, []byte("{\"at\": \"2024-01-01T00:00:00Z\", \"id\": \"1\", \"k\": 5, \"card\": \"kAnarieToken\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tls := fmt.Sprintf(", tls: {ca: %q}", ca.File)
	oauth := fmt.Sprintf("kafka: {brokers: [%q], sasl: {mechanism: oauthbearer, oauth: {token_url: \"http://127.0.0.1:1/t\", client_id: me, client_secret: \"${CLIENT_SECRET}\"}}}\n", broker)
	kafka := func(addr, tls, mechanism, password string) string {
		return fmt.Sprintf(canaryKafka, addr, tls, mechanism, password)
	}
	redis := fmt.Sprintf(canaryRedis, r.Addr(), "")
	files := map[string]string{
		"wrong Kafka password": canaryFile(t, canaryTokens+redis+kafka(broker, "", "plain", "WRONG")),
		"wrong mechanism":      canaryFile(t, canaryTokens+redis+kafka(broker, "", "scram-sha-256", "KAFKA_PW")),
		"Kafka is away":        canaryFile(t, canaryTokens+redis+kafka("127.0.0.1:1", "", "plain", "KAFKA_PW")),
		"TLS to plain text":    canaryFile(t, canaryTokens+fmt.Sprintf(canaryRedis, r.Addr(), tls)+kafka(broker, tls, "plain", "KAFKA_PW")),
		"no token endpoint":    canaryFile(t, canaryTokens+redis+oauth),
		"Redis is away":        canaryFile(t, canaryTokens+fmt.Sprintf(canaryRedis, "127.0.0.1:1", "")+kafka(broker, "", "plain", "KAFKA_PW")),
		"wrong Redis password": canaryFile(t, canaryTokens+strings.Replace(redis, "REDIS_PW", "WRONG", 1)+kafka(broker, "", "plain", "KAFKA_PW")),
		"an invalid file":      canaryFile(t, "redis: {addr: \"redis://me:${REDIS_PW}@h:6379\", pasword: \"${REDIS_PW}\"}\nkafka: {sasl: \"${KAFKA_PW}\"}\nserving: {tokens: [x, {token: \"${TOKEN}\", scopes: all}]}\n"),
	}
	for why, file := range files {
		t.Run(why, func(t *testing.T) {
			t.Parallel()
			for _, args := range [][]string{{"validate", file}, {"plan", file}, {"doctor", "-p", file}, {"produce", "-p", file, "s=" + data}, {"freeze", "m", "-p", file},
				{"up", file}, {"features", file}, {"trainer", file}, {"serve", file}, {"backtest", "-p", file}} {
				for _, output := range []string{"table", "json"} {
					ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
					var out, errs bytes.Buffer
					code := run(ctx, append([]string{"freshet"}, append(args, "-o", output)...), canaryEnv, &out, &errs)
					cancel()
					if read := args[0] == "validate" && why != "an invalid file"; (args[0] == "validate" || args[0] == "doctor") && read != (code == 0) {
						t.Errorf("%s: code %d: %s%s", args[0], code, out.String(), errs.String())
					}
					noCanary(t, strings.Join(args[:1], " "), out.String()+errs.String())
				}
			}
		})
	}
}

// syncBuffer is written by a service and read by its test.
type syncBuffer struct {
	mu    sync.Mutex
	b     bytes.Buffer
	wrote chan struct{} // receives after a write; nil: nobody waits
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.wrote <- struct{}{}:
	default:
	}
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// A service that works with secrets in all places shows none: in its log, in its metrics, in any answer of HTTP, and in what
// clients print of it, when they are let in and when they are not.
func TestRunningServiceShowsNoSecret(t *testing.T) {
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "me", canaries["KAFKA_PW"]))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	r := miniredis.RunT(t)
	r.RequireUserAuth("me", canaries["REDIS_PW"])
	sections := strings.Replace(canaryTokens, "grpc: ", "admin: \"127.0.0.1:0\", grpc: ", 1)
	sections = sections[:strings.Index(sections, "checkpoints")] + fmt.Sprintf("checkpoints: {url: %q}\n", "file://"+t.TempDir())
	file := canaryFile(t, sections+fmt.Sprintf(canaryRedis, r.Addr(), "")+fmt.Sprintf(canaryKafka, k.ListenAddrs()[0], "", "scram-sha-512", "KAFKA_PW"))
	ctx, cancel := context.WithCancel(t.Context())
	out, log := syncBuffer{}, syncBuffer{wrote: make(chan struct{}, 1)}
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"freshet", "up", file}, canaryEnv, &out, &log) }()
	at := regexp.MustCompile(`(gRPC|HTTP) on (?:http://)?(127\.0\.0\.1:\d+)`)
	var found [][]string
	for len(found) < 2 {
		select {
		case <-log.wrote:
			found = at.FindAllStringSubmatch(log.String(), -1)
		case code := <-done:
			t.Fatalf("the service ended with %d: %s", code, log.String())
		}
	}
	grpc, web := found[0][2], "http://"+found[1][2]
	for _, path := range []string{"/", "/metrics", "/readyz", "/v1/models", "/v1/models/m", "/v1/status", "/v1/overview", "/v1/lineage", "/v1/drift", "/v1/deadletters", "/v1/recent", "/v1/x"} {
		for _, token := range []string{"", "WRONG", "TOKEN"} {
			code, answer := get(t, web+path, canaries[token])
			noCanary(t, path, answer)
			if token == "TOKEN" && code == http.StatusUnauthorized {
				t.Errorf("%s: the right token is refused: %s", path, answer)
			}
			if token == "WRONG" && strings.HasPrefix(path, "/v1/") && code != http.StatusUnauthorized {
				t.Errorf("%s: a wrong token gets %d", path, code)
			}
		}
	}
	for _, token := range []string{"WRONG", "TOKEN"} {
		env := func(name string) (string, bool) {
			if name == "FRESHET_TOKEN" {
				name = token
			}
			return canaryEnv(name)
		}
		for _, args := range [][]string{{"status"}, {"models"}, {"predict", "m", "k=a"}, {"lookup", "e", "k=a"}, {"drift"}, {"audit", "x"}, {"doctor", "-p", file}} {
			var stdout, stderr bytes.Buffer
			if args[0] != "doctor" {
				args = append(args, "--addr", grpc)
			}
			code := run(ctx, append([]string{"freshet"}, args...), env, &stdout, &stderr)
			noCanary(t, args[0], stdout.String()+stderr.String())
			if refused := strings.Contains(stderr.String(), "no valid token"); args[0] != "doctor" && refused != (token == "WRONG") {
				t.Errorf("%s with %s: %d %s", args[0], token, code, stderr.String())
			}
		}
	}
	cancel()
	<-done
	noCanary(t, "the log", log.String()+out.String())
}

func get(t *testing.T, address, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, fmt.Sprint(resp.Header) + string(b)
}

// The detector finds what it looks for.
func TestCanariesWouldBeFound(t *testing.T) {
	for _, text := range []string{canaries["KAFKA_PW"], "user:" + url.QueryEscape(canaries["REDIS_PW"]) + "@h", fmt.Sprintf("%q", canaries["TOKEN"]), fmt.Sprintf("%x", canaries["S3_SECRET"])} {
		probe := &testing.T{}
		func() {
			defer func() { _ = recover() }()
			noCanary(probe, "x", text)
		}()
		if !probe.Failed() {
			t.Errorf("%s is not found", text)
		}
	}
}
