package anomaly

import (
	"fmt"
	"math"
	"sync"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/cow"
	"github.com/freshet-ml/freshet/models/random"
)

// IsolationForestComponent is the catalogue entry of IsolationForest.
var IsolationForestComponent = models.Component{
	Name: "online_isolation_forest", Kind: models.ModelKind, Tasks: tasks, Fold: 1, NumbersOnly: true,
	Bounds: forgottenBound,
	Doc:    "Online isolation forest: random trees whose leaves split where examples of the window crowd, and whose parts close again when those leave it; an example that ends near the root is strange. " + answerRule,
	Params: []models.Param{
		{Name: "trees", Default: 32, Range: models.Between(1, 1000), Doc: "trees"},
		{Name: "window", Default: 2048, Range: models.Between(2, 1<<20), Unit: "examples", Doc: "the newest examples count"},
		{Name: "max_leaf", Default: 32, Range: models.Between(1, 1<<16), Unit: "examples", Doc: "a leaf at depth k splits when it holds this many times 2^k"},
		rateParam, memoryParam,
	},
	Cost: "O(trees · log(window / max_leaf))", Memory: "window · columns · 8 bytes, trees · (2 · window / max_leaf + 1) · (40 + 16 · columns), and 20 KB for the threshold",
	Source: "Leveni et al. 2024",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		m, err := NewIsolationForest(env, IsolationForestConfig{Trees: a.Int("trees"), Window: a.Int("window"), MaxLeaf: a.Int("max_leaf"),
			Rate: a.Float("false_alarm_rate"), Memory: a.Int("memory")})
		if err != nil {
			return nil, err
		}
		return m, nil
	},
}

// IsolationForestConfig are the parameters, as IsolationForestComponent documents them.
type IsolationForestConfig struct {
	Trees, Window, MaxLeaf int
	Rate                   float64
	Memory                 int
}

// isolationNode splits a column, or is a leaf. Nodes are kept in an implicit heap: the children of i are 2i+1 and 2i+2.
type isolationNode struct {
	count  int32
	column int32 // −1: a leaf
	at     float64
}

// IsolationForest implements models.Learner and models.Publisher.
type IsolationForest struct {
	unlabelled
	isolation
	boxes   []float64 // by tree and node: lows, then highs
	rows    []float64 // the window
	head, n int
	window  int
	leaf    int
	rng     random.Source
	limits  *Threshold
	x       []float64
}

// isolation is what a learner and its snapshots answer from.
type isolation struct {
	d     int
	depth int                      // no leaf below it can hold enough to split
	size  int                      // nodes of one tree
	nodes cow.Pages[isolationNode] // page: tree
	rest  []float64                // by count: the depth that a leaf's examples would still reach, log2(count / max_leaf)
	in    intake
	alarm alarm
}

// NewIsolationForest returns an empty detector.
func NewIsolationForest(env models.Env, c IsolationForestConfig) (*IsolationForest, error) {
	d, err := onlyNumbers("online_isolation_forest", env)
	if err != nil {
		return nil, err
	}
	depth := 0 // a leaf at depth k needs max_leaf · 2^k examples of at most window
	for c.MaxLeaf<<depth <= c.Window {
		depth++
	}
	size := 2<<depth - 1
	if n := c.Trees * size * (2*d + 3); n > 1<<26 || c.Window*d > 1<<26 {
		return nil, fmt.Errorf("online_isolation_forest: %d trees of %d nodes with %d columns over %d examples need more than 67 million numbers: take fewer trees, a smaller window or a greater max_leaf", c.Trees, size, d, c.Window)
	}
	m := &IsolationForest{isolation: isolation{d: d, depth: depth, size: size, nodes: cow.New[isolationNode](c.Trees, size), rest: make([]float64, c.Window+1), in: newIntake(d, c.Memory)},
		boxes: make([]float64, c.Trees*size*2*d), rows: make([]float64, c.Window*d), window: c.Window, leaf: c.MaxLeaf, rng: random.New(env.Seed, 0x6f6966), limits: NewThreshold(c.Rate, c.Memory), x: make([]float64, d)}
	for t := range c.Trees {
		for i := range m.nodes.Own(t) {
			m.nodes.Own(t)[i].column = -1
		}
	}
	m.derive()
	return m, nil
}

