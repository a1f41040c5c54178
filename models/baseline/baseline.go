// Package baseline holds the models that every other must beat: they ignore the features. In the flow
// they run beside a project's model on the same examples. Features, missing or not, do not matter to
// them.
package baseline

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Components lists the baselines for the catalogue.
var Components = []models.Component{
	{Name: "no_change", Kind: models.ModelKind, Tasks: []models.Task{models.Binary, models.Multiclass, models.Regression}, Fold: 1, NoColumns: true,
		Doc: "Answers with the last label it learned.", Cost: "O(1)", Memory: "8 bytes",
		NewModel: func(_ models.Args, env models.Env) (models.Learner, error) { return NewNoChange(env), nil }},
	{Name: "majority_class", Kind: models.ModelKind, Tasks: []models.Task{models.Binary, models.Multiclass}, Fold: 1, NoColumns: true,
		Doc: "Answers with the class of the greatest weight so far, the lowest of equals.", Cost: "O(classes)", Memory: "8 bytes per class",
		NewModel: func(_ models.Args, env models.Env) (models.Learner, error) { return NewMajority(env), nil }},
	{Name: "prior", Kind: models.ModelKind, Tasks: []models.Task{models.Binary, models.Multiclass}, Fold: 1, NoColumns: true,
		Doc: "Answers with the share of each class so far, each class counted as half an example more than seen.", Cost: "O(classes)", Memory: "8 bytes per class",
		Source: "Krichevsky and Trofimov 1981",
		Params: []models.Param{discount},
		NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
			return NewPrior(env, a.Float("discount")), nil
		}},
	{Name: "mean", Kind: models.ModelKind, Tasks: []models.Task{models.Regression}, Fold: 1, NoColumns: true,
		Doc: "Answers with the mean of the labels so far, 0 before the first.", Cost: "O(1)", Memory: "16 bytes",
		Params:   []models.Param{discount},
		NewModel: func(a models.Args, _ models.Env) (models.Learner, error) { return NewMean(a.Float("discount")), nil }},
}

var discount = models.Param{Name: "discount", Default: 1.0, Range: models.AboveTo(0, 1), Doc: "factor on what was counted before at every example; 1 never forgets"}

// maxLabel bounds labels, so that sums stay finite.
const maxLabel = 1e150

func bounded(y float64) float64 { return max(-maxLabel, min(maxLabel, y)) }

// class returns the label as a class index, and false if it is none.
func class(y float64, n int) (int, bool) {
	if n == 2 && y > 0 && y < 2 {
		return int(math.Round(min(y, 1))), true
	}
	k := int(y)
	return k, y == y && y >= 0 && k < n
}

// appendClass appends an answer that is sure of class k.
func appendClass(dst []float64, k int, env models.Env) []float64 {
	if env.Task == models.Binary {
		return append(dst, float64(k))
	}
	for i := range env.Classes {
		p := 0.0
		if i == k {
			p = 1
		}
		dst = append(dst, p)
	}
	return dst
}

func classes(env models.Env) models.Env {
	if env.Task == models.Binary {
		env.Classes = 2
	}
	return env
}

// NoChange answers with the last label, 0 before the first.
type NoChange struct {
	env  models.Env
	last float64
}

// NewNoChange returns the baseline.
func NewNoChange(env models.Env) *NoChange { return &NoChange{env: classes(env)} }

// Predict appends the last label, for classifiers as probabilities of 0 and 1.
func (m *NoChange) Predict(dst []float64, _ *models.Example) []float64 {
	if m.env.Task == models.Regression {
		return append(dst, m.last)
	}
	return appendClass(dst, int(m.last), m.env)
}

// Observe does nothing.
func (m *NoChange) Observe(*models.Example) {}

// Learn keeps the label. A label that is no class is left out.
func (m *NoChange) Learn(e *models.Example, _ []float64) {
	if e.Weight == 0 {
		return
	}
	if m.env.Task == models.Regression {
		m.last = bounded(e.Y)
	} else if k, ok := class(e.Y, m.env.Classes); ok {
		m.last = float64(k)
	}
}

