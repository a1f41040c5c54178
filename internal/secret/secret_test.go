package secret_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/internal/secret"
)

type holder struct {
	Open   secret.Text
	hidden secret.Text
	nested struct{ p *secret.Text }
}

// Whatever way a secret is written, alone, in a struct, behind an unexported field or in an error, it does not show.
func TestNoWayOfWritingShowsIt(t *testing.T) {
	const canary = "hunter2/&?@#%"
	s := secret.New(canary)
	h := holder{Open: s, hidden: s}
	h.nested.p = &s
	values := []any{s, &s, h, &h, []secret.Text{s}, map[string]secret.Text{"k": s}, struct{ any }{s}}
	var b bytes.Buffer
	for _, v := range values {
		for _, verb := range "vsqxXdTtbcoUeEfFgGp" {
			for _, flag := range []string{"", "+", "#", "-20", ".3", " "} {
				fmt.Fprintf(&b, "%"+flag+string(verb)+"\n", v)
			}
		}
		fmt.Fprintln(&b, fmt.Sprint(v), fmt.Errorf("x: %v", v), errors.Join(fmt.Errorf("%s", v)))
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v, slog.Any("w", v))
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
		if js, err := json.Marshal(v); err == nil {
			b.Write(js)
		}
		if y, err := yaml.Marshal(v); err == nil {
			b.Write(y)
		}
		if x, err := xml.Marshal(v); err == nil {
			b.Write(x)
		}
	}
	for _, form := range []string{canary, "hunter2", fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary)} {
		if i := strings.Index(b.String(), form); i >= 0 {
			t.Errorf("shown: …%s…", b.String()[max(0, i-80):min(b.Len(), i+40)])
		}
	}
	if !strings.Contains(b.String(), `"Open":"***"`) {
		t.Error("a secret that is there is not marked as one")
	}
	if got := fmt.Sprintf("%v|%q|%#v", secret.Text{}, secret.Text{}, secret.Text{}); got != `|""|""` {
		t.Errorf("no secret shows as %s", got)
	}
	if s.Reveal() != canary {
		t.Error("lost")
	}
}

func TestCurrentFollowsItsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first\n")
	s, err := secret.FromFile(file)
	if err != nil || s.Reveal() != "first" || s.File() != file {
		t.Fatalf("%q %v", s.Reveal(), err)
	}
	write("second\r\n")
	if now, err := s.Current(); err != nil || now != "second" || s.Reveal() != "first" {
		t.Errorf("%q %v", now, err)
	}
	write("\n")
	if _, err := s.Current(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("an empty file: %v", err)
	}
	write(strings.Repeat("x", secret.MaxFile+1))
	if _, err := s.Current(); err == nil || strings.Contains(err.Error(), "xxx") {
		t.Errorf("a huge file: %.100v", err)
	}
	if _, err := secret.FromFile(t.TempDir()); err == nil {
		t.Error("a folder is no secret")
	}
	if now, err := secret.New("kept").Current(); err != nil || now != "kept" {
		t.Errorf("%q %v", now, err)
	}
}

func TestAddressesWithoutTheirSecrets(t *testing.T) {
	for raw, want := range map[string]string{
		"broker:9092":                                 "broker:9092",
		"me:pa@ss@broker:9092":                        "***@broker:9092",
		"redis://me:p/a?s@redis:6379":                 "redis://***@redis:6379",
		"redis://me:p#a@redis:6379":                   "redis://***@redis:6379",
		"https://u:p@host/path?x=secret":              "https://***@host/path?x=***",
		"s3://bucket?region=eu&access_key=AKIA":       "s3://bucket?region=eu&access_key=***",
		"s3://b?endpoint=http%3A%2F%2Fk%3As%40h%3A90": "s3://b?endpoint=http://***@h:90",
		"s3://b?endpoint=http://k:s@h:90&sig=q":       "s3://b?endpoint=http://***@h:90&sig=***",
		"azblob://c?sv=1&sig=abc":                     "azblob://c?sv=***&sig=***",
		"file:///var/lib/freshet":                     "file:///var/lib/freshet",
		"s3://b?token":                                "s3://b?***",
	} {
		if got := secret.Address(raw); got != want {
			t.Errorf("%s shows as %s, not %s", raw, got, want)
		}
	}
}

// A password in a URL does not show, whatever its characters.
func TestPasswordsInURLs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		password := "Zq9" + rapid.StringMatching(`[a-z:/?#@!&=%+ "\\]{0,12}`).Draw(t, "password") + "9qZ"
		for _, raw := range []string{"redis://user:" + password + "@host:6379", "user:" + password + "@host:9092", "https://user:" + password + "@host/x"} {
			if got := secret.Address(raw); strings.Contains(got, "Zq9") || strings.Contains(got, "9qZ") {
				t.Fatalf("%s shows as %s", raw, got)
			}
		}
	})
}

func TestHide(t *testing.T) {
	got := secret.Hide(`login "p\"w/1" at http://u:p%22w%2F1@h, and abc, short`, `p"w/1`, "ort", "abcd")
	if want := `login "***" at http://u:***@h, and abc, short`; got != want {
		t.Errorf("%s", got)
	}
}

func Example() {
	password := secret.New("hunter2")
	fmt.Println("connect with", password)
	// Output: connect with ***
}
