package evaluate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
)

// Report is what an evaluation found.
type Report struct {
	Result        // of the first model
	Task   string `json:"task"`
	Events int64  `json:"events"` // rows predicted
	// EventsPerSecond counts everything in wall time, reading the file, the baselines and other models included.
	EventsPerSecond float64      `json:"events_per_second"`
	Others          []Other      `json:"others,omitempty"`
	Baselines       []Baseline   `json:"baselines,omitempty"`
	Curve           []CurvePoint `json:"curve,omitempty"`

	Labeled int64    `json:"-"` // rows with a label: those that were scored and learned
	Classes []string `json:"-"` // labels by class index; the last of two is the positive one
}

// Result is what was found of one model.
type Result struct {
	Model   string  `json:"model"`
	Metrics Metrics `json:"metrics"`
	// LearnNS and PredictNS are the mean processor time for a row, in all threads: of Observe and Learn, and of Predict. Reading and scoring
	// are not in them.
	LearnNS     float64 `json:"learn_ns_per_event"`
	PredictNS   float64 `json:"predict_ns_per_event"`
	StateBytes  int     `json:"state_bytes"`  // of the model's saved state
	StateSHA256 string  `json:"state_sha256"` // of those bytes
	// Dropped is what the model's bounds have cost, see models.Bounded: all that it counts, by name.
	Dropped models.Drops `json:"dropped"`
	Invalid float64      `json:"-"` // answers that could not be scored, because they were not finite
}

// Other is a model that ran beside the first on the same rows.
type Other struct {
	Result
	Differences []Difference `json:"differences"`
}

// Difference is this model's metric less the first model's on the same rows, with the band between whose ends 95 % of
// bootstrap replicas lie. A band that leaves out 0 is a difference.
type Difference struct {
	Metric string  `json:"metric"`
	Mean   float64 `json:"mean"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// Baseline is a model that ran beside on the same rows.
type Baseline struct {
	Model   string  `json:"model"`
	Metrics Metrics `json:"metrics"`
}

// Metrics are the values of a task's metrics, in the order of the catalogue. As JSON they are an object; what is not defined is null.
type Metrics []metric.Named

// MarshalJSON writes the object.
func (m Metrics) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, v := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(v.Name) + ":")
		if math.IsNaN(v.Value) || math.IsInf(v.Value, 0) {
			b.WriteString("null")
			continue
		}
		text, err := json.Marshal(v.Value)
		if err != nil {
			return nil, err
		}
		b.Write(text)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Value returns the metric of that name, NaN if there is none.
func (m Metrics) Value(name string) float64 {
	for _, v := range m {
		if v.Name == name {
			return v.Value
		}
	}
	return math.NaN()
}

// Table writes the report for people: one line a metric, other models and the baselines beside the first, then the curve.
func (r *Report) Table(w io.Writer) error {
	if err := WriteCurve(r.Curve, NewCurveTable(w)); err != nil {
		return err
	}
	return r.Summary(w)
}

// Summary is Table without the curve, for those who have shown it as it grew.
func (r *Report) Summary(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	results := []Result{r.Result}
	fmt.Fprintf(t, "model\t%s\n", r.Model)
	for i, o := range r.Others {
		results = append(results, o.Result)
		fmt.Fprintf(t, "model %d\t%s\n", i+2, o.Model)
	}
	fmt.Fprintf(t, "task\t%s%s\n", r.Task, r.positive())
	fmt.Fprintf(t, "events\t%d%s\n", r.Events, r.unlabeled())
	for _, m := range results {
		if m.Invalid > 0 {
			fmt.Fprintf(t, "not scored\t%g answers of %s that are not finite\n", m.Invalid, m.Model)
		}
	}
	r.metrics(t)
	fmt.Fprintf(t, "\t\nevents per second\t%.0f\n", r.EventsPerSecond)
	line := func(name string, value func(*Result) string) {
		fmt.Fprint(t, name)
		for i := range results {
			fmt.Fprintf(t, "\t%s", value(&results[i]))
		}
		fmt.Fprintln(t)
	}
	line("predict", func(m *Result) string { return fmt.Sprintf("%.0f ns per event", m.PredictNS) })
	line("learn", func(m *Result) string { return fmt.Sprintf("%.0f ns per event", m.LearnNS) })
	line("state", func(m *Result) string { return fmt.Sprintf("%d bytes", m.StateBytes) })
	line("state sha256", func(m *Result) string { return m.StateSHA256 })
	if slices.ContainsFunc(results, func(m Result) bool { return m.Dropped.Total() > 0 }) {
		line("dropped", func(m *Result) string { return m.Dropped.String() })
	}
	return t.Flush()
}

// Column is a model or a baseline in a table of metrics.
type Column struct {
	Name        string
	Metrics     Metrics
	Differences []Difference // to the first model
}

// metrics writes the table of metrics, and the differences to the first model.
func (r *Report) metrics(t io.Writer) {
	list, baselines := []Column{{Metrics: r.Metrics}}, make([]Column, len(r.Baselines))
	for _, o := range r.Others {
		list = append(list, Column{Metrics: o.Metrics, Differences: o.Differences})
	}
	for i, b := range r.Baselines {
		baselines[i] = Column{Name: b.Model, Metrics: b.Metrics}
	}
	WriteMetrics(t, list, baselines)
}

// WriteMetrics writes, cells parted by tabs, a line for each metric of the first model with its value for all, then a line for each difference. Models are named by their number,
// baselines by their name.
func WriteMetrics(t io.Writer, list, baselines []Column) {
	fmt.Fprint(t, "\t\n\tmodel")
	for i := range list[1:] {
		fmt.Fprintf(t, "\tmodel %d", i+2)
	}
	for _, b := range baselines {
		fmt.Fprintf(t, "\t%s", b.Name)
	}
	fmt.Fprintln(t)
	for _, m := range list[0].Metrics {
		fmt.Fprint(t, m.Name)
		for _, c := range list {
			fmt.Fprintf(t, "\t%s", Short(c.Metrics.Value(m.Name)))
		}
		for _, b := range baselines {
			fmt.Fprintf(t, "\t%s", Short(b.Metrics.Value(m.Name)))
		}
		fmt.Fprintln(t)
	}
	for i, c := range list {
		for _, d := range c.Differences {
			fmt.Fprintf(t, "%s, model %d less model\t%s (95 %%: %s to %s)\n", d.Metric, i+1, Short(d.Mean), Short(d.Low), Short(d.High))
		}
	}
}

func (r *Report) positive() string {
	if len(r.Classes) == 2 {
		return ", positive: " + r.Classes[1]
	}
	return ""
}

func (r *Report) unlabeled() string {
	if r.Labeled < r.Events {
		return fmt.Sprintf(", %d of them without a label", r.Events-r.Labeled)
	}
	return ""
}

// short formats a metric with six significant digits; what is not defined is –.
// Short formats a metric with six digits; – if it is missing.
func Short(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return strconv.FormatFloat(x, 'g', 6, 64)
}