// expected is the depth of random trees over so many examples (section 3: log2 of the count over max_leaf).
func expected(count, leaf int) float64 {
	if count <= leaf {
		return 0
	}
	return math.Log2(float64(count) / float64(leaf))
}

func (m *IsolationForest) derive() {
	for n := range m.rest {
		m.rest[n] = expected(n, m.leaf)
	}
}

// Predict appends how strange the example is.
func (m *IsolationForest) Predict(dst []float64, e *models.Example) []float64 {
	m.fill(m.x, e)
	return append(dst, m.alarm.answer(m.score(m.x, m.n)))
}

// fill writes the columns; the mean for missing values.
func (f *isolation) fill(dst []float64, e *models.Example) {
	for j := range dst {
		x := column(e, j)
		if x != x {
			x = f.in.stats[j].mean
		}
		dst[j] = bounded(x)
	}
}

// score is 2^(−mean depth / expected depth), 0 while the window is too small to split.
func (f *isolation) score(x []float64, n int) float64 {
	typical := f.rest[n]
	if typical == 0 || f.d == 0 {
		return 0
	}
	sum := 0.0
	for t := range f.nodes.Len() {
		tree := f.nodes.Page(t)
		i, depth := 0, 0
		for tree[i].column >= 0 {
			i, depth = tree[i].child(i, x), depth+1
		}
		sum += float64(depth) + f.rest[tree[i].count]
	}
	return math.Exp2(-sum / (float64(f.nodes.Len()) * typical))
}

func (n *isolationNode) child(i int, x []float64) int {
	if x[n.column] >= n.at {
		return 2*i + 2
	}
	return 2*i + 1
}

// Observe puts the example into the window, and takes the oldest out of a full one.
func (m *IsolationForest) Observe(e *models.Example) {
	if m.d == 0 {
		m.rng.Uint64()
		return
	}
	m.fill(m.x, e)
	if m.n == m.window {
		m.limits.Add(m.score(m.x, m.n))
		m.alarm = m.limits.alarm()
	}
	row := m.rows[m.head*m.d : (m.head+1)*m.d]
	for t := range m.nodes.Len() {
		if m.n == m.window {
			m.forget(t, row)
		}
		m.learn(t, m.x)
	}
	copy(row, m.x)
	m.n = min(m.n+1, m.window)
	if m.head++; m.head == m.window {
		m.head = 0
	}
	m.in.observe(e)
}

// Dropped adds how many examples have left the window: each had its score counted when it pushed one out.
func (m *IsolationForest) Dropped(d *models.Drops) { d.Add(examplesForgotten, m.limits.Seen()) }

func (m *IsolationForest) box(t, i int) (low, high []float64) {
	at := (t*m.size + i) * 2 * m.d
	return m.boxes[at : at+m.d], m.boxes[at+m.d : at+2*m.d]
}

// learn counts x on its way down, and splits its leaf if that holds enough.
func (m *IsolationForest) learn(t int, x []float64) {
	tree, i, depth := m.nodes.Own(t), 0, 0
	for {
		n := &tree[i]
		low, high := m.box(t, i)
		if n.count == 0 {
			copy(low, x)
			copy(high, x)
		}
		n.count++
		for j, v := range x {
			low[j], high[j] = min(low[j], v), max(high[j], v)
		}
		if n.column < 0 {
			m.split(t, tree, i, depth)
			return
		}
		i, depth = n.child(i, x), depth+1
	}
}

// split parts a leaf along a random column at a random place of its box. The examples are not kept by leaf: the children get as many as a uniform
// spread over the box would give them.
func (m *IsolationForest) split(t int, tree []isolationNode, i, depth int) {
	n := &tree[i]
	if int(n.count) < m.leaf<<depth || depth >= m.depth {
		return
	}
	low, high := m.box(t, i)
	j := m.rng.Below(m.d)
	at := low[j] + float64(m.rng.Unit()*(high[j]-low[j]))
	if !(at > low[j]) { // the column does not vary in the leaf
		return
	}
	left := int32(0)
	for range n.count {
		if low[j]+float64(m.rng.Unit()*(high[j]-low[j])) < at {
			left++
		}
	}
	n.column, n.at = int32(j), at
	for k, count := range [2]int32{left, n.count - left} {
		c := 2*i + 1 + k
		tree[c] = isolationNode{count: count, column: -1}
		a, b := m.box(t, c)
		copy(a, low)
		copy(b, high)
		if k == 0 {
			b[j] = at
		} else {
			a[j] = at
		}
	}
	m.split(t, tree, 2*i+1, depth+1)
	m.split(t, tree, 2*i+2, depth+1)
}

