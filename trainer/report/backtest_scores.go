package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/trainer/backtest"
)

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
		s.Text = "Each point is the score of the triggers of one span of event time, by the time of the trigger. ▲ and ▼ mark where the detector on the loss of a model found that it rose or fell; drift says which detector it is. " +
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
