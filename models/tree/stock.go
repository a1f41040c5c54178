package tree

// This file is where leaves have their memory from: a tree that goes on growing takes it for many leaves at once, and uses that of leaves that are no more
// again. What is free counts against max_bytes as what is in use does: see bounds.

// leafSmall is the size in bytes up to which the memory of leaves is taken for many of them while the tree is far from its bound.
const leafSmall = 4 << 10

// leastSpare is how many leaves' memory a tree may keep free whatever its size, if its bound allows that.
const leastSpare = 8

// more is how many leaves memory is taken for at once, when each has so many bytes: an eighth of those that there are, half while they are small and the tree is far
// from its bound.
func (g *growing[C, P]) more(bytes int) int {
	n := max(g.active/8, min(4, leafSmall/(bytes+1)))
	if g.ample && bytes <= leafSmall {
		n = max(g.active/2, 4)
	}
	return max(1, min(n, g.limit-g.active))
}

// recycle keeps the memory of an active leaf that is no more for another one.
func (g *growing[C, P]) recycle(c *C) {
	g.active--
	if k := len(g.spare); k < g.active/2+leastSpare && g.active+k < g.limit+g.over() {
		g.spare = append(g.spare, *c)
	} else {
		g.lost++
	}
}

// over is how many leaves' memory a tree may have above the bound: one, if it is a small part. A split at the bound needs one more for a moment.
func (g *growing[C, P]) over() int { return min(1, g.limit/32) }

// house takes memory for a leaf. There must be some.
func (g *growing[C, P]) house() C {
	k := len(g.spare) - 1
	c := g.spare[k]
	clear(g.spare[k:])
	g.spare = g.spare[:k]
	return c
}

// trim lets go of spare memory beyond the bound.
func (g *growing[C, P]) trim() {
	var none C
	for k := len(g.spare); k > 0 && g.active+k > g.limit+g.over(); k-- {
		g.spare[k-1] = none
		g.spare = g.spare[:k-1]
		g.lost++
	}
}

// scattered reports whether so much of the memory that was let go lies among that of other leaves that these should move together.
func (g *growing[C, P]) scattered() bool { return g.lost > (g.active+len(g.spare)+g.lost)/16 }

// gather moves the statistics of all leaves, and what they keep besides, to memory that supply takes at once for so many of them. Cost: O(nodes), after a sixteenth of the memory has
// been let go.
func (g *growing[C, P]) gather(supply func(n int)) {
	clear(g.spare)
	g.spare, g.lost = g.spare[:0], 0
	supply(g.active)
	for i := range g.cells {
		if c := P(&g.cells[i]); c.keeps() {
			m := g.house()
			c.move(&m)
		}
	}
}

// lines are pieces of memory of one length each: what leaves keep whether they have statistics or not.
type lines struct {
	free  [][]float64
	taken int
}

// take returns a line, not cleared. It takes memory for some at once: half as many as there are if the tree is far from its bound, else an eighth.
func (l *lines) take(length int, ample bool) []float64 {
	if len(l.free) == 0 {
		n := l.taken/8 + 1
		if ample {
			n = l.taken/2 + 4
		}
		l.supply(n, length)
	}
	k := len(l.free) - 1
	x := l.free[k]
	l.free[k] = nil
	l.free = l.free[:k]
	l.taken++
	return x
}

func (l *lines) supply(n, length int) {
	numbers := make([]float64, n*length)
	for i := range n {
		l.free = append(l.free, numbers[i*length:(i+1)*length:(i+1)*length])
	}
}

// give returns a line.
func (l *lines) give(x []float64) {
	l.free = append(l.free, x)
	l.taken--
}

// scattered reports whether so many lines are free that those in use should move together.
func (l *lines) scattered() bool { return len(l.free) > l.taken/2+16 }

// align moves the lines of all nodes together when many are free. Cost: O(nodes), after a third of the lines has been given back.
func (g *growing[C, P]) align() {
	if !g.lines.scattered() {
		return
	}
	old := 0
	for i := range g.cells {
		if l := P(&g.cells[i]).line(); l != nil && *l != nil {
			old = len(*l)
		}
	}
	n := g.lines.taken
	if g.lines = (lines{}); n == 0 {
		return
	}
	g.lines.supply(n, old)
	for i := range g.cells {
		if l := P(&g.cells[i]).line(); l != nil && *l != nil {
			x := g.lines.take(old, false)
			copy(x, *l)
			*l = x
		}
	}
}

// drop gives back what a leaf, or a split that keeps statistics, holds.
func (g *growing[C, P]) drop(c *C) {
	if l := P(c).line(); l != nil && *l != nil {
		g.lines.give(*l)
		*l = nil
	}
	if P(c).keeps() {
		g.recycle(c)
	}
}
