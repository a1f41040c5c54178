package ensemble

import (
	"fmt"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/drift"
)

// scripted answers the class that a script names for the number of the example, and keeps the weights it learned.
type scripted struct {
	classes []float64
	weights []float64
}

func (s *scripted) Predict(dst []float64, e *models.Example) []float64 {
	return append(dst, s.classes[int(e.Key)])
}
func (s *scripted) Observe(*models.Example) {}
func (s *scripted) Learn(e *models.Example, _ []float64) {
	s.weights = append(s.weights, e.Weight)
}
func (s *scripted) State(c *codec.State) { c.Float64s(&s.weights) }

// The weights that the members get, against the recurrence of Oza & Russell 2001, fig. 2, worked through naively.
func TestBoostingWeights(t *testing.T) {
	scripts := [][]float64{{0, 1, 0, 1, 1, 0, 1}, {0, 0, 1, 1, 0, 0, 1}, {1, 1, 1, 1, 0, 1, 0}}
	labels := []float64{0, 1, 1, 1, 0, 1, 1}
	members := make([]*scripted, len(scripts))
	next := 0
	fresh := func(uint64) (models.Learner, error) {
		members[next] = &scripted{classes: scripts[next]}
		next++
		return members[next-1], nil
	}
	l, err := newBoost(models.Env{Task: models.Binary, Classes: 2}, len(scripts), fresh, boostConfig{})
	if err != nil {
		t.Fatal(err)
	}
	hit, miss := make([]float64, 3), make([]float64, 3)
	for i, y := range labels {
		l.Learn(&models.Example{Key: uint64(i), Y: y, Weight: 1}, nil)
		lambda := 1.0
		for m := range members {
			if got := members[m].weights[i]; math.Abs(got-lambda) > 1e-12 {
				t.Fatalf("example %d, member %d: weight %v, want %v", i, m, got, lambda)
			}
			n := float64(i + 1)
			if scripts[m][i] == y {
				hit[m] += lambda
				lambda *= n / (2 * hit[m])
			} else {
				miss[m] += lambda
				lambda *= n / (2 * miss[m])
			}
		}
	}
	for m, w := range l.(*boost).weights {
		want := 0.0
		if e := miss[m] / (hit[m] + miss[m]); e > 0 && e <= 0.5 {
			want = math.Log((1 - e) / e)
		}
		if math.Abs(w-want) > 1e-12 {
			t.Errorf("member %d votes with %v, want %v", m, w, want)
		}
	}
}

// In BOLE the worst member learns first, and after a hit the best one that has not learned (Barros et al. 2016, algorithm 1).
func TestBOLEOrder(t *testing.T) {
	var order []int
	n := 0
	fresh := func(uint64) (models.Learner, error) {
		n++
		return &recording{id: n - 1, order: &order}, nil
	}
	l, err := newBoost(models.Env{Task: models.Binary, Classes: 2}, 4, fresh, boostConfig{sorted: true})
	if err != nil {
		t.Fatal(err)
	}
	b := l.(*boost)
	for i, a := range []float64{0.6, 0.9, 0.5, 0.8} {
		b.parts[i].hits, b.parts[i].errors = 100*a, 100*(1-a)
	}
	// Members 0 and 1 are right about the class 1, the others wrong. Worst first: 2 (wrong), then the next worst: 0 (right), then the best: 1 (right), 3.
	b.Learn(&models.Example{Y: 1, Weight: 1}, nil)
	if fmt.Sprint(order) != "[2 0 1 3]" {
		t.Errorf("the members learned in the order %v", order)
	}
}

type recording struct {
	id    int
	order *[]int
}

func (r *recording) Predict(dst []float64, _ *models.Example) []float64 {
	if r.id < 2 {
		return append(dst, 1)
	}
	return append(dst, 0)
}
func (r *recording) Observe(*models.Example)          {}
func (r *recording) Learn(*models.Example, []float64) { *r.order = append(*r.order, r.id) }
func (r *recording) State(*codec.State)               {}

// In BOLE a member's successor learns while its DDM warns and takes over when it reports; a calm one gives the successor up (Barros et al. 2016, §3).
func TestBOLEFollowsItsDetectors(t *testing.T) {
	cfg := drift.DDMConfig{WarmUp: 7, Warning: 1.2, Drift: 1.95}
	fresh := func(uint64) (models.Learner, error) { return &scripted{classes: []float64{1}}, nil }
	l, err := newBoost(models.Env{Task: models.Binary, Classes: 2}, 1, fresh, boostConfig{guard: &cfg})
	if err != nil {
		t.Fatal(err)
	}
	b, d := l.(*boost), drift.NewDDMWith(cfg)
	warned, calmed := 0, 0
	for i := range 3000 {
		y := 1.0 // what the member says
		if i%10 == 0 || i/500%2 == 1 && i%10 < 6 {
			y = 0
		}
		before := b.parts[0]
		l.Learn(&models.Example{Y: y, Weight: 1}, nil)
		changed := d.Update(1 - y)
		now := b.parts[0]
		if b.Resets() != d.Changes() || (now.next.learner != nil) != d.Warning() {
			t.Fatalf("example %d: %d members replaced, a successor %t; the detector reported %d times, warns %t", i, b.Resets(), now.next.learner != nil, d.Changes(), d.Warning())
		}
		if changed && before.next.learner != nil && now.learner != before.next.learner {
			t.Fatalf("example %d: another than the successor took over", i)
		}
		if d.Warning() {
			warned++
		} else if before.next.learner != nil && !changed {
			calmed++
		}
	}
	if warned == 0 || calmed == 0 || d.Changes() < 3 {
		t.Errorf("%d warnings, %d taken back, %d changes: the stream shows too little", warned, calmed, d.Changes())
	}
}

func TestBoostingRefusesBadStates(t *testing.T) {
	fresh := func(uint64) (models.Learner, error) { return &scripted{classes: []float64{1}}, nil }
	make3 := func() models.Learner {
		l, err := newBoost(models.Env{Task: models.Binary, Classes: 2}, 3, fresh, boostConfig{sorted: true, draw: true})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	good := make3()
	good.(*boost).order = []int{0, 0, 2}
	if err := codec.Load(make3(), codec.Save(good)); err == nil {
		t.Error("an order with a member twice was loaded")
	}
	good.(*boost).order = []int{2, 0, 1}
	good.(*boost).parts[1].errors = math.NaN()
	if err := codec.Load(make3(), codec.Save(good)); err == nil {
		t.Error("a share that is not a number was loaded")
	}
}
