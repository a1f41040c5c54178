package mixture

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Stacking is the catalogue entry of the stack.
var Stacking = models.Component{
	Name: "stacking", Kind: models.ModelKind, Tasks: everyTask, Fold: 1,
	Params: []models.Param{members,
		{Name: "learning_rate", Default: 0.05, Range: models.AboveTo(0, 1), Doc: "step length of the linear model over the answers"}},
	Doc: "A linear model over the members' answers, learned by adagrad from the answers that were given at the predict record: logits of probabilities, with one weight for each member and an intercept for each class; for numbers the distance from the running mean of the labels, in their deviation. " +
		"It starts as the mean. Missing values go to the members as they are.",
	Cost: "that of the members and O(members × classes)", Memory: memory, Source: "Wolpert 1992, Stacked generalization; steps: Duchi, Hazan and Singer 2011",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		ms, err := a.Models("models", env)
		if err != nil {
			return nil, err
		}
		k := models.AnswerLen(env.Task, env.Classes)
		r := &stack{task: env.Task, rate: a.Float("learning_rate"), weights: even(len(ms)), bias: make([]float64, k), sums: make([]float64, len(ms)+k),
			z: make([]float64, k), p: make([]float64, k)}
		return newMixture(env, ms, r, false), nil
	},
}

type stack struct {
	task    models.Task
	rate    float64
	weights []float64 // by member
	bias    []float64 // by class
	sums    []float64 // squared gradients of weights and bias
	n, mean float64   // of the labels of a regression
	m2      float64
	z, p    []float64 // scratch of learn
}

// input is the number that the linear model sees of an answer.
func (r *stack) input(answer float64) float64 {
	if r.task == models.Regression {
		return max(-1e3, min(1e3, (answer-r.mean)/r.deviation()))
	}
	p := max(floor, min(1-floor, answer))
	if r.task == models.Multiclass {
		return math.Log(p)
	}
	return math.Log(p / (1 - p))
}

func (r *stack) deviation() float64 {
	if r.n < 2 || !(r.m2 > 0) {
		return 1
	}
	return math.Sqrt(r.m2 / r.n)
}

func (r *stack) combine(out, said []float64) {
	copy(out, r.bias)
	for _, w := range r.weights {
		var own []float64
		own, said = next(said)
		for j := range out {
			out[j] += float64(w * r.input(own[j]))
		}
	}
	switch r.task {
	case models.Regression:
		out[0] = float64(max(-1e4, min(1e4, out[0]))*r.deviation()) + r.mean
	case models.Binary:
		out[0] = 1 / (1 + math.Exp(-max(-30, min(30, out[0]))))
	default:
		top := slices.Max(out)
		for j := range out {
			out[j] = math.Exp(max(-60, out[j]-top))
		}
		normalise(out)
	}
}

// learn takes one adagrad step on the log-loss, or on the squared error in deviations of the labels.
func (r *stack) learn(y, weight float64, said []float64) {
	r.combine(r.p, said)
	if r.task == models.Regression {
		y = max(-1e100, min(1e100, y))
		r.n += weight
		d := y - r.mean
		r.mean += d * (weight / r.n)
		r.m2 += float64(weight * float64(d*(y-r.mean)))
	}
	for j := range r.p { // the derivative of the loss by the score of class j
		switch {
		case r.task == models.Regression:
			r.z[j] = max(-10, min(10, (r.p[j]-y)/r.deviation()))
		case len(r.p) == 1 && y > 0.5 || len(r.p) > 1 && int(y) == j:
			r.z[j] = r.p[j] - 1
		default:
			r.z[j] = r.p[j]
		}
		r.z[j] *= weight
	}
	for i := range r.weights {
		var own []float64
		own, said = next(said)
		g := 0.0
		for j, z := range r.z {
			g += float64(z * r.input(own[j]))
		}
		r.weights[i] -= r.step(i, g)
	}
	for j := range r.bias {
		r.bias[j] -= r.step(len(r.weights)+j, r.z[j])
	}
}

func (r *stack) step(i int, g float64) float64 {
	r.sums[i] += float64(g * g)
	return r.rate * g / math.Sqrt(1+r.sums[i])
}

func (r *stack) state(s *codec.State) {
	finite(s, &r.n, &r.mean, &r.m2)
	for _, vs := range [][]float64{r.weights, r.bias, r.sums} {
		for i := range vs {
			finite(s, &vs[i])
		}
	}
}

func (r *stack) clone() rule {
	c := *r
	c.weights, c.bias = slices.Clone(r.weights), slices.Clone(r.bias)
	c.sums, c.z, c.p = nil, nil, nil
	return &c
}
