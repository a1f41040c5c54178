package serving

import (
	"context"
	"time"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// healthEvery is how often readiness is looked at when nothing says that it changed: staleness comes
// with time alone.
const healthEvery = time.Second

// watchHealth keeps grpc.health.v1 current until ctx ends.
func (s *Server) watchHealth(ctx context.Context) {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.deps.Changed:
		case <-tick.C:
		}
		s.refreshHealth()
	}
}

// refreshHealth sets the health of every model, and of the server under the empty name: it serves when
// every champion does and features can be read.
func (s *Server) refreshHealth() {
	if s.draining.Load() {
		return // Shutdown has set all to NOT_SERVING for good
	}
	for _, name := range s.index.names {
		m := s.index.models[name]
		snap, ok := s.deps.Models.Snapshot(name)
		fresh := ok && (s.catalog.EventsClock || !m.old(snap, s.deps.Now().UnixMicro()))
		s.health.SetServingStatus(name, serving(fresh))
	}
	s.health.SetServingStatus("", serving(len(s.waiting()) == 0))
	s.health.SetServingStatus("freshet.v1.Freshet", serving(len(s.waiting()) == 0))
}

func serving(ok bool) healthpb.HealthCheckResponse_ServingStatus {
	if ok {
		return healthpb.HealthCheckResponse_SERVING
	}
	return healthpb.HealthCheckResponse_NOT_SERVING
}
