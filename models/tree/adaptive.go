package tree

import (
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// HoeffdingAdaptiveTree is the catalogue entry of the Hoeffding adaptive tree.
var HoeffdingAdaptiveTree = models.Component{
	Name:  "hoeffding_adaptive_tree",
	Kind:  models.ModelKind,
	Tasks: []models.Task{models.Binary, models.Multiclass},
	Params: append(classParams(200.0),
		models.Param{Name: "drift_delta", Default: 0.002, Range: models.Inside(0, 1), Doc: "one minus the confidence of the windows that watch the error of each subtree"}),
	Doc: "Hoeffding tree that follows drift: every node watches the error of its subtree with ADWIN. When the error has risen, an alternate subtree grows beside it, learns the same examples, and takes its place " +
		"only when its error is less by a test at 95 %; it is given up when its error is greater by the same test. Alternates do not vote. " +
		"A missing or unknown value follows the branch that most examples took when the node was split, and is left out of the statistics of a leaf.",
	Cost:   "O(depth + columns · classes) per event, twice that under an alternate",
	Memory: "as hoeffding_tree, and 7 KiB per node for its window; bounded by max_bytes and max_leaves",
	Source: "Bifet & Gavaldà 2009, HAT-ADWIN",
	Bounds: Bounds(),
	Fold:   2,
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		return NewAdaptive(env, classConfig(a), a.Float("drift_delta")), nil
	},
}

// Adaptive is a Hoeffding adaptive tree. It implements models.Learner and models.Publisher.
type Adaptive struct{ classTree }

// NewAdaptive returns an empty tree whose nodes watch their errors with ADWIN of confidence delta. It panics for a task that
// is no classification.
func NewAdaptive(env models.Env, cfg Config, delta float64) *Adaptive {
	a := &Adaptive{newClassTree(env, cfg)}
	a.watchErrors(delta)
	return a
}

// Learn sorts the example into its leaf, shows the error that the leaf makes now to all nodes on the path, and lets
// alternates learn and be judged. Examples with a weight or a class out of range change nothing.
func (a *Adaptive) Learn(e *models.Example, _ []float64) { a.Train(e, e.Weight) }

// Train is Learn with another weight than the example's.
func (a *Adaptive) Train(e *models.Example, weight float64) {
	y, ok := a.usable(e, weight)
	if !ok {
		return
	}
	a.pack()
	row, places := a.read(e)
	a.last.valid = a.last.valid && sameRow(a.last.row, row)
	a.way = a.path(&a.layout, a.way[:0], a.root, row)
	wrong := a.learnLeaf(a.way, row, places, y, weight)
	for _, at := range a.way {
		w := a.watch(at)
		rose := w.errors.Update(wrong) && w.errors.Rose()
		if w.alternate < 0 {
			if rose {
				a.grow(at)
			}
			continue
		}
		a.alt = a.path(&a.layout, a.alt[:0], w.alternate, row)
		if a.judge(at, a.learnLeaf(a.alt, row, places, y, weight)) {
			return
		}
	}
}

// learnLeaf trains the leaf at the end of a path and returns 1 if its answer before was wrong, else 0.
func (a *Adaptive) learnLeaf(way []int32, row []float64, places []int32, y int, weight float64) float64 {
	leaf, wrong := way[len(way)-1], 0.0
	if a.classOf(leaf, row) != y {
		wrong = 1
	}
	a.train(leaf, row, places, y, weight)
	return wrong
}

// grow starts an alternate for a node.
func (a *Adaptive) grow(at int32) {
	if root := a.sprout(at); root >= 0 {
		a.newLeaf(root, a.none, a.notes[at].depth)
		a.bound()
	}
}

// State visits the dictionaries of the categorical columns, then the nodes in preorder.
func (a *Adaptive) State(c *codec.State) {
	c.Fixed("hoeffding_adaptive_tree version", 1)
	a.visit(c)
}
