package boost

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// Config are the parameters of the ensemble, as GradientBoostedTrees documents them.
type Config struct {
	Trees        int
	LearningRate float64
	Subspace     float64
	GracePeriod  float64
	Delta        float64
	MaxLeaves    int
	Bins         int
	L2           float64
	Shortest     float64
	Window       float64
	MaxBytes     int
	Calibrate    bool
}

// DefaultConfig is what the catalogue's defaults are.
func DefaultConfig() Config {
	return Config{Trees: 100, LearningRate: 0.1, Subspace: 0.75, GracePeriod: 25, Delta: 0.5, MaxLeaves: 64, Bins: 64, L2: 1,
		Shortest: 10, Window: 1000, MaxBytes: 64 << 20, Calibrate: true}
}

// window is how many examples the answers of a round's trees remember. Five lengths, each as much longer than the one before, take turns: some trees
// follow a change at once, others average over long stretches, and the later correct the earlier.
func (c *Config) window(round int) float64 {
	short := min(c.Shortest, c.Window)
	return short * math.Pow(c.Window/short, float64(round%windows)/(windows-1))
}

const (
	windows   = 5    // lengths of memory that take turns
	maxStep   = 8    // greatest answer of a leaf, in logits or standard deviations of the labels
	maxScore  = 30   // greatest logit
	leastH    = 1e-3 // least second derivative
	maxWeight = 1e6
	minWeight = 1e-12
)

// Boosted is an ensemble of regression trees, each on the gradient that those before it leave. It implements models.Learner and
// models.Publisher.
//
// Snapshots share nodes and answers of the trees: after Publish, a tree is copied (answers: 8 bytes per leaf; nodes: when it splits) the first time that
// learning touches it.
type Boosted struct {
	learner
	task   models.Task
	groups int    // trees per round: 1, or one per class
	trees  []tree // round after round
	head   head
	rng    *rand.Rand
	pcg    *rand.PCG
	events uint64
	score  []float64 // scratch: score by class
	prob   []float64
	width  int
}

// head is what stands between the trees' sum and the answer; snapshots copy it.
type head struct {
	task         models.Task
	groups       int
	rate         float64
	calibrate    bool
	counts       []float64 // weight by class
	n, mean, m2  float64   // of the labels of a regression
	slope, shift float64   // of the calibration
	slopeSum, shiftSum,
	lo, hi float64
}

// New returns an ensemble of single leaves for the environment.
func New(env models.Env, cfg Config) (*Boosted, error) {
	groups := 1
	if env.Task == models.Multiclass {
		groups = env.Classes
	}
	if cfg.Bins < 4 || cfg.Bins > 256 || len(env.Schema.Columns) > math.MaxUint16 {
		return nil, fmt.Errorf("gradient_boosted_trees: %d bins and %d columns; at most 256 and 65,535 are possible", cfg.Bins, len(env.Schema.Columns))
	}
	m := &Boosted{task: env.Task, groups: groups, width: len(env.Schema.Columns)}
	m.cfg, m.epoch = cfg, 1
	m.head = head{task: env.Task, groups: groups, rate: cfg.LearningRate, calibrate: cfg.Calibrate && env.Task != models.Regression,
		counts: make([]float64, max(2, groups)), slope: 1}
	m.pcg = rand.NewPCG(env.Seed, 0x7362_6774)
	m.rng = rand.New(m.pcg)
	m.bins = make([]bins, m.width)
	for i, c := range env.Schema.Columns {
		m.bins[i] = newBins(c.Kind == features.Categorical, cfg.Bins)
	}
	m.codes, m.x = make([]uint8, m.width), make([]float64, m.width)
	m.score, m.prob = make([]float64, groups), make([]float64, groups)
	each := 0
	if m.width > 0 {
		each = max(1, int(math.Round(cfg.Subspace*float64(m.width))))
	}
	var used [windows][]int // how many trees of a window use a column
	for i := range used {
		used[i] = make([]int, m.width)
	}
	for i := range cfg.Trees {
		columns := draw(m.rng, used[i%windows], each)
		for range groups {
			m.trees = append(m.trees, newTree(columns, cfg.L2))
			t := &m.trees[len(m.trees)-1]
			t.keep = 1 - 1/cfg.window(i)
			m.activate(t, &t.leaves[0])
		}
	}
	// A split is one of about 8 independent questions per column: with Bonferroni's correction, noise alone passes with the chance
	// delta at an attempt. The gain in units of the noise follows χ² with one degree of freedom, whose tail is below e^(−x/2).
	m.penalty = 2 * math.Log(max(1, 8*float64(each))/cfg.Delta)
	return m, nil
}

// draw returns k columns, increasing: those that were used least, chance deciding among equals. So every column stands in about as many trees of a window as any other, where
// free draws leave some out of most of the trees that could follow a change in it.
func draw(rng *rand.Rand, used []int, k int) []uint16 {
	order := rng.Perm(len(used))
	slices.SortStableFunc(order, func(a, b int) int { return used[a] - used[b] })
	out := make([]uint16, 0, k)
	for _, i := range order[:k] {
		used[i]++
		out = append(out, uint16(i))
	}
	slices.Sort(out)
	return out
}

