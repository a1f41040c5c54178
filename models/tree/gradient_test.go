package tree

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// The change of loss and its square that a step gives are those of the examples one by one, and the step is Newton's: a bit more or
// less of it saves less.
func TestGradientStepAgainstSums(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	tree := NewGradient(models.Env{Schema: schema(1), Task: models.Binary}, GradientConfig{GracePeriod: 200, Delta: 1e-7, MaxLeaves: 8, MaxBytes: 1 << 20, MaxCategories: 8})
	var all sums
	var each []sums
	for range 500 {
		o := tree.gradient(0.3, float64(rng.IntN(4)/3), 1)
		each = append(each, o)
		all.add(&o)
	}
	var c change
	c.count(tree, &all)
	v := tree.step(&all)
	lossAt := func(v float64) (loss, square float64) {
		for _, o := range each {
			d := o.g*v + o.h*v*v/2
			loss, square = loss+d, square+d*d
		}
		return loss, square
	}
	loss, square := lossAt(v)
	if math.Abs(c.loss-loss) > 1e-9 || math.Abs(c.square-square) > 1e-9 {
		t.Errorf("loss %g and square %g, one by one %g and %g", c.loss, c.square, loss, square)
	}
	for _, other := range []float64{v * 0.9, v * 1.1} {
		if l, _ := lossAt(other); l < loss {
			t.Errorf("step %g saves %g, step %g saves %g", v, loss, other, l)
		}
	}
}

func TestGradientTreeLearns(t *testing.T) {
	g := NewGradient(models.Env{Schema: schema(3, "kind"), Task: models.Binary}, DefaultGradientConfig())
	accuracy(g, stairs(40000, 1))
	if got := accuracy(g, stairs(5000, 2)); got < 0.93 {
		t.Errorf("accuracy %.3f", got)
	}
	r := NewGradient(regressionEnv(3), DefaultGradientConfig())
	regression(r, steps(40000, 1))
	if got := regression(r, steps(2000, 2)); got.RMSE > 0.6 {
		t.Errorf("rmse %.3f", got.RMSE)
	}
}

// The gradients that the trees of several classes learn are the differences of the cross-entropy, and twice the diagonal of its Hessian is
// nowhere below the Hessian.
func TestCrossEntropyAgainstDifferences(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	loss := func(v []float64, y int) float64 {
		p := append([]float64(nil), v...)
		softmax(p)
		return -math.Log(p[y])
	}
	for range 200 {
		k := 2 + rng.IntN(5)
		v, p, step, y := make([]float64, k), make([]float64, k), make([]float64, k), rng.IntN(k)
		for i := range v {
			v[i], step[i] = 2*rng.NormFloat64(), rng.NormFloat64()
		}
		copy(p, v)
		softmax(p)
		model := loss(v, y)
		ahead := append([]float64(nil), v...)
		const small = 1e-4
		for i := range v {
			o := crossEntropy(p[i], i == y, 1)
			at := v[i]
			v[i] = at + 1e-6
			up := loss(v, y)
			v[i] = at - 1e-6
			if d := (up - loss(v, y)) / 2e-6; math.Abs(d-o.g) > 1e-7 {
				t.Fatalf("class %d of %v: gradient %g, differences say %g", i, p, o.g, d)
			}
			v[i] = at
			d := small * step[i]
			model += float64(o.g*d) + float64(o.h*d*d/2)
			ahead[i] += d
		}
		if got := loss(ahead, y); got > model+1e-11 {
			t.Fatalf("%v moved by %v: loss %.15g, the bound says %.15g", p, step, got, model)
		}
	}
}

// waves are examples of four classes: thresholds of two columns, and a category of which one value turns them round.
func waves(n int, seed uint64) []models.Example {
	out := stairs(n, seed)
	for i := range out {
		x := out[i].Value
		y := 0
		if x[0] > 0.5 {
			y = 1
		}
		if x[1] > 0.3 {
			y += 2
		}
		if x[3] == features.Category("c") {
			y = 3 - y
		}
		out[i].Y = float64(y)
	}
	return out
}

func TestGradientTreesLearnSeveralClasses(t *testing.T) {
	env := models.Env{Schema: schema(3, "kind"), Task: models.Multiclass, Classes: 4}
	g := NewGradients(env, DefaultGradientConfig())
	accuracy(g, waves(40000, 1))
	if got := accuracy(g, waves(5000, 2)); got < 0.95 {
		t.Errorf("accuracy %.3f", got)
	}
	cfg := DefaultGradientConfig()
	cfg.MaxLeaves = 10
	g = NewGradients(env, cfg)
	accuracy(g, waves(40000, 1))
	if n := g.Leaves(); n > 10 || models.DroppedBy(g).Count(splitsRefused) == 0 {
		t.Errorf("%d leaves, %d splits dropped", n, models.DroppedBy(g).Count(splitsRefused))
	}
	rng := rand.New(rand.NewPCG(2, 3))
	g = NewGradients(env, DefaultGradientConfig())
	noise := waves(30000, 3)
	for i := range noise {
		noise[i].Y = float64(rng.IntN(4))
	}
	if got := accuracy(g, noise); g.Leaves() > 8 || math.Abs(got-0.25) > 4*math.Sqrt(0.25*0.75/30000) {
		t.Errorf("%d leaves on noise, accuracy %.3f", g.Leaves(), got)
	}
}

// Nothing is to be learned from noise: the test keeps the tree from growing.
func TestGradientTreeDoesNotGrowOnNoise(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	g := NewGradient(models.Env{Schema: schema(3, "kind"), Task: models.Binary}, DefaultGradientConfig())
	for _, e := range stairs(30000, 3) {
		e.Y = float64(rng.IntN(2))
		g.Learn(&e, nil)
	}
	if g.Leaves() > 2 {
		t.Errorf("%d leaves on noise", g.Leaves())
	}
}

func ExampleGradient() {
	g := NewGradient(models.Env{Schema: schema(3, "kind"), Task: models.Binary}, DefaultGradientConfig())
	for _, e := range stairs(40000, 1) {
		g.Learn(&e, nil)
	}
	probe := stairs(1, 9)[0]
	fmt.Println(probe.Y == 1, g.Predict(nil, &probe)[0] > 0.5)
	// Output:
	// true true
}

func ExampleGradients() {
	g := NewGradients(models.Env{Schema: schema(3, "kind"), Task: models.Multiclass, Classes: 4}, DefaultGradientConfig())
	for _, e := range waves(40000, 1) {
		g.Learn(&e, nil)
	}
	probe := waves(1, 9)[0]
	fmt.Println(argmax(g.Predict(nil, &probe)) == int(probe.Y))
	// Output:
	// true
}