// forget takes x back on its way down, and closes the first part that holds too few for its split.
func (m *IsolationForest) forget(t int, x []float64) {
	tree, i, depth := m.nodes.Own(t), 0, 0
	for {
		n := &tree[i]
		if n.count > 0 {
			n.count--
		}
		if n.column < 0 {
			return
		}
		if int(n.count) < m.leaf<<depth {
			n.column, n.at = -1, 0
			return
		}
		i, depth = n.child(i, x), depth+1
	}
}

// State visits window, trees, random numbers, scales and threshold.
func (m *IsolationForest) State(s *codec.State) {
	s.Fixed("columns of online_isolation_forest", m.d)
	s.Fixed("window of online_isolation_forest", m.window)
	s.Fixed("trees of online_isolation_forest", m.nodes.Len())
	m.n = s.Len(m.n, 0, m.window)
	m.head = s.Len(m.head, 0, m.window-1)
	if s.Loading() && m.n < m.window && m.head != m.n {
		s.Fail("window of %d examples with head %d", m.n, m.head)
	}
	good := true
	for i := range m.n * m.d {
		s.Float64(&m.rows[i])
		good = good && math.Abs(m.rows[i]) <= limit
	}
	for t := range m.nodes.Len() {
		if s.Loading() {
			m.clearTree(t)
		}
		good = m.visit(s, t, 0) && good
		if s.Err() != nil {
			return
		}
	}
	m.rng.State(s)
	m.in.state(s)
	m.limits.State(s)
	if s.Loading() {
		if !good {
			s.Fail("online_isolation_forest: a number out of range")
		}
		m.alarm = m.limits.alarm()
	}
}

func (m *IsolationForest) clearTree(t int) {
	tree := m.nodes.Own(t)
	for i := range tree {
		tree[i] = isolationNode{column: -1}
	}
}

// visit goes down from node i, left before right, and reports whether all is in range.
func (m *IsolationForest) visit(s *codec.State, t, i int) bool {
	n := &m.nodes.Own(t)[i]
	count, column := uint32(n.count), uint32(n.column+1)
	s.Uint32(&count)
	s.Uint32(&column)
	s.Float64(&n.at)
	n.count, n.column = int32(count), int32(column)-1
	low, high := m.box(t, i)
	good := true
	for j := range m.d {
		s.Float64(&low[j])
		s.Float64(&high[j])
		good = good && math.Abs(low[j]) <= limit && math.Abs(high[j]) <= limit
	}
	if s.Loading() && (s.Err() != nil || count > uint32(m.window) || column > uint32(m.d) || n.column >= 0 && 2*i+2 >= m.size || n.at != n.at) {
		s.Fail("node of %d examples, column %d", count, n.column)
		*n = isolationNode{column: -1}
		return false
	}
	if n.column < 0 {
		return good
	}
	return m.visit(s, t, 2*i+1) && m.visit(s, t, 2*i+2) && good
}

// Publish shares the trees: the next example copies each once. Cost: the table of trees.
func (m *IsolationForest) Publish() models.Predictor {
	p := &isolationSnapshot{isolation: m.isolation, n: m.n}
	p.nodes, p.in = m.nodes.Share(), m.in.share()
	d := m.d
	p.pool.New = func() any { x := make([]float64, d); return &x }
	return p
}

type isolationSnapshot struct {
	isolation
	n    int
	pool sync.Pool
}

// Predict answers as the model did when it was published.
func (p *isolationSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	x := p.pool.Get().(*[]float64)
	p.fill(*x, e)
	dst = append(dst, p.alarm.answer(p.score(*x, p.n)))
	p.pool.Put(x)
	return dst
}
