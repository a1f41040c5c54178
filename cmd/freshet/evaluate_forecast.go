package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/trainer/evaluate"
	"github.com/freshet-ml/freshet/trainer/evaluate/forecasts"
)

const forecastLong = "With --task forecast the file holds series: a row for each value (--time, --key, --target), for each series (an id, then\n" +
	"its values, as M4 has them), or for each time (--time, then a column for each series). Each series is learned value by value, without\n" +
	"fitting anew, and forecast --horizon steps ahead: before the values of --test, else before its last ones, or at more --origins."

const forecastExample = "  freshet evaluate --task forecast --data sales.csv --time day --key shop --target sold --horizon 14 --season 7\n" +
	"  freshet evaluate --task forecast --data m4_hourly_train.csv.gz --test m4_hourly_test.csv.gz --horizon 48 --season 24,168 \\\n" +
	"    --model forecaster_bank --model seasonal_naive --plot hourly.html"

// forecastFlags are the flags for the task forecast.
type forecastFlags struct {
	test, layout, step, zone, repeat, origins, byKey string
	snap                                             bool
	horizon, stride, warmUp                          int
	seasons                                          []int
	levels                                           []float64
	regressors, plotKeys                             []string
}

// forecastOnly are flags that other tasks do not have, notForecast those that forecasts do not have.
var (
	forecastOnly = []string{"test", "layout", "step", "zone", "snap", "repeated", "horizon", "season", "origins", "stride", "warm-up", "levels", "regressors", "by-key", "plot-key"}
	notForecast  = []string{"classes", "categorical", "numeric", "text", "max-categories", "label-delay", "recent"}
)

func (f *forecastFlags) register(flags *pflag.FlagSet) {
	flags.IntVar(&f.horizon, "horizon", 0, fmt.Sprintf("forecast: steps ahead, 1 to %d", forecasts.MaxHorizon))
	flags.IntSliceVar(&f.seasons, "season", nil, "forecast: steps of each season, such as 24,168; errors are scaled by the first")
	flags.StringVar(&f.test, "test", "", "forecast: a file with the values after those of --data, joined by key and time, or by place where rows or columns are series without times")
	flags.StringVar(&f.origins, "origins", "last", "forecast: where forecasts begin: last, the last N, or all")
	flags.IntVar(&f.stride, "stride", 1, "forecast: rows from one origin to the next")
	flags.IntVar(&f.warmUp, "warm-up", 0, "forecast: values of a series before its first origin (default: two of the longest season for all, else 1)")
	flags.StringVar(&f.layout, "layout", "", "forecast: long, rows or columns: what is a row for each value, series or time (default: what the names of the columns say)")
	flags.StringVar(&f.step, "step", "", "forecast: length of a step: 15m, 1h, 1d, 1w, 1mo, 1q, 1y, or a number where times are numbers (default: found from the times)")
	flags.StringVar(&f.zone, "zone", "", "forecast: zone of times without an offset, such as Europe/Berlin (default UTC)")
	flags.BoolVar(&f.snap, "snap", false, "forecast: times belong to the step they lie in, instead of having to fit it")
	flags.StringVar(&f.repeat, "repeated", "error", "forecast: what several values of a key and step are: error, first, last, mean or sum")
	flags.StringSliceVar(&f.regressors, "regressors", nil, "forecast: columns of numbers that are known for the steps ahead")
	numbersFlag(flags, &f.levels, "levels", nil, "forecast: quantiles to report (default 0.025,0.1,0.5,0.9,0.975)")
	flags.StringVar(&f.byKey, "by-key", "", "forecast: write the scores of each series to this CSV file")
	flags.StringArrayVar(&f.plotKeys, "plot-key", nil, "forecast: a series that --plot draws; may be given several times (default: the first)")
}

// only refuses flags that were given and are for another task.
func only(cmd *cobra.Command, why string, flags []string) error {
	for _, name := range flags {
		if cmd.Flags().Changed(name) {
			return usagef("--%s %s", name, why)
		}
	}
	return nil
}

// runForecasts evaluates forecasters.
func (c *cli) runForecasts(cmd *cobra.Command, f *evaluateFlags, from evaluate.Options, bounds []bound) error {
	if err := only(cmd, "is not for --task forecast", notForecast); err != nil {
		return err
	}
	o, err := f.forecast.options(&from)
	if err != nil {
		return err
	}
	o.Plot = f.plot
	if err := forecastModels(f.models, &o); err != nil {
		return err
	}
	p := c.progress()
	curve := forecasts.NewCurveTable(c.stdout)
	streams := o.Every > 0 && !c.json()
	if streams {
		o.OnPoint = func(at *forecasts.CurvePoint) error {
			p.clear()
			return curve.Point(at)
		}
	}
	report, err := forecasts.Run(cmd.Context(), o, p.evaluation("value"))
	p.clear()
	if err != nil {
		return err
	}
	switch {
	case c.json():
		err = c.writeJSON(report)
	case streams:
		err = errors.Join(curve.End(), report.Summary(c.stdout))
	default:
		err = report.Table(c.stdout)
	}
	return errors.Join(err, holds(bounds, report.Metrics))
}

// options are those of the flags that have nothing to do with models.
func (f *forecastFlags) options(from *evaluate.Options) (forecasts.Options, error) {
	o := forecasts.Options{Path: from.Path, Reader: from.Reader, Format: from.Format, Time: from.Time, Key: from.Key, Target: from.Target, Drop: from.Drop, Seed: from.Seed, Limit: from.Limit, Every: from.Every,
		Predictions: from.Predictions, Save: from.Save, Load: from.Load, Test: f.test, Layout: f.layout, Step: f.step, Snap: f.snap, Repeat: f.repeat, Regressors: f.regressors,
		Horizon: f.horizon, Seasons: f.seasons, WarmUp: f.warmUp, Levels: f.levels, ByKey: f.byKey, PlotKeys: f.plotKeys}
	if f.horizon < 1 || f.horizon > forecasts.MaxHorizon {
		return o, usagef("--horizon %d: give the steps ahead that are forecast, 1 to %d", f.horizon, forecasts.MaxHorizon)
	}
	if f.stride < 1 {
		return o, usagef("--stride %d: give the rows from one origin to the next, at least 1", f.stride)
	}
	var err error
	if o.Origins, err = forecasts.ParseOrigins(f.origins); err != nil {
		return o, usagef("--%w", err)
	}
	o.Origins.Stride = f.stride
	if f.zone != "" {
		if o.Zone, err = time.LoadLocation(f.zone); err != nil {
			return o, usagef("--zone %s: there is no such time zone: give a name such as Europe/Berlin", strconv.Quote(f.zone))
		}
	}
	return o, nil
}

// forecastModels sets the models of the flags, or those of the loaded states or the default.
func forecastModels(list []string, o *forecasts.Options) error {
	if len(list) == 0 {
		list = []string{forecasts.DefaultModel(catalog.All)}
		if o.Load != "" {
			var err error
			if list[0], err = forecasts.SavedModel(o.Load); err != nil {
				return err
			}
		}
	}
	for i, text := range list {
		spec, err := evaluate.ParseModel(text)
		if err == nil {
			_, err = catalog.Resolve(spec, models.Forecast)
		}
		if err != nil {
			return &codeError{exitUsage, fmt.Errorf("--model: %w", err)}
		}
		if i == 0 {
			o.Model, o.Spec = text, spec
		} else {
			o.Others = append(o.Others, evaluate.Candidate{Model: text, Spec: spec})
		}
	}
	return nil
}
