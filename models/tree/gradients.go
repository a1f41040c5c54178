package tree

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Gradients is a committee of stochastic gradient trees, one for each class, that learn together on the cross-entropy of the softmax of their
// answers: multinomial deviance with a tree for each class (Friedman 2001, algorithm 6), every tree being grown as Gouk, Pfahringer & Frank 2019
// grow one. It implements models.Learner and models.Publisher.
//
// An example's gradient for the tree of class k is pₖ − [y = k]. Its second derivative is taken as 2·pₖ·(1 − pₖ): the Hessian of the softmax,
// diag(p) − ppᵀ, has rows whose other elements sum in magnitude to the diagonal, so twice its diagonal is nowhere below it (Gershgorin), and
// Newton steps that all trees take at once do not go too far together.
type Gradients struct {
	trees  []*Gradient
	row    []float64
	leaves []int32   // scratch: of the row, by tree
	shares []float64 // scratch
}

// NewGradients returns empty trees. It panics for a task that is not multiclass.
func NewGradients(env models.Env, cfg GradientConfig) *Gradients {
	if env.Task != models.Multiclass || env.Classes < 2 {
		panic("tree: a classification with two classes or more is wanted")
	}
	g := &Gradients{leaves: make([]int32, env.Classes), shares: make([]float64, env.Classes)}
	env.Task = models.Binary
	cfg.MaxLeaves, cfg.MaxBytes = cfg.MaxLeaves/env.Classes, cfg.MaxBytes/env.Classes
	for range g.leaves {
		g.trees = append(g.trees, NewGradient(env, cfg))
	}
	return g
}

// Predict appends one probability for each class.
func (g *Gradients) Predict(dst []float64, e *models.Example) []float64 {
	start, row := len(dst), g.trees[0].dense(e, &g.row)
	for _, t := range g.trees {
		dst = append(dst, t.cells[t.leaf(&t.layout, t.root, row)].value)
	}
	softmax(dst[start:])
	return dst
}

// Observe does nothing: trees learn from labels only.
func (g *Gradients) Observe(*models.Example) {}

// Learn adds the gradients, all of them taken before any tree changes, at the example's leaves. Examples with a weight that is not positive and
// finite, or a class out of range, change nothing.
func (g *Gradients) Learn(e *models.Example, _ []float64) {
	w := e.Weight
	if !(w > 0) || math.IsInf(w, 1) || !(e.Y >= 0 && e.Y < float64(len(g.trees))) {
		return
	}
	row := g.trees[0].dense(e, &g.row)
	for k, t := range g.trees {
		g.leaves[k] = t.leaf(&t.layout, t.root, row)
		g.shares[k] = t.cells[g.leaves[k]].value
	}
	softmax(g.shares)
	for k, t := range g.trees {
		o := crossEntropy(g.shares[k], k == int(e.Y), min(w, 1e9))
		t.absorb(g.leaves[k], row, &o)
	}
}

// crossEntropy is the gradient for a class whose share is p.
func crossEntropy(p float64, is bool, w float64) sums {
	g := p
	if is {
		g = p - 1
	}
	return weighed(g, 2*p*(1-p), w)
}

// Leaves returns the number of leaves of all trees.
func (g *Gradients) Leaves() (n int) {
	for _, t := range g.trees {
		n += t.leaves
	}
	return n
}

// ActiveLeaves returns the number of leaves, which all keep statistics.
func (g *Gradients) ActiveLeaves() int { return g.Leaves() }

// Dropped adds the splits that the bounds have refused so far, of all trees.
func (g *Gradients) Dropped(d *models.Drops) {
	for _, t := range g.trees {
		t.Dropped(d)
	}
}

// State visits the trees.
func (g *Gradients) State(c *codec.State) {
	c.Fixed("stochastic gradient trees", len(g.trees))
	for _, t := range g.trees {
		t.State(c)
	}
}

// gradientsSnapshot is an immutable committee.
type gradientsSnapshot struct{ trees []*gradSnapshot }

// Publish returns an immutable snapshot. Cost: what changed, and 1/32 byte for each node.
func (g *Gradients) Publish() models.Predictor {
	s := &gradientsSnapshot{make([]*gradSnapshot, len(g.trees))}
	for k, t := range g.trees {
		s.trees[k] = t.Publish().(*gradSnapshot)
	}
	return s
}

// Predict answers as the committee did when it was published.
func (s *gradientsSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	start := len(dst)
	row, memory := s.trees[0].borrow(e)
	for _, t := range s.trees {
		_, x := t.leaf(row)
		dst = append(dst, x[0])
	}
	s.trees[0].giveBack(memory)
	softmax(dst[start:])
	return dst
}
