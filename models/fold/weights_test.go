package fold_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models/fold"
)

func weights(t testing.TB, f *fold.Fold, name string) []byte {
	t.Helper()
	s := codec.Saver(nil)
	if !f.Weights(s, name) {
		t.Fatalf("no weights of %s", name)
	}
	return s.Bytes()
}

// What is loaded answers, and has the hash, of the fold it was saved from.
func TestWeightsAnswerAsTheFold(t *testing.T) {
	f := mustFold(t, member("m", &tally{}, 0), member("other", &tally{}, 1))
	apply(t, f, predict("a"), learn(0, 1, fold.Final), predict("b"), learn(2, 1, 0))
	spec := member("m", &tally{}, 0)
	got, hash, err := fold.LoadWeights(codec.Loader(weights(t, f, "m")), union, &spec)
	if err != nil {
		t.Fatal(err)
	}
	want, err := f.Snapshot("m")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Predictor, got.Predictor, cmp.AllowUnexported(tally{})); diff != "" {
		t.Error(diff)
	}
	if got.Seq != want.Seq || got.Until != want.Until || got.Learned != want.Learned || got.Frozen {
		t.Errorf("version %+v, want %+v", got, want)
	}
	if sums, _ := f.Hashes("m"); hash != sums.Weights {
		t.Errorf("hash %s, want %s", hash, sums.Weights)
	}
}

func TestWeightsThatDoNotFitAreRefused(t *testing.T) {
	f := mustFold(t, member("m", &tally{}, 0))
	apply(t, f, predict("a"), learn(0, 1, fold.Final))
	b := weights(t, f, "m")
	name, pipeline := member("other", &tally{}, 0), member("m", &tally{}, 0)
	pipeline.Fingerprint = 8
	for _, spec := range []fold.Member{name, pipeline} {
		if _, _, err := fold.LoadWeights(codec.Loader(b), union, &spec); err == nil || !strings.Contains(err.Error(), "another pipeline") {
			t.Errorf("%s, %d: %v", spec.Name, spec.Fingerprint, err)
		}
	}
	if f.Weights(codec.Saver(nil), "nobody") {
		t.Error("there are weights of a model that does not exist")
	}
}

// While the guard holds a model its weights are not saved: servers stay with the last good ones.
func TestHeldWeightsAreNotSaved(t *testing.T) {
	c := &tally{}
	f := mustFold(t, member("m", c, 0))
	c.broken = true
	apply(t, f, predict("a"))
	if f.Weights(codec.Saver(nil), "m") {
		t.Error("weights were saved of a model whose answer is not finite")
	}
}

func FuzzLoadWeights(f *testing.F) {
	g := mustFold(f, member("m", &tally{}, 0))
	f.Add(weights(f, g, "m"))
	f.Fuzz(func(t *testing.T, b []byte) {
		spec := member("m", &tally{}, 0)
		if _, _, err := fold.LoadWeights(codec.Loader(b), union, &spec); err != nil {
			return
		}
	})
}

// A follower restores the state of all members and goes on with its own, to the same bits.
func TestKeep(t *testing.T) {
	f := mustFold(t, member("a", &tally{}, 0), member("b", &tally{}, 1))
	f.Watch(union, nil)
	apply(t, f, predict("a"), learn(0, 1, fold.Final))
	s := codec.Saver(nil)
	f.State(s)
	g := mustFold(t, member("a", &tally{}, 0), member("b", &tally{}, 1))
	g.Watch(union, nil)
	l := codec.Loader(s.Bytes())
	g.State(l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	g.Keep("b", "none")
	if diff := cmp.Diff([]string{"b"}, g.Names()); diff != "" {
		t.Fatal(diff)
	}
	for _, each := range []*fold.Fold{f, g} {
		apply(t, each, predict("c"), learn(2, 0, fold.Final))
	}
	want, _ := f.Hashes("b")
	if got, _ := g.Hashes("b"); got != want {
		t.Errorf("hashes %+v, want %+v", got, want)
	}
}

// The bytes of saved weights are a storage format.
func TestWeightsBytes(t *testing.T) {
	f := mustFold(t, member("m", &tally{}, 0))
	apply(t, f, predict("a"), learn(0, 1, fold.Final))
	want := "01016d0700000000000000010000000000000001000000000000000100000000000000000000000000e03f01000000000000000100000000000000140000000000000000"
	if got := hex.EncodeToString(weights(t, f, "m")); got != want {
		t.Errorf("stored bytes changed: %s, want %s", got, want)
	}
}
