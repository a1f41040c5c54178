package dashboard_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/serving/dashboard"
)

func get(t *testing.T, path string, header ...string) *http.Response {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	dashboard.Handler().ServeHTTP(w, req)
	return w.Result()
}

func text(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Whatever index.html names is in the binary, packed or not the same, kept for ever, and names no other host.
func TestBundleIsWhole(t *testing.T) {
	index := get(t, "/")
	page := text(t, index.Body)
	names := regexp.MustCompile(`(?:src|href)="\./([^"]+)"`).FindAllStringSubmatch(page, -1)
	if index.StatusCode != 200 || len(names) < 4 || index.Header.Get("Content-Security-Policy") != dashboard.Policy {
		t.Fatalf("%d with %d files: %s", index.StatusCode, len(names), page)
	}
	total := 0
	for _, n := range names {
		plain, packed := get(t, "/"+n[1]), get(t, "/"+n[1], "Accept-Encoding", "gzip")
		want := text(t, plain.Body)
		got := packed.Body.(io.Reader)
		if packed.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(packed.Body)
			if err != nil {
				t.Fatal(err)
			}
			got = z
			total += int(packed.ContentLength)
		}
		if plain.StatusCode != 200 || text(t, got) != want || want == "" {
			t.Errorf("%s: %d, or not the same when packed", n[1], plain.StatusCode)
		}
		if forever := strings.Contains(plain.Header.Get("Cache-Control"), "immutable"); forever != strings.HasPrefix(n[1], "assets/") {
			t.Errorf("%s: Cache-Control %s", n[1], plain.Header.Get("Cache-Control"))
		}
		if again := get(t, "/"+n[1], "If-None-Match", plain.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: %d for what the browser has", n[1], again.StatusCode)
		}
	}
	if total > 100<<10 {
		t.Errorf("%d bytes packed, at most 100 KiB", total)
	}
}

func TestOtherPathsAndMethods(t *testing.T) {
	if r := get(t, "/secret.txt"); r.StatusCode != 404 || r.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("unknown path: %d", r.StatusCode)
	}
	for _, path := range []string{"/../dashboard.go", "/assets/", "/dist/index.html"} {
		if r := get(t, path); r.StatusCode != 404 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	w := httptest.NewRecorder()
	dashboard.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}
