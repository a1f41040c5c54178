package boost

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// TestFairColumns: among the trees of one window no column is used twice more often than another, whatever the sizes.
func TestFairColumns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		cfg.Trees, cfg.Subspace = rapid.IntRange(1, 60).Draw(t, "trees"), rapid.Float64Range(0.01, 1).Draw(t, "subspace")
		width := rapid.IntRange(1, 20).Draw(t, "columns")
		m, err := New(models.Env{Task: models.Regression, Seed: rapid.Uint64().Draw(t, "seed"), Schema: &features.Schema{Columns: make([]features.Column, width)}}, cfg)
		if err != nil {
			t.Fatal(err)
		}
		var used [windows][]int
		for i := range used {
			used[i] = make([]int, width)
		}
		for i, tree := range m.trees {
			for j, c := range tree.columns {
				if j > 0 && c <= tree.columns[j-1] {
					t.Fatalf("tree %d has the columns %v", i, tree.columns)
				}
				used[i%windows][c]++
			}
		}
		for w, counts := range used {
			least, most := math.MaxInt, 0
			for _, n := range counts {
				least, most = min(least, n), max(most, n)
			}
			if most-least > 1 {
				t.Errorf("trees of window %d use the columns %v times", w, counts)
			}
		}
	})
}

// TestStaysAmongLabels: no answer lies beyond the labels so far, however they jump; a free sum of trees would.
func TestStaysAmongLabels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		cfg.Trees, cfg.LearningRate, cfg.GracePeriod = 10, rapid.Float64Range(0.05, 1).Draw(t, "rate"), 5
		m, err := New(models.Env{Task: models.Regression, Seed: 1, Schema: &features.Schema{Columns: make([]features.Column, 2)}}, cfg)
		if err != nil {
			t.Fatal(err)
		}
		lo, hi, past := 0.0, 0.0, []float64(nil)
		for i := range rapid.IntRange(1, 200).Draw(t, "events") {
			x := []float64{rapid.Float64Range(-1, 1).Draw(t, "a"), rapid.Float64Range(-1, 1).Draw(t, "b")}
			y := rapid.OneOf(rapid.Float64Range(-1, 1), rapid.Float64Range(-1e9, 1e9)).Draw(t, "y")
			past = step(m, past, x, y)
			if p := past[0]; !(lo <= p && p <= hi) {
				t.Fatalf("event %d: %v, labels so far from %v to %v", i, p, lo, hi)
			}
			if lo, hi = min(lo, y), max(hi, y); i == 0 {
				lo, hi = y, y
			}
		}
	})
}

// TestOvershoots: with full steps the trees' sum does leave the labels, so that the bound above is needed.
func TestOvershoots(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Trees, cfg.LearningRate = 50, 1
	m, err := New(models.Env{Task: models.Regression, Seed: 1, Schema: &features.Schema{Columns: make([]features.Column, 1)}}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	var past []float64
	beyond := 0
	for i := range 2000 {
		past = step(m, past, []float64{float64(i % 7)}, float64(i%7*i%5))
		if free := past[1]*m.head.deviation() + m.head.mean; free > m.head.hi+1e-9 || free < m.head.lo-1e-9 {
			beyond++
		}
	}
	if beyond == 0 {
		t.Error("no sum of the trees left the range of the labels")
	}
}
