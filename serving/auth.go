package serving

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

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
	session       string // the cookie of a browser
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
	found := find(tokens, c, s.deps.Now())
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
func find(tokens []Token, c caller, now time.Time) *Token {
	scheme, text, _ := strings.Cut(c.authorization, " ")
	got, bearer := sha256.Sum256([]byte(strings.TrimSpace(text))), strings.EqualFold(scheme, "bearer")
	ends, mac, session := parseSession(c.session, now)
	var found *Token
	for i := range tokens {
		t := &tokens[i]
		if subtle.ConstantTimeCompare(got[:], t.Hash[:]) == 1 && bearer {
			found = t
		}
		if sealed := seal(t, ends); hmac.Equal(sealed[:], mac[:]) && session {
			found = t
		}
	}
	return found
}

// grpcCaller says who makes a call over gRPC.
func grpcCaller(ctx context.Context) caller {
	var c caller
	sent := func(name string) []string { return metadata.ValueFromIncomingContext(ctx, name) } // all of the metadata would be copied otherwise
	if v := sent("authorization"); len(v) == 1 {
		c.authorization = v[0]
	}
	if p, ok := peer.FromContext(ctx); ok && len(sent("x-forwarded-for")) == 0 && len(sent("forwarded")) == 0 {
		c.here = p.Addr == nil || Loopback(p.Addr)
	}
	return c
}

// httpCaller says who makes a request.
func httpCaller(r *http.Request) caller {
	c := caller{authorization: r.Header.Get("Authorization")}
	if k, err := r.Cookie(sessionCookie); err == nil && c.authorization == "" {
		c.session = k.Value
	}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil && r.Header.Get("X-Forwarded-For") == "" && r.Header.Get("Forwarded") == "" {
		ip := net.ParseIP(host)
		c.here = ip != nil && ip.IsLoopback()
	}
	return c
}

// A browser cannot send a token with every file and stream that a page names. It shows the token once and gets a
// cookie: when the session ends, and an HMAC of that under the hash of the token. So a cookie ends with its token, on all
// servers that know the token, and does not tell it.
const (
	sessionCookie = "freshet_session"
	sessionFor    = 12 * time.Hour
)

func seal(t *Token, ends uint64) [sha256.Size]byte {
	mac := hmac.New(sha256.New, t.Hash[:])
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], ends)
	mac.Write([]byte("freshet session "))
	mac.Write(b[:])
	return [sha256.Size]byte(mac.Sum(nil))
}

func parseSession(cookie string, now time.Time) (ends uint64, mac [sha256.Size]byte, ok bool) {
	if len(cookie) != 2*(8+sha256.Size) {
		return 0, mac, false
	}
	b, err := hex.DecodeString(cookie)
	if err != nil {
		return 0, mac, false
	}
	ends = binary.BigEndian.Uint64(b)
	return ends, [sha256.Size]byte(b[8:]), ends > uint64(now.Unix()) && ends <= uint64(now.Add(sessionFor).Unix())
}

// openSession answers POST /v1/session: whoever shows a token gets its cookie.
func (s *Server) openSession(w http.ResponseWriter, r *http.Request) {
	now := s.deps.Now()
	c := httpCaller(r)
	if t := find(*s.tokens.Load(), c, now); t != nil && c.authorization != "" {
		ends := now.Add(sessionFor)
		mac := seal(t, uint64(ends.Unix()))
		value := binary.BigEndian.AppendUint64(nil, uint64(ends.Unix()))
		s.setSession(w, hex.EncodeToString(append(value, mac[:]...)), int(sessionFor.Seconds()))
	}
	w.WriteHeader(http.StatusNoContent)
}

// closeSession answers DELETE /v1/session.
func (s *Server) closeSession(w http.ResponseWriter, _ *http.Request) {
	s.setSession(w, "", -1)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) setSession(w http.ResponseWriter, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: s.certs != nil, SameSite: http.SameSiteStrictMode})
}

var errNoTokens = errors.New("no tokens are left; the former ones stay")
