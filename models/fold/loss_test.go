package fold_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/drift"
	"github.com/freshet-ml/freshet/models/fold"
)

// detected folds examples whose label changes its meaning half-way, with this detector on the loss of a model that has stopped
// to learn by then.
func detected(t *testing.T, name string) (*fold.Fold, fold.Score, []fold.Scoring) {
	t.Helper()
	plan, err := catalog.All.ResolvePart(name, models.DetectorKind)
	if err != nil {
		t.Fatal(err)
	}
	member := fold.Member{Name: "m", Of: "m", Task: models.Binary, Columns: []int{0}, LearnUntil: 1000 * 1e6,
		Build: func(s *features.Schema) (models.Learner, error) {
			spec, err := models.ParseSpec("logistic_regression")
			if err != nil {
				return nil, err
			}
			return catalog.Build(spec, models.Env{Schema: s, Task: models.Binary, Classes: 2, Seed: 1})
		},
		Detector: &fold.Detector{Name: plan.Name(), Errors: drift.OnErrors(plan.Name()), New: func() drift.Detector {
			d, err := plan.Part(models.Env{Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			return d.(drift.Detector)
		}}}
	union := &features.Schema{Columns: []features.Column{{Name: "x", Kind: features.Numeric}}}
	f, err := fold.New(union, []fold.Member{member})
	if err != nil {
		t.Fatal(err)
	}
	var all []fold.Scoring
	f.OnScored(func(s *fold.Scoring) {
		c := *s
		c.Answer = append([]float64(nil), s.Answer...)
		all = append(all, c)
	})
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range uint64(4000) {
		x := rng.NormFloat64()
		y := 0.0
		if (x > 0) == (i < 2000) {
			y = 1
		}
		at := int64(i) * 1e6
		for _, e := range []fold.Entry{{Kind: fold.Predict, Seq: 2 * i, Time: at, ID: "x", Vector: []float64{x}},
			{Kind: fold.Learn, Seq: 2*i + 1, Ref: 2 * i, Time: at, Taken: at, Y: y, Vector: []float64{x}, Flags: fold.Final}} {
			if err := f.Apply(&e); err != nil {
				t.Fatal(err)
			}
		}
	}
	score, _ := f.Score("m")
	return f, score, all
}

// Every detector of the catalogue can watch the losses of a model: it is given errors or losses as it was made for, sees that a label
// has come to mean the opposite, and its state goes on where it was saved.
func TestDetectorsOnTheLoss(t *testing.T) {
	for _, name := range catalog.All.Names(models.DetectorKind) {
		t.Run(name, func(t *testing.T) {
			f, score, all := detected(t, name)
			changed := 0
			for i, s := range all {
				if s.Changed && i >= 2000 {
					changed++
				}
			}
			if score.Said.Changes == 0 || changed == 0 {
				t.Errorf("%d changes, %d of them after the label changed its meaning", score.Said.Changes, changed)
			}
			if !score.Said.ChangeUp && name != "eddm" && score.Said.Changes == 1 {
				t.Error("the model became worse, and the detector says that its loss fell")
			}
			want := "log_loss"
			if drift.OnErrors(name) {
				want = "error"
				if score.Loss < 0.5 || score.Loss > 1 {
					t.Errorf("error rate %v since the last change", score.Loss)
				}
			}
			if score.Watched != want {
				t.Errorf("%s watches %s, want %s", name, score.Watched, want)
			}
			checkSaid(t, name, score.Said, all)
			w := codec.Saver(nil)
			f.State(w)
			g, _, _ := detected(t, name)
			r := codec.Loader(w.Bytes())
			g.State(r)
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			again := codec.Saver(nil)
			g.State(again)
			if string(again.Bytes()) != string(w.Bytes()) {
				t.Error("the state that was loaded is another one")
			}
			other := "adwin"
			if name == other {
				other = "page_hinkley"
			}
			h, _, _ := detected(t, other)
			r = codec.Loader(w.Bytes())
			h.State(r)
			if r.Close() == nil {
				t.Errorf("the state was taken for that of %s", other)
			}
		})
	}
}

// checkSaid compares what a score says of the detector with what was told of each answer.
func checkSaid(t *testing.T, name string, got fold.Said, all []fold.Scoring) {
	t.Helper()
	want := fold.Said{Detector: name, At: features.NoTime, ChangedAt: features.NoTime}
	for _, s := range all {
		if s.Changed {
			want.Changes++
			want.ChangedAt, want.ChangeUp = s.Taken, s.Rose
		}
		if s.Warned {
			want.Warnings++
		}
		if said := s.Changed || s.Warned && got.Level == fold.Warning; said { // whether a warning still stands is the detector's to say
			want.Level, want.At, want.Rose = fold.Drift, s.Taken, s.Rose
			if s.Warned {
				want.Level = fold.Warning
			}
		}
	}
	if got.Level == fold.Warning {
		want.Rose = got.Rose // it may turn while it stands
	}
	if got != want {
		t.Errorf("said %+v, told %+v", got, want)
	}
	if got.Changes == 0 || got.ChangedAt == features.NoTime {
		t.Errorf("%+v: it has told no change", got)
	}
}

// A warning is told when it begins, and what was said is a part of the state: the level, since when, and of what direction. It passes, and may come again.
func TestWarningsAreSaid(t *testing.T) {
	x := 0.0
	spec := member("m", &tally{}, 0)
	spec.Detector = &fold.Detector{Name: "page_hinkley", New: func() drift.Detector { return &moody{mood: &x} }}
	f := mustFold(t, spec)
	var told []fold.Scoring
	f.OnScored(func(s *fold.Scoring) { told = append(told, *s) })
	step := func(mood float64) fold.Said {
		t.Helper()
		x = mood
		at := f.Position()
		apply(t, f, predict("a"), learn(at, 1, fold.Final))
		s, _ := f.Score("m")
		return s.Said
	}
	for i, c := range []struct {
		mood  float64 // 0 steady, 1 suspect, 2 changed; below 0 of a fall
		level fold.Level
		rose  bool
		begun uint64 // warnings
		told  bool
	}{{0, fold.Steady, false, 0, false}, {1, fold.Warning, true, 1, true}, {1, fold.Warning, true, 1, false}, {0, fold.Steady, false, 1, false},
		{-1, fold.Warning, false, 2, true}, {2, fold.Drift, true, 2, false}, {-1, fold.Warning, false, 3, true}, {0, fold.Drift, true, 3, false}} {
		got := step(c.mood)
		if got.Level != c.level || got.Level != fold.Steady && got.Rose != c.rose || got.Warnings != c.begun || told[i].Warned != c.told || (got.At == features.NoTime) != (c.level == fold.Steady) {
			t.Fatalf("step %d: %+v, told %+v; want %+v", i, got, told[i], c)
		}
	}
	before, _ := f.Score("m")
	load := func(b []byte) fold.Said {
		t.Helper()
		g := mustFold(t, spec)
		r := codec.Loader(b)
		g.State(r)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		s, _ := g.Score("m")
		return s.Said
	}
	w := codec.Saver(nil)
	f.State(w)
	if got := load(w.Bytes()); got != before.Said || w.Bytes()[0] != 2 {
		t.Errorf("loaded %+v, saved %+v in version %d", got, before.Said, w.Bytes()[0])
	}
	// A state of version 1 says how often the loss changed, and not when.
	if got := load(f.StateOfVersion1()); got.Changes != 1 || got.Level != fold.Drift || !got.ChangeUp || got.At != features.NoTime || got.Warnings != 0 {
		t.Errorf("of version 1: %+v", got)
	}
	newer := codec.Saver(nil)
	newer.Fixed("fold version", 3)
	r := codec.Loader(newer.Bytes())
	if f.State(r); r.Err() == nil {
		t.Error("a state of a newer version was read")
	}
}

// moody says what it is told to.
type moody struct {
	mood          *float64
	warning, rose bool
	changes       uint64
}

func (m *moody) Update(float64) bool {
	m.warning = *m.mood == 1 || *m.mood == -1
	if *m.mood != 0 {
		m.rose = *m.mood > 0
	}
	if *m.mood == 2 || *m.mood == -2 {
		m.changes++
		return true
	}
	return false
}

func (m *moody) Warning() bool   { return m.warning }
func (m *moody) Rose() bool      { return m.rose }
func (m *moody) Changes() uint64 { return m.changes }
func (m *moody) State(c *codec.State) {
	c.Bool(&m.warning)
	c.Bool(&m.rose)
	c.Uint64(&m.changes)
}

// The drift of features by any measure is a part of the state: a fold that goes on from it says the same of every window as one that never stopped.
func TestDriftOfFeaturesGoesOn(t *testing.T) {
	measures := []drift.Measure{{Name: "ks", Threshold: 0.1, Alert: 0.25}, {Name: "wasserstein", Threshold: 0.3, Alert: 0.5}}
	fresh := func() *fold.Fold {
		f := mustFold(t, member("m", &tally{}, 0))
		f.Watch(&features.Schema{Columns: []features.Column{{Name: "x"}, {Name: "y"}}}, measures)
		return f
	}
	step := func(f *fold.Fold, i uint64) {
		t.Helper()
		v := float64(i*37%101) + float64(i/7000)*30
		if err := f.Apply(&fold.Entry{Kind: fold.Predict, Seq: i, Time: int64(i), Vector: []float64{v, -v}}); err != nil {
			t.Fatal(err)
		}
	}
	whole, parts := fresh(), fresh()
	for i := range uint64(9200) {
		step(whole, i)
		step(parts, i)
		if i%1999 == 0 || i == 7500 {
			s := codec.Saver(nil)
			parts.State(s)
			parts = fresh()
			l := codec.Loader(s.Bytes())
			parts.State(l)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if i%500 == 0 && !slices.Equal(whole.Drift(), parts.Drift()) {
			t.Fatalf("after %d: %v and %v", i, whole.Drift(), parts.Drift())
		}
	}
	if d := whole.Drift(); len(d) != 2 || d[0].Measure != "ks" || d[1].Measure != "wasserstein" || !d[0].Drifted || !d[1].Drifted {
		t.Errorf("%+v", d)
	}
}
