package boost

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// State visits the random source, cuts, labels and calibration, then the trees.
func (m *Boosted) State(s *codec.State) {
	s.Fixed("gradient_boosted_trees version", 1)
	s.Fixed("columns", m.width)
	s.Fixed("trees", len(m.trees))
	s.Fixed("bins", m.cfg.Bins)
	s.PCG(m.pcg)
	s.Uint64(&m.events)
	s.Uint64(&m.dropped)
	s.Uint64(&m.merged)
	for i := range m.bins {
		m.bins[i].state(s)
	}
	m.head.state(s)
	if s.Loading() {
		m.bytes, m.spare = 0, nil
		m.epoch++
	}
	for i := range m.trees {
		m.visitTree(s, &m.trees[i])
	}
}

func (h *head) state(s *codec.State) {
	for i := range h.counts {
		s.Float64(&h.counts[i])
		if c := h.counts[i]; !(c >= 0) || !finite(c) {
			s.Fail("weight %v of class %d", c, i)
			h.counts[i] = 0
		}
	}
	for _, v := range []*float64{&h.n, &h.mean, &h.m2, &h.slope, &h.shift, &h.slopeSum, &h.shiftSum, &h.lo, &h.hi} {
		s.Float64(v)
		if !finite(*v) {
			s.Fail("%v in labels or calibration", *v)
			*v = 0
		}
	}
}

// visitTree visits the columns, then nodes in preorder with their leaves. Where nodes and leaves stand in memory, free places and spare
// statistics are no part of the state: a loaded tree is packed anew.
func (m *Boosted) visitTree(s *codec.State, t *tree) {
	columns := make([]uint32, len(t.columns))
	for i, c := range t.columns {
		columns[i] = uint32(c)
	}
	s.Uint32s(&columns)
	if s.Loading() {
		fresh := newTree(nil, m.cfg.L2)
		fresh.keep, fresh.noded, fresh.valued = t.keep, m.epoch, m.epoch
		for i, c := range columns {
			if int(c) >= m.width || i > 0 && c <= columns[i-1] || len(columns) != len(t.columns) {
				s.Fail("column %d of a tree", c)
				break
			}
			fresh.columns = append(fresh.columns, uint16(c))
		}
		if len(fresh.columns) != len(t.columns) {
			s.Fail("%d columns of a tree, not %d", len(columns), len(t.columns))
		}
		fresh.live, fresh.leaves, fresh.values = 0, fresh.leaves[:0], fresh.values[:0]
		*t = fresh
	}
	m.visitNode(s, t, 0)
	if s.Err() != nil {
		keep, columns := t.keep, t.columns
		*t = newTree(columns, m.cfg.L2)
		t.keep = keep
	}
}

func (m *Boosted) visitNode(s *codec.State, t *tree, at int32) {
	n := t.nodes[at]
	split := n.left >= 0
	s.Bool(&split)
	if s.Err() != nil {
		return
	}
	if !split {
		m.visitLeaf(s, t, at)
		return
	}
	column := s.Len(int(n.column), 0, max(0, m.width-1))
	s.Float64(&n.cut)
	s.Byte(&n.usual)
	if s.Loading() {
		if m.width == 0 || n.usual > 1 || len(t.nodes) >= 2*m.cfg.MaxLeaves {
			s.Fail("split of column %d with %d nodes", column, len(t.nodes))
			return
		}
		n = node{cut: n.cut, usual: n.usual, column: uint16(column), nominal: m.bins[column].nominal, left: int32(len(t.nodes))}
		t.nodes = append(t.nodes, node{left: ^0}, node{left: ^0})
		t.nodes[at] = n
	}
	m.visitNode(s, t, n.left)
	m.visitNode(s, t, n.left+1)
}

func (m *Boosted) visitLeaf(s *codec.State, t *tree, at int32) {
	if s.Loading() {
		t.nodes[at] = node{left: ^int32(len(t.leaves))}
		t.leaves = append(t.leaves, leaf{parent: at})
		t.values = append(t.values, 0)
		t.live++
		if t.live > m.cfg.MaxLeaves {
			s.Fail("more than %d leaves", m.cfg.MaxLeaves)
			return
		}
	}
	id := ^t.nodes[at].left
	f := &t.leaves[id]
	for _, v := range []*float64{&t.values[id], &f.g, &f.h, &f.s2, &f.n, &f.since} {
		s.Float64(v)
		if !finite(*v) {
			s.Fail("%v in a leaf", *v)
			return
		}
	}
	size := len(t.columns) * m.cfg.Bins
	active := f.cells != nil
	s.Bool(&active)
	if !active || s.Err() != nil {
		return
	}
	if s.Loading() {
		if m.bytes += 8 * size; m.bytes > m.cfg.MaxBytes {
			s.Fail("more statistics than %d bytes", m.cfg.MaxBytes)
			return
		}
	}
	m.visitCells(s, t, f, size)
}

// visitCells visits the statistics that are not zero, each behind its distance from the one before.
func (m *Boosted) visitCells(s *codec.State, t *tree, f *leaf, size int) {
	count := 0
	for _, c := range f.cells {
		if c != (cell{}) {
			count++
		}
	}
	count = s.Len(count, 9, size)
	if s.Loading() {
		f.cells = make([]cell, size)
	}
	at := -1
	for range count {
		step := 1
		if !s.Loading() {
			for f.cells[at+step] == (cell{}) {
				step++
			}
		}
		at += s.Len(step, 0, size)
		if at < 0 || at >= size {
			s.Fail("statistic %d of %d", at, size)
			return
		}
		visitFloat32(s, &f.cells[at].h)
		visitFloat32(s, &f.cells[at].g)
		if s.Err() != nil {
			return
		}
	}
}

func visitFloat32(s *codec.State, v *float32) {
	bits := math.Float32bits(*v)
	s.Uint32(&bits)
	if *v = math.Float32frombits(bits); !finite(float64(*v)) {
		s.Fail("%v in statistics", *v)
		*v = 0
	}
}
