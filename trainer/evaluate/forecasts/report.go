package forecasts

import (
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// Report is what an evaluation of forecasters found.
type Report struct {
	Result        // of the first model
	Task   string `json:"task"`
	Events int64  `json:"events"` // values taken in
	// EventsPerSecond is values per second of wall time of everything but reading the file: all models, baselines and scores.
	EventsPerSecond float64 `json:"events_per_second"`

	Layout    string  `json:"layout"`
	Step      string  `json:"step"` // its length
	Seasons   []int   `json:"seasons"`
	Horizon   int     `json:"horizon"`
	Series    int     `json:"series"`
	Forecast  int64   `json:"series_forecast"` // those that had an origin
	Forecasts int64   `json:"forecasts"`       // origins of all series
	Unscaled  int64   `json:"series_unscaled"` // forecast, but before the first origin they repeat themselves or have no season: left out of mase, owa and msis
	Others    []Other `json:"others,omitempty"`

	Baselines []evaluate.Baseline `json:"baselines"`
	Notes     []string            `json:"notes,omitempty"` // what was done with the rows
	Curve     []CurvePoint        `json:"curve,omitempty"`
}

// Result is what was found of one model. LearnNS is for each value, PredictNS for each forecast of a whole horizon with all levels that the scores
// need; both are processor time of the thread. State is that of all series.
type Result struct {
	evaluate.Result
	Health Health        `json:"health"`
	Steps  []StepMetrics `json:"steps"` // by steps ahead
}

// StepMetrics are the metrics of one number of steps ahead.
type StepMetrics struct {
	Step    int              `json:"step"`
	Metrics evaluate.Metrics `json:"metrics"`
}

// Other is a model that ran beside the first. Differences are its losses less the first's, as means over series (30 or more) or forecasts (8 or more); else empty.
type Other struct {
	Result
	Differences []evaluate.Difference `json:"differences"`
}

func (r *run) report(took time.Duration) *Report {
	d := r.data
	rep := &Report{Task: models.Forecast.String(), Events: r.events, EventsPerSecond: float64(r.events) / seconds(took), Layout: d.layout, Step: d.grid.describe(),
		Seasons: append([]int{}, r.o.Seasons...), Horizon: r.o.Horizon, Series: len(d.series), Forecast: r.counts.forecast, Forecasts: r.counts.forecasts, Unscaled: r.counts.unscaled, Notes: r.notes, Curve: r.curve}
	rep.Result = r.result(0)
	for i := 1; i < r.models; i++ {
		rep.Others = append(rep.Others, Other{Result: r.result(i), Differences: r.paired[i-1].bands(r.o, r.panel)})
	}
	for i, m := range r.members[r.models:] {
		rep.Baselines = append(rep.Baselines, evaluate.Baseline{Model: m.name, Metrics: r.scores[r.models+i].metrics(r.reference())})
	}
	if r.models > 1 && r.paired[0].rows < fewest {
		rep.Notes = append(rep.Notes, fmt.Sprintf("differences between models are given from %d forecasts on: take more --origins", fewest))
	}
	if r.counts.short > 0 {
		rep.Notes = append(rep.Notes, fmt.Sprintf("%d series were not forecast: %s", r.counts.short, r.why()))
	}
	if r.counts.unscaled > 0 {
		rep.Notes = append(rep.Notes, fmt.Sprintf("%d series repeat themselves before their first origin, or have less than a season there: left out of mase, owa and msis", r.counts.unscaled))
	}
	if r.counts.refused > 0 {
		rep.Notes = append(rep.Notes, fmt.Sprintf("%d values have a missing regressor: models take them for missing", r.counts.refused))
	}
	return rep
}

func (r *run) why() string {
	if r.o.Test != "" {
		return "the test has no value of them"
	}
	return fmt.Sprintf("they have not %d values before and a horizon of %d after an origin", r.o.warmUp(), r.o.Horizon)
}

func (r *run) reference() *scores {
	if r.naive2 < 0 {
		return nil
	}
	return r.scores[r.naive2]
}

func (r *run) result(i int) Result {
	learn, predict := r.tallies[i].means()
	out := Result{Health: r.health[i]}
	out.Model, out.Metrics, out.LearnNS, out.PredictNS = r.members[i].name, r.scores[i].metrics(r.reference()), learn, predict
	out.StateBytes, out.StateSHA256, out.Invalid = int(r.bytes[i]), hex.EncodeToString(r.sums[i].Sum(nil)), float64(r.scores[i].invalid)
	out.Dropped = r.health[i].dropped()
	for h := 1; h <= r.o.Horizon; h++ {
		if r.scores[i].steps[h-1].abs.n > 0 {
			out.Steps = append(out.Steps, StepMetrics{h, r.scores[i].stepMetrics(h)})
		}
	}
	return out
}

// nothing says why no series can be forecast.
func (r *run) nothing() error {
	longest := 0
	for _, s := range r.data.series {
		longest = max(longest, len(s.points))
	}
	if r.o.Test != "" {
		return fmt.Errorf("test file %s: no series has a value there within the horizon of %d steps after the data: check keys and times of both files", r.o.Test, r.o.Horizon)
	}
	return fmt.Errorf("horizon %d: the longest of %d series has %d rows, and no origin leaves %d values before and a horizon after it: give a smaller --horizon or --warm-up, or the values that follow with --test",
		r.o.Horizon, len(r.data.series), longest, r.o.warmUp())
}

// Table writes the report for people: the curve, one line a metric, other models and the baselines beside the first, then errors by steps ahead.
func (r *Report) Table(w io.Writer) error {
	if err := evaluate.WriteCurve(r.Curve, NewCurveTable(w)); err != nil {
		return err
	}
	return r.Summary(w)
}

// Summary is Table without the curve, for those who have shown it as it grew.
func (r *Report) Summary(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	results := r.results()
	fmt.Fprintf(t, "model\t%s\n", r.Model)
	for i, o := range r.Others {
		fmt.Fprintf(t, "model %d\t%s\n", i+2, o.Model)
	}
	fmt.Fprintf(t, "task\t%s, %d steps of %s ahead%s\n", r.Task, r.Horizon, r.Step, r.seasonsText())
	fmt.Fprintf(t, "series\t%d, %d values\n", r.Series, r.Events)
	fmt.Fprintf(t, "forecasts\t%d, of %d series\n", r.Forecasts, r.Forecast)
	for _, m := range results {
		if m.Invalid > 0 {
			fmt.Fprintf(t, "not scored\t%g steps of %s that are not finite\n", m.Invalid, m.Model)
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintf(t, "note\t%s\n", n)
	}
	r.metrics(t)
	r.steps(t, results)
	fmt.Fprintf(t, "\t\nvalues per second\t%.0f\n", r.EventsPerSecond)
	line := func(name string, value func(*Result) string) {
		fmt.Fprint(t, name)
		for i := range results {
			fmt.Fprintf(t, "\t%s", value(&results[i]))
		}
		fmt.Fprintln(t)
	}
	line("forecast", func(m *Result) string { return fmt.Sprintf("%.0f ns", m.PredictNS) })
	line("learn", func(m *Result) string { return fmt.Sprintf("%.0f ns per value", m.LearnNS) })
	line("health", func(m *Result) string { return m.Health.String() })
	line("state", func(m *Result) string { return fmt.Sprintf("%d bytes", m.StateBytes) })
	line("state sha256", func(m *Result) string { return m.StateSHA256 })
	return t.Flush()
}

func (r *Report) results() []Result {
	out := []Result{r.Result}
	for _, o := range r.Others {
		out = append(out, o.Result)
	}
	return out
}

func (r *Report) seasonsText() string {
	if len(r.Seasons) == 0 {
		return ", no season"
	}
	var list []string
	for _, m := range r.Seasons {
		list = append(list, strconv.Itoa(m))
	}
	return ", season " + strings.Join(list, " and ")
}

// String names what is not 0.
func (h Health) String() string {
	var list []string
	for _, p := range []struct {
		n    int64
		what string
	}{{h.Good, "good"}, {h.Cold, "cold"}, {h.Shifted, "shifted"}, {h.Unknown, "unknown"}, {h.Refused, "values refused"}, {h.Anomalies, "anomalies"}, {h.Shifts, "shifts"}, {h.Restarts, "restarts"}} {
		if p.n > 0 {
			list = append(list, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return strings.Join(list, ", ")
}

// metrics writes the table of metrics, and the differences to the first model.
func (r *Report) metrics(t io.Writer) {
	list, baselines := []evaluate.Column{{Metrics: r.Metrics}}, make([]evaluate.Column, len(r.Baselines))
	for _, o := range r.Others {
		list = append(list, evaluate.Column{Metrics: o.Metrics, Differences: o.Differences})
	}
	for i, b := range r.Baselines {
		baselines[i] = evaluate.Column{Name: b.Model, Metrics: b.Metrics}
	}
	evaluate.WriteMetrics(t, list, baselines)
}

// steps writes a line for some numbers of steps ahead: the first, the last, and doublings between.
func (r *Report) steps(t io.Writer, results []Result) {
	if len(r.Steps) < 2 {
		return
	}
	names := []string{"mae", "mase", "coverage_95"}
	fmt.Fprint(t, "\t\nsteps ahead")
	for i := range results {
		for _, n := range names {
			fmt.Fprintf(t, "\t%s", numbered(n, i))
		}
	}
	fmt.Fprintln(t)
	next := 1
	for k, s := range r.Steps {
		if s.Step < next && k < len(r.Steps)-1 {
			continue
		}
		next = max(2*next, s.Step+1)
		fmt.Fprintf(t, "%d", s.Step)
		for _, m := range results {
			for _, n := range names {
				fmt.Fprintf(t, "\t%s", evaluate.Short(m.at(s.Step).Value(n)))
			}
		}
		fmt.Fprintln(t)
	}
}

// at are the metrics of a number of steps ahead.
func (m *Result) at(step int) evaluate.Metrics {
	for _, s := range m.Steps {
		if s.Step == step {
			return s.Metrics
		}
	}
	return nil
}

// plainList writes the first of many.
func plainList(list []string, most int) string {
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
