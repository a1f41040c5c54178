package anomaly

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// GaussianFilterComponent is the catalogue entry of GaussianFilter.
var GaussianFilterComponent = models.Component{
	Name: "gaussian_filter", Kind: models.ModelKind, Tasks: tasks, Fold: 1, NumbersOnly: true,
	Doc: "Takes each column as normal with a mean and a variance that fade; the score is the greatest distance from a mean in standard deviations. " +
		"The threshold is that of independent normal columns, not of the scores seen: where tails are heavy there are more alarms than wanted. An answer above ½ is an alarm. Labels are not used. Missing values are left out.",
	Params: []models.Param{rateParam,
		{Name: "memory", Default: 1000, Range: models.Between(10, 1<<30), Unit: "examples", Doc: "what is older counts less than 1/e for mean and variance"},
		{Name: "warm_up", Default: 100, Range: models.Between(2, 1<<30), Unit: "examples", Doc: "no alarm before so many examples"}},
	Cost: "O(columns)", Memory: "40 bytes per column", Source: "Shewhart 1931; Šidák 1967",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		m, err := NewGaussianFilter(env, a.Float("false_alarm_rate"), a.Int("memory"), a.Int("warm_up"))
		if err != nil {
			return nil, err
		}
		return m, nil
	},
}

// GaussianFilter implements models.Learner and models.Publisher.
type GaussianFilter struct {
	unlabelled
	in     intake
	theta  float64 // deviations from which an example is strange
	warmUp uint64
	seen   uint64
}

// NewGaussianFilter returns an empty detector: alarms for a share rate of normal examples.
func NewGaussianFilter(env models.Env, rate float64, memory, warmUp int) (*GaussianFilter, error) {
	d, err := onlyNumbers("gaussian_filter", env)
	if err != nil {
		return nil, err
	}
	each := -math.Expm1(math.Log1p(-rate) / float64(max(1, d))) // 1 − (1 − rate)^(1/d)
	return &GaussianFilter{in: newIntake(d, memory), theta: math.Sqrt2 * math.Erfcinv(each), warmUp: uint64(warmUp)}, nil
}

// Predict appends how strange the example is.
func (m *GaussianFilter) Predict(dst []float64, e *models.Example) []float64 {
	score := 0.0
	for j := range m.in.stats {
		c, x := &m.in.stats[j], column(e, j)
		if x == x && c.variance > 0 {
			score = max(score, min(maxDeviations, math.Abs(bounded(x)-c.mean)/math.Sqrt(c.variance)))
		}
	}
	return append(dst, alarm{m.theta, m.seen >= m.warmUp}.answer(score))
}

// Observe takes the row in.
func (m *GaussianFilter) Observe(e *models.Example) {
	m.in.observe(e)
	m.seen++
}

// State visits the columns.
func (m *GaussianFilter) State(s *codec.State) {
	m.in.state(s)
	s.Uint64(&m.seen)
}

// Publish copies the columns.
func (m *GaussianFilter) Publish() models.Predictor {
	c := *m
	c.in = m.in.share()
	return &c
}

// QuantileFilterComponent is the catalogue entry of QuantileFilter.
var QuantileFilterComponent = models.Component{
	Name: "quantile_filter", Kind: models.ModelKind, Tasks: tasks, Fold: 1, NumbersOnly: true,
	Doc: "Puts a threshold of its own on the answers of another detector, so that a wanted share of them are alarms; while it alarms, it keeps the example from that detector, which so does not get used to what is strange. " +
		"An answer above ½ is an alarm. Labels are not used. Missing values: as the detector.",
	Params: []models.Param{
		{Name: "model", Part: models.ModelKind, Default: models.Named("half_space_trees"), Doc: "the detector, or a pipeline that ends with one"},
		{Name: "protect", Default: true, Doc: "examples that raise an alarm are not shown to the detector"},
		rateParam, memoryParam,
	},
	Cost: "twice that of the detector", Memory: "that of the detector, and 20 KB", Source: "definition",
	Bounds: []models.Bound{{What: alarmsNotLearned, Doc: "examples that raised an alarm and were not shown to the detector (protect)"}},
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		inner, err := a.Model("model", env)
		if err != nil {
			return nil, err
		}
		m, err := NewQuantileFilter(inner, a.Float("false_alarm_rate"), a.Int("memory"), a.Bool("protect"))
		if err != nil {
			return nil, err
		}
		return m, nil
	},
}

// QuantileFilter implements models.Learner and models.Publisher.
type QuantileFilter struct {
	model   models.Learner
	limits  *Threshold
	protect bool
	kept    uint64 // examples kept from the model
	answer  []float64
}

// NewQuantileFilter returns a filter of the model's answers, which it owns; the model must be a models.Publisher.
func NewQuantileFilter(model models.Learner, rate float64, memory int, protect bool) (*QuantileFilter, error) {
	if _, ok := model.(models.Publisher); !ok {
		return nil, fmt.Errorf("quantile_filter: the model cannot be published")
	}
	return &QuantileFilter{model: model, limits: NewThreshold(rate, memory), protect: protect, answer: make([]float64, 0, 4)}, nil
}

// odds turns an answer back into a score.
func odds(p float64) float64 {
	if p >= 1 {
		return 1 << 20
	}
	return max(0, p/(1-p))
}

// Predict appends how strange the example is.
func (m *QuantileFilter) Predict(dst []float64, e *models.Example) []float64 {
	return filtered(dst, m.model, m.limits.alarm(), e)
}

func filtered(dst []float64, model models.Predictor, a alarm, e *models.Example) []float64 {
	n := len(dst)
	dst = model.Predict(dst, e)
	dst[n] = a.answer(odds(dst[n]))
	return dst[:n+1]
}

// Observe counts the answer, and shows the example to the model unless it raises an alarm.
func (m *QuantileFilter) Observe(e *models.Example) {
	m.answer = m.model.Predict(m.answer[:0], e)
	score := odds(m.answer[0])
	if m.protect && m.limits.alarm().answer(score) > 0.5 {
		m.kept++
	} else {
		m.model.Observe(e)
	}
	m.limits.Add(score)
}

// Learn hands the example to the model.
func (m *QuantileFilter) Learn(e *models.Example, _ []float64) { m.model.Learn(e, nil) }

// Kept is how many examples were kept from the model.
func (m *QuantileFilter) Kept() uint64 { return m.kept }

// Dropped adds the examples that were kept from the model, and its counts.
func (m *QuantileFilter) Dropped(d *models.Drops) {
	d.Add(alarmsNotLearned, m.kept)
	d.Of(m.model)
}

// State visits the model and the threshold.
func (m *QuantileFilter) State(s *codec.State) {
	m.model.State(s)
	m.limits.State(s)
	s.Uint64(&m.kept)
}

// Publish publishes the model.
func (m *QuantileFilter) Publish() models.Predictor {
	return &filterSnapshot{m.model.(models.Publisher).Publish(), m.limits.alarm()}
}

type filterSnapshot struct {
	model models.Predictor
	alarm alarm
}

// Predict answers as the model did when it was published.
func (p *filterSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	return filtered(dst, p.model, p.alarm, e)
}
