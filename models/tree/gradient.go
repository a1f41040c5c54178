package tree

import (
	"math"
	"math/bits"
	"unsafe"

	"github.com/freshet-ml/freshet/models"
)

// StochasticGradientTree is the catalogue entry of the stochastic gradient tree.
var StochasticGradientTree = models.Component{
	Name:  "stochastic_gradient_tree",
	Kind:  models.ModelKind,
	Tasks: []models.Task{models.Binary, models.Multiclass, models.Regression},
	Params: []models.Param{
		{Name: "grace_period", Default: 200.0, Range: models.AtLeast(2), Unit: "weight of examples", Doc: "what a leaf sees between two looks at its gradients"},
		{Name: "delta", Default: 1e-7, Range: models.Inside(0, 1), Doc: "greatest chance that a change of a leaf that lowers no loss is made"},
		{Name: "lambda", Default: 0.1, Range: models.AtLeast(0), Doc: "what is added to second derivatives: holds answers of leaves back"},
		{Name: "gamma", Default: 1.0, Range: models.AtLeast(0), Doc: "loss that a new leaf must save in sum"},
		{Name: "max_leaves", Default: 4096, Range: models.Between(1, 1<<20), Doc: "the tree stops growing at this number of leaves"},
		{Name: "max_bytes", Default: 32 << 20, Range: models.Between(1<<10, 1<<40), Unit: "bytes", Doc: "memory of the tree and its snapshot: it stops growing when that is used; one leaf is always kept"},
		{Name: "max_categories", Default: 64, Range: models.Between(2, 4096), Doc: "values of a categorical column that are told apart; those that first occur later share the last place"},
	},
	Doc: "Tree that is grown on gradients of the loss (logistic, or squared error of labels that are standardised by the first hundred): a leaf moves its answer by a Newton step, or splits, as soon as a test says that this lowers the loss. " +
		"Several classes have a tree each; the trees learn together on the cross-entropy of the softmax of their answers, and share max_leaves and max_bytes evenly. " +
		"A missing or unknown value follows the branch that most examples took when the node was split, and is left out of the statistics of a leaf. Answers of a regression stay between the least and the greatest label seen.",
	Cost:   "O(depth + columns) per event and tree",
	Memory: "3 KiB per leaf and numeric column, 48 bytes per value of a categorical column; bounded by max_bytes and max_leaves",
	Source: "Gouk, Pfahringer & Frank 2019; a tree for each class: Friedman 2001, algorithm 6",
	Bounds: []models.Bound{refusedBound},
	Fold:   2,
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		cfg := GradientConfig{
			GracePeriod: a.Float("grace_period"), Delta: a.Float("delta"), Lambda: a.Float("lambda"), Gamma: a.Float("gamma"),
			MaxLeaves: a.Int("max_leaves"), MaxBytes: a.Int("max_bytes"), MaxCategories: a.Int("max_categories"),
		}
		if env.Task == models.Multiclass {
			return NewGradients(env, cfg), nil
		}
		return NewGradient(env, cfg), nil
	},
}

// GradientConfig are the parameters of a stochastic gradient tree, as StochasticGradientTree documents them.
type GradientConfig struct {
	GracePeriod, Delta, Lambda, Gamma  float64
	MaxLeaves, MaxBytes, MaxCategories int
}

// DefaultGradientConfig is what the catalogue's defaults are.
func DefaultGradientConfig() GradientConfig {
	return GradientConfig{GracePeriod: 200, Delta: 1e-7, Lambda: 0.1, Gamma: 1, MaxLeaves: 4096, MaxBytes: 32 << 20, MaxCategories: 64}
}

// warmUp is the number of labels that a regression standardises by.
const warmUp = 100

// gradCell is what learning keeps beside a node: the answer, and sums of gradients by column and bin since it last changed.
type gradCell struct {
	value   float64
	all     sums
	columns []scale // numeric
	tables  [][]sums
}

// sums of weights, first and second derivatives and their products.
type sums struct{ n, g, h, gg, gh, hh float64 }

func (s *sums) add(o *sums) {
	s.n += o.n
	s.g += o.g
	s.h += o.h
	s.gg += o.gg
	s.gh += o.gh
	s.hh += o.hh
}

func (s *sums) less(o *sums) sums {
	return sums{s.n - o.n, s.g - o.g, s.h - o.h, s.gg - o.gg, s.gh - o.gh, s.hh - o.hh}
}

