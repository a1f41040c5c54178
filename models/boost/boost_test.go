package boost

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

func small(trees int) Config {
	cfg := DefaultConfig()
	cfg.Trees = trees
	return cfg
}

func env(task models.Task, kinds string) models.Env {
	return models.Env{Task: task, Classes: 3, Seed: 1, Schema: modeltest.Columns(kinds)}
}

func build(t testing.TB, e models.Env, cfg Config) *Boosted {
	t.Helper()
	m, err := New(e, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// step predicts, then learns.
func step(m *Boosted, dst, x []float64, y float64) []float64 {
	e := models.Example{Row: models.Row{Value: x}, Y: y, Weight: 1}
	dst = m.Predict(dst[:0], &e)
	m.Learn(&e, dst)
	return dst
}

func TestConformance(t *testing.T) {
	for _, task := range []models.Task{models.Binary, models.Multiclass, models.Regression} {
		t.Run(task.String(), func(t *testing.T) {
			modeltest.Run(t, modeltest.Case{Name: "gradient_boosted_trees", Env: models.Env{Task: task, Classes: 3, Seed: 1}, Grows: true,
				New: func(env models.Env) (models.Learner, error) { return New(env, small(12)) }})
		})
	}
}

// TestBestSplit compares with a search over the raw rows: every cut of every column, both sides for the missing values.
func TestBestSplit(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 30 {
		cfg := small(1)
		cfg.Subspace, cfg.GracePeriod, cfg.Bins = 1, 1e9, 16
		m := build(t, env(models.Regression, "nnc"), cfg)
		type row struct {
			x    [3]float64
			g, h float64
		}
		var rows []row
		tr := &m.trees[0]
		for range 200 {
			r := row{x: [3]float64{math.Floor(rng.Float64() * 9), rng.NormFloat64(), float64(rng.IntN(4))}, h: 0.5 + rng.Float64()}
			r.g = r.h * (r.x[0] - 4 + 3*rng.NormFloat64())
			if rng.IntN(5) == 0 {
				r.x[1] = math.NaN()
			}
			rows = append(rows, r)
			for i := range m.bins {
				m.bins[i].see(r.x[i], m.rng)
			}
		}
		m.adapt()
		for _, r := range rows {
			for i := range m.bins {
				m.codes[i] = m.bins[i].code(r.x[i])
			}
			m.learn(tr, 0, r.g, r.h, 1)
		}
		got := m.best(tr, &tr.leaves[0])
		want := 0.0
		for c := range 3 {
			for _, cut := range m.bins[c].cuts {
				for miss := range 2 {
					var side [2]sums
					known := [2]float64{}
					for _, r := range rows {
						s := miss
						if x := r.x[c]; x == x {
							s = 1
							if c == 2 && x == cut || c < 2 && x <= cut {
								s = 0
							}
							known[s] += r.h
						}
						side[s] = side[s].plus(sums{r.g, r.h})
					}
					all := side[0].plus(side[1])
					if least := 5 * all.h / float64(len(rows)); known[0] >= least && known[1] >= least {
						want = max(want, side[0].fit()+side[1].fit()-all.fit())
					}
				}
			}
		}
		if math.Abs(got.gain-want) > 1e-3*want {
			t.Fatalf("round %d: gain %v, a search over the rows gives %v", round, got.gain, want)
		}
	}
}

// TestNewton: one leaf and no fading is Newton's method on the log-loss, one step for all examples so far.
func TestNewton(t *testing.T) {
	cfg := small(1)
	cfg.Window, cfg.Shortest, cfg.GracePeriod, cfg.LearningRate, cfg.Calibrate = 1e18, 1e18, 1e18, 1, false
	m := build(t, env(models.Binary, "n"), cfg)
	g, h, n := 0.0, cfg.L2, [2]float64{}
	for i := range 200 {
		y := float64(i % 3 / 2)
		want := sigmoid(math.Log((n[1]+1)/(n[0]+1)) + max(-maxStep, min(maxStep, g/h)))
		if got := step(m, nil, []float64{1}, y)[0]; math.Abs(got-want) > 1e-12 {
			t.Fatalf("example %d: %v, want %v", i, got, want)
		}
		n[int(y)]++
		p := sigmoid(math.Log((n[1] + 1) / (n[0] + 1)))
		g, h = g+y-p, h+p*(1-p)
	}
}

// xor needs two splits in a row, with no gain in the first.
func xor(rng *rand.Rand, noise float64) ([]float64, float64) {
	x := []float64{rng.Float64(), rng.Float64(), rng.Float64()}
	y := 0.0
	if (x[0] > 0.4) != (x[1] > 0.6) {
		y = 1
	}
	if rng.Float64() < noise {
		y = 1 - y
	}
	return x, y
}

// TestInteraction: what no single column shows is learned, and the probabilities come out as the noise is.
func TestInteraction(t *testing.T) {
	m := build(t, env(models.Binary, "nnn"), DefaultConfig())
	rng := rand.New(rand.NewPCG(2, 2))
	right, n, gap := 0.0, 0.0, 0.0
	var out []float64
	for i := range 12000 {
		x, y := xor(rng, 0.1)
		out = step(m, out, x, y)
		if i >= 8000 {
			if n++; (out[0] > 0.5) == (y == 1) {
				right++
			}
			gap += math.Abs(out[0]-0.5) - 0.4
		}
	}
	if right/n < 0.88 || math.Abs(gap/n) > 0.05 {
		t.Errorf("accuracy %.3f, want .88 or more of .90; mean sureness is %.3f off", right/n, gap/n)
	}
}

// TestRandomLabels: the control that must not win.
func TestRandomLabels(t *testing.T) {
	for _, task := range []models.Task{models.Binary, models.Regression} {
		m := build(t, env(task, "nnnn"), small(30))
		rng := rand.New(rand.NewPCG(3, 3))
		right, sq, out := 0.0, 0.0, []float64(nil)
		const n = 10000
		for range n {
			x := []float64{rng.Float64(), rng.Float64(), rng.Float64(), rng.Float64()}
			y := float64(rng.IntN(2))
			out = step(m, out, x, y)
			if (out[0] > 0.5) == (y == 1) {
				right++
			}
			sq += (out[0] - y) * (out[0] - y)
		}
		if d := math.Abs(right/n - 0.5); d > 4*math.Sqrt(0.25/n) {
			t.Errorf("%v: random labels are guessed %.4f from chance", task, d)
		}
		if sq/n > 0.3 {
			t.Errorf("%v: squared error %.3f on random labels; one half costs .25", task, sq/n)
		}
	}
}

// TestFollowsChange: after the concept turns over, the model turns too.
func TestFollowsChange(t *testing.T) {
	m := build(t, env(models.Binary, "nnn"), DefaultConfig())
	rng := rand.New(rand.NewPCG(4, 4))
	late, out := 0.0, []float64(nil)
	for i := range 12000 {
		x, y := xor(rng, 0)
		if i >= 6000 {
			y = 1 - y
		}
		out = step(m, out, x, y)
		if i >= 10000 && (out[0] > 0.5) == (y == 1) {
			late++
		}
	}
	if late/2000 < 0.9 {
		t.Errorf("accuracy %.3f long after the change", late/2000)
	}
}

// TestBounds: leaves and bytes stay within what the parameters allow, and what was left out is counted.
func TestBounds(t *testing.T) {
	cfg := small(10)
	cfg.MaxLeaves, cfg.MaxBytes = 8, 10*3*64*8*4 // four leaves of each tree
	m := build(t, env(models.Regression, "nnnn"), cfg)
	rng := rand.New(rand.NewPCG(5, 5))
	var out []float64
	for i := range 20000 {
		x := []float64{rng.Float64(), rng.Float64(), rng.Float64(), rng.Float64()}
		out = step(m, out, x, math.Sin(float64(i)/3000+9*x[0])+x[1]*x[2])
		held := 0
		for j := range m.trees {
			if m.trees[j].live > cfg.MaxLeaves || len(m.trees[j].nodes) > 2*cfg.MaxLeaves {
				t.Fatalf("%d leaves in %d nodes", m.trees[j].live, len(m.trees[j].nodes))
			}
			for k := range m.trees[j].leaves {
				held += 8 * len(m.trees[j].leaves[k].cells)
			}
		}
		for _, c := range m.spare {
			if i%1000 == 0 {
				held += 8 * len(c)
			}
		}
		if held > cfg.MaxBytes {
			t.Fatalf("%d bytes, %d are allowed", held, cfg.MaxBytes)
		}
	}
	if d := models.DroppedBy(m); d.Count(leavesDeactivated) == 0 || d.Count(leavesMerged) == 0 {
		t.Errorf("%v: the bounds were not met", d)
	}
}

// TestCuts: the intervals follow a column that moves on, and halving and joining keep the sums of the leaves.
func TestCuts(t *testing.T) {
	b := newBins(false, 16)
	rng := rand.New(rand.NewPCG(6, 6))
	cells := make([]cell, 16)
	for i := range 40000 {
		x := rng.NormFloat64() + float64(i)/2000
		b.see(x, rng)
		cells[b.code(x)].h++
		if i%256 != 0 {
			continue
		}
		for range 16 {
			ch, ok := b.adapt()
			if !ok {
				break
			}
			ch.apply(cells)
		}
	}
	sum, last := 0.0, 0
	for i, c := range cells {
		if sum += float64(c.h); c.h > 0 {
			last = i
		}
	}
	if math.Abs(sum-40000) > 1 || last > len(b.cuts)+1 {
		t.Errorf("the cells hold %v of 40000 examples, the last is %d with %d cuts", sum, last, len(b.cuts))
	}
	counts := map[uint8]int{}
	for range 10000 {
		counts[b.code(rng.NormFloat64()+19)]++
	}
	for code, n := range counts {
		if n > 5000 {
			t.Errorf("interval %d holds %d of 10000 late values", code, n)
		}
	}
}

// TestAllocations: at most one allocation in a hundred examples once the trees stand.
func TestAllocations(t *testing.T) {
	m := build(t, env(models.Binary, "nnn"), small(20))
	rng := rand.New(rand.NewPCG(7, 7))
	xs, ys := make([][]float64, 4000), make([]float64, 4000)
	for i := range xs {
		xs[i], ys[i] = xor(rng, 0.1)
	}
	out := make([]float64, 0, 8)
	for i := range 24000 {
		out = step(m, out, xs[i%4000], ys[i%4000])
	}
	i := 0
	if n := testing.AllocsPerRun(4000, func() {
		out = step(m, out, xs[i%4000], ys[i%4000])
		i++
	}); n > 0.01 {
		t.Errorf("%v allocations per event", n)
	}
}

func FuzzState(f *testing.F) {
	m := build(f, env(models.Binary, "nnc"), small(3))
	rng := rand.New(rand.NewPCG(8, 8))
	for range 300 {
		x, y := xor(rng, 0)
		x[2] = float64(rng.IntN(5))
		step(m, nil, x, y)
	}
	f.Add(codec.Save(m))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := build(t, env(models.Binary, "nnc"), small(3))
		if codec.Load(m, b) == nil {
			step(m, nil, []float64{1, 2, 3}, 1)
			codec.Save(m)
		}
	})
}

