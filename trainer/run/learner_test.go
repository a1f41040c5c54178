package run_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/vector"
	"github.com/freshet-ml/freshet/internal/checkpoint"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
	"github.com/freshet-ml/freshet/trainer/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tally counts what it sees.
type tally struct{ n int }

func (c *tally) Predict(dst []float64, _ *models.Example) []float64 { return append(dst, 0.5) }
func (c *tally) Observe(*models.Example)                            { c.n++ }
func (c *tally) Learn(*models.Example, []float64)                   {}
func (c *tally) State(s *codec.State)                               { s.Int(&c.n) }
func (c *tally) Publish() models.Predictor                          { p := *c; return &p }

// learner is a log of ten predictions and what folds it.
func learner(t *testing.T) run.LearnerOptions {
	t.Helper()
	servers, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Close)
	tr := stage.Transport{Brokers: servers.Brokers, Local: true}
	if err := stage.EnsureTopics(t.Context(), tr, stage.TopicSpec{Name: "log", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	w, _, err := stage.OpenWriter(t.Context(), tr, stage.WriterOptions{Topic: "log"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var pack frame.Pack
	for range 10 {
		if ok, err := pack.Add(fold.AppendEntry(nil, &fold.Entry{Kind: fold.Predict, Vector: []float64{1}})); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	if _, err := w.Append(t.Context(), &pack, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	store, err := checkpoint.Open(t.Context(), checkpoint.Options{URL: "file://" + t.TempDir(), Keep: 9})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	source := &features.Source{Name: "s", Fields: []features.Field{{Name: "x", Kind: features.Double}}}
	v, err := vector.New(vector.Layout{Trigger: source, Fields: []int{0}})
	if err != nil {
		t.Fatal(err)
	}
	return run.LearnerOptions{Transport: tr, Trigger: &trainer.Trigger{Name: "s", Vector: v}, Log: "log", Workers: 1, Checkpoints: store, Name: "models",
		Members: []fold.Member{{Name: "m", Of: "m", Task: models.Binary, Columns: []int{0},
			Build: func(*features.Schema) (models.Learner, error) { return &tally{}, nil }}},
		Logger: slog.New(slog.DiscardHandler)}
}

func TestNoCheckpointPassesWhatIsNotDurable(t *testing.T) {
	o := learner(t)
	lost := errors.New("predictions were lost")
	o.Before = func(context.Context) error { return lost }
	o.Saved = func(time.Duration, error) { t.Error("a checkpoint was saved") }
	if err := run.Learner(t.Context(), o); !errors.Is(err, lost) {
		t.Fatalf("the session ended with %v", err)
	}
	f, pos, err := run.FoldAt(t.Context(), o, 100)
	if err != nil || f.Position() != 0 || pos != (frame.Position{}) {
		t.Fatalf("a fold at %d, %+v, %v", f.Position(), pos, err)
	}
}

func TestFoldAt(t *testing.T) {
	o := learner(t)
	ctx, stop := context.WithCancel(t.Context())
	answers := 0
	o.Answer = func(*fold.Member, *fold.Entry, []float64) { answers++ }
	o.Before = func(context.Context) error {
		if answers != 10 {
			t.Errorf("%d answers were told before the checkpoint", answers)
		}
		return nil
	}
	o.Saved = func(time.Duration, error) { stop() }
	_ = run.Learner(ctx, o)
	for seq, want := range map[uint64]uint64{9: 0, 10: 10, 99: 10} {
		f, _, err := run.FoldAt(t.Context(), o, seq)
		if err != nil || f.Position() != want {
			t.Errorf("the newest checkpoint at or before %d is at %d, %v; want %d", seq, f.Position(), err, want)
		}
	}
}

func TestAQuietLogIsPublishedOnceMoreAndConfirmed(t *testing.T) {
	o := learner(t)
	o.Checkpoints = nil
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	var positions []uint64
	o.Publish = func(f *fold.Fold) error { positions = append(positions, f.Position()); return nil }
	began, n := time.Now(), 0
	o.Confirm = func(at time.Time) {
		if n++; n == 2 {
			stop()
		}
		if at.Before(began) {
			t.Errorf("confirmed for %v, before it began", at)
		}
	}
	_ = run.Learner(ctx, o)
	if last := len(positions) - 1; n < 2 || last < 2 || positions[last] != 10 || positions[last-1] != 10 || positions[last-2] == 10 {
		t.Errorf("%d confirmations, published at %v", n, positions)
	}
}
