package neighbors

import (
	"math"

	"github.com/freshet-ml/freshet/models/random"
)

// lloydRounds bounds the rounds of a clustering.
const lloydRounds = 10

// clusters is the memory of a clustering.
type clusters struct {
	slots    []int     // the rows of one class
	middles  []float64 // by cluster: scaled numbers
	marks    []float64 // by cluster: categories
	member   []int     // by row: its cluster
	distance []float64 // by row: to the nearest middle
	sizes    []int     // by cluster
}

// compress puts the rows of each class of the long-term memory into half as many clusters, whose middles become the rows (§IV-B): k-means++ seeds from the
// model's own random numbers, then Lloyd's rounds, at most ten. Cost: O(rows² · columns).
func (m *SAM) compress() {
	m.next.n = 0
	for class := range m.classes {
		c := &m.spare
		c.slots = c.slots[:0]
		for slot := range m.long.n {
			if y, _ := m.long.at(int32(slot)); int(y) == class {
				c.slots = append(c.slots, slot)
			}
		}
		if len(c.slots) > 0 {
			c.find(&m.long, max(1, len(c.slots)/2), &m.random)
			c.write(&m.long, &m.next)
		}
	}
	m.long, m.next = m.next, m.long
}

// find clusters the rows of the slots.
func (c *clusters) find(m *memory, k int, r *random.Source) {
	c.seed(m, k, r)
	for range lloydRounds {
		if !c.assign(m) {
			return
		}
		c.centre(m)
	}
	c.assign(m)
}

// seed takes rows as middles: the first at random, each next with a probability in proportion to its squared distance from the nearest before
// (Arthur & Vassilvitskii 2007, §2.2).
func (c *clusters) seed(m *memory, k int, r *random.Source) {
	n := len(c.slots)
	c.middles, c.marks, c.member, c.distance = c.middles[:0], c.marks[:0], c.member[:0], c.distance[:0]
	for range n {
		c.member, c.distance = append(c.member, -1), append(c.distance, math.Inf(1))
	}
	at := r.Below(n)
	for {
		c.middles = append(c.middles, m.scaledRow(c.slots[at])...)
		c.marks = append(c.marks, m.marks(c.slots[at])...)
		if k--; k == 0 {
			return
		}
		sum := 0.0
		for i, slot := range c.slots {
			c.distance[i] = min(c.distance[i], c.to(m, slot, c.count(m)-1, c.distance[i]))
			sum += c.distance[i]
		}
		if !(sum > 0 && sum <= math.MaxFloat64) {
			return // no more than so many different rows, or too far apart to tell
		}
		left := r.Unit() * sum
		at = 0
		for i, d := range c.distance {
			if d > 0 {
				at = i
				if left -= d; left < 0 {
					break
				}
			}
		}
	}
}

// count is the number of middles.
func (c *clusters) count(m *memory) int {
	if m.stride > 0 {
		return len(c.middles) / m.stride
	}
	if len(m.nominal) > 0 {
		return len(c.marks) / len(m.nominal)
	}
	return 1
}

// to is the squared distance of a row from a middle, or at least worst.
func (c *clusters) to(m *memory, slot, k int, worst float64) float64 {
	s := partial(m.scaledRow(slot), c.middles[k*m.stride:(k+1)*m.stride], worst)
	d := len(m.nominal)
	for j, x := range m.marks(slot) {
		if x != c.marks[k*d+j] {
			s++
		}
	}
	return s
}

// assign gives every row its nearest middle, the first of equals, and says whether any has changed.
func (c *clusters) assign(m *memory) (changed bool) {
	k := c.count(m)
	for i, slot := range c.slots {
		best, least := 0, math.Inf(1)
		for j := range k {
			if d := c.to(m, slot, j, least); d < least {
				best, least = j, d
			}
		}
		changed = changed || c.member[i] != best
		c.member[i] = best
	}
	return changed
}

// centre moves the middles: means of numbers, the most frequent of categories. One without rows stays.
func (c *clusters) centre(m *memory) {
	k := c.count(m)
	c.sizes = c.sizes[:0]
	for range k {
		c.sizes = append(c.sizes, 0)
	}
	for i, slot := range c.slots {
		j := c.member[i]
		c.sizes[j]++
		middle, n := c.middles[j*m.stride:(j+1)*m.stride], float64(c.sizes[j])
		for a, x := range m.scaledRow(slot) {
			if n == 1 {
				middle[a] = x
			} else {
				middle[a] += (x - middle[a]) / n
			}
		}
	}
	d := len(m.nominal)
	for j := range k {
		if c.sizes[j] > 0 {
			for a := range d {
				c.marks[j*d+a] = c.mode(m, j, a)
			}
		}
	}
}

// mode is the most frequent category of a cluster, the first of equals; missing if all are.
func (c *clusters) mode(m *memory, cluster, a int) float64 {
	best, most := math.NaN(), 0
	for i, slot := range c.slots {
		if c.member[i] != cluster {
			continue
		}
		x, n := m.marks(slot)[a], 0
		for j, other := range c.slots {
			if c.member[j] == cluster && m.marks(other)[a] == x {
				n++
			}
		}
		if n > most {
			best, most = x, n
		}
	}
	return best
}

// write makes a row of every cluster that has some: means of the numbers that are not missing and of the weights.
func (c *clusters) write(m, to *memory) {
	for j := range c.count(m) {
		first, n := -1, 0.0
		for i, slot := range c.slots {
			if c.member[i] != j {
				continue
			}
			if n++; first < 0 {
				first = to.n
				to.take(m, slot)
				continue
			}
			y, before := to.at(int32(first))
			_, weight := m.at(int32(slot))
			to.set(first, y, before+(weight-before)/n)
		}
		if first < 0 {
			continue
		}
		for a, out := 0, to.raws(first); a < len(out); a++ {
			out[a] = c.mean(m, j, a)
		}
		for a, out := 0, to.marks(first); a < len(out); a++ {
			out[a] = c.mode(m, j, a)
		}
		to.project(first)
	}
}

// mean is that of a number over a cluster, missing if it is in all rows.
func (c *clusters) mean(m *memory, cluster, a int) float64 {
	mean, n := math.NaN(), 0.0
	for i, slot := range c.slots {
		if x := m.raws(slot)[a]; c.member[i] == cluster && x == x {
			if n++; n == 1 {
				mean = bounded(x)
			} else {
				mean += (bounded(x) - mean) / n
			}
		}
	}
	return mean
}
