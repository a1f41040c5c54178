package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// evaluateFlags are the flags of freshet evaluate.
type evaluateFlags struct {
	options evaluate.Options
	task    string
	delay   string
	require []string
}

func (c *cli) evaluate() *cobra.Command {
	f := &evaluateFlags{}
	cmd := &cobra.Command{
		Use:   "evaluate --data FILE --target COLUMN [--model SPEC]",
		Short: "Evaluate a model on a file, test-then-train, without any service",
		Long: "Runs a model over the rows of a CSV file (plain, gz or zst): each row is predicted, scored when its\n" +
			"label comes, and then learned. SPEC is what a project file says under pipeline: a name, a list of\n" +
			"transformers and a model, or @FILE. freshet models --catalog lists the names.",
		Example: "  freshet evaluate --data credit.csv --target default\n" +
			"  freshet evaluate --data bikes.csv.gz --target count --label-delay 24h --time at \\\n" +
			"    --model '[standard_scaler, {linear_regression: {optimizer: {sgd: {learning_rate: 0.01}}}}]'",
		Args: arguments(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runEvaluate(cmd, f) },
	}
	o := &f.options
	flags := cmd.Flags()
	flags.StringVarP(&o.Model, "model", "m", "auto", "the model: a SPEC as in pipeline: of a project file, or @FILE")
	flags.StringVarP(&o.Path, "data", "d", "", "the CSV file")
	flags.StringVarP(&o.Target, "target", "t", "", "the column to predict")
	flags.StringVar(&f.task, "task", "", "binary, multiclass, regression or anomaly (default: what the target looks like)")
	flags.StringSliceVar(&o.Drop, "drop", nil, "columns that the model does not see")
	flags.StringSliceVar(&o.Categorical, "categorical", nil, "columns of numbers that are names")
	flags.StringVar(&o.Time, "time", "", "the column of event times")
	flags.StringVar(&o.Key, "key", "", "the column of entity keys")
	flags.StringVar(&f.delay, "label-delay", "0", "how long labels take: a number of events, or a duration such as 36h or 7d")
	flags.Uint64Var(&o.Seed, "seed", 1, "seed of models that draw random numbers")
	flags.Int64Var(&o.Limit, "limit", 0, "rows to read (0: all)")
	flags.StringVar(&o.Predictions, "predictions", "", "write every scored answer to this CSV file")
	flags.StringArrayVar(&f.require, "require", nil, "a metric that must hold, such as 'roc_auc>=0.7' or 'mae<=12'; else the exit code is 4")
	return cmd
}

func (c *cli) runEvaluate(cmd *cobra.Command, f *evaluateFlags) error {
	o := f.options
	if o.Path == "" || o.Target == "" {
		return usagef("%s needs --data FILE and --target COLUMN; see %s --help", cmd.CommandPath(), cmd.CommandPath())
	}
	bounds, err := parseBounds(f.require)
	if err != nil {
		return err
	}
	if o.Task, err = parseTask(f.task); err != nil {
		return err
	}
	if o.Delay, err = evaluate.ParseDelay(f.delay); err != nil {
		return &codeError{exitUsage, fmt.Errorf("--label-delay: %w", err)}
	}
	if o.Spec, err = evaluate.ParseModel(o.Model); err != nil {
		return &codeError{exitUsage, fmt.Errorf("--model: %w", err)}
	}
	if o.Task != 0 {
		if _, err := catalog.Resolve(o.Spec, o.Task); err != nil {
			return &codeError{exitUsage, fmt.Errorf("--model: %w", err)}
		}
	}
	p := c.progress()
	var soFar func() evaluate.Metrics
	o.Watch = func(f func() evaluate.Metrics) { soFar = f }
	report, err := evaluate.Run(cmd.Context(), o, func(rows, all int64) {
		p.update(func() string {
			return fmt.Sprintf("%s of %s events (%.0f%%), %s events/s%s", count(rows), count(all), 100*float64(rows)/float64(max(all, 1)),
				count(int64(p.rate(rows))), topMetrics(soFar()))
		})
	})
	p.clear()
	if err != nil {
		return err
	}
	if c.json() {
		err = c.writeJSON(report)
	} else {
		err = report.Table(c.stdout)
	}
	return errors.Join(err, holds(bounds, report.Metrics))
}

// topMetrics writes the first two metrics of the headline.
func topMetrics(list evaluate.Metrics) string {
	text, n := "", 0
	for _, name := range headline {
		if x := list.Value(name); n < 2 && !math.IsNaN(x) {
			text += fmt.Sprintf(", %s %.4g", name, x)
			n++
		}
	}
	return text
}

func parseTask(name string) (models.Task, error) {
	if name == "" {
		return 0, nil
	}
	task, ok := models.ParseTask(name)
	tasks := []string{"binary", "multiclass", "regression", "anomaly"}
	switch {
	case !ok:
		return 0, usagef("--task: there is no task %q%s", name, didYouMean(name, tasks))
	case task == models.Forecast:
		return 0, usagef("--task forecast: the catalogue has no forecaster that a file can be run through; forecasts are keyed features of a project, and of files %s can be evaluated", strings.Join(tasks, ", "))
	}
	return task, nil
}

// bound is a metric that must hold.
type bound struct {
	metric string
	least  bool
	value  float64
}

func parseBounds(list []string) ([]bound, error) {
	var out []bound
	for _, text := range list {
		name, value, least := strings.Cut(text, ">=")
		if !least {
			var most bool
			if name, value, most = strings.Cut(text, "<="); !most {
				return nil, usagef("--require %q: write METRIC>=VALUE or METRIC<=VALUE", text)
			}
		}
		x, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return nil, usagef("--require %q: %q is no number", text, value)
		}
		out = append(out, bound{strings.TrimSpace(name), least, x})
	}
	return out, nil
}

// holds returns an error that names the metrics that do not hold.
func holds(bounds []bound, metrics evaluate.Metrics) error {
	var failed []string
	for _, b := range bounds {
		var known []string
		found, x := false, math.NaN()
		for _, m := range metrics {
			known = append(known, m.Name)
			if m.Name == b.metric {
				found, x = true, m.Value
			}
		}
		if !found {
			return usagef("--require: no metric %q%s", b.metric, didYouMean(b.metric, known))
		}
		if b.least && x >= b.value || !b.least && x <= b.value {
			continue
		}
		failed = append(failed, fmt.Sprintf("%s is %.6g, at %s %g was required", b.metric, x, map[bool]string{true: "least", false: "most"}[b.least], b.value))
	}
	if len(failed) > 0 {
		return &codeError{exitBelow, errors.New(strings.Join(failed, "; "))}
	}
	return nil
}