// benchmark measures predict and learn of one event of 8 numeric columns.
func benchmark(b *testing.B, task models.Task, trees int) {
	modeltest.Bench(b, build(b, env(task, "nnnnnnnn"), small(trees)), 20000, nil)
}

func BenchmarkBinary100(b *testing.B)     { benchmark(b, models.Binary, 100) }
func BenchmarkRegression100(b *testing.B) { benchmark(b, models.Regression, 100) }
func BenchmarkBinary10(b *testing.B)      { benchmark(b, models.Binary, 10) }

// BenchmarkPublish is a snapshot after every example, with the copies it causes.
func BenchmarkPublish(b *testing.B) {
	m := build(b, env(models.Binary, "nnn"), DefaultConfig())
	rng := rand.New(rand.NewPCG(10, 10))
	for range 5000 {
		x, y := xor(rng, 0.1)
		step(m, nil, x, y)
	}
	b.ReportAllocs()
	for b.Loop() {
		x, y := xor(rng, 0.1)
		step(m, nil, x, y)
		m.Publish()
	}
}

func Example() {
	schema := &features.Schema{Columns: []features.Column{{Name: "temperature"}, {Name: "weekday", Kind: features.Categorical}}}
	m, _ := New(models.Env{Task: models.Regression, Schema: schema, Seed: 1}, DefaultConfig())
	saturday := features.Category("sat")
	for i := range 3000 {
		e := models.Example{Row: models.Row{Value: []float64{float64(i % 30), features.Category(fmt.Sprint(i % 7))}}, Weight: 1}
		e.Y = 100
		if i%7 == 5 {
			e.Value[1], e.Y = saturday, 250
		}
		m.Learn(&e, nil)
	}
	sold := m.Predict(nil, &models.Example{Row: models.Row{Value: []float64{20, saturday}}})[0]
	fmt.Println(math.Round(sold/10) * 10)
	// Output: 250
}
