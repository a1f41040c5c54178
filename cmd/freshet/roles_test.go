package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // health checks of clients
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/realtest"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/internal/stage/redis"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving/client"
	"github.com/freshet-ml/freshet/trainer"
)

// fleet is a project whose roles run as processes of this binary, two of each, over one broker and one store, and the undisturbed
// core beside it, which is handed the same records.
type fleet struct {
	t       *testing.T
	dir     string
	prog    *program.Program
	tr      stage.Transport
	store   *redis.Store
	app     *app.App // runs nothing: it reads the logs
	slots   map[string]*process
	ports   map[string][2]string // gRPC and HTTP address by slot
	core    *trainer.Replay
	seq     *ingest.Sequencer
	offsets map[[2]int]int64
	out     *kgo.Client
	chunks  [][]ingest.Record
}

// process is a running freshet.
type process struct {
	cmd  *exec.Cmd
	log  string
	gone chan struct{}
}

// roleDays is how much of the demo the roles are run over.
const roleDays = 1

func newFleet(t *testing.T, brokers []string, store string, session time.Duration, model string) *fleet {
	t.Helper()
	f := &fleet{t: t, dir: t.TempDir(), slots: map[string]*process{}, ports: map[string][2]string{}, offsets: map[[2]int]int64{},
		tr: stage.Transport{Brokers: brokers, Local: true}}
	for _, slot := range []string{"serve0", "serve1"} {
		f.ports[slot] = [2]string{free(t), free(t)}
	}
	exe, err := os.Executable()
	f.ok(err)
	f.ok(os.Symlink(exe, filepath.Join(f.dir, "freshet")))
	text := strings.Replace(string(flights.Project()), "\n  late:\n", "\n  late:\n"+model, 1) + fmt.Sprintf("\nkafka: {brokers: [%s], session: %s}\nredis: {addr: %s}\n"+
		"checkpoints: {url: \"file://%s\", every: 1s, weights_every: 500ms}\nserving: {grpc: \"${GRPC:-127.0.0.1:0}\", http: \"${HTTP:-127.0.0.1:0}\", notice: 300ms}\n",
		strings.Join(brokers, ", "), session, store, filepath.Join(f.dir, "checkpoints"))
	f.ok(os.WriteFile(filepath.Join(f.dir, "freshet.yaml"), []byte(text), 0o600))
	c := &cli{env: func(string) (string, bool) { return "", false }}
	f.prog, err = c.compiled(filepath.Join(f.dir, "freshet.yaml"))
	f.ok(err)
	f.store, err = redis.Open(redis.Options{Addrs: []string{store}})
	f.ok(err)
	t.Cleanup(func() { _ = f.store.Close() })
	f.app, err = app.New(t.Context(), app.Options{Program: f.prog, Transport: f.tr, Store: f.store})
	f.ok(err)
	f.ok(f.app.EnsureSources(t.Context()))
	f.begin()
	t.Cleanup(f.end)
	return f
}

