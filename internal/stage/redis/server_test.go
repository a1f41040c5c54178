package redis_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/internal/realtest"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// server is a redis-server on a unix socket.
type server struct {
	addr string
	cmd  *exec.Cmd
	out  io.ReadCloser
}

func startServer(t testing.TB, dir string, args ...string) *server {
	t.Helper()
	realtest.Need(t, realtest.Redis)
	sock, err := os.MkdirTemp("", "fx") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(sock) })
	s := &server{addr: filepath.Join(sock, "r")}
	s.cmd = exec.Command("redis-server", append([]string{"--port", "0", "--unixsocket", s.addr, "--dir", dir}, args...)...)
	if s.out, err = s.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	lines := bufio.NewScanner(s.out)
	var log []string
	for lines.Scan() {
		log = append(log, lines.Text())
		if strings.Contains(lines.Text(), "ready to accept connections at") {
			go func() { _, _ = io.Copy(io.Discard, s.out) }()
			return s
		}
	}
	t.Fatalf("redis-server did not start:\n%s", strings.Join(log, "\n"))
	return nil
}

func (s *server) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

// A server killed in the middle of writing its file, twice: every commit is there whole or not at all,
// and the position says which.
func TestTornFile(t *testing.T) {
	dir := t.TempDir()
	args := []string{"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--auto-aof-rewrite-percentage", "0"}
	last := int64(0)
	for _, cut := range []int64{0, 1, 40, 700, 3} {
		srv := startServer(t, dir, args...)
		s := open(t, srv.addr)
		c := claim(t, s)
		if p := c.Position().Offset; p > last || p < last-4 {
			t.Fatalf("cut: the state stands at %d, committed was %d", p, last)
		}
		last = c.Position().Offset
		checkWhole(t, c, last)
		for range 10 {
			last++
			v := redis.State{Moving: []byte(fmt.Sprint(last)), Sealed: []byte(strings.Repeat("s", int(last)))}
			if err := commit(t, c, last, map[string]redis.State{"a": v, "b": v, "c": v}); err != nil {
				t.Fatal(err)
			}
		}
		srv.kill()
		if err := commit(t, c, last+1, nil); !errors.Is(err, redis.ErrUnknown) {
			t.Errorf("commit to a killed server: %v", err)
		}
		tear(t, dir, cut)
	}
}

func checkWhole(t *testing.T, c *redis.Claim, n int64) {
	t.Helper()
	got, err := c.Load(deadline(t), []string{"a", "b", "c"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, st := range got {
		if n > 0 && (string(st.Moving) != fmt.Sprint(n) || len(st.Sealed) != int(n)) {
			t.Errorf("at %d entity %d is %q with %d sealed bytes", n, i, st.Moving, len(st.Sealed))
		}
	}
}

// tear cuts bytes off the end of the append-only file.
func tear(t *testing.T, dir string, n int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) != 1 {
		t.Fatalf("append-only files: %v, %v", files, err)
	}
	st, err := os.Stat(files[0])
	if err == nil {
		err = os.Truncate(files[0], st.Size()-n)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestEvictionIsRefused(t *testing.T) {
	bad := open(t, startServer(t, t.TempDir(), "--save", "", "--maxmemory", "10mb", "--maxmemory-policy", "allkeys-lru").addr)
	if err := bad.Check(deadline(t)); err == nil || !strings.Contains(err.Error(), "noeviction") {
		t.Errorf("server that evicts: %v", err)
	}
	good := open(t, startServer(t, t.TempDir(), "--save", "").addr)
	if err := good.Check(deadline(t)); err != nil {
		t.Errorf("server that does not: %v", err)
	}
}

// A script that fails in its middle has written nothing, since it writes once and last: the claim is over, and claiming again shows
// the commit before.
func TestScriptThatFails(t *testing.T) {
	srv := realtest.StartRedis(t)
	s := open(t, srv.Addr)
	c := claim(t, s)
	v := redis.State{Moving: []byte("1"), Sealed: []byte("s")}
	if err := commit(t, c, 1, map[string]redis.State{"a": v, "b": v, "c": v}); err != nil {
		t.Fatal(err)
	}
	srv.Do("CONFIG", "SET", "maxmemory", "1mb")
	if err := commit(t, c, 2, map[string]redis.State{"a": v}); !errors.Is(err, redis.ErrUnknown) || c.Err() == nil {
		t.Errorf("commit without memory: %v", err)
	}
	srv.Do("CONFIG", "SET", "maxmemory", "0")
	c = claim(t, s)
	if c.Position() != at(1) {
		t.Fatalf("the state stands at %+v", c.Position())
	}
	checkWhole(t, c, 1)
	srv.Do("RENAME", hash.Key(), "aside")
	srv.Do("SET", hash.Key(), "no hash")
	if err := commit(t, c, 2, map[string]redis.State{"a": v}); !errors.Is(err, redis.ErrUnknown) {
		t.Errorf("commit to what is no hash: %v", err)
	}
	srv.Do("RENAME", "aside", hash.Key())
	checkWhole(t, claim(t, s), 1)
}
