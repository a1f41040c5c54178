package tree

import "math"

// maxDepth bounds the length of a path, hence of the recursion over a state.
const maxDepth = 128

// node is what routing reads: a leaf, or a split of one column into branches whose nodes lie side by side.
type node struct {
	threshold float64
	first     int32 // the node of branch 0
	column    int32 // −1: a leaf
	usual     int32 // the branch of missing and unknown values
	slot      int32 // of a categorical column, −1: a number
	branch    *[]int32
}

var emptyNode = node{column: -1, slot: -1}

// branches returns the number of branches of a split, 0 for a leaf.
func (n *node) branches() int {
	switch {
	case n.column < 0:
		return 0
	case n.slot < 0:
		return 2
	}
	most := int32(-1)
	for _, b := range *n.branch {
		most = max(most, b)
	}
	return int(most) + 1
}

// branchBytes is the memory of the branches of a categorical split, 0 of other nodes.
func (n *node) branchBytes() int {
	if n.branch == nil {
		return 0
	}
	return heapBytes(24) + heapBytes(4*len(*n.branch))
}

// step returns the branch of a value.
func (n *node) step(lay *layout, x float64) int32 {
	if n.slot >= 0 {
		if p := lay.dicts[n.slot].find(x); p >= 0 && int(p) < len(*n.branch) && (*n.branch)[p] >= 0 {
			return (*n.branch)[p]
		}
		return n.usual
	}
	if x != x {
		return n.usual
	}
	if x > n.threshold {
		return 1
	}
	return 0
}

// note is what learning notes of a node of any tree.
type note struct {
	depth int32
	dirty bool   // its cell changed since the last snapshot
	watch *watch // of an adaptive tree; nil: none yet
}

// arena holds the nodes of a tree, and of the alternates within it, in one slice, and beside each node its note and its cell:
// what learning needs. Numbers of nodes never show in answers or states.
type arena[C any] struct {
	nodes    []node
	notes    []note
	cells    []C
	live     int       // nodes in use; the rest are free
	branched int       // bytes of the branches of categorical splits
	free     [][]int32 // by number of nodes side by side: places that can be used again
	moved    []int32   // nodes whose cells changed since the last snapshot
	grown    []int32   // nodes that changed themselves
	track    bool      // snapshots are taken
	ample    bool      // the tree is far from its bound
}

// take returns the first of k places side by side, cleared.
func (a *arena[C]) take(k int) int32 {
	a.live += k
	if k < len(a.free) && len(a.free[k]) > 0 {
		f := a.free[k]
		at := f[len(f)-1]
		a.free[k] = f[:len(f)-1]
		return at
	}
	at := int32(len(a.nodes))
	a.nodes, a.notes, a.cells = widen(a.nodes, k, a.ample), widen(a.notes, k, a.ample), widen(a.cells, k, a.ample)
	for i := range k {
		a.nodes[int(at)+i] = emptyNode
	}
	return at
}

// widen adds k zeros; a slice that has to move gets room for an eighth more, or for half as many if ample.
func widen[T any](s []T, k int, ample bool) []T {
	n := len(s) + k
	if n > cap(s) {
		more := n/8 + 8
		if ample {
			more = n/2 + 8
		}
		s = append(make([]T, 0, n+more), s...)
	}
	return s[:n]
}

// become makes a node, which must be a leaf, a split, or a split a leaf.
func (a *arena[C]) become(at int32, n node) {
	a.branched += n.branchBytes() - a.nodes[at].branchBytes()
	a.nodes[at] = n
	a.touch(at)
}

// give returns k places.
func (a *arena[C]) give(at int32, k int) {
	var zero C
	for i := at; i < at+int32(k); i++ {
		a.notes[i], a.cells[i] = note{}, zero
		a.become(i, emptyNode)
	}
	a.live -= k
	for len(a.free) <= k {
		a.free = append(a.free, nil)
	}
	a.free[k] = append(a.free[k], at)
}

// touch notes that a node changed.
func (a *arena[C]) touch(i int32) {
	if a.track {
		a.moved = append(a.moved, i)
		a.grown = append(a.grown, i)
		a.forgive()
	}
}

// forgive stops to note changes when nobody takes snapshots: the next one is taken anew.
func (a *arena[C]) forgive() {
	if len(a.moved) > len(a.nodes)+64 {
		a.track, a.moved, a.grown = false, nil, nil
	}
}

// soil notes that a cell differs from its snapshot.
func (a *arena[C]) soil(at int32) {
	if a.track && !a.notes[at].dirty {
		a.notes[at].dirty = true
		a.moved = append(a.moved, at)
		a.forgive()
	}
}

// leaf returns the leaf below a node that a dense row falls into.
func (a *arena[C]) leaf(lay *layout, at int32, row []float64) int32 {
	nodes := a.nodes
	for {
		n := &nodes[at]
		if n.column < 0 {
			return at
		}
		x := row[n.column]
		if n.slot < 0 && x == x {
			side := int32(0)
			if x > n.threshold {
				side = 1
			}
			at = n.first + side
			continue
		}
		at = n.first + n.step(lay, x)
	}
}

// path appends the nodes from one to the leaf of a row.
func (a *arena[C]) path(lay *layout, dst []int32, at int32, row []float64) []int32 {
	dst = append(dst, at)
	for n := &a.nodes[at]; n.column >= 0; n = &a.nodes[at] {
		at = n.first + n.step(lay, row[n.column])
		dst = append(dst, at)
	}
	return dst
}

// walk visits the nodes below and including one in preorder.
func (a *arena[C]) walk(at int32, visit func(at int32)) {
	visit(at)
	n := a.nodes[at]
	for i := range int32(n.branches()) {
		a.walk(n.first+i, visit)
	}
}

// argmax returns the place of the greatest value, the first on a tie.
func argmax(x []float64) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// softmax turns log-votes into probabilities; equal ones when every vote is −∞.
func softmax(votes []float64) {
	top := votes[argmax(votes)]
	if math.IsInf(top, -1) {
		for c := range votes {
			votes[c] = 1 / float64(len(votes))
		}
		return
	}
	if len(votes) == 2 {
		votes[1] = 1 / (1 + math.Exp(votes[0]-votes[1]))
		votes[0] = 1 - votes[1]
		return
	}
	total := 0.0
	for c, v := range votes {
		votes[c] = math.Exp(v - top)
		total += votes[c]
	}
	for c := range votes {
		votes[c] /= total
	}
}
