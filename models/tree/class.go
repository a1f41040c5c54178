package tree

import (
	"math"

	"github.com/freshet-ml/freshet/models"
)

// Config are the parameters of a classification tree, as HoeffdingTree documents them, and what ensembles set.
type Config struct {
	GracePeriod   float64
	Delta         float64
	Tau           float64
	Leaf          string
	MaxLeaves     int
	MaxBytes      int
	MaxCategories int
	Bins          int // of a numeric column, by which splits are found; 0: the normal distributions of the classes
	// Subspace is the number of columns that a leaf watches, 0 for all. They are drawn for each leaf anew, or once for
	// the tree if PerTree is set, with Seed.
	Subspace int
	PerTree  bool
	Seed     uint64
}

// DefaultConfig is what the catalogue's defaults are.
func DefaultConfig() Config {
	return Config{GracePeriod: 200, Delta: 1e-7, Tau: 0.05, Leaf: leafNBA, MaxLeaves: 16384, MaxBytes: 32 << 20, MaxCategories: 64}
}

// cell is what learning keeps beside a node of a classification tree.
type cell struct {
	classStats
	tried    float64 // weight at the last attempt to split
	bayes    float64 // weight that naive Bayes got right
	majority float64 // weight that the majority class got right
}

// classTree is what the classification trees share.
type classTree struct {
	growing[cell, *cell]
	cfg     Config
	all     *scope        // of all columns
	shared  *scope        // the columns that all leaves watch, with PerTree; nil: not drawn yet
	anytime bool          // a Hoeffding anytime tree: splits keep their statistics, and need only be better than none
	scopes  shelf[*scope] // of the last snapshot, with columns of each leaf's own

	drawn    scope // scratch: the columns of the last draw
	none     []float64
	scratch  []float64
	expected []float64
	last     lastVote
}

// lastVote keeps what Predict computed for Learn, which mostly follows with the same row. It is no state: without it the
// same numbers are computed again.
type lastVote struct {
	valid bool // nothing was learned since
	bayes bool // votes hold the log-votes of naive Bayes
	leaf  int32
	row   []float64
	votes []float64
}

func newClassTree(env models.Env, cfg Config) classTree {
	if env.Task == models.Binary {
		env.Classes = 2
	}
	if env.Task != models.Binary && env.Task != models.Multiclass || env.Classes < 2 {
		panic("tree: a classification with two classes or more is wanted")
	}
	t := classTree{cfg: cfg}
	t.body = newBody[cell](env, cfg.MaxCategories)
	t.all = &scope{numeric: t.numeric, slots: t.slots}
	t.scratch, t.none = make([]float64, 2*t.classes), make([]float64, t.classes)
	t.last = lastVote{row: make([]float64, t.width), votes: make([]float64, t.classes)}
	t.measure()
	t.plant()
	return t
}

// plant makes the tree one empty leaf.
func (t *classTree) plant() {
	t.uproot()
	t.leaves, t.last.valid = 1, false
	t.newLeaf(t.root, t.none, 0)
}

// newLeaf makes the node at a place an active leaf that starts with class weights.
func (t *classTree) newLeaf(at int32, counts []float64, depth int32) {
	c := &t.cells[at]
	*c = cell{}
	t.notes[at] = note{depth: depth}
	c.classes = int32(t.classes)
	c.scope = t.subspace()
	c.block = counts
	for _, n := range counts {
		c.weight += n
	}
	c.tried = c.weight
	t.enliven(c)
	t.touch(at)
}

// enliven gives a leaf empty statistics.
func (t *classTree) enliven(c *cell) {
	if len(t.spare) == 0 {
		t.limitTo(t.statBytes())
		t.supply(t.more(t.heldBytes()))
	}
	m := t.house()
	if t.own() {
		m.scope.set(c.scope)
		c.scope = m.scope
	}
	block := m.block[:blockLen(t.classes, len(c.numeric))]
	copy(block, c.block[:t.classes])
	c.tables = m.tables[:len(c.slots)]
	if n := histogramLen(len(c.numeric), t.classes, t.cfg.Bins); t.cfg.Bins > 0 && n > 0 {
		c.bins = m.bins[:n]
		clear(c.bins)
	}
	c.activate(block)
	t.active++
}

// own reports whether every leaf has columns of its own.
func (t *classTree) own() bool { return t.random() && !t.cfg.PerTree }

// watched is the greatest number of numeric columns and of slots that a leaf watches.
func (t *classTree) watched() (columns, slots int) {
	columns, slots = len(t.numeric), len(t.nominal)
	if t.random() {
		columns, slots = min(columns, t.cfg.Subspace), min(slots, t.cfg.Subspace)
	}
	return columns, slots
}

