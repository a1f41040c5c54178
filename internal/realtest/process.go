package realtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// readyWithin bounds every start. It is long: a machine that is busy is slow, not broken.
const readyWithin = 90 * time.Second

// Process is a server that a test can kill, start again on the data it left, and pause. Its methods belong to one goroutine.
type Process struct {
	Name  string
	t     testing.TB
	argv  []string
	env   []string
	dir   string                          // working folder
	log   string                          // file
	ready func(ctx context.Context) error // one question; nil when the server has answered it

	cmd  *exec.Cmd
	gone chan struct{}
}

// NewProcess is another program, such as one that is tested over these servers: it is not started yet, is killed at the end of the test, and its output goes
// to a file that is kept when the test fails. env is added to the environment.
func NewProcess(t testing.TB, name string, argv, env []string) *Process {
	t.Helper()
	p := &Process{Name: name, argv: argv, env: env, log: filepath.Join(logs(t), name+".log"), ready: func(context.Context) error { return nil }}
	keep(t, []*Process{p})
	return p
}

// Log is the file with the output of all runs of the process.
func (p *Process) Log() string { return p.log }

// Alive reports whether the process runs, paused or not.
func (p *Process) Alive() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// Kill ends the process with SIGKILL and returns when it is gone. Killing it twice does nothing.
func (p *Process) Kill() {
	if p.Alive() {
		killGroup(p.cmd.Process)
		<-p.gone
	}
}

// Stop asks the process to end and returns when it has; after half a minute it is killed.
func (p *Process) Stop() {
	if !p.Alive() {
		return
	}
	_ = p.cmd.Process.Signal(terminate)
	select {
	case <-p.gone:
	case <-time.After(30 * time.Second):
		p.Kill()
	}
}

// Start starts a process that was killed or stopped, on the data it left, and returns when it answers.
func (p *Process) Start() {
	p.t.Helper()
	if err := p.start(); err != nil {
		p.t.Fatal(err)
	}
	if err := p.await(); err != nil {
		p.t.Fatal(err)
	}
}

// Pause stops the process in its tracks: its connections stay and nothing answers. Resume lets it go on.
func (p *Process) Pause() {
	p.t.Helper()
	if err := signalGroup(p.cmd.Process, pause); err != nil {
		p.t.Fatalf("pause %s: %v", p.Name, err)
	}
}

// Resume lets a paused process go on.
func (p *Process) Resume() {
	p.t.Helper()
	if err := signalGroup(p.cmd.Process, resume); err != nil {
		p.t.Fatalf("resume %s: %v", p.Name, err)
	}
}

func (p *Process) start() error {
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("log of %s: %w", p.Name, err)
	}
	defer out.Close()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = out, out, p.dir
	cmd.Env = append(os.Environ(), p.env...)
	cmd.SysProcAttr = ownGroup()
	started, gone := make(chan error), make(chan struct{})
	go func() {
		// The process is bound to die with the thread that starts it: this goroutine keeps the thread for as long.
		runtime.LockOSThread()
		defer close(gone)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.cmd, p.gone = cmd, gone
	return nil
}

// await asks until the server answers, and gives up at once when the process is gone.
func (p *Process) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), readyWithin)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	var last error
	for {
		if last = p.ready(ctx); last == nil {
			return nil
		}
		select {
		case <-p.gone:
			return fmt.Errorf("%s ended while it started:\n%s", p.Name, tail(p.log))
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready after %v: %w\n%s", p.Name, readyWithin, last, tail(p.log))
		case <-again.C:
		}
	}
}

// portTaken reports whether the process said that one of its ports is in use: another program was quicker.
func (p *Process) portTaken() bool {
	return strings.Contains(strings.ToLower(tail(p.log)), "address already in use")
}

func tail(file string) string {
	const most = 2 << 10
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	if len(b) > most {
		b = b[len(b)-most:]
	}
	return string(b)
}

// logs makes a folder for the output of processes that goes with the test unless the test fails.
func logs(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "freshet-services-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			_ = os.RemoveAll(dir)
			return
		}
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, f := range files {
			t.Logf("output of %s, kept in %s; its end:\n%s", filepath.Base(f), f, tail(f))
		}
	})
	return dir
}

// errRetry is a start that other ports may help.
var errRetry = errors.New("a port was taken meanwhile")

// attempts calls start until it does not meet ports that were taken meanwhile, and fails the test with any other error.
func attempts(t testing.TB, start func() error) {
	t.Helper()
	for n := 0; ; n++ {
		err := start()
		if err == nil {
			return
		}
		if n == 4 || !errors.Is(err, errRetry) {
			t.Fatal(err)
		}
	}
}

// startAll starts processes side by side and returns when all answer; on an error all are killed.
func startAll(list []*Process) error {
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i, p := range list {
		wg.Go(func() {
			if errs[i] = p.start(); errs[i] == nil {
				errs[i] = p.await()
			}
		})
	}
	wg.Wait()
	err := errors.Join(errs...)
	if err == nil {
		return nil
	}
	for _, p := range list {
		p.Kill()
		if p.portTaken() {
			err = fmt.Errorf("%w: %w", errRetry, err)
		}
	}
	return err
}

// Pid is the process id while the process runs.
func (p *Process) Pid() int { return p.cmd.Process.Pid }
