package realtest

import (
	"os"
	"testing"

	"github.com/freshet-ml/freshet/internal/certs/certstest"
)

// Certs are PEM files of a certificate authority of their own, with a server's certificate for localhost and 127.0.0.1 and a
// client's. Two calls of NewCerts trust nothing of each other.
type Certs struct {
	CA                    string
	ServerCert, ServerKey string
	ClientCert, ClientKey string
	server                []byte // key and certificate in one, as Kafka wants them
}

// NewCerts makes certificates in a folder of the test. They are valid for an hour.
func NewCerts(t testing.TB) *Certs {
	t.Helper()
	ca := certstest.New(t)
	c := &Certs{CA: ca.File}
	c.ServerCert, c.ServerKey = ca.Issue("server")
	c.ClientCert, c.ClientKey = ca.Issue("client")
	for _, file := range []string{c.ServerKey, c.ServerCert} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("certificates: %v", err)
		}
		c.server = append(c.server, b...)
	}
	return c
}
