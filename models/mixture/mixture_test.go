package mixture

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/modeltest"
)

// says answers with what the first column is, moved by its own number.
type says float64

func (s says) Predict(dst []float64, e *models.Example) []float64 {
	return append(dst, max(0, min(1, e.Value[0]+float64(s))))
}
func (says) Observe(*models.Example)          {}
func (says) Learn(*models.Example, []float64) {}
func (says) State(*codec.State)               {}

// share is the running share of a class; it counts in the state.
type share struct{ n, ones float64 }

func (m *share) Predict(dst []float64, _ *models.Example) []float64 {
	return append(dst, (m.ones+1)/(m.n+2), 7) // with a number for itself
}
func (*share) Observe(*models.Example) {}
func (m *share) Learn(e *models.Example, past []float64) {
	if past != nil && past[1] != 7 {
		panic("another member's answer")
	}
	m.n++
	m.ones += math.Round(min(1, max(0, e.Y)))
}
func (m *share) State(s *codec.State)      { finite(s, &m.n, &m.ones) }
func (m *share) Publish() models.Predictor { c := *m; return &c }

func binary() models.Env {
	return models.Env{Task: models.Binary, Classes: 2, Schema: &features.Schema{Columns: []features.Column{{Name: "x"}}}}
}

func rules(task models.Task, k, n int) map[string]func() rule {
	return map[string]func() rule{
		"mean":     func() rule { return &vote{task: task, weights: even(n)} },
		"majority": func() rule { return &vote{task: task, weights: even(n), hard: true} },
		"ewa":      func() rule { return &ewa{losses: losses{task: task}, rate: 0.5, share: 1e-4, weights: even(n)} },
		"stack": func() rule {
			return &stack{task: task, rate: 0.05, weights: even(n), bias: make([]float64, k), sums: make([]float64, n+k), z: make([]float64, k), p: make([]float64, k)}
		},
	}
}

func TestConformance(t *testing.T) {
	for name, r := range rules(models.Binary, 1, 2) {
		t.Run(name, func(t *testing.T) {
			modeltest.Run(t, modeltest.Case{Name: name, Env: models.Env{Task: models.Binary, Classes: 2, Seed: 1},
				New: func(env models.Env) (models.Learner, error) {
					return newMixture(env, []models.Learner{&share{}, &share{n: 5}}, r(), false), nil
				}})
		})
	}
}

func said(answers ...float64) []float64 {
	var out []float64
	for _, a := range answers {
		out = append(out, 1, a)
	}
	return out
}

func TestVotes(t *testing.T) {
	for _, c := range []struct {
		rule string
		task models.Task
		want float64
	}{{"mean", models.Binary, 0.5}, {"majority", models.Binary, 2. / 3}, {"majority", models.Regression, 0.6}} {
		var out [1]float64
		rules(c.task, 1, 3)[c.rule]().combine(out[:], said(0.2, 0.7, 0.6))
		if math.Abs(out[0]-c.want) > 1e-12 {
			t.Errorf("%s, %v: %v, want %v", c.rule, c.task, out[0], c.want)
		}
	}
}

// TestEWA: with rate 1 and no share the weights are those of Bayes' rule, so the losses add up to those of the mean of the likelihoods.
func TestEWA(t *testing.T) {
	r := &ewa{losses: losses{task: models.Binary}, rate: 1, weights: even(3)}
	rng := rand.New(rand.NewPCG(1, 1))
	answers, like, total := []float64{0.2, 0.5, 0.8}, []float64{1, 1, 1}, 0.0
	for range 60 {
		y := float64(rng.IntN(2))
		var out [1]float64
		r.combine(out[:], said(answers...))
		total += r.of(y, out[:])
		for i, p := range answers {
			like[i] *= math.Abs(1 - y - p)
		}
		r.learn(y, 1, said(answers...))
	}
	if want := -math.Log((like[0] + like[1] + like[2]) / 3); math.Abs(total-want) > 1e-9 {
		t.Errorf("the losses add up to %v, Bayes' rule gives %v", total, want)
	}
}

// TestStackLearns: a member that says the opposite gets a weight that turns it round, and the gradient is that of the log-loss.
func TestStackLearns(t *testing.T) {
	r := rules(models.Binary, 1, 2)["stack"]().(*stack)
	rng := rand.New(rand.NewPCG(2, 2))
	for range 4000 {
		p := rng.Float64()
		y := 0.0
		if rng.Float64() < p {
			y = 1
		}
		r.learn(y, 1, said(1-p, rng.Float64()))
	}
	var out [1]float64
	r.combine(out[:], said(0.1, 0.5))
	if math.Abs(out[0]-0.9) > 0.05 || math.Abs(r.weights[0]+1) > 0.15 || math.Abs(r.weights[1]) > 0.1 {
		t.Errorf("answer %v by the weights %v; .9 by about -1 and 0 is right", out[0], r.weights)
	}
}

func TestOneVsRest(t *testing.T) {
	env := binary()
	env.Task, env.Classes = models.Multiclass, 3
	m := newMixture(env, []models.Learner{&share{}, &share{}, &share{}}, rest{}, true)
	for i := range 3000 {
		m.Learn(&models.Example{Row: models.Row{Value: []float64{0}}, Y: float64(min(2, i%4)), Weight: 1}, nil)
	}
	got := m.Predict(nil, &models.Example{Row: models.Row{Value: []float64{0}}})
	for i, want := range []float64{0.25, 0.25, 0.5} {
		if math.Abs(got[i]-want) > 0.01 {
			t.Errorf("class %d: %v, want %v", i, got[i], want)
		}
	}
}

func newDWM(limit int) *DWM {
	d := &DWM{task: models.Binary, k: 1, beta: 0.5, theta: 0.01, period: 10, limit: limit, next: 1}
	d.make = func(uint64) (models.Learner, error) { return &share{}, nil }
	d.members = []dwmMember{{learner: &share{}, weight: 1}}
	return d
}

// TestDWM: after a change the set answers by members that never saw the old concept; it never grows beyond its limit.
func TestDWM(t *testing.T) {
	d := newDWM(4)
	e := models.Example{Row: models.Row{Value: []float64{0}}, Weight: 1}
	wrong := 0
	for i := range 4000 {
		e.Y = float64(i / 1000 % 2)
		out := d.Predict(nil, &e)
		if i%1000 >= 100 && (out[0] > 0.5) != (e.Y == 1) {
			wrong++
		}
		d.Learn(&e, out)
		if d.Members() > 4 {
			t.Fatalf("%d members, 4 are allowed", d.Members())
		}
	}
	if wrong > 0 || models.DroppedBy(d).Count(membersDropped) == 0 {
		t.Errorf("%d wrong long after a change; %d members went", wrong, models.DroppedBy(d).Count(membersDropped))
	}
	again := newDWM(4)
	if err := codec.Load(again, codec.Save(d)); err != nil || codec.Sum(again) != codec.Sum(d) {
		t.Errorf("saved and loaded, the state is another: %v", err)
	}
}

func Example() {
	m := newMixture(binary(), []models.Learner{says(-0.4), says(0)}, &ewa{losses: losses{task: models.Binary}, rate: 0.5, weights: even(2)}, false)
	for range 100 {
		e := models.Example{Row: models.Row{Value: []float64{0.9}}, Y: 1, Weight: 1}
		m.Learn(&e, m.Predict(nil, &e))
	}
	fmt.Printf("%.2f\n", m.Predict(nil, &models.Example{Row: models.Row{Value: []float64{0.9}}})[0])
	// Output: 0.90
}
