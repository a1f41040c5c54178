package backtest

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/freshet-ml/freshet/models"
)

// shown are the metrics of the table, by task; the JSON has all.
var shown = map[string][]string{
	models.Binary.String():     {"roc_auc", "log_loss", "accuracy", "ece"},
	models.Multiclass.String(): {"log_loss", "accuracy", "balanced_accuracy", "kappa"},
	models.Regression.String(): {"mae", "rmse", "r2"},
	models.Forecast.String():   {"mae", "smape", "crps", "coverage_95"},
	models.Anomaly.String():    {"roc_auc", "pr_auc"},
}

// Table writes the report for people.
func (r *Report) Table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := range r.Candidates {
		r.Candidates[i].table(t)
	}
	r.months(t)
	r.Live.table(t)
	for _, c := range r.Checks {
		fmt.Fprintf(t, "%s\n", c)
	}
	if s := float64(r.Seconds); s > 0 {
		fmt.Fprintf(t, "%.1f s, %.0f items/s, %s, availability %s\n", s, float64(r.ItemsASecond), strings.ReplaceAll(r.Mode, "_", " "), r.Availability)
	}
	return t.Flush()
}

func (r *Result) table(w io.Writer) {
	fmt.Fprintf(w, "candidate %s: %d items from %s to %s, scored from %s\n", r.Name, r.Items, day(r.First), day(r.Last), day(r.ScoredFrom))
	for _, t := range r.Triggers {
		fmt.Fprintf(w, "  %s: %d predictions, %d labels after %s (99 %%: %s), %d without a label, %d waiting, %d not learned\n", t.Name, t.Predictions,
			t.Labels, seconds(t.DelayP50), seconds(t.DelayP99), t.Missing, t.Pending, t.NotLearned)
	}
	var reasons []string
	for name, n := range r.Refused {
		reasons = append(reasons, fmt.Sprintf("%d %s", n, name))
	}
	if len(reasons) > 0 {
		slices.Sort(reasons)
		fmt.Fprintf(w, "  refused: %s\n", strings.Join(reasons, ", "))
	}
	task := ""
	for i := range r.Models {
		m := &r.Models[i]
		if m.Task != task {
			task = m.Task
			fmt.Fprintf(w, "\nmodel\tscored\t%s\t%s difference\t95 %% band\tagainst\n", strings.Join(shown[task], "\t"), difference(m))
		}
		m.row(w)
	}
	fmt.Fprintf(w, "\nsum %s\n\n", r.Sum)
}

func difference(m *Model) string {
	if m.Task == models.Binary.String() || m.Task == models.Multiclass.String() {
		return "log_loss"
	}
	return "absolute error"
}

func (m *Model) row(w io.Writer) {
	fmt.Fprintf(w, "%s\t%d", m.Name, m.Scored)
	for _, name := range shown[m.Task] {
		fmt.Fprintf(w, "\t%s", short(m.Metrics.Value(name)))
	}
	p := m.Paired
	switch {
	case p == nil:
		fmt.Fprintln(w)
	case math.IsNaN(float64(p.Low)):
		fmt.Fprintf(w, "\t%+.5f\ttoo few: n %d, block %d\t%s\n", float64(p.Mean), p.N, p.Block, p.Against)
	default:
		fmt.Fprintf(w, "\t%+.5f\t%+.5f … %+.5f (n %d, block %d)\t%s\n", float64(p.Mean), float64(p.Low), float64(p.High), p.N, p.Block, p.Against)
	}
}

// months writes the first shown metric of every model by month, candidates side by side.
func (r *Report) months(w io.Writer) {
	names := map[string]bool{}
	for _, c := range r.Candidates {
		for _, m := range c.Models {
			for _, p := range m.Months {
				names[p.Month] = true
			}
		}
	}
	if len(names) == 0 {
		return
	}
	list := make([]string, 0, len(names))
	for n := range names {
		list = append(list, n)
	}
	slices.Sort(list)
	fmt.Fprintf(w, "by month\tmetric\t%s\n", strings.Join(list, "\t"))
	for _, c := range r.Candidates {
		for _, m := range c.Models {
			metric := shown[m.Task][0]
			fmt.Fprintf(w, "%s\t%s", c.label(m.Name, len(r.Candidates)), metric)
			for _, month := range list {
				i := slices.IndexFunc(m.Months, func(p Month) bool { return p.Month == month })
				text := "–"
				if i >= 0 {
					text = short(m.Months[i].Metrics.Value(metric))
				}
				fmt.Fprintf(w, "\t%s", text)
			}
			fmt.Fprintln(w)
		}
	}
	fmt.Fprintln(w)
}

func (r *Result) label(model string, candidates int) string {
	if candidates == 1 {
		return model
	}
	return r.Name + "/" + model
}

func (c *Comparison) table(w io.Writer) {
	if c == nil {
		return
	}
	for _, t := range c.Triggers {
		if !t.Found {
			fmt.Fprintf(w, "live %s: no example log to compare with\n\n", t.Name)
			continue
		}
		fmt.Fprintf(w, "live %s: %.4f of vectors equal (%d of %d live), log %s\n", t.Name, float64(t.Share), t.Equal, t.Live, same(t.SameLog))
		fmt.Fprintln(w, "model\tmetric\tlive\tdifference\tweights")
		for _, m := range t.Models {
			for i, v := range m.Live {
				if i == 0 || m.Difference[i].Value != 0 {
					fmt.Fprintf(w, "%s\t%s\t%s\t%+.3g\t%s\n", m.Name, v.Name, short(v.Value), m.Difference[i].Value, same(m.SameWeights))
				}
			}
		}
		fmt.Fprintln(w)
	}
}

func same(yes bool) string {
	if yes {
		return "the same"
	}
	return "differs"
}

// String is the check in words.
func (c Check) String() string {
	need, is := "at least", "ok"
	if c.Above {
		need = "at most"
	}
	if !c.OK {
		is = "FAILED"
	}
	return fmt.Sprintf("%s: %s %s, got %s", is, need, c.Threshold, short(float64(c.Value)))
}

func day(t time.Time) string { return t.Format("2006-01-02 15:04") }

// seconds writes a span for people: 45s, 36h4m12s, 5d.
func seconds(n Number) string {
	d, day := time.Duration(float64(n)*1e9).Round(time.Second), 24*time.Hour
	if d < time.Minute {
		return d.String()
	}
	text := ""
	if d >= 2*day {
		text, d = fmt.Sprintf("%dd", d/day), d%day
	}
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := d / u.unit; n > 0 {
			text += fmt.Sprintf("%d%s", n, u.name)
		}
		d %= u.unit
	}
	return text
}

// short formats a metric with four digits behind the point; what is not defined is –.
func short(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return strconv.FormatFloat(x, 'f', 4, 64)
}
