package tree

import "github.com/freshet-ml/freshet/models"

// snapshot is an immutable classification tree.
type snapshot struct {
	frozenTree
	all    *scope // the columns of all leaves; nil: each has its own
	scopes shelf[*scope]
}

// Publish returns an immutable snapshot. Cost: the leaves that have learned since the last one, and 1/32 byte for each
// node; O(1) if nothing was learned.
func (t *classTree) Publish() models.Predictor {
	if t.still() {
		return t.frozen
	}
	t.follow()
	s := &snapshot{all: t.all}
	switch {
	case t.own():
		if t.frozen == nil {
			t.scopes = shelf[*scope]{}
		}
		if len(t.grown) > 0 {
			t.scopes = t.scopes.with(len(t.nodes), t.grown, t.scopeOf)
		}
		s.all, s.scopes = nil, t.scopes
	case t.random():
		s.all = t.shared
	}
	s.frozenTree = freeze(&t.body, t.freezeLeaf)
	t.frozen = s
	return s
}

// scopeOf is a copy of the columns that a leaf watches, nil if it watches none.
func (t *classTree) scopeOf(at int32) *scope {
	c := &t.cells[at]
	if !c.active {
		return nil
	}
	s := &scope{room: make([]int32, len(c.numeric)+len(c.slots))}
	s.set(c.scope)
	return s
}

// freezeLeaf gives what a leaf answers from: its class weights, or if it votes by naive Bayes what its block begins with, which is longer, and then the tables, each after its
// length.
func (t *classTree) freezeLeaf(at int32) []float64 {
	c := &t.cells[at]
	if t.nodes[at].column >= 0 || c.block == nil {
		return nil
	}
	if !t.byBayes(c) {
		return append([]float64(nil), c.counts()...)
	}
	keep := frozenLen(t.classes, len(c.numeric))
	if len(c.tables) == 0 {
		return append([]float64(nil), c.block[:keep]...)
	}
	all := keep + len(c.tables)
	for _, table := range c.tables {
		all += len(table)
	}
	x := append(make([]float64, 0, all), c.block[:keep]...)
	for _, table := range c.tables {
		x = append(append(x, float64(len(table))), table...)
	}
	return x
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
	at, record := s.leaf(row)
	votes := dst[start:]
	switch {
	case len(record) == s.classes:
		frequencies(votes, record)
	default:
		s.vote(votes, row, at, record)
		if s.task == models.Binary {
			votes[1] = logistic(votes)
		} else {
			softmax(votes)
		}
	}
	return narrow(dst, start, s.task, false)
}

// vote writes the log-votes of a leaf that votes by naive Bayes.
func (s *snapshot) vote(votes, row []float64, at int32, numbers []float64) {
	watched := s.all
	if watched == nil {
		watched = *s.scopes.at(at)
	}
	leaf := classStats{scope: watched, block: numbers, classes: int32(s.classes)}
	leaf.numberVotes(votes, row)
	numbers = numbers[frozenLen(s.classes, len(watched.numeric)):]
	var tables [tableBatch][]float64
	for i := 0; i < len(watched.slots); i += tableBatch {
		slots := watched.slots[i:min(i+tableBatch, len(watched.slots))]
		for k := range slots {
			n := int(numbers[0])
			tables[k], numbers = numbers[1:1+n], numbers[1+n:]
		}
		tableVotes(s.layout, votes, row, slots, tables[:len(slots)])
	}
}
