package anomaly

import (
	"fmt"
	"sync"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/random"
)

// HalfSpaceTreesComponent is the catalogue entry of HalfSpaceTrees.
var HalfSpaceTreesComponent = models.Component{
	Name: "half_space_trees", Kind: models.ModelKind, Tasks: tasks, Fold: 1, NumbersOnly: true,
	Doc: "Half-space trees: random trees that halve the space, and count how many examples of the last full window lie in each part; where there are few, an example is strange. " +
		"Columns are scaled by their range so far. The first window has no alarms. " + answerRule,
	Params: []models.Param{
		{Name: "trees", Default: 10, Range: models.Between(1, 1000), Doc: "trees"},
		{Name: "height", Default: 8, Range: models.Between(1, 16), Doc: "halvings from the root to a leaf"},
		{Name: "window", Default: 250, Range: models.Between(2, 1<<20), Unit: "examples", Doc: "after so many examples the counts are those to compare with"},
		{Name: "size_limit", Default: 0.1, Range: models.Between(0, 1), Unit: "of the window", Doc: "a part with fewer examples is not looked into further"},
		rateParam, memoryParam,
	},
	Cost: "O(trees · height + columns)", Memory: "24 bytes · trees · 2^height, and 20 KB for the threshold",
	Source: "Tan, Ting & Liu 2011",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		m, err := NewHalfSpaceTrees(env, HalfSpaceTreesConfig{Trees: a.Int("trees"), Height: a.Int("height"), Window: a.Int("window"),
			SizeLimit: a.Float("size_limit"), Rate: a.Float("false_alarm_rate"), Memory: a.Int("memory")})
		if err != nil {
			return nil, err
		}
		return m, nil
	},
}

// HalfSpaceTreesConfig are the parameters, as HalfSpaceTreesComponent documents them.
type HalfSpaceTreesConfig struct {
	Trees, Height, Window int
	SizeLimit             float64
	Rate                  float64
	Memory                int
}

// maxNodes bounds the parts of all trees.
const maxNodes = 1 << 22

// HalfSpaceTrees implements models.Learner and models.Publisher.
type HalfSpaceTrees struct {
	unlabelled
	halves
	newest []uint32 // counts of the running window
	n      int      // examples in it
	shared bool     // a snapshot reads the counts of the last window
	limits *Threshold
	window int
	x      []float32
}

// halves is what a learner and its snapshots answer from. A tree is an implicit heap: the children of i are 2i+1 and 2i+2.
type halves struct {
	trees, height int
	inner, nodes  int      // of one tree
	splits        []halve  // by tree and inner node: a function of the seed
	last          []uint32 // by tree and node: examples of the last full window
	full          bool     // there was one
	few           uint32   // a part with fewer is not looked into
	scale         float64  // trees · window: what a tree counts for an example in a typical place
	in            intake
	alarm         alarm
}

type halve struct {
	column uint32
	at     float32
}

// NewHalfSpaceTrees returns an empty detector whose trees follow from env.Seed.
func NewHalfSpaceTrees(env models.Env, c HalfSpaceTreesConfig) (*HalfSpaceTrees, error) {
	d, err := onlyNumbers("half_space_trees", env)
	if err != nil {
		return nil, err
	}
	inner := 1<<c.Height - 1
	nodes := 2*inner + 1
	if c.Trees*nodes > maxNodes {
		return nil, fmt.Errorf("half_space_trees: %d trees of height %d have %d parts, at most %d are allowed: take fewer or lower trees", c.Trees, c.Height, c.Trees*nodes, maxNodes)
	}
	m := &HalfSpaceTrees{newest: make([]uint32, c.Trees*nodes), limits: NewThreshold(c.Rate, c.Memory), window: c.Window, x: make([]float32, d),
		halves: halves{trees: c.Trees, height: c.Height, inner: inner, nodes: nodes, splits: make([]halve, c.Trees*inner), last: make([]uint32, c.Trees*nodes),
			few: uint32(c.SizeLimit * float64(c.Window)), scale: float64(c.Trees) * float64(c.Window), in: newIntake(d, c.Memory)}}
	if d > 0 {
		rng := random.New(env.Seed, 0x6873)
		for t := range c.Trees {
			grow(m.splits[t*inner:(t+1)*inner], d, &rng)
		}
	}
	return m, nil
}

