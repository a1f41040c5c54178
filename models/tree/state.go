package tree

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
)

// The kinds of nodes in a state.
const (
	numericSplit byte = iota
	nominalSplit
	activeLeaf
	inactiveLeaf
)

// State visits the dictionaries of the categorical columns, then the nodes in preorder.
func (h *Hoeffding) State(c *codec.State) {
	c.Fixed("hoeffding_tree version", 1)
	c.Fixed("classes", h.classes)
	c.Fixed("columns", h.width)
	c.Fixed("categorical columns", len(h.nominal))
	if c.Loading() {
		h.leaves, h.active, h.epoch = 0, 0, h.epoch+1
		h.values, h.dicts = make([]slots, len(h.nominal)), h.epoch
	}
	for k := range h.nominal {
		h.visitSlots(c, k)
	}
	h.root = h.visitNode(c, h.root, 0)
	if c.Loading() && (c.Err() != nil || h.leaves > h.cfg.MaxLeaves) {
		c.Fail("%d leaves", h.leaves)
		h.root = &node{epoch: h.epoch, leaf: newLeaf(make([]float64, h.classes))}
		h.leaves, h.active = 1, 0
	}
}

// visitSlots visits the values of a categorical column in the order of their places.
func (h *Hoeffding) visitSlots(c *codec.State, k int) {
	keys := make([]uint64, len(h.values[k]))
	for v, at := range h.values[k] {
		keys[at] = v
	}
	c.Uint64s(&keys)
	if !c.Loading() {
		return
	}
	if len(keys) >= h.cfg.MaxCategories {
		c.Fail("%d categories", len(keys))
		keys = nil
	}
	h.values[k] = make(slots, len(keys))
	for i, v := range keys {
		h.values[k][v] = int32(i)
	}
	if len(h.values[k]) != len(keys) {
		c.Fail("repeated category")
	}
}

// visitNode visits one subtree and returns it; loading builds it anew.
func (h *Hoeffding) visitNode(c *codec.State, n *node, depth int) *node {
	if c.Loading() {
		n = &node{epoch: h.epoch}
	}
	if c.Err() != nil || depth > maxDepth {
		c.Fail("tree deeper than %d", maxDepth)
		return n
	}
	kind := n.kind()
	c.Byte(&kind)
	switch kind {
	case numericSplit, nominalSplit:
		h.visitSplit(c, n, kind == nominalSplit, depth)
	case activeLeaf, inactiveLeaf:
		h.visitLeaf(c, n, kind == activeLeaf)
	default:
		c.Fail("node kind %d", kind)
	}
	return n
}

func (n *node) kind() byte {
	switch {
	case n.leaf == nil && n.nominal >= 0:
		return nominalSplit
	case n.leaf == nil:
		return numericSplit
	case n.leaf.stats != nil:
		return activeLeaf
	}
	return inactiveLeaf
}

func (h *Hoeffding) visitSplit(c *codec.State, n *node, nominal bool, depth int) {
	n.column = c.Len(n.column, 0, h.width-1)
	n.usual = c.Len(n.usual, 0, codec.MaxLen)
	c.Float64(&n.threshold)
	branches := 2
	if c.Loading() {
		n.nominal = -1
	}
	if nominal {
		branch := make([]uint32, len(n.branch))
		for i, b := range n.branch {
			branch[i] = uint32(b)
		}
		c.Uint32s(&branch)
		branches = h.loadBranches(c, n, branch)
	} else if c.Loading() && !slices.Contains(h.numeric, n.column) {
		c.Fail("column %d is not numeric", n.column)
	}
	if c.Loading() {
		if n.usual >= branches || h.leaves > h.cfg.MaxLeaves {
			c.Fail("branch %d of %d", n.usual, branches)
			return
		}
		n.children = make([]*node, branches)
	}
	for i := range n.children {
		n.children[i] = h.visitNode(c, n.children[i], depth+1)
	}
}

// loadBranches checks the branches of a nominal split and returns their number.
func (h *Hoeffding) loadBranches(c *codec.State, n *node, branch []uint32) int {
	if !c.Loading() {
		return len(n.children)
	}
	n.nominal = slices.Index(h.nominal, n.column)
	if n.nominal < 0 || len(branch) > h.cfg.MaxCategories {
		c.Fail("%d branches of column %d", len(branch), n.column)
		n.nominal = 0
		return 0
	}
	n.branch = make([]int32, len(branch))
	next := int32(0)
	for i, b := range branch {
		n.branch[i] = int32(b)
		if n.branch[i] >= 0 {
			if n.branch[i] != next {
				c.Fail("branch %d where %d is next", b, next)
			}
			next++
		} else if n.branch[i] != -1 {
			c.Fail("branch %d", n.branch[i])
		}
	}
	return int(next)
}

func (h *Hoeffding) visitLeaf(c *codec.State, n *node, active bool) {
	if c.Loading() {
		n.leaf = &leaf{counts: make([]float64, h.classes)}
		h.leaves++
	}
	l := n.leaf
	for i := range l.counts {
		c.Float64(&l.counts[i])
		if c.Loading() && !(l.counts[i] >= 0 && l.counts[i] < math.Inf(1)) {
			c.Fail("class weight %g", l.counts[i])
		}
	}
	for _, v := range []*float64{&l.weight, &l.tried, &l.bayesRight, &l.majorityRight} {
		c.Float64(v)
	}
	if !active || c.Err() != nil {
		return
	}
	if c.Loading() {
		l.activate(&h.layout)
		h.active++
	}
	for i := range l.stats {
		g := &l.stats[i]
		for _, v := range []*float64{&g.n, &g.mean, &g.squares, &g.least, &g.most} {
			c.Float64(v)
		}
		if c.Loading() && c.Err() == nil {
			g.invert()
		}
	}
	for k := range l.tables {
		t := (*[]float64)(&l.tables[k])
		c.Float64s(t)
		if c.Loading() && (len(*t)%h.classes != 0 || len(*t) > h.cfg.MaxCategories*h.classes) {
			c.Fail("table of %d counts", len(*t))
			*t = nil
		}
	}
}
