package mondrian

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/modeltest"
)

func env(task models.Task, kinds string) models.Env {
	return models.Env{Task: task, Classes: 3, Seed: 1, Schema: modeltest.Columns(kinds)}
}

func step(m *Forest, dst, x []float64, y float64) []float64 {
	e := models.Example{Row: models.Row{Value: x}, Y: y, Weight: 1}
	dst = m.Predict(dst[:0], &e)
	m.Learn(&e, dst)
	return dst
}

// spiral is two classes that no single split tells apart.
func spiral(rng *rand.Rand) ([]float64, float64) {
	y, r := float64(rng.IntN(2)), rng.Float64()
	a := 5*r + math.Pi*y
	return []float64{r*math.Cos(a) + 0.03*rng.NormFloat64(), r*math.Sin(a) + 0.03*rng.NormFloat64()}, y
}

func TestConformance(t *testing.T) {
	for _, task := range []models.Task{models.Binary, models.Multiclass, models.Regression} {
		for name, cfg := range map[string]Config{"default": DefaultConfig(), "capped": {Trees: 3, Step: 1, Dirichlet: 0.5, MaxNodes: 61}} {
			t.Run(task.String()+"/"+name, func(t *testing.T) {
				modeltest.Run(t, modeltest.Case{Name: "mondrian_forest", Env: models.Env{Task: task, Classes: 3, Seed: 1}, Grows: true,
					New: func(env models.Env) (models.Learner, error) { return New(env, cfg), nil }})
			})
		}
	}
}

// pruning is one way to cut a tree: its log-weight, prior included, and its answer for a row.
type pruning struct{ weight, answer float64 }

// prunings lists all prunings of the subtree below a node.
func prunings(f *Forest, t *tree, at int32, x []float64) []pruning {
	n := t.at(at)
	counts := t.counts(at, 2)
	own := pruning{n.weight, (counts[1] + 0.5) / (counts[0] + counts[1] + 1)}
	if n.left < 0 {
		return []pruning{own}
	}
	own.weight -= math.Ln2
	out := []pruning{own}
	for _, l := range prunings(f, t, n.left, x) {
		for _, r := range prunings(f, t, n.right, x) {
			p := pruning{l.weight + r.weight - math.Ln2, r.answer}
			if x[n.column] <= n.cut {
				p.answer = l.answer
			}
			out = append(out, p)
		}
	}
	return out
}

// TestAggregation: the answer is the average over all prunings, each with the weight that its losses leave it (theorem 1 of the paper),
// also after leaves were forgotten.
func TestAggregation(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for round := range 40 {
		cfg := DefaultConfig()
		cfg.Trees, cfg.MaxNodes = 1, 13
		e := env(models.Binary, "nn")
		e.Seed = uint64(round)
		f := New(e, cfg)
		for range 3 + rng.IntN(20) {
			x, y := spiral(rng)
			step(f, nil, x, y)
		}
		x, _ := spiral(rng)
		var sum, mass float64
		for _, p := range prunings(f, &f.trees[0], f.trees[0].root, x) {
			w := math.Exp(p.weight)
			sum, mass = sum+w*p.answer, mass+w
		}
		got := f.Predict(nil, &models.Example{Row: models.Row{Value: x}})[0]
		if math.Abs(got-sum/mass) > 1e-9 {
			t.Fatalf("round %d: answer %v, the sum over prunings gives %v", round, got, sum/mass)
		}
		if total := f.trees[0].at(f.trees[0].root).total; math.Abs(total-math.Log(mass)) > 1e-9 {
			t.Fatalf("round %d: log-weight %v, the sum over prunings gives %v", round, total, math.Log(mass))
		}
	}
}

// TestShape: children lie within their parents, times grow downwards, weights add up, and the number of nodes is bounded.
func TestShape(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Trees, cfg.MaxNodes = 2, 101
	f := New(env(models.Binary, "nn"), cfg)
	rng := rand.New(rand.NewPCG(2, 2))
	for i := range 3000 {
		x, y := spiral(rng)
		step(f, nil, x, y)
		if i%100 != 0 {
			continue
		}
		for k := range f.trees {
			tr := &f.trees[k]
			if tr.used > cfg.MaxNodes {
				t.Fatalf("%d nodes, %d are allowed", tr.used, cfg.MaxNodes)
			}
			check(t, f, tr, tr.root)
		}
	}
	if models.DroppedBy(f).Count(leavesForgotten) == 0 {
		t.Error("no leaf was forgotten: the bound was not met")
	}
}

func check(t *testing.T, f *Forest, tr *tree, at int32) {
	t.Helper()
	n := tr.at(at)
	if n.left < 0 {
		return
	}
	for _, c := range [2]int32{n.left, n.right} {
		if tr.at(c).parent != at || !(tr.at(c).time > n.time) || tr.at(c).reached > n.reached {
			t.Fatalf("node %d below %d: %+v, %+v", c, at, *tr.at(c), *n)
		}
		for j, b := range f.box(tr, c) {
			if up := f.box(tr, at)[j]; j%2 == 0 && b < up || j%2 == 1 && b > up {
				t.Fatalf("the box of node %d reaches out of that of its parent %d", c, at)
			}
		}
		check(t, f, tr, c)
	}
	if hi, lo := f.box(tr, n.left)[2*n.column+1], f.box(tr, n.right)[2*n.column]; hi > n.cut || lo < n.cut {
		t.Fatalf("the cut %v does not part [… %v] and [%v …]", n.cut, hi, lo)
	}
}

