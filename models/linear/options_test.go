package linear_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/linear"
	"github.com/freshet-ml/freshet/models/loss"
	"github.com/freshet-ml/freshet/models/optim"
)

// TestAverage compares with the mean of the weights, kept plainly.
func TestAverage(t *testing.T) {
	a := linear.NewRegression(1, loss.Squared{}, sgd(0.1), linear.Options{Average: true, InterceptRate: 0.05})
	b := linear.NewRegression(1, loss.Squared{}, sgd(0.1), linear.Options{InterceptRate: 0.05})
	rng := rand.New(rand.NewPCG(1, 1))
	at0, at1, n := 0.0, 0.0, 0.0
	for range 500 {
		x := rng.NormFloat64()
		e := dense(3*x+1+rng.NormFloat64(), x)
		a.Learn(e, nil)
		b.Learn(e, nil)
		at0, at1, n = at0+answer(b, 0), at1+answer(b, 1), n+1
		if got := answer(a, 0); math.Abs(got-at0/n) > 1e-9 {
			t.Fatalf("after %v examples: %v, the mean of the intercepts is %v", n, got, at0/n)
		}
		if got := answer(a, 1); math.Abs(got-at1/n) > 1e-9 {
			t.Fatalf("after %v examples: %v, the mean of the answers is %v", n, got, at1/n)
		}
	}
	snap := a.Publish()
	if got, want := answer(snap, 0.3), answer(a, 0.3); got != want {
		t.Errorf("the snapshot answers %v, the model %v", got, want)
	}
	c := linear.NewRegression(1, loss.Squared{}, sgd(0.1), linear.Options{Average: true, InterceptRate: 0.05})
	if err := codec.Load(c, codec.Save(a)); err != nil || answer(c, 2) != answer(a, 2) {
		t.Errorf("after a load (%v) the answer is %v, before %v", err, answer(c, 2), answer(a, 2))
	}
}

// TestNormalizedNeedsNoScaler: the unit of a column does not matter, answers are those of the column in another unit.
func TestNormalizedNeedsNoScaler(t *testing.T) {
	make := func() *linear.Regression {
		return linear.NewRegression(2, loss.Squared{}, optim.NewNormalized(3, 0.5), linear.Options{})
	}
	a, b := make(), make()
	rng := rand.New(rand.NewPCG(4, 4))
	err, n := 0.0, 0.0
	for i := range 5000 {
		x, z := rng.NormFloat64(), rng.Float64()
		y := 5*x - 2*z + 7
		p, q := answer(a, x, z), answer(b, 1e6*x, z/1e3)
		if math.Abs(p-q) > 1e-6*(1+math.Abs(p)) {
			t.Fatalf("example %d: %v in one unit, %v in another", i, p, q)
		}
		if i > 4000 {
			err, n = err+math.Abs(p-y), n+1
		}
		a.Learn(dense(y, x, z), nil)
		b.Learn(dense(y, 1e6*x, z/1e3), nil)
	}
	if err/n > 0.5 { // a constant has 4
		t.Errorf("mean error %v on a line without noise", err/n)
	}
}

// TestInvariantSteps: an example of any weight moves the answer towards the label and never past it.
func TestInvariantSteps(t *testing.T) {
	for _, weight := range []float64{1e-3, 1, 10, 1e6} {
		m := linear.NewRegression(1, loss.Squared{}, optim.NewNormalized(2, 0.5), linear.Options{})
		e := dense(10, 3)
		e.Weight = weight
		m.Learn(e, nil)
		if got := answer(m, 3); !(got > 0 && got <= 10+1e-9) {
			t.Errorf("weight %v: the answer went from 0 to %v, the label is 10", weight, got)
		}
	}
}

// TestPoissonRecovers: counts whose mean is e^(1 + x/2).
func TestPoissonRecovers(t *testing.T) {
	m := linear.NewRegression(1, loss.Poisson{}, optim.NewAdaGrad(2, 0.2, 1, 1e-8), linear.Options{Average: true})
	rng := rand.New(rand.NewPCG(5, 5))
	for range 30000 {
		x := rng.NormFloat64()
		left, y := math.Exp(-math.Exp(1+x/2)), -1.0
		for p := 1.0; p > left; p *= rng.Float64() {
			y++
		}
		m.Learn(dense(y, x), nil)
	}
	for _, x := range []float64{-1, 0, 1} {
		if got, want := answer(m, x), math.Exp(1+x/2); math.Abs(got-want) > 0.1*want {
			t.Errorf("mean count at %v is %v, want %v", x, got, want)
		}
	}
}

