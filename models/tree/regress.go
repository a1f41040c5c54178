package tree

import (
	"math"

	"github.com/freshet-ml/freshet/models"
)

// Leaf models of a regression tree.
const (
	leafMean     = "mean"
	leafLinear   = "linear"
	leafAdaptive = "adaptive"
)

// RegressConfig are the parameters of a regression tree, as HoeffdingTreeRegressor documents them.
type RegressConfig struct {
	GracePeriod   float64
	Delta         float64
	Tau           float64
	Leaf          string
	Splitter      string
	Rate          float64 // of the linear models
	MaxLeaves     int
	MaxBytes      int
	MaxCategories int
	// Subspace is the number of columns that a leaf may split on, 0 for all; they are drawn for each leaf anew, with Seed.
	// Its linear model has all.
	Subspace int
	Seed     uint64
}

// DefaultRegressConfig is what the catalogue's defaults are.
func DefaultRegressConfig() RegressConfig {
	return RegressConfig{
		GracePeriod: 200, Delta: 1e-7, Tau: 0.05, Leaf: leafAdaptive, Splitter: splitQuantised, Rate: 0.1,
		MaxLeaves: 16384, MaxBytes: 32 << 20, MaxCategories: 64,
	}
}

// errorFading is how much of the leaf's squared errors each example leaves of those before.
const errorFading = 0.95

// rateDecay slows the linear model of a leaf down: its rate is Rate/(1 + rateDecay·weight).
const rateDecay = 0.001

// regCell is what learning keeps beside a node of a regression tree.
type regCell struct {
	regAnswer
	weight    float64
	seen      float64 // weight learned here; weight holds what the split expected besides
	tried     float64
	reference float64   // that sums of labels are relative to
	bins      []float64 // by numeric column; nil: inactive, or trees
	trees     []bst     // by numeric column, with the splitter e_bst
	tables    [][]float64
	draw      uint64 // number of the draw of the watched columns
	watched   []bool // by column; nil: all, or inactive
	active    bool
}

// regAnswer is what a leaf answers from.
type regAnswer struct {
	mean        float64
	meanError   float64   // faded squared errors
	linearError float64   //
	linear      []float64 // intercept, then a weight for each numeric column
}

// regTree is what the regression trees share.
type regTree struct {
	growing[regCell, *regCell]
	scaling
	cfg  RegressConfig
	sums [][2]float64 // scratch
}

// Dropped adds what the bounds have cost so far.
func (t *regTree) Dropped(d *models.Drops) {
	t.body.Dropped(d)
	if t.cfg.Splitter == splitTree {
		d.Add(valuesMerged, t.dropped.values)
	}
}

func newRegTree(env models.Env, cfg RegressConfig) regTree {
	if env.Task != models.Regression {
		panic("tree: a regression is wanted")
	}
	t := regTree{cfg: cfg}
	t.body = newBody[regCell](env, cfg.MaxCategories)
	t.scaling = newScaling(len(t.numeric))
	t.measure()
	t.plant()
	return t
}

func (t *regTree) plant() {
	t.uproot()
	t.leaves = 1
	t.newLeaf(t.root, nil, 0)
}

// newLeaf makes the node at a place an active leaf with a copy of the linear model of the one that it came from.
func (t *regTree) newLeaf(at int32, linear []float64, depth int32) {
	c := &t.cells[at]
	*c = regCell{}
	t.notes[at] = note{depth: depth}
	c.linear = t.lines.take(1+len(t.numeric), t.ample)
	if linear == nil {
		clear(c.linear)
	}
	copy(c.linear, linear)
	if t.random() {
		c.draw = t.draws
		t.draws++
	}
	t.enliven(c)
	t.touch(at)
}

// random reports whether leaves watch some columns only.
func (t *regTree) random() bool { return t.cfg.Subspace > 0 && t.cfg.Subspace < t.width }

// watchColumns marks the columns of a leaf's draw.
func (t *regTree) watchColumns(c *regCell) {
	clear(c.watched)
	for _, column := range t.choice.subset(t.cfg.Seed, c.draw, t.cfg.Subspace, t.width) {
		c.watched[column] = true
	}
}

// watches reports whether a leaf may split on a column.
func (c *regCell) watches(column int32) bool { return c.watched == nil || c.watched[column] }

