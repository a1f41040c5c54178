package tree

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models/drift"
)

// watch is what an adaptive tree keeps at a node besides: a window over the errors of the subtree, and the subtree that is
// grown to replace it, if its error has risen.
type watch struct {
	errors    drift.ADWIN
	alternate int32 // its root, −1: none
}

// idleMost is how many windows of nodes that are no more are kept.
const idleMost = 2

// watchBytes is the memory of a window.
const watchBytes = 7 << 10

// watchers is the windows of a tree: a few of those of nodes that are no more are used again.
type watchers struct {
	delta float64 // their confidence; 0: the tree has none
	idle  []*watch
	fresh []watch
	pair  [2]drift.ADWIN // for two branches of a split: memory is taken for both at once
	left  int            // of the pair
}

// make returns a new window.
func (p *watchers) make() *watch {
	if len(p.fresh) == 0 {
		p.fresh = make([]watch, 8) // small beside the windows' own memory
	}
	if p.left == 0 {
		drift.MakeADWINs(p.pair[:], p.delta)
		p.left = len(p.pair)
	}
	p.left--
	w := &p.fresh[0]
	p.fresh = p.fresh[1:]
	*w = watch{errors: p.pair[p.left], alternate: -1}
	p.pair[p.left] = drift.ADWIN{}
	return w
}

// of returns the window of a node, made when it is first asked for.
func (p *watchers) of(at **watch) *watch {
	if *at != nil {
		return *at
	}
	if k := len(p.idle) - 1; k >= 0 {
		*at, p.idle = p.idle[k], p.idle[:k]
		return *at
	}
	*at = p.make()
	return *at
}

// end takes a window away.
func (p *watchers) end(at **watch) {
	if w := *at; w != nil && len(p.idle) < idleMost {
		w.errors.Reset()
		w.alternate = -1
		p.idle = append(p.idle, w)
	}
	*at = nil
}

// leastWindow is the number of errors that both subtrees must have been judged by.
const leastWindow = 300

// swapDelta is one minus the confidence of the test between a subtree and its alternate.
const swapDelta = 0.05

// verdict compares the alternate's window with the main one: 1 if its error is less, −1 if it is greater, 0 if neither is
// certain. The errors are in [0, 1] (Bifet & Gavaldà 2009, §3.3).
func (w *watch) verdict(alternate *drift.ADWIN) int {
	n0, n1 := float64(w.errors.Width()), float64(alternate.Width())
	if n0 <= leastWindow || n1 <= leastWindow {
		return 0
	}
	e0, e1 := w.errors.Mean(), alternate.Mean()
	bound := math.Sqrt(2 * max(0, e0*(1-e0)) * math.Log(2/swapDelta) * (1/n0 + 1/n1))
	switch {
	case e0-e1 > bound:
		return 1
	case e1-e0 > bound:
		return -1
	}
	return 0
}

// visit visits the window and says whether there is an alternate.
func (w *watch) visit(c *codec.State) (alternate bool) {
	w.errors.State(c)
	alternate = w.alternate >= 0
	c.Bool(&alternate)
	return alternate
}