// tableRoom is the memory of the k-th table of a leaf with the categories that there are; 0 if it is too large to be taken before it is needed.
func (t *classTree) tableRoom(k int) int {
	places := 0
	for i, d := range t.dicts {
		if i == k || t.random() {
			places = max(places, d.places())
		}
	}
	if n := (places + 1) * t.classes; places > 0 && n <= atOnce {
		return n
	}
	return 0
}

// heldNumbers is how many numbers the memory of a leaf has room for: of its block, of its bins and of both and its tables.
func (t *classTree) heldNumbers() (block, bins, all int) {
	columns, slots := t.watched()
	block = blockLen(t.classes, columns)
	if t.cfg.Bins > 0 {
		bins = histogramLen(columns, t.classes, t.cfg.Bins)
	}
	all = block + bins
	for k := range slots {
		all += t.tableRoom(k)
	}
	return block, bins, all
}

// heldBytes is what a leaf takes of that.
func (t *classTree) heldBytes() int {
	_, _, all := t.heldNumbers()
	return 8 * all
}

// supply takes memory for n leaves at once.
func (t *classTree) supply(n int) {
	_, slots := t.watched()
	block, bins, all := t.heldNumbers()
	numbers, tables := make([]float64, n*all), make([][]float64, n*slots)
	var scopes []scope
	var columns []int32
	if t.own() {
		scopes, columns = make([]scope, n), make([]int32, n*t.cfg.Subspace)
	}
	for i := range n {
		var c cell
		x := numbers[i*all : (i+1)*all : (i+1)*all]
		c.block, c.bins, x = x[:block:block], x[block:block+bins:block+bins], x[block+bins:]
		c.tables = tables[i*slots : (i+1)*slots : (i+1)*slots]
		for k := range c.tables {
			room := t.tableRoom(k)
			c.tables[k], x = x[:0:room], x[room:]
		}
		if scopes != nil {
			c.scope = &scopes[i]
			c.scope.room = columns[i*t.cfg.Subspace : (i+1)*t.cfg.Subspace]
		}
		t.spare = append(t.spare, c)
	}
}

// move moves the statistics to other memory.
func (c *cell) move(m *cell) {
	block := m.block[:len(c.block)]
	copy(block, c.block)
	c.block = block
	if c.bins != nil {
		bins := m.bins[:len(c.bins)]
		copy(bins, c.bins)
		c.bins = bins
	}
	tables := m.tables[:len(c.tables)]
	for k, table := range c.tables {
		if len(table) <= atOnce { // larger ones stand alone
			table = append(tables[k], table...)
		}
		tables[k] = table
	}
	c.tables = tables
	if m.scope != nil {
		m.scope.set(c.scope)
		c.scope = m.scope
	}
}

// line is where a node without statistics keeps its class weights.
func (c *cell) line() *[]float64 {
	if c.active {
		return nil
	}
	return &c.block
}

// random reports whether leaves watch some columns only.
func (t *classTree) random() bool { return t.cfg.Subspace > 0 && t.cfg.Subspace < t.width }

// subspace returns the columns that a new leaf watches.
func (t *classTree) subspace() *scope {
	switch {
	case !t.random():
		return t.all
	case t.cfg.PerTree && t.draws > 0 && t.shared != nil:
		return t.shared
	}
	draw := t.draws
	t.draws++
	if t.cfg.PerTree {
		t.shared = t.draw(t.cfg.Subspace, 0)
		return t.shared
	}
	return t.draw(t.cfg.Subspace, draw)
}

// draw picks m columns: of the draws-th PCG stream of the seed. Those of a leaf are valid until the next draw.
func (t *classTree) draw(m int, draws uint64) *scope {
	columns := t.choice.subset(t.cfg.Seed, draws, m, t.width)
	nominal := 0
	for _, column := range columns {
		if t.slot[column] >= 0 {
			nominal++
		}
	}
	s := &t.drawn
	if t.cfg.PerTree {
		s = &scope{}
	}
	if cap(s.room) < m {
		s.room = make([]int32, m)
	}
	s.numeric, s.slots = s.room[:0:m-nominal], s.room[m-nominal:m-nominal]
	for _, column := range columns {
		if slot := t.slot[column]; slot >= 0 {
			s.slots = append(s.slots, slot)
		} else {
			s.numeric = append(s.numeric, column)
		}
	}
	return s
}