// State visits the last label.
func (m *NoChange) State(s *codec.State) {
	s.Float64(&m.last)
	if m.env.Task != models.Regression && !(m.last >= 0 && m.last < float64(m.env.Classes)) {
		s.Fail("no_change: label %v of %d classes", m.last, m.env.Classes)
		m.last = 0
	}
}

// Publish copies the label.
func (m *NoChange) Publish() models.Predictor {
	c := *m
	return &c
}

// counts are weights of classes.
type counts struct {
	env    models.Env
	weight []float64
}

func newCounts(env models.Env) counts {
	env = classes(env)
	return counts{env: env, weight: make([]float64, env.Classes)}
}

// State visits the weights.
func (m *counts) State(s *codec.State) {
	s.Fixed("number of classes", len(m.weight))
	for k := range m.weight {
		s.Float64(&m.weight[k])
	}
}

func (m *counts) clone() counts {
	return counts{env: m.env, weight: append([]float64(nil), m.weight...)}
}

// Majority answers with the class that was seen most.
type Majority struct{ counts }

// NewMajority returns the baseline.
func NewMajority(env models.Env) *Majority { return &Majority{newCounts(env)} }

// Predict appends probabilities of 0 and 1.
func (m *Majority) Predict(dst []float64, _ *models.Example) []float64 {
	best := 0
	for k, w := range m.weight {
		if w > m.weight[best] {
			best = k
		}
	}
	return appendClass(dst, best, m.env)
}

// Observe does nothing.
func (m *Majority) Observe(*models.Example) {}

// Learn counts the label. One that is no class is left out.
func (m *Majority) Learn(e *models.Example, _ []float64) {
	if k, ok := class(e.Y, len(m.weight)); ok {
		m.weight[k] += e.Weight
	}
}

// Publish copies the counts.
func (m *Majority) Publish() models.Predictor { return &Majority{m.clone()} }

// Prior answers with the shares of the classes.
type Prior struct {
	counts
	discount float64
}

// NewPrior returns the baseline; discount in (0, 1] fades what was counted before.
func NewPrior(env models.Env, discount float64) *Prior {
	return &Prior{counts: newCounts(env), discount: discount}
}

// Predict appends (weight + ½) / (total + classes/2) for each class, for Binary that of class 1.
func (m *Prior) Predict(dst []float64, _ *models.Example) []float64 {
	total := 0.0
	for _, w := range m.weight {
		total += w + 0.5
	}
	if m.env.Task == models.Binary {
		return append(dst, (m.weight[1]+0.5)/total)
	}
	for _, w := range m.weight {
		dst = append(dst, (w+0.5)/total)
	}
	return dst
}

// Observe does nothing.
func (m *Prior) Observe(*models.Example) {}

// Learn counts the label. One that is no class is left out.
func (m *Prior) Learn(e *models.Example, _ []float64) {
	k, ok := class(e.Y, len(m.weight))
	if !ok || e.Weight == 0 {
		return
	}
	if m.discount < 1 {
		for i := range m.weight {
			m.weight[i] *= m.discount
		}
	}
	m.weight[k] += e.Weight
}

// Publish copies the counts.
func (m *Prior) Publish() models.Predictor { return &Prior{counts: m.clone(), discount: m.discount} }

// Mean answers with the mean label.
type Mean struct {
	discount     float64
	weight, mean float64
}

// NewMean returns the baseline; discount in (0, 1] fades what was counted before.
func NewMean(discount float64) *Mean { return &Mean{discount: discount} }

// Predict appends the mean.
func (m *Mean) Predict(dst []float64, _ *models.Example) []float64 { return append(dst, m.mean) }

// Observe does nothing.
func (m *Mean) Observe(*models.Example) {}

// Learn takes the label in.
func (m *Mean) Learn(e *models.Example, _ []float64) {
	if !(e.Weight > 0) || e.Y != e.Y {
		return
	}
	m.weight = float64(m.discount*m.weight) + e.Weight
	m.mean += float64((bounded(e.Y) - m.mean) * (e.Weight / m.weight))
}

// State visits the mean.
func (m *Mean) State(s *codec.State) {
	s.Float64(&m.weight)
	s.Float64(&m.mean)
}

// Publish copies the mean.
func (m *Mean) Publish() models.Predictor {
	c := *m
	return &c
}
