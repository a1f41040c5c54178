package tree

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

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
