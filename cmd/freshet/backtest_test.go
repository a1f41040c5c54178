package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/produce"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/internal/stage/redis"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
	"github.com/freshet-ml/freshet/trainer/backtest"
)

// recorded is a folder with the first days of the demo as files, and its project with topics of so many partitions.
type recorded struct {
	dir, project string
	args         []string // --source-file for all
}

func recordedFlights(t *testing.T, days, partitions int) *recorded {
	t.Helper()
	r := &recorded{dir: t.TempDir()}
	s, err := flights.Days(days)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.WriteFiles(r.dir); err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(flights.Project()), "    time: at\n", fmt.Sprintf("    time: at\n    partitions: %d\n", partitions))
	r.project = filepath.Join(r.dir, "freshet.yaml")
	if err := os.WriteFile(r.project, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, source := range flights.Sources {
		r.args = append(r.args, "--source-file", source+"="+r.path(source))
	}
	return r
}

func (r *recorded) path(source string) string { return filepath.Join(r.dir, source+".jsonl") }

func noEnv(string) (string, bool) { return "", false }

// freshetBacktest runs the command and returns its exit code, what it wrote, and its report if that is JSON.
func freshetBacktest(t *testing.T, args ...string) (code int, stdout, stderr string, report *backtest.Report) {
	t.Helper()
	var out, messages bytes.Buffer
	code = run(t.Context(), append([]string{"freshet", "backtest"}, args...), noEnv, &out, &messages)
	report = &backtest.Report{}
	if strings.HasPrefix(out.String(), "{") {
		if err := json.Unmarshal(out.Bytes(), report); err != nil {
			t.Fatalf("%v in %s", err, out.String())
		}
	}
	return code, out.String(), messages.String(), report
}

