package linear

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/loss"
	"github.com/freshet-ml/freshet/models/optim"
)

// Softmax is multinomial logistic regression: one score per class, normalised by the softmax. It learns
// by the cross-entropy.
type Softmax struct {
	classes []scorer
	p       []float64 // scratch
}

// NewSoftmax returns a softmax regression over classes ≥ 2. newOptimizer makes one optimizer per class,
// each for one more column than columns.
func NewSoftmax(columns, classes int, newOptimizer func() (optim.Optimizer, error), o Options) (*Softmax, error) {
	m := &Softmax{classes: make([]scorer, classes), p: make([]float64, 0, classes)}
	for k := range m.classes {
		opt, err := newOptimizer()
		if err != nil {
			return nil, err
		}
		m.classes[k] = newScorer(columns, opt, o.settings())
	}
	return m, nil
}

// Predict appends one probability per class.
func (m *Softmax) Predict(dst []float64, e *models.Example) []float64 {
	at := len(dst)
	for k := range m.classes {
		dst = append(dst, m.classes[k].score(e.Row))
	}
	softmax(dst[at:])
	return dst
}

// softmax turns scores into probabilities in place, shifted by the greatest so that nothing overflows.
func softmax(p []float64) {
	top := math.Inf(-1)
	for _, v := range p {
		top = max(top, v)
	}
	sum := 0.0
	for k, v := range p {
		p[k] = math.Exp(v - top)
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
}

// Observe does nothing.
func (m *Softmax) Observe(*models.Example) {}

// Learn takes one step in every class. A label that is no class is left out.
func (m *Softmax) Learn(e *models.Example, _ []float64) {
	y := int(e.Y)
	if e.Weight == 0 || y < 0 || y >= len(m.classes) {
		return
	}
	m.p = m.Predict(m.p[:0], e)
	for k := range m.classes {
		target := 0.0
		if k == y {
			target = 1
		}
		reach := loss.Logistic{}.Reach(m.classes[k].begin(e.Row), target)
		m.classes[k].finish(e.Weight*(m.p[k]-target), reach)
	}
}

// State visits the classes.
func (m *Softmax) State(s *codec.State) {
	s.Fixed("number of classes", len(m.classes))
	for k := range m.classes {
		m.classes[k].State(s)
	}
}

// Publish copies the weights.
func (m *Softmax) Publish() models.Predictor {
	f := make(softmaxSnapshot, len(m.classes))
	for k := range f {
		f[k] = m.classes[k].clone()
	}
	return f
}

type softmaxSnapshot []weights

func (m softmaxSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	at := len(dst)
	for k := range m {
		dst = append(dst, m[k].score(e.Row))
	}
	softmax(dst[at:])
	return dst
}
