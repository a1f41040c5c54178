package ensemble_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
)

// waves makes Friedman's first function of five columns among eight, turned around in sign at the change; noise of deviation 1.
func waves(n, change int, seed uint64) []models.Example {
	rng := rand.New(rand.NewPCG(seed, 6))
	out := make([]models.Example, n)
	for i := range out {
		x := make([]float64, 8)
		for j := range x {
			x[j] = rng.Float64()
		}
		y := 10*math.Sin(math.Pi*x[0]*x[1]) + 20*(x[2]-0.5)*(x[2]-0.5) + 10*x[3] + 5*x[4]
		if i >= change {
			y = 30 - y
		}
		out[i] = models.Example{Row: models.Row{Value: x}, Y: y + rng.NormFloat64(), Weight: 1}
	}
	return out
}

// meanError is the mean absolute error of test-then-train.
func meanError(m models.Learner, es []models.Example) float64 {
	sum, out := 0.0, []float64(nil)
	for i := range es {
		out = m.Predict(out[:0], &es[i])
		sum += math.Abs(out[0] - es[i].Y)
		m.Learn(&es[i], out)
	}
	return sum / float64(len(es))
}

func regressionEnv() models.Env {
	e := env(8)
	e.Task, e.Classes = models.Regression, 0
	return e
}

// The claim of Gomes et al. 2018: a forest errs less than one tree, and finds back after a change.
func TestRegressionForest(t *testing.T) {
	es := waves(12000, 8000, 1)
	forest, single := build(t, "adaptive_random_forest", regressionEnv()), build(t, "hoeffding_tree_regressor", regressionEnv())
	meanError(forest, es[:4000])
	meanError(single, es[:4000])
	f, s := meanError(forest, es[4000:8000]), meanError(single, es[4000:8000])
	meanError(forest, es[8000:10000])
	meanError(single, es[8000:10000])
	after, without := meanError(forest, es[10000:]), meanError(single, es[10000:])
	t.Logf("mean error %.3f, single tree %.3f; after the change %.3f, single tree %.3f", f, s, after, without)
	if f > s || f > 1.6 || after > without || after > 2 {
		t.Errorf("mean error %.3f, single tree %.3f; after the change %.3f, single tree %.3f", f, s, after, without)
	}
	planted, swapped := forest.(interface{ Swaps() (uint64, uint64) }).Swaps()
	if swapped < 5 || planted < 5 {
		t.Errorf("%d trees planted, %d replaced", planted, swapped)
	}
}

// The leaves of a member watch some columns only; the state says which, and goes on with them.
func TestRegressionForestStateGoesOn(t *testing.T) {
	es := waves(3000, 1500, 2)
	a, b := build(t, "adaptive_random_forest", regressionEnv()), build(t, "adaptive_random_forest", regressionEnv())
	for i := range es {
		if i%700 == 0 {
			if err := codec.Load(b, codec.Save(a)); err != nil {
				t.Fatal(err)
			}
		}
		a.Learn(&es[i], nil)
		b.Learn(&es[i], nil)
	}
	if codec.Sum(a) != codec.Sum(b) {
		t.Error("a state that was loaded goes on otherwise")
	}
}

func Example_adaptiveRandomForest_regression() {
	m, err := catalog.Build(models.Named("adaptive_random_forest"), regressionEnv())
	if err != nil {
		fmt.Println(err)
		return
	}
	es := waves(4000, 4000, 1)
	meanError(m, es[:3000])
	fmt.Println(meanError(m, es[3000:]) < 2)
	// Output: true
}
