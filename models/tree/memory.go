package tree

import "unsafe"

// bounds is how max_bytes holds. All that a tree has is counted: nodes with what learning keeps beside them, windows, dictionaries, the statistics
// of leaves, the memory kept for new ones, and the copies that the last snapshot answers from. What a tree takes is reckoned from what its state
// says, at the greatest size that each part can have with the categories known, with what the heap rounds up: so the same log gives the same tree, whether it was published, saved
// and loaded meanwhile or not. Nodes get half of the bytes at most: a split that would take more is not made. Statistics get the rest: the leaves that promise
// least go without.
//
// One leaf with statistics is always kept, whatever the bound.
type bounds struct {
	maxBytes, maxLeaves int
	nodeBytes           int // of a node: its note, its cell, its window, and its places in a snapshot
	leafBytes           int // what a leaf has besides, with statistics or without
	ownBytes            int // what the tree has besides
	limit               int // nodes that may keep statistics, as of the last look; 0: none yet
}

// What a snapshot keeps of a leaf beside the numbers that it answers from, at most.
const (
	classLeafBytes = 104
	regLeafBytes   = 48
)

// leastBytes is the room that slices have when a tree is small.
const leastBytes = 8 << 10

// heapBytes is what n bytes take in the heap, whose sizes are up to an eighth apart; 0 for none.
func heapBytes(n int) int {
	if n <= 0 {
		return 0
	}
	return n + n/8 + 8
}

// nodeBytes is what a node of a tree with such cells takes in the arena and in a snapshot. A tree that gives nodes back keeps holes.
func nodeBytes[C any](holes bool) int {
	var cell C
	n := int(unsafe.Sizeof(node{}) + unsafe.Sizeof(note{}) + unsafe.Sizeof(cell))
	n += n / 8                          // slices grow by that
	n += int(unsafe.Sizeof(node{})) + 8 // the snapshot's
	n += 2 * 8                          // what changed since the last one
	if holes {
		n += n / 4
	}
	return n
}

// watchErrors gives the nodes of a tree windows over errors, of that confidence.
func (g *growing[C, P]) watchErrors(delta float64) {
	g.delta = delta
	g.nodeBytes += g.nodeBytes/4 + watchBytes
	g.ownBytes += idleMost * watchBytes
}

// room is what nodes and statistics may take together.
func (g *growing[C, P]) room() int {
	n := g.maxBytes - g.ownBytes - leastBytes
	for _, d := range g.dicts {
		n -= 2 * d.bytes() // the tree's and the snapshot's
	}
	return n
}

// treeBytes is what the nodes take.
func (g *growing[C, P]) treeBytes() int {
	return g.live*g.nodeBytes + g.leaves*g.leafBytes + g.branched
}

// fits reports whether the tree may have so many nodes and leaves more, and a split so many bytes of branches.
func (g *growing[C, P]) fits(nodes, leaves, branches int) bool {
	n := g.treeBytes() + nodes*g.nodeBytes + leaves*g.leafBytes
	if branches > 0 {
		n += heapBytes(24) + heapBytes(branches)
	}
	return g.leaves+leaves <= g.maxLeaves && n <= g.room()/2
}

// limitTo reckons how many nodes may keep statistics of that size, and lets go of spare memory beyond.
func (g *growing[C, P]) limitTo(size int) {
	room, nodes := g.room(), g.treeBytes()
	g.limit = max(1, (room-nodes)/max(1, size)) // without columns there are no statistics
	g.ample = nodes+g.active*size < room/2
	g.trim()
}

// pack moves the nodes together when too many places among them are free, and reports whether it did: their numbers are others then. It is called between
// two examples. Cost: O(nodes), after a quarter of them has been given back.
func (g *growing[C, P]) pack() bool {
	if len(g.nodes)-g.live <= g.live/4+64 {
		return false
	}
	old := g.arena
	g.arena = arena[C]{ample: old.ample}
	g.nodes, g.notes, g.cells = make([]node, 0, old.live), make([]note, 0, old.live), make([]C, 0, old.live)
	g.forget()
	root := g.take(1)
	g.transplant(&old, g.root, root)
	g.root = root
	return true
}

// transplant moves a subtree, and the alternates within it, from another arena to a place in this one.
func (g *growing[C, P]) transplant(from *arena[C], at, to int32) {
	n := from.nodes[at]
	g.notes[to], g.cells[to] = from.notes[at], from.cells[at]
	if k := n.branches(); k > 0 {
		first := n.first
		n.first = g.take(k)
		g.become(to, n)
		for i := range int32(k) {
			g.transplant(from, first+i, n.first+i)
		}
	}
	if w := g.notes[to].watch; w != nil && w.alternate >= 0 {
		old := w.alternate
		w.alternate = g.take(1)
		g.transplant(from, old, w.alternate)
	}
}
