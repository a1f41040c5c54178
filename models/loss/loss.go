// Package loss holds the losses of linear models: value, derivative, and the greatest useful move of a
// prediction. In the flow it stands inside a model, at the learn record.
package loss

import (
	"math"

	"github.com/freshet-ml/freshet/models"
)

// Loss is a loss of the score p (the number before any link) and the label y. Binary losses take y as
// 0 or 1.
type Loss interface {
	// Value is the loss, ≥ 0.
	Value(p, y float64) float64
	// Gradient is its derivative by p; where it has a kink, one of the one-sided ones.
	Gradient(p, y float64) float64
	// Reach is how far one update may move p on its own example: the distance to the label for losses
	// that measure one, the distance to the margin for the hinge, and the way to a score of 100 on the
	// label's side (a probability of 1 − 4e-44), but at least 1, for the logistic loss, whose derivative
	// is bounded.
	Reach(p, y float64) float64
}

// Squared is (p − y)² / 2.
type Squared struct{}

// Value returns the loss.
func (Squared) Value(p, y float64) float64 { return (p - y) * (p - y) / 2 }

// Gradient returns p − y.
func (Squared) Gradient(p, y float64) float64 { return p - y }

// Reach returns |p − y|.
func (Squared) Reach(p, y float64) float64 { return math.Abs(p - y) }

// Absolute is |p − y|; its minimiser is the median.
type Absolute struct{}

// Value returns the loss.
func (Absolute) Value(p, y float64) float64 { return math.Abs(p - y) }

// Gradient returns the sign of p − y, 0 at 0.
func (Absolute) Gradient(p, y float64) float64 { return sign(p - y) }

// Reach returns |p − y|.
func (Absolute) Reach(p, y float64) float64 { return math.Abs(p - y) }

// Huber is quadratic within Delta of the label and linear beyond (Huber 1964).
type Huber struct{ Delta float64 } // > 0, in units of the label

// Value returns the loss.
func (h Huber) Value(p, y float64) float64 {
	d := math.Abs(p - y)
	if d <= h.Delta {
		return d * d / 2
	}
	return h.Delta * (d - h.Delta/2)
}

// Gradient returns p − y limited to ±Delta.
func (h Huber) Gradient(p, y float64) float64 { return max(-h.Delta, min(h.Delta, p-y)) }

// Reach returns |p − y|.
func (h Huber) Reach(p, y float64) float64 { return math.Abs(p - y) }

// Quantile is the pinball loss; its minimiser is the Alpha-quantile (Koenker and Bassett 1978).
type Quantile struct{ Alpha float64 } // in (0, 1)

// Value returns the loss.
func (q Quantile) Value(p, y float64) float64 {
	if y >= p {
		return q.Alpha * (y - p)
	}
	return (1 - q.Alpha) * (p - y)
}

// Gradient returns −Alpha below the label, 1 − Alpha above it, 0 on it.
func (q Quantile) Gradient(p, y float64) float64 {
	switch {
	case p < y:
		return -q.Alpha
	case p > y:
		return 1 - q.Alpha
	}
	return 0
}

// Reach returns |p − y|.
func (q Quantile) Reach(p, y float64) float64 { return math.Abs(p - y) }

// Logistic is the negative log-likelihood of y in {0, 1} under P(1) = Sigmoid(p): log(1 + e^p) − y·p.
type Logistic struct{}

// Value returns the loss in the stable form max(p, 0) − y·p + log1p(e^−|p|).
func (Logistic) Value(p, y float64) float64 {
	return max(p, 0) - float64(y*p) + math.Log1p(math.Exp(-math.Abs(p)))
}

// Gradient returns Sigmoid(p) − y.
func (Logistic) Gradient(p, y float64) float64 { return Sigmoid(p) - y }

// Reach returns max(1, 100 − s·p) with s = ±1 for y = 1, 0.
func (Logistic) Reach(p, y float64) float64 { return max(1, 100-float64(side(y)*p)) }

// Hinge is max(0, 1 − s·p) with s = ±1 for y = 1, 0.
type Hinge struct{}

// Value returns the loss.
func (Hinge) Value(p, y float64) float64 { return max(0, 1-float64(side(y)*p)) }

// Gradient returns −s inside the margin, 0 at and beyond it.
func (Hinge) Gradient(p, y float64) float64 {
	if s := side(y); float64(s*p) < 1 {
		return -s
	}
	return 0
}

// Reach returns the distance to the margin.
func (h Hinge) Reach(p, y float64) float64 { return h.Value(p, y) }

// Sigmoid is 1 / (1 + e^−x), in [0, 1], without overflow.
func Sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + math.Exp(-x))
	}
	e := math.Exp(x)
	return e / (1 + e)
}

// Softmax turns scores into probabilities in place, shifted by the greatest so that nothing overflows. Scores must be finite.
func Softmax(p []float64) {
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

// Logit is the inverse of Sigmoid for p kept within [floor, 1 − floor].
func Logit(p, floor float64) float64 {
	p = max(floor, min(1-floor, p))
	return math.Log(p) - math.Log1p(-p)
}

func side(y float64) float64 {
	if y > 0.5 {
		return 1
	}
	return -1
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

func part(l Loss) func(models.Args, models.Env) (any, error) {
	return func(models.Args, models.Env) (any, error) { return l, nil }
}

var (
	regression = []models.Task{models.Regression}
	binary     = []models.Task{models.Binary}
)

// Components lists the losses for the catalogue.
var Components = append([]models.Component{
	{Name: "squared", Kind: models.LossKind, Tasks: regression, Fold: 1, Doc: "(p − y)² / 2: predicts the mean.", Cost: "O(1)", NewPart: part(Squared{})},
	{Name: "absolute", Kind: models.LossKind, Tasks: regression, Fold: 1, Doc: "|p − y|: predicts the median.", Cost: "O(1)", NewPart: part(Absolute{})},
	{Name: "huber", Kind: models.LossKind, Tasks: regression, Fold: 1, Doc: "Squared near the label, absolute beyond delta: the mean, without being led by outliers.", Cost: "O(1)", Source: "Huber 1964",
		Params:  []models.Param{{Name: "delta", Default: 1.0, Range: models.Above(0), Unit: "units of the label", Doc: "where it turns linear"}},
		NewPart: func(a models.Args, _ models.Env) (any, error) { return Huber{Delta: a.Float("delta")}, nil }},
	{Name: "quantile", Kind: models.LossKind, Tasks: regression, Fold: 1, Doc: "Pinball loss: predicts the alpha-quantile.", Cost: "O(1)", Source: "Koenker and Bassett 1978",
		Params:  []models.Param{{Name: "alpha", Default: 0.5, Range: models.Inside(0, 1), Doc: "the quantile"}},
		NewPart: func(a models.Args, _ models.Env) (any, error) { return Quantile{Alpha: a.Float("alpha")}, nil }},
	{Name: "logistic", Kind: models.LossKind, Tasks: binary, Fold: 1, Doc: "Negative log-likelihood: probabilities are calibrated in the limit.", Cost: "O(1)", NewPart: part(Logistic{})},
	{Name: "hinge", Kind: models.LossKind, Tasks: binary, Fold: 1, Doc: "Linear support vector loss; the sigmoid of its score ranks well but is no calibrated probability.", Cost: "O(1)", NewPart: part(Hinge{})},
}, more...)
