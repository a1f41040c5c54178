package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/checkpoint"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/realtest"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/internal/stage/redis"
	"github.com/freshet-ml/freshet/models/catalog"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving/client"
	"github.com/freshet-ml/freshet/trainer"
)

// session is how long a silent process is waited for: short, so that many faults fit into a run.
const session = 3 * time.Second

// slots are the processes; whoever does not own the order stands by.
var slots = []string{"features0", "features1", "trainer0", "trainer1", "serve0", "serve1"}

var servers = slots[4:]

// fleet is the project, its processes, and what they run on.
type fleet struct {
	t                *testing.T
	dir              string
	began            time.Time
	draw             *rand.Rand
	prog             *program.Program
	tr               stage.Transport // round the proxy
	broker           *realtest.Process
	redis            atomic.Pointer[realtest.RedisServer]
	toKafka, toRedis *proxy
	disks            struct{ broker, store, checkpoints *disk }
	history          history
	store            *redis.Store // round the proxy
	points           *checkpoint.Store
	app              *app.App // runs nothing: it reads the logs
	ports            map[string][2]string
	feed             *feed
	calls            *calls
	stopWatching     func()

	mu     sync.Mutex
	procs  map[string]*realtest.Process
	down   map[string]bool  // ended on purpose
	ended  map[string]int   // that ended by themselves
	served [2]atomic.Uint64 // entries that the servers answer from
}

// build links freshet, with other scripts for a control.
func build(t *testing.T, dir string, flags ...string) string {
	t.Helper()
	bin := filepath.Join(dir, "freshet")
	args := append([]string{"build", "-trimpath", "-o", bin}, flags...)
	cmd := exec.Command("go", append(args, "github.com/freshet-ml/freshet/cmd/freshet")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build freshet: %v\n%s", err, out)
	}
	return bin
}

// newFleet starts servers and processes. blind leaves the feed's time marks without meaning.
func newFleet(t *testing.T, bin string, seed uint64, blind bool) *fleet {
	t.Helper()
	realtest.Need(t, realtest.Kafka, realtest.Redis)
	f := &fleet{t: t, dir: t.TempDir(), began: time.Now(), draw: rand.New(rand.NewPCG(seed, 4)), ports: map[string][2]string{},
		procs: map[string]*realtest.Process{}, down: map[string]bool{}, ended: map[string]int{}}
	f.disks.broker, f.disks.store, f.disks.checkpoints = newDisk(t, 6<<10), newDisk(t, 3<<10), newDisk(t, 2<<10)
	behind := realtest.FreeAddress(t)
	brokers, inner := realtest.StartKafkaBehind(t, f.disks.broker.dir, behind, "group.min.session.timeout.ms=1000")
	f.broker = brokers.Nodes[0]
	f.redis.Store(realtest.StartRedisIn(t, f.disks.store.dir))
	f.toKafka = newProxy(t, "kafka", behind, inner)
	f.toRedis = newProxy(t, "redis", "127.0.0.1:0", f.redis.Load().Addr)
	f.tr = stage.Transport{Brokers: brokers.Addrs(), Local: true}
	f.project(behind)
	var err error
	f.store, err = redis.Open(redis.Options{Addrs: []string{f.redis.Load().Addr}})
	f.ok(err)
	t.Cleanup(func() { _ = f.store.Close() })
	f.points, err = checkpoint.Open(t.Context(), checkpoint.Options{URL: f.prog.Project.Checkpoints.URL, Keep: 3})
	f.ok(err)
	t.Cleanup(func() { _ = f.points.Close() })
	f.app, err = app.New(t.Context(), app.Options{Program: f.prog, Transport: f.tr, Store: f.store})
	f.ok(err)
	f.ok(f.app.EnsureSources(t.Context()))
	f.feed = newFeed(f, blind)
	for _, slot := range slots {
		f.procs[slot] = realtest.NewProcess(t, slot, []string{bin, strings.TrimRight(slot, "01"), filepath.Join(f.dir, "freshet.yaml")},
			[]string{"GRPC=" + f.ports[slot][0], "HTTP=" + f.ports[slot][1]})
		f.start(slot)
	}
	f.watch()
	f.calls = newCalls(f)
	return f
}

