package serving

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
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
// every model does that it answers for, and features can be read.
func (s *Server) refreshHealth() {
	if s.draining.Load() {
		return // Shutdown has set all to NOT_SERVING for good
	}
	for _, name := range s.index.names {
		m := s.index.models[name]
		snap, ok := s.deps.Models.Snapshot(name)
		fresh := ok && (s.catalog.EventsClock || !m.old(snap, s.deps.Now().UnixMicro()))
		s.health.SetServingStatus(name, serving(fresh && s.unfit(name) == ""))
	}
	ready := len(s.waiting()) == 0
	s.health.SetServingStatus("", serving(ready))
	s.health.SetServingStatus("freshet.v1.Freshet", serving(ready))
}

func serving(ok bool) healthpb.HealthCheckResponse_ServingStatus {
	if ok {
		return healthpb.HealthCheckResponse_SERVING
	}
	return healthpb.HealthCheckResponse_NOT_SERVING
}

// watchStream ends a Watch of grpc.health.v1 when the server stops, as soon as the watcher knows:
// else every watcher would hold up the drain to its bound.
type watchStream struct {
	grpc.ServerStream
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	stopping bool
	told     bool // the last message said NOT_SERVING
}

// watched wraps the stream; its context ends with the returned function.
func (s *Server) watched(ss grpc.ServerStream) (*watchStream, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ss.Context())
	w := &watchStream{ServerStream: ss, ctx: ctx, cancel: cancel}
	go func() { // ends with the stream
		select {
		case <-ctx.Done():
		case <-s.stopping:
			w.note(func() { w.stopping = true })
		}
	}()
	return w, cancel
}

func (w *watchStream) note(set func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if set(); w.stopping && w.told {
		w.cancel()
	}
}

// Context returns the context that ends when the watcher knows that the server stops.
func (w *watchStream) Context() context.Context { return w.ctx }

// SendMsg sends a status and remembers it.
func (w *watchStream) SendMsg(m any) error {
	err := w.ServerStream.SendMsg(m)
	if r, ok := m.(*healthpb.HealthCheckResponse); ok {
		w.note(func() { w.told = r.GetStatus() != healthpb.HealthCheckResponse_SERVING })
	}
	return err
}
