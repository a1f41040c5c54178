package metric

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// A month has wider bins: its ranking scores are those of the fine ones to 0.002, it takes a quarter of their memory,
// it loads what was saved with fine ones, and the months of a quarter merge into a fine set.
func TestMonthsHaveWiderBins(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	fine, months := New(models.Binary, 2), NewPeriods(models.Binary, 2, 0)
	for range 20_000 {
		p := 1 / (1 + math.Exp(-1.5*r.NormFloat64()))
		y := 0.0
		if r.Float64() < p {
			y = 1
		}
		fine.Add(y, []float64{p}, 1)
		months.Add(0, y, []float64{p}, 1)
	}
	month := months.List()[0].Set
	merged := New(models.Binary, 2)
	merged.Merge(month)
	loaded := newCoarse(models.Binary, 2)
	saved := codec.Saver(nil)
	fine.State(saved)
	c := codec.Loader(saved.Bytes())
	if loaded.State(c); c.Close() != nil {
		t.Fatal(c.Close())
	}
	for _, name := range []string{"roc_auc", "pr_auc"} {
		want, _ := fine.Value(name)
		for from, s := range map[string]*Set{"month": month, "merged": merged, "loaded": loaded} {
			if got, _ := s.Value(name); math.Abs(got-want) > 0.002 {
				t.Errorf("%s of %s: %v, of fine bins %v", name, from, got, want)
			}
		}
	}
	count := func(s *Set) (n int) {
		for _, page := range s.scores.pages {
			n += len(page)
		}
		return n
	}
	if count(month)*4 != count(fine) {
		t.Errorf("%d bins in a month, %d fine ones", count(month), count(fine))
	}
	one, other := codec.Saver(nil), codec.Saver(nil)
	month.State(one)
	loaded.State(other)
	if !slices.Equal(one.Bytes(), other.Bytes()) {
		t.Error("the fine state was loaded into other bins")
	}
}