// TestUnits: columns in other units give the same answers, bit for bit if the units are powers of two.
func TestUnits(t *testing.T) {
	a, b := New(env(models.Binary, "nn"), DefaultConfig()), New(env(models.Binary, "nn"), DefaultConfig())
	rng := rand.New(rand.NewPCG(3, 3))
	right, n := 0.0, 0.0
	for i := range 3000 {
		x, y := spiral(rng)
		p, q := step(a, nil, x, y)[0], step(b, nil, []float64{x[0] * 1024, x[1] / 4096}, y)[0]
		if p != q {
			t.Fatalf("example %d: %v in one unit, %v in another", i, p, q)
		}
		if i >= 1000 {
			if n++; (p > 0.5) == (y == 1) {
				right++
			}
		}
	}
	if right/n < 0.9 {
		t.Errorf("accuracy %.3f", right/n)
	}
}

// TestLabelUnits: a regression answers alike in every unit of its labels.
func TestLabelUnits(t *testing.T) {
	a, b := New(env(models.Regression, "n"), DefaultConfig()), New(env(models.Regression, "n"), DefaultConfig())
	rng := rand.New(rand.NewPCG(4, 4))
	sum, n := 0.0, 0.0
	for i := range 3000 {
		x := rng.Float64()
		y := math.Sin(6*x) + 0.1*rng.NormFloat64()
		p, q := step(a, nil, []float64{x}, y)[0], step(b, nil, []float64{x}, y*1e6)[0]
		if math.Abs(p-q/1e6) > 1e-9 {
			t.Fatalf("example %d: %v, in another unit %v", i, p, q)
		}
		if i > 1000 {
			sum, n = sum+math.Abs(p-y), n+1
		}
	}
	if sum/n > 0.12 {
		t.Errorf("mean error %.3f, the noise alone gives .08", sum/n)
	}
}

// TestCategories: a category is told apart by its own values.
func TestCategories(t *testing.T) {
	f := New(env(models.Binary, "cn"), DefaultConfig())
	rng := rand.New(rand.NewPCG(5, 5))
	right := 0.0
	for i := range 4000 {
		c := rng.IntN(8)
		y := float64(c * 5 % 8 % 2)
		if p := step(f, nil, []float64{features.Category(fmt.Sprint(c)), rng.Float64()}, y)[0]; i >= 3000 && (p > 0.5) == (y == 1) {
			right++
		}
	}
	if right/1000 < 0.95 {
		t.Errorf("accuracy %.3f", right/1000)
	}
}

// TestRandomLabels: the control that must not win.
func TestRandomLabels(t *testing.T) {
	f := New(env(models.Binary, "nnn"), DefaultConfig())
	rng := rand.New(rand.NewPCG(6, 6))
	right, out := 0.0, []float64(nil)
	const n = 5000
	for range n {
		y := float64(rng.IntN(2))
		out = step(f, out, []float64{rng.Float64(), rng.Float64(), rng.Float64()}, y)
		if (out[0] > 0.5) == (y == 1) {
			right++
		}
	}
	if d := math.Abs(right/n - 0.5); d > 4*math.Sqrt(0.25/n) {
		t.Errorf("random labels are guessed %.4f from chance", d)
	}
}

// TestAllocations: none once the nodes are all there.
func TestAllocations(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxNodes = 512
	f := New(env(models.Binary, "nn"), cfg)
	rng := rand.New(rand.NewPCG(7, 7))
	out, xs, ys := make([]float64, 0, 8), make([][]float64, 1000), make([]float64, 1000)
	for i := range xs {
		xs[i], ys[i] = spiral(rng)
	}
	for i := range 20000 {
		out = step(f, out, xs[i%1000], ys[i%1000])
	}
	i := 0
	if n := testing.AllocsPerRun(2000, func() {
		out = step(f, out, xs[i%1000], ys[i%1000])
		i++
	}); n > 0.01 {
		t.Errorf("%v allocations per event", n)
	}
}

func FuzzState(f *testing.F) {
	cfg := DefaultConfig()
	cfg.Trees, cfg.MaxNodes = 2, 21
	m := New(env(models.Binary, "nn"), cfg)
	rng := rand.New(rand.NewPCG(8, 8))
	for range 60 {
		x, y := spiral(rng)
		step(m, nil, x, y)
	}
	f.Add(codec.Save(m))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := New(env(models.Binary, "nn"), cfg)
		if codec.Load(m, b) == nil {
			for range 3 {
				step(m, nil, []float64{1, -2}, 1)
			}
			codec.Save(m)
		}
	})
}

func BenchmarkForest(b *testing.B) {
	modeltest.Bench(b, New(env(models.Binary, "nnnnnnnn"), DefaultConfig()), 5000, nil)
}

// BenchmarkPublish is a snapshot after every example, with the copies it causes.
func BenchmarkPublish(b *testing.B) {
	f := New(env(models.Binary, "nnnnnnnn"), DefaultConfig())
	modeltest.Bench(b, f, 5000, func() { f.Publish() })
}
