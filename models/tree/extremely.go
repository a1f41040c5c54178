package tree

import (
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// ExtremelyFastDecisionTree is the catalogue entry of the Hoeffding anytime tree.
var ExtremelyFastDecisionTree = models.Component{
	Name:  "extremely_fast_decision_tree",
	Kind:  models.ModelKind,
	Tasks: []models.Task{models.Binary, models.Multiclass},
	Params: append(classParams(200.0),
		models.Param{Name: "reevaluate", Default: 2000.0, Range: models.AtLeast(1), Unit: "weight of examples", Doc: "what a split sees between two looks at whether another column would be better"}),
	Doc: "Hoeffding anytime tree (EFDT): splits a leaf as soon as its best split is better than none, keeps the statistics of every split, and looks at it again: when another column is better by the Hoeffding bound, " +
		"the subtree is replaced by a split on that one; when no split is, it becomes a leaf. A split whose own column is still the best keeps its subtree. " +
		"A missing or unknown value follows the branch that most examples took when the node was split, and is left out of the statistics.",
	Cost:   "O(depth · columns) per event",
	Memory: "as hoeffding_tree, for splits too; bounded by max_bytes and max_leaves",
	Source: "Manapragada, Webb & Salehi 2018, algorithms 1–3",
	Bounds: Bounds(),
	Fold:   2,
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		return NewExtremely(env, classConfig(a), a.Float("reevaluate")), nil
	},
}

// Extremely is an extremely fast decision tree. It implements models.Learner and models.Publisher.
type Extremely struct {
	classTree
	reevaluate float64
}

// NewExtremely returns an empty tree that looks at a split again after so much weight. It panics for a task that is no
// classification.
func NewExtremely(env models.Env, cfg Config, reevaluate float64) *Extremely {
	x := &Extremely{classTree: newClassTree(env, cfg), reevaluate: reevaluate}
	x.anytime = true
	x.measure()
	return x
}

// Learn shows the example to all nodes on its path, the root first. Examples with a weight or a class out of range change
// nothing.
func (x *Extremely) Learn(e *models.Example, _ []float64) { x.Train(e, e.Weight) }

// Train is Learn with another weight than the example's.
func (x *Extremely) Train(e *models.Example, weight float64) {
	y, ok := x.usable(e, weight)
	if !ok {
		return
	}
	x.pack()
	row, places := x.read(e)
	x.last.valid = x.last.valid && sameRow(x.last.row, row)
	x.way = x.path(&x.layout, x.way[:0], x.root, row)
	for i, at := range x.way {
		c := &x.cells[at]
		if x.nodes[at].column < 0 {
			x.train(at, row, places, y, weight)
			return
		}
		c.add(&x.layout, row, places, y, weight)
		if c.active && c.weight-c.tried >= x.reevaluate {
			c.tried = c.weight
			if x.review(at) { // the path below is another one now
				x.last.valid = false
				x.way = x.path(&x.layout, x.way[:i], at, row)
				for _, below := range x.way[i+1:] {
					x.cells[below].add(&x.layout, row, places, y, weight)
				}
				x.soil(at)
				return
			}
		}
	}
}

// review looks at a split again and reports whether it was changed.
func (x *Extremely) review(at int32) bool {
	c, n := &x.cells[at], &x.nodes[at]
	bound := hoeffding(c.reach(), x.cfg.Delta, c.weight)
	r := c.rank(&x.layout, x.scratch)
	if r.best.column == n.column {
		return false
	}
	if r.best.merit-c.meritOf(&x.layout, n.column, x.scratch) <= bound {
		return false
	}
	x.clip(at)
	if r.best.column >= 0 {
		x.split(at, r.best)
	}
	return true
}

// meritOf is the gain of the best split on a column, at least 0: that of no split.
func (s *classStats) meritOf(lay *layout, column int32, scratch []float64) float64 {
	before := entropy(s.counts())
	for a, i := range s.numeric {
		if i == column {
			return max(0, s.bestThreshold(a, before, scratch).merit)
		}
	}
	for i, slot := range s.slots {
		if lay.nominal[slot] == column {
			return max(0, tableGain(s.tables[i], int(s.classes), before))
		}
	}
	return 0
}

// State visits the dictionaries of the categorical columns, then the nodes in preorder.
func (x *Extremely) State(c *codec.State) {
	c.Fixed("extremely_fast_decision_tree version", 1)
	x.visit(c)
}
