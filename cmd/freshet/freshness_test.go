package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/internal/bench"
	"github.com/freshet-ml/freshet/internal/produce"
	"github.com/freshet-ml/freshet/internal/realtest"
	"github.com/freshet-ml/freshet/internal/stage"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving/client"
)

var freshSeconds = flag.Int("freshness", 0, "measure freshness between processes, so many seconds of load for each cluster; 0: no")

const (
	freshPhases  = 5    // with load, and as many without
	freshEvents  = 2000 // a second: half of them triggers, half labels
	freshAsked   = 300  // predictions a second, open loop
	freshUsers   = 1000
	freshDelay   = 50 // labels come so many triggers after theirs
	freshProject = `version: 1
project: fresh
clock: wall
kafka: {brokers: [%s], replication: %d}
redis: {addr: %s}
checkpoints: {url: "file://%s"}
serving: {grpc: "${GRPC:-127.0.0.1:0}", http: "${HTTP:-127.0.0.1:0}"}
sources:
  asked: {time: at, fields: {id: string, user: string, at: {type: time, format: epoch_us}, amount: double}}
  came:  {time: at, fields: {id: string, at: {type: time, format: epoch_us}, late: int}}
features:
  user:
    key: user
    newest: {last: asked.amount}
    spent: {mean: asked.amount, over: [5m, 1h]}
    asked: {count: asked, over: 5m}
models:
  late: {task: binary, on: asked, id: id, use: [user.*, asked.amount], label: {from: came, by: id, value: late > 0, wait: 10m}}
`
)

// TestFreshness measures, between processes (one of each role, brokers and store beside them, on the same cores): from the brokers'
// acknowledgement of an event to the first lookup that shows it, and of a label to the first prediction from a version that has learned it, at 2,000 events a
// second; and the latency of predictions meanwhile and in between, when nothing comes.
func TestFreshness(t *testing.T) {
	if *freshSeconds == 0 {
		t.Skip("a measurement, not a test: make bench-freshness runs it")
	}
	t.Run("one broker", func(t *testing.T) {
		k, s := realtest.StartKafka(t), realtest.StartRedis(t)
		newFreshness(t, k.Addrs(), 1, s.Addr).measure()
	})
	t.Run("three brokers", func(t *testing.T) {
		k, s := realtest.StartKafkaCluster(t), realtest.StartRedis(t)
		newFreshness(t, k.Addrs(), 3, s.Addr).measure()
	})
}

// freshness is one of each role over real servers, a sender and two clients.
type freshness struct {
	t       *testing.T
	out     *kgo.Client
	cl      *client.Client
	next    int                // number of the next trigger
	newest  int64              // event time that was given last, µs
	feature *freshProbe        // by the number of the trigger of the probed user
	model   *freshProbe        // by the event time of the label
	predict [2][]*bench.Result // idle, and with load
}

// freshProbe tells how long after its acknowledgement something was seen first. What is seen has seen all before it.
type freshProbe struct {
	mu    sync.Mutex
	acked map[int64]time.Time
	sent  []int64     // rising
	seen  []freshSeen // rising
	took  bench.Histogram
	lost  int
}

type freshSeen struct {
	up int64
	at time.Time
}

func (p *freshProbe) send(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, n)
}

func (p *freshProbe) ack(n int64) {
	at := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acked[n] = at
}

func (p *freshProbe) saw(up int64) {
	at := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := len(p.seen); k == 0 || p.seen[k-1].up < up {
		p.seen = append(p.seen, freshSeen{up, at})
	}
}

// last is what was sent last, and what was seen.
func (p *freshProbe) last() (sent, seen int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sent) > 0 {
		sent = p.sent[len(p.sent)-1]
	}
	if len(p.seen) > 0 {
		seen = p.seen[len(p.seen)-1].up
	}
	return sent, seen
}

// count takes what was sent since it was called last into the histogram; keep false forgets it.
func (p *freshProbe) count(keep bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.sent {
		k, _ := slices.BinarySearchFunc(p.seen, n, func(s freshSeen, n int64) int { return int(s.up - n) })
		switch at, ok := p.acked[n]; {
		case !keep:
		case !ok || k == len(p.seen):
			p.lost++
		default:
			p.took.Add(max(0, p.seen[k].at.Sub(at)))
		}
	}
	p.sent, p.seen, p.acked = nil, p.seen[max(0, len(p.seen)-1):], map[int64]time.Time{}
}

