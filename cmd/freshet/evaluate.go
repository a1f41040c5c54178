package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/freshet-ml/freshet/datasets/generator"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/trainer/evaluate"
	"github.com/freshet-ml/freshet/trainer/evaluate/forecasts"
)

// evaluateFlags are the flags of freshet evaluate.
type evaluateFlags struct {
	options evaluate.Options
	models  []string
	task    string
	delay   string
	recent  string
	plot    string
	require []string

	forecast forecastFlags
}

func (c *cli) evaluate() *cobra.Command {
	f := &evaluateFlags{}
	cmd := &cobra.Command{
		Use:   "evaluate --data FILE --target COLUMN [--model SPEC]...",
		Short: "Evaluate models on a file, test-then-train, without any service",
		Long: "Runs a model over the rows of a file: each row is predicted, scored when its label comes, and then learned.\n" +
			"SPEC is what a project file says under pipeline: a name, a list of transformers and a model, or @FILE.\n" +
			"freshet models --catalog lists the names. Several --model run side by side on the same rows; the report gives\n" +
			"the differences of each to the first, with their bands.\n\n" +
			"The file may be CSV (separated by one of , ; tab |), JSON lines, Parquet, ARFF, libsvm or Vowpal Wabbit text, plain,\n" +
			"gz or zst; - is standard input. generator:NAME?PARAMETER=VALUE&... makes rows instead: streams with drift at known\n" +
			"places, such as generator:sea?concept=2&n=20000 (freshet evaluate --data generator: lists them).\n\n" +
			forecastLong,
		Example: "  freshet evaluate --data credit.csv --target default\n" +
			"  freshet evaluate --data bikes.csv.gz --target count --label-delay 24h --time at \\\n" +
			"    --model '[standard_scaler, {linear_regression: {optimizer: {sgd: {learning_rate: 0.01}}}}]'\n" +
			"  freshet evaluate --data 'generator:led?n=20000' --model hoeffding_tree --model majority_class \\\n" +
			"    --every 2000 --plot curve.svg\n" + forecastExample,
		Args: arguments(0, 0, "no arguments (--data names the file)"),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runEvaluate(cmd, f) },
	}
	o := &f.options
	flags := cmd.Flags()
	flags.StringArrayVarP(&f.models, "model", "m", nil, "a model: a SPEC as in pipeline: of a project file, or @FILE; may be given several times (default auto, or the model of --load; of forecasts "+forecasts.DefaultModel(catalog.All)+")")
	flags.StringVarP(&o.Path, "data", "d", "", "the file, - for standard input, or generator:NAME?PARAMETER=VALUE&...")
	flags.StringVar(&o.Format, "format", "", "csv, jsonl, parquet, arff, libsvm or vw (default: what name and beginning of the file say)")
	flags.StringVarP(&o.Target, "target", "t", "", "the column to predict; libsvm, vw, arff and generators have one of their own")
	flags.StringSliceVar(&o.Classes, "classes", nil, "all labels that there may be (default: those of the file)")
	flags.StringVar(&f.task, "task", "", "binary, multiclass, regression, anomaly or forecast (default: what the target looks like)")
	flags.StringSliceVar(&o.Drop, "drop", nil, "columns that the model does not see")
	flags.StringSliceVar(&o.Categorical, "categorical", nil, "columns of numbers that are names")
	flags.StringSliceVar(&o.Numeric, "numeric", nil, "columns that hold numbers: a text there is an error")
	flags.StringSliceVar(&o.Text, "text", nil, "columns of texts, for word_ngrams, char_ngrams and tf_idf; the first 384 bytes of each count")
	flags.IntVar(&o.MaxCategories, "max-categories", evaluate.DefaultCategories, "distinct values that a column of names may have")
	flags.StringVar(&o.Time, "time", "", "the column of event times")
	flags.StringVar(&o.Key, "key", "", "the column of entity keys")
	flags.StringVar(&f.delay, "label-delay", "0", "how long labels take: a number of events, or a duration such as 36h or 7d")
	flags.Uint64Var(&o.Seed, "seed", 1, "seed of models that draw random numbers")
	flags.Int64Var(&o.Limit, "limit", 0, "rows to read (0: all)")
	flags.StringVar(&o.Predictions, "predictions", "", "write every scored answer to this CSV file")
	flags.Int64Var(&o.Every, "every", 0, "show the metrics after each so many labels, of forecasts after so many series, as soon as they are there (0: at the end only)")
	flags.StringVar(&f.recent, "recent", "", "what those metrics are over: a number of events, a duration, or fading:0.999 (default: the labels since the last time)")
	flags.StringVar(&f.plot, "plot", "", "draw them (of forecasts: history, forecasts and intervals of series) to this file, .svg, .png or .html")
	flags.StringVar(&o.Save, "save", "", "write the model's state (of forecasts: those of all series) to this file at the end")
	flags.StringVar(&o.Load, "load", "", "begin with the state of this file, which --save wrote")
	flags.StringArrayVar(&f.require, "require", nil, "a metric that must hold, such as 'roc_auc>=0.7' or 'mae<=12'; else the exit code is 4")
	f.forecast.register(flags)
	return cmd
}

