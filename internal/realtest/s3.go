package realtest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// S3Gateway serves the S3 protocol over a folder: real signatures, conditional writes. Each folder in Dir is a bucket.
type S3Gateway struct {
	*Process
	Endpoint  string // http://host:port; path style
	Dir       string
	Bucket    string // one that is there
	AccessKey string
	SecretKey string
}

// StartS3 starts an S3 gateway with one empty bucket.
func StartS3(t testing.TB) *S3Gateway {
	t.Helper()
	Need(t, S3)
	s := &S3Gateway{Bucket: "checkpoints", AccessKey: "test", SecretKey: "test/secret+key"}
	attempts(t, func() error {
		ports, err := freePorts(1)
		if err != nil {
			return err
		}
		s.Endpoint, s.Dir = "http://"+address(ports[0]), t.TempDir()
		if err := os.Mkdir(filepath.Join(s.Dir, s.Bucket), 0o700); err != nil {
			return fmt.Errorf("bucket: %w", err)
		}
		s.Process = &Process{Name: "s3", log: filepath.Join(logs(t), "s3.log"), ready: s.answers,
			argv: []string{gatewayFile(), "--port", address(ports[0]), "--quiet", "posix", s.Dir},
			env:  []string{"ROOT_ACCESS_KEY=" + s.AccessKey, "ROOT_SECRET_KEY=" + s.SecretKey}}
		return startAll([]*Process{s.Process})
	})
	keep(t, []*Process{s.Process})
	return s
}

// answers takes any answer: a request without a signature is refused.
func (s *S3Gateway) answers(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Endpoint, nil)
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("s3: %w", err)
	}
	return resp.Body.Close()
}
