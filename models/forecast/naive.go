package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/baseline"
)

// Components are the forecasters of the catalogue.
var Components = counting(
	SeasonalNaiveComponent,
	HoltWintersComponent,
	ETSComponent,
	ThetaComponent,
	CrostonComponent,
	TSBComponent,
	GammaPoissonComponent,
	NegativeBinomialComponent,
	PoissonLevelComponent,
	EWMAVolatilityComponent,
	GARCHComponent,
	BankComponent,
	UnobservedComponent,
	SARIMAComponent,
	DynamicLinearComponent,
	LocalLevelComponent,
)

// counting declares what the health of a series counts for all but the baseline, which takes every number as it is.
func counting(list ...models.Component) []models.Component {
	for i := range list {
		if list[i].Name != SeasonalNaiveComponent.Name {
			list[i].Bounds = models.HealthBounds
		}
	}
	return list
}

// SeasonalNaiveComponent is the catalogue entry of Naive: for the task regression it is baseline.SeasonalNaive.
var SeasonalNaiveComponent = func() models.Component {
	c := baseline.SeasonalNaiveComponent
	c.Tasks = append([]models.Task{models.Forecast}, c.Tasks...)
	c.Doc = "Answers with the value one season before. forecast: by key and time, for the longest season that is given (none: the newest value), with intervals from the spread of " +
		"its own errors, which grow with the root of the seasons ahead; the yardstick of every other forecaster. regression: with the label that was learned one season before the next: of the last `season` labels the oldest; until there are so " +
		"many, with the newest; examples must come at equal steps of one series, without label delay. Features do not matter."
	c.Memory, c.Source = "8 bytes per step of a season", "Hyndman & Athanasopoulos 2021, §5.2"
	c.Params[0].Doc = "regression: length of a season; forecast takes the seasons of the task"
	c.NewForecaster = func(_ models.Args, env models.ForecastEnv) (models.Forecaster, error) { return NewNaive(env), nil }
	return c
}()

// Naive makes series that answer with the value one season before: y(t+h) = y(t+h−m·⌈h/m⌉), with the variance k·σ² for k = ⌈h/m⌉
// seasons ahead (Hyndman & Athanasopoulos 2021, §5.2 and §5.5). A missing value is what was forecast for it.
type Naive struct{ season int }

// NewNaive returns the forecaster for the longest of the seasons, for none: with the newest value.
func NewNaive(env models.ForecastEnv) *Naive {
	n := &Naive{season: 1}
	if k := len(env.Seasons); k > 0 {
		n.season = env.Seasons[k-1]
	}
	return n
}

// Start returns an empty series.
func (n *Naive) Start() models.Series {
	s := &naive{last: make([]float64, n.season), before: math.NaN()}
	for i := range s.last {
		s.last[i] = math.NaN()
	}
	return s
}

// MaxBytes is a season of values and the spread.
func (n *Naive) MaxBytes() int { return 8*n.season + 64 }

type naive struct {
	last     []float64 // by step modulo season; NaN: never seen
	at       int       // place of the present step
	observed int64
	before   float64 // what the present step would be without its value
	sum      float64 // of squared errors
	errors   float64 // how many
}

// Advance goes on; steps without values keep those of the season before.
func (s *naive) Advance(steps int64) {
	s.at = int((int64(s.at) + steps) % int64(len(s.last)))
	s.before = s.last[s.at]
}

// Observe keeps y for the next season.
func (s *naive) Observe(y float64, _ []float64) {
	y = bounded(y)
	s.observed++
	s.last[s.at] = y
	if e := y - s.before; !math.IsNaN(e) {
		s.sum += e * e
		s.errors++
	}
}

// Forecast answers with the values one season before.
func (s *naive) Forecast(o *models.Outlook, _ [][]float64) {
	o.Health = models.Health{Status: models.HealthGood, Observed: s.observed}
	if s.observed == 0 {
		o.Health.Status = models.HealthUnknown
		setUnknown(o)
		return
	}
	if !(s.errors > 0) {
		o.Health.Status = models.HealthCold
	}
	m := int64(len(s.last))
	for i := range o.Mean {
		ahead := o.Skip + int64(i) + 1
		o.Mean[i] = s.value(int((int64(s.at) + ahead) % m))
		setNormal(o, i, s.deviation()*math.Sqrt(float64((ahead+m-1)/m)))
	}
}

// value is that of a place in the season, or of the nearest place before it that has one.
func (s *naive) value(at int) float64 {
	for range s.last {
		if v := s.last[at]; !math.IsNaN(v) {
			return v
		}
		if at--; at < 0 {
			at = len(s.last) - 1
		}
	}
	return math.NaN()
}

// deviation is the spread of the errors; before there is one, the size of the newest value.
func (s *naive) deviation() float64 {
	if s.errors > 0 {
		return math.Sqrt(s.sum / s.errors)
	}
	return math.Abs(s.value(s.at))
}

// State visits the season and the spread.
func (s *naive) State(c *codec.State) {
	c.Fixed("season of seasonal_naive", len(s.last))
	for i := range s.last {
		c.Float64(&s.last[i])
	}
	s.at = c.Len(s.at, 0, len(s.last)-1)
	c.Int64(&s.observed)
	c.Float64(&s.before)
	c.Float64(&s.sum)
	c.Float64(&s.errors)
	if c.Loading() && (!finite(s.sum) || s.sum < 0 || !finite(s.errors) || s.errors < 0 || s.observed < 0) {
		c.Fail("seasonal_naive: sums %v of %v", s.sum, s.errors)
	}
	for _, v := range s.last {
		if c.Loading() && (math.Abs(v) > maxValue) {
			c.Fail("seasonal_naive: value %v", v)
		}
	}
}
