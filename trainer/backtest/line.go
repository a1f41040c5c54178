package backtest

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/models/metric"
	"github.com/freshet-ml/freshet/trainer"
)

// line folds the example log of one trigger into its models and scores their answers. It belongs to one
// goroutine, but for answered.
type line struct {
	trigger   *trainer.Trigger
	fold      *fold.Fold
	scorers   []*scorer
	of        map[*fold.Member]*scorer
	window    window
	slots     map[uint64]int32 // of examples that wait, by Seq
	waiting   []waitingExample
	free      []int32
	predicted int64
	delays    []int32 // examples predicted between an answer and its label, of scored examples
	seconds   []float32
	candidate string
	tell      func(*Prediction) error
	told      Prediction
	vectors   func(key uint64, vector []float64)
	detail    *detail // nil: no details
}

type waitingExample struct {
	index int64 // ordinal among the predictions
	time  int64
	left  int // labels that are still to end
}

// window is what is scored: triggers with from ≤ event time < to.
type window struct{ from, to int64 }

// scorer keeps the waiting answers of one model and what became of them.
type scorer struct {
	spec     *fold.Member
	width    int
	answers  []float64 // of waiting examples, by slot
	set      *metric.Set
	months   *metric.Periods
	losses   []scored
	unscored uint64
	invalid  float64
	detail   *scorerDetail
}

// scored is the loss of one answer. key names the example across models and candidates.
type scored struct {
	key  uint64
	loss float64
}

// maxMonths bounds the months of a report: a hundred years.
const maxMonths = 1200

func newLine(t *trainer.Trigger, months bool) (*line, error) {
	f, err := fold.New(t.Vector.Schema, t.Members)
	if err != nil {
		return nil, err
	}
	l := &line{trigger: t, fold: f, slots: map[uint64]int32{}, of: map[*fold.Member]*scorer{}}
	for i := range t.Members {
		m := &t.Members[i]
		s := &scorer{spec: m, width: m.AnswerLen(), set: m.Scores()}
		if months {
			s.months = m.Months(maxMonths)
		}
		l.scorers = append(l.scorers, s)
		l.of[m] = s
	}
	f.OnAnswer(l.answered)
	return l, nil
}

// answered keeps an answer until its label comes. It is called from several goroutines, for each model from one.
func (l *line) answered(m *fold.Member, e *fold.Entry, answer []float64) {
	slot, ok := l.slots[e.Seq]
	if !ok {
		return
	}
	s := l.of[m]
	if need := (int(slot) + 1) * s.width; need > len(s.answers) {
		s.answers = slices.Grow(s.answers, need-len(s.answers))[:max(need, cap(s.answers)/2)]
	}
	copy(s.answers[int(slot)*s.width:], answer[:s.width])
}

// apply folds the next entries, with the models spread over workers.
func (l *line) apply(entries []fold.Entry, workers int) error {
	for i := range entries {
		e := &entries[i]
		if e.Kind == fold.Predict {
			l.predicted++
			if e.ID != "" && e.Flags&fold.NotLearned == 0 && len(l.trigger.Labels) > 0 {
				l.slots[e.Seq] = l.slot(e)
			}
		}
	}
	if err := l.fold.ApplyAll(entries, workers); err != nil {
		return err
	}
	// The number of predictions at an entry: what was counted above, less those that come after it here.
	after := int64(0)
	for i := range entries {
		if entries[i].Kind == fold.Predict {
			after++
		}
	}
	for i := range entries {
		e := &entries[i]
		switch e.Kind {
		case fold.Predict:
			after--
			l.detail.predicted(e)
			if l.vectors != nil {
				l.vectors(exampleKey(e.Key, e.Time), e.Vector)
			}
		case fold.Learn:
			if err := l.learn(e, l.predicted-after); err != nil {
				return err
			}
		case fold.Close:
			l.end(e.Ref)
		}
	}
	return nil
}

func (l *line) slot(e *fold.Entry) int32 {
	w := waitingExample{index: l.predicted, time: e.Time, left: len(l.trigger.Labels)}
	if n := len(l.free); n > 0 {
		slot := l.free[n-1]
		l.free = l.free[:n-1]
		l.waiting[slot] = w
		return slot
	}
	l.waiting = append(l.waiting, w)
	return int32(len(l.waiting) - 1)
}