// scale is a histogram of a numeric column that finds its own scale as that of a regression does (see bins.go), with sums of
// gradients in its bins.
type scale struct {
	low, width float64
	bins       [binCount]sums
}

func (s *scale) clear() { *s = scale{low: math.NaN()} }

func (s *scale) add(x float64, o *sums) {
	if !(s.width > 0 && x >= s.low && x < s.low+float64(s.width*binCount)) {
		s.fit(clamp(x))
	}
	s.bins[s.bin(clamp(x))].add(o)
}

func (s *scale) bin(x float64) int {
	if !(s.width > 0) {
		return 0
	}
	return max(0, min(binCount-1, int((x-s.low)/s.width)))
}

func (s *scale) fit(x float64) {
	switch {
	case s.low != s.low:
		s.low = x
		return
	case s.width == 0:
		d := math.Abs(x - s.low)
		width := d * 4 / binCount
		if !(width > 1e-12*math.Abs(x)) || !(width > 1e-12*math.Abs(s.low)) || width < 1e-300 {
			return // the same value
		}
		held, old := s.bins[0], s.low
		s.bins[0] = sums{}
		s.low, s.width = min(x, old)-1.5*d, width
		s.bins[s.bin(old)] = held
	}
	for x < s.low || x >= s.low+float64(s.width*binCount) {
		s.double(x < s.low)
	}
}

// double merges pairs of bins into one half of twice the range.
func (s *scale) double(down bool) {
	var merged [binCount]sums
	offset := 0
	if down {
		offset = binCount / 2
		s.low -= float64(s.width * binCount)
	}
	for i := range binCount / 2 {
		merged[offset+i] = s.bins[2*i]
		merged[offset+i].add(&s.bins[2*i+1])
	}
	s.width *= 2
	s.bins = merged
}

// Gradient is a stochastic gradient tree. It implements models.Learner and models.Publisher.
type Gradient struct {
	body[gradCell]
	cfg GradientConfig

	labels, labelMean, labelSquares float64 // of the first warmUp labels
	least, most                     float64
}

// NewGradient returns an empty tree. It panics for a task that is neither binary nor a regression.
func NewGradient(env models.Env, cfg GradientConfig) *Gradient {
	if env.Task != models.Binary && env.Task != models.Regression {
		panic("tree: a binary classification or a regression is wanted")
	}
	t := &Gradient{body: newBody[gradCell](env, cfg.MaxCategories), cfg: cfg, least: math.Inf(1), most: math.Inf(-1)}
	t.cfg.MaxLeaves = max(1, min(cfg.MaxLeaves, (cfg.MaxBytes-t.ownBytes())/t.leafBytes()))
	t.plant()
	return t
}

// leafBytes is the greatest size of a leaf with the two nodes, or the one branch more, that it adds to a tree.
func (t *Gradient) leafBytes() int {
	scales := heapBytes(int(unsafe.Sizeof(scale{})) * len(t.numeric))
	tables := heapBytes(24*len(t.nominal)) + heapBytes(48*t.cfg.MaxCategories)*len(t.nominal)
	n := scales + tables + 2*nodeBytes[gradCell](false)
	if len(t.nominal) > 0 {
		n += heapBytes(24) + heapBytes(4*t.cfg.MaxCategories)
	}
	return n
}

// ownBytes is the greatest size of what the tree has besides.
func (t *Gradient) ownBytes() int {
	return leastBytes + 24*t.width + len(t.nominal)*2*(heapBytes(8*t.cfg.MaxCategories)*2+heapBytes(4<<bits.Len(uint(2*t.cfg.MaxCategories-1))))
}

func (t *Gradient) plant() {
	t.uproot()
	t.leaves = 1
	t.newLeaf(t.root, 0, 0)
}

// newLeaf makes the node at a place a leaf with an answer and no statistics.
func (t *Gradient) newLeaf(at int32, value float64, depth int32) {
	c := &t.cells[at]
	t.notes[at].depth = depth
	*c = gradCell{value: value, columns: c.columns, tables: c.tables}
	if c.columns == nil {
		c.columns, c.tables = make([]scale, len(t.numeric)), make([][]sums, len(t.nominal))
	}
	t.forget(c)
	t.touch(at)
}

func (t *Gradient) forget(c *gradCell) {
	c.all = sums{}
	for a := range c.columns {
		c.columns[a].clear()
	}
	for k := range c.tables {
		c.tables[k] = c.tables[k][:0]
	}
}

