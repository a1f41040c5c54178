package neighbors

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models/cow"
)

// cells sorts the rows of a window by the nearest of √window pivots, which are rows themselves: a search looks into
// the cells of the nearest pivots only (an inverted file, Sivic & Zisserman 2003). It measures how much that misses: every
// checkEvery-th example is searched both ways before it is learned, and the number of cells follows the recall that is wanted.
type cells struct {
	pivots  []float64 // scaled rows of stride numbers
	marks   []float64 // their categories
	members cow.Pages[entry]
	probes  int
	recall  float64 // share of the true neighbours that are found, over about 1/recallRate checks
	want    float64
	checks  uint64
}

// entry is a row of a cell; it is void once its slot holds a newer row.
type entry struct {
	slot int32
	born float64
}

const (
	checkEvery = 32
	recallRate = 0.05
	settle     = 8 // checks between two changes of the number of cells
)

func newCells(capacity int, want float64) *cells {
	n := int(math.Ceil(math.Sqrt(float64(capacity))))
	return &cells{members: cow.New[entry](n, 0), probes: 2, recall: 1, want: want}
}

// count is the number of cells in use.
func (c *cells) count(r *rows) int {
	if r.stride > 0 {
		return len(c.pivots) / r.stride
	}
	return 0
}

// build chooses the pivots anew, evenly over the slots, and deals out the rows. Cost: O(window^1.5 · columns).
func (c *cells) build(w *window, f *found) {
	n := min(c.members.Len(), w.n)
	c.pivots, c.marks = nil, nil // snapshots read the old ones
	for k := range n {
		slot := k * w.n / n
		p, i := slot/pageRows, slot%pageRows
		c.pivots = append(c.pivots, w.scaled.Page(p)[i*w.stride:(i+1)*w.stride]...)
		c.marks = append(c.marks, w.category.Page(p)[i*len(w.nominal):(i+1)*len(w.nominal)]...)
	}
	for k := range c.members.Len() {
		c.members.Set(k, c.members.Own(k)[:0])
	}
	for slot := range w.n {
		c.insert(w, slot, f)
	}
}

// insert puts the row of a slot into its cell.
func (c *cells) insert(w *window, slot int, f *found) {
	if c.count(&w.rows) == 0 {
		return
	}
	p, i := slot/pageRows, slot%pageRows
	f.reset(1)
	c.nearest(&w.rows, f, w.scaled.Page(p)[i*w.stride:(i+1)*w.stride], w.category.Page(p)[i*len(w.nominal):(i+1)*len(w.nominal)])
	k := int(f.slot[0])
	c.members.Set(k, append(c.members.Own(k), entry{int32(slot), w.born(int32(slot))}))
}

// nearest finds the cells of the nearest pivots.
func (c *cells) nearest(r *rows, f *found, q, categories []float64) {
	m := len(r.nominal)
	for k := range c.count(r) {
		s := partial(c.pivots[k*r.stride:(k+1)*r.stride], q, f.worst())
		for j, x := range c.marks[k*m : (k+1)*m] {
			if x != categories[j] {
				s++
			}
		}
		if s < f.worst() {
			f.add(s, int32(k))
		}
	}
	if f.n == 0 { // every distance is beyond the range of a double
		f.add(math.Inf(1), 0)
	}
}

// search looks into the nearest cells.
func (c *cells) search(r *rows, f, near *found, q, categories []float64) {
	n := c.count(r)
	if n == 0 || c.probes >= n {
		r.search(f, q, categories)
		return
	}
	near.reset(min(c.probes, n))
	c.nearest(r, near, q, categories)
	for _, k := range near.slot[:near.n] {
		for _, m := range c.members.Page(int(k)) {
			if r.born(m.slot) != m.born {
				continue
			}
			if s := r.distance(m.slot, q, categories, f.worst()); s < f.worst() {
				f.add(s, m.slot)
			}
		}
	}
}

// judge compares a search of the cells with the exact one, and moves the number of cells towards the wanted recall.
func (c *cells) judge(got, exact *found) {
	if exact.n == 0 {
		return
	}
	hits := 0
	for i := range exact.n {
		if i < got.n && got.distance[i] <= exact.distance[exact.n-1] {
			hits++
		}
	}
	c.recall += float64(recallRate * (float64(hits)/float64(exact.n) - c.recall))
	c.checks++
	if c.checks%settle != 0 {
		return
	}
	switch {
	case c.recall < c.want:
		c.probes = min(c.probes+1, c.members.Len())
	case c.recall > (c.want+3)/4 && c.probes > 1:
		c.probes--
	}
}

func (c *cells) state(s *codec.State, w *window) {
	s.Float64s(&c.pivots)
	s.Float64s(&c.marks)
	if s.Loading() && (len(c.pivots) > c.members.Len()*w.stride || w.stride > 0 && (len(c.pivots)%w.stride != 0 || len(c.marks) != c.count(&w.rows)*len(w.nominal))) {
		s.Fail("%d numbers of pivots", len(c.pivots))
		c.pivots, c.marks = nil, nil
	}
	for k := range c.members.Len() {
		page := c.members.Page(k)
		codec.Slice(s, &page, 12, 4*w.capacity, func(s *codec.State, e *entry) {
			u := uint32(e.slot)
			s.Uint32(&u)
			e.slot = int32(u)
			s.Float64(&e.born)
			if s.Loading() && (e.slot < 0 || int(e.slot) >= w.capacity) {
				s.Fail("slot %d of a cell", e.slot)
				e.slot = 0
			}
		})
		c.members.Set(k, page)
	}
	s.Int(&c.probes)
	s.Float64(&c.recall)
	s.Uint64(&c.checks)
	if s.Loading() && (c.probes < 1 || c.probes > c.members.Len() || !(c.recall >= 0 && c.recall <= 1)) {
		s.Fail("%d cells searched with recall %v", c.probes, c.recall)
		c.probes, c.recall = 1, 1
	}
}
