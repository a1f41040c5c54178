package linear

import (
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/loss"
	"github.com/freshet-ml/freshet/models/optim"
)

// Regression is linear regression: its answer is the score, or what the loss makes of it.
type Regression struct {
	models.Unobservant
	scorer
	loss loss.Loss
	link loss.Linked // nil: the score itself
}

// NewRegression returns a linear regression. opt is for one more column than columns.
func NewRegression(columns int, l loss.Loss, opt optim.Optimizer, o Options) *Regression {
	m := &Regression{scorer: newScorer(columns, opt, o.settings()), loss: l}
	m.link, _ = l.(loss.Linked)
	return m
}

// Predict appends the answer.
func (m *Regression) Predict(dst []float64, e *models.Example) []float64 {
	return append(dst, linked(m.link, m.answer(&e.Row)))
}

func linked(l loss.Linked, score float64) float64 {
	if l == nil {
		return score
	}
	return l.Answer(score)
}

// Learn takes one step.
func (m *Regression) Learn(e *models.Example, _ []float64) {
	if e.Weight == 0 {
		return
	}
	m.learn(&e.Row, e.Y, e.Weight, m.loss)
}

// Publish copies the weights.
func (m *Regression) Publish() models.Predictor { return &regressionSnapshot{m.clone(), m.link} }

type regressionSnapshot struct {
	weights
	link loss.Linked
}

func (m *regressionSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	return append(dst, linked(m.link, m.score(&e.Row)))
}
