package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving/client"
)

// outlookFlags are the flags of freshet forecast.
type outlookFlags struct {
	target
	horizon    uint32
	levels     string
	future     []string
	asOf       string
	allowStale bool
}

func (c *cli) forecast() *cobra.Command {
	f := &outlookFlags{}
	cmd := &cobra.Command{
		Use:   "forecast MODEL KEY=VALUE ...",
		Short: "Forecast a series",
		Long: "Asks a model of the task forecast of the running service for the steps ahead of one series, with quantiles, and says\n" +
			"how good and fresh the series is. A model with regressors must be told their values in each of these steps.",
		Example: "  freshet forecast demand store=berlin product=42 --horizon 14\n" +
			"  freshet forecast demand store=berlin product=42 --horizon 2 --levels 0.05,0.95 --future price=9.5,8",
		Args: arguments(2, -1, "the name of a forecast, and KEY=VALUE for each of its key fields"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.runForecast(cmd, f, args[0], args[1:]) },
	}
	f.target.flags(cmd)
	cmd.Flags().Uint32Var(&f.horizon, "horizon", 1, "steps to forecast, at most the model's horizon")
	cmd.Flags().StringVar(&f.levels, "levels", "", "quantiles, such as 0.1,0.5,0.9 (default: those of the model)")
	cmd.Flags().StringArrayVar(&f.future, "future", nil, "REGRESSOR=X,Y,...: a regressor in each step asked for; once for each regressor")
	cmd.Flags().StringVar(&f.asOf, "as-of", "", "forecast the steps after this time (default: now)")
	cmd.Flags().BoolVar(&f.allowStale, "allow-stale", false, "answer also while series are being rebuilt")
	return cmd
}

func (c *cli) runForecast(cmd *cobra.Command, f *outlookFlags, model string, args []string) error {
	if err := assignments(args); err != nil {
		return err
	}
	req := &freshetv1.ForecastRequest{Model: model, Horizon: f.horizon, AllowStale: f.allowStale}
	var err error
	if req.AsOf, err = asOf(f.asOf); err != nil {
		return err
	}
	if req.Quantiles, err = numberList("--levels", f.levels); err != nil {
		return err
	}
	if req.Future, err = futureOf(f.future); err != nil {
		return err
	}
	cl, err := c.dial(cmd, &f.target)
	if err != nil {
		return err
	}
	defer cl.Close()
	about, err := cl.GetModel(cmd.Context(), &freshetv1.GetModelRequest{Name: model})
	if err != nil {
		return err
	}
	if req.Key, err = client.ParseFields(about.GetFields(), args); err != nil {
		return usagef("model %s: %w", model, err)
	}
	answer, err := cl.Forecast(cmd.Context(), req)
	if err != nil {
		return err
	}
	if c.json() {
		return c.writeProto(answer)
	}
	return c.writeForecast(answer)
}

// numberList reads a list such as 0.1,0.9; none of an empty text.
func numberList(flag, text string) ([]float64, error) {
	if text == "" {
		return nil, nil
	}
	var list []float64
	for i, word := range strings.Split(text, ",") {
		x, err := strconv.ParseFloat(strings.TrimSpace(word), 64)
		if err != nil {
			return nil, usagef("%s: value %d, %q, is no number", flag, i+1, strings.TrimSpace(word))
		}
		list = append(list, x)
	}
	return list, nil
}

// futureOf turns regressors with their values by step into steps with their values by regressor.
func futureOf(texts []string) ([]*freshetv1.FutureStep, error) {
	var steps []*freshetv1.FutureStep
	for _, text := range texts {
		at := strings.LastIndex(text, "=") // an expression may have others before it
		if at <= 0 {
			return nil, usagef("--future: %q: write REGRESSOR=X,Y,...", text)
		}
		name := text[:at]
		list, err := numberList("--future "+name, text[at+1:])
		if err != nil {
			return nil, err
		}
		for len(steps) < len(list) {
			steps = append(steps, &freshetv1.FutureStep{Regressors: map[string]float64{}})
		}
		for i, x := range list {
			steps[i].Regressors[name] = x
		}
	}
	return steps, nil
}

func (c *cli) writeForecast(r *freshetv1.ForecastResponse) error {
	header := []string{"STEP", "STARTS", "MEAN"}
	for _, q := range r.GetLevels() {
		header = append(header, strconv.FormatFloat(100*q, 'g', 6, 64)+"%")
	}
	t := c.table(header...)
	for i, s := range r.GetSteps() {
		row := []string{strconv.Itoa(i + 1), when(s.GetStart()), decimals(s.GetMean())}
		for _, q := range s.GetQuantiles() {
			row = append(row, decimals(q))
		}
		t.row(row...)
	}
	if err := t.flush(); err != nil {
		return err
	}
	h := r.GetHealth()
	note := fmt.Sprintf("%s: %s", strings.ToLower(h.GetStatus().String()), plural(int(h.GetObserved()), "value"))
	for _, x := range []struct {
		n    uint64
		what string
	}{{h.GetLate(), "too late"}, {h.GetRefused(), "refused"}, {h.GetAnomalies(), "far outside their forecast"}, {h.GetShifts(), "changes of level"}, {h.GetRestarts(), "restarts"}} {
		if x.n > 0 {
			note += fmt.Sprintf(", %d %s", x.n, x.what)
		}
	}
	if n := h.GetSiblings(); n > 0 {
		note += ", started from its group of " + plural(int(n), "key")
	}
	note += fmt.Sprintf("; newest %s, %s before %s", when(r.GetNewestEvent()), lasting(r.GetAge()), when(r.GetAsOf()))
	if r.GetStale() {
		note += "; STALE: series are being rebuilt"
	}
	c.note("%s", note)
	return nil
}
