package tree

import (
	"sync"

	"github.com/freshet-ml/freshet/models"
)

// frozenTree is what the snapshots of all trees have: the way to the leaves, and what each of these answers from. Snapshots share all
// that has not changed between them.
type frozenTree struct {
	*layout
	root   int32
	nodes  shelf[node]
	leaves shelf[[]float64]
	pool   *sync.Pool // rows, for sparse examples
}

// still reports whether the tree is as its last snapshot has it.
func (b *body[C]) still() bool { return b.frozen != nil && b.track && len(b.moved) == 0 && b.published }

// forget lets the last snapshot go: the next one is taken anew.
func (b *body[C]) forget() {
	b.frozen, b.shelved, b.answering = nil, shelf[node]{}, shelf[[]float64]{}
}

// follow begins to note what changes: for the first snapshot, all.
func (b *body[C]) follow() {
	if b.track && b.frozen != nil {
		return
	}
	b.forget()
	b.track, b.moved, b.grown = true, make([]int32, 0, len(b.nodes)), make([]int32, 0, len(b.nodes))
	for i := range b.nodes {
		b.moved, b.grown = append(b.moved, int32(i)), append(b.grown, int32(i))
	}
	if b.pool == nil {
		b.pool = &sync.Pool{New: func() any { return new([]float64) }}
	}
}

// freeze takes what a snapshot needs of a tree that follow was called for. leaf gives what the leaf at a place answers from, in memory of its own, nil for a split. Cost: the leaves that have
// learned since, and 1/32 byte for each node.
func freeze[C any](b *body[C], leaf func(at int32) []float64) frozenTree {
	if len(b.grown) > 0 {
		b.shelved = b.shelved.with(len(b.nodes), b.grown, func(i int32) node { return b.nodes[i] })
	}
	b.answering = b.answering.with(len(b.nodes), b.moved, leaf)
	for _, i := range b.moved {
		b.notes[i].dirty = false
	}
	if !b.published {
		known := b.layout
		b.public = &known
	}
	b.moved, b.grown, b.published = b.moved[:0], b.grown[:0], true
	return frozenTree{layout: b.public, root: b.root, nodes: b.shelved, leaves: b.answering, pool: b.pool}
}

// leaf returns the leaf of a dense row, and what it answers from.
func (f *frozenTree) leaf(row []float64) (at int32, record []float64) {
	at = f.root
	n := f.nodes.at(at)
	for n.column >= 0 {
		at = n.first + n.step(f.layout, row[n.column])
		n = f.nodes.at(at)
	}
	return at, *f.leaves.at(at)
}

// borrow returns the dense row of an example and the memory that it stands in, which giveBack wants: nil if the row is the example's own.
func (f *frozenTree) borrow(e *models.Example) (row []float64, memory *[]float64) {
	if e.Index == nil && len(e.Value) >= f.width {
		return e.Value, nil
	}
	memory = f.pool.Get().(*[]float64)
	return f.dense(e, memory), memory
}

func (f *frozenTree) giveBack(memory *[]float64) {
	if memory != nil {
		f.pool.Put(memory)
	}
}
