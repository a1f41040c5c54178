package linear_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/linear"
	"github.com/freshet-ml/freshet/models/loss"
	"github.com/freshet-ml/freshet/models/optim"
)

func env(task models.Task, columns int) models.Env {
	return models.Env{Task: task, Classes: 3, Schema: &features.Schema{Columns: make([]features.Column, columns)}}
}

// TestPassiveAggressiveReachesTheMargin: without a limit the example that was just learned has a margin of 1 (regression: an error
// of epsilon), and the step is the shortest that does it.
func TestPassiveAggressiveReachesTheMargin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		x, z := rng.NormFloat64(), rng.NormFloat64()
		b := linear.NewPassiveAggressive(env(models.Binary, 2), 1e12, 0, false, false)
		b.Learn(dense(1, x, z), nil)
		if s := loss.Logit(answer(b, x, z), 1e-9); math.Abs(s-1) > 1e-6 {
			t.Fatalf("margin %v after learning", s)
		}
		r := linear.NewPassiveAggressive(env(models.Regression, 2), 1e12, 0.1, false, false)
		r.Learn(dense(5, x, z), nil)
		if got := answer(r, x, z); math.Abs(got-4.9) > 1e-9 {
			t.Fatalf("answer %v after learning 5 with epsilon 0.1", got)
		}
		two := env(models.Multiclass, 2)
		two.Classes = 2
		c := linear.NewPassiveAggressive(two, 1e12, 0, false, false)
		c.Learn(dense(1, x, z), nil)
		p := c.Predict(nil, dense(0, x, z))
		if margin := math.Log(p[1] / p[0]); math.Abs(margin-1) > 1e-6 {
			t.Fatalf("margin %v between classes after learning", margin)
		}
	}
}

// TestPassiveAggressiveVariants: τ = min(C, l/|x|²), and l/(|x|² + 1/2C), with the weight of the example on C.
func TestPassiveAggressiveVariants(t *testing.T) {
	for _, c := range []struct {
		second       bool
		weight, want float64
	}{{false, 1, 0.01}, {false, 2, 0.02}, {false, 1e9, 0.25}, {true, 1, 1.0 / 54}, {true, 2, 1.0 / 29}} {
		m := linear.NewPassiveAggressive(env(models.Binary, 1), 0.01, 0, c.second, false)
		e := dense(1, 2)
		e.Weight = c.weight
		m.Learn(e, nil)
		if got := loss.Logit(answer(m, 1), 1e-12) / 2; math.Abs(got-c.want) > 1e-9 {
			t.Errorf("second %v, weight %v: step %v, want %v", c.second, c.weight, got, c.want)
		}
	}
}

// TestPerceptronConverges: on separable data the number of mistakes is at most (R/γ)² (Novikoff 1962).
func TestPerceptronConverges(t *testing.T) {
	m := linear.NewPerceptron(env(models.Binary, 2), false)
	rng := rand.New(rand.NewPCG(2, 2))
	mistakes, radius, margin := 0, 0.0, math.Inf(1)
	for range 20000 {
		x, z := 2*rng.Float64()-1, 2*rng.Float64()-1
		gap := (3*x - 4*z) / 5
		if math.Abs(gap) < 0.1 {
			continue
		}
		y := 0.0
		if gap > 0 {
			y = 1
		}
		radius, margin = max(radius, x*x+z*z), min(margin, math.Abs(gap))
		if p := answer(m, x, z); p == 0.5 || (p > 0.5) != (y == 1) {
			mistakes++
		}
		m.Learn(dense(y, x, z), nil)
	}
	if bound := radius / (margin * margin); float64(mistakes) > bound || mistakes == 0 {
		t.Errorf("%d mistakes, the bound is %.1f", mistakes, bound)
	}
}

