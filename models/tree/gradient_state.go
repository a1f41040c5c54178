package tree

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Dropped adds the splits that the bounds have refused so far.
func (t *Gradient) Dropped(d *models.Drops) { d.Add(splitsRefused, t.dropped.splits) }

// State visits labels and dictionaries, then the nodes in preorder.
func (t *Gradient) State(c *codec.State) {
	c.Fixed("stochastic_gradient_tree version", 1)
	c.Fixed("columns", t.width)
	c.Fixed("categorical columns", len(t.nominal))
	c.Uint64(&t.dropped.splits)
	for _, v := range []*float64{&t.labels, &t.labelMean, &t.labelSquares, &t.least, &t.most} {
		c.Float64(v)
	}
	if c.Loading() {
		if !(t.labels >= 0 && t.labels <= warmUp && t.labelSquares >= 0 && math.Abs(t.labelMean) <= mostValue) || t.labels > 0 && !(t.least <= t.most) {
			c.Fail("labels: %g of mean %g", t.labels, t.labelMean)
			t.labels, t.labelMean, t.labelSquares, t.least, t.most = 0, 0, 0, math.Inf(1), math.Inf(-1)
		}
		t.uproot()
	}
	t.visitDicts(c)
	t.visitNode(c, t.root, 0)
	if c.Loading() && c.Err() != nil {
		t.plant()
	}
}

func (t *Gradient) visitNode(c *codec.State, at, depth int32) {
	kind := t.nodes[at].kind()
	c.Byte(&kind)
	if c.Err() != nil || depth > maxDepth || kind > nominalKind || t.leaves > t.cfg.MaxLeaves {
		c.Fail("node kind %d, depth %d, leaf %d", kind, depth, t.leaves)
		return
	}
	if c.Loading() {
		t.notes[at].depth = depth
	}
	if kind == leafKind {
		t.visitLeaf(c, at, depth)
		return
	}
	t.visitBranches(c, at, t.cfg.MaxLeaves, kind, func(branch int32) { t.visitNode(c, branch, depth+1) })
}

func (t *Gradient) visitLeaf(c *codec.State, at, depth int32) {
	if c.Loading() {
		if t.leaves++; t.leaves > t.cfg.MaxLeaves {
			c.Fail("%d leaves", t.leaves)
			return
		}
		t.newLeaf(at, 0, depth)
	}
	l := &t.cells[at]
	c.Float64(&l.value)
	if c.Loading() && !(math.Abs(l.value) <= 30) {
		c.Fail("leaf of value %g", l.value)
	}
	l.all.visit(c)
	for a := range l.columns {
		s := &l.columns[a]
		c.Float64(&s.low)
		c.Float64(&s.width)
		if c.Loading() {
			checkBins(c, append(make([]float64, 0, binsLen), s.low, s.width)[:binsLen])
		}
		for i := range s.bins {
			if s.bins[i].visit(c); c.Err() != nil {
				return
			}
		}
	}
	for k := range l.tables {
		codec.Slice(c, &l.tables[k], 48, t.cfg.MaxCategories, func(c *codec.State, s *sums) { s.visit(c) })
	}
}

func (s *sums) visit(c *codec.State) {
	for _, v := range []*float64{&s.n, &s.g, &s.h, &s.gg, &s.gh, &s.hh} {
		c.Float64(v)
	}
	if c.Loading() && !(s.n >= 0 && s.n < math.Inf(1) && s.g-s.g == 0 && s.h >= 0) {
		c.Fail("sums %+v", *s)
	}
}

// gradSnapshot is an immutable stochastic gradient tree.
type gradSnapshot struct {
	frozenTree
	answers
}

// Publish returns an immutable snapshot. Cost: what changed, and 1/32 byte for each node.
func (t *Gradient) Publish() models.Predictor {
	if t.still() {
		return t.frozen
	}
	t.follow()
	t.frozen = &gradSnapshot{freeze(&t.body, t.freezeLeaf), t.answers()}
	return t.frozen
}

// freezeLeaf gives what a leaf answers.
func (t *Gradient) freezeLeaf(at int32) []float64 {
	if t.nodes[at].column >= 0 {
		return nil
	}
	return []float64{t.cells[at].value}
}

// Predict answers as the tree did when it was published.
func (s *gradSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	row, memory := s.borrow(e)
	_, x := s.leaf(row)
	dst = append(dst, s.of(x[0]))
	s.giveBack(memory)
	return dst
}
