package app_test

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// direct is a client that does not go through the proxy.
func (r *rig) direct() *redis.Store {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.proxy.straight == nil {
		s, err := redis.Open(redis.Options{Addrs: []string{r.servers.Redis}})
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { _ = s.Close() })
		r.proxy.straight = s
	}
	return r.proxy.straight
}

// proxy stands between the stages and the store, and can lose answers or go away.
type proxy struct {
	l        net.Listener
	target   string
	straight *redis.Store

	mu    sync.Mutex
	conns map[net.Conn]bool
	away  bool
	cuts  atomic.Int64 // so many answers are not given; the connection ends instead
	lost  atomic.Int64
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{l: l, target: target, conns: map[net.Conn]bool{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done; p.leave(true) })
	return p
}

func (p *proxy) addr() string { return p.l.Addr().String() }

func (p *proxy) serve(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer s.Close()
	if !p.keep(c, s) {
		return
	}
	go func() { _, _ = io.Copy(s, c); _ = s.Close() }()
	buf := make([]byte, 256<<10)
	for {
		n, err := s.Read(buf)
		if err != nil {
			return
		}
		if p.cuts.Load() > 0 && p.cuts.Add(-1) >= 0 { // the server has done what was asked
			p.lost.Add(1)
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) keep(list ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away {
		return false
	}
	for _, c := range list {
		p.conns[c] = true
	}
	return true
}

// leave closes all connections and, until it is called with false, takes no more.
func (p *proxy) leave(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
	for c := range p.conns {
		_ = c.Close()
	}
	clear(p.conns)
}

// hashes are a copy of all hashes in the store, taken and put back by one script each, so that no command falls
// between.
type hashes []any

const (
	copyScript = `local out = {}
for _, k in ipairs(redis.call('KEYS', '*')) do
  local h = redis.call('HGETALL', k)
  for i = 1, #h, 2 do out[#out+1] = k; out[#out+1] = h[i]; out[#out+1] = h[i+1] end
end
return out`
	putBackScript = `local only = ARGV[1]
for _, k in ipairs(redis.call('KEYS', '*')) do if only == '' or only == k then redis.call('DEL', k) end end
for i = 2, #ARGV, 3 do if only == '' or only == ARGV[i] then redis.call('HSET', ARGV[i], ARGV[i+1], ARGV[i+2]) end end
return 1`
)

func (r *rig) scripts() *goredis.Client {
	cl := goredis.NewClient(&goredis.Options{Addr: r.servers.Redis, ReadTimeout: 20 * time.Second})
	r.t.Cleanup(func() { _ = cl.Close() })
	return cl
}

func copyStore(ctx context.Context, cl *goredis.Client) (hashes, error) {
	list, err := cl.Eval(ctx, copyScript, nil).Slice()
	return hashes(list), err
}

// putBack makes the store what it was; only one hash when only is not "".
func putBack(ctx context.Context, cl *goredis.Client, h hashes, only string) error {
	return cl.Eval(ctx, putBackScript, nil, append([]any{only}, h...)...).Err()
}
