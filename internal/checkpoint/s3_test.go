package checkpoint_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/internal/checkpoint"
	"github.com/freshet-ml/freshet/internal/realtest"
)

// Checkpoints of two projects' folders in one bucket of a real S3 gateway: saved, thinned out, restored, passed over when
// damaged; a wrong secret is an error that does not tell it.
func TestS3(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	gateway := realtest.StartS3(t)
	bucket := "s3://" + gateway.Bucket
	var logged bytes.Buffer
	o := checkpoint.Options{URL: bucket + "/a", Keep: 2, Logger: slog.New(slog.NewTextHandler(&logged, nil)),
		S3: checkpoint.S3{Endpoint: gateway.Endpoint, PathStyle: true, AccessKey: gateway.AccessKey, SecretKey: gateway.SecretKey}}
	a, err := checkpoint.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	o.URL = bucket + "/b"
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
	if strings.Contains(logged.String(), gateway.SecretKey) {
		t.Error("the secret was logged")
	}
}
