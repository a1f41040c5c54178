package tree

import "github.com/freshet-ml/freshet/models"

// snapshot is an immutable classification tree.
type snapshot struct{ frozenTree[*frozenLeaf] }

// frozenLeaf is what a leaf answers from.
type frozenLeaf struct {
	classStats
	bayes bool
}

// Publish returns an immutable snapshot. Cost: the leaves that have learned since the last one, and 1/2 byte for each
// node; O(1) if nothing was learned.
func (t *classTree) Publish() models.Predictor {
	if t.still() {
		return t.frozen
	}
	t.follow()
	b := &batch{left: len(t.moved)}
	t.frozen = &snapshot{freeze(&t.body, &t.kept, func(at int32) *frozenLeaf { return t.freezeLeaf(at, b) })}
	return t.frozen
}

// batch hands out the memory of frozen leaves, a few at a time while they are small: one that answers still keeps its neighbours in memory.
type batch struct {
	left    int // leaves to come
	leaves  []frozenLeaf
	numbers []float64
}

const (
	batchLeaves  = 4
	batchNumbers = 64 // leaves of more numbers get memory of their own
)

func (b *batch) leaf(numbers int) (*frozenLeaf, []float64) {
	k := max(1, min(batchLeaves, b.left))
	if numbers > batchNumbers {
		k = 1
	}
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

// freezeLeaf copies what a leaf answers from.
func (t *classTree) freezeLeaf(i int32, b *batch) *frozenLeaf {
	c := &t.cells[i]
	t.notes[i].dirty = false
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
		f.bins = nil // answers need none
		f.copyTables()
	}
	f.block = numbers
	return f
}

// Predict answers as the tree did when it was published.
func (s *snapshot) Predict(dst []float64, e *models.Example) []float64 {
	row, memory := s.borrow(e)
	dst = s.answer(dst, row)
	s.giveBack(memory)
	return dst
}

func (s *snapshot) answer(dst, row []float64) []float64 {
	start := len(dst)
	for range s.classes {
		dst = append(dst, 0)
	}
	votes, f := dst[start:], *s.leaf(row)
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
