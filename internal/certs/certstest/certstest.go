// Package certstest makes certificates for tests.
package certstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// CA is an authority with a folder of its own.
type CA struct {
	t    testing.TB
	Dir  string
	File string // its certificate, PEM
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

// New makes an authority.
func New(t testing.TB) *CA {
	t.Helper()
	ca := &CA{t: t, Dir: t.TempDir()}
	ca.key = ca.newKey()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &ca.key.PublicKey, ca.key)
	ca.must(err)
	ca.cert, err = x509.ParseCertificate(der)
	ca.must(err)
	ca.File = filepath.Join(ca.Dir, "ca.pem")
	ca.write(ca.File, "CERTIFICATE", der)
	return ca
}

func (ca *CA) must(err error) {
	ca.t.Helper()
	if err != nil {
		ca.t.Fatal(err)
	}
}

func (ca *CA) newKey() *ecdsa.PrivateKey {
	ca.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ca.must(err)
	return k
}

func (ca *CA) write(file, kind string, der []byte) {
	ca.t.Helper()
	ca.must(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// Issue writes NAME.pem and NAME.key, a certificate for 127.0.0.1, localhost and NAME, good for servers and clients.
// A second call with the same name renews it. Serial numbers grow.
func (ca *CA) Issue(name string) (cert, key string) {
	ca.t.Helper()
	ca.next++
	k := ca.newKey()
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1 + ca.next), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost", name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.cert, &k.PublicKey, ca.key)
	ca.must(err)
	private, err := x509.MarshalPKCS8PrivateKey(k)
	ca.must(err)
	cert, key = filepath.Join(ca.Dir, name+".pem"), filepath.Join(ca.Dir, name+".key")
	ca.write(key, "PRIVATE KEY", private)
	ca.write(cert, "CERTIFICATE", der)
	return cert, key
}

// Server returns the configuration of a server with a certificate of that name; with mutual, clients must show one too.
func (ca *CA) Server(name string, mutual bool) *tls.Config {
	ca.t.Helper()
	pair, err := tls.LoadX509KeyPair(ca.Issue(name))
	ca.must(err)
	c := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if mutual {
		c.ClientCAs, c.ClientAuth = ca.pool(), tls.RequireAndVerifyClientCert
	}
	return c
}

// Client returns the configuration of a client that trusts the authority, and shows the certificate of that name; empty:
// none.
func (ca *CA) Client(name string) *tls.Config {
	ca.t.Helper()
	c := &tls.Config{RootCAs: ca.pool(), MinVersion: tls.VersionTLS12}
	if name != "" {
		pair, err := tls.LoadX509KeyPair(ca.Issue(name))
		ca.must(err)
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

func (ca *CA) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(ca.cert)
	return p
}
