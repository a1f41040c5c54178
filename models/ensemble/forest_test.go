package ensemble_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
)

func init() {
	large = append(large, one("adaptive_random_forest", map[string]any{"trees": 60}), one("streaming_random_patches", map[string]any{"trees": 60}))
	seeded = append(seeded, "adaptive_random_forest", "streaming_random_patches")
	steady = append(steady, "adaptive_random_forest", "streaming_random_patches")
}

// Claims of the papers: forests are more accurate than one tree, and find back after the concept has turned around, faster than
// a forest whose detectors are all but switched off (Gomes et al. 2017, §5.3; 2019, §V).
func TestForestsAndDrift(t *testing.T) {
	for _, name := range []string{"adaptive_random_forest", "streaming_random_patches"} {
		es := steps(20000, 10000, 7)
		m := build(t, name, env(4))
		blind := build(t, one(name, map[string]any{"warning": 1e-300, "drift": 1e-300}), env(4))
		single := build(t, "hoeffding_tree", env(4))
		a, s := accuracy(m, es[:10000]), accuracy(single, es[:10000])
		accuracy(blind, es[:10000])
		after, without := accuracy(m, es[10000:]), accuracy(blind, es[10000:])
		t.Logf("%s: %.4f, single tree %.4f; after the change %.4f, without detectors %.4f", name, a, s, after, without)
		if a < s || a < 0.85 || after < without+0.02 || after < 0.83 {
			t.Errorf("%s: %.4f, single tree %.4f; after the change %.4f, without detectors %.4f", name, a, s, after, without)
		}
		planted, swapped := m.(interface{ Swaps() (uint64, uint64) }).Swaps()
		if swapped < 5 || planted < swapped/2 {
			t.Errorf("%s: %d trees planted, %d replaced", name, planted, swapped)
		}
	}
}

// On labels that nothing explains no model is better than chance: within 4√(.25/n).
func TestRandomLabels(t *testing.T) {
	for _, name := range []string{"leveraging_bagging", "oza_boost", "bole", "adaptive_random_forest", "streaming_random_patches"} {
		es := steps(10000, 10000, 11)
		for i := range es {
			es[i].Y = float64((i*2654435761>>7)&1 ^ (i*40503>>5)&1)
		}
		limit := 4 * math.Sqrt(0.25/float64(len(es)))
		if a := accuracy(build(t, name, env(4)), es); math.Abs(a-0.5) > limit {
			t.Errorf("%s: accuracy %.4f on random labels", name, a)
		}
	}
}

// The bound on memory holds, and costs accuracy, not correctness.
func TestForestMemoryIsBounded(t *testing.T) {
	spec := one("adaptive_random_forest", map[string]any{"trees": 5, "max_bytes": 1 << 17})
	m := build(t, spec, env(4))
	es := steps(30000, 15000, 13)
	a := accuracy(m, es)
	size := len(codec.Save(m))
	free := len(codec.Save(trained(t, one("adaptive_random_forest", map[string]any{"trees": 5}), es)))
	if size > 3<<17 || free < size || a < 0.75 {
		t.Errorf("a state of %d bytes (%d without bound), accuracy %.3f", size, free, a)
	}
}

func trained(t *testing.T, spec any, es []models.Example) models.Learner {
	m := build(t, spec, env(4))
	accuracy(m, es)
	return m
}

// Snapshots of a large forest stay as they were while it learns on, and learning is the same with and without them.
func TestForestSnapshots(t *testing.T) {
	spec := one("adaptive_random_forest", map[string]any{"trees": 50})
	m, plain := build(t, spec, env(4)), build(t, spec, env(4))
	es := steps(4000, 2000, 17)
	var snaps []models.Predictor
	var want [][]float64
	for i := range es {
		for _, l := range []models.Learner{m, plain} {
			l.Learn(&es[i], nil)
		}
		if i%200 == 0 {
			snaps = append(snaps, m.(models.Publisher).Publish())
			var w []float64
			for j := range es[:20] {
				w = m.Predict(w, &es[j])
			}
			want = append(want, w)
		}
	}
	for s := range snaps {
		var got []float64
		for j := range es[:20] {
			got = snaps[s].Predict(got, &es[j])
		}
		if fmt.Sprint(got) != fmt.Sprint(want[s]) {
			t.Fatalf("snapshot %d answers otherwise than when it was taken", s)
		}
	}
	if codec.Sum(m) != codec.Sum(plain) {
		t.Error("publishing changed what was learned")
	}
}

func Example_adaptiveRandomForest() {
	spec, _ := models.ParseSpec(map[string]any{"adaptive_random_forest": map[string]any{"trees": 10}})
	m, err := catalog.Build(spec, env(4))
	if err != nil {
		fmt.Println(err)
		return
	}
	es := steps(8000, 4000, 1) // the concept turns around half way
	accuracy(m, es[:5000])
	fmt.Println(accuracy(m, es[5000:]) > 0.8)
	// Output: true
}

func Example_streamingRandomPatches() {
	m, err := catalog.Build(models.Named("streaming_random_patches"), env(4))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(accuracy(m, steps(5000, 5000, 1)) > 0.8)
	// Output: true
}
