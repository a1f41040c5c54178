package ensemble

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/loss"
)

// said answers with the same number always.
type said float64

func (s said) Predict(dst []float64, _ *models.Example) []float64 { return append(dst, float64(s)) }
func (said) Observe(*models.Example)                              {}
func (said) Learn(*models.Example, []float64)                     {}
func (said) State(*codec.State)                                   {}

func mixOf(task models.Task, share float64, answers ...float64) *mixture {
	m := &mixture{task: task, k: 1, share: share, rate: 1}
	for _, a := range answers {
		m.experts = append(m.experts, expert{learner: said(a), predictor: said(a)})
		m.weights = append(m.weights, 1/float64(len(answers)))
	}
	m.platt.slope = 1
	return m
}

// TestFixedShare compares with the definition: the weight of an expert is the sum over all ways in which
// the best expert may have changed hands, here of all sequences of experts.
func TestFixedShare(t *testing.T) {
	answers := []float64{0.2, 0.9}
	labels := []float64{1, 1, 0, 1, 0, 0}
	const share = 0.1
	m := mixOf(models.Binary, share, answers...)
	for _, y := range labels {
		m.weigh(y, 1, m.predict(nil, &models.Example{}, &models.Example{}))
	}
	n := len(labels)
	want := []float64{0, 0}
	for path := range 1 << (n + 1) { // bit i: the expert at label i; the last is the one to come
		p := 0.5
		for i := range n {
			now, next := path>>i&1, path>>(i+1)&1
			like := answers[now]
			if labels[i] == 0 {
				like = 1 - like
			}
			change := share / 2
			if now == next {
				change += 1 - share
			}
			p *= like * change
		}
		want[path>>n&1] += p
	}
	sum := want[0] + want[1]
	for i := range want {
		if got := m.weights[i]; math.Abs(got-want[i]/sum) > 1e-12 {
			t.Errorf("weight %d is %v, all sequences give %v", i, got, want[i]/sum)
		}
	}
}

// TestMixtureFindsTheBetter: also after the better one has become the worse.
func TestMixtureFindsTheBetter(t *testing.T) {
	m := mixOf(models.Binary, 0.001, 0.9, 0.1)
	e := &models.Example{}
	for i := range 400 {
		y := 1.0
		if i >= 300 {
			y = 0
		}
		m.weigh(y, 1, m.predict(nil, e, e))
		if p := m.predict(nil, e, e)[0]; i == 299 && p < 0.89 {
			t.Errorf("after 300 labels 1 the mixture answers %v", p)
		}
	}
	if p := m.predict(nil, e, e)[0]; p > 0.11 {
		t.Errorf("100 labels 0 later the mixture answers %v", p)
	}
}

// TestMixtureLoss: the mixture is never worse than the best expert by more than ln(experts) nats and the
// price of sharing.
func TestMixtureLoss(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	m := mixOf(models.Binary, 1e-6, 0.3, 0.5, 0.75)
	e := &models.Example{}
	total, each := 0.0, make([]float64, 3)
	const n = 2000
	for range n {
		y := 0.0
		if rng.Float64() < 0.7 {
			y = 1
		}
		past := m.predict(nil, e, e)
		total += loss.Logistic{}.Value(loss.Logit(past[0], 1e-12), y)
		for i, a := range past[2:] {
			each[i] += loss.Logistic{}.Value(loss.Logit(a, 1e-12), y)
		}
		m.weigh(y, 1, past)
	}
	best := min(each[0], each[1], each[2])
	if bound := best + math.Log(3) + n*1e-6 + 1e-6; total > bound {
		t.Errorf("the mixture lost %v nats, the best expert %v, the bound is %v", total, best, bound)
	}
}

// TestRegressionMixture: the expert nearer to the labels wins, whatever their unit.
func TestRegressionMixture(t *testing.T) {
	for _, unit := range []float64{1e-6, 1, 1e6} {
		m := mixOf(models.Regression, 0.001, 10*unit, 12*unit)
		rng := rand.New(rand.NewPCG(2, 2))
		e := &models.Example{}
		for range 500 {
			y := unit * (12 + rng.NormFloat64())
			past := m.predict(nil, e, e)
			m.weigh(y, 1, past)
			m.labels.add(y)
		}
		if p := m.predict(nil, e, e)[0]; math.Abs(p-12*unit) > 0.2*unit {
			t.Errorf("unit %v: the mixture answers %v", unit, p)
		}
	}
}

