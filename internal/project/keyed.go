package project

import (
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/models/forecast"
)

// UnitOptions returns what the entity types of the project share: unit.Compile makes of Entities, FeatureSources and these the columns that
// Columns promises. Its keyed models are those of models/forecast.
func (p *Project) UnitOptions() unit.Options {
	return unit.Options{MaxSkew: p.MaxSkew, Keyed: keyed}
}

// keyed makes the forecaster that a feature names; nil if it names none.
func keyed(f *unit.Feature) (features.Keyed, error) {
	spec := forecast.Find(f.Agg)
	if spec == nil {
		return nil, nil
	}
	return spec.New(forecast.HoltWintersConfig{
		Grid:  forecast.Grid{Period: f.Forecast.Step.Microseconds(), Season: f.Forecast.Season, Horizon: f.Forecast.Horizon},
		Alpha: f.Forecast.Alpha, Beta: f.Forecast.Beta, Gamma: f.Forecast.Gamma, Phi: f.Forecast.Damping,
	})
}

// forecast returns the parameters that the feature's forecaster takes, the others zero.
func (f *Feature) forecast() unit.Forecast {
	spec := find(f.Agg)
	if spec == nil || !f.forecasts() {
		return unit.Forecast{}
	}
	p := unit.Forecast{Step: f.Step, Season: f.Season, Horizon: f.Horizon}
	if uses("alpha")(spec) {
		p.Alpha, p.Beta, p.Gamma, p.Damping = f.Alpha, f.Beta, f.Gamma, f.Damping
	}
	return p
}

// forecasts returns the parameters of the forecasters of an entity, in the order of its features.
func (e *Entity) forecasts() []unit.Forecast {
	var list []unit.Forecast
	for i := range e.Features {
		if e.Features[i].forecasts() {
			list = append(list, e.Features[i].forecast())
		}
	}
	return list
}

// forecasterBytes estimates the section of a forecaster in the state of an entity: after ten steps, and at most.
func (f *Feature) forecasterBytes() (quiet, busy int) {
	model, err := keyed(&unit.Feature{Agg: f.Agg, Forecast: f.forecast()})
	if model == nil || err != nil {
		return 0, 0
	}
	const behind = 12 // length, newest time
	var state []byte
	for i := range int64(10) {
		state = model.Update(state, i*max(f.Step, time.Microsecond).Microseconds(), []float64{1})
	}
	return behind + len(state), behind + model.Shape().MaxBytes
}
