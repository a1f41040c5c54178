package ensemble

import (
	"math"

	"github.com/freshet-ml/freshet/models"
)

// ballot is what learner and snapshot of an ensemble of classifiers share: the members that answer and their weights.
type ballot struct {
	task    models.Task
	classes int
	members []models.Predictor
	weights []float64 // ≥ 0; nil: all count alike
}

func newBallot(env models.Env, members int) ballot {
	classes := env.Classes
	if env.Task == models.Binary {
		classes = 2
	}
	return ballot{task: env.Task, classes: classes, members: make([]models.Predictor, members)}
}

// Predict appends the weighted mean of the members' probabilities; the plain one where no member has weight.
// It does not allocate if dst has room for one member's answer more.
func (b *ballot) Predict(dst []float64, e *models.Example) []float64 {
	k, head := models.AnswerLen(b.task, b.classes), len(dst)
	for range k {
		dst = append(dst, 0)
	}
	total, plain := 0.0, b.weights == nil || !positive(b.weights)
	for i, m := range b.members {
		w := 1.0
		if !plain {
			if w = b.weights[i]; w == 0 {
				continue
			}
		}
		dst = m.Predict(dst, e)
		for j, p := range dst[head+k : head+2*k] {
			dst[head+j] += float64(w * p)
		}
		dst = dst[:head+k]
		total += w
	}
	b.normalise(dst[head:], total)
	return dst
}

// normalise divides by the weight of the votes and brings rounding errors back into [0, 1].
func (b *ballot) normalise(p []float64, weight float64) {
	for j := range p {
		p[j] = max(0, min(1, p[j]/weight))
	}
}

func positive(weights []float64) bool {
	for _, w := range weights {
		if w > 0 {
			return true
		}
	}
	return false
}

// teaches reports whether an example can be learned: a finite positive weight and a class that there is.
func (b *ballot) teaches(e *models.Example) bool {
	return e.Weight > 0 && !math.IsInf(e.Weight, 1) && e.Y >= 0 && e.Y < float64(b.classes)
}

// right reports whether the answer names the class y; a probability of ½ is the class 0, and of several greatest ones the
// first counts.
func right(answer []float64, y int) bool {
	if len(answer) == 1 {
		return (answer[0] > 0.5) == (y == 1)
	}
	best := 0
	for c, p := range answer {
		if p > answer[best] {
			best = c
		}
	}
	return best == y
}

// judge is a learner that says, while it learns, whether the answer it would have given was right: it has
// computed that anyway.
type judge interface {
	LearnJudged(e *models.Example) bool
}

// base is one learner of an ensemble with what it needs to say whether it was right.
type base struct {
	learner models.Learner
	judge   judge     // the learner, if it is one
	answer  []float64 // scratch
}

func newBase(l models.Learner) base {
	j, _ := l.(judge)
	return base{learner: l, judge: j}
}

// right reports whether the learner, as it is, answers with the class of the example.
func (b *base) right(e *models.Example, answerLen int) bool {
	b.answer = b.learner.Predict(b.answer[:0], e)
	return right(b.answer[:answerLen], int(e.Y))
}

// learn lets the learner learn and reports whether it was right before.
func (b *base) learn(e *models.Example, answerLen int) bool {
	if b.judge != nil {
		return b.judge.LearnJudged(e)
	}
	ok := b.right(e, answerLen)
	b.learner.Learn(e, nil)
	return ok
}

// publishable reports whether a learner can hand out snapshots.
func publishable(l models.Learner) bool {
	_, ok := l.(models.Publisher)
	return ok
}

// freeze is an immutable copy of a ballot: a snapshot of every member. Cost: that of the members' snapshots.
func (b *ballot) freeze(member func(i int) models.Learner) models.Predictor {
	f := *b
	f.members = make([]models.Predictor, len(b.members))
	for i := range f.members {
		f.members[i] = member(i).(models.Publisher).Publish()
	}
	f.weights = append([]float64(nil), b.weights...)
	return &f
}

// freshLearner makes a new member with a seed of its own.
type freshLearner func(seed uint64) (models.Learner, error)

// maker makes members by the parameter `model`.
func maker(a models.Args, env models.Env) freshLearner {
	return func(seed uint64) (models.Learner, error) {
		e := env
		e.Seed = seed
		return a.Model(baseParam.Name, e)
	}
}
