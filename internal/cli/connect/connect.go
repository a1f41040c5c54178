// Package connect holds what several commands need to reach the surroundings of a project: the brokers and the
// store that its file names. It stands between cmd/freshet and the packages along the flow.
package connect

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// ErrEmbedded is a project that names no brokers or no store, and so has them in the process that runs it.
var ErrEmbedded = errors.New("embedded")

// Transport returns how to reach the brokers of a project. brokers are used instead of the file's if there
// are any. ErrEmbedded: neither names one. Other errors name the file that cannot be read.
func Transport(k *project.Kafka, brokers []string) (stage.Transport, error) {
	t := stage.Transport{Brokers: k.Brokers}
	if len(brokers) > 0 {
		t.Brokers = brokers
	}
	if len(t.Brokers) == 0 {
		return t, fmt.Errorf("kafka: the project names no brokers, so they are %w in the process that runs it: give --brokers, or kafka.brokers in the file", ErrEmbedded)
	}
	var err error
	if t.TLS, err = ClientTLS(k.TLS); err != nil {
		return t, fmt.Errorf("kafka.tls: %w", err)
	}
	if k.SASL != nil {
		t.SASL = []sasl.Mechanism{mechanism(k.SASL)}
	}
	return t, nil
}

func mechanism(s *project.SASL) sasl.Mechanism {
	switch s.Mechanism {
	case "plain":
		return plain.Auth{User: s.User, Pass: s.Password.Reveal()}.AsMechanism()
	case "scram-sha-256":
		return scram.Auth{User: s.User, Pass: s.Password.Reveal()}.AsSha256Mechanism()
	}
	return scram.Auth{User: s.User, Pass: s.Password.Reveal()}.AsSha512Mechanism()
}

// Store returns a client of the store of a project. ErrEmbedded: it names none. Close it.
func Store(r *project.Redis) (*redis.Store, error) {
	if len(r.Addr) == 0 {
		return nil, fmt.Errorf("redis: the project names no address, so it is %w in the process that runs it: give redis.addr in the file", ErrEmbedded)
	}
	secure, err := ClientTLS(r.TLS)
	if err != nil {
		return nil, fmt.Errorf("redis.tls: %w", err)
	}
	return redis.Open(redis.Options{Addrs: r.Addr, Cluster: r.Cluster, Username: r.User, Password: r.Password.Reveal(), TLS: secure})
}

// ClientTLS returns the configuration of a client; nil for nil. Errors name the file.
func ClientTLS(t *project.TLS) (*tls.Config, error) {
	if t == nil {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca: %s holds no PEM certificate", t.CA)
		}
	}
	if t.Cert != "" {
		cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("cert %s, key %s: %w", t.Cert, t.Key, err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}
