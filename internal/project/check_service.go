package project

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/internal/spelling"
)

// servers checks addresses, and refuses to open a port to others without TLS or tokens.
func (c *checker) servers() {
	s := &c.p.Serving
	for _, a := range []struct{ path, addr string }{{"serving.grpc", s.GRPC}, {"serving.http", s.HTTP}} {
		host, ok := c.listens(a.path, a.addr)
		if ok && !isLoopback(host) && s.TLS == nil && len(s.Tokens) == 0 && s.TokensFile == "" && !s.Insecure {
			c.bad(a.path, fmt.Sprintf("%s is reachable from other machines, without TLS or tokens", a.addr),
				"set serving.tls or serving.tokens, or insecure: true if something in front protects it", "")
		}
	}
	if host, ok := c.listens("serving.admin", s.Admin); ok && !isLoopback(host) {
		c.bad("serving.admin", s.Admin+" is reachable from other machines; profiles show what is in memory", "write 127.0.0.1 and a port, and forward it (ssh -L, kubectl port-forward)", "")
	}
	c.ownPort("serving.http", s.HTTP, s.GRPC)
	c.ownPort("serving.admin", s.Admin, s.GRPC, s.HTTP)
	if s.TLS != nil && (s.TLS.Cert == "" || s.TLS.Key == "") {
		c.badKey("serving.tls", "a server needs cert and key", "name both files", "")
	}
	c.tokens(s)
}

// listens checks an address to listen on, and returns its host; not ok: off or wrong.
func (c *checker) listens(path, addr string) (host string, ok bool) {
	if addr == "off" {
		return "", false
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		c.bad(path, fmt.Sprintf("%q is no address", addr), "write host:port, such as 127.0.0.1:7070, or off", "")
		return "", false
	}
	return host, true
}

func (c *checker) ownPort(path, addr string, others ...string) {
	if contains(others, addr) && addr != "off" && !strings.HasSuffix(addr, ":0") {
		c.bad(path, "the same address as "+map[bool]string{true: "grpc", false: "http"}[addr == others[0]], "give it a port of its own", "")
	}
}

func (c *checker) tokens(s *Serving) {
	for i := range s.Tokens {
		t, path := &s.Tokens[i], fmt.Sprintf("serving.tokens[%d]", i)
		if t.Token.Empty() {
			continue // reported where it was read
		}
		if _, err := t.Hash(); err != nil {
			c.bad(path, err.Error(), "use a long random one, such as openssl rand -hex 24 prints", "")
		}
		for j, scope := range t.Scopes {
			if !contains(Scopes, scope) {
				c.bad(fmt.Sprintf("%s.scopes[%d]", path, j), fmt.Sprintf("%q is no scope", scope), "use "+quoted(Scopes), spelling.Nearest(scope, Scopes))
			}
		}
		if len(t.Scopes) == 0 {
			c.bad(path+".scopes", "a token without scopes is good for nothing", "use "+quoted(Scopes), "")
		}
	}
	if s.TokensFile == "" {
		return
	}
	s.TokensFile = c.d.beside(s.TokensFile)
	if _, err := (&Serving{TokensFile: s.TokensFile}).AllTokens(); err != nil {
		c.bad("serving.tokens_file", err.Error(), "check its name, its rights and its lines", "")
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *checker) services() {
	p := c.p
	for i, b := range p.Kafka.Brokers {
		c.hostPort(b, fmt.Sprintf("kafka.brokers[%d]", i), "broker:9092")
	}
	if len(p.Kafka.Brokers) == 0 && (p.Kafka.SASL != nil || p.Kafka.TLS != nil) {
		c.badKey("kafka", "a login or TLS without brokers", "add brokers", "")
	}
	c.login(p.Kafka.SASL)
	for i, a := range p.Redis.Addr {
		c.hostPort(a, fmt.Sprintf("redis.addr[%d]", i), "redis:6379")
	}
	if len(p.Redis.Addr) > 1 && !p.Redis.Cluster {
		c.bad("redis.addr", "several addresses without cluster: true", "add cluster: true, or keep one", "")
	}
	if p.Redis.Cluster && p.Redis.DB != 0 {
		c.bad("redis.db", "a cluster has no numbered databases", "remove db", "")
	}
	if p.Redis.User != "" && p.Redis.Password.Empty() && !c.given("redis.password") && !c.given("redis.password_file") {
		c.badKey("redis.user", "a user without a password", "add password or password_file", "")
	}
	c.url(p.Checkpoints.URL, "checkpoints.url")
	if (p.Checkpoints.AccessKey == "") != p.Checkpoints.SecretKey.Empty() {
		c.badKey("checkpoints", "access_key and secret_key belong together", "give both, or neither: then the environment's are taken", "")
	}
	for _, t := range []struct {
		path string
		tls  *TLS
	}{{"kafka.tls", p.Kafka.TLS}, {"redis.tls", p.Redis.TLS}} {
		if t.tls != nil && (t.tls.Cert == "") != (t.tls.Key == "") {
			c.badKey(t.path, "cert and key belong together", "name both files", "")
		}
	}
}

// login checks that a way of logging in has what it needs, and nothing of another way.
func (c *checker) login(s *SASL) {
	if s == nil || c.d.broken["kafka.sasl"] {
		return
	}
	const at = "kafka.sasl"
	here := func(names ...string) bool {
		for _, n := range names {
			if c.given(at+"."+n) || c.given(at+"."+n+"_file") {
				return true
			}
		}
		return false
	}
	if s.Mechanism != "oauthbearer" {
		for _, name := range []string{"user", "password"} {
			if !here(name) {
				c.badKey(at, name+" is missing", "add "+name+": "+s.Mechanism+" needs it", "")
			}
		}
		if here("token", "oauth", "extensions") {
			c.badKey(at, "token, oauth and extensions are for mechanism: oauthbearer", "remove them, or change the mechanism", "")
		}
		if s.Mechanism == "plain" && strings.ContainsRune(s.User+s.Password.Reveal(), 0) {
			c.badKey(at, "user or password holds a NUL byte, which plain cannot carry", "change it", "")
		}
		return
	}
	if here("user", "password") {
		c.badKey(at, "oauthbearer takes no user and password", "give token_file or oauth", "")
	}
	if here("token") == here("oauth") {
		c.badKey(at, "oauthbearer needs token or oauth, one of them", "give token_file, or oauth with token_url, client_id and client_secret_file", "")
	}
	if s.OAuth != nil && s.OAuth.TokenURL != "" {
		c.tokenURL(s.OAuth.TokenURL, at+".oauth.token_url")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Extensions)) {
		if name == "auth" || !isExtension(name) || strings.ContainsFunc(s.Extensions[name], func(r rune) bool { return r < ' ' || r > '~' }) {
			c.bad(at+".extensions."+name, "no extension that can be sent", "names are letters and not auth, values are ASCII (RFC 7628, §3.1)", "")
		}
	}
}

func isExtension(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r|0x20 < 'a' || r|0x20 > 'z' })
}

// tokenURL refuses to send a client's secret in clear text to another machine.
func (c *checker) tokenURL(text, path string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		c.bad(path, "no address of a token endpoint", "write https://host/path", "")
	case u.User != nil:
		c.bad(path, "a user in the address", "use client_id and client_secret_file", "")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		c.bad(path, "http would send the client's secret in clear text", "use https", "")
	}
}
