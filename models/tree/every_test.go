package tree

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// small is a spec whose bounds are low, so that they are met.
func small(name string) models.Spec {
	return models.Spec{Stages: []models.Stage{{Name: name, Params: map[string]any{"max_categories": 8, "max_leaves": 64, "max_bytes": 1 << 16}}}}
}

// mixed are examples with a category and missing values, for any task.
func mixed(n int, seed uint64) []models.Example {
	rng := rand.New(rand.NewPCG(seed, 12))
	out := stairs(n, seed)
	for i := range out {
		if rng.IntN(4) == 0 {
			out[i].Value[rng.IntN(4)] = math.NaN()
		}
		if rng.IntN(50) == 0 {
			out[i].Value[3] = features.Category(string(rune('a' + rng.IntN(20))))
		}
	}
	return out
}

func everyEnv(c models.Component) models.Env {
	return models.Env{Schema: schema(3, "kind"), Task: c.Tasks[0], Classes: 2, Seed: 1}
}

// Random labels cannot be foretold: accuracy stays within four standard errors of one half. (A tree that saw the label would not.)
func TestRandomLabels(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	examples := mixed(20000, 2)
	for i := range examples {
		examples[i].Y = float64(rng.IntN(2))
	}
	for _, c := range Components {
		if c.Tasks[0] != models.Binary {
			continue
		}
		if got := accuracy(build(t, c.Name, everyEnv(c)), examples); math.Abs(got-0.5) > 4*math.Sqrt(0.25/20000) {
			t.Errorf("%s: accuracy %.4f on random labels", c.Name, got)
		}
	}
}

// Once grown, no tree allocates more than one time in a hundred events.
func TestGrownTreesHardlyAllocate(t *testing.T) {
	for _, c := range Components {
		m := build(t, c.Name, everyEnv(c))
		examples := mixed(25000, 3)
		answer := make([]float64, 0, 16)
		i := 0
		step := func() {
			e := &examples[i%len(examples)]
			answer = m.Predict(answer[:0], e)
			m.Learn(e, answer)
			i++
		}
		for i < 20000 {
			step()
		}
		if n := testing.AllocsPerRun(1, func() {
			for range 5000 {
				step()
			}
		}); n > 0.01*5000 {
			t.Errorf("%s: %g allocations in 5,000 events", c.Name, n)
		}
	}
}

// Memory stays within the bound, and what was given up is counted.
func TestEveryTreeKeepsItsBounds(t *testing.T) {
	for _, c := range Components {
		m := buildSpec(t, small(c.Name), everyEnv(c))
		for _, e := range mixed(60000, 5) {
			m.Learn(&e, nil)
		}
		b, ok := m.(interface {
			Leaves() int
			ActiveLeaves() int
			Dropped() Dropped
		})
		if !ok || b.Leaves() > 64 {
			t.Errorf("%s: %d leaves", c.Name, b.Leaves())
		}
		if n := len(codec.Save(m)); n > 1<<18 {
			t.Errorf("%s: a state of %d bytes", c.Name, n)
		}
	}
}

// A state that is damaged is refused or is another state that works; it never panics.
func FuzzEveryState(f *testing.F) {
	for k, c := range Components {
		for _, n := range []int{0, 3000} {
			m := buildSpec(f, small(c.Name), everyEnv(c))
			for _, e := range mixed(n, 1) {
				m.Learn(&e, nil)
			}
			f.Add(k, codec.Save(m))
		}
	}
	probes := mixed(300, 3)
	f.Fuzz(func(t *testing.T, k int, b []byte) {
		c := Components[(k%len(Components)+len(Components))%len(Components)]
		m := buildSpec(t, small(c.Name), everyEnv(c))
		if codec.Load(m, b) != nil {
			return
		}
		if again := codec.Save(m); !bytes.Equal(again, b) && len(again) >= len(b) { // only a length may come out shorter
			t.Errorf("%s: loading and saving changed the bytes", c.Name)
		}
		answer := make([]float64, 0, 16)
		m.(models.Publisher).Publish()
		for i := range probes {
			answer = m.Predict(answer[:0], &probes[i])
			m.Learn(&probes[i], nil)
		}
		m.(models.Publisher).Publish().Predict(nil, &probes[0])
	})
}
