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

// Predict appends the weighted mean of the members' answers; the plain one where no member has weight.
// It does not allocate if dst has room for one member's answer more.
func (b *ballot) Predict(dst []float64, e *models.Example) []float64 {
	k, head := models.AnswerLen(b.task, b.classes), len(dst)
	for range k {
		dst = append(dst, 0)
	}
	total, plain := 0.0, b.plain()
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

// count is Predict for answers that were given already, one after the other. The bits are the same.
func (b *ballot) count(dst, answers []float64) []float64 {
	k, head := models.AnswerLen(b.task, b.classes), len(dst)
	for range k {
		dst = append(dst, 0)
	}
	total, plain := 0.0, b.plain()
	for i := range b.members {
		w := 1.0
		if !plain {
			if w = b.weights[i]; w == 0 {
				continue
			}
		}
		for j, p := range answers[i*k : (i+1)*k] {
			dst[head+j] += float64(w * p)
		}
		total += w
	}
	b.normalise(dst[head:], total)
	return dst
}

// plain reports whether all members count alike.
func (b *ballot) plain() bool { return b.weights == nil || !positive(b.weights) }

// normalise divides by the weight of the votes and brings rounding errors of probabilities back into [0, 1].
func (b *ballot) normalise(p []float64, weight float64) {
	for j := range p {
		p[j] /= weight
		if b.task != models.Regression {
			p[j] = max(0, min(1, p[j]))
		}
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

// teaches reports whether an example can be learned: a finite positive weight and a class that there is, or a number.
func (b *ballot) teaches(e *models.Example) bool {
	if b.task == models.Regression {
		return e.Weight > 0 && !math.IsInf(e.Weight, 1) && e.Y-e.Y == 0
	}
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

// judge is a learner that says, while it learns with a weight, whether the answer it would have given was right: it has
// computed that anyway.
type judge interface {
	TrainJudged(e *models.Example, weight float64) bool
}

// base is one learner of an ensemble with what it needs to say whether it was right.
type base struct {
	learner models.Learner
	judge   judge          // the learner, if it is one
	answer  []float64      // scratch
	x       models.Example // scratch: the example with another weight
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

// train lets the learner learn the example with another weight.
func (b *base) train(e *models.Example, weight float64) {
	b.x = *e
	b.x.Weight = weight
	b.learner.Learn(&b.x, nil)
}

// trainJudged is train; it reports whether the learner was right before.
func (b *base) trainJudged(e *models.Example, weight float64, answerLen int) bool {
	if b.judge != nil {
		return b.judge.TrainJudged(e, weight)
	}
	ok := b.right(e, answerLen)
	b.train(e, weight)
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
