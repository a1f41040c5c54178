package serving

import (
	"context"
	"crypto/tls"

	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// UnmarshalJSON and MarshalJSON are the codec of the HTTP API, for its fuzz test.
var (
	UnmarshalJSON = unmarshal
	MarshalJSON   = marshal
)

// Certificate returns the function that TLS asks for the certificate in these files.
func Certificate(files TLS) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	c := &certificate{files: files}
	_, err := c.get(nil)
	return c.get, err
}

// Reading replaces how states are read from the store.
func (s *StoreStates) Reading(read func(context.Context, []redis.Lookup, []redis.View) ([]redis.View, error)) *StoreStates {
	s.rounds.read = read
	return s
}
