package realtest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/internal/realtest"
)

func TestRedisKeepsWhatItHadAfterAKill(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB, ...string) *realtest.RedisServer{"redis": realtest.StartRedis, "valkey": realtest.StartValkey} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, "--appendfsync", "always")
			s.Do("SET", "k", "v w")
			s.Kill()
			s.Start()
			if got := s.Do("GET", "k"); got != "v w" {
				t.Errorf("read %q", got)
			}
			if files, _ := filepath.Glob(filepath.Join(s.Dir, "appendonlydir", "*.aof")); len(files) == 0 {
				t.Errorf("no append-only file in %s", s.Dir)
			}
		})
	}
}

func TestRedisOverTLS(t *testing.T) {
	t.Parallel()
	for _, clients := range []string{"no", "yes"} {
		if got := realtest.StartRedisTLS(t, realtest.NewCerts(t), "--tls-auth-clients", clients).Do("PING"); got != "+PONG" {
			t.Errorf("certificates of clients: %s, answer %q", clients, got)
		}
	}
}

func TestRedisClusterSpreadsItsSlots(t *testing.T) {
	t.Parallel()
	c := realtest.StartRedisCluster(t)
	for _, n := range c.Nodes {
		if got := strings.Count(n.Do("CLUSTER", "NODES"), "connected"); got != 3 {
			t.Errorf("%s knows %d nodes", n.Name, got)
		}
	}
	c.Nodes[1].Kill()
	c.Nodes[1].Start()
}

func TestS3GatewayAsksForASignature(t *testing.T) {
	t.Parallel()
	s := realtest.StartS3(t)
	resp, err := http.Get(s.Endpoint + "/" + s.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("status %s", resp.Status)
	}
}

func TestLeftOutByName(t *testing.T) {
	t.Setenv("FRESHET_WITHOUT", "valkey, s3")
	for s, want := range map[realtest.Service]bool{realtest.Valkey: true, realtest.S3: true, realtest.Kafka: false} {
		if realtest.LeftOut(s) != want {
			t.Errorf("%s left out: %t", s, !want)
		}
	}
}

func TestMissingSaysWhat(t *testing.T) {
	t.Setenv("FRESHET_TEST_CACHE", t.TempDir())
	t.Setenv("PATH", "")
	for _, s := range realtest.Services() {
		if realtest.Missing(s) == "" {
			t.Errorf("%s is not missed on a machine without anything", s)
		}
	}
}

// A test binary that is killed leaves no server behind.
func TestServersDieWithTheTest(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends a process with its parent")
	}
	if file := os.Getenv("REALTEST_CHILD"); file != "" {
		s := realtest.StartRedis(t)
		if err := os.WriteFile(file, []byte(s.Addr), 0o600); err != nil {
			t.Fatal(err)
		}
		select {} // until it is killed
	}
	realtest.Need(t, realtest.Redis)
	addr := startAndKillChild(t)
	for end := time.Now().Add(20 * time.Second); listens(addr); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the server at %s outlives the test that started it", addr)
		}
	}
}
