package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/internal/realtest"
)

var loopEvents = flag.Int("loop", 0, "measure the whole loop with so many events; 0: no")

const (
	loopUsers      = 10_000
	loopPartitions = 4
	loopProject    = `version: 1
project: loop
clock: wall
kafka: {brokers: [%s]}
redis: {addr: %s}
checkpoints: {url: "file://%s"}
sources:
  clicks:
    time: at
    partitions: %d
    fields: {user: string, at: {type: time, format: epoch_ms}, amount: double, page: string}
features:
  user:
    key: user
    clicks: {count: clicks, over: 5m}
    spent: {sum: clicks.amount, over: 5m}
`
)

// TestWholeLoop measures the CPU that a million events cost, of the application, the broker and the store together: JSON of
// about 100 bytes, 10,000 entities, count and sum over 5 minutes, each event exactly once. The events lie in the topic before
// the application starts; what the broker used to take them is told apart.
func TestWholeLoop(t *testing.T) {
	if *loopEvents == 0 {
		t.Skip("a measurement, not a test: make bench-loop runs it")
	}
	kafka, store := realtest.StartKafka(t), realtest.StartRedis(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "freshet.yaml")
	text := fmt.Sprintf(loopProject, strings.Join(kafka.Addrs(), ", "), store.Addr, dir, loopPartitions)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	idle := cpuSecondsOf(t, kafka.Nodes[0].Pid())
	last := loopProduce(t, kafka.Addrs(), *loopEvents)
	taken := cpuSecondsOf(t, kafka.Nodes[0].Pid())

	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(exe, filepath.Join(dir, "freshet")); err != nil {
		t.Fatal(err)
	}
	address := free(t)
	var said bytes.Buffer
	cmd := exec.Command(filepath.Join(dir, "freshet"), "features", file, "--http", address)
	cmd.Stdout, cmd.Stderr = &said, &said
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	head := 0.0
	for deadline := began.Add(3 * time.Minute); head < last; {
		if time.Now().After(deadline) {
			t.Fatalf("the states are committed up to %v of %v\n%s", head, last, said.String())
		}
		time.Sleep(100 * time.Millisecond) // the measured process is another one
		head = loopHead(address)
	}
	took := time.Since(began)
	commits, written := loopStore(t, store.Addr)
	n := float64(*loopEvents) / 1e6
	app, broker, redis := cpuSecondsOf(t, cmd.Process.Pid)/n, (cpuSecondsOf(t, kafka.Nodes[0].Pid())-taken)/n, cpuSecondsOf(t, store.Pid())/n
	t.Logf("per million events the store took %.0f commits of a bucket, %.0f MB", commits/n, written/n/1e6)
	t.Logf("%d events in %.1f s, %.0f/s; CPU seconds per million: application %.2f, broker %.2f, store %.2f, together %.2f; the broker took %.2f to be given them",
		*loopEvents, took.Seconds(), float64(*loopEvents)/took.Seconds(), app, broker, redis, app+broker+redis, (taken-idle)/n)
}

// loopProduce writes the events and returns the newest event time, in seconds.
func loopProduce(t *testing.T, brokers []string, n int) float64 {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, loopPartitions, 1, nil, "clicks"); err != nil {
		t.Fatal(err)
	}
	end := time.Now().UnixMilli()
	for i := range n {
		user := fmt.Sprintf("user-%d", (i*7919)%loopUsers)
		at := end - int64(n-1-i)/20 // 20,000 events a second
		value := fmt.Sprintf(`{"user":%q,"at":%d,"amount":%d.25,"page":"/products/%06d/details"}`, user, at, i%97, i%1_000_000)
		cl.Produce(ctx, &kgo.Record{Topic: "clicks", Key: []byte(user), Value: []byte(value)}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	return float64(end) / 1000
}

// loopStore is how many commits a store has taken, and how many bytes.
func loopStore(t *testing.T, addr string) (commits, written float64) {
	cl := goredis.NewClient(&goredis.Options{Addr: addr})
	defer func() { _ = cl.Close() }()
	for line := range strings.Lines(cl.Info(t.Context(), "all").Val()) {
		if rest, ok := strings.CutPrefix(line, "total_net_input_bytes:"); ok {
			written, _ = strconv.ParseFloat(strings.TrimSpace(rest), 64)
		}
		if rest, ok := strings.CutPrefix(line, "cmdstat_hset:calls="); ok {
			commits, _ = strconv.ParseFloat(rest[:strings.IndexByte(rest, ',')], 64)
		}
	}
	return commits, written
}

// loopHead is the event time that all states are committed up to, 0 while there is none.
func loopHead(address string) float64 {
	resp, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "freshet_feature_head_timestamp_seconds{"); ok {
			v, _ := strconv.ParseFloat(strings.TrimSpace(rest[strings.Index(rest, "}")+1:]), 64)
			return v
		}
	}
	return 0
}

// cpuSecondsOf is the CPU time of a process so far, in seconds.
func cpuSecondsOf(t *testing.T, pid int) float64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Skipf("CPU time is read where there is /proc: %v", err)
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}