// Predict appends P(Y = 1), or the answer of a regression: the mean until a hundred labels are known.
func (t *Gradient) Predict(dst []float64, e *models.Example) []float64 {
	row := t.dense(e, &t.row)
	return append(dst, t.answers().of(t.cells[t.leaf(&t.layout, t.root, row)].value))
}

// answers is how values of leaves become answers.
type answers struct {
	binary            bool
	mean, spread      float64
	least, most, seen float64
}

func (t *Gradient) answers() answers {
	return answers{t.task == models.Binary, t.labelMean, t.spread(), t.least, t.most, t.labels}
}

func (a answers) of(value float64) float64 {
	switch {
	case a.binary:
		return 1 / (1 + math.Exp(-value))
	case a.seen == 0:
		return 0
	}
	return max(a.least, min(a.most, a.mean+float64(a.spread*value)))
}

func (t *Gradient) spread() float64 {
	if s := math.Sqrt(t.labelSquares / t.labels); s > 0 {
		return s
	}
	return 1
}

// Learn adds the gradient at the example's leaf to the statistics, and changes the leaf when that is due. Examples with a weight
// that is not positive and finite, or a class other than 0 and 1, change nothing.
func (t *Gradient) Learn(e *models.Example, _ []float64) {
	y, w := clamp(e.Y), e.Weight
	if !(w > 0) || math.IsInf(w, 1) || y != y || t.task == models.Binary && y != 0 && y != 1 {
		return
	}
	if t.task == models.Regression && t.warm(y) {
		return
	}
	row := t.dense(e, &t.row)
	at := t.leaf(&t.layout, t.root, row)
	o := t.gradient(t.cells[at].value, y, min(w, 1e9))
	t.absorb(at, row, &o)
}

// absorb adds a gradient to the statistics of a row's leaf, and changes the leaf when that is due.
func (t *Gradient) absorb(at int32, row []float64, o *sums) {
	places, _ := t.find(row)
	c := &t.cells[at]
	c.all.add(o)
	for a, column := range t.numeric {
		if x := row[column]; x-x == 0 {
			c.columns[a].add(x, o)
		}
	}
	for k, p := range places {
		if p >= 0 {
			if len(c.tables[k]) <= int(p) {
				c.tables[k] = lengthen(c.tables[k], int(p)+1, t.dicts[k].places())
			}
			c.tables[k][p].add(o)
		}
	}
	before := c.all.n - o.n
	if math.Floor(c.all.n/t.cfg.GracePeriod) > math.Floor(before/t.cfg.GracePeriod) {
		t.review(at)
	}
}

// warm takes a label into mean and spread while there are few, and the range; it reports whether there were few.
func (t *Gradient) warm(y float64) bool {
	t.least, t.most = min(t.least, y), max(t.most, y)
	if t.labels >= warmUp {
		t.soil(t.root) // snapshots hold the range
		return false
	}
	t.labels++
	d := y - t.labelMean
	t.labelMean += d / t.labels
	t.labelSquares += float64(d * (y - t.labelMean))
	t.touch(t.root)
	return true
}

// mostGradient bounds a gradient of a regression, in standard deviations, so that no label can move a leaf without end.
const mostGradient = 100

// gradient of the loss at a leaf's answer: p − y and p(1 − p), or the difference in standard deviations and 1.
func (t *Gradient) gradient(value, y, w float64) sums {
	g, h := 0.0, 1.0
	if t.task == models.Binary {
		p := 1 / (1 + math.Exp(-value))
		g, h = p-y, p*(1-p)
	} else {
		g = max(-mostGradient, min(mostGradient, value-(y-t.labelMean)/t.spread()))
	}
	return weighed(g, h, w)
}

// weighed is the gradient of one example with a weight.
func weighed(g, h, w float64) sums { return sums{w, w * g, w * h, w * g * g, w * g * h, w * h * h} }

// change is what can be done to a leaf: move its answer (no column), or split.
type change struct {
	candidate
	loss, square float64 // sums of the change of loss over the examples, and of its squares
	n            float64
}

// step is the Newton step for a group of examples.
func (t *Gradient) step(s *sums) float64 {
	if !(s.h+t.cfg.Lambda > 0) {
		return 0
	}
	return max(-8, min(8, -s.g/(s.h+t.cfg.Lambda)))
}

// count adds a group that moves by its own step: each example's loss changes by g·v + h·v²/2.
func (c *change) count(t *Gradient, s *sums) {
	v := t.step(s)
	c.n += s.n
	c.loss += float64(v*s.g) + float64(v*v*s.h/2)
	c.square += float64(v*v*s.gg) + float64(v*v*v*s.gh) + float64(v*v*v*v*s.hh/4)
}

