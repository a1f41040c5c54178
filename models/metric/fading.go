package metric

import (
	"math"

	"github.com/freshet-ml/freshet/models"
)

// Fading is the metrics with a fading factor (Gama, Sebastião & Rodrigues, On Evaluating Stream Learning Algorithms, Machine Learning 90, 2013, §4):
// each answer has the given share of the weight of the one after it, so that 1/(1 − factor) answers count. The weights grow instead of the sums falling, and
// all sums are scaled down when they become large. It belongs to one goroutine. Memory: that of a Set.
type Fading struct {
	set    *Set
	factor float64
	weight float64
}

// largest is the weight at which the sums are scaled down.
const largest = 1e30

// NewFading returns the metrics of a task (see New); factor lies in (0, 1), else it panics.
func NewFading(task models.Task, classes int, factor float64) *Fading {
	if !(factor > 0 && factor < 1) {
		panic("metric: a fading factor lies in (0, 1)")
	}
	return &Fading{set: New(task, classes), factor: factor, weight: 1}
}

// Add scores one answer; its event time does not matter.
func (f *Fading) Add(_ int64, y float64, answer []float64, weight float64) {
	f.weight /= f.factor
	if f.weight > largest {
		f.set.scale(1 / f.weight)
		f.weight = 1
	}
	f.set.Add(y, answer, weight*f.weight)
}

// Values returns all metrics in the order of the catalogue.
func (f *Fading) Values() []Named { return f.set.Values() }

// Set returns the scores, whose weights have a common factor; the caller must not change them.
func (f *Fading) Set() *Set { return f.set }

// scale multiplies all weights.
func (s *Set) scale(by float64) {
	s.weight *= by
	s.invalid *= by
	t := &s.tally
	for i := range t.truth {
		t.hits[i] *= by
		t.truth[i] *= by
		t.predicted[i] *= by
	}
	t.noChange *= by
	t.majority *= by
	s.losses.log *= by
	s.losses.squares *= by
	s.losses.weight *= by
	for i := range s.reliability.weight {
		s.reliability.confidence[i] *= by
		s.reliability.right[i] *= by
		s.reliability.weight[i] *= by
	}
	s.scores.scale(by)
	for _, v := range []*float64{&s.errors.abs, &s.errors.squares, &s.errors.relative, &s.errors.weight, &s.errors.spread} {
		if *v *= by; math.Abs(*v) < 1e-290 {
			*v = 0
		}
	}
}
