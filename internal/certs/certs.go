// Package certs reads certificates from PEM files and follows them: a renewed file is taken up without a restart,
// and a broken one changes nothing. Servers and clients of the whole program use it; it stands at the rim.
package certs

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Files names PEM files; an empty name: none.
type Files struct {
	Cert, Key string // our own certificate with its chain, and its private key
	CA        string // certificates that are trusted
}

// Set is what the files held at one time. It is immutable.
type Set struct {
	Own   *tls.Certificate // nil without Cert
	Roots *x509.CertPool   // nil without CA
	// NotAfter is when our own certificate ends; zero without one.
	NotAfter time.Time
}

// maxFile bounds a PEM file, bytes.
const maxFile = 4 << 20

// Follower keeps the newest set that could be read whole. It is safe for all goroutines.
type Follower struct {
	files   Files
	setting string
	set     atomic.Pointer[Set]

	mu  sync.Mutex
	sum [sha256.Size]byte // of the files' contents
}

// Follow reads the files. setting is the name under which a user gives them, such as serving.tls, or -- for flags; errors name it and
// the file, never what the file holds.
func Follow(files Files, setting string) (*Follower, error) {
	f := &Follower{files: files, setting: setting}
	if _, err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Set returns the newest good set.
func (f *Follower) Set() *Set { return f.set.Load() }

// Reload reads the files again and reports whether they hold something else than before. After an error the set
// stays as it was: a certificate whose key is not written yet is one, and the next Reload finds both. Reading costs
// some µs, parsing only happens after a change.
func (f *Follower) Reload() (changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	hash := sha256.New()
	var pem [3][]byte
	for i, p := range []struct{ key, name string }{{"cert", f.files.Cert}, {"key", f.files.Key}, {"ca", f.files.CA}} {
		if p.name == "" {
			continue
		}
		if pem[i], err = read(p.name); err != nil {
			return false, fmt.Errorf("%s: %w", f.name(p.key), err)
		}
		fmt.Fprintf(hash, "%d:%d:", i, len(pem[i]))
		hash.Write(pem[i])
	}
	sum := [sha256.Size]byte(hash.Sum(nil))
	if f.set.Load() != nil && sum == f.sum {
		return false, nil
	}
	set, err := f.parse(pem[0], pem[1], pem[2])
	if err != nil {
		return false, err
	}
	f.sum = sum
	f.set.Store(set)
	return true, nil
}

func (f *Follower) parse(cert, key, ca []byte) (*Set, error) {
	set := &Set{}
	if f.files.CA != "" {
		set.Roots = x509.NewCertPool()
		if !set.Roots.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("%s: %s holds no PEM certificate", f.name("ca"), f.files.CA)
		}
	}
	if f.files.Cert == "" {
		return set, nil
	}
	own, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s: certificate %s, key %s: %w", f.name("cert"), f.files.Cert, f.files.Key, err)
	}
	set.Own, set.NotAfter = &own, own.Leaf.NotAfter
	return set, nil
}

// name is how a user gives a file: serving.tls.ca, or --ca.
func (f *Follower) name(key string) string {
	if strings.HasSuffix(f.setting, "-") {
		return f.setting + key
	}
	return f.setting + "." + key
}

func read(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(file, maxFile+1))
	if n > maxFile {
		err = errors.New("larger than any certificate")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b.Bytes(), nil
}

// Server returns the configuration of a server: each handshake takes the newest set. With CA, clients must show a
// certificate that it signed, and sessions are not resumed, so that one that was signed by a CA that is gone has an end.
func (f *Follower) Server() *tls.Config {
	of := func() *tls.Config {
		set := f.Set()
		c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*set.Own}}
		if set.Roots != nil {
			c.ClientCAs, c.ClientAuth, c.SessionTicketsDisabled = set.Roots, tls.RequireAndVerifyClientCert, true
		}
		return c
	}
	c := of()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return of(), nil }
	return c
}

// Client returns the configuration of a client: it shows our own certificate as the files hold it at each handshake,
// and trusts CA as it was when Client was called. serverName is the name that the other side must have; empty: the host.
func (f *Follower) Client(serverName string) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName, RootCAs: f.Set().Roots}
	if f.files.Cert != "" {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			_, _ = f.Reload() // the last good one is shown while the new one is broken
			return f.Set().Own, nil
		}
	}
	return c
}
