package mondrian

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// State visits scales and labels, then the trees.
func (f *Forest) State(s *codec.State) {
	s.Fixed("mondrian_forest version", 1)
	s.Fixed("columns", f.width)
	s.Fixed("classes", f.classes)
	s.Fixed("trees", len(f.trees))
	if s.Loading() {
		f.epoch++
	}
	s.Uint64(&f.events)
	for j := range f.moments {
		m := &f.moments[j]
		visitFinite(s, &m.n, &m.mean, &m.m2, &f.scale[j])
	}
	visitFinite(s, &f.errorSum, &f.errorN, &f.precision)
	for i := range f.trees {
		f.visitTree(s, &f.trees[i])
	}
	if s.Err() != nil {
		for i := range f.trees {
			f.empty(&f.trees[i])
		}
	}
}

func visitFinite(s *codec.State, vs ...*float64) {
	for _, v := range vs {
		s.Float64(v)
		if math.IsNaN(*v) || math.IsInf(*v, 0) {
			s.Fail("%v where a number is wanted", *v)
			*v = 0
		}
	}
}

func (f *Forest) empty(t *tree) {
	t.pages, t.box, t.free, t.used, t.root = nil, nil, nil, 0, none
}

// visitTree visits the random source, the free places, then the nodes by place: where they stand decides nothing, but which one is taken
// next is part of the order of the bytes.
func (f *Forest) visitTree(s *codec.State, t *tree) {
	s.PCG(t.pcg)
	s.Uint64(&t.salt)
	s.Uint64(&t.gone)
	used := s.Len(t.used, 32, f.cfg.MaxNodes)
	root := s.Len(int(t.root)+1, 0, used) - 1
	free := make([]uint32, len(t.free))
	for i, v := range t.free {
		free[i] = uint32(v)
	}
	s.Uint32s(&free)
	if s.Loading() {
		f.empty(t)
		if s.Err() != nil || len(free) > used {
			s.Fail("%d free nodes of %d", len(free), used)
			return
		}
		for range used {
			f.take(t)
		}
	}
	gap := make([]bool, used)
	for _, v := range free {
		if int(v) >= used || gap[v] {
			s.Fail("free node %d of %d", v, used)
			return
		}
		gap[v] = true
		if s.Loading() {
			clear(f.box(t, int32(v)))
			t.free = append(t.free, int32(v))
		}
	}
	for i := range used {
		if !gap[i] {
			f.visitNode(s, t, int32(i))
		}
		if s.Err() != nil {
			return
		}
	}
	if s.Loading() {
		t.root = int32(root)
		f.check(s, t, used-len(free))
	}
}

func (f *Forest) visitNode(s *codec.State, t *tree, at int32) {
	n := *t.at(at)
	column := s.Len(int(n.column), 0, max(0, f.width-1))
	left := s.Len(int(n.left)+1, 0, t.used) - 1
	right := s.Len(int(n.right)+1, 0, t.used) - 1
	visitFinite(s, &n.cut, &n.time, &n.weight, &n.total, &n.n, &n.mean)
	s.Uint64(&n.reached)
	n.column, n.left, n.right = int32(column), int32(left), int32(right)
	if s.Loading() {
		n.parent = none
		*t.at(at) = n
	}
	counts, box := t.counts(at, f.classes), f.box(t, at)
	for c := range counts {
		visitFinite(s, &counts[c])
	}
	for j := range box {
		s.Float64(&box[j])
	}
}

// check makes sure that the nodes are one tree of that many nodes, and sets their parents.
func (f *Forest) check(s *codec.State, t *tree, nodes int) {
	if t.root == none {
		if nodes != 0 {
			s.Fail("%d nodes without a root", nodes)
		}
		return
	}
	seen := make([]bool, t.used)
	for _, i := range t.free {
		seen[i] = true
	}
	stack := []int32{t.root}
	for found := 0; len(stack) > 0; found++ {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[at] {
			s.Fail("node %d is reached twice, or free", at)
			return
		}
		seen[at] = true
		n := t.at(at)
		if (n.left < 0) != (n.right < 0) || !(n.n > 0) || n.left >= 0 && f.width == 0 {
			s.Fail("node %d has the children %d and %d and the weight %v", at, n.left, n.right, n.n)
			return
		}
		if n.left >= 0 {
			t.at(n.left).parent, t.at(n.right).parent = at, at
			stack = append(stack, n.left, n.right)
		}
		nodes--
	}
	if nodes != 0 {
		s.Fail("%d nodes that no way leads to", nodes)
	}
}
