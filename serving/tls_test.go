package serving_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/serving/client"
)

// certificate writes a self-signed certificate for 127.0.0.1 and returns the names of its files.
func certificate(t testing.TB, dir string, serial int64) (cert, key string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	must(err)
	private, err := x509.MarshalECPrivateKey(k)
	must(err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}), 0o600))
	must(os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return cert, key
}

func TestTLSWithClientCertificates(t *testing.T) {
	r := ready(t)
	cert, key := certificate(t, t.TempDir(), 1)
	r.config.TLS = &serving.TLS{Cert: cert, Key: key, CA: cert}
	roots := x509.NewCertPool()
	b, err := os.ReadFile(cert)
	r.ok(err)
	roots.AppendCertsFromPEM(b)
	own, err := tls.LoadX509KeyPair(cert, key)
	r.ok(err)
	c, _ := r.serve(client.Options{TLS: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}})
	_, err = c.Predict(t.Context(), ask("late", flight(nil)))
	r.ok(err)
	stranger, err := client.Dial(c.Conn().Target(), client.Options{TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	r.ok(err)
	defer stranger.Close()
	if _, err := stranger.Status(t.Context(), &freshetv1.StatusRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("without a certificate: %v", err)
	}
}

func TestRenewedCertificateIsTakenUp(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir, 1)
	get, err := serving.Certificate(serving.TLS{Cert: cert, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		c, err := get(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(c.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Int64()
	}
	later := time.Now().Add(time.Minute)
	first := serial()
	certificate(t, dir, 2)
	if err := os.Chtimes(cert, later, later); err != nil {
		t.Fatal(err)
	}
	second := serial()
	if err := os.WriteFile(cert, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	later = later.Add(time.Minute)
	if err := os.Chtimes(cert, later, later); err != nil {
		t.Fatal(err)
	}
	if third := serial(); first != 1 || second != 2 || third != 2 {
		t.Errorf("serials %d, %d, %d; want 1, 2 after the renewal, and still 2 while the file is broken", first, second, third)
	}
}

// far is a listener that other machines could reach.
type far struct{ net.Listener }

func (far) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7070} }

func TestOtherMachinesNeedTLSOrTokens(t *testing.T) {
	r := ready(t)
	run := func() error {
		r.deps.Metrics = nil
		s, err := serving.New(r.config, r.deps)
		r.ok(err)
		l, err := serving.Listen("127.0.0.1:0", "serving.grpc")
		r.ok(err)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return s.Run(ctx, far{l}, nil, nil)
	}
	if err := run(); err == nil || !strings.Contains(err.Error(), "10.0.0.1:7070") || !strings.Contains(err.Error(), "serving.insecure") {
		t.Errorf("%v", err)
	}
	r.config.Insecure = true
	r.ok(run())
	r.config.Insecure, r.config.Tokens = false, []string{"t"}
	r.ok(run())
}

func TestUnreadableCertificateNamesItsFiles(t *testing.T) {
	r := ready(t)
	r.config.TLS = &serving.TLS{Cert: "nowhere.pem", Key: "none.pem"}
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	if err := s.Run(t.Context(), nil, nil, nil); err == nil || !strings.Contains(err.Error(), "nowhere.pem") {
		t.Errorf("%v", err)
	}
}
