package linear

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/loss"
)

// scores are linear scores of one thing or of each class, which rules without gradients move.
type scores struct {
	task models.Task
	of   []weights // one for each class, or one
}

func newScores(env models.Env) scores {
	n := 1
	if env.Task == models.Multiclass {
		n = env.Classes
	}
	s := scores{task: env.Task, of: make([]weights, n)}
	for k := range s.of {
		s.of[k].w = make([]float64, len(env.Schema.Columns))
	}
	return s
}

// Predict appends the score of a regression, the sigmoid of a binary one, or the softmax of those of the classes.
func (m *scores) Predict(dst []float64, e *models.Example) []float64 {
	at := len(dst)
	for k := range m.of {
		dst = append(dst, m.of[k].score(&e.Row))
	}
	switch m.task {
	case models.Binary:
		dst[at] = loss.Sigmoid(dst[at])
	case models.Multiclass:
		loss.Softmax(dst[at:])
	}
	return dst
}

// add moves the weights of class k by step times the row, its intercept by step.
func (m *scores) add(k int, r *models.Row, step float64, intercept bool) {
	if step == 0 || math.IsNaN(step) || math.IsInf(step, 0) {
		return
	}
	w := m.of[k].w
	for j, x := range r.Value {
		i := j
		if r.Index != nil {
			i = int(r.Index[j])
		}
		if x == x && i < len(w) {
			w[i] += float64(step * clamp(x))
		}
	}
	if intercept {
		m.of[k].bias += step
	}
}

// rival returns the class with the greatest score apart from y, and both scores.
func (m *scores) rival(r *models.Row, y int) (other int, own, its float64) {
	other, its = -1, math.Inf(-1)
	for k := range m.of {
		s := m.of[k].score(r)
		if k == y {
			own = s
		} else if s > its {
			other, its = k, s
		}
	}
	return other, own, its
}

// Observe does nothing.
func (m *scores) Observe(*models.Example) {}

// State visits the weights.
func (m *scores) State(s *codec.State) {
	s.Fixed("number of scores", len(m.of))
	for k := range m.of {
		s.Fixed("number of columns", len(m.of[k].w))
		for i := range m.of[k].w {
			s.Float64(&m.of[k].w[i])
		}
		s.Float64(&m.of[k].bias)
	}
}

// Publish copies the weights.
func (m *scores) Publish() models.Predictor {
	c := &scores{task: m.task, of: make([]weights, len(m.of))}
	for k := range c.of {
		c.of[k] = m.of[k].clone()
	}
	return c
}