// grow draws a tree: a work space around the unit cube (section 3.2), halved along random columns.
func grow(tree []halve, d int, rng *random.Source) {
	type box struct{ low, high []float64 }
	root := box{make([]float64, d), make([]float64, d)}
	for j := range d {
		s := rng.Unit()
		r := 2 * max(s, 1-s)
		root.low[j], root.high[j] = s-r, s+r
	}
	boxes := make([]box, len(tree))
	for i := range tree {
		b := root
		if i > 0 {
			up := (i - 1) / 2
			b = box{append([]float64(nil), boxes[up].low...), append([]float64(nil), boxes[up].high...)}
			j := tree[up].column
			mid := (b.low[j] + b.high[j]) / 2
			if i%2 == 1 {
				b.high[j] = mid
			} else {
				b.low[j] = mid
			}
		}
		boxes[i] = b
		j := rng.Below(d)
		tree[i] = halve{uint32(j), float32((b.low[j] + b.high[j]) / 2)}
	}
}

// Predict appends how strange the example is, 0 in the first window.
func (m *HalfSpaceTrees) Predict(dst []float64, e *models.Example) []float64 {
	m.in.unit(m.x, e)
	return append(dst, m.alarm.answer(m.score(m.x)))
}

// score is the count of a typical place over that of this one: Σ mass · 2^depth over the trees is about trees · window where
// examples are spread evenly.
func (h *halves) score(x []float32) float64 {
	if !h.full || len(x) == 0 {
		return 0
	}
	mass := 0.0
	for t := range h.trees {
		splits, last := h.splits[t*h.inner:(t+1)*h.inner], h.last[t*h.nodes:(t+1)*h.nodes]
		i, depth := 0, 0
		for depth < h.height && last[i] >= h.few {
			i = 2*i + 1
			s := &splits[i>>1]
			step := 0
			if x[s.column] >= s.at {
				step = 1
			}
			i += step
			depth++
		}
		mass += float64(uint64(last[i]) << depth)
	}
	return h.scale / (mass + 1)
}

// Observe counts the example in its parts.
func (m *HalfSpaceTrees) Observe(e *models.Example) {
	if len(m.x) == 0 {
		m.n = (m.n + 1) % m.window
		return
	}
	m.in.unit(m.x, e)
	if score := m.count(m.x); m.full {
		m.limits.Add(score)
		m.alarm = m.limits.alarm()
	}
	m.in.observe(e)
	if m.n++; m.n == m.window {
		m.turn()
	}
}

// count walks every tree once, and returns the score on its way.
func (m *HalfSpaceTrees) count(x []float32) float64 {
	mass := 0.0
	few := m.few
	for t := range m.trees {
		splits, last, newest := m.splits[t*m.inner:(t+1)*m.inner], m.last[t*m.nodes:(t+1)*m.nodes], m.newest[t*m.nodes:(t+1)*m.nodes]
		i, depth, at := 0, 0, 0
		stop := false
		for d := 1; d <= m.height; d++ {
			newest[i]++
			stop = stop || last[i] < few
			s := &splits[i]
			step := 1
			if x[s.column] >= s.at {
				step = 2
			}
			i = 2*i + step
			if !stop {
				at, depth = i, d
			}
		}
		newest[i]++
		mass += float64(uint64(last[at]) << depth)
	}
	return m.scale / (mass + 1)
}

// turn makes the running counts the ones to compare with.
func (m *HalfSpaceTrees) turn() {
	old := m.last
	m.last = m.newest
	if m.shared {
		old, m.shared = make([]uint32, len(old)), false
	}
	clear(old)
	m.newest, m.n, m.full = old, 0, true
}

// State visits counts, scales and threshold; the trees follow from the seed.
func (m *HalfSpaceTrees) State(s *codec.State) {
	s.Fixed("parts of half_space_trees", len(m.last))
	if s.Loading() && m.shared {
		m.last, m.shared = make([]uint32, len(m.last)), false
	}
	for _, v := range [][]uint32{m.last, m.newest} {
		for i := range v {
			s.Uint32(&v[i])
		}
	}
	s.Int(&m.n)
	s.Bool(&m.full)
	m.in.state(s)
	m.limits.State(s)
	if s.Loading() {
		if m.n < 0 || m.n >= m.window {
			s.Fail("half_space_trees: %d examples of a window of %d", m.n, m.window)
			m.n = 0
		}
		m.alarm = m.limits.alarm()
	}
}

// Publish shares the counts of the last window; a new window makes new ones. Cost: O(columns).
func (m *HalfSpaceTrees) Publish() models.Predictor {
	m.shared = true
	p := &halvesSnapshot{halves: m.halves}
	p.in = m.in.share()
	n := len(m.x)
	p.pool.New = func() any { x := make([]float32, n); return &x }
	return p
}

type halvesSnapshot struct {
	halves
	pool sync.Pool
}

// Predict answers as the model did when it was published.
func (p *halvesSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	x := p.pool.Get().(*[]float32)
	p.in.unit(*x, e)
	dst = append(dst, p.alarm.answer(p.score(*x)))
	p.pool.Put(x)
	return dst
}
