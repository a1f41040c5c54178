package tree

import (
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// HoeffdingAdaptiveTreeRegressor is the catalogue entry of the adaptive regression tree.
var HoeffdingAdaptiveTreeRegressor = models.Component{
	Name:  "hoeffding_adaptive_tree_regressor",
	Kind:  models.ModelKind,
	Tasks: []models.Task{models.Regression},
	Params: append(regressParams(),
		models.Param{Name: "drift_delta", Default: 0.002, Range: models.Inside(0, 1), Doc: "one minus the confidence of the windows that watch the error of each subtree"}),
	Doc: "hoeffding_tree_regressor that follows drift as hoeffding_adaptive_tree does: every node watches the absolute error of its subtree, over four standard deviations of the labels and at most 1, with ADWIN; when it has risen an alternate subtree grows, " +
		"and takes the node's place only when its error is less by a test at 95 %. Missing values as in hoeffding_tree_regressor.",
	Cost:   "O(depth + columns) per event, twice that under an alternate",
	Memory: "as hoeffding_tree_regressor, and 7 KiB per node for its window; bounded by max_bytes and max_leaves",
	Source: "Ikonomovska, Gama & Džeroski 2011; windows and test: Bifet & Gavaldà 2009",
	Bounds: append(Bounds(), mergedBound),
	Fold:   2,
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		return NewAdaptiveRegressor(env, regressConfig(a), a.Float("drift_delta")), nil
	},
}

// AdaptiveRegressor is a regression tree that follows drift. It implements models.Learner and models.Publisher.
type AdaptiveRegressor struct{ regTree }

// NewAdaptiveRegressor returns an empty tree whose nodes watch their errors with ADWIN of confidence delta. It panics for a
// task that is no regression.
func NewAdaptiveRegressor(env models.Env, cfg RegressConfig, delta float64) *AdaptiveRegressor {
	r := &AdaptiveRegressor{newRegTree(env, cfg)}
	r.watchErrors(delta)
	return r
}

// Learn sorts the example into its leaf, shows the error that the leaf makes now to all nodes on the path, and lets
// alternates learn and be judged. Examples with a weight that is not positive and finite change nothing.
func (r *AdaptiveRegressor) Learn(e *models.Example, _ []float64) {
	y, ok := r.usable(e)
	if !ok {
		return
	}
	r.pack()
	row, places := r.read(e, y)
	r.way = r.path(&r.layout, r.way[:0], r.root, row)
	wrong := r.learnLeaf(r.way, row, places, y, e.Weight)
	for _, at := range r.way {
		w := r.watch(at)
		rose := w.errors.Update(wrong) && w.errors.Rose()
		if w.alternate < 0 {
			if rose {
				r.grow(at)
			}
			continue
		}
		r.alt = r.path(&r.layout, r.alt[:0], w.alternate, row)
		if r.judge(at, r.learnLeaf(r.alt, row, places, y, e.Weight)) {
			return
		}
	}
}

// learnLeaf trains the leaf at the end of a path and returns the error of its answer before, in [0, 1].
func (r *AdaptiveRegressor) learnLeaf(way []int32, row []float64, places []int32, y, weight float64) float64 {
	leaf := way[len(way)-1]
	wrong := 0.0
	if s := r.now.spread; s > 0 {
		d := (y - r.cells[leaf].answer(r.cfg.Leaf, &r.layout, r.now, row)) / (4 * s)
		wrong = min(1, max(d, -d))
	}
	r.train(leaf, row, places, y, weight)
	return wrong
}

// grow starts an alternate for a node, with the node's linear model.
func (r *AdaptiveRegressor) grow(at int32) {
	if root := r.sprout(at); root >= 0 {
		r.newLeaf(root, r.cells[at].linear, r.notes[at].depth)
		r.bound()
	}
}

// State visits scale and dictionaries, then the nodes in preorder.
func (r *AdaptiveRegressor) State(c *codec.State) {
	c.Fixed("hoeffding_adaptive_tree_regressor version", 1)
	r.visit(c)
}