// TestEveryPair: any loss with any optimizer stays finite on inputs and labels that jump, behind no scaler, and learns a line
// of plain inputs.
func TestEveryPair(t *testing.T) {
	optimizers := map[string]func() optim.Optimizer{
		"sgd":      func() optim.Optimizer { return sgd(0.01) },
		"momentum": func() optim.Optimizer { return optim.NewMomentum(3, optim.Schedule{Rate: 0.01}, 0.9, false) },
		"nesterov": func() optim.Optimizer { return optim.NewMomentum(3, optim.Schedule{Rate: 0.01}, 0.9, true) },
		"adagrad":  func() optim.Optimizer { return optim.NewAdaGrad(3, 0.5, 1, 1e-8) },
		"adadelta": func() optim.Optimizer { return optim.NewAdaDelta(3, 0.95, 1e-3) },
		"rmsprop":  func() optim.Optimizer { return optim.NewRMSProp(3, optim.Schedule{Rate: 0.01}, 0.9, 1e-8) },
		"adam":     func() optim.Optimizer { return optim.NewAdam(3, optim.Schedule{Rate: 0.01}, 0.9, 0.999, 1e-8) },
		"amsgrad":  func() optim.Optimizer { return optim.NewAMSGrad(3, optim.Schedule{Rate: 0.01}, 0.9, 0.999, 1e-8) },
		"nadam":    func() optim.Optimizer { return optim.NewNadam(3, optim.Schedule{Rate: 0.01}, 0.9, 0.999, 1e-8) },
		"ftrl":     func() optim.Optimizer { return optim.NewFTRL(3, 0.5, 1, 0, 0.01) },
		"coin":     func() optim.Optimizer { return optim.NewCoin(3, 10) },
		"nag":      func() optim.Optimizer { return optim.NewNormalized(3, 0.5) },
	}
	losses := []loss.Loss{loss.Squared{}, loss.Absolute{}, loss.Huber{Delta: 1}, loss.Quantile{Alpha: 0.5}, loss.EpsilonInsensitive{Epsilon: 0.1}, loss.Poisson{}}
	for name, opt := range optimizers {
		for _, l := range losses {
			jump := linear.NewRegression(2, l, opt(), linear.Options{})
			plain := linear.NewRegression(2, l, opt(), linear.Options{})
			rng := rand.New(rand.NewPCG(3, 3))
			err, prior, n := 0.0, 0.0, 0.0
			for i := range 6000 {
				x, z := rng.NormFloat64(), rng.NormFloat64()
				y := 2 + x - z/2
				if _, ok := l.(loss.Poisson); ok {
					y = math.Exp(1 + x/4 - z/8)
				}
				if i > 4000 {
					err, prior, n = err+math.Abs(answer(plain, x, z)-y), prior+math.Abs(y-2), n+1
				}
				plain.Learn(dense(y, x, z), nil)
				scale := math.Pow(10, float64(i%40)/4)
				jump.Learn(dense(y*scale, x*scale, z), nil)
				if p := answer(jump, scale, 1); math.IsNaN(p) || math.IsInf(p, 0) {
					t.Fatalf("%s, %T: the answer is %v", name, l, p)
				}
			}
			if err/n > 0.5*prior/n {
				t.Errorf("%s, %T: mean error %.3f, a constant has %.3f", name, l, err/n, prior/n)
			}
		}
	}
}

func ExampleOptions() {
	m := linear.NewLogistic(1, loss.ModifiedHuber{}, optim.NewNormalized(2, 0.5), linear.Options{Average: true})
	for range 50 {
		m.Learn(&models.Example{Row: models.Row{Value: []float64{1000}}, Y: 1, Weight: 1}, nil)
		m.Learn(&models.Example{Row: models.Row{Value: []float64{-1000}}, Y: 0, Weight: 1}, nil)
	}
	fmt.Println(m.Predict(nil, &models.Example{Row: models.Row{Value: []float64{500}}})[0] > 0.5)
	// Output: true
}