// liveFlights runs the project over the embedded broker and store until its sources have ended, and returns
// the brokers and the sums of everything.
func liveFlights(t *testing.T, r *recorded) (brokers string, golden *trainer.Golden) {
	t.Helper()
	p, err := project.Load(r.project, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	servers, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Close)
	store, err := redis.Open(redis.Options{Addrs: []string{servers.Redis}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var mu sync.Mutex
	var final *fold.Fold
	tr := stage.Transport{Brokers: servers.Brokers, Local: true}
	a, err := app.New(ctx, app.Options{Program: prog, Transport: tr, Store: store, Roles: app.Roles{Features: true, Trainer: true},
		Logger: slog.New(slog.DiscardHandler), Publish: func(_ *trainer.Trigger, f *fold.Fold) error {
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
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- a.Run(running) }()
	var files []produce.File
	for _, source := range flights.Sources {
		files = append(files, produce.File{Source: source, Path: r.path(source)})
	}
	stream, err := produce.OpenFiles(p, files, produce.FilesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := produce.Run(ctx, produce.Options{Transport: tr, Program: prog, Stream: stream}); err != nil {
		t.Fatal(err)
	}
	if err := a.Wait(ctx, a.Finished); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	sums := map[string]fold.Hashes{}
	for _, name := range final.Names() {
		sums[name], _ = final.Hashes(name)
	}
	if golden, err = a.Golden(ctx, sums); err != nil {
		t.Fatal(err)
	}
	return strings.Join(servers.Brokers, ","), golden
}

// TestBacktestEqualsTheLiveRun replays what an embedded run was fed, in all ways: from the files, from the source
// topics, and from the events log. All give the sums of the run, and its vectors and metrics.
func TestBacktestEqualsTheLiveRun(t *testing.T) {
	for _, partitions := range []int{1, 3} {
		t.Run(fmt.Sprint(partitions), func(t *testing.T) {
			r := recordedFlights(t, 2, partitions)
			brokers, golden := liveFlights(t, r)
			for name, args := range map[string][]string{
				"files":   r.args,
				"topics":  {"--topics", "--compare-live", "--brokers", brokers},
				"as live": {"--as-live", "--brokers", brokers},
				// Produced records carry their event times as timestamps.
				"appended": {"--topics", "--availability", "append", "--brokers", brokers},
			} {
				code, stdout, stderr, report := freshetBacktest(t, append(args, "-p", r.project, "-o", "json")...)
				if code != exitOK || len(report.Candidates) != 1 {
					t.Fatalf("%s: exit code %d: %s %s", name, code, stdout, stderr)
				}
				if report.Candidates[0].Sum != golden.Sum() {
					t.Errorf("%s: sum %s, the live run has %s", name, report.Candidates[0].Sum, golden.Sum())
				}
				if name == "topics" || name == "as live" {
					checkLive(t, name, report)
				}
			}
		})
	}
}

func checkLive(t *testing.T, name string, report *backtest.Report) {
	t.Helper()
	if report.Live == nil || len(report.Live.Triggers) != 1 {
		t.Fatalf("%s: compared with nothing", name)
	}
	got := report.Live.Triggers[0]
	if !got.Found || !got.SameLog || got.Share != 1 || got.Live == 0 || got.Equal != got.Live || len(got.Models) == 0 {
		t.Errorf("%s: %+v", name, got)
	}
	for _, m := range got.Models {
		for _, d := range m.Difference {
			if d.Value < 0 || d.Value > 0 {
				t.Errorf("%s: %s of model %s differs by %g", name, d.Name, m.Name, d.Value)
			}
		}
		if !m.SameWeights || !m.SameScores {
			t.Errorf("%s: model %s differs from the live run", name, m.Name)
		}
	}
}

// TestBacktestCommand runs candidates side by side, with thresholds and predictions.
func TestBacktestCommand(t *testing.T) {
	r := recordedFlights(t, 2, 1)
	other := filepath.Join(r.dir, "short.yaml")
	text, err := os.ReadFile(r.project)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.ReplaceAll(text, []byte("over: [1h, 6h]"), []byte("over: [2h]"))
	if err := os.WriteFile(other, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	predictions := filepath.Join(r.dir, "predictions.csv")
	code, stdout, stderr, _ := freshetBacktest(t, append(r.args, "-p", r.project, "--candidate", other, "--every", "month", "--warm-up", "1d",
		"--fail-below", "short/late.roc_auc=0.99", "--predictions", predictions)...)
	if code != exitBelow {
		t.Errorf("exit code %d, want %d: %s", code, exitBelow, stderr)
	}
	for _, want := range []string{"candidate freshet:", "candidate short:", "freshet/late", "2013-01", "FAILED: at least short/late.roc_auc=0.99"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	lines, err := os.ReadFile(predictions)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"candidate,trigger,model,id,time,label_time,scored,label,answer\n", "freshet,scheduled,late,2013-01-01-", "short,scheduled,late,", ",true,", ",false,"} {
		if !bytes.Contains(lines, []byte(want)) {
			t.Errorf("%q is not in the predictions", want)
		}
	}
}

// TestBacktestUsage: what cannot be asked is said, with the exit code of usage.
func TestBacktestUsage(t *testing.T) {
	r := recordedFlights(t, 1, 1)
	for _, c := range []struct {
		args []string
		says string
	}{
		{nil, "--source-file"},
		{[]string{"--topics", "--as-live"}, "and not more"},
		{[]string{"--topics"}, "--brokers"},
		{[]string{"--as-live"}, "embedded"},
		{append([]string{"--compare-live"}, r.args...), "--topics"},
		{[]string{"--source-file", "scheduled"}, "SOURCE=FILE"},
		{[]string{"--source-file", "schedule=" + r.path("scheduled")}, `"scheduled"`},
		{[]string{"--source-file", "scheduled=" + filepath.Join(r.dir, "x.parquet")}, ".jsonl"},
		{append([]string{"--from", "spring"}, r.args...), "--from"},
		{append([]string{"--warm-up", "long"}, r.args...), "--warm-up"},
		{append([]string{"--every", "week"}, r.args...), "month"},
		{append([]string{"--availability", "soon"}, r.args...), "+200ms"},
		{append([]string{"--availability", "append"}, r.args...), "record timestamp"},
		{append([]string{"--fail-below", "late=1"}, r.args...), "late.roc_auc=0.75"},
		{append([]string{"--fail-below", "late.auc=1"}, r.args...), "roc_auc"},
		{append([]string{"--segment", "carrier"}, r.args...), "--report"},
		{append([]string{"--segment", "carier", "--report", filepath.Join(r.dir, "r.html")}, r.args...), "scheduled.carrier"},
		{append([]string{"--report", r.dir}, r.args...), "not a file"},
		{append([]string{"--candidate", r.project, "--candidate", r.project}, r.args...), "twice"},
	} {
		code, stdout, stderr, _ := freshetBacktest(t, append(c.args, "-p", r.project)...)
		if code != exitUsage || !strings.Contains(stderr, c.says) || stdout != "" {
			t.Errorf("%v: exit code %d, stdout %q, stderr %q, want %q", c.args, code, stdout, stderr, c.says)
		}
	}
	if code, _, stderr, _ := freshetBacktest(t, "-p", filepath.Join(r.dir, "none.yaml"), "--source-file", r.args[1]); code != exitFailure || !strings.Contains(stderr, "none.yaml") {
		t.Errorf("no project file: exit code %d, %s", code, stderr)
	}
	if left, _ := filepath.Glob(filepath.Join(r.dir, "*r.html*")); len(left) > 0 {
		t.Errorf("a backtest that was refused left %v", left)
	}
	if code, _, stderr, _ := freshetBacktest(t, "-p", r.project, "--source-file", "planes="+r.path("planes")); code != exitFailure || !strings.Contains(stderr, "no event of scheduled") {
		t.Errorf("no trigger: exit code %d, %s", code, stderr)
	}
}