// review moves or splits a leaf if that lowers the loss by a one-sample test.
func (t *Gradient) review(at int32) {
	c := &t.cells[at]
	best := change{candidate: nullSplit}
	best.count(t, &c.all)
	if t.leaves < t.cfg.MaxLeaves && t.notes[at].depth < maxDepth {
		t.bestSplit(c, &best)
	} else {
		t.dropped.splits++
	}
	mean := best.loss / best.n
	variance := best.square/best.n - mean*mean
	if !(mean < 0) || !(best.n > 2) {
		return
	}
	// F = n·mean²/variance on 1 and n − 1 degrees of freedom is t²; with two hundred examples t is normal.
	if f := best.n * mean * mean / max(variance, 1e-300); math.Erfc(math.Sqrt(f/2)) < t.cfg.Delta {
		t.apply(at, &best)
	}
}

// bestSplit replaces best where a split saves more, the price of its leaves counted.
func (t *Gradient) bestSplit(c *gradCell, best *change) {
	least := best.loss
	for a, column := range t.numeric {
		s := &c.columns[a]
		var all, left sums
		for i := range s.bins {
			all.add(&s.bins[i])
		}
		for i := range binCount - 1 {
			if s.bins[i].n == 0 {
				continue
			}
			left.add(&s.bins[i])
			right := all.less(&left)
			if left.n < leastSide || right.n < leastSide {
				continue
			}
			x := change{candidate: candidate{column: column, slot: -1, at: a, threshold: s.low + float64(s.width*float64(i+1))}}
			x.count(t, &left)
			x.count(t, &right)
			if x.loss+t.cfg.Gamma < least {
				least, *best = x.loss+t.cfg.Gamma, x
			}
		}
	}
	for k, column := range t.nominal {
		x, groups := change{candidate: candidate{column: column, slot: int32(k), at: k}}, 0
		for i := range c.tables[k] {
			if s := &c.tables[k][i]; s.n > 0 {
				x.count(t, s)
				groups++
			}
		}
		if price := t.cfg.Gamma * float64(groups-1); groups > 1 && t.leaves+groups-1 <= t.cfg.MaxLeaves && x.loss+price < least {
			least, *best = x.loss+price, x
		}
	}
}

// apply makes a change.
func (t *Gradient) apply(at int32, x *change) {
	c := &t.cells[at]
	if x.column < 0 {
		c.value = bounded(c.value + t.step(&c.all))
		t.forget(c)
		t.soil(at)
		return
	}
	groups, branch := t.groups(c, x)
	first := t.take(len(groups))
	old := t.cells[at]
	n := node{threshold: x.threshold, first: first, column: x.column, slot: x.slot}
	if x.slot >= 0 {
		b := branch // branch itself would be allocated for a split of numbers too
		n.branch = &b
	}
	for i := range groups {
		if i == 0 { // the memory of the leaf goes on in its first branch
			t.cells[first].columns, t.cells[first].tables = old.columns, old.tables
		}
		t.newLeaf(first+int32(i), bounded(old.value+t.step(&groups[i])), t.notes[at].depth+1)
		if groups[i].n > groups[n.usual].n {
			n.usual = int32(i)
		}
	}
	t.cells[at] = gradCell{}
	t.become(at, n)
	t.leaves += len(groups) - 1
}

// bounded keeps the value of a leaf where its probability is a number other than 0 and 1, and its answer is finite.
func bounded(v float64) float64 { return max(-30, min(30, v)) }

// groups returns the sums of each branch of a split, and for a category the branch of each place.
func (t *Gradient) groups(c *gradCell, x *change) (groups []sums, branch []int32) {
	if x.slot < 0 {
		s := &c.columns[x.at]
		groups = make([]sums, 2)
		for i := range s.bins {
			side := 1
			if s.low+float64(s.width*float64(i+1)) <= x.threshold {
				side = 0
			}
			groups[side].add(&s.bins[i])
		}
		return groups, nil
	}
	for _, s := range c.tables[x.at] {
		if s.n > 0 {
			branch = append(branch, int32(len(groups)))
			groups = append(groups, s)
		} else {
			branch = append(branch, -1)
		}
	}
	return groups, branch
}

// ActiveLeaves returns the number of leaves, which all keep statistics.
func (t *Gradient) ActiveLeaves() int { return t.leaves }
