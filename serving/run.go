package serving

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	grpcprom "github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/freshet-ml/freshet/internal/wire"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// streamWorkers goroutines are kept for calls, so that most find a stack that has grown already; growing it was 5 % of a
// call. Calls beyond them get goroutines of their own.
const streamWorkers = 64

// grpcServer returns a gRPC server with every service registered.
func (s *Server) grpcServer(secure *tls.Config) (*grpc.Server, error) {
	calls := grpcprom.NewServerMetrics(grpcprom.WithServerHandlingTimeHistogram())
	if err := s.deps.Metrics.Registry().Register(calls); err != nil {
		return nil, fmt.Errorf("serving: metrics of gRPC calls: %w", err)
	}
	opts := []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(calls.UnaryServerInterceptor(), s.unary),
		grpc.ChainStreamInterceptor(calls.StreamServerInterceptor(), s.stream),
		grpc.MaxRecvMsgSize(s.config.MaxMessage),
		grpc.MaxSendMsgSize(64 << 20),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: 15 * time.Minute, Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.ConnectionTimeout(10 * time.Second),
		// What one connection may have open: as many calls as the server takes, and some that are turned away with a reason. Streams that
		// a client resets count until their handlers have ended, so that opening and resetting them (rapid reset) costs only itself.
		grpc.MaxConcurrentStreams(uint32(min(2*s.config.MaxInFlight, 1<<16) + 64)),
		grpc.MaxHeaderListSize(64 << 10),
		grpc.WaitForHandlers(true),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.InitialWindowSize(wire.StreamWindow),
		grpc.InitialConnWindowSize(wire.ConnectionWindow),
		grpc.ForceServerCodecV2(wire.New()),
	}
	if s.config.MaxWait > 0 {
		opts = append(opts, grpc.InTapHandle(s.arrive))
	}
	if secure != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(secure)))
	}
	g := grpc.NewServer(opts...)
	freshetv1.RegisterFreshetServer(g, s)
	healthpb.RegisterHealthServer(g, s.health)
	if s.config.Reflection {
		reflection.Register(g)
	}
	calls.InitializeMetrics(g)
	return g, nil
}

// Run serves on the listeners, which it closes, until ctx ends and calls have drained. Either listener
// may be nil. page serves every path of the HTTP port that the API does not have; nil: none.
//
// The end, in this order: health says NOT_SERVING and calls are still answered for Notice, so that clients and load balancers
// turn away first; then no new connections and streams are taken (gRPC clients send such calls elsewhere by themselves), and
// calls in flight end, for at most Drain in all; what is left is cut off; the queue of served vectors is written, again for
// at most Drain.
func (s *Server) Run(ctx context.Context, onGRPC, onHTTP net.Listener, page http.Handler) error {
	if err := s.exposed(onGRPC, onHTTP); err != nil {
		return errors.Join(err, closeAll(onGRPC, onHTTP))
	}
	var secure *tls.Config
	if s.certs != nil {
		secure = s.certs.Server()
	}
	g, err := s.grpcServer(secure)
	if err != nil {
		return errors.Join(err, closeAll(onGRPC, onHTTP))
	}
	web := s.httpServer(s.forHosts(onHTTP != nil && Loopback(onHTTP.Addr()), s.Handler(page)))
	logged := s.startLog()
	group, ctx := errgroup.WithContext(ctx)
	if onGRPC != nil {
		address := onGRPC.Addr().String()
		s.onGRPC.Store(&address)
		onGRPC = netutil.LimitListener(onGRPC, s.config.MaxConns)
		group.Go(func() error {
			if err := g.Serve(onGRPC); !errors.Is(err, grpc.ErrServerStopped) { // stopped before it began
				return err
			}
			return nil
		})
	}
	if onHTTP != nil {
		onHTTP = netutil.LimitListener(onHTTP, s.config.MaxConns)
		if secure != nil {
			onHTTP = tls.NewListener(onHTTP, secure)
		}
		group.Go(func() error {
			if err := web.Serve(onHTTP); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	group.Go(func() error { s.watchHealth(ctx); return nil })
	group.Go(func() error { s.follow(ctx); return nil })
	group.Go(func() error {
		<-ctx.Done()
		s.drain(g, web)
		return nil
	})
	err = group.Wait()
	logged()
	return err
}

// exposed refuses to let other machines in with neither TLS nor tokens, unless that was asked for, and warns where one of
// the two is missing.
func (s *Server) exposed(listeners ...net.Listener) error {
	tokens := *s.tokens.Load() != nil
	for _, l := range listeners {
		if l == nil || Loopback(l.Addr()) {
			continue
		}
		switch {
		case s.certs == nil && !tokens && s.config.Insecure:
			s.deps.Logger.Warn("insecure: other machines may ask without TLS and without a token", "address", l.Addr())
		case s.certs == nil && tokens:
			s.deps.Logger.Warn("tokens and answers travel in clear text; set serving.tls unless something in front encrypts", "address", l.Addr())
		case s.certs != nil && !tokens && s.config.TLS.CA == "":
			s.deps.Logger.Warn("other machines may ask without a token; set serving.tokens, or serving.tls.ca to ask for certificates", "address", l.Addr())
		case s.certs == nil && !tokens:
			return fmt.Errorf("serve on %s: other machines could ask without TLS and without a token; set serving.tls or serving.tokens, or serving.insecure: true if a proxy protects it", l.Addr())
		}
	}
	return nil
}

func closeAll(listeners ...net.Listener) error {
	var errs []error
	for _, l := range listeners {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(errs...)
}

// RunAdmin serves profiles and metrics on a listener of this machine, which it closes, until ctx ends. With serving.tokens
// a token of scope admin is needed there too: others may be logged in to the machine. A profile that runs is cut off.
func (s *Server) RunAdmin(ctx context.Context, l net.Listener) error {
	if err := adminOnly(l); err != nil {
		return errors.Join(err, l.Close())
	}
	web := s.httpServer(s.forHosts(true, s.adminHandler()))
	stop := context.AfterFunc(ctx, func() { web.Close() })
	defer stop()
	if err := web.Serve(netutil.LimitListener(l, 64)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// startLog starts the writer of the queue; the function it returns ends it.
func (s *Server) startLog() (stop func()) {
	if s.async == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		s.async.run(ctx, quit)
	}()
	return func() {
		close(quit)
		late := time.AfterFunc(s.config.Drain, cancel)
		<-done
		late.Stop()
		cancel()
	}
}

// drain ends both servers within the time allowed.
func (s *Server) drain(g *grpc.Server, web *http.Server) {
	s.draining.Store(true)
	s.health.Shutdown()
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Drain)
	defer cancel()
	notice := time.NewTimer(s.config.Notice)
	defer notice.Stop()
	select {
	case <-notice.C:
	case <-ctx.Done():
	}
	close(s.stopping)
	var both sync.WaitGroup
	both.Go(func() {
		ended := make(chan struct{})
		go func() {
			g.GracefulStop()
			close(ended)
		}()
		select {
		case <-ended:
		case <-ctx.Done():
			s.deps.Logger.Warn("calls cut off", "after", s.config.Drain)
			g.Stop()
			<-ended
		}
	})
	both.Go(func() {
		if web.Shutdown(ctx) != nil {
			web.Close()
		}
	})
	both.Wait()
}
