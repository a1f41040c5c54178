package linear

import (
	"math"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/loss"
)

// PassiveAggressiveComponent is the catalogue entry of PassiveAggressive.
var PassiveAggressiveComponent = models.Component{
	Name: "passive_aggressive", Kind: models.ModelKind, Tasks: []models.Task{models.Binary, models.Multiclass, models.Regression}, Fold: 1, NumbersOnly: true,
	Params: []models.Param{
		{Name: "variant", Default: "1", Choices: []string{"1", "2"}, Doc: "1 (PA-I) cuts steps at aggressiveness, 2 (PA-II) dampens them"},
		{Name: "aggressiveness", Default: 1.0, Range: models.Above(0), Doc: "C: how much one example may change; times the weight of the example"},
		{Name: "epsilon", Default: 0.1, Range: models.AtLeast(0), Unit: "units of the label", Doc: "regression: errors below it change nothing"},
		{Name: "intercept", Default: true, Doc: "learn an intercept; it takes each step, and its 1 does not count in the row's length"},
	},
	Cost: "O(classes × entries of the row)", Memory: "8 bytes per class and column", Source: "Crammer et al. 2006, §3, §5 and §6",
	Doc: "The least change of the weights after which the example has a margin of 1 (regression: an error of at most epsilon), held back by aggressiveness. " +
		"It follows the last labels closely: where labels repeat, its accuracy is that of the last label, and the sigmoid or softmax of its scores is no calibrated probability. " +
		"A missing value counts as 0. Put a scaler before it.",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		return NewPassiveAggressive(env, a.Float("aggressiveness"), a.Float("epsilon"), a.Text("variant") == "2", a.Bool("intercept")), nil
	},
}

// PassiveAggressive takes the least step that answers the example well.
type PassiveAggressive struct {
	scores
	c, epsilon float64
	second     bool
	intercept  bool
}

// NewPassiveAggressive returns the model for the columns and the task of env. c > 0 is the aggressiveness, epsilon ≥ 0 the width of a
// regression's tube; second chooses PA-II.
func NewPassiveAggressive(env models.Env, c, epsilon float64, second, intercept bool) *PassiveAggressive {
	return &PassiveAggressive{scores: newScores(env), c: c, epsilon: epsilon, second: second, intercept: intercept}
}

// Learn takes the step τ = min(C, loss/|x|²), PA-II loss/(|x|² + 1/2C), with C times the weight of the example; between two classes
// |x|² counts twice.
func (m *PassiveAggressive) Learn(e *models.Example, _ []float64) {
	if e.Weight == 0 {
		return
	}
	square, _ := squares(&e.Row, len(m.of[0].w))
	if square == 0 {
		return
	}
	switch m.task {
	case models.Multiclass:
		y := int(e.Y)
		if y < 0 || y >= len(m.of) {
			return
		}
		other, own, its := m.rival(&e.Row, y)
		tau := m.step(1-own+its, 2*square, e.Weight)
		m.add(y, &e.Row, tau, m.intercept)
		m.add(other, &e.Row, -tau, m.intercept)
	case models.Binary:
		side := -1.0
		if e.Y > 0.5 {
			side = 1
		}
		tau := m.step(loss.Hinge{}.Value(m.of[0].score(&e.Row), e.Y), square, e.Weight)
		m.add(0, &e.Row, side*tau, m.intercept)
	default:
		p := m.of[0].score(&e.Row)
		l := loss.EpsilonInsensitive{Epsilon: m.epsilon}
		m.add(0, &e.Row, -l.Gradient(p, e.Y)*m.step(l.Value(p, e.Y), square, e.Weight), m.intercept)
	}
}

func (m *PassiveAggressive) step(l, square, weight float64) float64 {
	if !(l > 0) {
		return 0
	}
	l = min(l, maxGradient)
	if m.second {
		return l / (square + 1/(2*m.c*weight))
	}
	return math.Min(m.c*weight, l/square)
}

// PerceptronComponent is the catalogue entry of Perceptron.
var PerceptronComponent = models.Component{
	Name: "perceptron", Kind: models.ModelKind, Tasks: []models.Task{models.Binary, models.Multiclass}, Fold: 1, NumbersOnly: true,
	Params: []models.Param{{Name: "intercept", Default: true, Doc: "learn an intercept"}},
	Cost:   "O(classes × entries of the row)", Memory: "8 bytes per class and column", Source: "Rosenblatt 1958; several classes: Collins 2002",
	Doc: "After a mistake the row is added to the weights of the class that came and taken from those of the class that was answered. " +
		"The sigmoid or softmax of its scores is no calibrated probability. A missing value counts as 0. Put a scaler before it.",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		return NewPerceptron(env, a.Bool("intercept")), nil
	},
}

// Perceptron learns from mistakes only.
type Perceptron struct {
	scores
	intercept bool
}

// NewPerceptron returns the model for the columns and the task of env.
func NewPerceptron(env models.Env, intercept bool) *Perceptron {
	return &Perceptron{scores: newScores(env), intercept: intercept}
}

// Learn adds the row after a mistake; a score of exactly 0, and a tie, is one.
func (m *Perceptron) Learn(e *models.Example, _ []float64) {
	if e.Weight == 0 {
		return
	}
	if m.task == models.Multiclass {
		y := int(e.Y)
		if y < 0 || y >= len(m.of) {
			return
		}
		if other, own, its := m.rival(&e.Row, y); own <= its {
			m.add(y, &e.Row, e.Weight, m.intercept)
			m.add(other, &e.Row, -e.Weight, m.intercept)
		}
		return
	}
	side := -1.0
	if e.Y > 0.5 {
		side = 1
	}
	if float64(side*m.of[0].score(&e.Row)) <= 0 {
		m.add(0, &e.Row, side*e.Weight, m.intercept)
	}
}