// usable reports whether an example can be learned, and its class.
func (t *classTree) usable(e *models.Example, w float64) (int, bool) {
	y := int(e.Y)
	return y, w > 0 && !math.IsInf(w, 1) && y >= 0 && y < t.classes
}

// read returns the dense row of an example, and the places of its categories.
func (t *classTree) read(e *models.Example) (row []float64, places []int32) {
	row = t.dense(e, &t.row)
	places, added := t.find(row)
	if added {
		t.last.valid = false // its votes left the value out
		t.bound()            // tables may grow
	}
	return row, places
}

// Predict appends P(Y = 1), or one probability for each class. An empty tree answers equal
// probabilities. It does not allocate if dst has room for two numbers more than the answer.
func (t *classTree) Predict(dst []float64, e *models.Example) []float64 {
	return t.predict(dst, e, false)
}

// Probabilities appends one probability for each class, for binary tasks too.
func (t *classTree) Probabilities(dst []float64, e *models.Example) []float64 {
	return t.predict(dst, e, true)
}

// predict appends the answer for a row: P(Y = 1), or one probability for each class if all.
func (t *classTree) predict(dst []float64, e *models.Example, all bool) []float64 {
	row := t.dense(e, &t.row)
	at := t.leaf(&t.layout, t.root, row)
	t.remember(row, at)
	c := &t.cells[at]
	if t.byBayes(c) {
		t.bayesVotes(c, row)
		if len(t.last.votes) == 2 && !all && t.task == models.Binary {
			return append(dst, logistic(t.last.votes))
		}
		start := len(dst)
		dst = append(dst, t.last.votes...)
		softmax(dst[start:])
		return narrow(dst, start, t.task, all)
	}
	start := len(dst)
	dst = append(dst, t.last.votes...)
	frequencies(dst[start:], c.counts())
	return narrow(dst, start, t.task, all)
}

// narrow keeps P(Y = 1) of two probabilities.
func narrow(dst []float64, start int, task models.Task, all bool) []float64 {
	if task != models.Binary || all {
		return dst
	}
	dst[start] = dst[start+1]
	return dst[:start+1]
}

// logistic is the probability of the second of two log-votes, ½ if both are −∞.
func logistic(v []float64) float64 {
	if v[0] == v[1] {
		return 0.5
	}
	return 1 / (1 + math.Exp(v[0]-v[1]))
}

func (t *classTree) byBayes(c *cell) bool {
	return c.active && (t.cfg.Leaf == leafNB || t.cfg.Leaf == leafNBA && c.bayes >= c.majority)
}

func (t *classTree) remember(row []float64, at int32) {
	t.last.valid, t.last.bayes, t.last.leaf = true, false, at
	copy(t.last.row, row)
}

func (t *classTree) bayesVotes(c *cell, row []float64) {
	if !t.last.bayes {
		c.votes(&t.layout, t.last.votes, row)
		t.last.bayes = true
	}
}

// classOf is the class that a leaf answers for a row.
func (t *classTree) classOf(at int32, row []float64) int {
	if !t.last.valid || t.last.leaf != at {
		t.remember(row, at)
	}
	c := &t.cells[at]
	if !t.byBayes(c) {
		return argmax(c.counts())
	}
	t.bayesVotes(c, row)
	return argmax(t.last.votes)
}

// settle finds the leaf of a row, from memory if Predict has just seen it.
func (t *classTree) settle(row []float64) int32 {
	if t.last.valid && sameRow(t.last.row, row) {
		return t.last.leaf
	}
	at := t.leaf(&t.layout, t.root, row)
	t.remember(row, at)
	return at
}

func sameRow(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i, v := range a {
		if math.Float64bits(v) != math.Float64bits(b[i]) {
			return false
		}
	}
	return true
}

// train lets the leaf at a place learn a row of class y.
func (t *classTree) train(at int32, row []float64, places []int32, y int, w float64) {
	c := &t.cells[at]
	t.soil(at)
	if c.active && t.cfg.Leaf == leafNBA {
		t.weigh(c, at, row, y, w)
	}
	c.add(&t.layout, row, places, y, w)
	t.last.valid = false
	if c.active && c.weight-c.tried >= t.cfg.GracePeriod {
		c.tried = c.weight
		if !c.pure() {
			t.trySplit(at)
		}
	}
}

// weigh counts how often naive Bayes and the majority class would have been right.
func (t *classTree) weigh(c *cell, at int32, row []float64, y int, w float64) {
	votes := t.last.votes
	if t.last.valid && t.last.leaf == at {
		t.bayesVotes(c, row)
	} else {
		t.last.valid = false
		c.votes(&t.layout, votes, row)
	}
	if argmax(votes) == y {
		c.bayes += w
	}
	if argmax(c.counts()) == y {
		c.majority += w
	}
}

