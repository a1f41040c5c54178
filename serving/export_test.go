package serving

import (
	"context"
	"crypto/tls"
	"time"

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

// RecentKeys bounds what RecentStates keeps.
const RecentKeys = recentKeys

// NewRecentStates answers from what was read at most maxAge ago.
func NewRecentStates(of States, maxAge time.Duration) *recentStates { //nolint:revive // the tests' door
	return newRecentStates(of, maxAge, time.Now)
}

// Kept is the number of states in memory.
func (r *recentStates) Kept() int { return len(r.newer) + len(r.last) }
