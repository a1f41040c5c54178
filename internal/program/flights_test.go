package program_test

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
)

var update = flag.Bool("update", false, "write the golden hash anew")

// replayed runs the file core over the first days of the flights, with the models that keep accepts.
func replayed(t testing.TB, days int, keep func(name string) bool) *trainer.Replay {
	t.Helper()
	p, err := project.Parse("freshet.yaml", flights.Project(), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	for _, trigger := range prog.Triggers {
		trigger.Members = slices.DeleteFunc(trigger.Members, func(m fold.Member) bool { return !keep(m.Name) })
	}
	cfg, err := prog.Ingest(true)
	if err != nil {
		t.Fatal(err)
	}
	seq, err := ingest.NewSequencer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := trainer.NewReplay(prog.Program)
	if err != nil {
		t.Fatal(err)
	}
	data, err := flights.Days(days)
	if err != nil {
		t.Fatal(err)
	}
	feed(t, prog, seq, r, data)
	return r
}

// feed hands the records to the sequencer with a mark every 256, and the items to the replay.
func feed(t testing.TB, prog *program.Program, seq *ingest.Sequencer, r *trainer.Replay, data *flights.Stream) {
	index, offsets := map[string]int{}, map[int]int64{}
	for i, in := range prog.Project.Inputs() {
		index[in.Name] = i
	}
	drain := func() {
		for {
			d, ok := seq.Next()
			if !ok {
				return
			}
			if d.Item.Seq = r.Items(); d.Refusal != nil {
				t.Errorf("refused: %v", d.Refusal)
			}
			if err := r.Apply(&d.Item); err != nil {
				t.Fatal(err)
			}
		}
	}
	offer := func(rec ingest.Record) {
		rec.Offset = offsets[rec.Source]
		offsets[rec.Source]++
		for !seq.Offer(&rec) {
			drain()
		}
	}
	mark := func(at int64) {
		_, headers := ingest.MarkRecord(at, false)
		for i := range index {
			offer(ingest.Record{Source: index[i], Headers: headers})
		}
	}
	for n := 0; ; n++ {
		rec, ok := data.Next()
		if !ok {
			break
		}
		if n%256 == 0 {
			mark(rec.Time)
		}
		offer(ingest.Record{Source: index[rec.Source], Timestamp: rec.Time / 1000, Key: append([]byte(nil), rec.Key...), Value: append([]byte(nil), rec.Value...)})
	}
	mark(ingest.NoMoreTime)
	drain()
}

// The year of flights: what the models must reach with true label delay, and what only a leak could.
func TestQualityOfTheYear(t *testing.T) {
	if testing.Short() {
		t.Skip("a year of flights takes half a minute; run without -short")
	}
	r := replayed(t, 366, func(name string) bool { return name == "late" || name == "static" })
	f := r.Fold("scheduled")
	auc := func(name string) float64 { v, _ := f.Metric(name, "roc_auc"); return v }
	loss, _ := f.Metric("late", "log_loss")
	t.Logf("late AUC %.4f log-loss %.4f, static AUC %.4f", auc("late"), loss, auc("static"))
	if auc("static") < 0.70 {
		t.Errorf("schedule only: AUC %.4f, at least .70 is asked", auc("static"))
	}
	if auc("late") < 0.77 || loss > 0.455 {
		t.Errorf("with streaming features: AUC %.4f and log-loss %.4f, at least .77 and at most .455 are asked", auc("late"), loss)
	}
	if auc("late") > 0.80 || auc("static") > 0.80 {
		t.Errorf("AUC %.4f and %.4f: above .80 the future has leaked into the features", auc("late"), auc("static"))
	}
	if s := r.Joiner("scheduled").Stats(); s.Predicted != 336776 || s.Learned != 327346 || s.NotLearned != 0 {
		t.Errorf("examples and labels: %+v", s)
	}
}

// The golden hash is one value per architecture: whatever changes it changes what every log answers, and must be meant.
func TestGoldenHash(t *testing.T) {
	file := filepath.Join("testdata", "golden_"+runtime.GOARCH+".txt")
	got := replayed(t, 14, func(string) bool { return true }).Golden().Sum()
	if *update {
		if err := os.WriteFile(file, []byte(got+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		t.Skipf("no golden hash for %s yet; write one with -update", runtime.GOARCH)
	}
	if got != strings.TrimSpace(string(want)) {
		t.Errorf("14 days of flights give %s, not %s: if that is meant, raise the fold version of what changed and run with -update", got, strings.TrimSpace(string(want)))
	}
}
