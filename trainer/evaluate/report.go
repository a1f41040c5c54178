package evaluate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"

	"github.com/freshet-ml/freshet/models/metric"
)

// Report is what an evaluation found.
type Report struct {
	Model   string  `json:"model"`
	Task    string  `json:"task"`
	Events  int64   `json:"events"` // rows predicted
	Metrics Metrics `json:"metrics"`
	// EventsPerSecond counts everything, reading the file and the baselines included.
	EventsPerSecond float64 `json:"events_per_second"`
	// LearnNS and PredictNS are the mean time of one call of the model, measured on every seventh row; reading and scoring are not in them.
	LearnNS     float64    `json:"learn_ns_per_event"`
	PredictNS   float64    `json:"predict_ns_per_event"`
	StateBytes  int        `json:"state_bytes"`  // of the model's saved state
	StateSHA256 string     `json:"state_sha256"` // of those bytes
	Baselines   []Baseline `json:"baselines,omitempty"`

	Labeled int64    `json:"-"` // rows with a label: those that were scored and learned
	Classes []string `json:"-"` // labels by class index; the last of two is the positive one
	Invalid float64  `json:"-"` // answers that could not be scored, because they were not finite
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

// Table writes the report for people: one line a metric, the baselines beside the model.
func (r *Report) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "model\t%s\n", r.Model)
	fmt.Fprintf(t, "task\t%s%s\n", r.Task, r.positive())
	fmt.Fprintf(t, "events\t%d%s\n", r.Events, r.unlabeled())
	if r.Invalid > 0 {
		fmt.Fprintf(t, "not scored\t%g answers that are not finite\n", r.Invalid)
	}
	fmt.Fprint(t, "\t\n\tmodel")
	for _, b := range r.Baselines {
		fmt.Fprintf(t, "\t%s", b.Model)
	}
	fmt.Fprintln(t)
	for _, m := range r.Metrics {
		fmt.Fprintf(t, "%s\t%s", m.Name, short(m.Value))
		for _, b := range r.Baselines {
			fmt.Fprintf(t, "\t%s", short(b.Metrics.Value(m.Name)))
		}
		fmt.Fprintln(t)
	}
	fmt.Fprintf(t, "\t\nevents per second\t%.0f\n", r.EventsPerSecond)
	fmt.Fprintf(t, "predict\t%.0f ns per event\n", r.PredictNS)
	fmt.Fprintf(t, "learn\t%.0f ns per event\n", r.LearnNS)
	fmt.Fprintf(t, "state\t%d bytes\t\n", r.StateBytes)
	fmt.Fprintf(t, "state sha256\t%s\n", r.StateSHA256)
	return t.Flush()
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
func short(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return strconv.FormatFloat(x, 'g', 6, 64)
}