func (c *cli) runEvaluate(cmd *cobra.Command, f *evaluateFlags) error {
	o := f.options
	if o.Path == "generator:" {
		return c.listGenerators()
	}
	if o.Path == "" {
		return usagef("%s needs --data FILE and --target COLUMN; see %s --help", cmd.CommandPath(), cmd.CommandPath())
	}
	if o.Path == "-" {
		o.Path, o.Reader = "", cmd.InOrStdin()
	}
	bounds, err := parseBounds(f.require)
	if err != nil {
		return err
	}
	if f.task == models.Forecast.String() {
		return c.runForecasts(cmd, f, o, bounds)
	}
	if err := only(cmd, "is for --task forecast", forecastOnly); err != nil {
		return err
	}
	if err := f.parse(&o); err != nil {
		return err
	}
	p := c.progress()
	curve := evaluate.NewCurveTable(c.stdout)
	streams := o.Every > 0 && !c.json()
	if streams {
		o.OnPoint = func(at *evaluate.CurvePoint) error {
			p.clear()
			return curve.Point(at)
		}
	}
	report, err := evaluate.Run(cmd.Context(), o, p.evaluation("event"))
	p.clear()
	if err != nil {
		return err
	}
	if f.plot != "" {
		if err := report.Plot(f.plot); err != nil {
			return err
		}
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

// parse reads the flags that are texts.
func (f *evaluateFlags) parse(o *evaluate.Options) error {
	usage := func(flag string, err error) error {
		if err == nil {
			return nil
		}
		return &codeError{exitUsage, fmt.Errorf("%s: %w", flag, err)}
	}
	var err error
	if o.Task, err = parseTask(f.task); err != nil {
		return err
	}
	if o.Delay, err = evaluate.ParseDelay(f.delay); err != nil {
		return usage("--label-delay", err)
	}
	if f.recent != "" {
		if o.Recent, err = evaluate.ParseRecent(f.recent); err != nil {
			return usage("--recent", err)
		}
	}
	if f.plot != "" {
		if o.Every == 0 {
			return usagef("--plot draws the metrics of --every N: give both")
		}
		if err := evaluate.CheckPlot(f.plot); err != nil {
			return usage("--plot", err)
		}
	}
	list := f.models
	if len(list) == 0 {
		list = []string{"auto"}
		if o.Load != "" {
			if list[0], err = evaluate.SavedModel(o.Load); err != nil {
				return err
			}
		}
	}
	for i, text := range list {
		spec, err := evaluate.ParseModel(text)
		if err != nil {
			return usage("--model", err)
		}
		if o.Task != 0 {
			if _, err := catalog.Resolve(spec, o.Task); err != nil {
				return usage("--model", err)
			}
		}
		if i == 0 {
			o.Model, o.Spec = text, spec
		} else {
			o.Others = append(o.Others, evaluate.Candidate{Model: text, Spec: spec})
		}
	}
	return nil
}

// listGenerators shows the generated streams with their parameters.
func (c *cli) listGenerators() error {
	list := generator.Catalog()
	if c.json() {
		type parameter struct {
			Name    string `json:"name"`
			Default any    `json:"default"`
			Doc     string `json:"doc"`
		}
		type stream struct {
			Name       string      `json:"name"`
			Doc        string      `json:"doc"`
			Source     string      `json:"source"`
			Parameters []parameter `json:"parameters"`
		}
		out := []stream{}
		for _, s := range list {
			one := stream{Name: s.Name, Doc: s.Doc, Source: s.Source}
			for _, p := range s.Params {
				var def any = p.Default
				if p.Stream != "" {
					def = p.Stream
				}
				one.Parameters = append(one.Parameters, parameter{p.Name, def, p.Doc})
			}
			out = append(out, one)
		}
		return c.writeJSON(out)
	}
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "%s: %s\n  %s\n", s.Name, s.Doc, s.Source)
		for _, p := range s.Params {
			def := strconv.FormatFloat(p.Default, 'g', -1, 64)
			if p.Stream != "" {
				def = p.Stream
			}
			fmt.Fprintf(&b, "    %s=%s  %s\n", p.Name, def, p.Doc)
		}
	}
	fmt.Fprintf(&b, "All take n=%d, the number of rows.\n", generator.DefaultRows)
	_, err := io.WriteString(c.stdout, b.String())
	return err
}

func parseTask(name string) (models.Task, error) {
	if name == "" {
		return 0, nil
	}
	task, ok := models.ParseTask(name)
	tasks := []string{"binary", "multiclass", "regression", "anomaly", "forecast"}
	if !ok {
		return 0, usagef("--task: there is no task %q%s", name, didYouMean(name, tasks))
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