// Predict appends P(Y = 1), one probability for each class, or the value; after it the scores of the classes before calibration, which
// Learn takes back.
func (m *Boosted) Predict(dst []float64, e *models.Example) []float64 {
	fill(m.x, e)
	return m.head.answer(dst, m.trees, m.x)
}

// answer sums the trees.
func (h *head) answer(dst []float64, trees []tree, x []float64) []float64 {
	start := len(dst)
	for range 2 * h.groups {
		dst = append(dst, 0)
	}
	out, score := dst[start:start+h.groups], dst[start+h.groups:]
	for k := range score {
		score[k] = h.bias(k)
	}
	if h.groups == 1 {
		sum := 0.0
		for i := range trees {
			t := &trees[i]
			sum += t.values[find(t.nodes, x)]
		}
		score[0] += float64(h.rate * sum)
	} else {
		for i := range trees {
			t := &trees[i]
			score[i%h.groups] += float64(h.rate * t.values[find(t.nodes, x)])
		}
	}
	h.link(out, score)
	return dst
}

// bias is the score before the first tree: the log of the share of a class, with one example of each added.
func (h *head) bias(class int) float64 {
	switch h.task {
	case models.Regression:
		return 0
	case models.Binary:
		return math.Log((h.counts[1] + 1) / (h.counts[0] + 1))
	}
	return math.Log(h.counts[class] + 1)
}

// link turns scores into an answer. A number stays between the least and the greatest label so far, as the answer of one tree would: the sum of many overshoots.
func (h *head) link(out, score []float64) {
	switch h.task {
	case models.Regression:
		out[0] = max(h.lo, min(h.hi, float64(score[0]*h.deviation())+h.mean))
	case models.Binary:
		out[0] = sigmoid(float64(h.slope*score[0]) + h.shift)
	default:
		softmax(out, score, h.slope)
	}
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-max(-maxScore, min(maxScore, z)))) }

func softmax(out, score []float64, slope float64) {
	top := math.Inf(-1)
	for _, s := range score {
		top = max(top, s)
	}
	sum := 0.0
	for k, s := range score {
		out[k] = math.Exp(max(-2*maxScore, slope*(s-top)))
		sum += out[k]
	}
	for k := range out {
		out[k] /= sum
	}
}

func (h *head) deviation() float64 {
	if h.n < 2 || !(h.m2 > 0) {
		return 1
	}
	return math.Sqrt(h.m2 / h.n)
}

// fill writes the values of a row by column.
func fill(x []float64, e *models.Example) {
	if e.Index == nil && len(e.Value) >= len(x) {
		for i := range x {
			x[i] = input(e.Value[i])
		}
		return
	}
	if e.Index == nil {
		n := copy(x, e.Value)
		for i := range n {
			x[i] = input(x[i])
		}
		clear(x[n:])
		return
	}
	clear(x)
	for j, i := range e.Index {
		if int(i) < len(x) {
			x[i] = input(e.Value[j])
		}
	}
}

// Observe does nothing: cuts and trees follow the examples with labels.
func (m *Boosted) Observe(*models.Example) {}

// Learn lets every tree learn what those before it leave, then the calibration from the score that was given at the predict record.
// Examples with a label out of range change nothing.
func (m *Boosted) Learn(e *models.Example, past []float64) {
	if !(e.Weight > 0) || !finite(e.Y) || m.task == models.Multiclass && !(e.Y >= 0 && e.Y < float64(m.groups)) {
		return
	}
	w := max(minWeight, min(maxWeight, e.Weight))
	fill(m.x, e)
	if len(past) == 2*m.groups {
		m.head.calibration(past[m.groups:], e.Y, w)
	}
	m.events++
	for i := range m.bins {
		m.bins[i].see(m.x[i], m.rng)
	}
	if m.events&(m.events-1) == 0 || m.events%256 == 0 {
		m.adapt()
	}
	for i := range m.bins {
		m.codes[i] = m.bins[i].code(m.x[i])
	}
	m.head.count(e.Y, w)
	if m.groups == 1 {
		m.learnOne(e.Y, w)
	} else {
		m.learnClasses(int(e.Y), w)
	}
}

// adapt lets the cuts of every column follow its values.
func (m *Boosted) adapt() {
	for i := range m.bins {
		for range m.cfg.Bins {
			ch, ok := m.bins[i].adapt()
			if !ok {
				break
			}
			for t := range m.trees {
				m.follow(&m.trees[t], i, ch)
			}
		}
	}
}

