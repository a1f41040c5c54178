package certs_test

import (
	"crypto/tls"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/internal/certs"
	"github.com/freshet-ml/freshet/internal/certs/certstest"
)

// meet makes a handshake over a connection in memory and returns what each side saw of the other.
func meet(t *testing.T, server, client *tls.Config) (seenByClient, seenByServer int64, err error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	type seen struct {
		serial int64
		err    error
	}
	done := make(chan seen, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			done <- seen{0, err}
			return
		}
		defer c.Close()
		s := tls.Server(c, server)
		err = s.Handshake()
		var serial int64
		if peers := s.ConnectionState().PeerCertificates; len(peers) > 0 {
			serial = peers[0].SerialNumber.Int64()
		}
		if err == nil {
			_, err = s.Write([]byte{1})
		}
		done <- seen{serial, err}
	}()
	c, err := tls.Dial("tcp", l.Addr().String(), client)
	if err == nil {
		defer c.Close()
		seenByClient = c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
		_, err = c.Read(make([]byte, 1)) // a refused client certificate shows here
	}
	other := <-done
	if err == nil {
		err = other.err
	}
	return seenByClient, other.serial, err
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRenewedFilesAreTakenUpAndBrokenOnesAreNot(t *testing.T) {
	ca, other := certstest.New(t), certstest.New(t)
	cert, key := ca.Issue("server")
	f, err := certs.Follow(certs.Files{Cert: cert, Key: key, CA: ca.File}, "serving.tls")
	ok(t, err)
	server, client := f.Server(), ca.Client("client")
	first, seen, err := meet(t, server, client)
	ok(t, err)
	if seen == 0 {
		t.Error("the server saw no certificate")
	}
	if changed, err := f.Reload(); changed || err != nil {
		t.Errorf("nothing changed: %v %v", changed, err)
	}
	ca.Issue("server")
	if changed, err := f.Reload(); !changed || err != nil {
		t.Errorf("renewed: %v %v", changed, err)
	}
	second, _, err := meet(t, server, client)
	ok(t, err)
	if second <= first {
		t.Errorf("certificate %d, then %d", first, second)
	}
	// A certificate without its key, half a file and no file leave all as it was.
	good, err := os.ReadFile(key)
	ok(t, err)
	for _, broken := range []string{"", "half a file", "-----BEGIN PRIVATE KEY-----\nsecretkey\n-----END PRIVATE KEY-----\n"} {
		ok(t, os.WriteFile(key, []byte(broken), 0o600))
		if changed, err := f.Reload(); changed || err == nil || !strings.Contains(err.Error(), key) || strings.Contains(err.Error(), "secretkey") {
			t.Errorf("broken: %v %v", changed, err)
		}
	}
	ok(t, os.Remove(key))
	if _, err := f.Reload(); err == nil || !strings.Contains(err.Error(), "serving.tls.key") {
		t.Errorf("removed: %v", err)
	}
	third, _, err := meet(t, server, client)
	ok(t, err)
	if third != second {
		t.Errorf("certificate %d after broken files, want %d", third, second)
	}
	// Another authority: its clients get in, the former ones do not.
	ok(t, os.WriteFile(key, good, 0o600))
	b, err := os.ReadFile(other.File)
	ok(t, err)
	ok(t, os.WriteFile(ca.File, b, 0o600))
	if changed, err := f.Reload(); !changed || err != nil {
		t.Fatalf("another authority: %v %v", changed, err)
	}
	if _, _, err := meet(t, server, client); err == nil {
		t.Error("a client of the former authority got in")
	}
	mixed := other.Client("client")
	mixed.RootCAs = client.RootCAs
	_, _, err = meet(t, server, mixed)
	ok(t, err)
}

func TestClientShowsItsRenewedCertificate(t *testing.T) {
	ca := certstest.New(t)
	cert, key := ca.Issue("client")
	f, err := certs.Follow(certs.Files{Cert: cert, Key: key, CA: ca.File}, "kafka.tls")
	ok(t, err)
	server, client := ca.Server("server", true), f.Client("localhost")
	_, first, err := meet(t, server, client)
	ok(t, err)
	ca.Issue("client")
	_, second, err := meet(t, server, client)
	ok(t, err)
	if first == 0 || second <= first {
		t.Errorf("serials %d, %d", first, second)
	}
	if _, _, err := meet(t, server, f.Client("elsewhere")); err == nil || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("another name: %v", err)
	}
	if _, _, err := meet(t, certstest.New(t).Server("server", false), client); err == nil {
		t.Error("a server of another authority is trusted")
	}
}

func TestOldVersionsOfTLSAreRefused(t *testing.T) {
	ca := certstest.New(t)
	cert, key := ca.Issue("server")
	f, err := certs.Follow(certs.Files{Cert: cert, Key: key}, "serving.tls")
	ok(t, err)
	old := ca.Client("")
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 //nolint:gosec // that is the point
	if _, _, err := meet(t, f.Server(), old); err == nil {
		t.Error("TLS 1.1 is accepted")
	}
}

func TestErrorsNameSettingAndFile(t *testing.T) {
	ca := certstest.New(t)
	cert, key := ca.Issue("server")
	for want, files := range map[string]certs.Files{
		"x.cert: open nowhere.pem":   {Cert: "nowhere.pem", Key: key},
		"x.ca: " + key + " holds no": {CA: key},
		"certificate " + key:         {Cert: key, Key: cert},
	} {
		if _, err := certs.Follow(files, "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", files, err)
		}
	}
}
