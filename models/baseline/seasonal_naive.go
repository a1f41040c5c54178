package baseline

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/cow"
)

// SeasonalNaiveComponent is the catalogue entry of SeasonalNaive.
var SeasonalNaiveComponent = models.Component{
	Name: "seasonal_naive", Kind: models.ModelKind, Tasks: []models.Task{models.Regression}, Fold: 1, NoColumns: true,
	Doc: "Answers with the label that was learned one season before the next: of the last `season` labels the oldest. Until there are so many, with the newest. " +
		"Examples must come at equal steps of one series, without label delay; for series by key and by time, see the forecasters of features. Features do not matter.",
	Cost: "O(1)", Memory: "8 bytes per example of a season", Source: "definition",
	Params: []models.Param{{Name: "season", Default: 24, Range: models.Between(1, 1<<20), Unit: "examples", Doc: "length of a season"}},
	NewModel: func(a models.Args, _ models.Env) (models.Learner, error) {
		return NewSeasonalNaive(a.Int("season")), nil
	},
}

const pageLabels = 64

// SeasonalNaive answers with the label of a season ago. It implements models.Learner and models.Publisher.
type SeasonalNaive struct {
	labels cow.Pages[float64]
	season int
	head   int // the oldest label, which the next replaces
	n      int
}

// NewSeasonalNaive returns the baseline; season is at least 1.
func NewSeasonalNaive(season int) *SeasonalNaive {
	return &SeasonalNaive{labels: cow.New[float64]((season+pageLabels-1)/pageLabels, pageLabels), season: season}
}

func (m *SeasonalNaive) at(i int) float64 { return m.labels.Page(i / pageLabels)[i%pageLabels] }

// Predict appends the label of a season ago, 0 before the first.
func (m *SeasonalNaive) Predict(dst []float64, _ *models.Example) []float64 {
	if m.n < m.season && m.n > 0 {
		return append(dst, m.at(m.n-1))
	}
	return append(dst, m.at(m.head))
}

// Observe does nothing.
func (m *SeasonalNaive) Observe(*models.Example) {}

// Learn keeps the label.
func (m *SeasonalNaive) Learn(e *models.Example, _ []float64) {
	if !(e.Weight > 0) || e.Y != e.Y {
		return
	}
	m.labels.Own(m.head / pageLabels)[m.head%pageLabels] = bounded(e.Y)
	m.n = min(m.n+1, m.season)
	if m.head++; m.head == m.season {
		m.head = 0
	}
}

// State visits the labels.
func (m *SeasonalNaive) State(s *codec.State) {
	s.Fixed("season of seasonal_naive", m.season)
	m.n = s.Len(m.n, 8, m.season)
	m.head = s.Len(m.head, 0, m.season-1)
	if s.Loading() && m.n < m.season && m.head != m.n {
		s.Fail("seasonal_naive: %d labels with head %d", m.n, m.head)
		m.head = m.n
	}
	for i := range m.season {
		v := &m.labels.Own(i / pageLabels)[i%pageLabels]
		if i >= m.n {
			if s.Loading() {
				*v = 0
			}
			continue
		}
		s.Float64(v)
		if s.Loading() && !(math.Abs(*v) <= maxLabel) {
			s.Fail("seasonal_naive: label %v", *v)
			*v = 0
		}
	}
}

// Publish shares the labels; the next one copies a page of 64.
func (m *SeasonalNaive) Publish() models.Predictor {
	c := *m
	c.labels = m.labels.Share()
	return &c
}
