package tree

import (
	"math"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// Config are the parameters of a tree, as HoeffdingTree documents them.
type Config struct {
	GracePeriod   float64
	Delta         float64
	Tau           float64
	Leaf          string
	MaxLeaves     int
	MaxBytes      int
	MaxCategories int
}

// DefaultConfig is what the catalogue's defaults are.
func DefaultConfig() Config {
	return Config{GracePeriod: 200, Delta: 1e-7, Tau: 0.05, Leaf: leafNBA, MaxLeaves: 16384, MaxBytes: 32 << 20, MaxCategories: 64}
}

// maxDepth bounds the length of a path, hence of the recursion over a state.
const maxDepth = 128

// Hoeffding is a Hoeffding tree classifier. It implements models.Learner and models.Publisher.
//
// Snapshots share the nodes: after Publish a node is copied the first time that learning touches it, so
// a snapshot costs O(1) and the examples that follow O(depth + one leaf) each, however large the tree.
type Hoeffding struct {
	layout
	cfg    Config
	root   *node
	epoch  uint64 // nodes of an older one are shared with a snapshot
	leaves int
	active int // leaves that keep statistics
	votes  []float64
	dicts  uint64 // epoch of the dictionaries
}

// layout is what learner and snapshot know of the columns.
type layout struct {
	task    models.Task
	classes int
	width   int     // columns of the schema
	numeric []int   // columns with Gaussian statistics
	nominal []int   // categorical columns
	values  []slots // by nominal column: the places of its values
}

// slots gives each value of a categorical column a place, in the order of occurrence.
type slots map[uint64]int32

// New returns an empty tree for the environment. It panics for a task that is no classification.
func New(env models.Env, cfg Config) *Hoeffding {
	classes := env.Classes
	if env.Task == models.Binary {
		classes = 2
	}
	if env.Task != models.Binary && env.Task != models.Multiclass || classes < 2 {
		panic("tree: a classification with two classes or more is wanted")
	}
	h := &Hoeffding{cfg: cfg, votes: make([]float64, 2*classes), epoch: 1, dicts: 1}
	h.task, h.classes, h.width = env.Task, classes, len(env.Schema.Columns)
	for i, c := range env.Schema.Columns {
		if c.Kind == features.Categorical {
			h.nominal = append(h.nominal, i)
			h.values = append(h.values, slots{})
		} else {
			h.numeric = append(h.numeric, i)
		}
	}
	h.root = &node{epoch: h.epoch, leaf: newLeaf(make([]float64, classes))}
	h.root.leaf.activate(&h.layout)
	h.leaves, h.active = 1, 1
	return h
}

// Predict appends P(Y = 1), or one probability for each class. An empty tree answers equal
// probabilities. It does not allocate if dst has room for two numbers more than the answer.
func (h *Hoeffding) Predict(dst []float64, e *models.Example) []float64 {
	return predict(&h.layout, h.cfg.Leaf, h.root, dst, e)
}

// Observe does nothing: the tree learns from labels only.
func (h *Hoeffding) Observe(*models.Example) {}

// Learn sorts the example into its leaf and splits the leaf when that is due. Examples with a weight or
// a class out of range change nothing. Whether naive Bayes or the majority is right is judged here, with the
// leaf as it is now; the answer that was given earlier is not used.
func (h *Hoeffding) Learn(e *models.Example, _ []float64) {
	y := int(e.Y)
	if !(e.Weight > 0) || math.IsInf(e.Weight, 1) || y < 0 || y >= h.classes {
		return
	}
	at, depth := &h.root, 0
	n := h.own(at)
	for n.leaf == nil {
		at, depth = &n.children[n.route(&h.layout, e)], depth+1
		n = h.own(at)
	}
	l := n.leaf
	if l.stats != nil && h.cfg.Leaf == leafNBA {
		h.judge(l, e, y)
	}
	l.counts[y] += e.Weight
	l.weight += e.Weight
	if l.stats == nil {
		return
	}
	h.observe(l, e, y)
	if l.weight-l.tried >= h.cfg.GracePeriod && !l.pure() {
		l.tried = l.weight
		h.trySplit(at, depth)
	}
}

// judge counts how often naive Bayes and the majority class would have been right.
func (h *Hoeffding) judge(l *leaf, e *models.Example, y int) {
	votes := h.votes[:h.classes]
	l.naiveBayes(&h.layout, votes, e)
	if argmax(votes) == y {
		l.bayesRight += e.Weight
	}
	if argmax(l.counts) == y {
		l.majorityRight += e.Weight
	}
}

func (h *Hoeffding) observe(l *leaf, e *models.Example, y int) {
	dense := e.Index == nil && len(e.Value) >= h.width
	for s, column := range h.numeric {
		var x float64
		if dense {
			x = e.Value[column]
		} else {
			x = e.At(column)
		}
		if x-x == 0 { // finite
			l.stats[s*h.classes+y].add(x, e.Weight)
		}
	}
	for k, column := range h.nominal {
		if x := e.At(column); x-x == 0 {
			l.tables[k].add(h.place(k, x), h.classes, y, e.Weight)
		}
	}
}

// place returns the place of a categorical value, giving it one if it is new. The last place is shared.
func (h *Hoeffding) place(k int, x float64) int32 {
	key := math.Float64bits(x)
	if at, ok := h.values[k][key]; ok {
		return at
	}
	n := len(h.values[k])
	if n >= h.cfg.MaxCategories-1 {
		return int32(h.cfg.MaxCategories - 1)
	}
	if h.dicts != h.epoch { // a snapshot reads them
		values := make([]slots, len(h.values))
		for i, old := range h.values {
			values[i] = make(slots, len(old)+1)
			for v, at := range old {
				values[i][v] = at
			}
		}
		h.values, h.dicts = values, h.epoch
	}
	h.values[k][key] = int32(n)
	return int32(n)
}

// own returns the node at a place after making sure that no snapshot shares it.
func (h *Hoeffding) own(at **node) *node {
	n := *at
	if n.epoch == h.epoch {
		return n
	}
	n = n.clone(h.epoch)
	*at = n
	return n
}

// Publish returns an immutable snapshot in O(1).
func (h *Hoeffding) Publish() models.Predictor {
	s := &snapshot{layout: h.layout, leaf: h.cfg.Leaf, root: h.root}
	h.epoch++
	return s
}

type snapshot struct {
	layout
	leaf string
	root *node
}

// Predict answers as the tree did when it was published.
func (s *snapshot) Predict(dst []float64, e *models.Example) []float64 {
	return predict(&s.layout, s.leaf, s.root, dst, e)
}

func predict(lay *layout, kind string, n *node, dst []float64, e *models.Example) []float64 {
	for n.leaf == nil {
		n = n.children[n.route(lay, e)]
	}
	start := len(dst)
	for range lay.classes {
		dst = append(dst, 0)
	}
	votes := dst[start:]
	l := n.leaf
	if l.stats != nil && (kind == leafNB || kind == leafNBA && l.bayesRight >= l.majorityRight) {
		l.naiveBayes(lay, votes, e)
		softmax(votes)
	} else {
		frequencies(votes, l.counts)
	}
	if lay.task == models.Binary {
		dst[start] = votes[1]
		return dst[:start+1]
	}
	return dst
}

// Leaves returns the number of leaves.
func (h *Hoeffding) Leaves() int { return h.leaves }

// ActiveLeaves returns the number of leaves that keep statistics.
func (h *Hoeffding) ActiveLeaves() int { return h.active }
