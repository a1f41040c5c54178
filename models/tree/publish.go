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
	t.frozen = &snapshot{freeze(&t.body, &t.kept, t.freezeLeaf)}
	return t.frozen
}

// freezeLeaf copies what a leaf answers from.
func (t *classTree) freezeLeaf(i int32) *frozenLeaf {
	c := &t.cells[i]
	t.notes[i].dirty = false
	if t.nodes[i].column >= 0 || c.block == nil {
		return nil
	}
	if !t.byBayes(c) {
		f := &frozenLeaf{classStats: classStats{classes: c.classes, block: make([]float64, t.classes)}}
		copy(f.block, c.block)
		return f
	}
	f := &frozenLeaf{classStats: c.classStats, bayes: true}
	f.bins = nil // answers need none
	keep := frozenLen(t.classes, len(c.numeric))
	all := keep
	for _, table := range c.tables {
		all += len(table)
	}
	numbers := append(make([]float64, 0, all), c.block[:keep]...)
	f.block = numbers[:keep:keep]
	if len(c.tables) > 0 {
		f.tables = make([][]float64, len(c.tables))
	}
	for k, table := range c.tables {
		begin := len(numbers)
		numbers = append(numbers, table...)
		f.tables[k] = numbers[begin:len(numbers):len(numbers)]
	}
	return f
}

// frozenLen is how much of a block a snapshot copies.
func frozenLen(classes, columns int) int { return 2*classes + 2*classes*columns }

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
