package tree

import (
	"math"
	"sync"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// State visits labels and dictionaries, then the nodes in preorder.
func (t *Gradient) State(c *codec.State) {
	c.Fixed("stochastic_gradient_tree version", 1)
	c.Fixed("columns", t.width)
	c.Fixed("categorical columns", len(t.nominal))
	c.Uint64(&t.dropped.Splits)
	for _, v := range []*float64{&t.labels, &t.labelMean, &t.labelSquares, &t.least, &t.most} {
		c.Float64(v)
	}
	if c.Loading() {
		if !(t.labels >= 0 && t.labels <= warmUp && t.labelSquares >= 0 && math.Abs(t.labelMean) <= mostValue) || t.labels > 0 && !(t.least <= t.most) {
			c.Fail("labels: %g of mean %g", t.labels, t.labelMean)
			t.labels, t.labelMean, t.labelSquares, t.least, t.most = 0, 0, 0, math.Inf(1), math.Inf(-1)
		}
		for k := range t.dicts {
			t.dicts[k] = newDict(t.cfg.MaxCategories)
		}
		t.arena, t.leaves, t.frozen = arena[gradCell]{}, 0, nil
		t.root = t.take(1)
	}
	for _, d := range t.dicts {
		d.visit(c)
	}
	t.visitNode(c, t.root, 0)
	if c.Loading() && c.Err() != nil {
		t.plant()
	}
}

func (t *Gradient) visitNode(c *codec.State, at, depth int32) {
	kind := leafKind
	if n := &t.nodes[at]; n.column >= 0 {
		if kind = numberKind; n.slot >= 0 {
			kind = nominalKind
		}
	}
	c.Byte(&kind)
	if c.Err() != nil || depth > maxDepth || kind > nominalKind || t.leaves > t.cfg.MaxLeaves {
		c.Fail("node kind %d, depth %d, leaf %d", kind, depth, t.leaves)
		return
	}
	if c.Loading() {
		t.cells[at].depth = depth
	}
	if kind == leafKind {
		t.visitLeaf(c, at, depth)
		return
	}
	k := t.nodes[at].visit(c, &t.layout, kind == nominalKind)
	if c.Err() != nil {
		return
	}
	if c.Loading() {
		first := t.take(k)
		t.nodes[at].first = first
	}
	for i := range int32(k) {
		t.visitNode(c, t.nodes[at].first+i, depth+1)
	}
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
	layout
	answers
	root   int32
	nodes  shelf[node]
	values shelf[float64]
	pool   *sync.Pool
}

// Publish returns an immutable snapshot. Cost: what changed, and 1/2 byte for each node.
func (t *Gradient) Publish() models.Predictor {
	if t.frozen != nil && len(t.moved) == 0 && !t.newKeys {
		return t.frozen
	}
	s := &gradSnapshot{layout: t.layout, answers: t.answers(), root: t.root}
	if t.frozen == nil {
		s.pool = &sync.Pool{New: func() any { return new([]float64) }}
		t.track, t.moved, t.grown = true, t.moved[:0], t.grown[:0]
		for i := range t.nodes {
			t.moved, t.grown = append(t.moved, int32(i)), append(t.grown, int32(i))
		}
	} else {
		s.pool, s.nodes, s.values = t.frozen.pool, t.frozen.nodes, t.frozen.values
	}
	if len(t.grown) > 0 {
		s.nodes = s.nodes.with(len(t.nodes), t.grown, func(i int32) node { return t.nodes[i] })
	}
	s.values = s.values.with(len(t.nodes), t.moved, func(i int32) float64 { return t.cells[i].value })
	t.moved, t.grown, t.newKeys, t.frozen = t.moved[:0], t.grown[:0], false, s
	return s
}

// Predict answers as the tree did when it was published.
func (s *gradSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	if e.Index == nil && len(e.Value) >= s.width {
		return append(dst, s.predict(e.Value))
	}
	scratch := s.pool.Get().(*[]float64)
	dst = append(dst, s.predict(s.dense(e, scratch)))
	s.pool.Put(scratch)
	return dst
}

func (s *gradSnapshot) predict(row []float64) float64 {
	at := s.root
	n := s.nodes.at(at)
	for n.column >= 0 {
		at = n.first + n.step(&s.layout, row[n.column])
		n = s.nodes.at(at)
	}
	return s.of(*s.values.at(at))
}
