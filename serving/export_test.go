package serving

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/grpc"

	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// UnmarshalJSON and MarshalJSON are the codec of the HTTP API, for its fuzz test.
var (
	UnmarshalJSON = unmarshal
	MarshalJSON   = marshal
)

// Access is the table of scopes.
func Access() map[string]Scope { return access }

// Anyone marks what needs no token.
const Anyone = anyone

// Patterns returns the routes of the HTTP port and of the admin port.
func (s *Server) Patterns(page http.Handler) (web, admin []string) {
	return s.routes(page).patterns, s.adminRoutes().patterns
}

// GRPC returns the gRPC server with all its services.
func (s *Server) GRPC() (*grpc.Server, error) { return s.grpcServer(nil) }

// Admin returns what the admin port serves.
func (s *Server) Admin() http.Handler { return s.forHosts(true, s.adminHandler()) }

// Web returns the server of the HTTP port, for a listener of this machine.
func (s *Server) Web(page http.Handler) *http.Server {
	return s.httpServer(s.forHosts(true, s.Handler(page)))
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
	return newRecentStates(of, nil, maxAge, time.Now)
}

// NewOwnRecentStates answers from what was read at most maxAge ago, and from what the units of this process commit.
func NewOwnRecentStates(of States, own *OwnStates, maxAge time.Duration, now func() time.Time) *recentStates { //nolint:revive // the tests' door
	return newRecentStates(of, own, maxAge, now)
}

// ReadAt sets the position at which a state was read.
func (s *EntityState) ReadAt(at frame.Position) { s.at = at }

// Kept is the number of states in memory.
func (o *OwnStates) Kept() (n int) {
	for _, list := range o.buckets {
		for i := range list {
			n += len(list[i].states)
		}
	}
	return n
}

// Kept is the number of states in memory.
func (r *recentStates) Kept() int { return len(r.newer) + len(r.last) }
