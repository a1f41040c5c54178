package main

import (
	"context"
	"flag"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc"

	"github.com/freshet-ml/freshet/internal/embedded"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

var update = flag.Bool("update", false, "write golden and generated files")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"freshet": main})
}

// TestScripts runs the scripts of testdata/script: commands as users type them, with what they print.
//
// Scripts have three commands of their own: servers starts an embedded broker and store and sets BROKERS and
// REDIS; service starts a service with fixed answers and sets FRESHET_ADDR; taken sets TAKEN to a port that
// is listened on.
func TestScripts(t *testing.T) {
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("TESTDATA", testdata)
			e.Setenv("NO_COLOR", "1")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"servers": servers, "service": service, "taken": taken, "expand": expand},
	})
}

func servers(ts *testscript.TestScript, _ bool, _ []string) {
	s, err := embedded.Start(embedded.Options{})
	ts.Check(err)
	ts.Defer(s.Close)
	ts.Setenv("BROKERS", strings.Join(s.Brokers, ","))
	ts.Setenv("REDIS", s.Redis)
}

func service(ts *testscript.TestScript, _ bool, _ []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	g := grpc.NewServer()
	freshetv1.RegisterFreshetServer(g, &fixedService{})
	done := make(chan error, 1)
	go func() { done <- g.Serve(l) }()
	ts.Defer(func() { g.Stop(); <-done })
	ts.Setenv("FRESHET_ADDR", l.Addr().String())
}

func taken(ts *testscript.TestScript, _ bool, _ []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv("TAKEN", l.Addr().String())
}

// expand writes a file anew with its variables replaced.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		path := ts.MkAbs(name)
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(path, []byte(text), 0o600))
	}
}

// A command that is interrupted says so and has its own exit code.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rows := "x,y\n" + strings.Repeat("1,0\n2,1\n", 5000)
	file := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(file, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	code := run(ctx, []string{"freshet", "evaluate", "--data", file, "--target", "y"}, os.LookupEnv, &out, &errs)
	if code != exitStopped || out.Len() > 0 || errs.String() != "freshet: stopped\n" {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, out.String(), errs.String())
	}
}
