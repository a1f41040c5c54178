package realtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certs are PEM files of a certificate authority of their own, with a server's certificate for localhost and 127.0.0.1 and a
// client's. Two calls of NewCerts trust nothing of each other.
type Certs struct {
	CA                    string
	ServerCert, ServerKey string
	ClientCert, ClientKey string
	server                []byte // key and certificate in one, as Kafka wants them
}

// NewCerts makes certificates in the test's folder. They are valid for a day.
func NewCerts(t testing.TB) *Certs {
	t.Helper()
	c, err := newCerts(t.TempDir())
	if err != nil {
		t.Fatalf("certificates: %v", err)
	}
	return c
}

type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCerts(dir string) (*Certs, error) {
	ca := &signer{}
	der, _, err := ca.sign("freshet test authority", 1, true)
	if err != nil {
		return nil, err
	}
	if ca.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	c := &Certs{CA: file("ca.pem"), ServerCert: file("server.pem"), ServerKey: file("server.key"), ClientCert: file("client.pem"), ClientKey: file("client.key")}
	write := map[string][]byte{c.CA: block("CERTIFICATE", der)}
	for i, name := range []string{"server", "client"} {
		der, key, err := ca.sign(name, int64(i)+2, false)
		if err != nil {
			return nil, err
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, fmt.Errorf("key: %w", err)
		}
		write[file(name+".pem")], write[file(name+".key")] = block("CERTIFICATE", der), block("PRIVATE KEY", pkcs8)
	}
	for name, b := range write {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			return nil, fmt.Errorf("write: %w", err)
		}
	}
	c.server = append(write[c.ServerKey], write[c.ServerCert]...)
	return c, nil
}

// sign makes a key and a certificate for it; the authority signs its own.
func (s *signer) sign(name string, serial int64, authority bool) ([]byte, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		BasicConstraintsValid: true, IsCA: authority, KeyUsage: x509.KeyUsageDigitalSignature}
	parent := s.cert
	if authority {
		s.key, parent, template.KeyUsage = key, template, x509.KeyUsageCertSign
	} else {
		template.DNSNames, template.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), s.key)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate of %s: %w", name, err)
	}
	return der, key, nil
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
