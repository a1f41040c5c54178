package app_test

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/internal/stage/redis"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
)

// days is how much of the demo an undisturbed run takes; FLIGHTS_DAYS makes it more.
func days(least int) int {
	if n, err := strconv.Atoi(os.Getenv("FLIGHTS_DAYS")); err == nil {
		return max(least, n)
	}
	return least
}

func compiled(t testing.TB, partitions int) *program.Program {
	t.Helper()
	p, err := project.Parse("freshet.yaml", flights.Project(), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Sources {
		p.Sources[i].Partitions = partitions
	}
	for i := range p.Tables {
		p.Tables[i].Partitions = partitions
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

func produce(t testing.TB, prog *program.Program, least int, tr stage.Transport) {
	t.Helper()
	cl, err := tr.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	inputs := prog.Project.Inputs()
	deal(t, prog, days(least), 500, func(rec ingest.Record) {
		out := &kgo.Record{Topic: inputs[rec.Source].Topic, Partition: rec.Partition, Key: rec.Key, Value: rec.Value}
		if rec.Timestamp > 0 {
			out.Timestamp = time.UnixMilli(rec.Timestamp)
		}
		for _, h := range rec.Headers {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		cl.Produce(context.Background(), out, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	})
	if err := cl.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func embeddedRun(t testing.TB, prog *program.Program, least int) *trainer.Golden {
	t.Helper()
	servers, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Close)
	tr := stage.Transport{Brokers: servers.Brokers, Local: true}
	store, err := redis.Open(redis.Options{Addrs: []string{servers.Redis}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	var mu sync.Mutex
	sums := map[string]fold.Hashes{}
	var final *fold.Fold
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	a, err := app.New(ctx, app.Options{Program: prog, Transport: tr, Store: store, Roles: app.Roles{Features: true, Trainer: true},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Publish: func(_ *trainer.Trigger, f *fold.Fold) error {
			mu.Lock()
			defer mu.Unlock()
			final = f
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.EnsureSources(ctx); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- a.Run(running) }()
	produce(t, prog, least, tr)
	t.Logf("produced after %v", time.Since(began))
	if err := a.Wait(ctx, a.Finished); err != nil {
		p, _ := a.Progress()
		t.Fatalf("%v: %+v", err, p)
	}
	p, _ := a.Progress()
	t.Logf("%d items after %v", p.Sequencer.Items, time.Since(began))
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, name := range final.Names() {
		sums[name], _ = final.Hashes(name)
	}
	g, err := a.Golden(ctx, sums)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGoldenOverKafkaAndRedis(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3} {
		t.Run(strconv.Itoa(partitions), func(t *testing.T) {
			t.Parallel()
			prog := compiled(t, partitions)
			want := replayOf(t, prog, days(3), nil).Golden()
			got := embeddedRun(t, prog, 3)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the embedded run differs from the file core, -core +embedded:\n%s", diff)
			}
			t.Log(got.Sum())
		})
	}
}
