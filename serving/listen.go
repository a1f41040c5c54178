package serving

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Listen opens a TCP address such as 127.0.0.1:7070. setting is the name under which a user can
// change it, such as serving.grpc; errors name both.
func Listen(address, setting string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen on %s: another process has the port; stop it, or set %s to another address (port 0: any free one)", address, setting)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("listen on %s: this machine has no such address; set %s to 127.0.0.1 or 0.0.0.0 with a port", address, setting)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listen on %s: not permitted; set %s to a port of 1024 or above", address, setting)
	}
	return nil, fmt.Errorf("listen on %s: %w; set %s to host:port", address, err, setting)
}

// Loopback reports whether only this machine can reach the address.
func Loopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return !ok || t.IP.IsLoopback()
}

// TLS names PEM files. Certificate and key are read again when their files change, so that they can be
// renewed without a restart.
type TLS struct {
	Cert, Key string
	CA        string // not empty: clients must show a certificate that it signed
}

// config returns the configuration of a server with these files. Errors name the file.
func (t *TLS) config() (*tls.Config, error) {
	keep := &certificate{files: *t}
	if _, err := keep.get(nil); err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: keep.get}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("serving.tls.ca: %w", err)
		}
		c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("serving.tls.ca: %s holds no PEM certificate", t.CA)
		}
	}
	return c, nil
}

// certificate is a certificate that follows its files.
type certificate struct {
	files TLS
	mu    sync.Mutex
	cert  *tls.Certificate
	of    time.Time // when the newer of the files was changed
}

// get returns the certificate, read again if a file is newer. A renewal that cannot be read keeps the old one.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := newer(c.files.Cert, c.files.Key)
	if c.cert != nil && !changed.After(c.of) {
		return c.cert, nil
	}
	cert, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		if c.cert != nil {
			return c.cert, nil
		}
		return nil, fmt.Errorf("serving.tls: certificate %s, key %s: %w", c.files.Cert, c.files.Key, err)
	}
	c.cert, c.of = &cert, changed
	return c.cert, nil
}

func newer(files ...string) time.Time {
	var at time.Time
	for _, f := range files {
		if i, err := os.Stat(f); err == nil && i.ModTime().After(at) {
			at = i.ModTime()
		}
	}
	return at
}
