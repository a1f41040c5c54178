package metric

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// mcc is the correlation coefficient of Matthews (1975), for more than two classes Gorodkin's R_K (2004): in [−1, 1], 0 for answers that
// say nothing. From the margins alone: (hits·all − Σ truth·predicted) / √((all² − Σ predicted²)(all² − Σ truth²)). 0 when all labels or all answers
// are of one class; NaN without examples.
func mcc(s *Set) float64 {
	t := &s.tally
	all := sum(t.truth)
	if !(all > 0) {
		return math.NaN()
	}
	agree, truth, predicted := 0.0, 0.0, 0.0
	for c := range t.truth {
		a, b := t.truth[c]/all, t.predicted[c]/all
		agree += float64(a * b)
		truth += float64(a * a)
		predicted += float64(b * b)
	}
	spread := (1 - truth) * (1 - predicted)
	if !(spread > 1e-15) {
		return 0
	}
	return (sum(t.hits)/all - agree) / math.Sqrt(spread)
}

// gMean is the geometric mean of the recalls of the classes that occurred as labels (Kubat & Matwin 1997): in [0, 1], 0 as soon as one class is never
// found; NaN without examples.
func gMean(s *Set) float64 {
	logs, classes := 0.0, 0
	for c, n := range s.tally.truth {
		if n > 0 {
			logs += math.Log(s.tally.hits[c] / n)
			classes++
		}
	}
	if classes == 0 {
		return math.NaN()
	}
	return math.Exp(logs / float64(classes))
}

// ClassScore is how one class fares.
type ClassScore struct {
	Labels, Answers, Hits float64 // weights: of the class, answered as it, and both
	Precision, Recall, F1 float64 // NaN where there is nothing to divide by
}

// ClassScores returns the scores of every class, in the order of the classes; nil for tasks without classes.
func (s *Set) ClassScores() []ClassScore {
	var out []ClassScore
	for c, hits := range s.tally.hits {
		truth, predicted := s.tally.truth[c], s.tally.predicted[c]
		out = append(out, ClassScore{truth, predicted, hits, ratio(hits, predicted), ratio(hits, truth), ratio(2*hits, truth+predicted)})
	}
	return out
}

// MaxConfusion bounds the classes of a Confusion: 8 MB.
const MaxConfusion = 1000

// Confusion is the weight of each pair of a label's class and an answer's. Memory: 8 bytes for each pair. It belongs to one goroutine.
type Confusion struct {
	classes int
	cells   []float64 // by label, then by answer
}

// NewConfusion returns an empty matrix of 2 to MaxConfusion classes; it panics for others.
func NewConfusion(classes int) *Confusion {
	if classes < 2 || classes > MaxConfusion {
		panic("metric: a confusion matrix has 2 to 1000 classes")
	}
	return &Confusion{classes, make([]float64, classes*classes)}
}

// Add counts an answer; classes outside the matrix, and weights that are not positive and finite, are left out.
func (m *Confusion) Add(label, answer int, weight float64) {
	if label >= 0 && label < m.classes && answer >= 0 && answer < m.classes && weight > 0 && !math.IsInf(weight, 1) {
		m.cells[label*m.classes+answer] += weight
	}
}

// At returns the weight of examples of a class that were answered as another, or as itself.
func (m *Confusion) At(label, answer int) float64 { return m.cells[label*m.classes+answer] }

// Classes returns the number of classes.
func (m *Confusion) Classes() int { return m.classes }

// State visits the cells.
func (m *Confusion) State(c *codec.State) {
	c.Fixed("classes", m.classes)
	for i := range m.cells {
		if c.Float64(&m.cells[i]); !(m.cells[i] >= 0) || math.IsInf(m.cells[i], 1) {
			c.Fail("cell %d is %v", i, m.cells[i])
			m.cells[i] = 0
		}
	}
}
