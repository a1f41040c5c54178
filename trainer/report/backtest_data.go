package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/trainer/backtest"
)

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
	if t := lossTable(all); len(t.Rows) > 0 {
		s.Tables = append(s.Tables, t)
	}
	switch {
	case len(s.Figures) > 0:
		s.Text = "The distance of each column in the last window of predictions from the first ones, by its measure. The line across a bar is its threshold, which takes the sizes into account. Beyond it the column has drifted."
	default:
		s.Text = "No drift of features is told: the first window ends after 7,000 predictions."
	}
	return s
}

// lossTable is what the detectors on the losses said, and when.
func lossTable(all []group) Table {
	t := Table{Caption: "Changes of the loss, and warnings of them", Head: []string{"model", "detector", "watches", "level", "trigger at", "loss"},
		Text: map[int]bool{1: true, 2: true, 3: true, 4: true, 5: true}}
	for _, g := range all {
		for _, m := range g.distinct() {
			type said struct {
				backtest.Change
				level string
			}
			var list []said
			for _, c := range m.Changes {
				list = append(list, said{c, "drift"})
			}
			for _, c := range m.Warnings {
				list = append(list, said{c, "warning"})
			}
			slices.SortStableFunc(list, func(a, b said) int { return a.Time.Compare(b.Time) })
			for _, c := range list {
				t.Rows = append(t.Rows, []string{m.label, m.Detector, strings.ReplaceAll(m.Watched, "_", " "), c.level, instant(c.Time.UnixMicro()), roseText(c.Rose)})
			}
		}
	}
	return t
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
		over := c.Distance > c.Threshold
		if over {
			drifted++
		}
		if i < driftRows {
			bars = append(bars, Bar{c.Column, c.Distance, c.Threshold, over})
		}
		f.Table.Rows = append(f.Table.Rows, []string{c.Column, c.Measure, fmt.Sprintf("%.3f", c.Distance), fmt.Sprintf("%.3f", c.Threshold), fmt.Sprintf("%.1f %%", 100*c.Missing),
			fmt.Sprintf("%.3f", c.Greatest), instant(c.At.UnixMicro()), fmt.Sprintf("%d of %d", c.Drifted, c.Windows)})
	}
	f.Caption = fmt.Sprintf("%d of %d columns are beyond their threshold in the last window.", drifted, len(list))
	if len(list) > driftRows {
		f.Caption += fmt.Sprintf(" The chart has the first %d.", driftRows)
	}
	f.Chart = BarChart("drift of the columns of "+trigger, measured(list), bars)
	f.Table.Text = map[int]bool{1: true}
	f.Table.Caption, f.Table.Head = "drift of all columns", []string{"column", "measure", "distance", "threshold", "missing", "greatest", "then", "windows drifted"}
	return f
}

// measured names what the bars are: the measure if all columns have one.
func measured(list []backtest.ColumnDrift) string {
	for _, c := range list {
		if c.Measure != list[0].Measure {
			return "distance by the measure of each column"
		}
	}
	return list[0].Measure
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
