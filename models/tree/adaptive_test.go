package tree

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/drift"
)

func adaptive(columns int) *Adaptive {
	return NewAdaptive(models.Env{Schema: schema(columns), Task: models.Binary}, DefaultConfig(), 0.002)
}

// turning labels by the first column, and against it from the middle on, in one half of the second column only.
func turning(n int, seed uint64) []models.Example {
	rng := rand.New(rand.NewPCG(seed, 4))
	out := make([]models.Example, n)
	for i := range out {
		x := []float64{rng.Float64(), rng.Float64(), rng.Float64()}
		y := 0.0
		if (x[0] > 0.5) != (i > n/2 && x[1] > 0.5) {
			y = 1
		}
		if rng.IntN(20) == 0 {
			y = 1 - y
		}
		out[i] = models.Example{Row: models.Row{Value: x}, Y: y, Weight: 1}
	}
	return out
}

// After a turn of the concept the adaptive tree is as good as before; the plain one, which has to grow its way out, is worse.
func TestAdaptiveTreeFollowsDrift(t *testing.T) {
	examples := turning(40000, 1)
	a, plain := adaptive(3), binary(schema(3))
	accuracy(a, examples[:30000])
	accuracy(plain, examples[:30000])
	got, other := accuracy(a, examples[30000:]), accuracy(plain, examples[30000:])
	if got < 0.92 || got < other {
		t.Errorf("accuracy after the turn: adaptive %.3f, plain %.3f; noise allows 0.95", got, other)
	}
}

// The test between a subtree and its alternate is that of the paper, in both directions, and needs enough errors.
func TestVerdict(t *testing.T) {
	fill := func(n int, rate float64) *drift.ADWIN {
		a := drift.NewADWIN(1e-9)
		for i := range n {
			x := 0.0
			if int(float64(i+1)*rate) > int(float64(i)*rate) {
				x = 1
			}
			a.Update(x)
		}
		return a
	}
	for _, c := range []struct {
		n0, n1 int
		e0, e1 float64
		want   int
	}{
		{1000, 1000, 0.5, 0.3, 1}, {1000, 1000, 0.3, 0.5, -1}, {1000, 1000, 0.3, 0.28, 0}, {1000, 200, 0.9, 0.0, 0}, {250, 1000, 0.9, 0.0, 0},
		// ε = √(2·0.4·0.6·ln 40·(1/1000 + 1/1000)) = 0.0595
		{1000, 1000, 0.4, 0.33, 1}, {1000, 1000, 0.4, 0.35, 0},
	} {
		w := &watch{errors: *fill(c.n0, c.e0)}
		if got := w.verdict(fill(c.n1, c.e1)); got != c.want {
			t.Errorf("%+v: verdict %d", c, got)
		}
	}
}

// An alternate that is not better never takes the node's place: here it is grown without need, on a concept that stands still, for
// all of its splits too.
func TestAlternateMustWin(t *testing.T) {
	a := adaptive(3)
	examples := turning(20000, 3)[:10000]
	accuracy(a, examples)
	root := a.nodes[a.root]
	if root.column != 0 {
		t.Fatalf("the root splits on column %d", root.column)
	}
	a.watch(a.root)
	a.grow(a.root)
	grew := false
	for i := range examples {
		a.Learn(&examples[i], nil)
		alternate := a.watch(a.root).alternate
		grew = grew || alternate >= 0 && a.nodes[alternate].column >= 0
		if a.nodes[a.root] != root {
			t.Fatalf("replaced after %d examples of one concept", i)
		}
	}
	if !grew {
		t.Error("the alternate never split: nothing was tried")
	}
}

// States with alternates in them go on as if nothing had been, and counts of leaves hold.
func TestAdaptiveStateWithAlternates(t *testing.T) {
	a := adaptive(3)
	alternates := 0
	for i, e := range turning(40000, 5) {
		a.Learn(&e, nil)
		if i%500 != 0 {
			continue
		}
		b := adaptive(3)
		if err := codec.Load(b, codec.Save(a)); err != nil {
			t.Fatal(err)
		}
		if b.leaves != a.leaves || b.active != a.active {
			t.Fatalf("after %d: %d leaves, %d active; loaded %d, %d", i, a.leaves, a.active, b.leaves, b.active)
		}
		leaves := 0
		a.walkAll(a.root, func(at int32) {
			if a.nodes[at].column < 0 {
				leaves++
			}
			if w := a.notes[at].watch; w != nil && w.alternate >= 0 {
				alternates++
			}
		})
		if leaves != a.leaves {
			t.Fatalf("after %d: %d leaves, counted as %d", i, leaves, a.leaves)
		}
		if i%5000 == 0 {
			a = b
		}
	}
	if alternates == 0 {
		t.Error("no alternate was ever in a state")
	}
}

// All trees publish what they are, through replacements, and learning is the same with and without.
func TestEverySnapshotIsTheTree(t *testing.T) {
	for _, c := range Components {
		task := c.Tasks[0]
		env := models.Env{Schema: schema(3), Task: task, Classes: 2, Seed: 1}
		a, plain := build(t, c.Name, env), build(t, c.Name, env)
		examples := turning(30000, 6)
		var kept models.Predictor
		var want, answer []float64
		for i := range examples {
			e := &examples[i]
			a.Learn(e, nil)
			plain.Learn(e, nil)
			if i%37 != 0 {
				continue
			}
			s := a.(models.Publisher).Publish()
			got := s.Predict(nil, e)
			if answer = a.Predict(answer[:0], e); math.Float64bits(got[0]) != math.Float64bits(answer[0]) {
				t.Fatalf("%s: snapshot %d answers %v, the tree %v", c.Name, i, got, answer)
			}
			if i == 37*300 {
				kept, want = s, got
			}
		}
		if got := kept.Predict(nil, &examples[37*300]); got[0] != want[0] {
			t.Errorf("%s: an old snapshot answers %v, then %v", c.Name, want, got)
		}
		if codec.Sum(a) != codec.Sum(plain) {
			t.Errorf("%s: publishing changed what was learned", c.Name)
		}
	}
}

func ExampleAdaptive() {
	a := adaptive(3)
	examples := turning(40000, 1)
	fmt.Printf("before the turn %.2f\n", accuracy(a, examples[:20000]))
	accuracy(a, examples[20000:30000])
	fmt.Printf("10,000 examples after it %.2f\n", accuracy(a, examples[30000:]))
	// Output:
	// before the turn 0.94
	// 10,000 examples after it 0.93
}
