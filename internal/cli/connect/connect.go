// Package connect says how commands reach the brokers and the store of a project, and a running service. It
// stands between cmd/freshet and the packages along the flow.
package connect

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/certs"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// ErrEmbedded is a project that names no brokers or no store, and so has them in the process that runs it.
var ErrEmbedded = errors.New("embedded")

// Transport returns how to reach the brokers of a project. brokers are used instead of the file's if there
// are any. ErrEmbedded: neither names one. Other errors name the file that cannot be read.
func Transport(k *project.Kafka, brokers []string) (stage.Transport, error) {
	t, err := app.Transport(k)
	if len(brokers) > 0 {
		t.Brokers = brokers
	}
	if err == nil && len(t.Brokers) == 0 {
		err = fmt.Errorf("kafka: the project names no brokers, so they are %w in the process that runs it: give --brokers, or kafka.brokers in the file", ErrEmbedded)
	}
	return t, err
}

// Store returns a client of the store of a project. ErrEmbedded: it names none. Close it.
func Store(r *project.Redis) (*redis.Store, error) {
	if len(r.Addr) == 0 {
		return nil, fmt.Errorf("redis: the project names no address, so it is %w in the process that runs it: give redis.addr in the file", ErrEmbedded)
	}
	return app.Store(r)
}

// TLSFlags are what a client command is told about TLS; empty names: none.
type TLSFlags struct {
	On         bool   // the system's certificates are trusted unless CA is given
	CA         string // PEM file of the certificates that are trusted; implies On
	Cert, Key  string // PEM files of the client's own certificate; imply On
	ServerName string // name that the server must have; empty: the host of the address
}

// ClientTLS returns the configuration of a client, nil without TLS. Errors name the flag and the file.
func ClientTLS(f TLSFlags) (*tls.Config, error) {
	if !f.On && f.CA == "" && f.Cert == "" && f.Key == "" && f.ServerName == "" {
		return nil, nil
	}
	if (f.Cert == "") != (f.Key == "") {
		return nil, errors.New("--cert and --key belong together: give both files")
	}
	files, err := certs.Follow(certs.Files{Cert: f.Cert, Key: f.Key, CA: f.CA}, "--")
	if err != nil {
		return nil, err
	}
	return files.Client(f.ServerName), nil
}

// OwnServer returns the configuration of a client of the server that this project runs on this machine: it trusts exactly the
// certificate in the server's own file, whatever names it has, and shows it as its own.
func OwnServer(t *project.TLS) (*tls.Config, error) {
	files, err := certs.Follow(certs.Files{Cert: t.Cert, Key: t.Key}, "serving.tls")
	if err != nil {
		return nil, err
	}
	c := files.Client("")
	own := files.Set().Own.Certificate[0]
	c.InsecureSkipVerify = true // instead of names and authorities, the certificate itself is compared
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 || !bytes.Equal(s.PeerCertificates[0].Raw, own) {
			return errors.New("another certificate than that of serving.tls")
		}
		return nil
	}
	return c, nil
}
