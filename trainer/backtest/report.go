package backtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/freshet-ml/freshet/models/metric"
	"github.com/freshet-ml/freshet/trainer"
)

// Number is a float64 that is null in JSON where it is not finite.
type Number float64

// MarshalJSON implements json.Marshaler.
func (n Number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

// Metrics are the values of a task's metrics, in the order of the catalogue. As JSON they are an object.
type Metrics []metric.Named

// MarshalJSON writes the object; what is not defined is null.
func (m Metrics) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, v := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		text, err := Number(v.Value).MarshalJSON()
		if err != nil {
			return nil, err
		}
		b.WriteString(strconv.Quote(v.Name) + ":")
		b.Write(text)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads the object, in its order.
func (m *Metrics) UnmarshalJSON(b []byte) error {
	*m = nil
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(fmt.Errorf("metrics are no object"), err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value Number
		if err := d.Decode(&value); err != nil {
			return err
		}
		*m = append(*m, metric.Named{Name: name.(string), Value: float64(value)})
	}
	_, err := d.Token()
	return err
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

// Report is what a backtest found.
type Report struct {
	Mode         string      `json:"mode"` // from_sources or as_live
	Availability string      `json:"availability"`
	From         *time.Time  `json:"from,omitempty"`
	To           *time.Time  `json:"to,omitempty"`
	WarmUp       string      `json:"warm_up,omitempty"`
	Seconds      Number      `json:"seconds"`
	ItemsASecond Number      `json:"items_per_second"`
	Candidates   []Result    `json:"candidates"`
	Live         *Comparison `json:"live,omitempty"`   // the first candidate against the run that served
	Checks       []Check     `json:"checks,omitempty"` // thresholds
	// Build and Arch name what computed the sums: other builds and architectures may give others.
	Build string `json:"build,omitempty"`
	Arch  string `json:"arch"`
}

// Result is one candidate.
type Result struct {
	Name       string            `json:"name"`
	Items      uint64            `json:"items"`
	Refused    map[string]uint64 `json:"refused,omitempty"` // by reason
	First      time.Time         `json:"first"`             // event time of the first event of a source that is no table
	Last       time.Time         `json:"last"`
	ScoredFrom time.Time         `json:"scored_from"`
	Triggers   []Trigger         `json:"triggers"`
	Models     []Model           `json:"models"`
	Golden     *trainer.Golden   `json:"golden"`
	Sum        string            `json:"sum"` // of Golden
}

// Model returns the model, challenger or baseline of that name, or nil.
func (r *Result) Model(name string) *Model {
	for i := range r.Models {
		if r.Models[i].Name == name {
			return &r.Models[i]
		}
	}
	return nil
}

// Trigger is what happened to the examples of one trigger.
type Trigger struct {
	Name         string `json:"name"`
	Predictions  uint64 `json:"predictions"`
	Labels       uint64 `json:"labels_joined"`
	Missing      uint64 `json:"labels_missing"`
	NotLearned   uint64 `json:"not_learned"`
	Pending      int    `json:"pending"` // examples that still waited at the end
	DelayP50     Number `json:"label_delay_p50_seconds"`
	DelayP99     Number `json:"label_delay_p99_seconds"`
	DelayP99Rows int    `json:"label_delay_p99_examples"` // examples that were predicted in between
	// With Options.Details: how long labels took, and how far the columns of the vector have drifted, the farthest first (empty
	// before the first window has ended).
	Delays []DelayBin    `json:"label_delays,omitempty"`
	Drift  []ColumnDrift `json:"drift,omitempty"`
}

// Model is how good one model, challenger or baseline was.
type Model struct {
	Name     string  `json:"name"`
	Of       string  `json:"of"`   // the model that it challenges
	Kind     string  `json:"kind"` // champion, challenger or baseline
	Task     string  `json:"task"`
	Scored   uint64  `json:"scored"`
	Unscored uint64  `json:"labels_not_scored"` // in the warm-up, or beyond from and to
	Invalid  Number  `json:"invalid"`           // answers that were not finite
	Detector string  `json:"detector"`          // what watches its loss
	Watched  string  `json:"watched"`           // what that is given: log_loss, error or absolute_error
	Metrics  Metrics `json:"metrics"`
	Months   []Month `json:"months,omitempty"`
	Paired   *Paired `json:"paired,omitempty"`
	Learned  uint64  `json:"learned"`
	Bytes    int     `json:"state_bytes"`
	Weights  string  `json:"state_sha256"`
	// With Options.Details.
	Curve       []Point          `json:"curve,omitempty"`
	Calibration []CalibrationBin `json:"calibration,omitempty"`
	Changes     []Change         `json:"loss_changes,omitempty"`  // by the detector, the first 200 at most
	Warnings    []Change         `json:"loss_warnings,omitempty"` // where it began to suspect one, the first 200 at most
	Segments    []SegmentColumn  `json:"segments,omitempty"`
}

// Month is the scores of one calendar month (UTC) of the triggers' event time.
type Month struct {
	Month   string  `json:"month"`
	Scored  uint64  `json:"scored"`
	Metrics Metrics `json:"metrics"`
}

// Paired is the difference to a champion on the examples that both answered: loss of this model − loss of
// the champion, so that less than 0 is better. Low and High bound 95 % of the replicas of a circular block bootstrap;
// they are null when fewer than ten blocks fit, since a band of so few says nothing.
type Paired struct {
	Against string `json:"against"` // model, with its candidate when it is another one
	Loss    string `json:"loss"`    // log_loss or absolute_error
	N       int    `json:"n"`
	Block   int    `json:"block"` // examples that are drawn together: the 99th percentile of the label delay
	Mean    Number `json:"mean"`
	Low     Number `json:"low"`
	High    Number `json:"high"`
	Differs bool   `json:"differs"` // the band leaves out 0
}

// Comparison says how far a replay agrees with the run that served.
type Comparison struct {
	Triggers []LiveTrigger `json:"triggers"`
}

// LiveTrigger is the comparison for one example log.
type LiveTrigger struct {
	Name    string      `json:"name"`
	Found   bool        `json:"found"`    // the live run has an example log for it
	Live    uint64      `json:"live"`     // predictions in it
	Both    uint64      `json:"both"`     // that the replay has too, by id and event time
	Equal   uint64      `json:"equal"`    // of those, with the same vector to the bit
	Share   Number      `json:"share"`    // equal / max(live, predictions of the replay)
	SameLog bool        `json:"same_log"` // every entry is the same
	Models  []LiveModel `json:"models"`
}

// LiveModel is the comparison for one model.
type LiveModel struct {
	Name        string  `json:"name"`
	SameWeights bool    `json:"same_weights"`
	SameScores  bool    `json:"same_scores"`
	Live        Metrics `json:"live"`
	Difference  Metrics `json:"difference"` // replay − live
}

// Check is a threshold and what was reached.
type Check struct {
	Threshold string `json:"threshold"`
	Above     bool   `json:"above"` // the value must not be greater, instead of not smaller
	Value     Number `json:"value"`
	OK        bool   `json:"ok"`
}

// OK reports whether every threshold is reached.
func (r *Report) OK() bool {
	for _, c := range r.Checks {
		if !c.OK {
			return false
		}
	}
	return true
}