func newFreshness(t *testing.T, brokers []string, replicas int, store string) *freshness {
	t.Helper()
	f := &freshness{t: t, feature: &freshProbe{acked: map[int64]time.Time{}}, model: &freshProbe{acked: map[int64]time.Time{}}}
	dir, grpcAddr, httpAddr := t.TempDir(), free(t), free(t)
	file := filepath.Join(dir, "freshet.yaml")
	f.ok(os.WriteFile(file, fmt.Appendf(nil, freshProject, strings.Join(brokers, ", "), replicas, store, filepath.Join(dir, "checkpoints")), 0o600))
	prog, err := (&cli{env: func(string) (string, bool) { return "", false }}).compiled(file)
	f.ok(err)
	tr := stage.Transport{Brokers: brokers, Local: true} // acks from all in-sync replicas, as everywhere
	f.ok(produce.EnsureTopics(t.Context(), tr, prog.Project))
	exe, err := os.Executable()
	f.ok(err)
	f.ok(os.Symlink(exe, filepath.Join(dir, "freshet")))
	for _, role := range []string{"features", "trainer", "serve"} {
		var said bytes.Buffer
		cmd := exec.Command(filepath.Join(dir, "freshet"), role, file)
		cmd.Stdout, cmd.Stderr = &said, &said
		cmd.Env = append(os.Environ(), "GRPC="+grpcAddr, "HTTP="+httpAddr)
		f.ok(cmd.Start())
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if t.Failed() {
				t.Logf("%s:\n%s", role, said.String())
			}
		})
	}
	f.out, err = tr.Client()
	f.ok(err)
	t.Cleanup(f.out.Close)
	f.cl, err = client.Dial(grpcAddr, client.Options{})
	f.ok(err)
	t.Cleanup(func() { _ = f.cl.Close() })
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if r, err := http.Get("http://" + httpAddr + "/readyz"); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return f
			}
		}
		if time.Since(began) > time.Minute {
			t.Fatal("the server is not ready")
		}
	}
}

func (f *freshness) ok(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// measure warms up, takes phases by turns, and tells.
func (f *freshness) measure() {
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Minute)
	defer cancel()
	watching, stop := context.WithCancel(ctx)
	var watchers sync.WaitGroup
	watchers.Go(func() { f.watch(watching, f.lookup) })
	watchers.Go(func() { f.watch(watching, f.version) })
	defer watchers.Wait()
	defer stop()
	f.load(ctx, 5*time.Second, false)
	phase := time.Duration(*freshSeconds) * time.Second / freshPhases
	for range freshPhases {
		f.asking(ctx, 0, phase)
		var asked sync.WaitGroup
		asked.Go(func() { f.asking(ctx, 1, phase) })
		f.load(ctx, phase, true)
		asked.Wait()
	}
	f.tell("event on Kafka to a lookup that shows it", f.feature, "p99 ≤ 50 ms in one process")
	f.tell("label on Kafka to a prediction that has learned it", f.model, "p99 ≤ 100 ms")
	var p99 [2]float64
	for i, name := range []string{"nothing comes", "2,000 events/s"} {
		var p50s, p99s []float64
		unanswered := map[string]int{}
		for _, r := range f.predict[i] {
			p50s, p99s = append(p50s, r.Latency.P50), append(p99s, r.Latency.P99)
			for code, n := range r.Errors { // such as calls that waited too long, where others use the cores
				unanswered[code] += n
			}
		}
		slices.Sort(p50s)
		slices.Sort(p99s)
		p99[i] = p99s[len(p99s)/2]
		fmt.Printf("%s: predict by entity, %d/s, while %s: p50 %.2f ms, p99 %.2f ms (%.2f … %.2f), not answered %v\n", f.t.Name(), freshAsked, name, p50s[len(p50s)/2], p99[i], p99s[0], p99s[len(p99s)-1], unanswered)
	}
	fmt.Printf("%s: predict p99 with load / without: %.2f; all processes, brokers and the store share these cores\n", f.t.Name(), p99[1]/p99[0])
}

func (f *freshness) tell(what string, p *freshProbe, asked string) {
	l := p.took.Latency()
	fmt.Printf("%s: %s: p50 %.1f ms, p90 %.1f, p99 %.1f, greatest %.1f, of %d; never seen %d; asked %s\n", f.t.Name(), what, l.P50, l.P90, l.P99, l.Max, p.took.Count(), p.lost, asked)
}

