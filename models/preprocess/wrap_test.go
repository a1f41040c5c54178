package preprocess_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
)

type dict = map[string]any

// learner makes the model of a spec over two numbers.
func learner(t testing.TB, spec any, env models.Env) models.Learner {
	t.Helper()
	s, err := models.ParseSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	env.Schema = numbers(2)
	m, err := catalog.Build(s, env)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// rareStream draws examples of which class 1 is about 1 in 30, and returns the true probability of class 1.
func rareStream(rng *rand.Rand, e *models.Example) (p float64) {
	x, z := rng.NormFloat64(), rng.NormFloat64()
	p = 1 / (1 + math.Exp(5-2*x))
	e.Row, e.Weight, e.Y = models.Row{Value: []float64{x, z}}, 1, 0
	if rng.Float64() < p {
		e.Y = 1
	}
	return p
}

// gap is the mean difference between answers and true probabilities, of the wrapper and of the model in it, after a stream under label delay.
func gap(t *testing.T, spec any, n int) (whole, own float64) {
	m := learner(t, spec, models.Env{Task: models.Binary, Seed: 3})
	rng, count := rand.New(rand.NewPCG(1, 2)), 0.0
	const delay = 20
	es, pasts := make([]models.Example, delay), make([][]float64, delay)
	for i := range n {
		if i >= delay {
			m.Learn(&es[i%delay], pasts[i%delay])
		}
		p := rareStream(rng, &es[i%delay])
		pasts[i%delay] = m.Predict(pasts[i%delay][:0], &es[i%delay])
		m.Observe(&es[i%delay])
		if i >= n/2 {
			answer := pasts[i%delay]
			whole, own, count = whole+math.Abs(answer[0]-p), own+math.Abs(answer[1]-p), count+1
		}
	}
	return whole / count, own / count
}

// TestSamplersStayCalibrated: the model inside is off by far, since it sees other shares of the classes; the wrapper is not.
func TestSamplersStayCalibrated(t *testing.T) {
	logistic := []any{"standard_scaler", dict{"logistic_regression": dict{"optimizer": dict{"sgd": dict{"learning_rate": 0.02}}}}}
	for name, params := range map[string]dict{"under_sampler": {}, "over_sampler": {}, "hard_sampler": {"share": 0.3}} {
		params["model"] = logistic
		whole, own := gap(t, dict{name: params}, 60000)
		t.Logf("%s: off by %.4f, the model in it by %.4f", name, whole, own)
		if whole > 0.035 || own < 2*whole {
			t.Errorf("%s: off by %.4f, the model in it by %.4f", name, whole, own)
		}
	}
}

// TestUnderSamplerLearnsLess: the model in it sees the classes in balance, and less than a tenth of the stream.
func TestUnderSamplerLearnsLess(t *testing.T) {
	m := learner(t, dict{"under_sampler": dict{"model": "prior"}}, models.Env{Task: models.Binary})
	rng := rand.New(rand.NewPCG(5, 5))
	var e models.Example
	share := 0.0
	for range 20000 {
		rareStream(rng, &e)
		share += e.Y / 20000
		m.Learn(&e, nil)
	}
	got := m.Predict(nil, &e)
	if math.Abs(got[1]-0.5) > 0.05 || math.Abs(got[0]-share) > 0.005 {
		t.Errorf("the model sees a share of %.3f, the wrapper answers %.4f where %.4f is true", got[1], got[0], share)
	}
}

// TestCalibratedClasses: three classes whose probabilities are too sure.
func TestCalibratedClasses(t *testing.T) {
	for _, method := range []string{"platt", "isotonic"} {
		m := learner(t, dict{"calibrated": dict{"method": method, "model": "prior"}}, models.Env{Task: models.Multiclass, Classes: 3})
		rng := rand.New(rand.NewPCG(2, 9))
		e := models.Example{Row: models.Row{Value: []float64{0, 0}}, Weight: 1}
		for i := range 40000 {
			e.Y = float64(rng.IntN(10) * 3 / 10) // 0.4, 0.3, 0.3
			past := m.Predict(nil, &e)
			if i < 20000 {
				past[3], past[4], past[5] = 0.9, 0.05, 0.05 // as if the model had been too sure of class 0
			}
			m.Learn(&e, past)
		}
		got := m.Predict(nil, &e)[:3]
		if math.Abs(got[0]-0.4) > 0.06 || math.Abs(got[1]-0.3) > 0.06 || math.Abs(got[0]+got[1]+got[2]-1) > 1e-9 {
			t.Errorf("%s: %v, want about 0.4, 0.3, 0.3", method, got)
		}
	}
}

// TestHardSamplerKeepsTheHardest: of many examples, those that the model answers worst.
func TestHardSamplerKeepsTheHardest(t *testing.T) {
	m := learner(t, dict{"hard_sampler": dict{"model": "mean", "size": 3, "share": 0}}, models.Env{Task: models.Regression})
	e := models.Example{Weight: 1}
	for i := range 100 {
		e.Row = models.Row{Value: []float64{float64(i), 1}}
		e.Y = 0
		if i%10 == 3 {
			e.Y = float64(100 * i)
		}
		m.Learn(&e, nil)
	}
	// The state begins with what is kept, the easiest first: 73, 83, 93.
	s := codec.Loader(codec.Save(m))
	n := s.Len(0, 1, 3)
	for k := range n {
		var loss, y, w float64
		var sparse bool
		var v []float64
		var key uint64
		var at int64
		s.Float64(&loss)
		s.Bool(&sparse)
		s.Float64s(&v)
		s.Uint64(&key)
		s.Int64(&at)
		s.Float64(&y)
		s.Float64(&w)
		if want := float64(73 + 10*k); v[0] != want || y != 100*want {
			t.Errorf("kept %v with label %v, want %v", v, y, want)
		}
	}
	if n != 3 || s.Err() != nil {
		t.Errorf("%d kept, %v", n, s.Err())
	}
}

func Example_calibrated() {
	spec, _ := models.ParseSpec(dict{"calibrated": dict{"model": []any{"standard_scaler", "logistic_regression"}, "method": "isotonic"}})
	m, err := catalog.Build(spec, models.Env{Task: models.Binary, Schema: numbers(2)})
	if err != nil {
		fmt.Println(err)
		return
	}
	e := models.Example{Row: models.Row{Value: []float64{1, 2}}, Weight: 1}
	past := m.Predict(nil, &e)
	e.Y = 1
	m.Learn(&e, past)
	fmt.Printf("%.2f\n", past[0])
	// Output: 0.50
}
