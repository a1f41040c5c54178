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

// mixOf is a mixture of experts that say the same always, whose answer is the weighted mean.
func mixOf(task models.Task, share float64, answers ...float64) *mixture {
	m := &mixture{task: task, k: 1, share: share, rate: 1}
	for _, a := range answers {
		m.experts = append(m.experts, expert{learner: said(a), predictor: said(a)})
	}
	m.light = len(answers)
	m.ready()
	return m
}

// mean is the weighted mean in an answer.
func (m *mixture) meanOf(past []float64) float64 { return past[m.k] }

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
		if p := m.meanOf(m.predict(nil, e, e)); i == 299 && p < 0.89 {
			t.Errorf("after 300 labels 1 the mixture answers %v", p)
		}
	}
	if p := m.meanOf(m.predict(nil, e, e)); p > 0.11 {
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
		total += loss.Logistic{}.Value(loss.Logit(m.meanOf(past), 1e-12), y)
		for i, a := range past[m.head():] {
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
		if p := m.meanOf(m.predict(nil, e, e)); math.Abs(p-12*unit) > 0.2*unit {
			t.Errorf("unit %v: the mixture answers %v", unit, p)
		}
	}
}

// TestCalibration: probabilities that are too sure, or that no curve of two parameters mends, are bent to what happens.
func TestCalibration(t *testing.T) {
	for name, truth := range map[string]func(z float64) float64{
		"too sure":      func(z float64) float64 { return loss.Sigmoid(0.5*z + 0.3) },
		"noisy labels":  func(z float64) float64 { return 0.1 + 0.8*loss.Sigmoid(z) },
		"a step within": func(z float64) float64 { return map[bool]float64{false: 0.3, true: 0.6}[z > 0.2] },
	} {
		var c calibration
		rng := rand.New(rand.NewPCG(3, 3))
		for range 60000 {
			z := 2 * rng.NormFloat64()
			y := 0.0
			if rng.Float64() < truth(z) { // the model says sigmoid(z)
				y = 1
			}
			c.learn(loss.Sigmoid(z), y, 1)
		}
		for _, z := range []float64{-3, -1, 1, 3} {
			if got, want := c.answer(loss.Sigmoid(z)), truth(z); math.Abs(got-want) > 0.05 {
				t.Errorf("%s: at %g it answers %.3f, true is %.3f", name, z, got, want)
			}
		}
	}
}

// TestCalibrationLeavesTruthAlone: probabilities that are true stay as they are.
func TestCalibrationLeavesTruthAlone(t *testing.T) {
	var c calibration
	rng := rand.New(rand.NewPCG(4, 3))
	worst := 0.0
	for i := range 20000 {
		p := rng.Float64()
		y := 0.0
		if rng.Float64() < p {
			y = 1
		}
		if worst = max(worst, math.Abs(c.answer(p)-p)); i < 5 && worst > 0.2 {
			t.Fatalf("after %d labels it bends by %.3f", i, worst)
		}
		c.learn(p, y, 1)
	}
	for _, p := range []float64{0.05, 0.3, 0.5, 0.9} {
		if math.Abs(c.bend(p)-p) > 0.05 {
			t.Errorf("%g is bent to %g", p, c.bend(p))
		}
	}
}

// noisy experts answer with what stands in their column.
type noisy struct{ column int }

func (s noisy) Predict(dst []float64, e *models.Example) []float64 {
	return append(dst, e.Value[s.column])
}
func (noisy) Observe(*models.Example)          {}
func (noisy) Learn(*models.Example, []float64) {}
func (noisy) State(*codec.State)               {}

func poolOf(task models.Task, k, experts, light int) *mixture {
	m := &mixture{task: task, k: k, share: 0.001, rate: 0.05, light: light}
	for i := range experts {
		m.experts = append(m.experts, expert{learner: noisy{i}, predictor: noisy{i}})
	}
	m.ready()
	return m
}

