package serving

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// Token lets its bearers in. It holds the hash of what they show, not the thing itself; a token is long and
// random, so that a plain hash cannot be turned round.
type Token struct {
	Name   string // for messages
	Scopes Scope
	Hash   [sha256.Size]byte // SHA-256
}

// caller is who asks: what was shown, and from where.
type caller struct {
	authorization string // the header
	here          bool   // on this machine, with no proxy between as far as one can see
}

// allow checks that a caller may use what has this name in the table of access. The errors tell strangers nothing.
func (s *Server) allow(name string, c caller) error {
	need := access[name]
	if need == anyone {
		return nil
	}
	tokens := *s.tokens.Load()
	if tokens == nil {
		if need&^ScopeAdmin != 0 || need == ScopeAdmin && c.here {
			return nil
		}
		return s.forbidden("this is for callers on the server's own machine, or with a token of scope admin", "set serving.tokens, or ask on the machine itself")
	}
	found := find(tokens, c)
	switch {
	case found == nil:
		s.deps.Metrics.Rejected.WithLabelValues("unauthenticated").Inc()
		return &Error{Code: codes.Unauthenticated, Reason: "TOKEN", Message: "no valid token", Hint: "send the header Authorization: Bearer TOKEN with one of serving.tokens"}
	case found.Scopes&(need|ScopeAdmin) == 0 || need == 0:
		return s.forbidden("the token "+found.Name+" is for "+found.Scopes.String()+"; this needs "+orElse(need), "use another token, or give it the scope")
	}
	return nil
}

func orElse(need Scope) string {
	if need&^ScopeAdmin == 0 {
		return ScopeAdmin.String()
	}
	return need.String()
}

func (s *Server) forbidden(message, hint string) error {
	s.deps.Metrics.Rejected.WithLabelValues("forbidden").Inc()
	return &Error{Code: codes.PermissionDenied, Reason: "SCOPE", Message: message, Hint: hint}
}

// find returns the token that a caller shows, nil if none. It looks at all of them, in constant time for each.
func find(tokens []Token, c caller) *Token {
	scheme, text, _ := strings.Cut(c.authorization, " ")
	got, bearer := sha256.Sum256([]byte(strings.TrimSpace(text))), strings.EqualFold(scheme, "bearer")
	var found *Token
	for i := range tokens {
		t := &tokens[i]
		if subtle.ConstantTimeCompare(got[:], t.Hash[:]) == 1 && bearer {
			found = t
		}
	}
	return found
}

// grpcCaller says who makes a call over gRPC.
func grpcCaller(ctx context.Context) caller {
	var c caller
	md, _ := metadata.FromIncomingContext(ctx)
	if v := md.Get("authorization"); len(v) == 1 {
		c.authorization = v[0]
	}
	if p, ok := peer.FromContext(ctx); ok && len(md.Get("x-forwarded-for")) == 0 && len(md.Get("forwarded")) == 0 {
		c.here = p.Addr == nil || Loopback(p.Addr)
	}
	return c
}

// httpCaller says who makes a request.
func httpCaller(r *http.Request) caller {
	c := caller{authorization: r.Header.Get("Authorization")}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil && r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == "" {
		ip := net.ParseIP(host)
		c.here = ip != nil && ip.IsLoopback()
	}
	return c
}

var errNoTokens = errors.New("no tokens are left; the former ones stay")
