package loss

import (
	"math"

	"github.com/freshet-ml/freshet/models"
)

// Linked is a loss whose answer is not the score itself.
type Linked interface {
	Answer(score float64) float64
}

// Multi is a loss of the scores of several classes, through the probabilities p that a softmax makes of them.
type Multi interface {
	// Cost is the loss when the class is y, ≥ 0.
	Cost(p []float64, y int) float64
	// Slopes writes the derivative by each class's score into dst, which has the length of p and may be p.
	Slopes(dst, p []float64, y int)
}

// EpsilonInsensitive is max(0, |p − y| − Epsilon) (Vapnik 1995).
type EpsilonInsensitive struct{ Epsilon float64 } // ≥ 0, in units of the label

// Value returns the loss.
func (l EpsilonInsensitive) Value(p, y float64) float64 { return max(0, math.Abs(p-y)-l.Epsilon) }

// Gradient returns the sign of p − y outside the tube, 0 within.
func (l EpsilonInsensitive) Gradient(p, y float64) float64 {
	if math.Abs(p-y) > l.Epsilon {
		return sign(p - y)
	}
	return 0
}

// Reach returns the distance to the tube.
func (l EpsilonInsensitive) Reach(p, y float64) float64 { return l.Value(p, y) }

// SquaredHinge is max(0, 1 − s·p)² with s = ±1 for y = 1, 0.
type SquaredHinge struct{}

// Value returns the loss.
func (SquaredHinge) Value(p, y float64) float64 {
	d := max(0, 1-float64(side(y)*p))
	return d * d
}

// Gradient returns −2s(1 − s·p) inside the margin, 0 beyond it.
func (SquaredHinge) Gradient(p, y float64) float64 {
	s := side(y)
	return -2 * s * max(0, 1-float64(s*p))
}

// Reach returns the distance to the margin.
func (SquaredHinge) Reach(p, y float64) float64 { return Hinge{}.Value(p, y) }

// ModifiedHuber is the squared hinge, linear below s·p = −1 (Zhang 2004): outliers pull with a bounded force.
type ModifiedHuber struct{}

// Value returns max(0, 1 − s·p)² where s·p ≥ −1 and −4·s·p elsewhere.
func (ModifiedHuber) Value(p, y float64) float64 {
	if z := side(y) * p; z < -1 {
		return -4 * z
	}
	return SquaredHinge{}.Value(p, y)
}

// Gradient returns that of the squared hinge, limited to ±4.
func (ModifiedHuber) Gradient(p, y float64) float64 {
	return max(-4, min(4, SquaredHinge{}.Gradient(p, y)))
}

// Reach returns the distance to the margin.
func (ModifiedHuber) Reach(p, y float64) float64 { return Hinge{}.Value(p, y) }

// Poisson is half the deviance of a count y ≥ 0 whose mean is e^p; the answer is e^p. Negative labels count as 0.
type Poisson struct{}

// poissonLimit is the greatest score that counts: e^600 is still far from infinity.
const poissonLimit = 600

// Answer returns e^p.
func (Poisson) Answer(p float64) float64 { return math.Exp(max(-poissonLimit, min(poissonLimit, p))) }

// Value returns e^p − y·p − y + y·log y.
func (l Poisson) Value(p, y float64) float64 {
	y = max(0, y)
	if y == 0 {
		return l.Answer(p)
	}
	return max(0, l.Answer(p)-y-float64(y*(p-math.Log(y))))
}

// Gradient returns e^p − y.
func (l Poisson) Gradient(p, y float64) float64 { return l.Answer(p) - max(0, y) }

// Reach returns |p − log y|, and 1 for y = 0.
func (Poisson) Reach(p, y float64) float64 {
	if y > 0 {
		return math.Abs(p - math.Log(y))
	}
	return 1
}

// CrossEntropy is −log p of the class that came.
type CrossEntropy struct{}

// Cost returns −log p[y], with p kept above 1e-300.
func (CrossEntropy) Cost(p []float64, y int) float64 { return -math.Log(max(p[y], 1e-300)) }

// Slopes returns p − 1 for the class that came and p for the others.
func (CrossEntropy) Slopes(dst, p []float64, y int) {
	copy(dst, p)
	dst[y]--
}

// Focal is −(1 − p)^Gamma · log p of the probability p of what came (Lin et al. 2017, without their class weights): examples that are
// answered well count little. For two classes and for several.
type Focal struct{ Gamma float64 } // ≥ 0; 0 is the logistic loss or the cross-entropy

