package serving

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/tap"
	"google.golang.org/protobuf/proto"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// unary is what every unary call over gRPC passes: recovery, token, wait, slot, deadline.
func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer s.recovered(info.FullMethod, &err)
	if err := s.allow(info.FullMethod, grpcCaller(ctx)); err != nil {
		return nil, toStatus(err)
	}
	if probe(info.FullMethod) {
		return next(ctx, req)
	}
	if err := s.inTime(ctx, req); err != nil {
		return nil, toStatus(err)
	}
	return s.admitted(ctx, req, info, next)
}

// arrival is the key of the time at which a call's headers came.
type arrival struct{}

// arrive notes when a call came. The connection's reader calls it, before the call has a goroutine.
func (s *Server) arrive(ctx context.Context, _ *tap.Info) (context.Context, error) {
	return context.WithValue(ctx, arrival{}, s.deps.Now()), nil
}

// smallRequest is the size (bytes) up to which a request comes with its headers. What a larger one took may be its client's line.
const smallRequest = 16 << 10

// inTime turns a call away that had to wait too long for a processor: whoever asked has likely given up, and working on it
// makes those behind it late too. A busy server so answers some in time instead of all too late.
func (s *Server) inTime(ctx context.Context, req any) error {
	at, ok := ctx.Value(arrival{}).(time.Time)
	if !ok || s.config.MaxWait <= 0 {
		return nil
	}
	waited := s.deps.Now().Sub(at)
	if m, ok := req.(proto.Message); waited <= s.config.MaxWait || ok && proto.Size(m) > smallRequest {
		return nil
	}
	s.deps.Metrics.Rejected.WithLabelValues("waited").Inc()
	return exhausted("WAITED_TOO_LONG", fmt.Sprintf("the call waited %v before it could be begun, and at most %v are allowed", waited.Round(time.Millisecond), s.config.MaxWait),
		"the server is busy: try again, ask another one, or raise serving.max_wait", 50*time.Millisecond)
}

// admitted makes a call that is allowed, from gRPC and HTTP alike: recovery, slot, deadline.
func (s *Server) admitted(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer s.recovered(info.FullMethod, &err)
	if err := s.enter(ctx); err != nil {
		return nil, toStatus(err)
	}
	defer s.leave()
	ctx, cancel := bounded(ctx, s.timeout(info.FullMethod))
	defer cancel()
	return next(ctx, req)
}

// bounded gives a context without a deadline one.
func bounded(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, timeout)
}

// auditTimeout is the deadline of an Audit call that brings none: it folds models.
const auditTimeout = 5 * time.Minute

// topicTimeout is the deadline of calls that go to the brokers, where they bring none.
const topicTimeout = 5 * time.Second

func (s *Server) timeout(method string) time.Duration {
	if method == freshetv1.Freshet_Audit_FullMethodName {
		return max(auditTimeout, s.config.Timeout)
	}
	if method == freshetv1.Freshet_DeadLetters_FullMethodName || method == freshetv1.Freshet_Control_FullMethodName {
		return max(topicTimeout, s.config.Timeout)
	}
	return s.config.Timeout
}

// stream is what every stream passes; slots and deadlines are for each request of it.
func (s *Server) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer s.recovered(info.FullMethod, &err)
	if err := s.allow(info.FullMethod, grpcCaller(ss.Context())); err != nil {
		return toStatus(err)
	}
	if probe(info.FullMethod) {
		w, done := s.watched(ss)
		defer done()
		return next(srv, w)
	}
	return next(srv, ss)
}

// probe reports whether a method is answered without a slot: probes must get through.
func probe(method string) bool { return strings.HasPrefix(method, "/grpc.health.v1.") }

// recovered turns a panic into INTERNAL and logs its stack.
func (s *Server) recovered(method string, err *error) {
	r := recover()
	if r == nil {
		return
	}
	s.deps.Metrics.Panics.WithLabelValues().Inc()
	s.deps.Logger.Error("call panicked", "method", method, "panic", r, "stack", string(debug.Stack()))
	*err = (&Error{Code: codes.Internal, Reason: "BUG", Message: "internal error; the log of the server has the stack"}).GRPCStatus().Err()
}
