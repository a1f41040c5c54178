package backtest_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/trainer"
	"github.com/freshet-ml/freshet/trainer/backtest"
)

func compile(t testing.TB, text string) *program.Program {
	t.Helper()
	p, err := project.Parse("freshet.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

// flightsProgram is the demo's project with its topics in so many partitions.
func flightsProgram(t testing.TB, partitions int) *program.Program {
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

func config(t testing.TB, prog *program.Program) ingest.Config {
	t.Helper()
	cfg, err := prog.Ingest(true)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// only leaves the named models of every trigger.
func only(p *trainer.Program, names ...string) *trainer.Program {
	out := *p
	out.Triggers = nil
	for _, t := range p.Triggers {
		few := *t
		few.Members = nil
		for _, m := range t.Members {
			for _, n := range names {
				if m.Name == n {
					few.Members = append(few.Members, m)
				}
			}
		}
		out.Triggers = append(out.Triggers, &few)
	}
	return &out
}

// flightFiles writes the records of a time range as files, and returns them.
func flightFiles(t testing.TB, from, to time.Time) []backtest.File {
	t.Helper()
	s, err := flights.Open(from, to)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := s.WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	var files []backtest.File
	for _, source := range flights.Sources {
		path := filepath.Join(dir, source+".jsonl")
		files = append(files, backtest.File{Source: source, Name: path, Open: func() (io.ReadCloser, error) { return os.Open(path) }})
	}
	return files
}

func jan(day int) time.Time { return time.Date(2013, 1, day, 0, 0, 0, 0, time.UTC) }

func items(t testing.TB, cfg ingest.Config, files []backtest.File) backtest.Items {
	t.Helper()
	list, err := backtest.Files(cfg, files)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func run(t testing.TB, o backtest.Options) *backtest.Report {
	t.Helper()
	r, err := backtest.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// text is a file in memory.
func text(source string, lines ...string) backtest.File {
	return backtest.File{Source: source, Name: source + ".jsonl", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(strings.Join(lines, "\n"))), nil
	}}
}

// TestRunEqualsReplay folds the same items with trainer.Replay alone: every sum and every score must agree.
func TestRunEqualsReplay(t *testing.T) {
	prog := flightsProgram(t, 3)
	list := items(t, config(t, prog), flightFiles(t, jan(1), jan(4)))
	core, err := trainer.NewReplay(prog.Program)
	if err != nil {
		t.Fatal(err)
	}
	err = list(t.Context(), func(it *features.Item, _ int64) error {
		it.Seq = core.Items()
		return core.Apply(it)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, workers := range []int{1, 3} {
		r := run(t, backtest.Options{Candidates: []backtest.Candidate{{Name: "a", Program: prog.Program, Items: list}}, Workers: workers, Months: true})
		got := r.Candidates[0]
		if got.Sum != core.Golden().Sum() {
			t.Errorf("%d workers: the backtest and the replay differ: %+v, %+v", workers, got.Golden, core.Golden())
		}
		for _, m := range got.Models {
			score, _ := core.Fold("scheduled").Score(m.Name)
			for i, v := range score.Values {
				if g := m.Metrics[i]; g != v && (g.Value == g.Value || v.Value == v.Value) {
					t.Errorf("%s: %s is %v, the learner's own score %v", m.Name, g.Name, g.Value, v.Value)
				}
			}
			if len(m.Months) != 1 || m.Months[0].Scored != m.Scored {
				t.Errorf("%s: months %+v of %d scored", m.Name, m.Months, m.Scored)
			}
		}
	}
}
