package tree

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// variant is a model of this package with settings and a task.
type variant struct {
	name   string
	task   models.Task
	params map[string]any
}

// variants are all models of this package, those with more than one state of their own in each of these. New ones come last: fuzzing counts them.
func variants() (out []variant) {
	for _, c := range Components {
		out = append(out, variant{name: c.Name, task: c.Tasks[0]})
	}
	out = append(out, variant{name: "stochastic_gradient_tree", task: models.Multiclass})
	for _, name := range []string{"hoeffding_tree", "hoeffding_adaptive_tree", "extremely_fast_decision_tree"} {
		out = append(out, variant{name, models.Binary, map[string]any{"splitter": "histogram", "bins": 16}})
	}
	return out
}

func (v variant) String() string { return fmt.Sprint(v.name, " ", v.task, " ", v.params) }

func (v variant) env() models.Env {
	return models.Env{Schema: schema(3, "kind"), Task: v.task, Classes: 2, Seed: 1}
}

func (v variant) build(t testing.TB) models.Learner {
	return buildSpec(t, models.Spec{Stages: []models.Stage{{Name: v.name, Params: v.params}}}, v.env())
}

// small is the model with low bounds, so that they are met.
func (v variant) small(t testing.TB) models.Learner {
	params := map[string]any{"max_categories": 8, "max_leaves": 64, "max_bytes": 1 << 16}
	maps.Copy(params, v.params)
	return buildSpec(t, models.Spec{Stages: []models.Stage{{Name: v.name, Params: params}}}, v.env())
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

// Random labels cannot be foretold: accuracy stays within four standard errors of one half. (A tree that saw the label would not.)
func TestRandomLabels(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	examples := mixed(20000, 2)
	for i := range examples {
		examples[i].Y = float64(rng.IntN(2))
	}
	for _, v := range variants() {
		if v.task == models.Regression {
			continue
		}
		if got := accuracy(v.build(t), examples); math.Abs(got-0.5) > 4*math.Sqrt(0.25/20000) {
			t.Errorf("%s: accuracy %.4f on random labels", v, got)
		}
	}
}

// Events allocate nothing; a tree that goes on growing takes memory for its leaves less than once in a hundred events.
func TestGrownTreesHardlyAllocate(t *testing.T) {
	for _, v := range variants() {
		m := v.build(t)
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
			t.Errorf("%s: %g allocations in 5,000 events", v, n)
		}
	}
}

// Memory stays within the bound; models/catalog tests that what was given up is counted.
func TestEveryTreeKeepsItsBounds(t *testing.T) {
	for _, v := range variants() {
		m := v.small(t)
		for _, e := range mixed(60000, 5) {
			m.Learn(&e, nil)
		}
		b, ok := m.(interface {
			Leaves() int
			ActiveLeaves() int
		})
		if !ok || b.Leaves() > 64 {
			t.Errorf("%s: %d leaves", v, b.Leaves())
		}
		if n := len(codec.Save(m)); n > 1<<18 {
			t.Errorf("%s: a state of %d bytes", v, n)
		}
	}
}

// A state that is damaged is refused or is another state that works; it never panics.
func FuzzEveryState(f *testing.F) {
	all := variants()
	for k, v := range all {
		for _, n := range []int{0, 3000} {
			m := v.small(f)
			for _, e := range mixed(n, 1) {
				m.Learn(&e, nil)
			}
			f.Add(k, codec.Save(m))
		}
	}
	probes := mixed(300, 3)
	f.Fuzz(func(t *testing.T, k int, b []byte) {
		v := all[(k%len(all)+len(all))%len(all)]
		m := v.small(t)
		if codec.Load(m, b) != nil {
			return
		}
		if again := codec.Save(m); !bytes.Equal(again, b) && len(again) >= len(b) { // only a length may come out shorter
			t.Errorf("%s: loading and saving changed the bytes", v)
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
