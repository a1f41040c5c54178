package anomaly

import (
	"github.com/freshet-ml/freshet/models/random"
	"math/rand/v2"
	"testing"
)

// check walks a tree and reports what does not hold: boxes that are not tight, counts that do not add up, points on the wrong
// side of a cut. It returns the points.
func (t *cutTree) check(tb testing.TB, i int32) [][]float64 {
	n := t.node(i)
	if n.left < 0 {
		var out [][]float64
		for range n.count {
			out = append(out, t.box(i)[:t.d])
		}
		return out
	}
	left, right := t.check(tb, n.left), t.check(tb, n.right)
	all := append(append([][]float64(nil), left...), right...)
	if int(n.count) != len(all) || t.node(n.left).parent != i || t.node(n.right).parent != i {
		tb.Fatalf("node %d counts %d of %d, or a child has another parent", i, n.count, len(all))
	}
	for _, p := range left {
		if p[n.column] > n.cut {
			tb.Fatalf("%v is left of %v", p[n.column], n.cut)
		}
	}
	for _, p := range right {
		if p[n.column] <= n.cut {
			tb.Fatalf("%v is right of %v", p[n.column], n.cut)
		}
	}
	for j := range t.d {
		low, high := all[0][j], all[0][j]
		for _, p := range all {
			low, high = min(low, p[j]), max(high, p[j])
		}
		if box := t.box(i); box[j] != low || box[t.d+j] != high {
			tb.Fatalf("box of node %d is %v to %v in column %d, its points are %v to %v", i, box[j], box[t.d+j], j, low, high)
		}
	}
	return all
}

// brute is the collusive displacement of a leaf by its definition: over the parts that hold it, the points of the sibling over those of the part.
func (t *cutTree) brute(leaf int32) float64 {
	worst := 0.0
	for i := leaf; t.node(i).parent >= 0; i = t.node(i).parent {
		p := t.node(t.node(i).parent)
		other := p.left
		if other == i {
			other = p.right
		}
		worst = max(worst, float64(len(t.points(other)))/float64(len(t.points(i))))
	}
	return worst
}

func (t *cutTree) points(i int32) []int32 {
	n := t.node(i)
	if n.left < 0 {
		return make([]int32, n.count)
	}
	return append(t.points(n.left), t.points(n.right)...)
}

// TestCutTree: under any inserting and removing the tree stays what it should be, holds the window's points, and the displacement that is
// foretold is that which an insertion gives.
func TestCutTree(t *testing.T) {
	for seed := range uint64(5) {
		draw, rng := rand.New(rand.NewPCG(seed, 1)), random.New(seed, 2)
		tree := newCutTree(3, 41)
		var leaves []int32
		for range 600 {
			x := []float64{float64(draw.IntN(4)), draw.NormFloat64(), float64(draw.IntN(2))}
			if draw.IntN(3) == 0 {
				x[1] = 0 // points occur more than once
			}
			ahead := rng
			foretold := tree.displacement(x, &ahead)
			leaf := tree.insert(x, &rng)
			if ahead.Uint64() != func() uint64 { r := rng; return r.Uint64() }() {
				t.Fatal("an insertion draws other random numbers than its forecast")
			}
			if got := tree.brute(leaf); tree.node(leaf).count == 1 && got != foretold {
				t.Fatalf("displacement %v, foretold %v", got, foretold)
			}
			if leaves = append(leaves, leaf); len(leaves) > 40 {
				at := draw.IntN(len(leaves))
				tree.remove(leaves[at])
				leaves = append(leaves[:at], leaves[at+1:]...)
			}
			if got := len(tree.check(t, tree.root)); got != len(leaves) {
				t.Fatalf("%d points in the tree, %d in the window", got, len(leaves))
			}
		}
	}
}

// TestCutsFollowSides: the first cut of two points falls into a column with the probability of its side (Guha et al. 2016, definition 1).
func TestCutsFollowSides(t *testing.T) {
	rng, first := random.New(1, 1), 0
	for range 4000 {
		tree := newCutTree(2, 2)
		tree.insert([]float64{0, 0}, &rng)
		tree.insert([]float64{3, 1}, &rng)
		if tree.node(tree.root).column == 0 {
			first++
		}
	}
	if first < 2890 || first > 3110 { // 3000 ± 4 standard deviations
		t.Errorf("%d of 4000 cuts in the column of side 3 of 4", first)
	}
}
