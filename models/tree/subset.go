package tree

import "math/rand/v2"

// Patch returns the columns, in increasing order, that a tree with Config.PerTree and that seed watches, when it watches m of
// width: so an ensemble can see that its members differ.
func Patch(seed uint64, m, width int) []int32 {
	var c chooser
	return c.subset(seed, 0, m, width)
}

// chooser draws subsets of columns.
type chooser struct {
	pcg    *rand.PCG
	rng    *rand.Rand
	chosen []int32
}

// subset picks m of width columns by the draws-th PCG stream of a seed (selection sampling: Knuth, TAOCP 3.4.2, algorithm S).
// They are valid until the next call.
func (c *chooser) subset(seed, draws uint64, m, width int) []int32 {
	if c.pcg == nil {
		c.pcg = &rand.PCG{}
		c.rng = rand.New(c.pcg)
		c.chosen = make([]int32, 0, m)
	}
	c.pcg.Seed(seed, draws)
	c.chosen = c.chosen[:0]
	for column := range width {
		if c.rng.IntN(width-column) < m-len(c.chosen) {
			c.chosen = append(c.chosen, int32(column))
		}
	}
	return c.chosen
}
