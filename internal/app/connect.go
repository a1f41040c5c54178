package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// Transport says how to reach the project's brokers.
func Transport(k *project.Kafka) (stage.Transport, error) {
	t := stage.Transport{Brokers: k.Brokers}
	if k.TLS != nil {
		c, err := clientTLS(k.TLS, "kafka.tls")
		if err != nil {
			return t, err
		}
		t.TLS = c
	}
	if k.SASL != nil {
		t.SASL = []sasl.Mechanism{mechanism(k.SASL)}
	}
	return t, nil
}

func mechanism(s *project.SASL) sasl.Mechanism {
	auth := scram.Auth{User: s.User, Pass: s.Password.Reveal()}
	switch s.Mechanism {
	case "plain":
		return plain.Auth{User: s.User, Pass: s.Password.Reveal()}.AsMechanism()
	case "scram-sha-256":
		return auth.AsSha256Mechanism()
	}
	return auth.AsSha512Mechanism()
}

// Store opens the project's Redis.
func Store(r *project.Redis) (*redis.Store, error) {
	o := redis.Options{Addrs: r.Addr, Cluster: r.Cluster, DB: r.DB, Username: r.User, Password: r.Password.Reveal()}
	if r.TLS != nil {
		c, err := clientTLS(r.TLS, "redis.tls")
		if err != nil {
			return nil, err
		}
		o.TLS = c
	}
	return redis.Open(o)
}

// clientTLS reads the certificates of a client. Errors name the setting and the file.
func clientTLS(t *project.TLS, setting string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("%s.ca: %w", setting, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s.ca: %s holds no PEM certificate", setting, t.CA)
		}
	}
	if t.Cert != "" {
		cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %s, key %s: %w", setting, t.Cert, t.Key, err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}
