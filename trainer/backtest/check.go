package backtest

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
)

// Threshold is what a metric must reach for a backtest to be good enough.
type Threshold struct {
	Candidate string // empty: the first
	Model     string
	Metric    string
	Value     float64
	// Above turns it round: the metric must not be greater, for losses and errors.
	Above bool
}

// ParseThreshold reads model.metric=value or candidate/model.metric=value; a model's name may hold dots.
func ParseThreshold(text string, above bool) (Threshold, error) {
	t := Threshold{Above: above}
	name, value, ok := strings.Cut(text, "=")
	dot := strings.LastIndexByte(name, '.')
	var err error
	if ok && dot > 0 {
		t.Value, err = strconv.ParseFloat(strings.TrimSpace(value), 64)
	}
	if !ok || dot <= 0 || err != nil || math.IsNaN(t.Value) {
		return t, fmt.Errorf("threshold %q: write model.metric=value, such as late.roc_auc=0.75: %w", text, ErrOptions)
	}
	t.Model, t.Metric = strings.TrimSpace(name[:dot]), strings.TrimSpace(name[dot+1:])
	if i := strings.LastIndexByte(t.Model, '/'); i >= 0 {
		t.Candidate, t.Model = t.Model[:i], t.Model[i+1:]
	}
	return t, nil
}

// String is what ParseThreshold reads.
func (t Threshold) String() string {
	s := t.Model + "." + t.Metric + "=" + strconv.FormatFloat(t.Value, 'g', -1, 64)
	if t.Candidate != "" {
		s = t.Candidate + "/" + s
	}
	return s
}

// check reports names that the candidates do not have.
func (t Threshold) check(list []Candidate) error {
	c := &list[0]
	if t.Candidate != "" {
		c = nil
		for i := range list {
			if list[i].Name == t.Candidate {
				c = &list[i]
			}
		}
	}
	if c == nil {
		return fmt.Errorf("threshold %s: candidate %q: %w", t, t.Candidate, ErrUnknown)
	}
	m := c.member(t.Model)
	if m == nil {
		return fmt.Errorf("threshold %s: model %q: %w: candidate %s has %s", t, t.Model, ErrUnknown, c.Name, c.memberNames())
	}
	set := newSet(m.Task, m.Classes)
	if _, ok := set.Value(t.Metric); !ok {
		var names []string
		for _, v := range set.Values() {
			names = append(names, v.Name)
		}
		return fmt.Errorf("threshold %s: metric %q: %w: a %s model has %s", t, t.Metric, ErrUnknown, m.Task, strings.Join(names, ", "))
	}
	return nil
}

func newSet(task models.Task, classes []string) *metric.Set {
	return metric.New(task, max(2, len(classes)))
}

// judge compares a finished report with the threshold. A metric that is not defined does not reach anything.
func (t Threshold) judge(r *Report) Check {
	got := math.NaN()
	for i := range r.Candidates {
		c := &r.Candidates[i]
		if t.Candidate != c.Name && (t.Candidate != "" || i > 0) {
			continue
		}
		if m := c.Model(t.Model); m != nil {
			got = m.Metrics.Value(t.Metric)
		}
	}
	ok := got >= t.Value
	if t.Above {
		ok = got <= t.Value
	}
	return Check{Threshold: t.String(), Above: t.Above, Value: Number(got), OK: ok}
}
