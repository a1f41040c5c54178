package boost

import (
	"math"
)

// cell sums the weighted second and first derivatives of the examples with one code of one column.
type cell struct{ h, g float32 }

// node is a split or a leaf. The right child of a split stands beside the left one.
type node struct {
	cut     float64 // numeric: at most this goes left; categorical: this value goes left
	left    int32   // left child; negative: the leaf ^left
	column  uint16
	nominal bool
	usual   uint8 // the child of missing values
}

// leaf is what learning knows of a leaf. Its answer, g/h, stands apart in tree.values, which snapshots share.
type leaf struct {
	g, h   float64 // discounted; the answer of the parent counts as l2 of h
	s2     float64 // Σ g²/h of the cells, for the noise
	n      float64 // examples in the cells
	since  float64 // examples since the last attempt to split
	parent int32   // node of the leaf
	cells  []cell  // column of the tree × code; nil: no statistics
}

// tree is one regression tree of the ensemble: nodes in one slice, leaves in another.
type tree struct {
	columns []uint16 // those it may split on, increasing
	keep    float64  // what a leaf's answer keeps of its sums at an example
	nodes   []node
	values  []float64 // answers by leaf
	leaves  []leaf
	freePairs,
	freeLeaves []int32
	live   int    // leaves in use
	valued uint64 // epoch of values: those of an older one are shared with a snapshot
	noded  uint64 // epoch of nodes
}

// find returns the leaf of a row of values by column.
func find(nodes []node, x []float64) int32 {
	at := int32(0)
	for {
		n := &nodes[at]
		if n.left < 0 {
			return ^n.left
		}
		v := x[n.column]
		step := int32(0)
		switch {
		case n.nominal:
			if v != v {
				step = int32(n.usual)
			} else if v != n.cut {
				step = 1
			}
		case v > n.cut:
			step = 1
		case v != v:
			step = int32(n.usual)
		}
		at = n.left + step
	}
}

// learner is what all trees of a model share.
type learner struct {
	cfg     Config
	bins    []bins
	codes   []uint8   // of the example
	x       []float64 // values of the example by column, NaN: missing
	penalty float64   // least gain of a split in units of the noise
	dropped uint64    // leaf statistics that were given up for max_bytes
	merged  uint64    // pairs of leaves that made room for a split
	spare   [][]cell  // given back by leaves
	bytes   int       // of the cells in use; with the spare ones never more than max_bytes
	epoch   uint64    // raised by Publish
}

func newTree(columns []uint16, l2 float64) tree {
	t := tree{columns: columns, nodes: []node{{left: ^0}}, values: []float64{0}, leaves: []leaf{{h: l2}}, live: 1}
	return t
}

// touch makes the answers the learner's own when a snapshot shares them.
func (l *learner) touch(t *tree) {
	if t.valued != l.epoch {
		t.values = append(make([]float64, 0, cap(t.values)), t.values...)
		t.valued = l.epoch
	}
}

// own makes the nodes the learner's own when a snapshot shares them.
func (l *learner) own(t *tree) {
	if t.noded != l.epoch {
		t.nodes = append(make([]node, 0, len(t.nodes)+16), t.nodes...)
		t.noded = l.epoch
	}
}

// learn updates a leaf with the derivatives of the loss: g, the negative first one, and h, the second, both with the weight of the
// example in them.
func (l *learner) learn(t *tree, at int32, g, h, w float64) {
	l.touch(t)
	f := &t.leaves[at]
	keep := t.keep
	f.g = float64(keep*f.g) + g
	f.h = float64(keep*f.h) + h
	t.values[at] = max(-maxStep, min(maxStep, f.g/max(f.h, 1e-12)))
	if f.cells == nil {
		return
	}
	g32, h32 := float32(g), float32(h)
	codes, width := l.codes, l.cfg.Bins
	base := f.cells
	for _, c := range t.columns {
		cell := &base[codes[c]]
		cell.h += h32
		cell.g += g32
		base = base[width:]
	}
	f.s2 += float64(g*g) / h
	f.n += w
	f.since += w
	if f.since >= l.cfg.GracePeriod {
		f.since = 0
		l.trySplit(t, at)
	}
}

// activate gives a leaf empty statistics, if max_bytes allows.
func (l *learner) activate(t *tree, f *leaf) {
	size := len(t.columns) * l.cfg.Bins
	f.s2, f.n, f.since = 0, 0, 0
	if l.bytes+8*size > l.cfg.MaxBytes {
		l.dropped++
		return
	}
	l.bytes += 8 * size
	if k := len(l.spare); k > 0 {
		f.cells = l.spare[k-1]
		l.spare = l.spare[:k-1]
		clear(f.cells)
		return
	}
	f.cells = make([]cell, size)
}

// retire gives the statistics of a leaf back.
func (l *learner) retire(f *leaf) {
	if f.cells != nil {
		l.bytes -= 8 * len(f.cells)
		l.spare = append(l.spare, f.cells)
		f.cells = nil
	}
}

// age halves the statistics of a leaf, so that splits follow changes.
func (f *leaf) age() {
	for i := range f.cells {
		f.cells[i].h *= 0.5
		f.cells[i].g *= 0.5
	}
	f.s2 *= 0.5
	f.n *= 0.5
}

// follow carries a change of the cuts of a column into the statistics of every leaf.
func (l *learner) follow(t *tree, column int, ch change) {
	for k, c := range t.columns {
		if int(c) != column {
			continue
		}
		for i := range t.leaves {
			if cells := t.leaves[i].cells; cells != nil {
				ch.apply(cells[k*l.cfg.Bins : (k+1)*l.cfg.Bins])
			}
		}
	}
}

func (ch change) apply(cells []cell) {
	if ch.merge {
		cells[ch.at].h += cells[ch.at+1].h
		cells[ch.at].g += cells[ch.at+1].g
		copy(cells[ch.at+1:], cells[ch.at+2:])
		cells[len(cells)-1] = cell{}
		return
	}
	all, p := cells[ch.at], float32(ch.share)
	copy(cells[ch.at+1:], cells[ch.at:len(cells)-1])
	cells[ch.at] = cell{all.h * p, all.g * p}
	cells[ch.at+1] = cell{all.h * (1 - p), all.g * (1 - p)}
}

// finite reports whether x is a number.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
