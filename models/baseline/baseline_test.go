package baseline_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/baseline"
)

func learn(m models.Learner, labels ...float64) []float64 {
	for _, y := range labels {
		m.Learn(&models.Example{Y: y, Weight: 1}, nil)
	}
	return m.Predict(nil, &models.Example{})
}

func TestAnswers(t *testing.T) {
	binary := models.Env{Task: models.Binary}
	three := models.Env{Task: models.Multiclass, Classes: 3}
	number := models.Env{Task: models.Regression}
	for _, c := range []struct {
		name   string
		m      models.Learner
		labels []float64
		want   []float64
	}{
		{"no_change, nothing seen", baseline.NewNoChange(binary), nil, []float64{0}},
		{"no_change, binary", baseline.NewNoChange(binary), []float64{0, 1}, []float64{1}},
		{"no_change, three classes", baseline.NewNoChange(three), []float64{0, 2, 7}, []float64{0, 0, 1}},
		{"no_change, number", baseline.NewNoChange(number), []float64{3, -2.5}, []float64{-2.5}},
		{"majority_class", baseline.NewMajority(three), []float64{1, 2, 2, 1, 0}, []float64{0, 1, 0}},
		{"majority_class, binary", baseline.NewMajority(binary), []float64{1, 1, 0}, []float64{1}},
		{"prior, nothing seen", baseline.NewPrior(binary, 1), nil, []float64{0.5}},
		{"prior", baseline.NewPrior(binary, 1), []float64{1, 1, 0}, []float64{2.5 / 4}},
		{"prior, three classes", baseline.NewPrior(three, 1), []float64{1, 1}, []float64{0.5 / 3.5, 2.5 / 3.5, 0.5 / 3.5}},
		{"prior, discounted", baseline.NewPrior(binary, 0.5), []float64{1, 0}, []float64{1 / 2.5}},
		{"mean", baseline.NewMean(1), []float64{1, 2, 6}, []float64{3}},
		{"mean, discounted", baseline.NewMean(0.5), []float64{1, 4}, []float64{3}},
	} {
		got := learn(c.m, c.labels...)
		ok := len(got) == len(c.want)
		for i := range got {
			ok = ok && math.Abs(got[i]-c.want[i]) < 1e-12
		}
		if !ok {
			t.Errorf("%s: %v after %v, want %v", c.name, got, c.labels, c.want)
		}
	}
}

func TestWeights(t *testing.T) {
	m := baseline.NewMean(1)
	m.Learn(&models.Example{Y: 1, Weight: 3}, nil)
	m.Learn(&models.Example{Y: 5, Weight: 1}, nil)
	if got := m.Predict(nil, nil)[0]; math.Abs(got-2) > 1e-12 {
		t.Errorf("weighted mean %v, want 2", got)
	}
}

func ExampleNewPrior() {
	m := baseline.NewPrior(models.Env{Task: models.Binary}, 1)
	for _, y := range []float64{0, 0, 1} {
		m.Learn(&models.Example{Y: y, Weight: 1}, nil)
	}
	fmt.Println(m.Predict(nil, &models.Example{})[0])
	// Output: 0.375
}

func ExampleNewNoChange() {
	m := baseline.NewNoChange(models.Env{Task: models.Regression})
	m.Learn(&models.Example{Y: 21.5, Weight: 1}, nil)
	fmt.Println(m.Predict(nil, &models.Example{})[0])
	// Output: 21.5
}

func ExampleNewMajority() {
	m := baseline.NewMajority(models.Env{Task: models.Multiclass, Classes: 3})
	for _, y := range []float64{2, 0, 2} {
		m.Learn(&models.Example{Y: y, Weight: 1}, nil)
	}
	fmt.Println(m.Predict(nil, &models.Example{}))
	// Output: [0 0 1]
}

func ExampleNewMean() {
	m := baseline.NewMean(1)
	for _, y := range []float64{1, 3} {
		m.Learn(&models.Example{Y: y, Weight: 1}, nil)
	}
	fmt.Println(m.Predict(nil, &models.Example{})[0])
	// Output: 2
}
