package tree

// This file is how the adaptive trees of both kinds follow drift: windows over the errors of subtrees, and alternates for those whose
// error has risen (Bifet & Gavaldà 2009, HAT-ADWIN).

// watch returns the window of a node.
func (g *growing[C, P]) watch(at int32) *watch { return g.watchers.of(&g.notes[at].watch) }

// sprout takes a place for the alternate of a node, which is to become a leaf; −1 if the tree is as large as it may be.
func (g *growing[C, P]) sprout(at int32) int32 {
	if !g.fits(1, 1, 0) {
		g.dropped.splits++
		return -1
	}
	root := g.take(1)
	g.notes[at].watch.alternate = root
	g.leaves++
	return root
}

// judge shows the error of a node's alternate to the windows on the path of the example (alt), so that they are judged by what they did
// if they become the tree, and compares. It reports whether the alternate has taken the node's place.
func (g *growing[C, P]) judge(at int32, wrong float64) bool {
	for _, i := range g.alt {
		g.watch(i).errors.Update(wrong)
	}
	w := g.watch(at)
	switch w.verdict(&g.watch(w.alternate).errors) {
	case 1:
		g.replace(at)
		return true
	case -1:
		g.abandon(w)
	}
	return false
}

// replace puts the alternate of a node in its place.
func (g *growing[C, P]) replace(at int32) {
	root := g.notes[at].watch.alternate
	g.notes[at].watch.alternate = -1
	g.fell(at)
	g.notes[at], g.cells[at] = g.notes[root], g.cells[root]
	g.notes[at].dirty = false
	g.become(at, g.nodes[root])
	g.give(root, 1)
}

// abandon gives back the alternate, if there is one.
func (g *growing[C, P]) abandon(w *watch) {
	if w != nil && w.alternate >= 0 {
		g.fell(w.alternate)
		g.give(w.alternate, 1)
		w.alternate = -1
	}
}