// end tells that one label of an example brings nothing more.
func (l *line) end(ref uint64) {
	slot, ok := l.slots[ref]
	if !ok {
		return
	}
	if l.waiting[slot].left--; l.waiting[slot].left == 0 {
		delete(l.slots, ref)
		l.free = append(l.free, slot)
	}
}

// exampleKey names an example by its id and event time.
func exampleKey(id uint64, t int64) uint64 { return id ^ features.Mix(uint64(t)) }

func (l *line) learn(e *fold.Entry, predicted int64) error {
	slot, ok := l.slots[e.Ref]
	if ok && e.Flags&fold.Correction == 0 {
		in := e.Taken >= l.window.from && e.Taken < l.window.to
		if in {
			l.delays = append(l.delays, int32(min(predicted-l.waiting[slot].index, math.MaxInt32)))
			if e.Flags&fold.Assumed == 0 { // that one took nothing but the wait
				l.seconds = append(l.seconds, float32(float64(e.Time-e.Taken)/1e6))
			}
		}
		for _, s := range l.scorers {
			if s.spec.Label != int(e.Label) {
				continue
			}
			answer := s.answers[int(slot)*s.width:][:s.width]
			s.add(e, answer, in, l.detail)
			if err := l.report(s, e, answer, in); err != nil {
				return err
			}
		}
	}
	if e.Flags&fold.Final != 0 {
		l.end(e.Ref)
	}
	return nil
}

func (l *line) report(s *scorer, e *fold.Entry, answer []float64, in bool) error {
	if l.tell == nil {
		return nil
	}
	l.told = Prediction{Candidate: l.candidate, Trigger: l.trigger.Name, Model: s.spec.Name, ID: e.ID, Time: e.Taken, LabelTime: e.Time,
		Label: e.Y, Answer: answer, Scored: in}
	return l.tell(&l.told)
}

func (s *scorer) add(e *fold.Entry, answer []float64, in bool, d *detail) {
	switch {
	case !in:
		s.unscored++
		return
	case !allFinite(answer):
		s.invalid++
		return
	}
	s.set.Add(e.Y, answer, 1)
	if s.months != nil {
		s.months.Add(e.Taken, e.Y, answer, 1)
	}
	loss := lossOf(s.spec.Task, e.Y, answer)
	s.losses = append(s.losses, scored{key: exampleKey(e.Key, e.Taken), loss: loss})
	if d != nil {
		s.detail.add(d, e, answer, loss)
	}
}

// collect makes the line collect details.
func (l *line) collect(o *Options) {
	l.detail = o.newDetail(trigger{l.trigger.Name, l.trigger.Vector.Schema, l.trigger.Measures})
	for _, s := range l.scorers {
		s.detail = newScorerDetail(s.spec.Task, len(l.detail.columns))
	}
	l.fold.OnScored(func(told *fold.Scoring) {
		if told.Taken >= l.window.from && told.Taken < l.window.to {
			l.of[told.Model].detail.heard(told)
		}
	})
}

func allFinite(v []float64) bool {
	for _, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}

// lossOf is the log-loss of an answer of a classifier, the absolute error of any other.
func lossOf(task models.Task, y float64, answer []float64) float64 {
	switch {
	case task == models.Binary:
		return metric.BinaryLogLoss(y, answer[0])
	case task == models.Multiclass && y >= 0 && int(y) < len(answer):
		return metric.ClassLogLoss(int(y), answer)
	}
	return math.Abs(y - answer[0])
}

func lossName(task models.Task) string {
	if task == models.Binary || task == models.Multiclass {
		return "log_loss"
	}
	return "absolute_error"
}

// quantile returns the smallest value with at least the share q of all values at or below it; 0 without values.
// It sorts a copy.
func quantile[T int32 | float32](values []T, q float64) T {
	if len(values) == 0 {
		return 0
	}
	s := slices.Clone(values)
	slices.Sort(s)
	return s[min(int(math.Ceil(q*float64(len(s))))-1, len(s)-1)]
}
