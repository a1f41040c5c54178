package anomaly

import (
	"fmt"
	"sync"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/random"
)

// CutForestComponent is the catalogue entry of CutForest.
var CutForestComponent = models.Component{
	Name: "robust_random_cut_forest", Kind: models.ModelKind, Tasks: tasks, Fold: 1, NumbersOnly: true,
	Bounds: forgottenBound,
	Doc: "Robust random cut forest over the newest `window` examples: the score is the mean collusive displacement that an example has, or would have, in trees of random cuts whose columns are drawn by the sides of their boxes. " +
		"Columns are standardised by mean and deviation that fade. " + answerRule,
	Params: []models.Param{
		{Name: "trees", Default: 40, Range: models.Between(1, 1000), Doc: "trees"},
		{Name: "window", Default: 256, Range: models.Between(2, 1<<16), Unit: "examples", Doc: "each tree holds the newest examples"},
		rateParam, memoryParam,
	},
	Cost: "O(trees · log window · columns)", Memory: "trees · window · (64 + 32 · columns) bytes, and 20 KB for the threshold", Source: "Guha et al. 2016",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		m, err := NewCutForest(env, a.Int("trees"), a.Int("window"), a.Float("false_alarm_rate"), a.Int("memory"))
		if err != nil {
			return nil, err
		}
		return m, nil
	},
}

// CutForest implements models.Learner and models.Publisher.
type CutForest struct {
	unlabelled
	cuts
	limits *Threshold
	leaves []int32 // by tree and slot of the window
	n      int     // examples in the window
	head   int     // the slot of the oldest, and of the next
	window int
	x      []float64
}

// cuts is what a learner and its snapshots answer from.
type cuts struct {
	trees []cutTree
	rng   random.Source
	in    intake
	alarm alarm
}

// NewCutForest returns an empty detector.
func NewCutForest(env models.Env, trees, window int, rate float64, memory int) (*CutForest, error) {
	d, err := onlyNumbers("robust_random_cut_forest", env)
	if err != nil {
		return nil, err
	}
	if n := trees * window * max(d, 1); n > 1<<26 {
		return nil, fmt.Errorf("robust_random_cut_forest: %d trees of %d examples of %d columns are more than 67 million numbers: take fewer trees or a smaller window", trees, window, d)
	}
	m := &CutForest{cuts: cuts{trees: make([]cutTree, trees), rng: random.New(env.Seed, 0x72726366), in: newIntake(d, memory)},
		limits: NewThreshold(rate, memory), leaves: make([]int32, trees*window), window: window, x: make([]float64, d)}
	for i := range m.trees {
		m.trees[i] = newCutTree(d, window+1)
	}
	return m, nil
}

// Predict appends how strange the example is: by the place that it would get with the random numbers that come next.
func (m *CutForest) Predict(dst []float64, e *models.Example) []float64 {
	m.in.standard(m.x, e)
	return append(dst, m.alarm.answer(m.score(m.x)))
}

func (c *cuts) score(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	rng, sum := c.rng, 0.0
	for i := range c.trees {
		sum += c.trees[i].displacement(x, &rng)
	}
	return sum / float64(len(c.trees))
}

// Observe inserts the example, and takes the oldest out of a full window.
func (m *CutForest) Observe(e *models.Example) {
	if len(m.x) == 0 {
		m.rng.Uint64()
		return
	}
	m.in.standard(m.x, e)
	if m.n == m.window {
		m.limits.Add(m.score(m.x))
		m.alarm = m.limits.alarm()
	}
	for i := range m.trees {
		t, leaf := &m.trees[i], &m.leaves[i*m.window+m.head]
		added := t.insert(m.x, &m.rng)
		if m.n == m.window {
			t.remove(*leaf)
		}
		*leaf = added
	}
	m.n = min(m.n+1, m.window)
	if m.head++; m.head == m.window {
		m.head = 0
	}
	m.in.observe(e)
}

// Dropped adds how many examples have left the window: each had its score counted when it pushed one out.
func (m *CutForest) Dropped(d *models.Drops) { d.Add(examplesForgotten, m.limits.Seen()) }

// State visits the trees, where the window's examples are in them, scales and threshold.
func (m *CutForest) State(s *codec.State) {
	s.Fixed("trees of robust_random_cut_forest", len(m.trees))
	s.Fixed("window of robust_random_cut_forest", m.window)
	m.n = s.Len(m.n, 0, m.window)
	m.head = s.Len(m.head, 0, m.window-1)
	if s.Loading() && m.n < m.window && m.head != m.n {
		s.Fail("window of %d examples with head %d", m.n, m.head)
	}
	m.rng.State(s)
	for i := range m.trees {
		m.trees[i].state(s, 2*m.window+1)
		if s.Err() != nil {
			m.n, m.head = 0, 0
			return
		}
		m.stateLeaves(s, i)
	}
	m.in.state(s)
	m.limits.State(s)
	if s.Loading() {
		m.alarm = m.limits.alarm()
	}
}

// stateLeaves visits the leaf of each example of the window, as its place among the nodes from the root, left before right: the number that
// loading gives it.
func (m *CutForest) stateLeaves(s *codec.State, i int) {
	t, leaves := &m.trees[i], m.leaves[i*m.window:(i+1)*m.window]
	place := make([]int32, t.nodes.Len()*pageNodes)
	next := int32(0)
	var walk func(n int32)
	walk = func(n int32) {
		place[n] = next
		next++
		if v := t.node(n); v.left >= 0 {
			walk(v.left)
			walk(v.right)
		}
	}
	if t.root >= 0 {
		walk(t.root)
	}
	held := map[int32]int32{}
	for k := range m.n {
		u := uint32(0)
		if !s.Loading() {
			u = uint32(place[leaves[k]])
		}
		s.Uint32(&u)
		if !s.Loading() {
			continue
		}
		if int32(u) >= next || int32(u) < 0 || t.node(int32(u)).left >= 0 {
			s.Fail("example %d in node %d", k, u)
			return
		}
		leaves[k] = int32(u)
		held[int32(u)]++
	}
	for n, count := range held {
		if t.node(n).count != count {
			s.Fail("leaf %d of %d examples counts %d", n, count, t.node(n).count)
		}
	}
	if s.Loading() && len(m.x) > 0 && m.n > 0 && (t.root < 0 || int(t.node(t.root).count) != m.n) {
		s.Fail("tree %d does not hold the %d examples", i, m.n)
	}
}

// Publish shares the trees: later examples copy the nodes that they touch, once. Cost: the tables of nodes.
func (m *CutForest) Publish() models.Predictor {
	p := &cutSnapshot{cuts: cuts{trees: make([]cutTree, len(m.trees)), rng: m.rng, in: m.in.share(), alarm: m.alarm}}
	for i := range m.trees {
		p.trees[i] = m.trees[i].share()
	}
	d := len(m.x)
	p.pool.New = func() any { x := make([]float64, d); return &x }
	return p
}

type cutSnapshot struct {
	cuts
	pool sync.Pool
}

// Predict answers as the model did when it was published.
func (p *cutSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	x := p.pool.Get().(*[]float64)
	p.in.standard(*x, e)
	dst = append(dst, p.alarm.answer(p.score(*x)))
	p.pool.Put(x)
	return dst
}
