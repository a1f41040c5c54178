package linear_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/linear"
	"github.com/freshet-ml/freshet/models/loss"
	"github.com/freshet-ml/freshet/models/optim"
)

func sgd(rate float64) optim.Optimizer { return optim.NewSGD(optim.Schedule{Rate: rate}) }

func dense(y float64, v ...float64) *models.Example {
	return &models.Example{Row: models.Row{Value: v}, Y: y, Weight: 1}
}

func answer(m models.Predictor, v ...float64) float64 {
	return m.Predict(nil, dense(0, v...))[0]
}

// TestOneStep compares one step with the formulas: w ← w − η(p − y)x − ηλw, b ← b − η_b(p − y).
func TestOneStep(t *testing.T) {
	m := linear.NewRegression(2, loss.Squared{}, sgd(0.1), linear.Options{InterceptRate: 0.01, L2: 0.5})
	m.Learn(dense(2, 1, -1), nil)    // p 0, gradient −2: w 0.2, −0.2, b 0.02
	m.Learn(dense(0.42, 1, -1), nil) // p 0.42: only the penalty moves: w 0.19, −0.19
	if got := answer(m, 1, 0); math.Abs(got-0.21) > 1e-15 {
		t.Errorf("w₁ + b is %v, want 0.21", got)
	}
	l := linear.NewLogistic(1, loss.Logistic{}, sgd(1), linear.Options{InterceptRate: 0.5})
	l.Learn(dense(1, 2), nil) // gradient −½: w 1, b 0.25
	if got, want := answer(l, 2), loss.FastSigmoid(2.25); got != want {
		t.Errorf("answer %v, want %v", got, want)
	}
}

// TestWeightScalesTheStep: an example of weight 3 takes three times the step.
func TestWeightScalesTheStep(t *testing.T) {
	a := linear.NewRegression(1, loss.Squared{}, sgd(0.01), linear.Options{InterceptRate: 0.01})
	b := linear.NewRegression(1, loss.Squared{}, sgd(0.03), linear.Options{InterceptRate: 0.03})
	e := dense(1, 2)
	e.Weight = 3
	a.Learn(e, nil)
	b.Learn(dense(1, 2), nil)
	if x, y := answer(a, 2), answer(b, 2); math.Abs(x-y) > 1e-15 {
		t.Errorf("weight 3 gives %v, rate × 3 gives %v", x, y)
	}
}

// TestSparseIsDense: a row without its zeros is the same row.
func TestSparseIsDense(t *testing.T) {
	a := linear.NewLogistic(5, loss.Logistic{}, optim.NewAdaGrad(6, 0.1, 1, 1e-8), linear.Options{})
	b := linear.NewLogistic(5, loss.Logistic{}, optim.NewAdaGrad(6, 0.1, 1, 1e-8), linear.Options{})
	rng := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		v := make([]float64, 5)
		s := models.Row{Index: []uint32{}}
		for i := range v {
			if rng.IntN(2) == 0 {
				v[i] = rng.NormFloat64()
				s.Index, s.Value = append(s.Index, uint32(i)), append(s.Value, v[i])
			}
		}
		d := dense(float64(rng.IntN(2)), v...)
		e := *d
		e.Row = s
		if x, y := a.Predict(nil, d)[0], b.Predict(nil, &e)[0]; x != y {
			t.Fatalf("dense %v, sparse %v", x, y)
		}
		a.Learn(d, nil)
		b.Learn(&e, nil)
	}
}

// TestMissingIsZero: a missing value adds nothing and its weight does not move.
func TestMissingIsZero(t *testing.T) {
	m := linear.NewRegression(2, loss.Squared{}, sgd(0.1), linear.Options{NoIntercept: true})
	m.Learn(dense(1, 1, 1), nil)
	before := answer(m, 0, 1)
	m.Learn(dense(5, 1, math.NaN()), nil)
	if got := answer(m, 0, 1); got != before {
		t.Errorf("the weight of a missing value moved from %v to %v", before, got)
	}
	if a, b := answer(m, 1, math.NaN()), answer(m, 1, 0); a != b {
		t.Errorf("missing is answered %v, zero %v", a, b)
	}
}

// TestGuard: inputs of any scale cannot make plain steps diverge; a step that would carry the answer past
// the label stops at it.
func TestGuard(t *testing.T) {
	m := linear.NewRegression(1, loss.Squared{}, sgd(0.01), linear.Options{InterceptRate: 0.01})
	m.Learn(dense(7, 1e6), nil)
	if got := answer(m, 1e6); math.Abs(got-7) > 1e-6 {
		t.Errorf("after one step with a huge input the answer is %v, want the label 7", got)
	}
	rng := rand.New(rand.NewPCG(7, 8))
	worst := 0.0
	for range 5000 {
		x := 1000 * rng.NormFloat64()
		m.Learn(dense(3*x+rng.NormFloat64(), x), nil)
		worst = max(worst, math.Abs(answer(m, 1)))
	}
	if worst > 100 {
		t.Errorf("the answer at 1 reached %v; the line has slope 3", worst)
	}
	if got := answer(m, 1000); math.Abs(got-3000) > 100 {
		t.Errorf("the answer at 1000 is %v, want about 3000", got)
	}
}

