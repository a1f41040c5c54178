package tree

import (
	"sync"

	"github.com/freshet-ml/freshet/models"
)

// frozenTree is what the snapshots of all trees have: the way to the leaves, and in leaves what each answers from. Snapshots share all
// that has not changed between them.
type frozenTree[L any] struct {
	layout
	root   int32
	nodes  shelf[node]
	leaves shelf[L]
	pool   *sync.Pool // rows, for sparse examples
}

// still reports whether the tree is as its last snapshot has it.
func (b *body[C]) still() bool { return b.frozen != nil && b.track && len(b.moved) == 0 && b.published }

// follow begins to note what changes: for the first snapshot, all.
func (b *body[C]) follow() {
	if b.track {
		return
	}
	b.track, b.moved, b.grown = true, make([]int32, 0, len(b.nodes)), make([]int32, 0, len(b.nodes))
	for i := range b.nodes {
		b.moved, b.grown = append(b.moved, int32(i)), append(b.grown, int32(i))
	}
	b.pool = &sync.Pool{New: func() any { return new([]float64) }}
}

// freeze takes what a snapshot needs of a tree that follow was called for. kept is what the leaves of the last one answer from, leaf what the
// leaf at a place does now. Cost: the leaves that have learned since, and 1/2 byte for each node.
func freeze[C, L any](b *body[C], kept *shelf[L], leaf func(at int32) L) frozenTree[L] {
	if b.frozen == nil {
		*kept = shelf[L]{}
	}
	if len(b.grown) > 0 {
		b.shelved = b.shelved.with(len(b.nodes), b.grown, func(i int32) node { return b.nodes[i] })
	}
	*kept = kept.with(len(b.nodes), b.moved, leaf)
	b.moved, b.grown, b.published = b.moved[:0], b.grown[:0], true
	return frozenTree[L]{layout: b.layout, root: b.root, nodes: b.shelved, leaves: *kept, pool: b.pool}
}

// leaf returns what the leaf of a dense row answers from.
func (f *frozenTree[L]) leaf(row []float64) *L {
	at := f.root
	n := f.nodes.at(at)
	for n.column >= 0 {
		at = n.first + n.step(&f.layout, row[n.column])
		n = f.nodes.at(at)
	}
	return f.leaves.at(at)
}

// borrow returns the dense row of an example and the memory that it stands in, which giveBack wants: nil if the row is the example's own.
func (f *frozenTree[L]) borrow(e *models.Example) (row []float64, memory *[]float64) {
	if e.Index == nil && len(e.Value) >= f.width {
		return e.Value, nil
	}
	memory = f.pool.Get().(*[]float64)
	return f.dense(e, memory), memory
}

func (f *frozenTree[L]) giveBack(memory *[]float64) {
	if memory != nil {
		f.pool.Put(memory)
	}
}