// enliven gives a leaf empty statistics.
func (t *regTree) enliven(c *regCell) {
	if len(t.spare) == 0 {
		t.limitTo(t.statBytes())
		t.supply(t.more(t.heldBytes()))
	}
	m := t.house()
	c.bins, c.trees, c.tables, c.watched, c.active = m.bins, m.trees, m.tables, m.watched, true
	t.active++
	if t.random() {
		t.watchColumns(c)
	}
	for at := 0; at < len(c.bins); at += binsLen {
		clearBins(c.bins[at:])
	}
	for a := range c.trees {
		c.trees[a].nodes = c.trees[a].nodes[:0]
	}
	for k := range c.tables {
		c.tables[k] = c.tables[k][:0]
	}
}

// tableRoom is the memory of the k-th table of a leaf with the categories that there are; 0 if it is too large to be taken before it is needed.
func (t *regTree) tableRoom(k int) int {
	if n := 2 * t.dicts[k].places(); n <= atOnce {
		return n
	}
	return 0
}

// heldNumbers is how many numbers the memory of a leaf has room for: of its bins, of which there are those of each column that it may watch, and of both and its tables.
func (t *regTree) heldNumbers() (bins, all int) {
	if t.cfg.Splitter != splitTree {
		n := len(t.numeric)
		if t.random() {
			n = min(n, t.cfg.Subspace)
		}
		bins = binsLen * n
	}
	all = bins
	for k := range t.nominal {
		all += t.tableRoom(k)
	}
	return bins, all
}

// heldBytes is what a leaf takes of that.
func (t *regTree) heldBytes() int {
	_, all := t.heldNumbers()
	return 8 * all
}

// supply takes memory for n leaves at once.
func (t *regTree) supply(n int) {
	bins, all := t.heldNumbers()
	slots, columns := len(t.nominal), len(t.numeric)
	numbers, tables := make([]float64, n*all), make([][]float64, n*slots)
	var trees []bst
	if t.cfg.Splitter == splitTree {
		trees = make([]bst, n*columns)
	}
	var watched []bool
	if t.random() {
		watched = make([]bool, n*t.width)
	}
	for i := range n {
		var c regCell
		x := numbers[i*all : (i+1)*all : (i+1)*all]
		if t.cfg.Splitter != splitTree {
			c.bins, x = x[:bins:bins], x[bins:]
		} else {
			c.trees = trees[i*columns : (i+1)*columns : (i+1)*columns]
		}
		c.tables = tables[i*slots : (i+1)*slots : (i+1)*slots]
		for k := range c.tables {
			room := t.tableRoom(k)
			c.tables[k], x = x[:0:room], x[room:]
		}
		if watched != nil {
			c.watched = watched[i*t.width : (i+1)*t.width : (i+1)*t.width]
		}
		t.spare = append(t.spare, c)
	}
}

// move moves the statistics to other memory; search trees stand alone.
func (c *regCell) move(m *regCell) {
	copy(m.bins, c.bins)
	copy(m.trees, c.trees)
	copy(m.watched, c.watched)
	for k, table := range c.tables {
		if len(table) <= atOnce { // larger ones stand alone
			table = append(m.tables[k], table...)
		}
		m.tables[k] = table
	}
	c.bins, c.trees, c.tables, c.watched = m.bins, m.trees, m.tables, m.watched
}

// line is where a leaf keeps its linear model.
func (c *regCell) line() *[]float64 { return &c.linear }

// keeps reports whether a leaf keeps statistics.
func (c *regCell) keeps() bool { return c.active }

// deactivate takes the statistics from a leaf, which goes on with its mean and its linear model.
func (c *regCell) deactivate() {
	c.bins, c.trees, c.tables, c.watched, c.active = nil, nil, nil, nil, false
}

// answer is what a leaf says to a row.
func (c *regAnswer) answer(kind string, lay *layout, sc *scaled, row []float64) float64 {
	if kind == leafLinear || kind == leafAdaptive && c.linearError < c.meanError {
		return sc.clip(sc.apply(c.linear, lay.numeric, row))
	}
	return c.mean
}

// Predict appends the answer, 0 before the first label.
func (t *regTree) Predict(dst []float64, e *models.Example) []float64 {
	row := t.dense(e, &t.row)
	c := &t.cells[t.leaf(&t.layout, t.root, row)]
	return append(dst, c.answer(t.cfg.Leaf, &t.layout, t.now, row))
}

// usable reports whether an example can be learned, and its label, bounded.
func (t *regTree) usable(e *models.Example) (float64, bool) {
	return clamp(e.Y), e.Weight > 0 && !math.IsInf(e.Weight, 1) && e.Y == e.Y
}