// project writes the project file: the flights demo on these servers.
func (f *fleet) project(broker string) {
	f.t.Helper()
	for _, slot := range servers {
		f.ports[slot] = [2]string{realtest.FreeAddress(f.t), realtest.FreeAddress(f.t)}
	}
	text := string(flights.Project()) + fmt.Sprintf("\nkafka: {brokers: [%q], session: %s}\nredis: {addr: %q}\ncheckpoints: {url: \"file://%s\", every: 2s}\n"+
		"serving: {grpc: \"${GRPC:-127.0.0.1:0}\", http: \"${HTTP:-127.0.0.1:0}\", notice: 300ms}\n",
		broker, session, f.toRedis.p.Listen, filepath.Join(f.disks.checkpoints.dir, "points"))
	file := filepath.Join(f.dir, "freshet.yaml")
	f.ok(os.WriteFile(file, []byte(text), 0o600))
	p, err := project.Parse(file, []byte(text), func(string) (string, bool) { return "", false })
	f.ok(err)
	f.prog, err = program.Compile(p, catalog.All)
	f.ok(err)
}

func (f *fleet) ok(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// note writes a line with the time since the beginning.
func (f *fleet) note(format string, args ...any) {
	f.t.Helper()
	f.t.Logf("%7.1fs "+format, append([]any{time.Since(f.began).Seconds()}, args...)...)
}

// start runs a process that does not run.
func (f *fleet) start(slot string) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down[slot] = false
	f.procs[slot].Start()
}

// kill ends a process without a word; stop asks it to end.
func (f *fleet) kill(slot string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down[slot] = true
	f.procs[slot].Kill()
}

func (f *fleet) stop(slot string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down[slot] = true
	began := time.Now()
	f.procs[slot].Stop()
	return time.Since(began)
}

func (f *fleet) pause(slot string)  { f.procs[slot].Pause() }
func (f *fleet) resume(slot string) { f.procs[slot].Resume() }

// watch starts processes again that ended by themselves, as a supervisor does, and asks the servers how far they are.
func (f *fleet) watch() {
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	f.stopWatching = sync.OnceFunc(func() { stop(); wg.Wait() })
	f.t.Cleanup(f.stopWatching)
	for i, slot := range servers {
		cl, err := client.Dial(f.ports[slot][0], client.Options{})
		f.ok(err)
		wg.Go(func() {
			defer cl.Close()
			for tick := time.NewTicker(20 * time.Millisecond); ctx.Err() == nil; {
				ask, cancel := context.WithTimeout(ctx, time.Second)
				if m, err := cl.GetModel(ask, &freshetv1.GetModelRequest{Name: "late"}); err == nil && m.GetModel().GetVersion() != nil {
					f.served[i].Store(m.GetModel().GetVersion().GetSeq() + 1)
				}
				cancel()
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	wg.Go(func() {
		for tick := time.NewTicker(100 * time.Millisecond); ctx.Err() == nil; {
			f.history.look(f.aof())
			f.tend()
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
}

// tend starts again what ended by itself.
func (f *fleet) tend() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, slot := range slots {
		if p := f.procs[slot]; !f.down[slot] && !p.Alive() {
			f.ended[slot]++
			f.note("%s ended by itself: %s", slot, lastLine(p.Log()))
			p.Start()
		}
	}
}

func lastLine(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b[max(0, len(b)-4096):])), "\n")
	return lines[len(lines)-1]
}

// behind is how many entries the server that is furthest behind has to go.
func (f *fleet) behind(target uint64) uint64 {
	at := min(f.served[0].Load(), f.served[1].Load())
	return target - min(target, at)
}

// fresh waits until both servers answer from all that is fed by now, and returns how long that took; ok is false after the limit.
func (f *fleet) fresh(limit time.Duration) (took time.Duration, ok bool) {
	began, target := time.Now(), f.feed.entries.Load()
	for f.behind(target) > 0 {
		if time.Since(began) > limit {
			f.note("servers answer from entries %d and %d of %d", f.served[0].Load(), f.served[1].Load(), target)
			return time.Since(began), false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(began), true
}

// said counts the lines of all processes that hold a text.
func (f *fleet) said(text string) (n int) {
	for _, p := range f.procs {
		if b, err := os.ReadFile(p.Log()); err == nil {
			n += strings.Count(string(b), text)
		}
	}
	return n
}

// feed sends the flights to the topics, and to the undisturbed core.
type feed struct {
	f       *fleet
	blind   bool
	core    *trainer.Replay
	seq     *ingest.Sequencer
	events  atomic.Int64 // sent, rows of the planes not among them
	entries atomic.Uint64
	poison  []ingest.Record    // where they lie
	answers map[uint64]float64 // of the model, by entry
	err     error
	done    chan struct{}
	stop    chan struct{}
	stopped func() // closes stop
}