// TestPlatt: probabilities that are too sure are bent to what happens.
func TestPlatt(t *testing.T) {
	c := platt{slope: 1}
	rng := rand.New(rand.NewPCG(3, 3))
	for range 50000 {
		z := 2 * rng.NormFloat64()
		y := 0.0
		if rng.Float64() < loss.Sigmoid(0.5*z+0.3) { // the truth; the model says sigmoid(z)
			y = 1
		}
		c.learn(loss.Sigmoid(z), y, 1)
	}
	if math.Abs(c.slope-0.5) > 0.1 || math.Abs(c.shift-0.3) > 0.1 {
		t.Errorf("slope %.3f, shift %.3f, want 0.5, 0.3", c.slope, c.shift)
	}
}

func newTestAuto(t *testing.T, params map[string]any) models.Learner {
	t.Helper()
	schema := &features.Schema{Columns: []features.Column{{Name: "x"}, {Name: "c", Kind: features.Categorical}}}
	r := models.Registry{Auto()}
	p, err := r.Resolve(models.Spec{Stages: []models.Stage{{Name: "auto", Params: params}}}, models.Binary)
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.Build(models.Env{Schema: schema, Task: models.Binary})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestAutoWeighsWhatWasSaid: under label delay the experts are weighed by the answers that they gave, not
// by what they would say now.
func TestAutoWeighsWhatWasSaid(t *testing.T) {
	m := newTestAuto(t, map[string]any{"experts": []any{"prior", "coin"}, "mixing_rate": 1}).(*publishingAuto)
	e := models.Example{Row: models.Row{Value: []float64{1, 7}}, Y: 1, Weight: 1}
	past := []float64{0.5, 0.5, 0.01, 0.99} // prior was wrong, coin right
	m.Learn(&e, past)
	if !(m.weights[1] > 0.98) {
		t.Errorf("weights %v: the expert that was right should have nearly all", m.weights)
	}
}

// TestAutoLearnsCategories: a category that decides is found, also when there are hundreds of them.
func TestAutoLearnsCategories(t *testing.T) {
	m := newTestAuto(t, nil)
	rng := rand.New(rand.NewPCG(4, 4))
	var out []float64
	right, n := 0, 0
	for i := range 20000 {
		c := rng.IntN(300)
		e := models.Example{Row: models.Row{Value: []float64{rng.NormFloat64(), features.Category(fmt.Sprint(c))}}, Weight: 1}
		if c%2 == 0 {
			e.Y = 1
		}
		out = m.Predict(out[:0], &e)
		m.Observe(&e)
		m.Learn(&e, out)
		if i > 15000 {
			n++
			if (out[0] > 0.5) == (e.Y == 1) {
				right++
			}
		}
	}
	if share := float64(right) / float64(n); share < 0.95 {
		t.Errorf("%.3f right, want at least 0.95", share)
	}
}

func ExampleAuto() {
	schema := &features.Schema{Columns: []features.Column{{Name: "delay"}}}
	plan, _ := models.Registry{Auto()}.Resolve(models.Named("auto"), models.Binary)
	m, _ := plan.Build(models.Env{Schema: schema, Task: models.Binary})
	rng := rand.New(rand.NewPCG(1, 1))
	var past []float64
	for range 2000 {
		e := models.Example{Row: models.Row{Value: []float64{60 * rng.Float64()}}, Weight: 1}
		if e.Value[0] > 15 {
			e.Y = 1
		}
		past = m.Predict(past[:0], &e)
		m.Observe(&e)
		m.Learn(&e, past)
	}
	short := m.Predict(nil, &models.Example{Row: models.Row{Value: []float64{2}}})[0]
	long := m.Predict(nil, &models.Example{Row: models.Row{Value: []float64{50}}})[0]
	fmt.Println(short < 0.2, long > 0.9)
	// Output: true true
}