// read returns the dense row of an example, and the places of its categories, and takes row and label into the scale.
func (t *regTree) read(e *models.Example, y float64) (row []float64, places []int32) {
	row = t.dense(e, &t.row)
	places, added := t.find(row)
	if added {
		t.bound() // tables may grow
	}
	t.see(t.numeric, row, y, e.Weight)
	return row, places
}

// train lets a leaf learn.
func (t *regTree) train(at int32, row []float64, places []int32, y, w float64) {
	c := &t.cells[at]
	t.soil(at)
	t.fit(c, row, y, w)
	if c.weight == 0 {
		c.reference = y
	}
	c.weight += w
	c.seen += w
	c.mean += float64((y - c.mean) * (w / c.weight))
	if !c.active {
		return
	}
	s, bins := float64(w*(y-c.reference)), c.bins
	for a, column := range t.numeric {
		if !c.watches(column) {
			continue
		}
		x := row[column]
		switch {
		case c.bins == nil && x-x == 0:
			t.dropped.values += c.trees[a].add(x, w, s)
		case c.bins != nil:
			if x-x == 0 {
				addBins(bins[:binsLen:binsLen], x, w, s)
			}
			bins = bins[binsLen:]
		}
	}
	for k, p := range places {
		if p >= 0 && c.watches(t.nominal[k]) {
			c.tables[k] = countSums(c.tables[k], int(p), t.dicts[k].places(), w, s)
		}
	}
	if c.weight-c.tried >= t.cfg.GracePeriod {
		c.tried = c.weight
		t.trySplit(at)
	}
}

// fit moves the leaf's linear model towards the label: a least mean squares step on scaled values, no longer than to the
// label itself.
func (t *regTree) fit(c *regCell, row []float64, y, w float64) {
	if t.cfg.Leaf == leafMean {
		return
	}
	if c.weight == 0 && c.linear[0] == 0 {
		c.linear[0] = y
	}
	sc := t.now
	p, norm := sc.applyNorm(c.linear, t.numeric, row)
	if t.cfg.Leaf == leafAdaptive {
		d, m := y-sc.clip(p), y-c.mean
		c.linearError = float64(errorFading*c.linearError) + float64(d*d)
		c.meanError = float64(errorFading*c.meanError) + float64(m*m)
	}
	rate := min(t.cfg.Rate/(1+float64(rateDecay*c.seen))*w, 1/(1+norm))
	step := rate * clamp(y-p)
	c.linear[0] += step
	for a, column := range t.numeric {
		c.linear[1+a] += float64(step * sc.value(a, row[column]))
	}
}

// countSums adds to a table of weight and sum by place, of as many as there are.
func countSums(t []float64, place, places int, w, s float64) []float64 {
	t = lengthen(t, 2*(place+1), 2*places)
	t[2*place] += w
	t[2*place+1] += s
	return t
}

// tableReduction is the variance that a split into one branch per value takes away, −∞ if fewer than two branches hold enough.
func tableReduction(t []float64) float64 {
	n, s, full := 0.0, 0.0, 0
	for i := 0; i < len(t); i += 2 {
		n, s = n+t[i], s+t[i+1]
		if t[i] >= leastSide {
			full++
		}
	}
	if full < 2 {
		return math.Inf(-1)
	}
	sum := 0.0
	for i := 0; i < len(t); i += 2 {
		if t[i] > 0 {
			d := t[i+1] - float64(s/n*t[i])
			sum += float64(d*d) / t[i]
		}
	}
	return sum / n
}

// trySplit splits a leaf if its best split reduces the variance so much more than the second best that their ratio is below
// 1 by the Hoeffding bound (R = 1), or if the bound is below τ (Ikonomovska et al. 2011, §4.2).
func (t *regTree) trySplit(at int32) {
	c := &t.cells[at]
	if t.notes[at].depth >= maxDepth {
		return
	}
	r, watched := newRanking(), 0
	for a, column := range t.numeric {
		if !c.watches(column) {
			continue
		}
		s := candidate{column: column, slot: -1, at: a}
		if c.bins != nil {
			s.at = watched
			s.merit, s.threshold = cutBins(c.bins[s.at*binsLen : (s.at+1)*binsLen])
			watched++
		} else {
			s.merit, s.threshold = c.trees[a].cut()
		}
		r.consider(s)
	}
	for k, column := range t.nominal {
		if !c.watches(column) {
			continue
		}
		r.consider(candidate{merit: tableReduction(c.tables[k]), column: column, slot: int32(k), at: k})
	}
	bound := hoeffding(1, t.cfg.Delta, c.weight)
	if r.best.column >= 0 && (max(r.second.merit, 0)/r.best.merit < 1-bound || bound < t.cfg.Tau) {
		t.split(at, r.best)
	}
}

