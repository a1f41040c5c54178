package tree

import (
	"math"
	"sync"

	"github.com/freshet-ml/freshet/models"
)

// body is what all trees have: the columns, the nodes and how many of them are leaves.
type body[C any] struct {
	layout
	arena[C]
	root    int32
	leaves  int
	dropped costs

	frozen    models.Predictor // the last snapshot, nil: none
	shelved   shelf[node]      // its nodes
	answering shelf[[]float64] // what its leaves answer from
	pool      *sync.Pool
	published bool    // a snapshot reads the dictionaries
	public    *layout // what it knows of the columns

	row    []float64 // scratch
	places []int32
}

// costs counts what the bounds of a tree have cost.
type costs struct {
	leaves uint64 // whose statistics were given up for memory
	splits uint64 // that were due and not made, for the bound on leaves
	values uint64 // that a full search tree did not keep apart
}

// The names of what trees count.
const (
	leavesDeactivated = "leaves_deactivated"
	splitsRefused     = "splits_refused"
	valuesMerged      = "values_merged"
)

var (
	deactivatedBound = models.Bound{What: leavesDeactivated, Doc: "leaves that lost their statistics to max_bytes"}
	refusedBound     = models.Bound{What: splitsRefused, Doc: "splits that were due and not made, since the tree has max_leaves or its greatest depth"}
	mergedBound      = models.Bound{What: valuesMerged, Doc: "values that a full search tree of a leaf did not keep apart (e_bst)"}
)

// Bounds are the counts that all Hoeffding trees keep, for ensembles of them.
func Bounds() []models.Bound { return []models.Bound{deactivatedBound, refusedBound} }

func newBody[C any](env models.Env, categories int) body[C] {
	b := body[C]{layout: newLayout(env, categories)}
	b.places = make([]int32, len(b.nominal))
	return b
}

// uproot leaves nothing but the place of the root.
func (b *body[C]) uproot() {
	b.arena, b.leaves = arena[C]{}, 0
	b.forget()
	b.root = b.take(1)
}

// find gives the places of the row's categories, adding new ones while there is room, and says whether there were any to add.
func (b *body[C]) find(row []float64) (places []int32, added bool) {
	for k, column := range b.nominal {
		x := row[column]
		p := b.dicts[k].find(x)
		if p < 0 && x-x == 0 {
			p, added = b.add(k, x), true
		}
		b.places[k] = p
	}
	return b.places, added
}

// add gives a new category its place: in copies of the dictionaries if a snapshot reads them.
func (b *body[C]) add(slot int, x float64) int32 {
	if b.published {
		dicts := make([]*dict, len(b.dicts))
		for i, d := range b.dicts {
			dicts[i] = d.clone()
		}
		b.dicts, b.published = dicts, false
	}
	return b.dicts[slot].add(x)
}

// Observe does nothing: trees learn from labels only.
func (b *body[C]) Observe(*models.Example) {}

// Leaves returns the number of leaves, those of alternates included.
func (b *body[C]) Leaves() int { return b.leaves }

// Dropped adds what the bounds have cost so far.
func (b *body[C]) Dropped(d *models.Drops) {
	d.Add(leavesDeactivated, b.dropped.leaves)
	d.Add(splitsRefused, b.dropped.splits)
}

// Inherit adds the counts of a tree whose place this one takes to its own, so that those of an ensemble never fall.
func (b *body[C]) Inherit(d models.Drops) {
	b.dropped.leaves += d.Count(leavesDeactivated)
	b.dropped.splits += d.Count(splitsRefused)
	b.dropped.values += d.Count(valuesMerged)
}

// statistics is the cell of a Hoeffding tree, as code that serves both kinds sees it; no hot loop does.
type statistics[C any] interface {
	*C
	keeps() bool      // statistics: false once they were given up
	promise() float64 // what a leaf may gain from them
	move(memory *C)   // the statistics to other memory
	line() *[]float64 // what else it keeps, in a line; nil: nothing
}

// growing is what the Hoeffding trees of both kinds, for classes and for numbers, have besides.
type growing[C any, P statistics[C]] struct {
	body[C]
	active int    // nodes that keep statistics
	draws  uint64 // subspaces drawn
	choice chooser
	spare  []C // memory for leaves: see stock.go
	lost   int // leaves' memory that was let go, but lies among that of others
	lines  lines
	watchers
	bounds
	way []int32 // scratch: the path of an example
	alt []int32 // and its path below an alternate
}

// uproot leaves nothing but the place of the root.
func (g *growing[C, P]) uproot() {
	g.body.uproot()
	g.active, g.spare, g.lost, g.lines = 0, nil, 0, lines{}
}

// leastPromising returns the node that has least to gain from its statistics: the first in preorder on a tie. Cost: O(nodes).
func (g *growing[C, P]) leastPromising() int32 {
	least, found := math.Inf(1), int32(-1)
	g.walkAll(g.root, func(at int32) {
		if c := P(&g.cells[at]); c.keeps() && (found < 0 || c.promise() < least) {
			least, found = c.promise(), at
		}
	})
	return found
}

// walkAll visits the nodes below one, and those of their alternates, in preorder.
func (g *growing[C, P]) walkAll(at int32, visit func(int32)) {
	g.walk(at, func(i int32) {
		visit(i)
		if w := g.notes[i].watch; w != nil && w.alternate >= 0 {
			g.walkAll(w.alternate, visit)
		}
	})
}

// fell gives back a subtree but for its root's place, which holds nothing of use then.
func (g *growing[C, P]) fell(at int32) {
	g.clip(at)
	g.abandon(g.notes[at].watch)
	g.leaves--
	g.watchers.end(&g.notes[at].watch)
	g.drop(&g.cells[at])
}

// clip makes a node a leaf and gives back all below.
func (g *growing[C, P]) clip(at int32) {
	n := g.nodes[at]
	k := n.branches()
	if k == 0 {
		return
	}
	for i := range int32(k) {
		g.fell(n.first + i)
	}
	g.give(n.first, k)
	g.become(at, emptyNode)
	g.leaves++
}

// ActiveLeaves returns the number of nodes that keep statistics.
func (g *growing[C, P]) ActiveLeaves() int { return g.active }