// TestBayesianIsBatch compares with the posterior of the whole batch: precision P = λI + X'X, mean P⁻¹X'y, rate + ½(y'y − mean'P·mean).
func TestBayesianIsBatch(t *testing.T) {
	m := linear.NewBayesian(1, 2, 3, 4, 1)
	rng := rand.New(rand.NewPCG(3, 3))
	a, b, d := 2.0, 0.0, 2.0 // P
	u, v, yy := 0.0, 0.0, 0.0
	for n := 1.0; n <= 200; n++ {
		x := 3 * rng.NormFloat64()
		y := 2*x - 1 + rng.NormFloat64()
		m.Learn(dense(y, x), nil)
		a, b, d = a+x*x, b+x, d+1
		u, v, yy = u+x*y, v+y, yy+y*y
		det := a*d - b*b
		w, c := (d*u-b*v)/det, (a*v-b*u)/det
		rate := 4 + (yy-(w*u+c*v))/2
		q := (d*0.25 - 2*b*0.5 + a) / det // x'P⁻¹x at x = 0.5
		got := m.Predict(nil, dense(0, 0.5))
		if want := w*0.5 + c; math.Abs(got[0]-want) > 1e-9 {
			t.Fatalf("mean %v, the batch gives %v", got[0], want)
		}
		if want := rate / (3 + n/2 - 1) * (1 + q); math.Abs(got[1]-want) > 1e-8*want {
			t.Fatalf("variance %v, the batch gives %v", got[1], want)
		}
	}
}

// TestBayesianFollows: with a discount it follows a line that changes, and its variance covers what happens.
func TestBayesianFollows(t *testing.T) {
	m := linear.NewBayesian(1, 1, 2, 1, 0.98)
	rng := rand.New(rand.NewPCG(4, 4))
	inside, n := 0.0, 0.0
	for i := range 4000 {
		x := rng.NormFloat64()
		slope := 3.0
		if i >= 2000 {
			slope = -3
		}
		y := slope*x + 0.5*rng.NormFloat64()
		p := m.Predict(nil, dense(0, x))
		if i >= 3000 {
			n++
			if math.Abs(y-p[0]) < 1.96*math.Sqrt(p[1]) {
				inside++
			}
		}
		m.Learn(dense(y, x), nil)
	}
	if share := inside / n; share < 0.92 || share > 0.98 {
		t.Errorf("%.3f of the labels lie in the 95 %% band", share)
	}
}

// TestQuantileCovers: the share of labels below the answer is the quantile.
func TestQuantileCovers(t *testing.T) {
	for _, q := range []float64{0.1, 0.5, 0.9} {
		m := linear.NewRegression(1, loss.Quantile{Alpha: q}, optim.NewAdaGrad(2, 0.1, 1, 1e-8), linear.Options{})
		rng := rand.New(rand.NewPCG(5, 5))
		below, n := 0.0, 0.0
		for i := range 40000 {
			x := rng.Float64()
			y := 10*x + (1+x)*rng.NormFloat64()
			if i > 20000 {
				n++
				if y < answer(m, x) {
					below++
				}
			}
			m.Learn(dense(y, x), nil)
		}
		if got := below / n; math.Abs(got-q) > 0.03 {
			t.Errorf("%.3f of the labels lie below the answer of quantile %v", got, q)
		}
	}
}

func ExampleNewBayesian() {
	m := linear.NewBayesian(1, 1, 2, 1, 1)
	e := &models.Example{Row: models.Row{Value: []float64{1}}, Y: 4, Weight: 1}
	before := m.Predict(nil, e)
	m.Learn(e, nil)
	after := m.Predict(nil, e)
	fmt.Printf("%.2f ± %.2f, then %.2f\n", before[0], math.Sqrt(before[1]), after[0])
	// Output: 0.00 ± 1.73, then 2.67
}

func ExampleNewPassiveAggressive() {
	m := linear.NewPassiveAggressive(env(models.Regression, 1), 1, 0.1, false, false)
	e := &models.Example{Row: models.Row{Value: []float64{2}}, Y: 3, Weight: 1}
	m.Learn(e, nil)
	fmt.Printf("%.2f\n", m.Predict(nil, e)[0]) // the error is epsilon
	// Output: 2.90
}

func ExampleNewPerceptron() {
	m := linear.NewPerceptron(env(models.Binary, 1), true)
	m.Learn(&models.Example{Row: models.Row{Value: []float64{2}}, Y: 1, Weight: 1}, nil)
	fmt.Println(m.Predict(nil, &models.Example{Row: models.Row{Value: []float64{2}}})[0] > 0.5)
	// Output: true
}