// TestPoolBeatsItsExperts: two experts that see independent halves of the evidence are added up, as Bayes' rule does, and one that is half as
// sure as it should be is sharpened; no mean can do either.
func TestPoolBeatsItsExperts(t *testing.T) {
	m := poolOf(models.Binary, 1, 2, 2)
	rng := rand.New(rand.NewPCG(5, 5))
	var pooled, best, mean float64
	for i := range 20000 {
		a, b := rng.NormFloat64(), rng.NormFloat64()
		y := 0.0
		if rng.Float64() < loss.Sigmoid(2*a+2*b) {
			y = 1
		}
		e := &models.Example{Row: models.Row{Value: []float64{loss.Sigmoid(2 * a), loss.Sigmoid(b)}}}
		past := m.predict(nil, e, e)
		if i >= 10000 {
			pooled += logLoss(past[0], y) / 10000
			mean += logLoss(m.meanOf(past), y) / 10000
			best += logLoss(loss.Sigmoid(2*a+2*b), y) / 10000
		}
		m.weigh(y, 1, past)
	}
	if pooled > best+0.02 || mean < best+0.05 {
		t.Errorf("pool %.4f, mean %.4f, Bayes %.4f", pooled, mean, best)
	}
}

// TestPoolGradient: steps follow the gradient that finite differences give, for every task.
func TestPoolGradient(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	for _, task := range []models.Task{models.Binary, models.Multiclass, models.Regression} {
		k := map[models.Task]int{models.Binary: 1, models.Multiclass: 3, models.Regression: 1}[task]
		m := poolOf(task, k, 2, 2)
		m.labels.add(0)
		m.labels.add(2)
		p := newPool(1+len(m.memories())+2, k)
		for i := range p.a {
			p.a[i] = 0.3 * rng.NormFloat64()
		}
		others := make([]float64, (len(p.a)-1)*k)
		for i := range others {
			others[i] = 0.1 + 0.8*rng.Float64()
		}
		first := []float64{0.2, 0.3, 0.5}[:k]
		in, y, scratch := inputs{first, others, k}, 1.0, make([]float64, 3*k)
		value := func() float64 { // in the units that the step is taken in
			out := make([]float64, k)
			m.pooled(&p, out, in)
			if task == models.Regression {
				d := (out[0] - y) / m.labels.error()
				return d * d / 2
			}
			return m.cost(y, out)
		}
		for i := range p.a {
			const h = 1e-6
			old := p.a[i]
			p.a[i] = old + h
			up := value()
			p.a[i] = old - h
			down := value()
			p.a[i] = old
			q := p
			q.a, q.sums, q.b, q.biases = append([]float64(nil), p.a...), make([]float64, len(p.a)), append([]float64(nil), p.b...), make([]float64, k)
			m.teach(&q, in, y, 1, scratch)
			slope := math.Sqrt(q.sums[i]) // the only gradient so far, squared
			if want := math.Abs(up-down) / (2 * h); math.Abs(slope-want) > 1e-5*(1+want) {
				t.Errorf("%v, exponent %d: gradient %g, differences %g", task, i, slope, want)
			}
			if (p.a[i]-q.a[i])*(up-down) < 0 {
				t.Errorf("%v, exponent %d: the step goes uphill", task, i)
			}
		}
	}
}

// TestDearExpertsGo: those that do not help are dropped, after which an answer given before is still learned from, and the state of the
// smaller mixture loads into a fresh one; those that help stay.
func TestDearExpertsGo(t *testing.T) {
	for _, helps := range []bool{false, true} {
		m := poolOf(models.Binary, 1, 2, 1)
		rng := rand.New(rand.NewPCG(7, 7))
		e := &models.Example{}
		var early []float64
		for i := range trialLabels {
			z, y := rng.NormFloat64(), 0.0
			if rng.Float64() < loss.Sigmoid(3*z) {
				y = 1
			}
			dear := 0.5
			if helps {
				dear = loss.Sigmoid(3 * z)
			}
			e.Row.Value = []float64{loss.Sigmoid(z + rng.NormFloat64()), dear}
			past := m.predict(nil, e, e)
			if i == 100 {
				early = past
			}
			m.weigh(y, 1, past)
		}
		if (len(m.experts) == 2) != helps {
			t.Fatalf("helps %t: %d experts are left", helps, len(m.experts))
		}
		m.weigh(1, 1, early)
		saved := codec.Saver(nil)
		m.state(saved)
		fresh, load := poolOf(models.Binary, 1, 2, 1), codec.Loader(saved.Bytes())
		fresh.state(load)
		if err := load.Close(); err != nil {
			t.Fatal(err)
		}
		if a, b := m.predict(nil, e, e), fresh.predict(nil, e, e); fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("helps %t: the loaded mixture answers %v, not %v", helps, b, a)
		}
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
	past := append(m.Predict(nil, &e)[:m.head()], 0.01, 0.99) // prior was wrong, coin right
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