// count takes the label into what the scores start from.
func (h *head) count(y, w float64) {
	switch h.task {
	case models.Binary:
		h.counts[class(y)] += w
	case models.Multiclass:
		h.counts[int(y)] += w
	default:
		y = max(-maxInput, min(maxInput, y))
		if h.n == 0 {
			h.lo, h.hi = y, y
		}
		h.lo, h.hi = min(h.lo, y), max(h.hi, y)
		h.n += w
		d := y - h.mean
		h.mean += d * (w / h.n)
		h.m2 += float64(w * float64(d*(y-h.mean)))
	}
}

func class(y float64) int {
	if y > 0.5 {
		return 1
	}
	return 0
}

// learnOne is a round for a binary label or a number.
func (m *Boosted) learnOne(y, w float64) {
	f := m.head.bias(0)
	z := float64(class(y))
	if m.task == models.Regression {
		z = max(-maxScore, min(maxScore, (max(-maxInput, min(maxInput, y))-m.head.mean)/m.head.deviation()))
	}
	for i := range m.trees {
		t := &m.trees[i]
		at := find(t.nodes, m.x)
		step := float64(m.cfg.LearningRate * t.values[at])
		if m.task == models.Regression {
			m.learn(t, at, w*(z-f), w, w)
		} else {
			p := sigmoid(f)
			m.learn(t, at, w*(z-p), w*max(leastH, float64(p*(1-p))), w)
		}
		f += step
	}
}

// learnClasses is a round for several classes: in each, every class has a tree.
func (m *Boosted) learnClasses(y int, w float64) {
	for k := range m.score {
		m.score[k] = m.head.bias(k)
	}
	for i := 0; i < len(m.trees); i += m.groups {
		softmax(m.prob, m.score, 1)
		for k, p := range m.prob {
			t := &m.trees[i+k]
			at := find(t.nodes, m.x)
			m.score[k] += float64(m.cfg.LearningRate * t.values[at])
			g := -p
			if k == y {
				g = 1 - p
			}
			m.learn(t, at, w*g, w*max(leastH, float64(p*(1-p))), w)
		}
	}
}

const (
	calibrationRate = 0.02
	calibrationKeep = 0.9999
)

// calibration takes one adagrad step on the log-loss of the calibrated answer.
func (h *head) calibration(score []float64, y, w float64) {
	if !h.calibrate {
		return
	}
	w = min(w, 100)
	var gs, g float64 // by slope and by shift
	if h.task == models.Binary {
		s := max(-maxScore, min(maxScore, score[0]))
		g = w * (sigmoid(float64(h.slope*s)+h.shift) - float64(class(y)))
		gs = g * s
	} else {
		var buf [64]float64
		p := buf[:]
		if len(score) > len(buf) {
			return
		}
		p = p[:len(score)]
		softmax(p, score, h.slope)
		top := score[0]
		for _, s := range score {
			top = max(top, s)
		}
		for k, s := range score {
			gs += float64(p[k] * (s - top))
		}
		gs = w * (gs - (score[int(y)] - top))
		gs = max(-100, min(100, gs))
	}
	if gs != gs || g != g {
		return
	}
	h.slopeSum = float64(calibrationKeep*h.slopeSum) + float64(gs*gs)
	h.shiftSum = float64(calibrationKeep*h.shiftSum) + float64(g*g)
	h.slope = max(0.1, min(5, h.slope-calibrationRate*gs/math.Sqrt(1+h.slopeSum)))
	h.shift = max(-3, min(3, h.shift-calibrationRate*g/math.Sqrt(1+h.shiftSum)))
}

// Leaves returns the number of leaves of all trees.
func (m *Boosted) Leaves() int {
	n := 0
	for i := range m.trees {
		n += m.trees[i].live
	}
	return n
}

// Bytes returns the memory of the statistics in leaves, at most what max_bytes allows.
func (m *Boosted) Bytes() int { return m.bytes }

// The names of what is counted.
const (
	leavesDeactivated = "leaves_deactivated"
	leavesMerged      = "leaves_merged"
)

// Dropped adds how many leaves got no statistics because of max_bytes, and how many pairs of leaves were merged because
// of max_leaves.
func (m *Boosted) Dropped(d *models.Drops) {
	d.Add(leavesDeactivated, m.dropped)
	d.Add(leavesMerged, m.merged)
}

// Publish returns an immutable snapshot; it copies the headers of the trees.
func (m *Boosted) Publish() models.Predictor {
	s := &snapshot{head: m.head, trees: make([]tree, len(m.trees)), width: m.width}
	s.head.counts = append([]float64(nil), m.head.counts...)
	for i := range m.trees {
		s.trees[i] = tree{nodes: m.trees[i].nodes, values: m.trees[i].values}
	}
	s.rows.New = func() any { x := make([]float64, s.width); return &x }
	m.epoch++
	return s
}

type snapshot struct {
	head  head
	trees []tree
	width int
	rows  sync.Pool
}

// Predict answers as the ensemble did when it was published.
func (s *snapshot) Predict(dst []float64, e *models.Example) []float64 {
	x := s.rows.Get().(*[]float64)
	fill(*x, e)
	dst = s.head.answer(dst, s.trees, *x)
	s.rows.Put(x)
	return dst
}
