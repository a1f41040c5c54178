// Package connect says how commands reach the brokers and the store of a project, and a running service. It
// stands between cmd/freshet and the packages along the flow.
package connect

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/freshet-ml/freshet/internal/app"
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

// ClientTLS returns the configuration of a client that trusts the certificates in a PEM file; empty: those
// of the system.
func ClientTLS(ca string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca == "" {
		return c, nil
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--ca: %s holds no PEM certificate", ca)
	}
	return c, nil
}
