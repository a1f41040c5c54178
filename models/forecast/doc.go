// Package forecast holds forecasters (models.Forecaster) and what makes series of them: Track turns event times into steps, and Keyed puts a series into the state of an
// entity, a few bytes that its feature unit updates with every event: millions of series whose forecasts are features.
//
// In the flow keyed series stand inside feature units: at a trigger the unit reads the forecast, then updates. They read no clock, so a state is a function
// of the entity's events.
package forecast

// maxSeason and maxHorizon bound the size of a state and of an answer.
const (
	maxSeason  = 1 << 16
	maxHorizon = 1 << 12
)

func finite(x float64) bool { return x-x == 0 }
