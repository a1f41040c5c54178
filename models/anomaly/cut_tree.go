package anomaly

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models/cow"
	"github.com/freshet-ml/freshet/models/random"
)

// cutNode is an inner node (a random cut of a column) or a leaf (a point, as often as it occurs).
type cutNode struct {
	parent, left, right int32 // left < 0: a leaf
	count               int32
	column              int32
	cut                 float64 // at or below it: left
}

// pageNodes is how many nodes share a page.
const pageNodes = 8

// cutTree is a robust random cut tree. Nodes are numbers of a fixed pool; node n has its box at place 2·d·n: lows, then highs.
type cutTree struct {
	d     int
	root  int32 // −1: empty
	nodes cow.Pages[cutNode]
	boxes cow.Pages[float64]
	free  []int32
}

func newCutTree(d, points int) cutTree {
	n := 2*points - 1
	pages := (n + pageNodes - 1) / pageNodes
	t := cutTree{d: d, root: -1, nodes: cow.New[cutNode](pages, pageNodes), boxes: cow.New[float64](pages, pageNodes*2*d), free: make([]int32, 0, n)}
	for i := n - 1; i >= 0; i-- {
		t.free = append(t.free, int32(i))
	}
	return t
}

func (t *cutTree) node(i int32) *cutNode { return &t.nodes.Page(int(i) / pageNodes)[i%pageNodes] }
func (t *cutTree) own(i int32) *cutNode  { return &t.nodes.Own(int(i) / pageNodes)[i%pageNodes] }

func (t *cutTree) box(i int32) []float64 {
	at := int(i) % pageNodes * 2 * t.d
	return t.boxes.Page(int(i) / pageNodes)[at : at+2*t.d]
}

func (t *cutTree) ownBox(i int32) []float64 {
	at := int(i) % pageNodes * 2 * t.d
	return t.boxes.Own(int(i) / pageNodes)[at : at+2*t.d]
}

func (t *cutTree) take() int32 {
	i := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	return i
}

// draw cuts the box of a node, stretched to hold x, at a place that is uniform over the sum of its sides (definition 1). It reports
// whether the cut parts x from the box. Without any side x is the point of a leaf.
func (t *cutTree) draw(i int32, x []float64, rng *random.Source) (column int, cut float64, parts, same bool) {
	box, sum := t.box(i), 0.0
	for j, v := range x {
		sum += max(box[t.d+j], v) - min(box[j], v)
	}
	if sum == 0 {
		return 0, 0, false, true
	}
	r := rng.Unit() * sum
	for j, v := range x {
		low, high := min(box[j], v), max(box[t.d+j], v)
		if side := high - low; side > 0 {
			column, cut = j, min(low+r, high)
			if cut >= high {
				cut = low // rounding: at or below is left, so the cut must lie below the highest
			}
			if r < side {
				break
			}
			r -= side
		}
	}
	return column, cut, cut < box[column] || cut >= box[t.d+column], false
}

// displacement is the collusive displacement that x has, or would have once inserted with the same random numbers (section 2.1): the
// greatest ratio, over the parts of the tree that hold x, of the points that leave their place when the part is taken out to those
// in the part.
func (t *cutTree) displacement(x []float64, rng *random.Source) float64 {
	if t.root < 0 {
		return 0
	}
	// downwards the ratios of the parts above the new leaf follow from counts alone
	worst, i := 0.0, t.root
	for {
		_, _, parts, same := t.draw(i, x, rng)
		n := t.node(i)
		if same && n.left < 0 {
			return worst
		}
		if parts {
			return max(worst, float64(n.count))
		}
		down, other := n.left, n.right
		if x[n.column] > n.cut {
			down, other = other, down
		}
		worst = max(worst, float64(t.node(other).count)/float64(t.node(down).count+1))
		i = down
	}
}

// insert adds x, and returns its leaf.
func (t *cutTree) insert(x []float64, rng *random.Source) int32 {
	if t.root < 0 {
		leaf := t.leaf(x, -1)
		t.root = leaf
		return leaf
	}
	i := t.root
	for {
		column, cut, parts, same := t.draw(i, x, rng)
		n := t.own(i)
		if same && n.left < 0 {
			n.count++
			return i
		}
		if parts {
			return t.split(i, x, int32(column), cut)
		}
		n.count++
		box := t.ownBox(i)
		for j, v := range x {
			box[j], box[t.d+j] = min(box[j], v), max(box[t.d+j], v)
		}
		if x[n.column] <= n.cut {
			i = n.left
		} else {
			i = n.right
		}
	}
}

func (t *cutTree) leaf(x []float64, parent int32) int32 {
	i := t.take()
	*t.own(i) = cutNode{parent: parent, left: -1, right: -1, count: 1}
	box := t.ownBox(i)
	copy(box, x)
	copy(box[t.d:], x)
	return i
}

