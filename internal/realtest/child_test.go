package realtest_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// startAndKillChild runs this test binary again until it has started a server, kills it, and returns where the server was.
func startAndKillChild(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "addr")
	child := exec.Command(os.Args[0], "-test.run=^TestServersDieWithTheTest$")
	child.Env = append(os.Environ(), "REALTEST_CHILD="+file)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Wait() }()
	defer func() { _ = child.Process.Kill() }()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if addr, err := os.ReadFile(file); err == nil && len(addr) > 0 {
			if !listens(string(addr)) {
				t.Fatalf("nothing listens at %s", addr)
			}
			return string(addr)
		}
	}
	t.Fatal("the child started no server")
	return ""
}

func listens(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}
