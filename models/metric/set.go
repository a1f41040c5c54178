// Package metric scores answers against labels: cumulative, and for each calendar month of event time.
//
// It stands at the end of the flow: models/fold and the evaluation of files hand it each label with the
// answer that was given before the label was known. A metric is one file: what it is, its formula, its
// special cases and its source. Scores are states (saved, loaded and hashed by the codec) of their own:
// they are never a part of a model's hash, so that a new metric changes no model.
//
// Conventions. Every answer counts, the first one too. The class that a binary answer stands for is 1
// when p > 0.5, else 0; that of a multiclass answer is the first of the greatest probabilities. A metric
// that is not defined yet (no example, one class only, no spread) is NaN. Answers that are not finite
// are counted by Invalid and scored nowhere else; a report must show that number.
package metric

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Named is one metric with its value.
type Named struct {
	Name  string
	Value float64
}

// Set is all metrics of one task. It belongs to one goroutine.
type Set struct {
	task    models.Task
	classes int
	entries []entry
	invalid float64 // weight of answers that are not finite or have the wrong length
	events  uint64
	weight  float64

	tally       tally
	losses      losses
	reliability reliability
	scores      scoreBins
	errors      residuals
	quantiles   *quantiles // nil: answers have none
}

// entry is one line of the catalogue: which tasks a metric is for and how it is read off the sums.
type entry struct {
	name  string
	tasks taskSet
	value func(*Set) float64
}

type taskSet uint

func tasks(list ...models.Task) taskSet {
	var s taskSet
	for _, t := range list {
		s |= 1 << t
	}
	return s
}

func (s taskSet) has(t models.Task) bool { return s&(1<<t) != 0 }

var (
	classification = tasks(models.Binary, models.Multiclass)
	ranking        = tasks(models.Binary, models.Anomaly)
	numbers        = tasks(models.Regression, models.Forecast)
)

// catalogue is the order in which Values lists the metrics.
var catalogue = []entry{
	{"accuracy", classification, accuracy},
	{"balanced_accuracy", classification, balancedAccuracy},
	{"kappa", classification, kappa},
	{"kappa_t", classification, kappaT},
	{"kappa_m", classification, kappaM},
	{"f1", classification, f1},
	{"precision", classification, precision},
	{"recall", classification, recall},
	{"mcc", classification, mcc},
	{"g_mean", classification, gMean},
	{"log_loss", classification, logLoss},
	{"brier", classification, brier},
	{"ece", classification, ece},
	{"roc_auc", ranking, rocAUC},
	{"pr_auc", ranking, prAUC},
	{"mae", numbers, mae},
	{"rmse", numbers, rmse},
	{"r2", numbers, r2},
	{"smape", numbers, smape},
}

// entriesOf is the catalogue by task.
var entriesOf = func() map[models.Task][]entry {
	of := map[models.Task][]entry{}
	for _, task := range []models.Task{models.Binary, models.Multiclass, models.Regression, models.Forecast, models.Anomaly} {
		for _, e := range catalogue {
			if e.tasks.has(task) {
				of[task] = append(of[task], e)
			}
		}
	}
	return of
}()

// New returns the empty set of a task. classes is the number of classes of a Multiclass task and is
// ignored for others. It panics for a task without metrics or fewer than two classes, which are
// mistakes of the caller.
func New(task models.Task, classes int) *Set {
	switch task {
	case models.Multiclass:
		if classes < 2 {
			panic("metric: a multiclass set needs two classes or more")
		}
	case models.Binary, models.Anomaly:
		classes = 2
	case models.Regression, models.Forecast:
		classes = 0
	default:
		panic("metric: no metrics for this task")
	}
	s := &Set{task: task, classes: classes, entries: entriesOf[task]}
	s.tally.init(classes)
	return s
}

