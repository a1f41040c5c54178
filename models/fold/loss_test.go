package fold_test

import (
	"math/rand/v2"
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
			if score.Drifts == 0 || changed == 0 {
				t.Errorf("%d changes, %d of them after the label changed its meaning", score.Drifts, changed)
			}
			if !score.Rose && name != "eddm" && score.Drifts == 1 {
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
