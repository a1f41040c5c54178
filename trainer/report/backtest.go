package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
	"github.com/freshet-ml/freshet/trainer/backtest"
)

// Repeat is what is needed to get the same report again.
type Repeat struct {
	Command  []string // the program and its arguments
	Projects []File
	Inputs   []File // the files that were replayed; none of topics
}

// File is a file with the sum of its bytes.
type File struct{ Name, Path, SHA256 string }

// chartMetrics are the metrics that curves are drawn of, by task.
var chartMetrics = map[string][]string{
	models.Binary.String():     {"log_loss", "roc_auc", "brier"},
	models.Multiclass.String(): {"log_loss", "accuracy"},
	models.Regression.String(): {"mae", "rmse"},
	models.Forecast.String():   {"mae", "crps"},
}

// tableMetrics are those of the overview.
var tableMetrics = map[string][]string{
	models.Binary.String():     {"roc_auc", "pr_auc", "log_loss", "brier", "accuracy", "ece"},
	models.Multiclass.String(): {"log_loss", "accuracy", "balanced_accuracy", "kappa", "ece"},
	models.Regression.String(): {"mae", "rmse", "r2", "smape"},
	models.Forecast.String():   {"mae", "rmse", "smape", "crps", "coverage_95"},
	models.Anomaly.String():    {"roc_auc", "pr_auc"},
}

// member is one model of one candidate as the report names and paints it.
type member struct {
	*backtest.Model
	label string
	color int
	twin  string // a member before with the same state and scores, which charts show in its place
}

func (m member) faint() bool { return m.Kind == "baseline" }

// group is the models that answer the same question: a champion, what challenges it, and the same of other candidates.
type group struct {
	of, task string
	members  []member
}

// groups gathers the models of all candidates by the champion's name.
func groups(r *backtest.Report) []group {
	var out []group
	for i := range r.Candidates {
		c := &r.Candidates[i]
		for k := range c.Models {
			m := &c.Models[k]
			at := slices.IndexFunc(out, func(g group) bool { return g.of == m.Of && g.task == m.Task })
			if at < 0 {
				at = len(out)
				out = append(out, group{of: m.Of, task: m.Task})
			}
			g := &out[at]
			label := m.Name
			if len(r.Candidates) > 1 {
				label = c.Name + "/" + m.Name
			}
			g.members = append(g.members, member{m, label, len(g.distinct()) % Colors, g.twin(m)})
		}
	}
	return out
}

// twin is the member that a model equals to the bit: baselines of candidates on the same events mostly do.
func (g *group) twin(m *backtest.Model) string {
	for _, o := range g.members {
		if o.twin == "" && o.Weights == m.Weights && slices.EqualFunc(o.Metrics, m.Metrics, sameMetric) {
			return o.label
		}
	}
	return ""
}

func sameMetric(a, b metric.Named) bool {
	return a.Name == b.Name && math.Float64bits(a.Value) == math.Float64bits(b.Value)
}

// distinct are the members without twins.
func (g *group) distinct() (out []member) {
	for _, m := range g.members {
		if m.twin == "" {
			out = append(out, m)
		}
	}
	return out
}

// Backtest makes the document of a backtest that ran with Options.Details. How long it took is left out, so that the
// same backtest gives the same bytes.
func Backtest(r *backtest.Report, how Repeat) *Document {
	first := &r.Candidates[0]
	d := &Document{Kind: "Freshet backtest", Title: "Backtest of " + strings.Join(candidateNames(r), ", ")}
	d.Lead = fmt.Sprintf("Recorded events from %s to %s were replayed; every answer was given before its label was known, and scored when the label came.",
		day(first.First), day(first.Last))
	d.Facts = []Fact{{Name: "Scored from", Value: day(first.ScoredFrom)}, {Name: "Items", Value: count(first.Items)},
		{Name: "Replayed", Value: strings.ReplaceAll(r.Mode, "_", " ")}, {Name: "Events are seen", Value: availability(r.Availability)}}
	if r.WarmUp != "" {
		d.Facts = append(d.Facts, Fact{Name: "Warm-up, learned and not scored", Value: warmUp(r.WarmUp)})
	}
	all := groups(r)
	d.add(overview(r, all))
	d.add(curves(all))
	d.add(differences(all))
	d.add(calibration(all))
	d.add(segments(all))
	d.add(driftSection(r, all))
	d.add(labels(r))
	d.add(live(r))
	d.add(repeat(r, how))
	return d
}

// add appends a section that has something in it.
func (d *Document) add(s Section) {
	if len(s.Figures)+len(s.Tables)+len(s.Facts) > 0 || s.Text != "" {
		d.Sections = append(d.Sections, s)
	}
}

func candidateNames(r *backtest.Report) (names []string) {
	for i := range r.Candidates {
		names = append(names, r.Candidates[i].Name)
	}
	return names
}

func warmUp(text string) string {
	if d, err := time.ParseDuration(text); err == nil {
		return span(d)
	}
	return text
}

func availability(a string) string {
	switch {
	case a == "event":
		return "at their event time"
	case a == "append":
		return "when their record was appended"
	}
	return a + " after their event time"
}

func overview(r *backtest.Report, all []group) Section {
	s := Section{ID: "overview", Title: "Overview", Text: "A difference is the mean of loss(model) − loss(champion) on the same examples: below 0 is better than the champion. " +
		"Better and worse are said where the band of 95 % leaves out 0."}
	for _, c := range r.Checks {
		if c.OK {
			s.Good = append(s.Good, strings.TrimPrefix(c.String(), "ok: "))
		} else {
			s.Bad = append(s.Bad, strings.TrimPrefix(c.String(), "FAILED: "))
		}
	}
	for _, g := range all {
		names := tableMetrics[g.task]
		t := Table{Caption: fmt.Sprintf("Models for %s (%s)", g.of, g.task), Open: true, Strong: map[int]bool{}}
		t.Text = map[int]bool{1: true, len(names) + 4: true}
		t.Head = slices.Concat([]string{"model", "role", "scored"}, names, []string{"difference", ""})
		for i, m := range g.members {
			row := []string{m.label, m.Kind, count(m.Scored)}
			for _, n := range names {
				row = append(row, short(m.Metrics.Value(n)))
			}
			diff, verdict := "", ""
			if m.Paired != nil {
				diff, verdict = signed(float64(m.Paired.Mean)), m.verdict()
			}
			t.Rows = append(t.Rows, append(row, diff, verdict))
			t.Strong[i] = m.Kind == "champion"
			if m.twin != "" {
				s.Notes = append(s.Notes, m.label+" is "+m.twin+" to the last bit; charts show it once.")
			}
			if m.Invalid > 0 {
				s.Bad = append(s.Bad, fmt.Sprintf("%s: %g answers were not finite and are not scored", m.label, float64(m.Invalid)))
			}
		}
		s.Tables = append(s.Tables, t)
	}
	return s
}

func pairedText(p *backtest.Paired) (diff, band string) {
	switch {
	case p == nil:
		return "", ""
	case p.Low != p.Low:
		return signed(float64(p.Mean)), "too few"
	}
	return signed(float64(p.Mean)), signed(float64(p.Low)) + " … " + signed(float64(p.High))
}
