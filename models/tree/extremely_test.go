package tree

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/models"
)

func extremely(columns int) *Extremely {
	return NewExtremely(models.Env{Schema: schema(columns), Task: models.Binary}, DefaultConfig(), 500)
}

// rivals labels by two columns of which one is right with probability p0 and the other with p1.
func rivals(n int, p0, p1 float64, seed uint64) []models.Example {
	rng := rand.New(rand.NewPCG(seed, 8))
	out := make([]models.Example, n)
	for i := range out {
		y := float64(rng.IntN(2))
		x := []float64{y, y}
		for j, p := range []float64{p0, p1} {
			if rng.Float64() > p {
				x[j] = 1 - y
			}
			x[j] += rng.Float64() / 10
		}
		out[i] = models.Example{Row: models.Row{Value: x}, Y: y, Weight: 1}
	}
	return out
}

// Two columns that are nearly as good: a Hoeffding tree waits until one is better, this tree splits when one is better than none.
func TestExtremelyFastSplitsSooner(t *testing.T) {
	x, h := extremely(2), binary(schema(2))
	examples := rivals(600, 0.9, 0.9, 1)
	accuracy(x, examples)
	accuracy(h, examples)
	if x.Leaves() < 2 || h.Leaves() != 1 {
		t.Errorf("%d leaves, a Hoeffding tree %d", x.Leaves(), h.Leaves())
	}
}

// The split is revised when the other column proves to be better, and put back to a leaf when none is good any more.
func TestExtremelyFastRevises(t *testing.T) {
	x := extremely(2)
	accuracy(x, rivals(2000, 0.95, 0.6, 1))
	if got := x.nodes[x.root].column; got != 0 {
		t.Fatalf("first split on column %d", got)
	}
	accuracy(x, rivals(20000, 0.6, 0.95, 2))
	if got := x.nodes[x.root].column; got != 1 {
		t.Errorf("split on column %d after it has become the better one", got)
	}
	leaves := 0
	x.walk(x.root, func(at int32) {
		if x.nodes[at].column < 0 {
			leaves++
		}
	})
	if leaves != x.Leaves() {
		t.Errorf("%d leaves, counted as %d", leaves, x.Leaves())
	}
}

// A split whose column stays the best keeps its subtree, however often it is looked at.
func TestExtremelyFastKeepsSubtrees(t *testing.T) {
	x := extremely(3)
	most := 0
	for i, e := range stairs(30000, 4) {
		e.Value = e.Value[:3]
		x.Learn(&e, nil)
		if i > 25000 && x.Leaves() < most {
			t.Fatalf("%d leaves after %d at %d", x.Leaves(), most, i)
		}
		most = max(most, x.Leaves())
	}
	if most < 2 {
		t.Errorf("%d leaves", most)
	}
}

func ExampleExtremely() {
	x := extremely(2)
	accuracy(x, rivals(2000, 0.95, 0.6, 1))
	fmt.Println("column", x.nodes[x.root].column)
	accuracy(x, rivals(20000, 0.6, 0.95, 2))
	fmt.Println("column", x.nodes[x.root].column)
	// Output:
	// column 0
	// column 1
}
