package mondrian

import (
	"math"
	"math/rand/v2"
)

// node is a leaf (left < 0) or a split. The columns of a box stand in tree.box, the weights of the classes in its page.
type node struct {
	cut           float64 // at most this goes left
	time          float64 // when the cell of the node came to be
	weight, total float64 // log-weights: of the node as a leaf; of all prunings of its subtree
	n             float64 // weight of the examples
	mean          float64 // of their labels, regression
	reached       uint64  // number of the last example in it
	parent        int32
	left, right   int32
	column        int32
}

const (
	pageBits = 4
	pageSize = 1 << pageBits
	none     = -1
)

// page holds nodes that a snapshot shares until learning touches one of them.
type page struct {
	epoch  uint64
	nodes  [pageSize]node
	counts []float64 // node × class
}

// view is what an answer needs of a tree.
type view struct {
	pages []*page
	root  int32 // none: no example yet
	salt  uint64
}

func (v *view) at(i int32) *node { return &v.pages[i>>pageBits].nodes[i&(pageSize-1)] }

func (v *view) counts(i int32, classes int) []float64 {
	from := int(i&(pageSize-1)) * classes
	return v.pages[i>>pageBits].counts[from : from+classes]
}

// tree is one Mondrian tree and its random source.
type tree struct {
	view
	box   []float64 // node × column × (least, greatest); +Inf, −Inf: none seen
	free  []int32
	used  int // nodes that were ever used: those at and above it are fresh
	pcg   *rand.PCG
	rng   *rand.Rand
	gone  uint64    // leaves that max_nodes took
	reach []float64 // scratch: how far the example lies outside of a box, by column, in units of the scale
}

// child returns the side of a split that a row takes: where more examples went if the value is missing.
func (v *view) child(n *node, x []float64) int32 {
	z := x[n.column]
	if z <= n.cut {
		return n.left
	}
	if z > n.cut || v.at(n.right).n > v.at(n.left).n {
		return n.right
	}
	return n.left
}

// own returns a node of a page that no snapshot shares.
func (f *Forest) own(t *tree, i int32) *node {
	p := t.pages[i>>pageBits]
	if p.epoch != f.epoch {
		c := *p
		c.epoch, c.counts = f.epoch, append([]float64(nil), p.counts...)
		p = &c
		t.pages[i>>pageBits] = p
	}
	return &p.nodes[i&(pageSize-1)]
}

// take returns an unused node, empty.
func (f *Forest) take(t *tree) int32 {
	var i int32
	if k := len(t.free); k > 0 {
		i = t.free[k-1]
		t.free = t.free[:k-1]
	} else {
		i = int32(t.used)
		t.used++
		if t.used > len(t.pages)*pageSize {
			t.pages = append(t.pages, &page{epoch: f.epoch, counts: make([]float64, pageSize*f.classes)})
			t.box = append(t.box, make([]float64, pageSize*2*f.width)...)
		}
	}
	*f.own(t, i) = node{parent: none, left: none, right: none, total: 0}
	clear(t.counts(i, f.classes))
	box := f.box(t, i)
	for j := 0; j < len(box); j += 2 {
		box[j], box[j+1] = math.Inf(1), math.Inf(-1)
	}
	return i
}

func (f *Forest) box(t *tree, i int32) []float64 {
	return t.box[int(i)*2*f.width : (int(i)+1)*2*f.width]
}

// learn lets a tree learn the row x of label y (algorithm 2 of the paper).
func (f *Forest) learn(t *tree, x []float64, y, w float64) {
	if t.root == none {
		t.root = f.take(t)
		f.extend(t, t.root, x)
		f.count(t, t.root, y, w, false)
		return
	}
	if len(t.free) < 2 && t.used+2 > f.cfg.MaxNodes {
		f.forget(t)
	}
	at := t.root
	for {
		if time, column := f.splitTime(t, at, x); column >= 0 {
			at = f.split(t, at, column, time, x, y, w)
			break
		}
		f.extend(t, at, x)
		f.count(t, at, y, w, true)
		n := t.at(at)
		if n.left < 0 {
			break
		}
		at = t.child(n, x)
	}
	f.aggregate(t, at)
}

// splitTime draws when the box of a node would be split by the row, and where; column is negative if the split would come after those below the node.
func (f *Forest) splitTime(t *tree, at int32, x []float64) (float64, int) {
	n := t.at(at)
	if !f.cfg.SplitPure && f.classes > 0 && f.pure(t, at) {
		return 0, -1
	}
	box, sum := f.box(t, at), 0.0
	for j, z := range x {
		d := 0.0
		if lo, hi := box[2*j], box[2*j+1]; z < lo && lo <= hi {
			d = (lo - z) * f.scale[j]
		} else if z > hi && lo <= hi {
			d = (z - hi) * f.scale[j]
		}
		t.reach[j] = d
		sum += d
	}
	if !(sum > 0) {
		return 0, -1
	}
	time := n.time + t.rng.ExpFloat64()/sum
	if n.left >= 0 && !(time < t.at(n.left).time) || math.IsInf(time, 1) || t.used+2 > f.cfg.MaxNodes && len(t.free) < 2 {
		return 0, -1
	}
	u := t.rng.Float64() * sum
	last := -1
	for j, d := range t.reach {
		if d > 0 {
			last = j
			if u -= d; u < 0 {
				break
			}
		}
	}
	return time, last
}

