package linear

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/loss"
	"github.com/freshet-ml/freshet/models/optim"
)

// Softmax is multinomial logistic regression: one score per class, normalised by the softmax.
type Softmax struct {
	models.Unobservant
	classes []scorer
	loss    loss.Multi
	s, p    []float64 // scratch: scores, probabilities and slopes
}

// NewSoftmax returns a softmax regression over classes ≥ 2. newOptimizer makes one optimizer per class,
// each for one more column than columns.
func NewSoftmax(columns, classes int, newOptimizer func() (optim.Optimizer, error), o Options) (*Softmax, error) {
	m := &Softmax{classes: make([]scorer, classes), loss: o.Loss, s: make([]float64, 0, classes), p: make([]float64, 0, classes)}
	if m.loss == nil {
		m.loss = loss.CrossEntropy{}
	}
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
	if m.classes[0].lag == nil {
		dst = m.scores(dst, &e.Row)
	} else {
		for k := range m.classes {
			dst = append(dst, m.classes[k].answer(&e.Row))
		}
	}
	loss.Softmax(dst[at:])
	return dst
}

// scores appends the scores by the weights as they are, without averaging.
func (m *Softmax) scores(dst []float64, r *models.Row) []float64 {
	k := 0
	if r.Index == nil {
		for ; k+4 <= len(m.classes); k += 4 {
			dst = fourScores(dst, r.Value, &m.classes[k].weights, &m.classes[k+1].weights, &m.classes[k+2].weights, &m.classes[k+3].weights)
		}
	}
	for ; k < len(m.classes); k++ {
		dst = append(dst, m.classes[k].score(r))
	}
	return dst
}

// fourScores appends the scores of four models on a dense row: four sums that do not wait for each other.
func fourScores(dst, v []float64, a, b, c, d *weights) []float64 {
	v = v[:min(len(v), len(a.w))]
	wa, wb, wc, wd := a.w[:len(v)], b.w[:len(v)], c.w[:len(v)], d.w[:len(v)]
	sa, sb, sc, sd := a.bias, b.bias, c.bias, d.bias
	for i, x := range v {
		if !(math.Abs(x) <= maxInput) {
			if x != x {
				continue
			}
			x = clamp(x)
		}
		sa += float64(wa[i] * x)
		sb += float64(wb[i] * x)
		sc += float64(wc[i] * x)
		sd += float64(wd[i] * x)
	}
	return append(dst, finite(sa, a.bias), finite(sb, b.bias), finite(sc, c.bias), finite(sd, d.bias))
}

// squares returns the sum of the squared inputs of the row, and whether some are wild (see weights.survey).
func squares(r *models.Row, columns int) (sum float64, wild bool) {
	for j, x := range r.Value {
		if r.Index == nil && j < columns || r.Index != nil && int(r.Index[j]) < columns {
			if !(math.Abs(x) <= maxInput) {
				wild = true
				if x != x {
					continue
				}
				x = clamp(x)
			}
			sum += float64(x * x)
		}
	}
	return sum, wild
}

// Learn takes one step in every class. A label that is no class is left out.
func (m *Softmax) Learn(e *models.Example, _ []float64) {
	y := int(e.Y)
	if e.Weight == 0 || y < 0 || y >= len(m.classes) {
		return
	}
	m.s = m.scores(m.s[:0], &e.Row)
	m.p = append(m.p[:0], m.s...)
	loss.Softmax(m.p)
	m.loss.Slopes(m.p, m.p, y)
	square, wild := 0.0, false
	if m.classes[0].plain != nil {
		square, wild = squares(&e.Row, len(m.classes[0].w))
	}
	for k := range m.classes {
		target := 0.0
		if k == y {
			target = 1
		}
		c, derivative := &m.classes[k], e.Weight*m.p[k]
		reach := loss.Logistic{}.Reach(m.s[k], target)
		if c.plain != nil && c.stride(&e.Row, derivative, square, wild, reach) {
			continue
		}
		c.begin(&e.Row)
		if c.norm != nil {
			c.normalizedBy(derivative, reach)
		} else {
			c.finish(derivative, reach)
		}
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
		dst = append(dst, m[k].score(&e.Row))
	}
	loss.Softmax(dst[at:])
	return dst
}
