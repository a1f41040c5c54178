package tree

import "math/rand/v2"

// Patch returns the columns, in increasing order, that a tree with Config.PerTree and that seed watches, when it watches m of
// width: so an ensemble can see that its members differ.
func Patch(seed uint64, m, width int) []int32 { return subset(seed, 0, m, width) }

// subset picks m of width columns by the draws-th PCG stream of a seed (selection sampling: Knuth, TAOCP 3.4.2, algorithm S).
func subset(seed, draws uint64, m, width int) []int32 {
	rng := rand.New(rand.NewPCG(seed, draws))
	chosen := make([]int32, 0, m)
	for column := range width {
		if rng.IntN(width-column) < m-len(chosen) {
			chosen = append(chosen, int32(column))
		}
	}
	return chosen
}