// expect returns weight and sum of labels of each branch, and for a category the branch of each place.
func (t *regTree) expect(c *regCell, s candidate) (sums [][2]float64, branch []int32) {
	sums = t.sums[:0]
	if s.slot < 0 {
		var left, right [2]float64
		if c.bins != nil {
			left, right = sidesOf(c.bins[s.at*binsLen:(s.at+1)*binsLen], s.threshold)
		} else {
			left, right = c.trees[s.at].sides(s.threshold)
		}
		t.sums = append(sums, left, right)
		return t.sums, nil
	}
	table := c.tables[s.at]
	for i := 0; i < len(table); i += 2 {
		if table[i] > 0 {
			branch = append(branch, int32(len(sums)))
			sums = append(sums, [2]float64{table[i], table[i+1]})
		} else {
			branch = append(branch, -1)
		}
	}
	t.sums = sums
	return sums, branch
}

// split makes a leaf a split. Its leaves start with the means that it expects and its linear model.
func (t *regTree) split(at int32, s candidate) {
	sums, branch := t.expect(&t.cells[at], s)
	if !t.fits(len(sums), len(sums)-1, 4*len(branch)) {
		t.dropped.splits++
		return
	}
	first := t.take(len(sums))
	old := t.cells[at]
	n := node{threshold: s.threshold, first: first, column: s.column, slot: s.slot}
	if s.slot >= 0 {
		b := branch // branch itself would be allocated for a split of numbers too
		n.branch = &b
	}
	depth := t.notes[at].depth
	t.cells[at].linear = nil // the branches begin with it
	t.recycle(&t.cells[at])
	t.cells[at] = regCell{}
	for i, sum := range sums {
		t.newLeaf(first+int32(i), old.linear, depth+1)
		c := &t.cells[first+int32(i)]
		c.weight, c.mean = sum[0], old.mean
		if sum[0] > 0 {
			c.mean = old.reference + sum[1]/sum[0]
		}
		c.tried, c.reference = c.weight, c.mean
		c.meanError, c.linearError = old.meanError, old.linearError
		if c.weight > t.cells[first+n.usual].weight {
			n.usual = int32(i)
		}
	}
	t.lines.give(old.linear)
	t.become(at, n)
	t.leaves += len(sums) - 1
	t.bound()
}

// measure says what the parts of the tree take: see bounds.
func (t *regTree) measure() {
	linear := heapBytes(8 * (1 + len(t.numeric)))
	t.maxBytes, t.maxLeaves = t.cfg.MaxBytes, t.cfg.MaxLeaves
	t.nodeBytes, t.leafBytes = nodeBytes[regCell](false), regLeafBytes+linear
	if t.cfg.Leaf != leafMean {
		t.leafBytes += linear
	}
	t.ownBytes = 8 * (8*len(t.numeric) + 3*t.width + 4*t.cfg.MaxCategories)
}

// statBytes is the greatest size that the statistics of a leaf can have with the categories that there are.
func (t *regTree) statBytes() int {
	n := heapBytes(24 * len(t.nominal))
	if t.cfg.Splitter == splitTree {
		n += heapBytes(24*len(t.numeric)) + bstBytes*len(t.numeric)
	} else {
		n += heapBytes(8 * binsLen * len(t.numeric))
	}
	if t.random() {
		n += heapBytes(t.width)
	}
	for _, d := range t.dicts {
		n += heapBytes(16 * d.places())
	}
	return n
}

// bound deactivates the least promising leaves while there are more active ones than memory allows. Cost: O(nodes); it runs after a split
// and when there is a new category, and does more than to compare in a full tree only.
func (t *regTree) bound() {
	for t.limitTo(t.statBytes()); t.active > t.limit; {
		c := &t.cells[t.leastPromising()]
		old := *c
		c.deactivate()
		old.linear = nil // the leaf's own still
		t.recycle(&old)
		t.dropped.leaves++
	}
	if t.scattered() {
		t.gather(t.supply)
	}
	t.align()
}

// promise is what a leaf could gain: its weight times the error it makes now.
func (c *regCell) promise() float64 {
	if c.meanError > 0 {
		return c.weight * min(c.meanError, max(c.linearError, c.meanError/1e6))
	}
	return c.weight
}
