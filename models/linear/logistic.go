package linear

import (
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/loss"
	"github.com/freshet-ml/freshet/models/optim"
)

// Logistic is binary logistic regression: its answer is the sigmoid of the score.
type Logistic struct {
	models.Unobservant
	scorer
	loss loss.Loss
}

// NewLogistic returns a logistic regression with a binary loss. opt is for one more column than columns.
func NewLogistic(columns int, l loss.Loss, opt optim.Optimizer, o Options) *Logistic {
	m := &Logistic{scorer: newScorer(columns, opt, o.settings()), loss: l}
	m.fast = m.plain != nil && l == loss.Loss(loss.Logistic{})
	return m
}

// Predict appends P(Y = 1).
func (m *Logistic) Predict(dst []float64, e *models.Example) []float64 {
	return append(dst, m.probability(&e.Row))
}

// Learn takes one step. A label above ½ is 1, any other 0.
func (m *Logistic) Learn(e *models.Example, _ []float64) {
	if e.Weight == 0 {
		return
	}
	y := 0.0
	if e.Y > 0.5 {
		y = 1
	}
	m.learn(&e.Row, y, e.Weight, m.loss)
}

// Publish copies the weights.
func (m *Logistic) Publish() models.Predictor { return &logisticSnapshot{m.clone()} }

type logisticSnapshot struct{ weights }

func (m *logisticSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	return append(dst, m.probability(&e.Row))
}
