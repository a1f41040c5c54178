package project

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSecureProject(t *testing.T) {
	file := filepath.Join("testdata", "good", "secret.txt")
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"FROM_FILE_FILE": "secret.txt"}[name]
		return v, ok
	}
	p, err := Load("testdata/good/secure.yaml", env)
	if err != nil {
		t.Fatal(err)
	}
	if o := p.Kafka.SASL.OAuth; o.ClientSecret.Reveal() != "hunter2hunter2" || o.ClientSecret.File() != file || o.Scopes[0] != "kafka" {
		t.Errorf("%+v", o)
	}
	if r := p.Redis.Password; r.Reveal() != "hunter2hunter2" || r.File() != file {
		t.Errorf("a variable that stands for a file does not remember it: %q", r.File())
	}
	tokens, err := p.Serving.AllTokens()
	if err != nil || len(tokens) != 5 {
		t.Fatalf("%v %v", tokens, err)
	}
	var got []string
	for i := range tokens {
		got = append(got, tokens[i].Name+": "+strings.Join(tokens[i].Scopes, ","))
		if _, err := tokens[i].Hash(); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"shop: predict", "ops: admin", "token 3: predict,lookup,feedback", "web: predict,lookup", "line 3: predict,lookup,feedback"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if sum, _ := tokens[1].Hash(); hex.EncodeToString(sum[:]) != "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" {
		t.Error("a hash is not taken as it is")
	}
	if sum, _ := tokens[2].Hash(); sum != sha256.Sum256([]byte("cccccccccccccccccccccccc")) {
		t.Error("a token is not hashed")
	}
}

// The same text in every place of every way of writing that is wrong never comes back in a message.
func TestMessagesShowNoSecret(t *testing.T) {
	for _, file := range []string{"testdata/bad/secure.yaml", "testdata/bad/login.yaml"} {
		_, err := Load(file, nil)
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%v", err)
		}
		js, _ := json.Marshal(err)
		if strings.Contains(string(js), "canary") {
			t.Errorf("%s", js)
		}
	}
	head := "version: 1\nproject: a\nsources: {s: {time: at, fields: {k: string}}}\nfeatures: {e: {key: k, n: {count: s}}}\n"
	env := func(name string) (string, bool) {
		if name == "CANARY" {
			return "canary/@:1 2", true
		}
		return "", false
	}
	for _, section := range []string{
		"kafka: {brokers: [b:1], sasl: {user: a, password: {canary: canary}}}",
		"kafka: {brokers: [b:1], sasl: {user: a, password: [canary]}}",
		"kafka: {brokers: [b:1], sasl: {user: a, password: canary, password_file: canary}}",
		"kafka: {brokers: [b:1], sasl: canary-canary}",
		"kafka: {brokers: [b:1], sasl: {user: a, password: \"${X-canary}\"}}",
		"kafka: {brokers: [b:1], sasl: {user: a, password: \"canary${NO}\"}}",
		"kafka: {brokers: [b:1], sasl: {user: a, pasword: canary}}",
		"kafka: {brokers: [b:1], sasl: {user: a, password: !!binary canary}}",
		"kafka: {brokers: [b:1], sasl: {user: a, password: &a canary}}",
		"kafka:\n  brokers: [b:1]\n  sasl:\n    user: a\n    password: |\n     canary\n    canary",
		"kafka: {brokers: [b:1], sasl: {user: a, password: \"canary\\q\"}}",
		"kafka: {brokers: [b:1], sasl: {user: a, password: 'canary}}",
		"kafka:\n  sasl:\n    password: canary: canary",
		"kafka:\n  sasl:\n    password: canary\n    password: canary",
		"kafka:\n  sasl:\n    password: %canary",
		"kafka:\n  sasl:\n    password: @canary",
		"redis: {addr: \"r:canary@h\", password: \"${CANARY}\"}",
		"redis: {addr: \"redis://u:${CANARY}@h:6379\"}",
		"redis: {addr: \"${CANARY}\", password: \"${CANARY}\"}",
		"serving: {tokens: \"${CANARY}\", grpc: \"${CANARY}\"}",
		"serving: {tokens: {token: \"${CANARY}\", scopes: [\"${CANARY}\"]}}",
		"checkpoints: {url: \"x://u:${CANARY}@h\"}",
	} {
		_, err := Parse("freshet.yaml", []byte(head+section+"\n"), env)
		if err == nil {
			t.Errorf("%s: accepted", section)
			continue
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("%s\n  says %v", section, err)
		}
	}
}

func TestSecretsOfAProjectStayHidden(t *testing.T) {
	p, err := Load("testdata/good/everything.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "kafka", p.Kafka, "redis", p.Redis, "serving", p.Serving)
	js, _ := json.Marshal(p)
	fmt.Fprintf(&b, "%v %+v %#v %s %v %x", p, p.Kafka.SASL, p.Redis, js, p.Serving.Tokens, p.Redis.Password)
	for _, secret := range []string{"hunter2", "aaaaaaaa", hex.EncodeToString([]byte("hunter2"))} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("%s is shown", secret)
		}
	}
}

func TestTokensFileIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	s := Serving{TokensFile: file}
	for text, want := range map[string]string{
		strings.Repeat("a", 16):                      "",
		"x predict,admin " + strings.Repeat("a", 16): "",
		"":                                    "no token",
		"# only a comment":                    "no token",
		"short":                               "line 1: the token is shorter",
		"\nx root " + strings.Repeat("a", 16): "line 2 names a scope",
		"x " + strings.Repeat("a", 16):        "line 1 has 2 words",
		"sha256:zz":                           "hexadecimal",
		strings.Repeat("ä", 16):               "ASCII",
		strings.Repeat("x", 60<<10) + strings.Repeat("y", 10<<10): "larger than",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := s.AllTokens()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.30q: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "aaaa") {
			t.Errorf("the message shows a token: %v", err)
		}
	}
}

// FuzzTokensFile: whatever a file holds, reading it ends with tokens that have a hash and scopes, or an error that shows
// nothing of a long word.
func FuzzTokensFile(f *testing.F) {
	f.Add("web predict,lookup dddddddddddddddddddddddd # x\neeeeeeeeeeeeeeeeeeeeeeee")
	f.Add("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := parseTokens(text)
		if err == nil && len(tokens) == 0 {
			t.Fatal("neither tokens nor an error")
		}
		for i := range tokens {
			if _, err := tokens[i].Hash(); err != nil || len(tokens[i].Scopes) == 0 {
				t.Fatalf("%v", err)
			}
		}
		if err == nil {
			return
		}
		for _, word := range strings.Fields(text) {
			if len(word) >= minToken && strings.Contains(err.Error(), word) {
				t.Fatalf("%v shows %q", err, word)
			}
		}
	})
}
