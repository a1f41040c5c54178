package tree

import (
	"flag"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// drifting writes an example of a stream whose rule, ranges and categories change every 50,000 events, so that trees grow, lose subtrees and meet
// new values without end.
func drifting(rng *rand.Rand, i int, task models.Task, e *models.Example) {
	era := i / 50000
	x := e.Value
	for k := range 6 {
		x[k] = rng.NormFloat64()*float64(1+(era+k)%3) + float64(era%5)
	}
	kind, sort := rng.IntN(min(100, 5+era*3)), rng.IntN(4)
	x[6], x[7] = float64(kind+1), float64(sort+1)
	a, b := x[era%6], x[(era+1+sort)%6]
	y := a + math.Abs(b) + float64(kind%(era%7+2)) + rng.NormFloat64()/2
	switch task {
	case models.Binary:
		y = float64(int(math.Abs(y)) & 1)
	case models.Multiclass:
		y = float64(int(math.Abs(y)) % 4)
	}
	e.Y = y
}

func heapNow() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // pools let go at the second
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

var heapEvents = flag.Int("heap-events", 300_000, "events of each case of TestHeapStaysWithinMaxBytes")

// What a tree holds of the heap, its snapshot included, stays within max_bytes over a stream that drifts.
func TestHeapStaysWithinMaxBytes(t *testing.T) {
	events := *heapEvents
	if testing.Short() {
		events /= 10
	}
	cases := []struct {
		name, why string
		params    map[string]any
	}{
		{"hoeffding_tree", "", nil},
		{"hoeffding_tree", "votes of naive Bayes", map[string]any{"leaf_prediction": leafNB, "max_categories": 200}},
		{"hoeffding_tree", "histograms", map[string]any{"splitter": "histogram"}},
		{"hoeffding_adaptive_tree", "", nil},
		{"extremely_fast_decision_tree", "", nil},
		{"stochastic_gradient_tree", "", nil},
		{"hoeffding_tree_regressor", "", nil},
		{"hoeffding_tree_regressor", "search trees", map[string]any{"splitter": splitTree}},
		{"hoeffding_adaptive_tree_regressor", "", nil},
	}
	s := schema(6, "kind", "sort")
	for _, c := range cases {
		for _, bytes := range []int{256 << 10, 1 << 20} {
			p := map[string]any{"max_bytes": bytes, "grace_period": 50.0, "tau": 0.2}
			if c.name == "stochastic_gradient_tree" {
				p = map[string]any{"max_bytes": bytes}
			}
			for k, v := range c.params {
				p[k] = v
			}
			component := models.Registry(Components).Find(c.name)
			for _, task := range component.Tasks {
				env := models.Env{Schema: s, Task: task, Classes: 4, Seed: 1}
				before := heapNow()
				m := buildSpec(t, models.Spec{Stages: []models.Stage{{Name: c.name, Params: p}}}, env)
				rng := rand.New(rand.NewPCG(1, 7))
				e := models.Example{Row: models.Row{Value: make([]float64, len(s.Columns))}, Weight: 1}
				var seen models.Predictor // what a server answers from
				most := 0
				for i := range events {
					drifting(rng, i, task, &e)
					m.Learn(&e, nil)
					if i%256 == 0 {
						seen = m.(models.Publisher).Publish()
					}
					if i%(events/10) == events/10-1 {
						most = max(most, heapNow()-before)
					}
				}
				d := m.(interface {
					Leaves() int
					ActiveLeaves() int
				})
				t.Logf("%s %s, %v, %d KB: at most %d KB held, %d leaves, %d with statistics, dropped: %v, state %d KB", c.name, c.why, task, bytes>>10, most>>10, d.Leaves(), d.ActiveLeaves(), models.DroppedBy(m), len(codec.Save(m))>>10)
				if most > bytes+bytes/10 {
					t.Errorf("%s %s, %v: %d KB held, max_bytes are %d KB", c.name, c.why, task, most>>10, bytes>>10)
				}
				if models.DroppedBy(m).Total() > 0 && float64(most) < 0.25*float64(bytes) {
					t.Errorf("%s %s, %v: only %d KB of %d KB put to use", c.name, c.why, task, most>>10, bytes>>10)
				}
				runtime.KeepAlive(m)
				runtime.KeepAlive(seen)
			}
		}
	}
}

// The bound acts on what the state says alone: a tree that is published, and one that is saved and loaded on the way, are the same to the bit when it binds, and a
// packed arena answers as before.
func TestBoundsNeitherSeeSnapshotsNorLoading(t *testing.T) {
	s := schema(6, "kind", "sort")
	for _, c := range Components {
		for _, task := range c.Tasks {
			env := models.Env{Schema: s, Task: task, Classes: 4, Seed: 1}
			fresh := func() models.Learner {
				return buildSpec(t, models.Spec{Stages: []models.Stage{{Name: c.Name, Params: map[string]any{"max_bytes": 192 << 10, "grace_period": 50.0}}}}, env)
			}
			plain, published, loaded := fresh(), fresh(), fresh()
			rng := rand.New(rand.NewPCG(2, 7))
			e := models.Example{Row: models.Row{Value: make([]float64, len(s.Columns))}, Weight: 1}
			for i := range 120000 {
				drifting(rng, i*10, task, &e)
				a := plain.Predict(nil, &e)
				for _, m := range []models.Learner{published, loaded} {
					if b := m.Predict(nil, &e); math.Float64bits(a[0]) != math.Float64bits(b[0]) {
						t.Fatalf("%s, %v: %v and %v at event %d", c.Name, task, a, b, i)
					}
				}
				plain.Learn(&e, nil)
				published.Learn(&e, nil)
				loaded.Learn(&e, nil)
				if i%50 == 0 {
					p := published.(models.Publisher).Publish()
					if a, b := plain.Predict(nil, &e), p.Predict(nil, &e); math.Float64bits(a[0]) != math.Float64bits(b[0]) {
						t.Fatalf("%s, %v: a snapshot answers %v, not %v, at event %d", c.Name, task, b, a, i)
					}
				}
				if i%9000 == 8999 {
					again := fresh()
					if err := codec.Load(again, codec.Save(loaded)); err != nil {
						t.Fatal(err)
					}
					loaded = again
				}
			}
			if codec.Sum(plain) != codec.Sum(published) || codec.Sum(plain) != codec.Sum(loaded) {
				t.Errorf("%s, %v: states differ", c.Name, task)
			}
			d := models.DroppedBy(plain)
			t.Logf("%s, %v: dropped %+v", c.Name, task, d)
		}
	}
}
