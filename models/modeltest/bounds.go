package modeltest

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// countsNeverFall checks what models.Bounded promises over a stream that changes all the time: names are those that the catalogue declares, asking changes
// nothing, no count falls, and all survive saving and loading.
func (r *runner) countsNeverFall(t *testing.T) {
	l := r.learner(t)
	if _, ok := l.(models.Bounded); !ok {
		if len(r.c.Bounds) > 0 {
			t.Errorf("the catalogue declares %v, and the model counts nothing", r.c.Bounds)
		}
		return
	}
	es := r.examples(1200, 8)
	known := models.DroppedBy(l)
	for i := range es {
		if i/100%2 == 1 { // another concept every hundred examples: what guards against drift replaces its members
			es[i].Y = es[(i+50)%len(es)].Y
		}
		step(l, nil, &es[i])
		if i%50 != 49 {
			continue
		}
		before := codec.Sum(l)
		now := models.DroppedBy(l)
		if codec.Sum(l) != before {
			t.Fatal("asking for the counts changed the state")
		}
		r.compareCounts(t, known, now)
		known = now
		if i == 599 {
			loaded := r.learner(t)
			if err := codec.Load(loaded, codec.Save(l)); err != nil {
				t.Fatal(err)
			}
			if again := models.DroppedBy(loaded); !slices.Equal(again, now) {
				t.Fatalf("the counts are %v after loading, before %v", again, now)
			}
			l = loaded
		}
	}
}

func (r *runner) compareCounts(t *testing.T, before, now models.Drops) {
	t.Helper()
	for _, d := range now {
		if !models.DropName(d.What) || r.c.Bounds != nil && !slices.ContainsFunc(r.c.Bounds, func(b models.Bound) bool { return b.What == d.What }) {
			t.Fatalf("%q is counted, and not declared in the catalogue", d.What)
		}
	}
	for _, d := range before {
		if n := now.Count(d.What); n < d.Count {
			t.Fatalf("%s fell from %d to %d", d.What, d.Count, n)
		}
	}
}

// countsNeverFall checks the same of the health of a series.
func (r *forecasting) countsNeverFall(t *testing.T) {
	s, rng := r.forecaster(t).Start(), rand.New(rand.NewPCG(9, 9))
	var known models.Drops
	for i := range 40 {
		r.feed(s, rng, 20*i, 19)
		s.Advance(1)
		s.Observe([]float64{-1, 1e6, 1e300, 0}[i%4], r.regressors(rng))
		now := models.DroppedBy(&r.ask(s, 0).Health)
		for _, d := range known {
			if n := now.Count(d.What); n < d.Count {
				t.Fatalf("%s fell from %d to %d", d.What, d.Count, n)
			}
		}
		known = now
	}
}
