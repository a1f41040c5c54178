package app_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/internal/app"
	sending "github.com/freshet-ml/freshet/internal/produce"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/realtest"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
)

var update = flag.Bool("update", false, "write the golden hash of June and July anew")

// surroundings are what a project runs on, as sections of its file.
type surroundings struct {
	name     string
	sections func(t *testing.T) string
}

func everySurroundings() []surroundings {
	return []surroundings{
		{"embedded", func(*testing.T) string { return "" }},
		{"one broker and redis", func(t *testing.T) string {
			return kafkaSection(realtest.StartKafka(t), 1) + redisSection(realtest.StartRedis(t))
		}},
		{"three brokers and a redis cluster", func(t *testing.T) string {
			return kafkaSection(realtest.StartKafkaCluster(t), 3) +
				fmt.Sprintf("redis: {addr: [%s], cluster: true}\n", strings.Join(realtest.StartRedisCluster(t).Addrs(), ", "))
		}},
		{"one broker and valkey", func(t *testing.T) string {
			return kafkaSection(realtest.StartKafka(t), 1) + redisSection(realtest.StartValkey(t))
		}},
	}
}

func kafkaSection(b *realtest.Brokers, replication int) string {
	return fmt.Sprintf("kafka: {brokers: [%s], replication: %d}\n", strings.Join(b.Addrs(), ", "), replication)
}

func redisSection(s *realtest.RedisServer) string {
	return fmt.Sprintf("redis: {addr: '%s', user: '%s', password: '%s'}\n", s.Addr, s.User, s.Password)
}

// June and July of the demo, sent by produce and folded by the service as `freshet up` does, give one value wherever they run.
func TestGoldenOfJuneAndJulyIsOneEverywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("two months of flights take seconds each time; run without -short")
	}
	for _, s := range everySurroundings() {
		t.Run(s.name, func(t *testing.T) {
			got := summer(t, s.sections(t), nil).Sum()
			if *update && s.name == "embedded" {
				if err := os.WriteFile(summerFile, []byte(got+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			pinned(t, got)
		})
	}
}

// A broker of three and a node of the cluster are killed in the middle and come back: the value is the same.
func TestGoldenOfJuneAndJulyThroughKills(t *testing.T) {
	if testing.Short() {
		t.Skip("two months of flights take seconds; run without -short")
	}
	k, r := realtest.StartKafkaCluster(t), realtest.StartRedisCluster(t)
	sections := kafkaSection(k, 3) + fmt.Sprintf("redis: {addr: [%s], cluster: true}\n", strings.Join(r.Addrs(), ", "))
	got := summer(t, sections, func(ctx context.Context, a *app.App) {
		reaches := func(items uint64) {
			err := a.Wait(ctx, func(p *app.Progress) bool { return p.Sequencer.Items >= items || a.Finished(p) })
			if err != nil {
				t.Errorf("%d items: %v", items, err)
			}
		}
		reaches(20_000)
		k.Nodes[1].Kill()
		r.Nodes[2].Kill()
		reaches(40_000)
		r.Nodes[2].Start()
		k.Nodes[1].Start()
		if p, _ := a.Progress(); a.Finished(&p) {
			t.Error("the run was over before they were back")
		}
	})
	pinned(t, got.Sum())
	if t.Failed() {
		t.Log(cmp.Diff(summer(t, "", nil), got))
	}
}

var summerFile = filepath.Join("testdata", "golden_june_july_"+runtime.GOARCH+".txt")

// pinned wants the value of June and July.
func pinned(t *testing.T, got string) {
	t.Helper()
	want, err := os.ReadFile(summerFile)
	if os.IsNotExist(err) {
		t.Skipf("no golden hash for %s yet; write one with -update", runtime.GOARCH)
	}
	if got != strings.TrimSpace(string(want)) {
		t.Errorf("the hash is %s, pinned is %s", got, want)
	}
}

// summer runs June and July on these surroundings, disturbed by what runs beside; nil: nothing.
func summer(t *testing.T, sections string, beside func(ctx context.Context, a *app.App)) *trainer.Golden {
	t.Helper()
	text := string(flights.Project()) + sections + "serving: {grpc: 127.0.0.1:0, http: 127.0.0.1:0}\ncheckpoints: {url: 'file://" + t.TempDir() + "'}\n"
	p, err := project.Parse("freshet.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	models := &sums{folds: map[string]*fold.Fold{}}
	service, err := app.NewService(ctx, prog, app.ServiceOptions{Features: true, Trainer: true, Serve: true, DataDir: dataDir(t, p),
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: logLevel()})), Tune: models.watch})
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	if err := service.App.EnsureSources(ctx); err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- service.Run(running) }()
	var disturbing sync.WaitGroup
	if beside != nil {
		disturbing.Go(func() { beside(ctx, service.App) })
	}
	began := time.Now()
	sent, err := sending.Run(ctx, sending.Options{Transport: service.Transport, Program: prog, Stream: juneAndJuly(t, prog)})
	t.Logf("%d records sent in %v", sent.Records, time.Since(began))
	if err == nil {
		err = service.App.Wait(ctx, service.App.Finished)
	}
	disturbing.Wait()
	t.Logf("all through after %v", time.Since(began))
	if err != nil {
		at, _ := service.App.Progress()
		t.Fatalf("%v: %+v", err, at)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	g, err := service.App.Golden(ctx, models.of())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// dataDir keeps the logs of an embedded broker on disk, as the demo does.
func dataDir(t *testing.T, p *project.Project) string {
	if len(p.Kafka.Brokers) > 0 {
		return ""
	}
	return t.TempDir()
}

func juneAndJuly(t *testing.T, prog *program.Program) sending.Stream {
	t.Helper()
	data, err := flights.Open(time.Date(2013, 6, 1, 0, 0, 0, 0, time.UTC), time.Date(2013, 8, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	index := map[string]int{}
	for i, in := range prog.Project.Inputs() {
		index[in.Name] = i
	}
	return sending.InOrder(func(rec *sending.Record) error {
		r, ok := data.Next()
		if !ok {
			return io.EOF
		}
		*rec = sending.Record{Source: index[r.Source], Time: r.Time, Partition: -1, Key: append([]byte(nil), r.Key...), Value: append([]byte(nil), r.Value...)}
		return nil
	})
}

// sums keeps the learners of a run.
type sums struct {
	mu    sync.Mutex
	folds map[string]*fold.Fold // by trigger
}

func (s *sums) watch(o *app.Options) {
	publish := o.Publish
	o.Publish = func(t *trainer.Trigger, f *fold.Fold) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.folds[t.Name] = f
		return publish(t, f)
	}
}

// of returns the hashes of all models, once the run has ended.
func (s *sums) of() map[string]fold.Hashes {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]fold.Hashes{}
	for f := range maps.Values(s.folds) {
		for _, name := range f.Names() {
			all[name], _ = f.Hashes(name)
		}
	}
	return all
}
