package serving

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// unary is what every unary call passes, from gRPC and HTTP alike: recovery, token, slot, deadline.
func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
	defer s.recovered(info.FullMethod, &err)
	if open(info.FullMethod) {
		return next(ctx, req)
	}
	if err := s.authorize(bearer(ctx)); err != nil {
		return nil, toStatus(err)
	}
	if err := s.enter(ctx); err != nil {
		return nil, toStatus(err)
	}
	defer s.leave()
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout(info.FullMethod))
		defer cancel()
	}
	return next(ctx, req)
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
	if open(info.FullMethod) {
		w, done := s.watched(ss)
		defer done()
		return next(srv, w)
	}
	if err := s.authorize(bearer(ss.Context())); err != nil {
		return toStatus(err)
	}
	return next(srv, ss)
}

// open reports whether a method is answered without token and slot: probes must get through.
func open(method string) bool { return strings.HasPrefix(method, "/grpc.health.v1.") }

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

func bearer(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	if v := md.Get("authorization"); len(v) == 1 {
		return v[0]
	}
	return ""
}

// hashTokens makes tokens comparable in constant time whatever their lengths.
func hashTokens(tokens []string) [][32]byte {
	out := make([][32]byte, len(tokens))
	for i, t := range tokens {
		out[i] = sha256.Sum256([]byte(t))
	}
	return out
}

// authorize checks an Authorization header against the tokens; it looks at all of them.
func (s *Server) authorize(header string) error {
	if len(s.tokens) == 0 {
		return nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	got, match := sha256.Sum256([]byte(strings.TrimSpace(token))), 0
	for i := range s.tokens {
		match |= subtle.ConstantTimeCompare(got[:], s.tokens[i][:])
	}
	if match == 1 && strings.EqualFold(scheme, "bearer") {
		return nil
	}
	s.deps.Metrics.Rejected.WithLabelValues("unauthenticated").Inc()
	return &Error{Code: codes.Unauthenticated, Reason: "TOKEN", Message: "no valid token", Hint: "send the header Authorization: Bearer TOKEN with one of serving.tokens"}
}
