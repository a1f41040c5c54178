package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
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
	models.Forecast.String():   {"mae", "rmse"},
}

// tableMetrics are those of the overview.
var tableMetrics = map[string][]string{
	models.Binary.String():     {"roc_auc", "pr_auc", "log_loss", "brier", "accuracy", "ece"},
	models.Multiclass.String(): {"log_loss", "accuracy", "balanced_accuracy", "kappa", "ece"},
	models.Regression.String(): {"mae", "rmse", "r2", "smape"},
	models.Forecast.String():   {"mae", "rmse", "smape"},
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

func curves(all []group) Section {
	s := Section{ID: "curves", Title: "Scores over event time"}
	for _, g := range all {
		for _, name := range chartMetrics[g.task] { // none of scores of anomalies, which are no probabilities
			if f, ok := curve(g, name); ok {
				s.Figures = append(s.Figures, f)
			}
		}
	}
	if len(s.Figures) > 0 {
		s.Text = "Each point is the score of the triggers of one span of event time, by the time of the trigger. ▲ and ▼ mark where ADWIN found that the mean loss of a model rose or fell. " +
			"Thin lines are baselines. The scale fits the champions; a line that leaves the chart is cut."
	}
	return s
}

func curve(g group, name string) (Figure, bool) {
	f := Figure{Title: fmt.Sprintf("%s: %s", g.of, name)}
	times := map[int64]bool{}
	var lines []Line
	for _, m := range g.distinct() {
		l := Line{Name: m.label, Color: m.color, Lead: m.Kind == "champion", Faint: m.faint()}
		for _, p := range m.Curve {
			l.Time, l.Value = append(l.Time, p.From.UnixMicro()), append(l.Value, p.Metrics.Value(name))
			times[p.From.UnixMicro()] = true
		}
		if name == chartMetrics[g.task][0] && !m.faint() {
			for _, c := range m.Changes {
				l.Marks = append(l.Marks, Mark{c.Time.UnixMicro(), c.Rose})
			}
		}
		if len(l.Time) > 0 {
			lines = append(lines, l)
			f.Legend = append(f.Legend, Key{m.label, m.color, m.faint()})
		}
	}
	if len(lines) == 0 {
		return f, false
	}
	p := g.members[0].Curve
	if len(p) > 0 {
		f.Caption = "Spans of " + span(p[0].To.Sub(p[0].From)) + "."
	}
	f.Chart = LineChart(f.Title+" over event time", name, lines)
	f.Table = curveTable(f.Title+" by span", slices.Sorted(maps.Keys(times)), lines)
	return f, true
}

func curveTable(caption string, times []int64, lines []Line) Table {
	t := Table{Caption: caption, Head: []string{"from"}}
	for _, l := range lines {
		t.Head = append(t.Head, l.Name)
	}
	for _, at := range times {
		row := []string{instant(at)}
		for _, l := range lines {
			v := math.NaN()
			if i, ok := slices.BinarySearch(l.Time, at); ok {
				v = l.Value[i]
			}
			row = append(row, short(v))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func differences(all []group) Section {
	s := Section{ID: "differences", Title: "Paired differences"}
	for _, g := range all {
		var bands []Band
		f := Figure{}
		for _, m := range g.members {
			p := m.Paired
			if p == nil {
				continue
			}
			f.Title = fmt.Sprintf("%s: %s less that of %s", g.of, strings.ReplaceAll(p.Loss, "_", " "), p.Against)
			if m.twin == "" {
				bands = append(bands, Band{m.label + against(p, g), float64(p.Mean), float64(p.Low), float64(p.High), p.Differs})
			}
			diff, band := pairedText(p)
			f.Table.Rows = append(f.Table.Rows, []string{m.label, p.Against, diff, band, count(uint64(p.N)), count(uint64(p.Block)), m.verdict()})
		}
		if len(bands) == 0 {
			continue
		}
		f.Chart = BandChart(f.Title+", with bands", "", bands)
		f.Table.Caption, f.Table.Open, f.Table.Text = f.Title, true, map[int]bool{1: true, 6: true}
		f.Table.Head = []string{"model", "against", "mean", "95 % band", "examples", "block", "verdict"}
		s.Figures = append(s.Figures, f)
	}
	if len(s.Figures) > 0 {
		s.Text = "Both models answered the same examples. A band holds 95 % of the replicas of a circular block bootstrap: errors within one label delay depend on each other, so blocks as long as the delay are drawn."
	}
	return s
}

// against names the champion where a group compares with more than one.
func against(p *backtest.Paired, g group) string {
	for _, m := range g.members {
		if m.Paired != nil && m.Paired.Against != p.Against {
			return " − " + p.Against
		}
	}
	return ""
}

func (m member) verdict() string {
	p := m.Paired
	switch {
	case p.Low != p.Low:
		return "too few to tell"
	case !p.Differs:
		return "not told apart"
	case p.Mean < 0:
		return "better"
	}
	return "worse"
}

func calibration(all []group) Section {
	s := Section{ID: "calibration", Title: "Calibration"}
	for _, g := range all {
		for _, m := range g.distinct() {
			if len(m.Calibration) == 0 {
				continue
			}
			f := Figure{Title: m.label, Half: true, Caption: "ECE " + short(m.Metrics.Value("ece"))}
			f.Table = Table{Caption: "reliability of " + m.label, Head: []string{"mean answer", "answers", "right"}}
			var bins []Bin
			for _, b := range m.Calibration {
				bins = append(bins, Bin{b.Confidence, b.Right, float64(b.Answers)})
				f.Table.Rows = append(f.Table.Rows, []string{short(b.Confidence), count(b.Answers), short(b.Right)})
			}
			f.Chart = ReliabilityChart("reliability of "+m.label, m.color, bins)
			s.Figures = append(s.Figures, f)
		}
	}
	if len(s.Figures) > 0 {
		s.Text = "How often answers were right over how sure they were: on the dashed diagonal a model is as right as it says. ECE is the mean distance to it, weighted by the answers (fifteen bins of equal width)."
	}
	return s
}

func segments(all []group) Section {
	s := Section{ID: "segments", Title: "Segments"}
	for _, g := range all {
		for _, col := range g.members[0].Segments {
			s.Figures = append(s.Figures, segmentFigure(g, col.Column))
		}
	}
	if len(s.Figures) > 0 {
		s.Text = "The loss of the examples with one value of a column: the log-loss of classifiers, the absolute error of all other models. At the right is the number of examples; hollow dots lie beyond the scale. Baselines are in the tables."
	}
	return s
}

func segmentName(v *backtest.Segment) string {
	switch {
	case v.Rest:
		return "all others"
	case v.Missing:
		return "missing"
	case v.Value == "":
		return "(empty)"
	}
	return v.Value
}

func segmentFigure(g group, column string) Figure {
	f := Figure{Title: g.of + " by " + column}
	values := func(m member) []backtest.Segment {
		if i := slices.IndexFunc(m.Segments, func(c backtest.SegmentColumn) bool { return c.Column == column }); i >= 0 {
			return m.Segments[i].Values
		}
		return nil
	}
	head := []string{column, "scored"}
	first := values(g.members[0])
	answers := len(first) > 0 && first[0].Label == first[0].Label
	if answers {
		head = append(head, "mean label", "mean answer of "+g.members[0].label)
	}
	var colors []int
	for _, m := range g.distinct() {
		head = append(head, "loss of "+m.label)
		if !m.faint() {
			colors = append(colors, m.color)
			f.Legend = append(f.Legend, Key{m.label, m.color, false})
		}
	}
	var rows []Dots
	for i := range first {
		v := &first[i]
		row := Dots{Name: segmentName(v), Note: count(v.Scored)}
		cells := []string{row.Name, count(v.Scored)}
		if answers {
			cells = append(cells, short(float64(v.Label)), short(float64(v.Answer)))
		}
		for _, m := range g.distinct() {
			loss := math.NaN()
			for _, o := range values(m) {
				if o.Value == v.Value && o.Rest == v.Rest && o.Missing == v.Missing {
					loss = float64(o.Loss)
				}
			}
			cells = append(cells, short(loss))
			if !m.faint() {
				row.Values = append(row.Values, loss)
			}
		}
		rows = append(rows, row)
		f.Table.Rows = append(f.Table.Rows, cells)
	}
	f.Chart = DotChart("loss by "+column, "mean loss", colors, rows)
	f.Table.Caption, f.Table.Head = "loss by "+column, head
	return f
}

const driftRows = 15

func driftSection(r *backtest.Report, all []group) Section {
	s := Section{ID: "drift", Title: "Drift"}
	for i := range r.Candidates {
		c := &r.Candidates[i]
		for _, t := range c.Triggers {
			if len(t.Drift) > 0 {
				s.Figures = append(s.Figures, driftFigure(qualified(r, c, t.Name), t.Drift))
			}
		}
	}
	t := Table{Caption: "Changes of the mean loss, by ADWIN", Head: []string{"model", "trigger at", "loss"}, Text: map[int]bool{1: true, 2: true}}
	for _, g := range all {
		for _, m := range g.distinct() {
			for _, ch := range m.Changes {
				t.Rows = append(t.Rows, []string{m.label, instant(ch.Time.UnixMicro()), roseText(ch.Rose)})
			}
		}
	}
	if len(t.Rows) > 0 {
		s.Tables = append(s.Tables, t)
	}
	switch {
	case len(s.Figures) > 0:
		s.Text = "The population stability index of each column in the last window of predictions, against the first ones. The line across a bar is its threshold, which takes the sizes into account. Beyond it the column has drifted."
	default:
		s.Text = "No drift of features is told: the first window ends after 7,000 predictions."
	}
	return s
}

func qualified(r *backtest.Report, c *backtest.Result, name string) string {
	if len(r.Candidates) > 1 {
		return c.Name + "/" + name
	}
	return name
}

func driftFigure(trigger string, list []backtest.ColumnDrift) Figure {
	f := Figure{Title: "Columns of " + trigger}
	drifted := 0
	var bars []Bar
	for i, c := range list {
		over := c.PSI > c.Threshold
		if over {
			drifted++
		}
		if i < driftRows {
			bars = append(bars, Bar{c.Column, c.PSI, c.Threshold, over})
		}
		f.Table.Rows = append(f.Table.Rows, []string{c.Column, fmt.Sprintf("%.3f", c.PSI), fmt.Sprintf("%.3f", c.Threshold), fmt.Sprintf("%.1f %%", 100*c.Missing),
			fmt.Sprintf("%.3f", c.Greatest), instant(c.At.UnixMicro()), fmt.Sprintf("%d of %d", c.Drifted, c.Windows)})
	}
	f.Caption = fmt.Sprintf("%d of %d columns are beyond their threshold in the last window.", drifted, len(list))
	if len(list) > driftRows {
		f.Caption += fmt.Sprintf(" The chart has the first %d.", driftRows)
	}
	f.Chart = BarChart("population stability index of the columns of "+trigger, "PSI", bars)
	f.Table.Caption, f.Table.Head = "drift of all columns", []string{"column", "PSI", "threshold", "missing", "greatest", "then", "windows drifted"}
	return f
}

func labels(r *backtest.Report) Section {
	s := Section{ID: "labels", Title: "Labels and joins"}
	t := Table{Caption: "What became of the predictions", Open: true,
		Head: []string{"trigger", "predictions", "labels joined", "share", "without a label", "still waiting", "not learned", "delay p50", "delay p99"}}
	for i := range r.Candidates {
		c := &r.Candidates[i]
		for _, g := range c.Triggers {
			name := qualified(r, c, g.Name)
			t.Rows = append(t.Rows, []string{name, count(g.Predictions), count(g.Labels), percent(g.Labels, g.Predictions), count(g.Missing), count(uint64(g.Pending)), count(g.NotLearned),
				seconds(float64(g.DelayP50)), seconds(float64(g.DelayP99))})
			if len(g.Delays) > 0 && i == 0 {
				s.Figures = append(s.Figures, delayFigure(name, g.Delays))
			}
		}
	}
	s.Tables = append(s.Tables, t)
	if refused := refusals(r); len(refused.Rows) > 0 {
		s.Tables = append(s.Tables, refused)
	}
	return s
}

func refusals(r *backtest.Report) Table {
	t := Table{Caption: "Records that were refused", Open: true, Head: []string{"reason", "candidate", "records"}, Text: map[int]bool{1: true}}
	for i := range r.Candidates {
		c := &r.Candidates[i]
		for _, reason := range slices.Sorted(maps.Keys(c.Refused)) {
			t.Rows = append(t.Rows, []string{reason, c.Name, count(c.Refused[reason])})
		}
	}
	return t
}

func delayFigure(trigger string, bins []backtest.DelayBin) Figure {
	f := Figure{Title: "Label delay of " + trigger}
	var columns []Column
	f.Table = Table{Caption: "label delay of " + trigger, Head: []string{"more than", "up to", "labels"}, Text: map[int]bool{1: true}}
	for _, b := range bins {
		c := Column{seconds(b.From), seconds(b.To), b.Labels}
		columns = append(columns, c)
		f.Table.Rows = append(f.Table.Rows, []string{c.From, c.To, count(c.Count)})
	}
	f.Chart = Histogram(f.Title, "labels", columns)
	return f
}

func live(r *backtest.Report) Section {
	s := Section{ID: "live", Title: "Against the live run"}
	if r.Live == nil {
		return s
	}
	t := Table{Caption: "Vectors and logs", Open: true, Head: []string{"trigger", "live predictions", "in both", "equal to the bit", "log"}, Text: map[int]bool{4: true}}
	m := Table{Caption: "Metrics, replay − live", Open: true, Head: []string{"model", "metric", "live", "difference", "weights"}, Text: map[int]bool{1: true, 4: true}}
	for _, l := range r.Live.Triggers {
		if !l.Found {
			t.Rows = append(t.Rows, []string{l.Name, "–", "–", "–", "no example log"})
			continue
		}
		t.Rows = append(t.Rows, []string{l.Name, count(l.Live), count(l.Both), count(l.Equal), same(l.SameLog)})
		for _, x := range l.Models {
			for i, v := range x.Live {
				m.Rows = append(m.Rows, []string{x.Name, v.Name, short(v.Value), fmt.Sprintf("%+.3g", x.Difference[i].Value), same(x.SameWeights)})
			}
		}
	}
	s.Tables = []Table{t}
	if len(m.Rows) > 0 {
		m.Open = false
		s.Tables = append(s.Tables, m)
	}
	return s
}

func same(yes bool) string {
	if yes {
		return "the same"
	}
	return "differs"
}

func repeat(r *backtest.Report, how Repeat) Section {
	s := Section{ID: "repeat", Title: "How to repeat it", Code: shell(how.Command),
		Text:  "The same records, project and build on the same architecture give the same sums, on any machine.",
		Facts: []Fact{{Name: "Build", Value: orDash(r.Build)}, {Name: "Architecture", Value: r.Arch}}}
	files := Table{Caption: "Files", Open: true, Head: []string{"what", "file", "sha256"}, Text: map[int]bool{1: true, 2: true}}
	for _, f := range slices.Concat(how.Projects, how.Inputs) {
		files.Rows = append(files.Rows, []string{f.Name, f.Path, f.SHA256})
	}
	if len(files.Rows) > 0 {
		s.Tables = append(s.Tables, files)
	}
	sums := Table{Caption: "Sums of what was computed", Open: true, Head: []string{"candidate", "of", "sha256"}, Text: map[int]bool{1: true, 2: true}}
	for i := range r.Candidates {
		c := &r.Candidates[i]
		sums.Rows = append(sums.Rows, []string{c.Name, "everything", c.Sum})
		if g := c.Golden; g != nil {
			sums.Rows = append(sums.Rows, []string{c.Name, "items", g.Items}, []string{c.Name, "states of entities", g.States})
			for _, name := range slices.Sorted(maps.Keys(g.Logs)) {
				sums.Rows = append(sums.Rows, []string{c.Name, "example log of " + name, g.Logs[name]})
			}
			for _, name := range slices.Sorted(maps.Keys(g.Weights)) {
				sums.Rows = append(sums.Rows, []string{c.Name, "weights of " + name, g.Weights[name]})
			}
		}
	}
	s.Tables = append(s.Tables, sums)
	return s
}

// shell writes a command as a POSIX shell reads it.
func shell(args []string) string {
	var out []string
	for _, a := range args {
		if a == "" || strings.ContainsFunc(a, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=:,+@%", r))
		}) {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		out = append(out, a)
	}
	return strings.Join(out, " ")
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func day(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// short writes a metric with four digits behind the point; what is not defined is –.
func short(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "–"
	}
	return strconv.FormatFloat(x, 'f', 4, 64)
}

func signed(x float64) string {
	if x == 0 {
		return "0"
	}
	return strings.Replace(fmt.Sprintf("%+.5f", x), "-", "−", 1)
}

func percent(n, of uint64) string {
	if of == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of))
}

// count writes a number with separators.
func count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// seconds writes a span of seconds for people.
func seconds(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return span(time.Duration(x * float64(time.Second)))
}

func span(d time.Duration) string {
	day := 24 * time.Hour
	switch {
	case d >= 2*day && d%day == 0:
		return fmt.Sprintf("%d days", d/day)
	case d >= 2*day:
		return fmt.Sprintf("%.1f days", d.Hours()/24)
	case d == day:
		return "1 day"
	case d >= time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute), "00m")
	case d >= time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d >= time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d > 0:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return "0 s"
}