// TestGuardLeavesOthersAlone: with inputs of usual scale the weights are those of plain gradient descent,
// bit for bit.
func TestGuardLeavesOthersAlone(t *testing.T) {
	m := linear.NewLogistic(1, loss.Logistic{}, sgd(0.05), linear.Options{InterceptRate: 0.01})
	rng := rand.New(rand.NewPCG(9, 9))
	w, b := 0.0, 0.0
	for range 1000 {
		x, y := 3*rng.NormFloat64(), float64(rng.IntN(2))
		g := loss.FastSigmoid(b+float64(w*x)) - y
		m.Learn(dense(y, x), nil)
		w += -0.05 * float64(g*x)
		b += -0.01 * g
		if got, want := answer(m, 1), loss.FastSigmoid(b+w); got != want {
			t.Fatalf("answer %v, plain gradient descent gives %v", got, want)
		}
	}
}

// TestRecoversLine: linear regression finds the coefficients it was made from, with every optimizer.
func TestRecoversLine(t *testing.T) {
	for name, opt := range map[string]optim.Optimizer{
		"sgd": sgd(0.02), "adagrad": optim.NewAdaGrad(3, 0.5, 1, 1e-8),
		"adam": optim.NewAdam(3, optim.Schedule{Rate: 0.05, Power: 0.5}, 0.9, 0.999, 1e-8), "coin": optim.NewCoin(3, 100),
	} {
		m := linear.NewRegression(2, loss.Squared{}, opt, linear.Options{})
		rng := rand.New(rand.NewPCG(1, 1))
		for range 20000 {
			a, b := rng.NormFloat64(), rng.NormFloat64()
			m.Learn(dense(4+2*a-3*b+0.1*rng.NormFloat64(), a, b), nil)
		}
		for _, c := range []struct{ a, b, want float64 }{{0, 0, 4}, {1, 0, 6}, {0, 1, 1}} {
			if got := answer(m, c.a, c.b); math.Abs(got-c.want) > 0.3 {
				t.Errorf("%s: the answer at (%v, %v) is %v, want %v", name, c.a, c.b, got, c.want)
			}
		}
	}
}

// TestSoftmaxOfTwo: two classes learn what logistic regression learns at twice the rate.
func TestSoftmaxOfTwo(t *testing.T) {
	s, err := linear.NewSoftmax(1, 2, func() (optim.Optimizer, error) { return sgd(0.1), nil }, linear.Options{NoIntercept: true})
	if err != nil {
		t.Fatal(err)
	}
	l := linear.NewLogistic(1, loss.Logistic{}, sgd(0.2), linear.Options{NoIntercept: true})
	rng := rand.New(rand.NewPCG(2, 2))
	for range 500 {
		x := rng.NormFloat64()
		y := 0.0
		if x+rng.NormFloat64() > 0 {
			y = 1
		}
		s.Learn(dense(y, x), nil)
		l.Learn(dense(y, x), nil)
	}
	if p, q := s.Predict(nil, dense(0, 1))[1], answer(l, 1); math.Abs(p-q) > 1e-9 {
		t.Errorf("softmax of two classes answers %v, logistic regression %v", p, q)
	}
	s.Learn(dense(9, 1), nil) // no such class: left out
}

func ExampleNewLogistic() {
	m := linear.NewLogistic(1, loss.Logistic{}, optim.NewSGD(optim.Schedule{Rate: 0.5}), linear.Options{InterceptRate: 0.1})
	for range 100 {
		m.Learn(&models.Example{Row: models.Row{Value: []float64{1}}, Y: 1, Weight: 1}, nil)
		m.Learn(&models.Example{Row: models.Row{Value: []float64{-1}}, Y: 0, Weight: 1}, nil)
	}
	fmt.Printf("%.2f\n", m.Predict(nil, &models.Example{Row: models.Row{Value: []float64{2}}})[0])
	// Output: 1.00
}

func ExampleNewRegression() {
	m := linear.NewRegression(1, loss.Squared{}, optim.NewCoin(2, 10), linear.Options{})
	for i := range 3000 {
		x := float64(i%11)/5 - 1
		m.Learn(&models.Example{Row: models.Row{Value: []float64{x}}, Y: 2*x + 1, Weight: 1}, nil)
	}
	fmt.Printf("%.1f\n", m.Predict(nil, &models.Example{Row: models.Row{Value: []float64{1}}})[0])
	// Output: 3.0
}

func ExampleNewSoftmax() {
	m, _ := linear.NewSoftmax(1, 3, func() (optim.Optimizer, error) { return optim.NewAdaGrad(2, 0.5, 1, 1e-8), nil }, linear.Options{})
	for i := range 600 {
		y := i % 3
		m.Learn(&models.Example{Row: models.Row{Value: []float64{float64(y) - 1}}, Y: float64(y), Weight: 1}, nil)
	}
	p := m.Predict(nil, &models.Example{Row: models.Row{Value: []float64{-1}}})
	fmt.Println(p[0] > p[1] && p[1] > p[2])
	// Output: true
}
