package fold_test

import (
	"math"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// tally answers the share of labels 1 that it has learned, counts what it observed, and remembers the
// answers that were handed back to it.
type tally struct {
	Learned, Ones, Observed int
	Past                    float64
	broken                  bool
}

func (c *tally) Predict(dst []float64, e *models.Example) []float64 {
	if c.broken {
		return append(dst, math.NaN())
	}
	return append(dst, float64(c.Ones+1)/float64(c.Learned+2))
}
func (c *tally) Observe(e *models.Example) { c.Observed++ }
func (c *tally) Learn(e *models.Example, past []float64) {
	c.Learned++
	c.Ones += int(e.Y)
	if past != nil {
		c.Past = past[0]
	}
}
func (c *tally) State(s *codec.State) {
	s.Int(&c.Learned)
	s.Int(&c.Ones)
	s.Int(&c.Observed)
	s.Float64(&c.Past)
}
func (c *tally) Publish() models.Predictor { copied := *c; return &copied }

var union = &features.Schema{Columns: []features.Column{{Name: "a"}, {Name: "b"}, {Name: "c"}}}

func member(name string, c *tally, columns ...int) fold.Member {
	return fold.Member{Name: name, Task: models.Binary, Columns: columns, Fingerprint: 7,
		Build: func(s *features.Schema) (models.Learner, error) { return c, nil }}
}

func mustFold(t testing.TB, members ...fold.Member) *fold.Fold {
	t.Helper()
	f, err := fold.New(union, members)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func apply(t testing.TB, f *fold.Fold, entries ...fold.Entry) {
	t.Helper()
	for i := range entries {
		entries[i].Seq = f.Position()
		if err := f.Apply(&entries[i]); err != nil {
			t.Fatal(err)
		}
	}
}

func predict(id string) fold.Entry {
	return fold.Entry{Kind: fold.Predict, ID: id, Time: 10, Vector: []float64{1, 2, 3}}
}

func learn(ref uint64, y float64, flags fold.Flags) fold.Entry {
	return fold.Entry{Kind: fold.Learn, Ref: ref, Y: y, Flags: flags, Time: 20, Taken: 10, ID: "x", Vector: []float64{1, 2, 3}}
}

func TestScoredOnTheAnswerGivenAtPrediction(t *testing.T) {
	c := &tally{}
	f := mustFold(t, member("m", c, 0))
	apply(t, f, predict("x"), predict("y"), learn(0, 1, fold.Final), learn(1, 1, fold.Final))
	if c.Past != 0.5 {
		t.Errorf("the second label was scored on %v; the answer given at its prediction was 0.5", c.Past)
	}
	score, _ := f.Score("m")
	for _, v := range score.Values {
		if v.Name == "log_loss" && math.Abs(v.Value-math.Ln2) > 1e-12 {
			t.Errorf("log-loss %v, want ln 2: both answers were one half", v.Value)
		}
	}
	if score.Pending != 0 || score.Learned != 2 || score.Until != 20 {
		t.Errorf("pending %d learned %d until %d", score.Pending, score.Learned, score.Until)
	}
}

func TestControlFreezesAndThaws(t *testing.T) {
	a, b := &tally{}, &tally{}
	f := mustFold(t, member("a", a, 0), member("b", b, 0))
	freeze := fold.Entry{Kind: fold.Control, Verb: "freeze", ID: "a"}
	thaw := fold.Entry{Kind: fold.Control, Verb: "thaw"}
	apply(t, f, predict("x"), freeze, learn(0, 1, fold.Final), predict("y"), thaw, learn(3, 1, fold.Final))
	if a.Learned != 1 || a.Observed != 1 || b.Learned != 2 || b.Observed != 2 {
		t.Errorf("frozen: learned %d observed %d; free: %d %d", a.Learned, a.Observed, b.Learned, b.Observed)
	}
}

func TestLearnUntil(t *testing.T) {
	c := &tally{}
	m := member("m", c, 0)
	m.LearnUntil = 15
	f := mustFold(t, m)
	apply(t, f, predict("x"), learn(0, 1, fold.Final))
	if c.Learned != 0 || c.Observed != 1 {
		t.Errorf("learned %d observed %d; the label came after learn_until", c.Learned, c.Observed)
	}
}

func TestCloseFreesTheAnswer(t *testing.T) {
	f := mustFold(t, member("m", &tally{}, 0))
	apply(t, f, predict("x"))
	if s, _ := f.Score("m"); s.Pending != 1 {
		t.Fatalf("%d pending after a prediction", s.Pending)
	}
	apply(t, f, fold.Entry{Kind: fold.Close, Ref: 0})
	if s, _ := f.Score("m"); s.Pending != 0 {
		t.Errorf("%d pending after close", s.Pending)
	}
}

func TestGapIsAnErrorAndOldEntriesAreSkipped(t *testing.T) {
	c := &tally{}
	f := mustFold(t, member("m", c, 0))
	apply(t, f, predict("x"))
	old := predict("x")
	if err := f.Apply(&old); err != nil || c.Observed != 1 {
		t.Errorf("an entry before the position: %v, observed %d", err, c.Observed)
	}
	gap := predict("y")
	gap.Seq = 5
	if err := f.Apply(&gap); err == nil || !strings.Contains(err.Error(), "entry 1 is missing") {
		t.Errorf("a gap gave %v", err)
	}
}

func TestGuardKeepsTheLastGoodVersion(t *testing.T) {
	c := &tally{}
	f := mustFold(t, member("m", c, 0))
	apply(t, f, predict("x"))
	good, err := f.Snapshot("m")
	if err != nil || good.Held {
		t.Fatalf("%v, held %v", err, good.Held)
	}
	c.broken = true
	apply(t, f, predict("y"))
	held, err := f.Snapshot("m")
	if err != nil || !held.Held || held.Seq != good.Seq {
		t.Errorf("after an answer that is not finite: %v, held %v, version %d, last good %d", err, held.Held, held.Seq, good.Seq)
	}
	if a := held.Predictor.Predict(nil, &models.Example{}); a[0] != 0.5 {
		t.Errorf("the held version answers %v", a)
	}
}

func TestSaveAndGoOnEqualsNeverStopping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var entries []fold.Entry
		var open []uint64
		for i := range rapid.IntRange(1, 40).Draw(t, "entries") {
			switch k := rapid.IntRange(0, 3).Draw(t, "kind"); {
			case k == 0 && len(open) > 0:
				entries = append(entries, learn(open[0], float64(rapid.IntRange(0, 1).Draw(t, "y")), fold.Final))
				open = open[1:]
			case k == 1 && len(open) > 0:
				entries = append(entries, fold.Entry{Kind: fold.Close, Ref: open[0]})
				open = open[1:]
			default:
				entries = append(entries, predict("x"))
				open = append(open, uint64(i))
			}
		}
		cut := rapid.IntRange(0, len(entries)).Draw(t, "cut")
		whole := mustFold2(t, member("m", &tally{}, 0, 2))
		first := mustFold2(t, member("m", &tally{}, 0, 2))
		applyAll(t, whole, entries)
		applyAll(t, first, entries[:cut])
		second := mustFold2(t, member("m", &tally{}, 0, 2))
		if err := codec.Load(second, codec.Save(first)); err != nil {
			t.Fatal(err)
		}
		applyAll(t, second, entries[cut:])
		a, _ := whole.Hashes("m")
		b, _ := second.Hashes("m")
		if a != b {
			t.Fatalf("stopped at %d of %d: %v, never stopped: %v", cut, len(entries), b, a)
		}
	})
}

