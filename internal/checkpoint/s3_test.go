package checkpoint_test

import (
	"bytes"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/internal/checkpoint"
)

// s3Gateway starts Versity's S3 gateway on a folder with the bucket "freshet" and returns its address.
func s3Gateway(t *testing.T) string {
	t.Helper()
	bin := os.Getenv("FRESHET_S3_GATEWAY")
	if bin == "" {
		t.Skip("FRESHET_S3_GATEWAY does not name a versitygw binary (github.com/versity/versitygw/cmd/versitygw)")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, root := l.Addr().String(), t.TempDir()
	l.Close()
	if err := os.Mkdir(filepath.Join(root, "freshet"), 0o750); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "--port", addr, "--quiet", "posix", root)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY=test", "ROOT_SECRET_KEY=hunter2hunter2")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(20 * time.Second); ; {
		r, err := http.Get("http://" + addr)
		if err == nil {
			r.Body.Close()
			return "http://" + addr
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// Checkpoints of two projects' folders in one bucket of a real S3 gateway: saved, thinned out, restored, passed over when
// damaged; a wrong secret is an error that does not tell it.
func TestS3(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	endpoint := s3Gateway(t)
	var logged bytes.Buffer
	o := checkpoint.Options{URL: "s3://freshet/a", Keep: 2, Logger: slog.New(slog.NewTextHandler(&logged, nil)),
		S3: checkpoint.S3{Endpoint: endpoint, PathStyle: true, AccessKey: "test", SecretKey: "hunter2hunter2"}}
	a, err := checkpoint.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	o.URL = "s3://freshet/b"
	b, err := checkpoint.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	big := strings.Repeat("0123456789abcdef", 1<<20) // 16 MiB: sent in parts
	for seq := uint64(1); seq <= 3; seq++ {
		save(t, a, seq, big)
	}
	save(t, b, 9, "b")
	if seq, state, ok := restore(t, a); seq != 3 || state != big || !ok {
		t.Errorf("restored %d, %d bytes, %v", seq, len(state), ok)
	}
	if seq, ok, err := b.Newest(t.Context(), "p/late"); seq != 9 || !ok || err != nil {
		t.Errorf("newest %d, %v, %v", seq, ok, err)
	}
	if ok, err := a.RestoreAt(t.Context(), "p/late", 1, func(uint64, []byte) error { return nil }); ok || err != nil {
		t.Errorf("the third newest is still there: %v, %v", ok, err)
	}
	o.S3.SecretKey = "a wrong secret"
	wrong, err := checkpoint.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.Close()
	if err := wrong.Save(t.Context(), "p/late", 1, nil); err == nil || strings.Contains(err.Error(), "wrong secret") {
		t.Errorf("a wrong secret: %v", err)
	}
	if strings.Contains(logged.String(), "hunter2") {
		t.Error("the secret was logged")
	}
}
