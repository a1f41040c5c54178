package modeltest

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/models"
)

// controlRows is how many rows the control of random labels has.
const controlRows = 3000

// randomLabels wants a classifier of labels that depend on nothing to be right as often as chance: within 4√(p(1−p)/n) of p = 1/classes. One that sees the
// label before it answers, or counts an answer that it made later, is right more often.
func randomLabels(t *testing.T, c Case) {
	classes := max(2, c.Env.Classes)
	if c.Env.Task == models.Binary {
		classes = 2
	}
	r := runner{c: c}
	share, chance := r.right(r.learner(t), classes), 1/float64(classes)
	if math.Abs(share-chance) > 4*math.Sqrt(chance*(1-chance)/controlRows) {
		t.Errorf("of %d random labels %.3f are right, chance is %.3f", controlRows, share, chance)
	}
}

// right is the share of random labels that the learner answers with.
func (r *runner) right(l models.Learner, classes int) float64 {
	rng, n, answer := rand.New(rand.NewPCG(11, 12)), 0.0, []float64(nil)
	for _, e := range r.examples(controlRows, 21) {
		e.Y = float64(rng.IntN(classes))
		answer = step(l, answer, &e)
		n += hit(answer, int(e.Y), r.c.Env.Task, classes)
	}
	return n / controlRows
}

// hit is 1 if the answer's best class is y, less if several are the best.
func hit(answer []float64, y int, task models.Task, classes int) float64 {
	if task == models.Binary {
		answer = []float64{1 - answer[0], answer[0]}
	}
	best, ties := math.Inf(-1), 0.0
	for _, p := range answer[:classes] {
		switch {
		case p > best:
			best, ties = p, 1
		case p == best:
			ties++
		}
	}
	if answer[y] == best {
		return 1 / ties
	}
	return 0
}
