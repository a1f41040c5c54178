package tree

import "math"

// splitPoints is the number of thresholds tried between a column's least and greatest value.
const splitPoints = 10

// leastBranch is the share of the weight that at least two branches of a split must hold.
const leastBranch = 0.01

// candidate is the best split of one column.
type candidate struct {
	gain      float64 // information gain in bits; 0 for the null split
	column    int     // -1: the null split
	nominal   int
	threshold float64
}

// trySplit splits the leaf at a place if its best split beats the second best by the Hoeffding bound
// ε = √(R² ln(1/δ)/(2n)), or if ε < τ (Domingos & Hulten 2000, §3). R is log₂ of the classes seen in the leaf. Not
// to split is a candidate with gain 0.
func (h *Hoeffding) trySplit(at **node, depth int) {
	l := (*at).leaf
	best, second := h.bestTwo(l)
	if best.column < 0 || depth >= maxDepth {
		return
	}
	classes := 0
	for _, n := range l.counts {
		if n > 0 {
			classes++
		}
	}
	r := math.Log2(float64(max(classes, 2)))
	bound := math.Sqrt(r * r * math.Log(1/h.cfg.Delta) / (2 * l.weight))
	if best.gain-second.gain > bound || bound < h.cfg.Tau {
		h.split(at, best)
	}
}

// bestTwo returns the best and the second best of one candidate for each column and the null split.
func (h *Hoeffding) bestTwo(l *leaf) (best, second candidate) {
	best, second = candidate{column: -1}, candidate{gain: math.Inf(-1), column: -1}
	consider := func(c candidate) {
		switch {
		case c.gain > best.gain:
			best, second = c, best
		case c.gain > second.gain:
			second = c
		}
	}
	before := entropy(l.counts)
	for s, column := range h.numeric {
		consider(h.bestThreshold(l.stats[s*h.classes:(s+1)*h.classes], before, column))
	}
	for k, column := range h.nominal {
		consider(candidate{gain: tableGain(l.tables[k], h.classes, before), column: column, nominal: k})
	}
	return best, second
}

// bestThreshold tries equidistant thresholds between the least and the greatest value of a column.
func (h *Hoeffding) bestThreshold(classes []gaussian, before float64, column int) candidate {
	best := candidate{gain: math.Inf(-1), column: column, nominal: -1}
	least, most := math.Inf(1), math.Inf(-1)
	for c := range classes {
		if classes[c].n > 0 {
			least, most = min(least, classes[c].least), max(most, classes[c].most)
		}
	}
	if !(least < most) {
		return best
	}
	left, right := h.votes[:h.classes], h.votes[h.classes:]
	for i := 1; i <= splitPoints; i++ {
		t := least + float64((most-least)/(splitPoints+1)*float64(i))
		if !(t > least && t < most) {
			continue
		}
		for c := range classes {
			left[c] = classes[c].below(t)
			right[c] = classes[c].n - left[c]
		}
		if g := pairGain(left, right, before); g > best.gain {
			best.gain, best.threshold = g, t
		}
	}
	return best
}

// pairGain is the information gain of a split in two, −∞ if one side holds too little.
func pairGain(left, right []float64, before float64) float64 {
	nl, nr := total(left), total(right)
	n := nl + nr
	if nl <= leastBranch*n || nr <= leastBranch*n {
		return math.Inf(-1)
	}
	return before - float64(nl/n*entropy(left)) - float64(nr/n*entropy(right))
}

// tableGain is the information gain of a split into one branch per value, −∞ if fewer than two branches hold enough.
func tableGain(t table, classes int, before float64) float64 {
	n, full := total(t), 0
	after := 0.0
	for i := 0; i < len(t); i += classes {
		branch := t[i : i+classes]
		w := total(branch)
		if w > leastBranch*n {
			full++
		}
		if w > 0 {
			after += float64(w / n * entropy(branch))
		}
	}
	if full < 2 {
		return math.Inf(-1)
	}
	return before - after
}

func total(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s
}

// entropy is that of the shares of non-negative weights, in bits; 0 without weight.
func entropy(x []float64) float64 {
	n := total(x)
	if !(n > 0) {
		return 0
	}
	e := 0.0
	for _, v := range x {
		if v > 0 {
			p := v / n
			e -= float64(p * math.Log2(p))
		}
	}
	return e
}

// split replaces the leaf at a place by a split whose leaves start with the class weights that it expects.
func (h *Hoeffding) split(at **node, c candidate) {
	old := (*at).leaf
	n := &node{epoch: h.epoch, column: c.column, nominal: c.nominal, threshold: c.threshold}
	var expected [][]float64
	if c.nominal < 0 {
		expected = h.sides(old, c)
	} else {
		expected, n.branch = branches(old.tables[c.nominal], h.classes)
	}
	if h.leaves+len(expected)-1 > h.cfg.MaxLeaves {
		return
	}
	for i, counts := range expected {
		l := newLeaf(counts)
		l.activate(&h.layout)
		n.children = append(n.children, &node{epoch: h.epoch, leaf: l})
		if l.weight > n.children[n.usual].leaf.weight {
			n.usual = i
		}
	}
	*at = n
	h.leaves += len(expected) - 1
	h.active += len(expected) - 1
	for limit := h.activeLimit(); h.active > limit; {
		h.deactivateOne()
	}
}

func (h *Hoeffding) sides(l *leaf, c candidate) [][]float64 {
	left, right := make([]float64, h.classes), make([]float64, h.classes)
	for s, column := range h.numeric {
		if column != c.column {
			continue
		}
		for k := range left {
			g := &l.stats[s*h.classes+k]
			left[k] = g.below(c.threshold)
			right[k] = g.n - left[k]
		}
	}
	return [][]float64{left, right}
}

// branches gives each place that holds weight a branch of its own.
func branches(t table, classes int) (expected [][]float64, branch []int32) {
	for i := 0; i < len(t); i += classes {
		if total(t[i:i+classes]) > 0 {
			branch = append(branch, int32(len(expected)))
			expected = append(expected, append([]float64(nil), t[i:i+classes]...))
		} else {
			branch = append(branch, -1)
		}
	}
	return expected, branch
}

// leafBytes is the greatest size of the statistics of one leaf.
func (h *Hoeffding) leafBytes() int {
	return 48*len(h.numeric)*h.classes + (24+8*h.cfg.MaxCategories*h.classes)*len(h.nominal) + 64
}

// activeLimit is how many leaves may keep statistics.
func (h *Hoeffding) activeLimit() int { return max(1, h.cfg.MaxBytes/h.leafBytes()) }

// deactivateOne takes the statistics from the active leaf with the least promise, the first one on a tie. Cost: O(nodes), and
// the path to the leaf is copied if a snapshot shares it; it runs only after a split of a full tree.
func (h *Hoeffding) deactivateOne() {
	least, path, best := math.Inf(1), []int(nil), []int(nil)
	var walk func(n *node)
	walk = func(n *node) {
		if n.leaf == nil {
			for i, c := range n.children {
				path = append(path, i)
				walk(c)
				path = path[:len(path)-1]
			}
			return
		}
		if n.leaf.stats != nil && n.leaf.promise() < least {
			least, best = n.leaf.promise(), append(best[:0], path...)
		}
	}
	walk(h.root)
	n := h.own(&h.root)
	for _, i := range best {
		n = h.own(&n.children[i])
	}
	n.leaf.deactivate()
	h.active--
}
