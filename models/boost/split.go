package boost

// found is the best split of a leaf.
type found struct {
	gain    float64
	place   int // of the column among those of the tree
	code    int // numeric: the last one that goes left; categorical: the one that goes left
	left    sums
	right   sums
	usual   uint8
	nominal bool
}

type sums struct{ g, h float64 }

func (a sums) plus(b sums) sums  { return sums{a.g + b.g, a.h + b.h} }
func (a sums) minus(b sums) sums { return sums{a.g - b.g, a.h - b.h} }

// fit is how much a constant explains: g²/h.
func (a sums) fit() float64 { return a.g * a.g / a.h }

// trySplit splits a leaf if the gain of the best split is more than noise and there is room.
func (l *learner) trySplit(t *tree, at int32) {
	f := &t.leaves[at]
	if f.n > l.cfg.Window {
		f.age()
	}
	best := l.best(t, f)
	if best.gain <= 0 {
		return
	}
	all := best.left.plus(best.right)
	noise := max(1e-12, (f.s2-all.fit())/max(1, f.n-2))
	if !(best.gain > l.penalty*noise) {
		return
	}
	if t.live >= l.cfg.MaxLeaves && !l.mergeCheapest(t, at, best.gain) {
		return
	}
	l.split(t, at, best)
}

// best searches all columns of the tree for the split with the greatest gain: what two constants explain more than one.
// Each side must hold a twentieth of h, or what five average examples have.
func (l *learner) best(t *tree, f *leaf) found {
	var best found
	width := l.cfg.Bins
	for k, c := range t.columns {
		cells := f.cells[k*width : (k+1)*width]
		b := &l.bins[c]
		used := len(b.cuts) + 2
		if b.nominal {
			used = width
		}
		var known sums
		for i := 1; i < used; i++ {
			known.g += float64(cells[i].g)
			known.h += float64(cells[i].h)
		}
		if !(known.h > 0) {
			continue
		}
		missing := sums{float64(cells[0].g), float64(cells[0].h)}
		least := 5 * (known.h + missing.h) / max(f.n, 1)
		whole := known.plus(missing).fit()
		var left sums
		for i := 1; i <= len(b.cuts); i++ {
			here := sums{float64(cells[i].g), float64(cells[i].h)}
			if b.nominal {
				left = here
			} else {
				if here.h == 0 {
					continue
				}
				left = left.plus(here)
			}
			right := known.minus(left)
			if left.h < least || right.h < least {
				continue
			}
			try := found{place: k, code: i, left: left, right: right, nominal: b.nominal}
			if left.h < right.h {
				try.usual = 1
			}
			if missing.h > 0 {
				l, r := left.plus(missing).fit()+right.fit(), left.fit()+right.plus(missing).fit()
				if l >= r {
					try.usual, try.left = 0, left.plus(missing)
				} else {
					try.usual, try.right = 1, right.plus(missing)
				}
			}
			if try.gain = try.left.fit() + try.right.fit() - whole; try.gain > best.gain {
				best = try
			}
		}
	}
	return best
}

// split turns the leaf into a split with two leaves that start with the parent's answer, worth l2 of h, and what the statistics say.
func (l *learner) split(t *tree, at int32, s found) {
	l.own(t)
	parent, value := t.leaves[at].parent, t.values[at]
	pair := t.newPair()
	n := &t.nodes[parent]
	column := t.columns[s.place]
	*n = node{left: pair, column: column, nominal: s.nominal, usual: s.usual}
	n.cut = l.bins[column].cuts[s.code-1]
	l.retire(&t.leaves[at])
	other := t.newLeaf()
	for side, id := range [2]int32{at, other} {
		sum := s.left
		if side == 1 {
			sum = s.right
		}
		f := &t.leaves[id]
		*f = leaf{g: sum.g + float64(l.cfg.L2*value), h: sum.h + l.cfg.L2, parent: pair + int32(side)}
		t.values[id] = max(-maxStep, min(maxStep, f.g/f.h))
		t.nodes[pair+int32(side)] = node{left: ^id}
		l.activate(t, f)
	}
}

func (t *tree) newPair() int32 {
	if k := len(t.freePairs); k > 0 {
		p := t.freePairs[k-1]
		t.freePairs = t.freePairs[:k-1]
		return p
	}
	p := int32(len(t.nodes))
	t.nodes = append(t.nodes, node{left: ^0}, node{left: ^0})
	return p
}

func (t *tree) newLeaf() int32 {
	t.live++
	if k := len(t.freeLeaves); k > 0 {
		f := t.freeLeaves[k-1]
		t.freeLeaves = t.freeLeaves[:k-1]
		return f
	}
	t.leaves = append(t.leaves, leaf{})
	t.values = append(t.values, 0)
	return int32(len(t.leaves) - 1)
}

// mergeCheapest joins the pair of sibling leaves, not at itself, that loses least, if that is less than gain.
func (l *learner) mergeCheapest(t *tree, at int32, gain float64) bool {
	where, _ := t.cheapest(0, at, -1, gain)
	if where < 0 {
		return false
	}
	l.join(t, where)
	l.merged++
	return true
}

// cheapest searches the nodes below n in preorder, so that the answer does not depend on where they stand in memory.
func (t *tree) cheapest(n, at, where int32, least float64) (int32, float64) {
	left := t.nodes[n].left
	if left < 0 {
		return where, least
	}
	a, b := ^t.nodes[left].left, ^t.nodes[left+1].left
	if a < 0 || b < 0 {
		where, least = t.cheapest(left, at, where, least)
		return t.cheapest(left+1, at, where, least)
	}
	if a == at || b == at {
		return where, least
	}
	x, y := sums{t.leaves[a].g, t.leaves[a].h}, sums{t.leaves[b].g, t.leaves[b].h}
	if cost := x.fit() + y.fit() - x.plus(y).fit(); cost < least {
		return n, cost
	}
	return where, least
}

// join turns a split of two leaves into a leaf.
func (l *learner) join(t *tree, where int32) {
	l.own(t)
	n := &t.nodes[where]
	pair := n.left
	a, b := ^t.nodes[pair].left, ^t.nodes[pair+1].left
	fa, fb := &t.leaves[a], &t.leaves[b]
	fa.g, fa.h, fa.parent = fa.g+fb.g, fa.h+fb.h, where
	switch {
	case fa.cells != nil && fb.cells != nil:
		for i := range fa.cells {
			fa.cells[i].h += fb.cells[i].h
			fa.cells[i].g += fb.cells[i].g
		}
		fa.s2, fa.n, fa.since = fa.s2+fb.s2, fa.n+fb.n, 0
	case fb.cells != nil:
		fa.cells, fb.cells = fb.cells, nil
		fa.s2, fa.n, fa.since = fb.s2, fb.n, 0
	}
	l.retire(fb)
	*fb = leaf{}
	t.values[a], t.values[b] = max(-maxStep, min(maxStep, fa.g/max(fa.h, 1e-12))), 0
	t.nodes[pair], t.nodes[pair+1] = node{left: ^0}, node{left: ^0}
	*n = node{left: ^a}
	t.freePairs = append(t.freePairs, pair)
	t.freeLeaves = append(t.freeLeaves, b)
	t.live--
}
