package tree

import (
	"math"
	"sync"
	"testing"

	"github.com/freshet-ml/freshet/features"
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