// Value returns the loss of a binary score.
func (l Focal) Value(p, y float64) float64 {
	z := side(y) * p
	return float64(math.Pow(Sigmoid(-z), l.Gamma) * Logistic{}.Value(z, 1))
}

// Gradient returns s·((1 − q)^γ · (γ·q·log q − (1 − q))) with q the probability of what came.
func (l Focal) Gradient(p, y float64) float64 {
	s := side(y)
	z := s * p
	q, rest := Sigmoid(z), Sigmoid(-z)
	return float64(s*math.Pow(rest, l.Gamma)) * (-float64(l.Gamma*float64(q*Logistic{}.Value(z, 1))) - rest)
}

// Reach is that of the logistic loss.
func (Focal) Reach(p, y float64) float64 { return Logistic{}.Reach(p, y) }

// Cost returns the loss of several classes.
func (l Focal) Cost(p []float64, y int) float64 {
	return float64(math.Pow(max(0, 1-p[y]), l.Gamma) * CrossEntropy{}.Cost(p, y))
}

// Slopes returns (γ(1 − q)^(γ−1) · q·log q − (1 − q)^γ) · (δ − p) for q the probability of what came.
func (l Focal) Slopes(dst, p []float64, y int) {
	q := p[y]
	rest := max(0, 1-q)
	factor := -math.Pow(rest, l.Gamma)
	if rest > 0 && l.Gamma > 0 {
		factor -= float64(l.Gamma * float64(math.Pow(rest, l.Gamma-1)*float64(q*CrossEntropy{}.Cost(p, y))))
	}
	for k, v := range p {
		dst[k] = -factor * v
	}
	dst[y] += factor
}

var (
	multiclass = []models.Task{models.Multiclass}
	classes    = []models.Task{models.Binary, models.Multiclass}
)

// more are further losses of the catalogue.
var more = []models.Component{
	{Name: "epsilon_insensitive", Kind: models.LossKind, Tasks: regression, Fold: 1, Cost: "O(1)", Source: "Vapnik 1995",
		Doc:    "Absolute beyond epsilon, nothing within: small errors do not count.",
		Params: []models.Param{{Name: "epsilon", Default: 0.1, Range: models.AtLeast(0), Unit: "units of the label", Doc: "half the width of the tube"}},
		NewPart: func(a models.Args, _ models.Env) (any, error) {
			return EpsilonInsensitive{Epsilon: a.Float("epsilon")}, nil
		}},
	{Name: "poisson", Kind: models.LossKind, Tasks: regression, Fold: 1, Cost: "O(1)", Source: "McCullagh and Nelder 1989, §2.3",
		Doc: "Half the deviance of a count: the answer is the exponential of the score, always positive. Negative labels count as 0.", NewPart: part(Poisson{})},
	{Name: "squared_hinge", Kind: models.LossKind, Tasks: binary, Fold: 1, Cost: "O(1)", NewPart: part(SquaredHinge{}),
		Doc: "Squared distance to the margin; the sigmoid of its score ranks well but is no calibrated probability."},
	{Name: "modified_huber", Kind: models.LossKind, Tasks: binary, Fold: 1, Cost: "O(1)", Source: "Zhang 2004", NewPart: part(ModifiedHuber{}),
		Doc: "Squared hinge that turns linear far on the wrong side, so that outliers pull with a bounded force. The sigmoid of its score is no calibrated probability."},
	{Name: "cross_entropy", Kind: models.LossKind, Tasks: multiclass, Fold: 1, Cost: "O(classes)", NewPart: part2(CrossEntropy{}),
		Doc: "Negative log-likelihood of several classes: probabilities are calibrated in the limit."},
	{Name: "focal", Kind: models.LossKind, Tasks: classes, Fold: 1, Cost: "O(classes)", Source: "Lin et al. 2017",
		Doc:     "Log-likelihood in which examples that are answered well count little, for rare classes. Probabilities are drawn towards ½.",
		Params:  []models.Param{{Name: "gamma", Default: 2.0, Range: models.Between(0, 10), Doc: "how much less they count; 0: as much as the others"}},
		NewPart: func(a models.Args, _ models.Env) (any, error) { return Focal{Gamma: a.Float("gamma")}, nil }},
}

func part2(l Multi) func(models.Args, models.Env) (any, error) {
	return func(models.Args, models.Env) (any, error) { return l, nil }
}
