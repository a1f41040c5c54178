package tree

import (
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Readers answer from snapshots while the tree learns, splits and meets new categories; the race detector watches.
func TestSnapshotsServeWhileTheTreeLearns(t *testing.T) {
	h := binary(schema(3, "kind"))
	probes := stairs(20, 99)
	snapshots := make(chan models.Predictor)
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for p := range snapshots {
				for i := range probes {
					a := p.Predict(nil, &probes[i])
					b := p.Predict(nil, &probes[i])
					if math.Float64bits(a[0]) != math.Float64bits(b[0]) {
						t.Errorf("one snapshot answers %g and %g", a[0], b[0])
					}
				}
			}
		})
	}
	for i, e := range stairs(6000, 5) {
		if i%500 == 0 {
			e.Value[3] = features.Category(string(rune('d' + i/500)))
		}
		h.Learn(&e, nil)
		if i%20 == 0 {
			snapshots <- h.Publish()
		}
	}
	close(snapshots)
	readers.Wait()
	if h.Leaves() < 4 {
		t.Errorf("%d leaves", h.Leaves())
	}
}

// A snapshot goes on answering as before when its tree loads another state or is planted anew, and then meets other categories.
func TestSnapshotsOutliveLoadAndReset(t *testing.T) {
	probes := mixed(200, 99)
	answers := func(p models.Predictor) (all []float64) {
		for i := range probes {
			all = p.Predict(all, &probes[i])
		}
		return all
	}
	fresh := func(n int) []models.Example { // none of the categories of mixed
		out := stairs(n, 7)
		for i := range out {
			out[i].Value[3] = features.Category(string(rune('A' + i%20)))
		}
		return out
	}
	for _, v := range variants() {
		m := v.build(t)
		empty := codec.Save(m)
		for _, e := range mixed(20000, 5) {
			m.Learn(&e, nil)
		}
		p := m.(models.Publisher).Publish()
		want := answers(p)
		if err := codec.Load(m, empty); err != nil {
			t.Fatal(err)
		}
		for _, e := range fresh(3000) {
			m.Learn(&e, nil)
		}
		if !slices.Equal(answers(p), want) {
			t.Errorf("%s: a snapshot answers otherwise since the tree has loaded a state", v)
		}
	}
	h := binary(schema(3, "kind"))
	accuracy(h, stairs(3000, 1))
	p := h.Publish().(*snapshot)
	known := len(p.dicts[0].keys)
	h.Reset(2)
	accuracy(h, fresh(3000))
	if n := len(p.dicts[0].keys); n != known {
		t.Errorf("a snapshot of %d categories has %d since the tree was planted anew", known, n)
	}
}
