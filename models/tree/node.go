package tree

import (
	"math"

	"github.com/freshet-ml/freshet/models"
)

// node is a leaf, or a split of one column into branches.
type node struct {
	epoch     uint64
	leaf      *leaf // nil: a split
	column    int
	nominal   int // place of the column among the nominal ones, -1: numeric
	threshold float64
	usual     int // the branch of missing and unknown values
	children  []*node
	branch    []int32 // nominal: the branch of the value at each place, -1: none
}

// route returns the branch that an example takes.
func (n *node) route(lay *layout, e *models.Example) int {
	var x float64
	if e.Index == nil && n.column < len(e.Value) {
		x = e.Value[n.column]
	} else {
		x = e.At(n.column)
	}
	if n.nominal < 0 {
		if x <= n.threshold {
			return 0
		}
		if x > n.threshold {
			return 1
		}
		return n.usual
	}
	if at, ok := lay.values[n.nominal][math.Float64bits(x)]; ok && int(at) < len(n.branch) && n.branch[at] >= 0 {
		return int(n.branch[at])
	}
	return n.usual
}

// clone copies what learning changes: the child pointers of a split, all of a leaf.
func (n *node) clone(epoch uint64) *node {
	c := *n
	c.epoch = epoch
	if n.leaf == nil {
		c.children = append([]*node(nil), n.children...)
		return &c
	}
	l := *n.leaf
	l.counts = append([]float64(nil), l.counts...)
	if l.stats != nil {
		l.stats = append([]gaussian(nil), l.stats...)
		l.tables = make([]table, len(n.leaf.tables))
		for k, t := range n.leaf.tables {
			l.tables[k] = append(table(nil), t...)
		}
	}
	c.leaf = &l
	return &c
}

// leaf counts classes and, while it is active, keeps the distribution of every column for each class.
type leaf struct {
	counts        []float64 // weight by class; starts with what the split expected
	weight        float64   // their sum
	tried         float64   // weight at the last attempt to split
	bayesRight    float64
	majorityRight float64
	stats         []gaussian // numeric column × class; nil: inactive
	tables        []table    // by nominal column
}

func newLeaf(counts []float64) *leaf {
	l := &leaf{counts: counts}
	for _, n := range counts {
		l.weight += n
	}
	l.tried = l.weight
	return l
}

func (l *leaf) activate(lay *layout) {
	l.stats = make([]gaussian, len(lay.numeric)*lay.classes)
	l.tables = make([]table, len(lay.nominal))
}

func (l *leaf) deactivate() { l.stats, l.tables = nil, nil }

// pure reports whether only one class occurred.
func (l *leaf) pure() bool {
	classes := 0
	for _, n := range l.counts {
		if n > 0 {
			classes++
		}
	}
	return classes < 2
}

// promise is how many of the leaf's examples the majority class gets wrong: what a split could gain.
func (l *leaf) promise() float64 { return l.weight - l.counts[argmax(l.counts)] }

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

// frequencies writes the shares of the classes, equal ones when nothing was counted.
func frequencies(dst, counts []float64) {
	total := 0.0
	for _, n := range counts {
		total += n
	}
	for c, n := range counts {
		if total > 0 {
			dst[c] = n / total
		} else {
			dst[c] = 1 / float64(len(counts))
		}
	}
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
