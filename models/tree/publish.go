package tree

import (
	"sync"

	"github.com/freshet-ml/freshet/models"
)

// snapshot is an immutable tree. Snapshots share all that has not changed between them.
type snapshot struct {
	layout
	cfg    Config
	root   int32
	nodes  shelf[node]
	leaves shelf[*frozenLeaf]
	pool   *sync.Pool // rows, for sparse examples
}

// frozenLeaf is what a leaf answers from.
type frozenLeaf struct {
	classStats
	bayes bool
}

// Publish returns an immutable snapshot. Cost: the leaves that have learned since the last one, and 1/2 byte for each
// node; O(1) if nothing was learned.
func (t *classTree) Publish() models.Predictor {
	if t.frozen != nil && len(t.moved) == 0 && !t.newKeys && t.frozen.root == t.root {
		return t.frozen
	}
	s := &snapshot{layout: t.layout, cfg: t.cfg, root: t.root}
	if t.frozen == nil {
		s.pool = &sync.Pool{New: func() any { return new([]float64) }}
		t.track = true
		t.moved, t.grown = t.moved[:0], t.grown[:0]
		for i := range t.nodes {
			t.moved, t.grown = append(t.moved, int32(i)), append(t.grown, int32(i))
		}
	} else {
		s.pool, s.nodes, s.leaves = t.frozen.pool, t.frozen.nodes, t.frozen.leaves
	}
	if len(t.grown) > 0 {
		s.nodes = s.nodes.with(len(t.nodes), t.grown, func(i int32) node { return t.nodes[i] })
	}
	b := &batch{left: len(t.moved)}
	s.leaves = s.leaves.with(len(t.nodes), t.moved, func(i int32) *frozenLeaf { return t.freeze(i, b) })
	t.moved, t.grown, t.newKeys, t.frozen = t.moved[:0], t.grown[:0], false, s
	return s
}

// batch hands out the memory of frozen leaves, a few at a time: one that answers still keeps its neighbours in memory.
type batch struct {
	left    int // leaves to come
	leaves  []frozenLeaf
	numbers []float64
}

const batchLeaves = 4

func (b *batch) leaf(numbers int) (*frozenLeaf, []float64) {
	k := max(1, min(batchLeaves, b.left))
	if len(b.leaves) == 0 {
		b.leaves = make([]frozenLeaf, k)
	}
	if len(b.numbers) < numbers {
		b.numbers = make([]float64, k*numbers)
	}
	f, n := &b.leaves[0], b.numbers[:numbers:numbers]
	b.leaves, b.numbers = b.leaves[1:], b.numbers[numbers:]
	b.left--
	return f, n
}

// freeze copies what a leaf answers from.
func (t *classTree) freeze(i int32, b *batch) *frozenLeaf {
	c := &t.cells[i]
	c.dirty = false
	if t.nodes[i].column >= 0 || c.block == nil {
		b.left--
		return nil
	}
	bayes, keep := t.byBayes(c), t.classes
	if bayes {
		keep = 2*t.classes + 2*t.classes*len(c.numeric)
	}
	f, numbers := b.leaf(keep)
	copy(numbers, c.block)
	if f.classes, f.bayes = c.classes, bayes; bayes {
		f.classStats = c.classStats
		f.copyTables()
	}
	f.block = numbers
	return f
}

// Predict answers as the tree did when it was published.
func (s *snapshot) Predict(dst []float64, e *models.Example) []float64 {
	if e.Index == nil && len(e.Value) >= s.width {
		return s.predict(dst, e.Value)
	}
	scratch := s.pool.Get().(*[]float64)
	dst = s.predict(dst, s.dense(e, scratch))
	s.pool.Put(scratch)
	return dst
}

func (s *snapshot) predict(dst, row []float64) []float64 {
	at := s.root
	n := s.nodes.at(at)
	for n.column >= 0 {
		at = n.first + n.step(&s.layout, row[n.column])
		n = s.nodes.at(at)
	}
	start := len(dst)
	for range s.classes {
		dst = append(dst, 0)
	}
	votes, f := dst[start:], *s.leaves.at(at)
	switch {
	case !f.bayes:
		frequencies(votes, f.counts())
	default:
		f.votes(&s.layout, votes, row)
		if s.task == models.Binary {
			votes[1] = logistic(votes)
		} else {
			softmax(votes)
		}
	}
	return narrow(dst, start, s.task, false)
}
