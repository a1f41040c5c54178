package bandit

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

var policyNames = []string{"epsilon_greedy", "ucb", "thompson", "exp3", "lin_ucb"}

// maxContext bounds the columns that lin_ucb reads.
const maxContext = 64

// SelectionComponent is the catalogue entry of Selection.
var SelectionComponent = models.Component{
	Name: "bandit_selection", Kind: models.ModelKind, Tasks: []models.Task{models.Binary, models.Multiclass, models.Regression}, Fold: 1,
	Doc: "Chooses among models by a bandit: of each example only the model that the policy draws learns, and its answer just before is the reward (the probability of the right class; in a regression 1/(1 + error/mean error)). " +
		"It answers with the model that looks best. So many models cost about as much as one. Policies: epsilon_greedy (exploring with probability `width`), ucb (bounds of `width`), thompson, exp3 (exploring with probability `width`), " +
		"lin_ucb (which reads up to 64 numeric columns, and may choose another model in another place). Missing values: as the models; 0 for lin_ucb.",
	Params: []models.Param{
		{Name: "models", Part: models.ModelKind, Many: true, Default: []models.Spec{models.Named("no_change"), models.Named("k_nearest_neighbors")}, Doc: "the models, which may be pipelines"},
		{Name: "policy", Default: "ucb", Choices: policyNames, Doc: "how the model that learns is drawn"},
		{Name: "width", Default: 0.1, Range: models.AboveTo(0, 1), Doc: "how much it explores"},
		{Name: "discount", Default: 0.999, Range: models.AboveTo(0, 1), Doc: "factor on older rewards at each new one; 1 never forgets; exp3 and lin_ucb do not use it"},
	},
	Cost: "answers of two models and learning of one; lin_ucb O(models · columns²) more", Memory: "that of the models; lin_ucb 8 · columns² bytes per model",
	Source: "Sutton & Barto 2018; Auer et al. 2002; Garivier & Moulines 2011; Li et al. 2010",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		ms, err := a.Models("models", env)
		if err != nil {
			return nil, err
		}
		m := &Selection{task: env.Task, models: ms}
		if err := m.setPolicy(a, env); err != nil {
			return nil, err
		}
		for i, l := range ms {
			if _, ok := l.(models.Publisher); !ok {
				return nil, fmt.Errorf("models[%d] cannot be published", i)
			}
		}
		return m, nil
	},
}

// Selection is a model that chooses among models. It implements models.Learner and models.Publisher.
type Selection struct {
	task    models.Task
	models  []models.Learner
	policy  Policy
	columns []int // the context of lin_ucb: 1, and these
	x       []float64
	error   float64 // regression: mean absolute error of the models that learned
	n       float64
	answer  []float64
}

func (m *Selection) setPolicy(a models.Args, env models.Env) error {
	arms, width, discount := len(m.models), a.Float("width"), a.Float("discount")
	switch a.Text("policy") {
	case "epsilon_greedy":
		m.policy = NewEpsilonGreedy(arms, width, discount, env.Seed)
	case "ucb":
		m.policy = NewUCB(arms, width, discount)
	case "thompson":
		m.policy = NewThompson(arms, discount, env.Seed)
	case "exp3":
		m.policy = NewExp3(arms, width, env.Seed)
	default:
		for i, c := range env.Schema.Columns {
			if c.Kind == features.Numeric {
				m.columns = append(m.columns, i)
			}
		}
		if len(m.columns) > maxContext {
			return fmt.Errorf("policy lin_ucb reads %d numeric columns, at most %d are allowed: choose another policy or fewer columns", len(m.columns), maxContext)
		}
		m.x = make([]float64, len(m.columns)+1)
		m.policy = NewLinUCB(arms, len(m.x), width)
	}
	return nil
}

// context writes 1 and the columns, squashed to (−1, 1).
func context(x []float64, columns []int, e *models.Example) {
	if len(x) == 0 {
		return
	}
	x[0] = 1
	for k, c := range columns {
		v := e.At(c)
		x[k+1] = 0
		if v == v {
			x[k+1] = max(-1, min(1, v/(1+math.Abs(v))))
			if v-v != 0 {
				x[k+1] = math.Copysign(1, v)
			}
		}
	}
}

// Predict answers with the model that looks best.
func (m *Selection) Predict(dst []float64, e *models.Example) []float64 {
	context(m.x, m.columns, e)
	return m.models[m.policy.Best(m.x)].Predict(dst, e)
}

// Observe shows the example to every model.
func (m *Selection) Observe(e *models.Example) {
	for _, l := range m.models {
		l.Observe(e)
	}
}

// Learn draws a model, rewards it for what it would answer, and lets it learn.
func (m *Selection) Learn(e *models.Example, _ []float64) {
	if !(e.Weight > 0) || e.Y != e.Y {
		return
	}
	context(m.x, m.columns, e)
	arm := m.policy.Choose(m.x)
	m.answer = m.models[arm].Predict(m.answer[:0], e)
	m.policy.Reward(arm, m.x, m.reward(e.Y))
	m.models[arm].Learn(e, m.answer)
}

// Dropped adds the counts of the models.
func (m *Selection) Dropped(d *models.Drops) {
	for _, l := range m.models {
		d.Of(l)
	}
}

func (m *Selection) reward(y float64) float64 {
	switch m.task {
	case models.Binary:
		if y > 0 {
			return m.answer[0]
		}
		return 1 - m.answer[0]
	case models.Multiclass:
		if k := int(y); k >= 0 && k < len(m.answer) {
			return m.answer[k]
		}
		return 0
	}
	off := min(math.Abs(m.answer[0]-y), 1e150)
	m.n = min(m.n+1, 1000)
	m.error += (off - m.error) / m.n
	if m.error == 0 {
		return 1
	}
	return 1 / (1 + off/m.error)
}

// State visits the models and the policy.
func (m *Selection) State(s *codec.State) {
	s.Fixed("models of bandit_selection", len(m.models))
	m.policy.State(s)
	s.Float64(&m.error)
	s.Float64(&m.n)
	if s.Loading() && !(m.error >= 0 && m.error <= 1e151 && m.n >= 0 && m.n <= 1000) {
		s.Fail("bandit_selection: mean error %v of %v", m.error, m.n)
		m.error, m.n = 0, 0
	}
	for _, l := range m.models {
		l.State(s)
	}
}

// Publish publishes the model that looks best; with lin_ucb all of them.
func (m *Selection) Publish() models.Predictor {
	l, ok := m.policy.(*LinUCB)
	if !ok {
		return m.models[m.policy.Best(nil)].(models.Publisher).Publish()
	}
	p := &selectionSnapshot{columns: m.columns}
	for _, each := range m.models {
		p.models = append(p.models, each.(models.Publisher).Publish())
	}
	for _, t := range l.theta {
		p.theta = append(p.theta, append([]float64(nil), t...))
	}
	return p
}

type selectionSnapshot struct {
	models  []models.Predictor
	columns []int
	theta   [][]float64
}

// Predict answers as the model did when it was published.
func (p *selectionSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	var room [maxContext + 1]float64
	x := room[:len(p.columns)+1]
	context(x, p.columns, e)
	return p.models[greatest(p.theta, x)].Predict(dst, e)
}
