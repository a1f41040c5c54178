package tree

import (
	"math"

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

// kind is the kind of a node, without flags.
func (n *node) kind() byte {
	switch {
	case n.column < 0:
		return leafKind
	case n.slot < 0:
		return numberKind
	}
	return nominalKind
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

// visitDicts visits the dictionaries; loading makes them anew.
func (b *body[C]) visitDicts(c *codec.State) {
	if c.Loading() {
		b.dicts, b.published = make([]*dict, len(b.nominal)), false
		for k := range b.dicts {
			b.dicts[k] = newDict(b.most)
		}
	}
	for _, d := range b.dicts {
		d.visit(c)
	}
}

// visitBranches visits the split at a node and hands its branches on; loading takes places for them. most bounds the leaves.
func (b *body[C]) visitBranches(c *codec.State, at int32, most int, kind byte, branch func(at int32)) {
	k := b.nodes[at].visit(c, &b.layout, kind&kindBits == nominalKind)
	if c.Err() != nil || b.leaves > most {
		c.Fail("%d leaves", b.leaves)
		return
	}
	if c.Loading() {
		first := b.take(k)
		b.nodes[at].first = first
		b.branched += b.nodes[at].branchBytes()
	}
	for i := range int32(k) {
		branch(b.nodes[at].first + i)
	}
}

// visiting is how a Hoeffding tree's nodes are visited.
type visiting struct {
	most  int  // leaves
	inner bool // splits may keep statistics too
	cell  func(at int32, kind byte)
}

// visitNodes visits all nodes in preorder, and with each what cell visits; loading makes them.
func (g *growing[C, P]) visitNodes(c *codec.State, most int, inner bool, cell func(at int32, kind byte)) {
	g.visitNode(c, g.root, 0, false, &visiting{most, inner, cell})
}

// visitNode visits one subtree; loading makes it at that place.
func (g *growing[C, P]) visitNode(c *codec.State, at, depth int32, alternate bool, v *visiting) {
	if c.Err() != nil || depth > maxDepth {
		c.Fail("tree deeper than %d", maxDepth)
		return
	}
	kind := g.kind(at)
	c.Byte(&kind)
	leaf := kind&kindBits == leafKind
	if kind&kindBits > nominalKind || kind > 15 || kind&watchFlag != 0 && g.delta == 0 || kind&activeFlag != 0 && !leaf && !v.inner || c.Err() != nil {
		c.Fail("node kind %d", kind)
		return
	}
	if c.Loading() {
		g.notes[at].depth = depth
	}
	v.cell(at, kind)
	if kind&watchFlag != 0 && c.Err() == nil {
		g.visitWatch(c, at, depth, alternate, v)
	}
	if !leaf {
		g.visitBranches(c, at, v.most, kind, func(branch int32) { g.visitNode(c, branch, depth+1, alternate, v) })
	} else if c.Loading() {
		g.leaves++
	}
}

func (g *growing[C, P]) kind(at int32) byte {
	kind := g.nodes[at].kind()
	if P(&g.cells[at]).keeps() {
		kind |= activeFlag
	}
	if g.notes[at].watch != nil {
		kind |= watchFlag
	}
	return kind
}

// visitWatch visits the window over the errors of a node, and its alternate. Alternates have none.
func (g *growing[C, P]) visitWatch(c *codec.State, at, depth int32, within bool, v *visiting) {
	w := g.notes[at].watch
	if c.Loading() {
		w = g.watchers.make()
		g.notes[at].watch = w
	}
	if !w.visit(c) {
		return
	}
	if within {
		c.Fail("alternate within an alternate")
	}
	if c.Loading() && c.Err() == nil {
		w.alternate = g.take(1)
	}
	if c.Err() == nil {
		g.visitNode(c, w.alternate, depth, true, v)
	}
}
