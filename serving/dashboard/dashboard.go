// Package dashboard is the page on the HTTP port: what flows, how good the models are, what drifts, what a feature is right now. It
// stands at the end of the flow and only looks: everything it shows comes from the JSON API of package serving.
//
// The page is built by Vite from ui/ into dist/, which is committed and embedded, so that Go alone builds a binary with the page. ADR 0006
// says why.
package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed all:dist
var dist embed.FS

// Policy is the Content-Security-Policy of the page: everything comes from its own server, and nobody frames it.
const Policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

// file is one file of the bundle, ready to send.
type file struct {
	plain, packed []byte // packed: gzip, nil where it does not pay
	kind, etag    string
	forever       bool // its name carries a hash of its content
}

// bundle is read and packed once.
var bundle = sync.OnceValue(func() map[string]*file {
	files := map[string]*file{}
	err := fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := dist.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		f := &file{plain: b, kind: mime.TypeByExtension(path.Ext(name)), etag: `"` + hex.EncodeToString(sum[:8]) + `"`}
		if f.kind == "" {
			f.kind = "application/octet-stream"
		}
		var packed bytes.Buffer
		w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		w.Write(b)
		w.Close()
		if packed.Len() < len(b)*9/10 {
			f.packed = packed.Bytes()
		}
		at := strings.TrimPrefix(name, "dist/")
		f.forever = strings.HasPrefix(at, "assets/")
		files["/"+at] = f
		return nil
	})
	if err != nil {
		panic("dashboard: embedded files: " + err.Error())
	}
	return files
})

// Handler serves the page. It answers GET and HEAD for the files of the bundle, / being index.html, and 404 for the rest: the views of the page
// are in the fragment of its address, which no server sees. It is safe for concurrent use.
func Handler() http.Handler {
	files := bundle()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", Policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		name := r.URL.Path
		if name == "/" {
			name = "/index.html"
		}
		f := files[name]
		if f == nil {
			http.Error(w, "nothing is here; the page is at /, the API at /v1/", http.StatusNotFound)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "use GET", http.StatusMethodNotAllowed)
			return
		}
		f.send(w, r)
	})
}

func (f *file) send(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("ETag", f.etag)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if f.forever {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if strings.Contains(r.Header.Get("If-None-Match"), f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.plain
	if f.packed != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		body = f.packed
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("Content-Type", f.kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}
