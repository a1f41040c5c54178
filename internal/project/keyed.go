package project

import (
	"errors"
	"fmt"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/forecast"
)

// UnitOptions returns what the entity types of the project share: unit.Compile makes of Entities, FeatureSources and these the columns that
// Columns promises.
func (p *Project) UnitOptions() unit.Options { return unit.Options{MaxSkew: p.MaxSkew} }

// keyed makes the forecaster that the feature names; the zero Keyed if it names none. Errors are models.SpecErrors for its parameters.
func (f *Feature) keyed() (unit.Keyed, error) {
	if !f.forecasts() {
		return unit.Keyed{}, nil
	}
	cfg, err := f.forecasting()
	if err != nil {
		return unit.Keyed{}, err
	}
	plan, err := catalog.Resolve(models.Spec{Stages: []models.Stage{{Name: f.Agg, Params: f.With}}}, models.Forecast)
	if err != nil {
		return unit.Keyed{}, err
	}
	model, err := forecast.NewKeyed(plan.Forecaster, cfg)
	if err != nil {
		return unit.Keyed{}, err
	}
	return unit.Keyed{Model: model, Text: plan.Canonical() + fmt.Sprintf(" %+v", cfg), Inputs: f.Regressors, Grouped: f.grouped, Group: f.group}, nil
}

// forecasting returns how the forecaster counts time and what its columns are.
func (f *Feature) forecasting() (forecast.KeyedConfig, error) {
	cfg := forecast.KeyedConfig{Step: f.Step.Microseconds(), Lateness: f.Lateness.Microseconds(), Inputs: len(f.Regressors), Seasons: f.Season,
		Horizon: f.Horizon, Levels: f.Levels, Seed: 1, Group: f.grouped, Calendar: forecast.Calendar{Parts: f.Calendar}}
	for _, text := range f.Holidays {
		day, err := forecast.ParseDay(text)
		if err != nil {
			return cfg, fmt.Errorf("holidays: %w", err)
		}
		cfg.Calendar.Holidays = append(cfg.Calendar.Holidays, day)
	}
	cfg.Calendar.Sort()
	cfg.Aggregate, _ = forecast.ParseAggregate(f.Aggregate) // judged when it was read
	columns := f.Columns
	if len(columns) == 0 {
		columns = []string{"mean"}
	}
	for _, word := range columns {
		switch word {
		case "mean":
			for h := range f.Horizon {
				cfg.Leads = append(cfg.Leads, h+1)
			}
		case "level":
			cfg.Level = true
		case "residual":
			cfg.Residual = true
		case "anomaly":
			cfg.Anomaly = true
		default:
			return cfg, fmt.Errorf("columns: there is no %q: choose among mean, level, residual and anomaly", word)
		}
	}
	if len(cfg.Leads) == 0 && len(f.Levels) > 0 {
		return cfg, errors.New("levels need the column mean: add it to columns, or remove levels")
	}
	if f.leads != nil {
		cfg.Leads = f.leads
	}
	return cfg, nil
}

// parameter reports whether the forecaster has a parameter of that name.
func parameter(forecaster, name string) bool {
	c := catalog.All.Find(forecaster)
	if c == nil || c.NewForecaster == nil {
		return false
	}
	for i := range c.Params {
		if c.Params[i].Name == name {
			return true
		}
	}
	return false
}

// keyedColumns returns what stands behind the name of a forecaster in its columns; nil where it cannot be made.
func (f *Feature) keyedColumns() []string {
	k, err := f.keyed()
	if err != nil || k.Model == nil {
		return nil
	}
	return k.Model.Shape().Columns
}

// forecasts returns what the forecasters of an entity are, in the order of its features.
func (e *Entity) forecasts() []string {
	var list []string
	for i := range e.Features {
		if e.Features[i].forecasts() {
			k, _ := e.Features[i].keyed()
			list = append(list, k.Text, fmt.Sprintf("%q", k.Inputs))
			if k.Grouped {
				list = append(list, fmt.Sprintf("group %q", k.Group))
			}
		}
	}
	return list
}

// forecasterBytes estimates the section of a forecaster in the state of an entity: after ten steps, and at most.
func (f *Feature) forecasterBytes() (quiet, busy int) {
	k, err := f.keyed()
	if k.Model == nil || err != nil {
		return 0, 0
	}
	const behind = 12 // length, newest time
	shape := k.Model.Shape()
	x := make([]float64, shape.Inputs)
	var state []byte
	for i := range int64(10) {
		x[0] = float64(i % 3)
		state, _ = k.Model.Update(state, i*max(f.Step, time.Microsecond).Microseconds(), x)
	}
	return behind + len(state), behind + shape.MaxBytes
}

var _ features.Keyed = (*forecast.Keyed)(nil)