// trySplit splits a leaf if its best split beats the second best by the Hoeffding bound, or if the bound is below τ
// (Domingos & Hulten 2000, §3). R is log₂ of the classes with weight in the leaf. Not to split is a candidate of gain 0: the one to beat for
// an anytime tree (Manapragada et al. 2018, algorithm 2).
func (t *classTree) trySplit(at int32) {
	c := &t.cells[at]
	if t.notes[at].depth >= maxDepth {
		return
	}
	bound := hoeffding(c.reach(), t.cfg.Delta, c.weight)
	if bound >= t.cfg.Tau && entropy(c.counts()) <= bound {
		return // no split can gain as much
	}
	r := c.rank(&t.layout, t.scratch)
	rival := r.second.merit
	if t.anytime {
		rival = 0
	}
	if r.best.column >= 0 && (r.best.merit-rival > bound || bound < t.cfg.Tau) {
		t.split(at, r.best)
	}
}

// split makes a leaf a split, whose leaves start with the class weights that it expects.
func (t *classTree) split(at int32, s candidate) bool {
	var branch []int32
	t.expected, branch = t.cells[at].expect(s, t.expected[:0], nil)
	k := len(t.expected) / t.classes
	if !t.fits(k, k-1, 4*len(branch)) {
		t.dropped.splits++
		return false
	}
	first, depth := t.take(k), t.notes[at].depth
	n := node{threshold: s.threshold, first: first, column: s.column, slot: s.slot}
	if s.slot >= 0 {
		b := branch // branch itself would be allocated for a split of numbers too
		n.branch = &b
	}
	if !t.anytime {
		t.recycle(&t.cells[at])
		t.cells[at] = cell{}
	}
	for i := range int32(k) {
		t.newLeaf(first+i, t.expected[int(i)*t.classes:int(i+1)*t.classes], depth+1)
		if t.cells[first+i].weight > t.cells[first+n.usual].weight {
			n.usual = i
		}
	}
	t.become(at, n)
	t.leaves += k - 1
	t.bound()
	return true
}

// measure says what the parts of the tree take: see bounds.
func (t *classTree) measure() {
	counts := heapBytes(8 * t.classes)
	t.maxBytes, t.maxLeaves = t.cfg.MaxBytes, t.cfg.MaxLeaves
	t.nodeBytes, t.leafBytes = nodeBytes[cell](t.anytime), classLeafBytes+2*counts
	if t.anytime {
		t.nodeBytes += counts
	}
	t.ownBytes = 8 * (3*t.width + 8*t.classes + t.classes*t.cfg.MaxCategories)
}

// statBytes is the greatest size that the statistics of a leaf can have with the categories that there are, and their copy in a snapshot.
func (t *classTree) statBytes() int {
	columns, slots, tables := len(t.numeric), len(t.nominal), 0
	most := 0
	for _, d := range t.dicts {
		n := 8 * t.classes * (d.places() + 1)
		tables, most = tables+n, max(most, n)
	}
	own := 0
	if t.random() {
		m := t.cfg.Subspace
		columns, slots = min(columns, m), min(slots, m)
		tables, own = min(tables, slots*most), heapBytes(4*m)+96
	}
	n := heapBytes(8*blockLen(t.classes, columns)) + heapBytes(24*slots) + heapBytes(tables) + 16*slots + own
	if t.cfg.Bins > 0 {
		n += heapBytes(8 * histogramLen(columns, t.classes, t.cfg.Bins))
	}
	if t.cfg.Leaf != leafMC {
		n += heapBytes(8*frozenLen(t.classes, columns)+tables) + heapBytes(24*slots)
	}
	return n
}

// bound deactivates the least promising nodes while there are more active ones than memory allows. Cost: O(nodes); it runs after a split
// and when there is a new category, and does more than to compare in a full tree only.
func (t *classTree) bound() {
	for t.limitTo(t.statBytes()); t.active > t.limit; {
		at := t.leastPromising()
		t.soil(at)
		old := t.cells[at]
		t.cells[at].deactivate(t.lines.take(t.classes, t.ample))
		t.recycle(&old)
		t.dropped.leaves++
	}
	if t.scattered() {
		t.gather(t.supply)
	}
	t.align()
}

// pack moves the nodes together: see bounds.
func (t *classTree) pack() {
	if t.growing.pack() {
		t.last.valid = false
	}
}
