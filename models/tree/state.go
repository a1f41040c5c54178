package tree

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
)

// The kinds of nodes in a state; the flags are added.
const (
	leafKind    byte = 0
	numberKind  byte = 1
	nominalKind byte = 2
	activeFlag  byte = 4 // statistics follow
	watchFlag   byte = 8 // a window over errors follows
	kindBits    byte = 3
)

// visit visits a whole classification tree.
func (t *classTree) visit(c *codec.State) {
	c.Fixed("classes", t.classes)
	c.Fixed("columns", t.width)
	c.Fixed("categorical columns", len(t.nominal))
	c.Uint64(&t.cfg.Seed)
	c.Uint64(&t.draws)
	c.Uint64(&t.dropped.Leaves)
	c.Uint64(&t.dropped.Splits)
	if c.Loading() {
		t.dicts = make([]*dict, len(t.nominal))
		for k := range t.dicts {
			t.dicts[k] = newDict(t.cfg.MaxCategories)
		}
		t.restart()
	}
	for _, d := range t.dicts {
		d.visit(c)
	}
	t.visitNode(c, t.root, 0, false)
	if c.Loading() && (c.Err() != nil || t.leaves > t.cfg.MaxLeaves) {
		c.Fail("%d leaves", t.leaves)
		t.plant()
	}
}

// restart empties the arena for loading.
func (t *classTree) restart() {
	t.arena = arena[cell]{}
	t.leaves, t.active, t.frozen, t.last.valid, t.spare = 0, 0, nil, false, nil
	t.shared, t.sharedS = nil, nil
	if m := t.cfg.Subspace; t.cfg.PerTree && m > 0 && m < t.width {
		t.shared, t.sharedS = t.draw(m, 0)
	}
	t.root = t.take(1)
}

// visitNode visits one subtree; loading makes it at that place.
func (t *classTree) visitNode(c *codec.State, at int32, depth int32, alternate bool) {
	if c.Err() != nil || depth > maxDepth {
		c.Fail("tree deeper than %d", maxDepth)
		return
	}
	kind := t.kind(at)
	c.Byte(&kind)
	if kind&kindBits > nominalKind || kind > 15 || kind&watchFlag != 0 && t.delta == 0 || kind&activeFlag != 0 && kind&kindBits != leafKind && !t.keep || c.Err() != nil {
		c.Fail("node kind %d", kind)
		return
	}
	if c.Loading() {
		t.cells[at].depth, t.cells[at].classes = depth, int32(t.classes)
	}
	t.visitCell(c, at, kind)
	if kind&watchFlag != 0 && c.Err() == nil {
		t.visitWatch(c, at, depth, alternate)
	}
	if kind&kindBits == leafKind {
		if c.Loading() {
			t.leaves++
		}
		return
	}
	k := t.nodes[at].visit(c, &t.layout, kind&kindBits == nominalKind)
	if c.Err() != nil || t.leaves > t.cfg.MaxLeaves {
		c.Fail("%d leaves", t.leaves)
		return
	}
	if c.Loading() {
		first := t.take(k)
		t.nodes[at].first = first
	}
	for i := range int32(k) {
		t.visitNode(c, t.nodes[at].first+i, depth+1, alternate)
	}
}

func (t *classTree) kind(at int32) byte {
	kind := leafKind
	if n := &t.nodes[at]; n.column >= 0 {
		if kind = numberKind; n.slot >= 0 {
			kind = nominalKind
		}
	}
	if t.cells[at].active {
		kind |= activeFlag
	}
	if t.cells[at].watch != nil {
		kind |= watchFlag
	}
	return kind
}

// visitWatch visits the window over the errors of a node, and its alternate. Alternates have none.
func (t *classTree) visitWatch(c *codec.State, at, depth int32, within bool) {
	w := t.cells[at].watch
	if c.Loading() {
		w = newWatch(t.delta)
		t.cells[at].watch = w
	}
	if !w.visit(c) {
		return
	}
	if within {
		c.Fail("alternate within an alternate")
	}
	if c.Loading() && c.Err() == nil {
		w.alternate = t.take(1)
	}
	if c.Err() == nil {
		t.visitNode(c, w.alternate, depth, true)
	}
}