// split puts a new inner node above node i, with a new leaf for x beside it.
func (t *cutTree) split(i int32, x []float64, column int32, cut float64) int32 {
	parent := t.node(i).parent
	inner := t.take()
	leaf := t.leaf(x, inner)
	n := cutNode{parent: parent, left: leaf, right: i, count: t.node(i).count + 1, column: column, cut: cut}
	if x[column] > cut {
		n.left, n.right = i, leaf
	}
	*t.own(inner) = n
	t.own(i).parent = inner
	t.replace(parent, i, inner)
	t.fit(inner)
	return leaf
}

// replace makes to the child of parent that from was.
func (t *cutTree) replace(parent, from, to int32) {
	if parent < 0 {
		t.root = to
		return
	}
	if p := t.own(parent); p.left == from {
		p.left = to
	} else {
		p.right = to
	}
}

// fit makes the box of an inner node that of its children, and reports whether it changed.
func (t *cutTree) fit(i int32) bool {
	n := t.node(i)
	a, b, box := t.box(n.left), t.box(n.right), t.ownBox(i)
	changed := false
	for j := range t.d {
		low, high := min(a[j], b[j]), max(a[t.d+j], b[t.d+j])
		changed = changed || low != box[j] || high != box[t.d+j]
		box[j], box[t.d+j] = low, high
	}
	return changed
}

// remove takes one point out of a leaf, and the leaf out of the tree if it was the last.
func (t *cutTree) remove(leaf int32) {
	up := t.node(leaf).parent
	if t.node(leaf).count > 1 {
		t.own(leaf).count--
	} else {
		t.free = append(t.free, leaf)
		if up < 0 {
			t.root = -1
			return
		}
		p := *t.node(up)
		other := p.left
		if other == leaf {
			other = p.right
		}
		t.own(other).parent = p.parent
		t.replace(p.parent, up, other)
		t.free = append(t.free, up)
		up = p.parent
	}
	fitting := true
	for ; up >= 0; up = t.node(up).parent {
		t.own(up).count--
		fitting = fitting && t.fit(up)
	}
}

// state visits the tree from the root, left before right; loading numbers its nodes anew, in that order.
func (t *cutTree) state(s *codec.State, limit int) {
	empty := t.root < 0
	s.Bool(&empty)
	if s.Loading() {
		*t = newCutTree(t.d, (t.nodes.Len()*pageNodes+1)/2)
	}
	if empty {
		t.root = -1
		return
	}
	if i := t.visit(s, t.root, -1, &limit); s.Err() == nil {
		t.root = i
	} else {
		t.root = -1
	}
}

func (t *cutTree) visit(s *codec.State, i, parent int32, left *int) int32 {
	var n cutNode
	if !s.Loading() {
		n = *t.node(i)
	} else if *left--; *left < 0 || len(t.free) == 0 {
		s.Fail("tree of too many nodes")
		return -1
	} else {
		i = t.take()
	}
	isLeaf := n.left < 0
	s.Bool(&isLeaf)
	if isLeaf {
		return t.visitLeaf(s, i, parent, n)
	}
	column := uint32(n.column)
	s.Uint32(&column)
	s.Float64(&n.cut)
	if s.Loading() && (int(column) >= t.d || n.cut != n.cut) {
		s.Fail("cut of column %d at %v", column, n.cut)
		return -1
	}
	a := t.visit(s, n.left, i, left)
	if s.Err() != nil {
		return -1
	}
	b := t.visit(s, n.right, i, left)
	if s.Err() != nil || !s.Loading() {
		return i
	}
	*t.own(i) = cutNode{parent: parent, left: a, right: b, count: t.node(a).count + t.node(b).count, column: int32(column), cut: n.cut}
	t.fit(i)
	return i
}

func (t *cutTree) visitLeaf(s *codec.State, i, parent int32, n cutNode) int32 {
	count := uint32(n.count)
	s.Uint32(&count)
	box := t.box(i)
	if s.Loading() {
		box = t.ownBox(i)
	}
	for j := range t.d {
		s.Float64(&box[j])
		if s.Loading() {
			if !(math.Abs(box[j]) <= maxDeviations) {
				s.Fail("point at %v", box[j])
			}
			box[t.d+j] = box[j]
		}
	}
	if s.Loading() {
		if count == 0 || count > maxNodes {
			s.Fail("leaf of %d points", count)
			return -1
		}
		*t.own(i) = cutNode{parent: parent, left: -1, right: -1, count: int32(count)}
	}
	return i
}

func (t *cutTree) share() cutTree {
	return cutTree{d: t.d, root: t.root, nodes: t.nodes.Share(), boxes: t.boxes.Share()}
}