// load sends triggers and labels for so long, waits until the last ones are seen, and counts them.
func (f *freshness) load(ctx context.Context, d time.Duration, keep bool) {
	f.t.Helper()
	began, step := time.Now(), 2*time.Second/freshEvents
	for due := began; due.Sub(began) < d; due = due.Add(step) {
		time.Sleep(time.Until(due)) // an open loop: what is due late is sent at once
		f.send(ctx)
	}
	f.ok(f.out.Flush(ctx))
	for ended := time.Now(); time.Since(ended) < 10*time.Second; time.Sleep(5 * time.Millisecond) {
		a, b := f.feature.last()
		c, d := f.model.last()
		if b >= a && d >= c {
			break
		}
	}
	f.feature.count(keep)
	f.model.count(keep)
}

// send produces a trigger, and the label of an earlier one.
func (f *freshness) send(ctx context.Context) {
	n := f.next
	f.next++
	user, probed := fmt.Sprintf("user-%d", (n*7919)%freshUsers), n%10 == 0
	if probed {
		user = "probe"
		f.feature.send(int64(n))
	}
	f.produce(ctx, "asked", fmt.Sprintf(`{"id":"%d","user":%q,"at":%d,"amount":%d}`, n, user, f.now(), n), func() {
		if probed {
			f.feature.ack(int64(n))
		}
	})
	if m := n - freshDelay; m >= 0 {
		at := f.now()
		f.model.send(at)
		f.produce(ctx, "came", fmt.Sprintf(`{"id":"%d","at":%d,"late":%d}`, m, at, m/3%2), func() { f.model.ack(at) })
	}
}

// now is the machine's time, later with each call.
func (f *freshness) now() int64 {
	f.newest = max(f.newest+1, time.Now().UnixMicro())
	return f.newest
}

func (f *freshness) produce(ctx context.Context, topic, value string, acked func()) {
	f.out.Produce(ctx, &kgo.Record{Topic: topic, Value: []byte(value)}, func(_ *kgo.Record, err error) {
		if err != nil {
			f.t.Errorf("produce: %v", err)
			return
		}
		acked()
	})
}

// watch asks again and again, with a pause that leaves the cores to others.
func (f *freshness) watch(ctx context.Context, ask func(ctx context.Context) error) {
	for ctx.Err() == nil {
		var refused *client.Error
		if err := ask(ctx); err != nil && ctx.Err() == nil && !errors.As(err, &refused) { // what is refused is asked again
			f.t.Errorf("watch: %v", err)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (f *freshness) lookup(ctx context.Context) error {
	got, err := f.cl.GetFeatures(ctx, &freshetv1.GetFeaturesRequest{Features: []string{"user.newest"}, AllowStale: true,
		Rows: []*freshetv1.EntityRow{{Keys: map[string]*freshetv1.Value{"user": client.String("probe")}}}})
	if err == nil && got.GetColumns()[0].GetStatuses()[0] == freshetv1.FeatureColumn_PRESENT {
		f.feature.saw(int64(got.GetColumns()[0].GetValues()[0].GetDouble()))
	}
	return err
}

func (f *freshness) version(ctx context.Context) error {
	got, err := f.cl.Predict(ctx, freshRequest(0))
	if err == nil && got.GetTrainedUntil() != nil {
		f.model.saw(got.GetTrainedUntil().AsTime().UnixMicro())
	}
	return err
}

// asking predicts in an open loop, for other users in turn.
func (f *freshness) asking(ctx context.Context, with int, d time.Duration) {
	r, err := bench.Run(ctx, bench.Options{Rate: freshAsked, Duration: d, Call: func(ctx context.Context, n int) string {
		_, err := f.cl.Predict(ctx, freshRequest(n))
		var refused *client.Error
		switch {
		case errors.As(err, &refused):
			return refused.Reason
		case err != nil:
			return err.Error()
		}
		return ""
	}})
	if err != nil {
		f.t.Errorf("predict: %v", err)
		return
	}
	f.predict[with] = append(f.predict[with], r)
}

func freshRequest(n int) *freshetv1.PredictRequest {
	return &freshetv1.PredictRequest{Model: "late", AllowStale: true, Rows: []*freshetv1.Row{{Fields: map[string]*freshetv1.Value{
		"id": client.String("q"), "user": client.String(fmt.Sprintf("user-%d", n%freshUsers)), "amount": client.Double(float64(n % 100))}}}}
}