// visit visits what a split reads and returns the number of its branches.
func (n *node) visit(c *codec.State, lay *layout, nominal bool) int {
	column := c.Len(int(n.column), 0, max(lay.width-1, 0))
	usual := c.Len(int(n.usual), 0, codec.MaxLen)
	c.Float64(&n.threshold)
	branches := 2
	var branch []uint32
	if nominal {
		if !c.Loading() {
			for _, b := range *n.branch {
				branch = append(branch, uint32(b))
			}
		}
		c.Uint32s(&branch)
	}
	if !c.Loading() {
		return n.branches()
	}
	if column >= lay.width || (lay.slot[column] >= 0) != nominal || len(branch) > lay.most {
		c.Fail("split on column %d into %d", column, len(branch))
		return 0
	}
	n.column, n.usual, n.slot, n.branch = int32(column), int32(usual), lay.slot[column], nil
	if nominal {
		b := make([]int32, len(branch))
		n.branch = &b
		next := int32(0)
		for i, v := range branch {
			if b[i] = int32(v); b[i] == next {
				next++
			} else if b[i] != -1 {
				c.Fail("branch %d where %d is next", b[i], next)
			}
		}
		branches = int(next)
	}
	if usual >= branches || math.IsNaN(n.threshold) {
		c.Fail("branch %d of %d", usual, branches)
		*n = emptyNode
		return 0
	}
	return branches
}

// visitCell visits what learning keeps at a node.
func (t *classTree) visitCell(c *codec.State, at int32, kind byte) {
	l := &t.cells[at]
	if kind&kindBits != leafKind && kind&activeFlag == 0 && !t.keep {
		return
	}
	kind &^= watchFlag
	if c.Loading() {
		l.block = make([]float64, t.classes)
		if kind&activeFlag != 0 {
			t.visitColumns(c, l)
		}
	} else if l.active {
		t.visitColumns(c, l)
	}
	for i := range t.classes {
		c.Float64(&l.block[i])
		if c.Loading() && !(l.block[i] >= 0 && l.block[i] < math.Inf(1)) {
			c.Fail("class weight %g", l.block[i])
		}
	}
	for _, v := range []*float64{&l.weight, &l.tried, &l.bayes, &l.majority} {
		c.Float64(v)
	}
	if kind&activeFlag == 0 || c.Err() != nil {
		return
	}
	if c.Loading() {
		t.enliven(l)
	}
	l.visitStats(c, t.cfg.MaxCategories)
}

// visitColumns visits the columns that a leaf watches, if it does not watch all.
func (t *classTree) visitColumns(c *codec.State, l *cell) {
	if m := t.cfg.Subspace; m <= 0 || m >= t.width {
		l.numeric, l.slots = t.numeric, t.slots
		return
	}
	if c.Loading() && t.cfg.PerTree {
		l.numeric, l.slots = t.shared, t.sharedS
	}
	var columns []uint32
	if !c.Loading() {
		for _, i := range l.numeric {
			columns = append(columns, uint32(i))
		}
		for _, s := range l.slots {
			columns = append(columns, uint32(t.nominal[s]))
		}
		slices.Sort(columns)
	}
	c.Uint32s(&columns)
	if !c.Loading() {
		return
	}
	if len(columns) != t.cfg.Subspace {
		c.Fail("%d columns in a leaf, not %d", len(columns), t.cfg.Subspace)
		return
	}
	l.numeric, l.slots = nil, nil
	for i, column := range columns {
		if int(column) >= t.width || i > 0 && columns[i-1] >= column {
			c.Fail("columns of a leaf: %v", columns)
			return
		}
		if s := t.slot[column]; s >= 0 {
			l.slots = append(l.slots, s)
		} else {
			l.numeric = append(l.numeric, int32(column))
		}
	}
}

// visitStats visits the moments and tables of active statistics.
func (s *classStats) visitStats(c *codec.State, places int) {
	for k := range int(s.classes) {
		mean, _ := s.density(k)
		n, squares, least, most := s.moments(k)
		for a := range mean {
			for _, v := range []*float64{&n[a], &mean[a], &squares[a], &least[a], &most[a]} {
				c.Float64(v)
			}
			if c.Loading() && !(n[a] >= 0) {
				c.Fail("weight %g", n[a])
			}
		}
	}
	if c.Loading() && c.Err() == nil {
		s.renew()
	}
	for k := range s.tables {
		c.Float64s(&s.tables[k])
		if t := s.tables[k]; c.Loading() && (len(t)%int(s.classes) != 0 || len(t) == int(s.classes) || len(t) > (places+1)*int(s.classes)) {
			c.Fail("table of %d counts", len(t))
			s.tables[k] = nil
		}
	}
}
