package forecast

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Answer is the learner that a forecast is where a log is folded: the series live in the states of entities, whose units have put mean and quantiles of the lead into the row, and its answer
// is the row. It learns nothing but how many labels came; its scores are those of the forecaster. A row of missing numbers, of a series that is not known
// yet, is answered with missing numbers.
type Answer struct {
	width   int
	learned uint64
}

// NewAnswer returns the learner for rows of so many columns.
func NewAnswer(width int) *Answer { return &Answer{width: width} }

// Predict appends the row.
func (a *Answer) Predict(dst []float64, e *models.Example) []float64 {
	return answerOf(dst, e, a.width)
}

func answerOf(dst []float64, e *models.Example, width int) []float64 {
	dst = slices.Grow(dst, width)
	for i := range width {
		x := math.NaN()
		if i < len(e.Value) {
			x = e.Value[i]
		}
		dst = append(dst, x)
	}
	return dst
}

// Observe does nothing.
func (*Answer) Observe(*models.Example) {}

// Learn counts.
func (a *Answer) Learn(*models.Example, []float64) { a.learned++ }

// State visits the width and the count.
func (a *Answer) State(s *codec.State) {
	s.Fixed("numbers of a forecast", a.width)
	s.Uint64(&a.learned)
}

// Publish returns what answers.
func (a *Answer) Publish() models.Predictor { return published(a.width) }

type published int

func (p published) Predict(dst []float64, e *models.Example) []float64 {
	return answerOf(dst, e, int(p))
}
