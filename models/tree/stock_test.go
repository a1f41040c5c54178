package tree

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Snapshots go on answering as when they were taken while the tree learns on, drops leaves for its bounds, grows others in their memory, is planted anew, and loads; and the tree is
// the same to the bit as one that nobody took snapshots of.
func TestSnapshotsDoNotSeeMemoryUsedAgain(t *testing.T) {
	s := schema(6, "kind", "sort")
	rapid.Check(t, func(t *rapid.T) {
		c := Components[rapid.IntRange(0, len(Components)-1).Draw(t, "component")]
		task := rapid.SampledFrom(c.Tasks).Draw(t, "task")
		params := map[string]any{"grace_period": 20.0, "max_bytes": rapid.SampledFrom([]int{1 << 14, 1 << 16, 1 << 18, 1 << 22}).Draw(t, "bytes")}
		if c.Name != StochasticGradientTree.Name {
			params["tau"] = 0.5
		}
		seed := rapid.Uint64Range(0, 1<<20).Draw(t, "seed")
		columns := rapid.SampledFrom([]int{0, 3}).Draw(t, "subspace")
		build := func() models.Learner {
			p, err := models.Registry(Components).Resolve(models.Spec{Stages: []models.Stage{{Name: c.Name, Params: maps.Clone(params)}}}, task)
			if err != nil {
				t.Fatal(err)
			}
			m, err := p.Build(models.Env{Schema: s, Task: task, Classes: 4, Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			return subspaced(m, columns, seed)
		}
		m, plain := build(), build()
		rng := rand.New(rand.NewPCG(seed, 7))
		e := models.Example{Row: models.Row{Value: make([]float64, len(s.Columns))}, Weight: 1}
		probes := make([]models.Example, 12)
		for i := range probes {
			probes[i] = models.Example{Row: models.Row{Value: make([]float64, len(s.Columns))}, Weight: 1}
			drifting(rng, i*20000, task, &probes[i])
		}
		answers := func(p models.Predictor) (all []float64) {
			for i := range probes {
				all = p.Predict(all, &probes[i])
			}
			return all
		}
		type kept struct {
			p    models.Predictor
			want []float64
		}
		var snaps []kept
		every := rapid.SampledFrom([]int{7, 50, 333}).Draw(t, "every")
		for i := range rapid.IntRange(1, 3000).Draw(t, "events") {
			drifting(rng, i*100, task, &e)
			m.Learn(&e, nil)
			plain.Learn(&e, nil)
			if i%every == 0 {
				p := m.(models.Publisher).Publish()
				snaps = append(snaps, kept{p, answers(m)})
			}
			if len(snaps) > 5 {
				snaps = slices.Delete(snaps, i%5, i%5+1)
			}
		}
		if codec.Sum(m) != codec.Sum(plain) {
			t.Error("publishing changed what was learned")
		}
		if err := codec.Load(m, codec.Save(plain)); err != nil {
			t.Fatal(err)
		}
		for i := range 200 {
			drifting(rng, i*1000, task, &e)
			m.Learn(&e, nil)
		}
		for k, x := range snaps {
			if got := answers(x.p); !same(got, x.want) {
				t.Fatalf("snapshot %d of %s answers %v, when it was taken %v", k, c.Name, got, x.want)
			}
		}
	})
}

// same compares bits.
func same(a, b []float64) bool {
	return slices.EqualFunc(a, b, func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) })
}

// subspaced is a tree like m whose leaves watch some columns only, if m is one that ensembles are built of.
func subspaced(m models.Learner, columns int, seed uint64) models.Learner {
	switch t := m.(type) {
	case *Hoeffding:
		cfg := t.cfg
		cfg.Subspace, cfg.Seed = columns, seed
		return New(models.Env{Schema: schema(6, "kind", "sort"), Task: t.task, Classes: t.classes}, cfg)
	case *Regressor:
		cfg := t.cfg
		cfg.Subspace, cfg.Seed = columns, seed
		return NewRegressor(models.Env{Schema: schema(6, "kind", "sort"), Task: t.task}, cfg)
	}
	return m
}

// Readers answer while the tree drops leaves for its bounds and uses their memory again; the race detector watches.
func TestMemoryIsUsedAgainWhileReadersAnswer(t *testing.T) {
	cfg := DefaultConfig()
	cfg.GracePeriod, cfg.Tau, cfg.MaxBytes, cfg.Subspace = 20, 0.5, 1<<16, 3
	h := New(models.Env{Schema: schema(6, "kind", "sort"), Task: models.Multiclass, Classes: 4}, cfg)
	snapshots := make(chan models.Predictor, 1)
	var readers sync.WaitGroup
	readers.Go(func() {
		rng := rand.New(rand.NewPCG(1, 1))
		e := models.Example{Row: models.Row{Value: make([]float64, 8)}}
		for p := range snapshots {
			drifting(rng, 5, models.Multiclass, &e)
			a := p.Predict(nil, &e)
			if b := p.Predict(nil, &e); !same(a, b) {
				t.Errorf("one snapshot answers %v and %v", a, b)
			}
		}
	})
	rng := rand.New(rand.NewPCG(1, 7))
	e := models.Example{Row: models.Row{Value: make([]float64, 8)}, Weight: 1}
	for i := range 8000 {
		drifting(rng, i*20, models.Multiclass, &e)
		h.Learn(&e, nil)
		if i%10 == 0 {
			snapshots <- h.Publish()
		}
	}
	close(snapshots)
	readers.Wait()
	if h.dropped.leaves == 0 {
		t.Error("the bound was not met")
	}
}

// Trees without columns, whose leaves keep no statistics, learn.
func TestTreesWithoutColumns(t *testing.T) {
	for _, c := range Components {
		m := buildSpec(t, models.Spec{Stages: []models.Stage{{Name: c.Name}}}, models.Env{Schema: schema(0), Task: c.Tasks[0], Classes: 2})
		for i := range 500 {
			m.Learn(&models.Example{Y: float64(i % 2), Weight: 1}, nil)
		}
		if a, b := m.Predict(nil, &models.Example{}), m.(models.Publisher).Publish().Predict(nil, &models.Example{}); !same(a, b) {
			t.Errorf("%s answers %v, its snapshot %v", c.Name, a, b)
		}
	}
}
