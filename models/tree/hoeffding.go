package tree

import (
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Hoeffding is a Hoeffding tree classifier, and the member that ensembles are built of. It implements models.Learner and
// models.Publisher.
//
// An ensemble makes members with New, a Config of its own (Subspace for a random choice of columns per leaf or per tree, a
// Seed for each member) and calls Probabilities, which always gives one number for each class, then Train with a weight. Train
// after Probabilities on the same row costs less: the leaf and its votes are remembered. Reset plants a member anew.
// Members share nothing, so they may run on different goroutines. Publish costs O(1) for a member that has not learned.
type Hoeffding struct{ classTree }

// New returns an empty tree for the environment. It panics for a task that is no classification.
func New(env models.Env, cfg Config) *Hoeffding {
	return &Hoeffding{newClassTree(env, cfg)}
}

// Learn sorts the example into its leaf and splits the leaf when that is due. Examples with a weight or
// a class out of range change nothing. Whether naive Bayes or the majority is right is judged here, with the
// leaf as it is now; the answer that was given earlier is not used.
func (h *Hoeffding) Learn(e *models.Example, _ []float64) { h.Train(e, e.Weight) }

// Train is Learn with another weight than the example's.
func (h *Hoeffding) Train(e *models.Example, weight float64) {
	y, ok := h.usable(e, weight)
	if !ok {
		return
	}
	row, places := h.read(e)
	h.train(h.settle(row), row, places, y, weight)
}

// TrainJudged is Train; it reports whether the tree, as it was before, answers with the class of the example. It costs
// no more: the votes that say it are those by which the leaf chooses between naive Bayes and the majority.
func (h *Hoeffding) TrainJudged(e *models.Example, weight float64) bool {
	y, ok := h.usable(e, weight)
	if !ok {
		return false
	}
	row, places := h.read(e)
	at := h.settle(row)
	ok = h.classOf(at, row) == y
	h.train(at, row, places, y, weight)
	return ok
}

// Reset makes the tree one empty leaf again, with another seed. Snapshots stay as they are.
func (h *Hoeffding) Reset(seed uint64) {
	h.cfg.Seed, h.draws, h.shared = seed, 0, nil
	h.plant()
}

// State visits the dictionaries of the categorical columns, then the nodes in preorder.
func (h *Hoeffding) State(c *codec.State) {
	c.Fixed("hoeffding_tree version", 2)
	h.visit(c)
}
