package label_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/label"
	"github.com/freshet-ml/freshet/models/linear"
	"github.com/freshet-ml/freshet/models/loss"
	"github.com/freshet-ml/freshet/models/optim"
)

func example(y float64, v ...float64) *models.Example {
	return &models.Example{Row: models.Row{Value: v}, Y: y, Weight: 1}
}

func regression() models.Learner {
	return linear.NewRegression(1, loss.Squared{}, optim.NewAdaGrad(2, 0.5, 1, 1e-8), linear.Options{})
}

// TestScaleFreesFromUnits: labels of any size and place are learned alike.
func TestScaleFreesFromUnits(t *testing.T) {
	for _, unit := range []float64{1e-9, 1, 1e12} {
		m := label.NewTransform(regression(), false)
		rng := rand.New(rand.NewPCG(1, 1))
		for range 5000 {
			x := rng.NormFloat64()
			m.Learn(example(unit*(50+3*x), x), nil)
		}
		if got, want := m.Predict(nil, example(0, 1))[0]/unit, 53.0; math.Abs(got-want) > 0.5 {
			t.Errorf("in units of %v: %v, want %v", unit, got, want)
		}
	}
}

// TestLogLearnsGrowth: e^(2x) is a line in the logarithm.
func TestLogLearnsGrowth(t *testing.T) {
	m := label.NewTransform(regression(), true)
	rng := rand.New(rand.NewPCG(2, 2))
	for range 20000 {
		x := 3 + 3*rng.Float64()
		m.Learn(example(math.Exp(2*x), x-4.5), nil)
	}
	for _, x := range []float64{3.5, 5, 6} {
		if got, want := m.Predict(nil, example(0, x-4.5))[0], math.Exp(2*x); math.Abs(got-want) > 0.1*want {
			t.Errorf("at %v: %v, want %v", x, got, want)
		}
	}
}

// TestWeightsAreWeights: a fixed weight is the weight of the example; balanced ones give every class the same sum in the long run.
func TestWeightsAreWeights(t *testing.T) {
	logistic := func() models.Learner {
		return linear.NewLogistic(1, loss.Logistic{}, optim.NewSGD(optim.Schedule{Rate: 0.1}), linear.Options{InterceptRate: 0.1})
	}
	a, b := label.NewWeights(logistic(), 2, []float64{1, 3}), logistic()
	balanced := label.NewWeights(logistic(), 2, nil)
	rng := rand.New(rand.NewPCG(3, 3))
	for range 20000 {
		e := example(0, rng.NormFloat64())
		if rng.IntN(20) == 0 {
			e.Y = 1
		}
		balanced.Learn(e, nil)
		a.Learn(e, nil)
		e.Weight = 1 + 2*e.Y
		b.Learn(e, nil)
	}
	if p, q := a.Predict(nil, example(0, 1))[0], b.Predict(nil, example(0, 1))[0]; p != q {
		t.Errorf("weights by class give %v, weights by example %v", p, q)
	}
	if p := balanced.Predict(nil, example(0, 0))[0]; math.Abs(p-0.5) > 0.2 {
		t.Errorf("balanced: %v where features say nothing, want about a half", p)
	}
}

func TestWrongWeights(t *testing.T) {
	for texts, want := range map[string]string{"1": "1 weights for 2 classes", "1 x": `"x" is no weight`, "1 -2": `"-2" is no weight`} {
		spec := models.Spec{Stages: []models.Stage{{Name: "class_weights", Params: map[string]any{"weights": strings.Fields(texts), "model": "logistic_regression"}}}}
		_, err := catalog.Build(spec, models.Env{Task: models.Binary, Schema: &features.Schema{}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", texts, err, want)
		}
	}
}

func ExampleNewTransform() {
	m := label.NewTransform(regression(), true)
	for i := range 4000 {
		x := float64(i%10) / 10
		m.Learn(&models.Example{Row: models.Row{Value: []float64{x}}, Y: math.Expm1(5 * x), Weight: 1}, nil)
	}
	fmt.Printf("%.0f\n", m.Predict(nil, &models.Example{Row: models.Row{Value: []float64{0.5}}})[0]/math.Expm1(2.5))
	// Output: 1
}

func ExampleNewWeights() {
	inner := linear.NewLogistic(0, loss.Logistic{}, optim.NewAdaGrad(1, 0.1, 1, 1e-8), linear.Options{})
	m := label.NewWeights(inner, 2, []float64{1, 9})
	for i := range 20000 {
		y := 0.0
		if i%10 == 0 {
			y = 1
		}
		m.Learn(&models.Example{Y: y, Weight: 1}, nil)
	}
	fmt.Printf("%.1f\n", m.Predict(nil, &models.Example{})[0]) // one in ten, nine times the weight
	// Output: 0.5
}
