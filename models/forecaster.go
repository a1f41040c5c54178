package models

import "github.com/freshet-ml/freshet/internal/codec"

// Forecaster is what a model of the task forecast is: parameters that all series of a fleet share. It is immutable and safe for any number
// of goroutines. What is known of one series is a Series, which lives in the state of its entity (forecast.Keyed), or in memory
// where a file is evaluated. Series count in steps; forecast.Track turns event times into them.
type Forecaster interface {
	// Start returns a series of which nothing is known.
	Start() Series
	// MaxBytes bounds what State of a series saves, whatever it saw.
	MaxBytes() int
}

// Series is the model of one series, owned by one goroutine. It allocates nothing once it has warmed up, but where it is fitted again after twice as many values as before.
type Series interface {
	// Advance goes on by steps ≥ 1. What lies between two observations was not observed: a gap widens the forecast. The first
	// Advance leads to the first step. Cost: O(1) or O(log steps) where the form of the model allows, and bounded for any number of steps.
	Advance(steps int64)
	// Observe takes in a value of the present step; a second one of the same step corrects the state without a step. y is finite.
	// x are the regressors of the step, as many as ForecastEnv.Regressors; borrowed; where one is NaN the value is taken for missing. What the model
	// cannot take (such as a negative count) changes nothing and is counted in Health.Refused.
	Observe(y float64, x []float64)
	// Forecast answers steps after the present one: o.Skip are left out, and the as many that follow as o.Mean has are answered. x are their
	// regressors, a row for each step answered, nil for a model without. It changes nothing that a later answer or hash depends on. Before
	// the first value every number is NaN; after it all are finite, and quantiles rise. Cost: O(1) or O(log) in Skip where the model allows, and bounded.
	Forecast(o *Outlook, x [][]float64)
	// State visits all that future answers depend on. Loading replaces whatever the series held before, reuses its memory, and refuses numbers
	// that no series can have; a series that refused may be loaded again.
	State(s *codec.State)
}

// Outlook is the answer of a forecast. The caller makes it with room for the steps and levels that it asks for, and owns it.
type Outlook struct {
	Skip      int64     // steps ≥ 0 between the present one and the first answered
	Mean      []float64 // by step
	Levels    []float64 // of the quantiles, rising, each in (0, 1); may be empty
	Quantiles []float64 // by step, then level; rising within a step
	Health    Health
}

// NewOutlook returns an outlook for so many steps and these levels, which it borrows.
func NewOutlook(steps int, levels []float64) *Outlook {
	return &Outlook{Mean: make([]float64, steps), Levels: levels, Quantiles: make([]float64, steps*len(levels))}
}

// Health says how good the forecast of a series can be.
type Health struct {
	Status    HealthStatus
	Observed  int64 // values that were taken in
	Refused   int64 // values that the model could not take
	Anomalies int64 // values that were damped because they lay far outside their forecast
	Shifts    int64 // changes of level after which the series learned anew
	Restarts  int64 // times that numbers left their range and the series began anew
	Siblings  int64 // grown series of its group that a young series started from, while that is part of its answers; else 0
}

// The names of what series count as dropped.
const (
	valuesRefused  = "values_refused"
	valuesDamped   = "values_damped"
	seriesRestarts = "series_restarts"
)

// HealthBounds are what the health of a series counts.
var HealthBounds = []Bound{
	{What: valuesRefused, Doc: "values that the model could not take"},
	{What: valuesDamped, Doc: "values that lay so far outside their forecast that they counted less"},
	{What: seriesRestarts, Doc: "times that numbers left their range and a series began anew"},
}

// Dropped adds what was refused, damped or begun anew.
func (h *Health) Dropped(d *Drops) {
	d.Add(valuesRefused, uint64(h.Refused))
	d.Add(valuesDamped, uint64(h.Anomalies))
	d.Add(seriesRestarts, uint64(h.Restarts))
}

// HealthStatus is how far a series can be trusted. Numbers are part of the API.
type HealthStatus uint8

// How far a series can be trusted.
const (
	HealthUnknown HealthStatus = 0 // no value was seen: forecasts are missing (NaN)
	HealthCold    HealthStatus = 1 // too few values for the season: forecasts are simple, intervals wide
	HealthGood    HealthStatus = 2
	HealthShifted HealthStatus = 3 // the level changed a short time ago
)

var healthNames = [...]string{"unknown", "cold", "good", "shifted"}

// String returns the name that answers and commands use.
func (h HealthStatus) String() string {
	if int(h) < len(healthNames) {
		return healthNames[h]
	}
	return "unknown"
}

// Insight is a Series that says more than its forecast: what other models can use as features.
type Insight interface {
	// Level is the present level of the series, without season; NaN before the first value.
	Level() float64
	// Residual is the error of the last one-step forecast and its expected standard deviation; NaN before there is one.
	Residual() (value, deviation float64)
}

// ForecastEnv is what a forecaster is built for.
type ForecastEnv struct {
	Seasons    []int // steps of each season, rising, each ≥ 2; none for a series without
	Horizon    int   // steps that will be asked for at most, ≥ 1: what calibration and weights look at
	Regressors int   // numbers that come with each value and are known for the steps asked for
	Seed       uint64
}