// Add scores one answer. y is the label (a class index, or a number), answer what the model's Predict
// appended, weight its weight (≥ 0; 0 or less, or NaN, scores nothing). It allocates nothing in steady state:
// a block of score bins is made the first time that a score falls into it, at most 64 times.
func (s *Set) Add(y float64, answer []float64, weight float64) {
	if !(weight > 0) || math.IsInf(weight, 1) {
		return
	}
	if !s.valid(y, answer) {
		s.invalid += weight
		return
	}
	s.events++
	s.weight += weight
	switch s.task {
	case models.Binary:
		s.addBinary(y, answer[0], weight)
	case models.Multiclass:
		s.addMulticlass(int(y), answer, weight)
	case models.Anomaly:
		s.scores.add(y > 0.5, answer[0], weight)
	default:
		s.errors.add(y, answer[0], weight)
		if s.quantiles != nil {
			s.quantiles.add(y, answer[1:], weight)
		}
	}
}

func (s *Set) valid(y float64, answer []float64) bool {
	want := 1
	if s.task == models.Multiclass {
		want = s.classes
	}
	if s.quantiles != nil {
		want = 1 + len(s.quantiles.levels)
	}
	if len(answer) < want || !finite(y) {
		return false
	}
	if s.classes > 0 && (y < 0 || y >= float64(s.classes) || y != math.Trunc(y)) {
		return false
	}
	for _, a := range answer[:want] {
		if !finite(a) {
			return false
		}
	}
	return true
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func (s *Set) addBinary(y, p, weight float64) {
	predicted := 0
	if p > 0.5 {
		predicted = 1
	}
	s.tally.add(int(y), predicted, weight)
	s.losses.add(BinaryLogLoss(y, p), float64((p-y)*(p-y)), weight)
	s.reliability.add(p, y, weight)
	s.scores.add(y == 1, p, weight)
}

func (s *Set) addMulticlass(y int, answer []float64, weight float64) {
	predicted, squares := 0, 0.0
	for c, p := range answer[:s.classes] {
		if p > answer[predicted] {
			predicted = c
		}
		if c == y {
			p--
		}
		squares += float64(p * p)
	}
	hit := 0.0
	if predicted == y {
		hit = 1
	}
	s.tally.add(y, predicted, weight)
	s.losses.add(ClassLogLoss(y, answer), squares, weight)
	s.reliability.add(answer[predicted], hit, weight)
}

// Events returns the number of answers scored.
func (s *Set) Events() uint64 { return s.events }

// Weight returns the sum of weights of the answers scored.
func (s *Set) Weight() float64 { return s.weight }

// Invalid returns the sum of weights of answers that could not be scored: not finite, too short, or a label that is no class.
func (s *Set) Invalid() float64 { return s.invalid }

// Values returns all metrics in the order of the catalogue. It allocates; AppendValues does not.
func (s *Set) Values() []Named { return s.AppendValues(make([]Named, 0, len(s.entries))) }

// AppendValues appends all metrics to dst in the order of the catalogue. Cost: that of reading the
// 16,384 score bins for a task with roc_auc.
func (s *Set) AppendValues(dst []Named) []Named {
	for _, e := range s.entries {
		dst = append(dst, Named{e.name, e.value(s)})
	}
	return dst
}

// Value returns the metric of that name, and false if the task has none.
func (s *Set) Value(name string) (float64, bool) {
	for _, e := range s.entries {
		if e.name == name {
			return e.value(s), true
		}
	}
	return math.NaN(), false
}

// setVersion is the layout of a set's state.
const setVersion = 1

// State visits the sums. Loading into a set of another task or number of classes is an error.
func (s *Set) State(c *codec.State) {
	c.Fixed("metric version", setVersion)
	c.Fixed("task", int(s.task))
	c.Fixed("classes", s.classes)
	c.Uint64(&s.events)
	c.Float64(&s.weight)
	c.Float64(&s.invalid)
	switch {
	case s.task == models.Anomaly:
		s.scores.state(c)
	case s.classes == 0:
		s.errors.state(c)
		if s.quantiles != nil {
			s.quantiles.state(c)
		}
	default:
		s.tally.state(c)
		s.losses.state(c)
		s.reliability.state(c)
		if s.task == models.Binary {
			s.scores.state(c)
		}
	}
}

// ratio is a / b, NaN when b is not positive.
func ratio(a, b float64) float64 {
	if !(b > 0) {
		return math.NaN()
	}
	return a / b
}