func (f *Forest) pure(t *tree, at int32) bool {
	seen := 0
	for _, c := range t.counts(at, f.classes) {
		if c > 0 {
			seen++
		}
	}
	return seen < 2
}

// split puts a split above what the node was, with the row alone in the other child, and returns that.
func (f *Forest) split(t *tree, at int32, column int, time float64, x []float64, y, w float64) int32 {
	old, leaf := f.take(t), f.take(t)
	_, _, l := f.own(t, at), f.own(t, old), f.own(t, leaf)
	n, o := f.own(t, at), f.own(t, old) // take and own may have moved pages
	*o = *n
	copy(t.counts(old, f.classes), t.counts(at, f.classes))
	copy(f.box(t, old), f.box(t, at))
	o.time, o.parent = time, at
	if o.left >= 0 {
		f.own(t, o.left).parent = old
		f.own(t, o.right).parent = old
		n, l = f.own(t, at), f.own(t, leaf)
	}
	l.time, l.parent = time, at
	lo, hi := f.box(t, at)[2*column], f.box(t, at)[2*column+1]
	n.column = int32(column)
	if z := x[column]; z > hi {
		n.cut = between(t.rng, hi, z)
		n.left, n.right = old, leaf
	} else {
		n.cut = between(t.rng, z, lo)
		n.left, n.right = leaf, old
	}
	f.extend(t, at, x)
	f.count(t, at, y, w, true)
	f.extend(t, leaf, x)
	f.count(t, leaf, y, w, false)
	return leaf
}

// between draws a number in [a, b).
func between(rng *rand.Rand, a, b float64) float64 {
	c := a + float64(rng.Float64()*(b-a))
	if !(c < b) {
		return a
	}
	return c
}

// extend makes the box of a node hold the row.
func (f *Forest) extend(t *tree, at int32, x []float64) {
	box := f.box(t, at)
	for j, z := range x {
		if z < box[2*j] {
			box[2*j] = z
		}
		if z > box[2*j+1] {
			box[2*j+1] = z
		}
	}
}

// count takes the label into a node, after the node was weighed by how well it predicts it.
func (f *Forest) count(t *tree, at int32, y, w float64, weigh bool) {
	n := f.own(t, at)
	n.reached = f.events
	if f.classes == 0 {
		if weigh {
			d := y - n.mean
			n.weight -= f.cfg.Step * w * min(maxLoss, float64(d*d)*f.precision)
		}
		n.n += w
		n.mean += (y - n.mean) * (w / n.n)
		return
	}
	counts := t.counts(at, f.classes)
	if weigh {
		a := f.cfg.Dirichlet
		n.weight += f.cfg.Step * w * math.Log((counts[int(y)]+a)/(n.n+float64(a*float64(f.classes))))
	}
	n.n += w
	counts[int(y)] += w
}

// aggregate brings the weights of the prunings up to date from a node to the root (the context tree weighting of section 4).
func (f *Forest) aggregate(t *tree, at int32) {
	for at != none {
		n := f.own(t, at)
		if n.left < 0 {
			n.total = n.weight
		} else {
			n.total = halfSum(n.weight, t.at(n.left).total+t.at(n.right).total)
		}
		at = n.parent
	}
}

// halfSum is ln((eᵃ + eᵇ)/2).
func halfSum(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	return a + math.Log1p(math.Exp(b-a)) - math.Ln2
}

// forget removes a leaf and the split above it, whose other child takes its place. The way to the leaf goes from the root always to the child
// that was reached longer ago. What remains is the tree as if the examples of the leaf had never split it.
func (f *Forest) forget(t *tree) {
	at := t.root
	if t.at(at).left < 0 {
		return
	}
	for t.at(at).left >= 0 {
		n := t.at(at)
		if t.at(n.left).reached < t.at(n.right).reached {
			at = n.left
		} else {
			at = n.right
		}
	}
	up := t.at(at).parent
	stay := t.at(up).left
	if stay == at {
		stay = t.at(up).right
	}
	above := t.at(up).parent
	s := f.own(t, stay)
	s.parent, s.time = above, t.at(up).time
	if above == none {
		t.root = stay
	} else if a := f.own(t, above); a.left == up {
		a.left = stay
	} else {
		a.right = stay
	}
	f.aggregate(t, above)
	for _, i := range [2]int32{at, up} {
		*f.own(t, i) = node{parent: none, left: none, right: none}
		clear(t.counts(i, f.classes))
		clear(f.box(t, i))
		t.free = append(t.free, i)
	}
	t.gone++
}
