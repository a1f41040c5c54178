// Package mixture holds models that combine a list of others, whatever these are: votes, weighted averages, stacks, and one model per class.
//
// It stands in the flow as a model: models/catalog lists Components, models/fold hands it the examples of the log. Members see the rows as they come in;
// each may be a pipeline. Every member is judged, and learns, by the answer it gave at the predict record, so that label delay flatters none.
package mixture

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Components lists the models of this package for the catalogue.
var Components = []models.Component{Voting, EWA, Stacking, OneVsRest, DynamicWeightedMajority}

// floor keeps probabilities away from 0 and 1, so that one sure mistake costs a bounded loss.
const floor = 1e-6

// rule makes one answer of those of the members. Answers come encoded: for each member how many numbers it appended, then these.
type rule interface {
	combine(out, said []float64)
	learn(y, weight float64, said []float64)
	state(s *codec.State)
	clone() rule
}

// next cuts the numbers of one member off.
func next(said []float64) (own, rest []float64) {
	n := int(said[0])
	return said[1 : 1+n], said[1+n:]
}

// Mixture is a list of members and the rule that combines them. It implements models.Learner; NewMixture makes it a models.Publisher where its
// members are.
type Mixture struct {
	task    models.Task
	k       int // numbers of an answer
	one     bool
	members []models.Learner
	rule    rule
	said    []float64 // scratch
	x       models.Example
}

// newMixture returns the mixture of the members, which it owns. one is set where member i answers P(Y = i).
func newMixture(env models.Env, members []models.Learner, r rule, one bool) models.Learner {
	m := &Mixture{task: env.Task, k: models.AnswerLen(env.Task, env.Classes), members: members, rule: r, one: one}
	for _, l := range members {
		if _, ok := l.(models.Publisher); !ok {
			return m
		}
	}
	return &publishing{m}
}

// predict appends the answer, then what the members say.
func predict[P models.Predictor](dst []float64, members []P, k int, r rule, e *models.Example) []float64 {
	head := len(dst)
	for range k {
		dst = append(dst, 0)
	}
	for _, p := range members {
		at := len(dst)
		dst = p.Predict(append(dst, 0), e)
		dst[at] = float64(len(dst) - at - 1)
	}
	r.combine(dst[head:head+k], dst[head+k:])
	return dst
}

// Predict appends the answer, and after it, for Learn, what every member said.
func (m *Mixture) Predict(dst []float64, e *models.Example) []float64 {
	return predict(dst, m.members, m.k, m.rule, e)
}

// Observe lets every member observe.
func (m *Mixture) Observe(e *models.Example) {
	for _, l := range m.members {
		l.Observe(e)
	}
}

// Learn teaches the rule by what was said, then every member. An example with a label out of range changes nothing.
func (m *Mixture) Learn(e *models.Example, past []float64) {
	if !(e.Weight > 0) || math.IsNaN(e.Y) || math.IsInf(e.Y, 0) || m.task != models.Regression && !(e.Y >= 0 && e.Y < float64(max(2, m.k))) {
		return
	}
	if !m.whole(past) {
		m.said = m.Predict(m.said[:0], e)
		past = m.said
	}
	said := past[m.k:]
	m.rule.learn(e.Y, min(e.Weight, 100), said)
	m.x = *e
	for i, l := range m.members {
		var own []float64
		own, said = next(said)
		if m.one {
			m.x.Y = 0
			if int(e.Y) == i {
				m.x.Y = 1
			}
		}
		l.Learn(&m.x, own)
	}
}

// whole reports whether past is all that Predict appends.
func (m *Mixture) whole(past []float64) bool {
	if len(past) < m.k {
		return false
	}
	past = past[m.k:]
	for range m.members {
		if len(past) == 0 || !(past[0] >= 1 && past[0] < float64(len(past))) {
			return false
		}
		_, past = next(past)
	}
	return len(past) == 0
}

// State visits the rule, then the members.
func (m *Mixture) State(s *codec.State) {
	s.Fixed("members", len(m.members))
	m.rule.state(s)
	for _, l := range m.members {
		l.State(s)
	}
}

// Dropped adds the counts of the members.
func (m *Mixture) Dropped(d *models.Drops) {
	for _, l := range m.members {
		d.Of(l)
	}
}

type publishing struct{ *Mixture }

// Publish snapshots the members and the rule.
func (m *publishing) Publish() models.Predictor {
	f := &frozen{k: m.k, rule: m.rule.clone(), members: make([]models.Predictor, len(m.members))}
	for i, l := range m.members {
		f.members[i] = l.(models.Publisher).Publish()
	}
	return f
}

type frozen struct {
	k       int
	rule    rule
	members []models.Predictor
}

// Predict answers as the mixture did when it was published.
func (f *frozen) Predict(dst []float64, e *models.Example) []float64 {
	return predict(dst, f.members, f.k, f.rule, e)
}

// some is the default list of members: two kinds that serve every task and need no encoding.
func some() []models.Spec {
	return []models.Spec{
		{Stages: []models.Stage{{Name: "gradient_boosted_trees", Params: map[string]any{"trees": 20}}}},
		{Stages: []models.Stage{{Name: "mondrian_forest", Params: map[string]any{"trees": 5}}}},
	}
}

var (
	everyTask = []models.Task{models.Binary, models.Multiclass, models.Regression}
	members   = models.Param{Name: "models", Default: some(), Part: models.ModelKind, Many: true, Doc: "the members; each may be a pipeline"}
)

const memory = "that of the members"

// normalise divides by the sum; equal parts where there is none.
func normalise(p []float64) {
	sum := 0.0
	for _, v := range p {
		sum += v
	}
	for i := range p {
		if sum > 0 {
			p[i] /= sum
		} else {
			p[i] = 1 / float64(len(p))
		}
	}
}

// losses are what the rules judge members by: log-loss, or the squared error in units of the mixture's own.
type losses struct {
	task     models.Task
	errorSum float64
	errorN   float64
}

const errorKeep = 0.999

// observe takes the error of the mixture at a label.
func (l *losses) observe(d, weight float64) {
	d = max(-1e100, min(1e100, d))
	l.errorSum = float64(errorKeep*l.errorSum) + float64(weight*float64(d*d))
	l.errorN = float64(errorKeep*l.errorN) + weight
}

// of returns the loss of an answer, at most 20.
func (l *losses) of(y float64, answer []float64) float64 {
	switch l.task {
	case models.Regression:
		if !(l.errorSum > 0) {
			return 0
		}
		d := max(-1e100, min(1e100, y-answer[0]))
		return min(20, float64(d*d)/(2*l.errorSum/l.errorN))
	case models.Multiclass:
		return -math.Log(max(floor, min(1, answer[int(y)])))
	}
	p := answer[0]
	if y < 0.5 {
		p = 1 - p
	}
	return -math.Log(max(floor, min(1, p)))
}

func (l *losses) state(s *codec.State) { finite(s, &l.errorSum, &l.errorN) }

func finite(s *codec.State, vs ...*float64) {
	for _, v := range vs {
		s.Float64(v)
		if math.IsNaN(*v) || math.IsInf(*v, 0) {
			s.Fail("%v where a number is wanted", *v)
			*v = 0
		}
	}
}

// weighted writes the mean of the answers by the weights.
func weighted(out, said, weights []float64) {
	clear(out)
	for _, w := range weights {
		var own []float64
		own, said = next(said)
		for j := range out {
			out[j] += float64(w * own[j])
		}
	}
}

func even(n int) []float64 { return slices.Repeat([]float64{1 / float64(n)}, n) }