func (f *fleet) ok(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// begin makes the core, and cuts the records into pieces that end with a time mark.
func (f *fleet) begin() {
	f.t.Helper()
	cfg, err := f.prog.Ingest(true)
	f.ok(err)
	f.seq, err = ingest.NewSequencer(cfg)
	f.ok(err)
	f.core, err = trainer.NewReplay(f.prog.Program)
	f.ok(err)
	f.out, err = f.tr.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	f.ok(err)
	f.t.Cleanup(f.out.Close)
	days, err := flights.Days(roleDays)
	f.ok(err)
	inputs := f.prog.Project.Inputs()
	index := map[string]int{}
	for i := range inputs {
		index[inputs[i].Name] = i
	}
	var chunk []ingest.Record
	mark := func(at int64) {
		_, headers := ingest.MarkRecord(at, false)
		for i := range inputs {
			for p := range inputs[i].Partitions {
				chunk = append(chunk, ingest.Record{Source: i, Partition: int32(p), Headers: headers})
			}
		}
		f.chunks, chunk = append(f.chunks, chunk), nil
	}
	events := 0
	for r, ok := days.Next(); ok; r, ok = days.Next() {
		i := index[r.Source]
		key := append([]byte(nil), r.Key...)
		chunk = append(chunk, ingest.Record{Source: i, Partition: ingest.PartitionOf(key, 0, int32(inputs[i].Partitions)), Key: key,
			Value: append([]byte(nil), r.Value...), Timestamp: r.Time / 1000})
		if !inputs[i].Table { // the rows of tables come first
			events++
		}
		if events > 0 && len(chunk) >= 120 {
			mark(r.Time)
		}
	}
	mark(ingest.NoMoreTime)
}

// produce sends the next pieces to the topics and to the core; it reports whether there are more.
func (f *fleet) produce(pieces int) bool {
	f.t.Helper()
	inputs := f.prog.Project.Inputs()
	for range min(pieces, len(f.chunks)) {
		for _, rec := range f.chunks[0] {
			out := &kgo.Record{Topic: inputs[rec.Source].Topic, Partition: rec.Partition, Key: rec.Key, Value: rec.Value}
			if rec.Timestamp > 0 {
				out.Timestamp = time.UnixMilli(rec.Timestamp)
			}
			for _, h := range rec.Headers {
				out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
			}
			f.out.Produce(f.t.Context(), out, nil)
			id := [2]int{rec.Source, int(rec.Partition)}
			rec.Offset = f.offsets[id]
			f.offsets[id]++
			for !f.seq.Offer(&rec) {
				f.drain()
			}
		}
		f.drain()
		f.chunks = f.chunks[1:]
	}
	f.ok(f.out.Flush(f.t.Context()))
	return len(f.chunks) > 0
}

func (f *fleet) drain() {
	f.t.Helper()
	for d, ok := f.seq.Next(); ok; d, ok = f.seq.Next() {
		d.Item.Seq = f.core.Items()
		f.ok(f.core.Apply(&d.Item))
	}
}

// start runs a role in a slot, such as serve0.
func (f *fleet) start(slot string) {
	f.t.Helper()
	p := &process{log: filepath.Join(f.dir, slot+".log"), gone: make(chan struct{})}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	f.ok(err)
	defer out.Close()
	p.cmd = exec.Command(filepath.Join(f.dir, "freshet"), strings.TrimRight(slot, "01"), filepath.Join(f.dir, "freshet.yaml"))
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.Env = append(os.Environ(), "GRPC="+f.ports[slot][0], "HTTP="+f.ports[slot][1])
	f.ok(p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // killed ones fail
		close(p.gone)
	}()
	f.slots[slot] = p
}

// stop ends a process by a signal, waits for its end, and returns how long that took.
func (f *fleet) stop(slot string, with syscall.Signal) time.Duration {
	f.t.Helper()
	p, began := f.slots[slot], time.Now()
	f.ok(p.cmd.Process.Signal(with))
	select {
	case <-p.gone:
	case <-time.After(30 * time.Second):
		f.t.Fatalf("%s does not end", slot)
	}
	if code := p.cmd.ProcessState.ExitCode(); with == syscall.SIGTERM && code != 0 {
		f.t.Errorf("%s ended with code %d after SIGTERM", slot, code)
	}
	return time.Since(began)
}

// end kills what still runs, and shows what it said if the test failed.
func (f *fleet) end() {
	for slot, p := range f.slots {
		_ = p.cmd.Process.Kill()
		<-p.gone
		if b, err := os.ReadFile(p.log); f.t.Failed() && err == nil {
			f.t.Logf("%s:\n%s", slot, b[max(0, len(b)-6000):])
		}
	}
}

// ready waits until a server says that it is ready, and returns how long that took.
func (f *fleet) ready(slot string) time.Duration {
	f.t.Helper()
	began, body := time.Now(), ""
	for time.Since(began) < time.Minute {
		if r, err := http.Get("http://" + f.ports[slot][1] + "/readyz"); err == nil {
			var b bytes.Buffer
			_, _ = b.ReadFrom(r.Body)
			r.Body.Close()
			if body = b.String(); r.StatusCode == http.StatusOK {
				return time.Since(began)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	f.t.Fatalf("%s is not ready: %s", slot, body)
	return 0
}

// fresh waits until the running servers answer from all that was produced, and returns how long that took.
func (f *fleet) fresh() time.Duration {
	f.t.Helper()
	began, want := time.Now(), f.entries()
	for _, slot := range []string{"serve0", "serve1"} {
		if !f.running(slot) {
			continue
		}
		cl, err := client.Dial(f.ports[slot][0], client.Options{})
		f.ok(err)
		for last := uint64(0); ; time.Sleep(2 * time.Millisecond) {
			if m, err := cl.GetModel(f.t.Context(), &freshetv1.GetModelRequest{Name: "late"}); err == nil {
				if last = m.GetModel().GetVersion().GetSeq(); last+1 >= want {
					break
				}
			}
			if time.Since(began) > time.Minute {
				f.t.Fatalf("%s answers from entry %d, not from %d", slot, last, want-1)
			}
		}
		f.ok(cl.Close())
	}
	return time.Since(began)
}

func (f *fleet) running(slot string) bool {
	if f.slots[slot] == nil {
		return false
	}
	select {
	case <-f.slots[slot].gone:
		return false
	default:
		return true
	}
}

// entries is how many entries the example log of the core has.
func (f *fleet) entries() uint64 { return f.core.Joiner(f.prog.Triggers[0].Name).Next() }

// golden compares items, states, example log, and the weights that both servers answer from, with the core's.
func (f *fleet) golden() {
	f.t.Helper()
	want := f.core.Golden()
	items, entries := trainer.NewItemHash(f.prog.Sources), trainer.NewEntryHash()
	f.ok(f.app.EachItem(f.t.Context(), f.core.Items(), func(it *features.Item) error { items.Add(it); return nil }))
	trigger := f.prog.Triggers[0].Name
	f.ok(f.app.EachEntry(f.t.Context(), trigger, f.entries(), func(e *fold.Entry) error { entries.Add(e); return nil }))
	if items.Sum() != want.Items || entries.Sum() != want.Logs[trigger] {
		f.t.Errorf("items equal: %t, example log equal: %t", items.Sum() == want.Items, entries.Sum() == want.Logs[trigger])
	}
	began := time.Now()
	for states := ""; states != want.States; time.Sleep(20 * time.Millisecond) {
		var err error
		states, err = app.States(f.t.Context(), f.prog, f.store, f.core.Head())
		f.ok(err)
		if time.Since(began) > 30*time.Second {
			f.t.Error("the states differ")
			break
		}
	}
	for _, slot := range []string{"serve0", "serve1"} {
		f.weights(slot, want.Weights["late"])
	}
}

// weights waits until a server has summed the newest state of its model, and compares.
func (f *fleet) weights(slot, want string) {
	f.t.Helper()
	cl, err := client.Dial(f.ports[slot][0], client.Options{})
	f.ok(err)
	defer cl.Close()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		m, err := cl.GetModel(f.t.Context(), &freshetv1.GetModelRequest{Name: "late"})
		f.ok(err)
		if m.GetHashedAt().GetSeq()+1 == f.entries() {
			if m.GetStateSha256() != want {
				f.t.Errorf("%s answers from other weights than the core's", slot)
			}
			return
		}
		if time.Since(began) > 30*time.Second {
			f.t.Fatalf("%s has summed its state at %d, not at %d", slot, m.GetHashedAt().GetSeq(), f.entries()-1)
		}
	}
}

// roundRobin asks for predictions all the time, as gRPC clients do that check health and go round both servers.
type roundRobin struct {
	conn *grpc.ClientConn
	wg   sync.WaitGroup
	stop context.CancelFunc

	mu     sync.Mutex
	calls  int
	failed []string
	last   time.Time       // of the newest answer
	gap    time.Duration   // longest time between two answers
	from   map[string]bool // servers that answered
}

func (f *fleet) call() *roundRobin {
	f.t.Helper()
	r := manual.NewBuilderWithScheme("fleet")
	r.InitialState(resolver.State{Addresses: []resolver.Address{{Addr: f.ports["serve0"][0]}, {Addr: f.ports["serve1"][0]}}})
	conn, err := grpc.NewClient("fleet:///servers", grpc.WithResolvers(r), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": "late"}}`))
	f.ok(err)
	c := &roundRobin{conn: conn, from: map[string]bool{}}
	ctx, stop := context.WithCancel(f.t.Context())
	c.stop = stop
	f.t.Cleanup(func() { c.end() })
	row := &freshetv1.Row{Fields: map[string]*freshetv1.Value{"id": client.String("x"), "carrier": client.String("UA"), "flight": client.Int(1545),
		"tail": client.String("N14228"), "origin": client.String("EWR"), "dest": client.String("IAH"), "departs": client.Time(time.Date(2013, 6, 1, 12, 0, 0, 0, time.UTC)),
		"block": client.Int(227), "distance": client.Double(1400)}}
	for range 2 {
		c.wg.Go(func() {
			for tick := time.NewTicker(5 * time.Millisecond); ctx.Err() == nil; {
				c.one(ctx, row)
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	return c
}

func (c *roundRobin) one(ctx context.Context, row *freshetv1.Row) {
	call, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var from peer.Peer
	_, err := freshetv1.NewFreshetClient(c.conn).Predict(call, &freshetv1.PredictRequest{Model: "late", Rows: []*freshetv1.Row{row}}, grpc.Peer(&from))
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls++
	if err != nil {
		c.failed = append(c.failed, time.Now().Format("15:04:05.000 ")+err.Error())
		return
	}
	c.from[from.Addr.String()] = true
	if now := time.Now(); c.last.IsZero() {
		c.last = now
	} else {
		c.gap, c.last = max(c.gap, now.Sub(c.last)), now
	}
}

// reached waits until a server answers the clients: gRPC tries a server that was away again after a second or more.
func (f *fleet) reached(c *roundRobin, slot string) {
	f.t.Helper()
	c.mu.Lock()
	clear(c.from)
	c.mu.Unlock()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		c.mu.Lock()
		ok := c.from[f.ports[slot][0]]
		c.mu.Unlock()
		if ok {
			return
		}
		if time.Since(began) > time.Minute {
			f.t.Fatalf("no client asks %s again", slot)
		}
	}
}

// took returns what was counted since it was last asked.
func (c *roundRobin) took() (calls int, failed []string, gap time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls, failed, gap = c.calls, c.failed, c.gap
	c.calls, c.failed, c.gap = 0, nil, 0
	return calls, failed, gap
}

func (c *roundRobin) end() {
	c.stop()
	c.wg.Wait()
	_ = c.conn.Close()
}

// Two processes of each role are stopped one after the other and started again, as a rolling restart does, while clients ask
// all the time: no call fails. Then they are killed one after the other. In the end all is as in the undisturbed core.
func TestRolesApart(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer servers.Close()
	rolesApart(newFleet(t, servers.Brokers, servers.Redis, 2*time.Second, ""))
}

// The same on a real broker and a real store, with the least session timeout that a broker allows by default.
func TestRolesApartOnRealServers(t *testing.T) {
	if os.Getenv("FRESHET_ROLES_REAL") == "" {
		t.Skip("set FRESHET_ROLES_REAL=1: it waits out the session timeout of a broker, 6 s, several times")
	}
	store := realtest.StartRedis(t)
	rolesApart(newFleet(t, realtest.StartKafka(t).Addrs(), store.Addr, 6*time.Second, ""))
}

// A server that loads weights answers from the newest entry, and says how long ago its version was the newest; Status of it
// names the owners of all stages.
func TestServerThatLoadsWeights(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer servers.Close()
	f := newFleet(t, servers.Brokers, servers.Redis, 2*time.Second, "    weights: checkpoint\n")
	for _, slot := range []string{"features0", "trainer0", "trainer1", "serve0"} {
		f.start(slot)
	}
	f.produce(3)
	f.ready("serve0")
	t.Logf("fresh after %v", f.fresh())
	cl, err := client.Dial(f.ports["serve0"][0], client.Options{})
	f.ok(err)
	defer cl.Close()
	m, err := cl.GetModel(t.Context(), &freshetv1.GetModelRequest{Name: "late"})
	f.ok(err)
	if age := m.GetModel().GetStaleness().AsDuration(); age <= 0 || age > time.Minute {
		t.Errorf("staleness %v", age)
	}
	s, err := cl.Status(t.Context(), &freshetv1.StatusRequest{})
	f.ok(err)
	owned := map[string]bool{}
	for _, g := range s.GetStages() {
		if g.GetName() != "follower" && g.GetOwner() == "" {
			t.Errorf("%s %s has no owner", g.GetName(), g.GetOf())
		}
		if g.GetName() == "joiner" && len(g.GetStandbys()) != 1 {
			t.Errorf("the joiner has the standbys %v", g.GetStandbys())
		}
		owned[g.GetName()] = true
	}
	for _, name := range []string{"sequencer", "units", "joiner", "learner"} {
		if !owned[name] {
			t.Errorf("Status says nothing of the %s", name)
		}
	}
	if s.GetHead() == nil || s.GetWatermark() == nil || len(s.GetWarnings()) > 0 {
		t.Errorf("head %v, watermark %v, warnings %v", s.GetHead(), s.GetWatermark(), s.GetWarnings())
	}
}

func rolesApart(f *fleet) {
	t := f.t
	slots := []string{"features0", "features1", "trainer0", "trainer1", "serve0", "serve1"}
	for _, slot := range slots {
		f.start(slot)
	}
	f.produce(2)
	for _, slot := range []string{"serve0", "serve1"} {
		f.ready(slot)
	}
	f.fresh()
	f.produce(1)
	t.Logf("undisturbed: fresh after %v", f.fresh())
	calls := f.call()
	for _, how := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		for _, slot := range slices.Backward(slots) {
			ended := f.stop(slot, how)
			f.produce(1)
			again := f.fresh()
			f.start(slot)
			var ready time.Duration
			if strings.HasPrefix(slot, "serve") {
				ready = f.ready(slot)
				f.reached(calls, slot)
			}
			n, failed, gap := calls.took()
			t.Logf("%v to %s: ended after %v, fresh again after %v, ready after %v; of %d calls %d failed, longest time between two answers %v", how, slot,
				ended.Round(time.Millisecond), again.Round(time.Millisecond), ready.Round(time.Millisecond), n, len(failed), gap.Round(time.Millisecond))
			if how == syscall.SIGTERM && len(failed) > 0 {
				t.Errorf("%d calls failed while %s was restarted, such as %s", len(failed), slot, failed[0])
			}
		}
	}
	for f.produce(1) {
	}
	f.fresh()
	f.golden()
}