func mustFold2(t *rapid.T, m fold.Member) *fold.Fold {
	f, err := fold.New(union, []fold.Member{m})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func applyAll(t *rapid.T, f *fold.Fold, entries []fold.Entry) {
	for _, e := range entries {
		e.Seq = f.Position()
		if err := f.Apply(&e); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnyNumberOfWorkersGivesTheSameBits(t *testing.T) {
	var entries []fold.Entry
	for i := range 60 {
		e := predict("x")
		if i%2 == 1 {
			e = learn(uint64(i-1), float64(i%3%2), fold.Final)
		}
		e.Seq = uint64(i)
		entries = append(entries, e)
	}
	var want []fold.Hashes
	for workers := 1; workers <= 4; workers++ {
		f := mustFold(t, member("a", &tally{}, 0), member("b", &tally{}, 1), member("c", &tally{}, 0, 2))
		for at := 0; at < len(entries); at += 7 * workers {
			if err := f.ApplyAll(entries[at:min(at+7*workers, len(entries))], workers); err != nil {
				t.Fatal(err)
			}
		}
		var got []fold.Hashes
		for _, name := range f.Names() {
			h, _ := f.Hashes(name)
			got = append(got, h)
		}
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d workers: %s", workers, diff)
		}
	}
}

func TestStateOfAnotherPipelineIsRefused(t *testing.T) {
	a := mustFold(t, member("m", &tally{}, 0))
	m := member("m", &tally{}, 0)
	m.Fingerprint = 8
	if err := codec.Load(mustFold(t, m), codec.Save(a)); err == nil {
		t.Error("a state of another pipeline was loaded")
	}
}

func TestEntryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := fold.Entry{Kind: fold.EntryKind(rapid.IntRange(1, 4).Draw(t, "kind")), Flags: fold.Flags(rapid.IntRange(0, 31).Draw(t, "flags")),
			Label: 3, Ref: rapid.Uint64().Draw(t, "ref"), Event: rapid.Uint64().Draw(t, "event"), Time: rapid.Int64().Draw(t, "time"),
			Taken: rapid.Int64().Draw(t, "taken"), ID: rapid.String().Draw(t, "id")}
		switch e.Kind {
		case fold.Learn:
			e.Y = 2.5
			fallthrough
		case fold.Predict:
			e.Key, e.Vector = 9, rapid.SliceOfN(rapid.Float64(), 1, 5).Draw(t, "vector")
		case fold.Control:
			e.Verb = "freeze"
		}
		b := fold.AppendEntry(nil, &e)
		var got fold.Entry
		if err := fold.DecodeEntry(b, &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Vector) == 0 {
			got.Vector = nil
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Fatal(diff)
		}
		for n := range len(b) {
			if fold.DecodeEntry(b[:n], &got) == nil {
				t.Fatalf("bytes cut at %d of %d were taken", n, len(b))
			}
		}
	})
}

func FuzzDecodeEntry(f *testing.F) {
	e := learn(3, 1, fold.Final)
	f.Add(fold.AppendEntry(nil, &e))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e fold.Entry
		if fold.DecodeEntry(b, &e) == nil && fold.DecodeEntry(fold.AppendEntry(nil, &e), &e) != nil {
			t.Fatal("own bytes are refused")
		}
	})
}
