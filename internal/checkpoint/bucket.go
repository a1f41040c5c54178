package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/blob/s3blob"
)

// S3 says how to reach a store that speaks S3. The zero value is AWS with the credentials and the region of the
// environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, profiles, the role of a machine).
type S3 struct {
	Endpoint  string // such as https://storage.example.org; empty: AWS
	Region    string // empty: that of the environment, else us-east-1
	PathStyle bool   // endpoint/bucket/key instead of bucket.endpoint/key
	AccessKey string // empty: the credentials of the environment
	SecretKey string
}

// s3Timeout bounds one request, so that a store that hangs cannot hold up a stage for ever.
const s3Timeout = 30 * time.Second

// shown is a URL without what may be secret in it.
func shown(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(malformed)"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

func openBucket(ctx context.Context, o *Options) (*blob.Bucket, error) {
	if path, ok := strings.CutPrefix(o.URL, "file://"); ok {
		return openFolder(path)
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("malformed")
	}
	if u.User != nil || u.RawQuery != "" {
		return nil, errors.New("it holds a user or parameters; set endpoint, region, path_style, access_key and secret_key beside it")
	}
	switch u.Scheme {
	case "mem":
		return memblob.OpenBucket(nil), nil
	case "s3":
		return openS3(ctx, u, &o.S3)
	}
	return nil, fmt.Errorf("no store of scheme %q; use file://, s3:// or mem://", u.Scheme)
}

func openFolder(path string) (*blob.Bucket, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o750); err != nil {
		return nil, err
	}
	return fileblob.OpenBucket(path, &fileblob.Options{Metadata: fileblob.MetadataDontWrite, NoTempDir: true})
}

func openS3(ctx context.Context, u *url.URL, o *S3) (*blob.Bucket, error) {
	if u.Host == "" {
		return nil, errors.New("no bucket; write s3://bucket or s3://bucket/folder")
	}
	if (o.AccessKey == "") != (o.SecretKey == "") {
		return nil, errors.New("access_key and secret_key belong together")
	}
	opts := []func(*config.LoadOptions) error{config.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(s3Timeout))}
	if o.AccessKey != "" {
		opts = append(opts, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(o.AccessKey, o.SecretKey, "")))
	}
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, err
	}
	cfg.Region = cmp.Or(o.Region, cfg.Region, "us-east-1")
	if o.Endpoint != "" { // other stores know no checksums in trailers; each checkpoint has its own SHA-256
		cfg.RequestChecksumCalculation, cfg.ResponseChecksumValidation = aws.RequestChecksumCalculationWhenRequired, aws.ResponseChecksumValidationWhenRequired
	}
	client := s3.NewFromConfig(cfg, func(c *s3.Options) {
		c.UsePathStyle = o.PathStyle
		if o.Endpoint != "" {
			c.BaseEndpoint = &o.Endpoint
		}
	})
	b, err := s3blob.OpenBucket(ctx, client, u.Host, &s3blob.Options{RequestChecksumCalculation: cfg.RequestChecksumCalculation})
	if err != nil {
		return nil, err
	}
	if folder := strings.Trim(u.Path, "/"); folder != "" {
		return blob.PrefixedBucket(b, folder+"/"), nil
	}
	return b, nil
}
