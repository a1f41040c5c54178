package app

import (
	"context"
	"crypto/tls"
	"fmt"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/freshet-ml/freshet/internal/certs"
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
		m, err := mechanism(k.SASL)
		if err != nil {
			return t, err
		}
		t.SASL = []sasl.Mechanism{m}
	}
	return t, nil
}

// mechanism returns the way of logging in. Passwords and tokens that come from files are read again at every login; clients
// of one Transport share the tokens of an endpoint.
func mechanism(s *project.SASL) (sasl.Mechanism, error) {
	if s.Mechanism == "oauthbearer" {
		return bearer(s)
	}
	password := func() (string, error) {
		p, err := s.Password.Current()
		if err != nil {
			return "", fmt.Errorf("kafka.sasl.password: %w", err)
		}
		return p, nil
	}
	if s.Mechanism == "plain" {
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			p, err := password()
			return plain.Auth{User: s.User, Pass: p}, err
		}), nil
	}
	auth := func(context.Context) (scram.Auth, error) {
		p, err := password()
		return scram.Auth{User: s.User, Pass: p}, err
	}
	if s.Mechanism == "scram-sha-256" {
		return scram.Sha256(auth), nil
	}
	return scram.Sha512(auth), nil
}

// bearer logs in with a token from a file or from an endpoint.
func bearer(s *project.SASL) (sasl.Mechanism, error) {
	token := func(context.Context) (string, error) {
		t, err := s.Token.Current()
		if err != nil {
			return "", fmt.Errorf("kafka.sasl.token: %w", err)
		}
		return t, nil
	}
	if s.OAuth != nil {
		source, err := newTokens(s.OAuth)
		if err != nil {
			return nil, err
		}
		token = source.token
	}
	return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
		t, err := token(ctx)
		return oauth.Auth{Token: t, Extensions: s.Extensions}, err
	}), nil
}

// Store opens the project's Redis.
func Store(r *project.Redis) (*redis.Store, error) {
	o := redis.Options{Addrs: r.Addr, Cluster: r.Cluster, DB: r.DB}
	if r.User != "" || !r.Password.Empty() {
		o.Login = func(context.Context) (string, string, error) {
			p, err := r.Password.Current()
			if err != nil {
				return "", "", fmt.Errorf("redis.password: %w", err)
			}
			return r.User, p, nil
		}
	}
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
	f, err := certs.Follow(certs.Files{Cert: t.Cert, Key: t.Key, CA: t.CA}, setting)
	if err != nil {
		return nil, err
	}
	return f.Client(t.ServerName), nil
}
