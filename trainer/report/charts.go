package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"time"
)

// Colors is how many series a chart can tell apart by colour and dash; further ones begin anew.
const Colors = 8

// Line is one series of LineChart. Times increase; a NaN breaks the line.
type Line struct {
	Name  string
	Color int     // 0 to Colors − 1
	Lead  bool    // the value axis fits it
	Faint bool    // thin
	Time  []int64 // µs
	Value []float64
	Marks []Mark
}

// Mark is a place in time worth a look: the mean loss rose or fell.
type Mark struct {
	Time int64
	Rose bool
}

const (
	chartWidth  = 760.0
	lineHeight  = 250.0
	leftMargin  = 52.0
	rightMargin = 14.0
	topMargin   = 20.0
	footMargin  = 26.0
)

func series(color int) string { return fmt.Sprintf("s%d", color%Colors) }

// LineChart draws values over event time. The value axis fits the lines that lead (all, if none does), and of the others what
// lies as near again. Lines that leave the chart are cut at its edge. The marks of each line stand in a row of
// its own above.
func LineChart(title, axis string, lines []Line) template.HTML {
	marked := 0
	for i := range lines {
		if len(lines[i].Marks) > 0 {
			marked++
		}
	}
	top := topMargin + 11*float64(marked)
	s := newSVG(chartWidth, lineHeight+11*float64(marked), title)
	foot := s.height - footMargin
	first, last := timeRange(lines)
	x := scale{float64(first), float64(last), leftMargin, chartWidth - rightMargin}
	lo, hi, ticks := nice(valueRange(lines))
	y := scale{lo, hi, foot, top}
	s.valueAxis(y, ticks, axis)
	at, layout := timeTicks(first, last, 8)
	for _, t := range at {
		s.line("tick", x.at(float64(t)), foot, x.at(float64(t)), foot+4)
		s.text("t", "middle", min(max(x.at(float64(t)), leftMargin+14), chartWidth-24), foot+17, time.UnixMicro(t).UTC().Format(layout))
	}
	row := 0.0
	for _, l := range drawOrder(lines) {
		points := make([][2]float64, len(l.Time))
		for i, t := range l.Time {
			points[i] = [2]float64{x.at(float64(t)), y.clamp(l.Value[i])}
			if l.Value[i] != l.Value[i] {
				points[i][1] = math.NaN()
			}
		}
		class := "l " + series(l.Color)
		if l.Faint {
			class += " faint"
		}
		s.path(class, points)
		if len(points) <= 2 {
			for _, p := range points {
				if p[1] == p[1] {
					s.circle("d "+series(l.Color), p[0], p[1], 3, "")
				}
			}
		}
	}
	for _, l := range lines {
		for _, m := range l.Marks {
			s.triangle("m "+series(l.Color), x.clamp(float64(m.Time)), topMargin+4+row, m.Rose, fmt.Sprintf("%s: loss %s, %s", l.Name, roseText(m.Rose), instant(m.Time)))
		}
		if len(l.Marks) > 0 {
			row += 11
		}
	}
	return s.done()
}

func roseText(rose bool) string {
	if rose {
		return "rose"
	}
	return "fell"
}

// drawOrder puts the faint lines below the others, and the first line on top.
func drawOrder(lines []Line) []Line {
	out := slices.Clone(lines)
	slices.Reverse(out)
	slices.SortStableFunc(out, func(a, b Line) int {
		switch {
		case a.Faint == b.Faint:
			return 0
		case a.Faint:
			return -1
		}
		return 1
	})
	return out
}

func timeRange(lines []Line) (first, last int64) {
	first, last = math.MaxInt64, math.MinInt64
	for _, l := range lines {
		if n := len(l.Time); n > 0 {
			first, last = min(first, l.Time[0]), max(last, l.Time[n-1])
		}
	}
	if first > last {
		return 0, 0
	}
	return first, last
}

// valueRange is what the value axis shows, for nice.
func valueRange(lines []Line) (lo, hi float64, n int) {
	var lead, rest []float64
	for _, l := range lines {
		if l.Lead {
			lead = append(lead, l.Value...)
		} else {
			rest = append(rest, l.Value...)
		}
	}
	lo, hi = within(lead, rest)
	return lo, hi, 4
}

// within is the range of the leading values, widened to those others that are no farther from it than it is wide.
func within(lead, rest []float64) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	take := func(values []float64, least, most float64) {
		for _, v := range values {
			if v >= least && v <= most {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	take(lead, math.Inf(-1), math.MaxFloat64)
	if lo > hi {
		take(rest, math.Inf(-1), math.MaxFloat64)
	} else {
		w := max(hi-lo, math.Abs(hi)/2)
		take(rest, lo-w, hi+w)
	}
	if lo > hi {
		return 0, 1
	}
	return lo, hi
}

// valueAxis draws grid lines with their numbers, and the name of the axis.
func (s *svg) valueAxis(y scale, ticks []float64, name string) {
	for _, v := range ticks {
		s.line("grid", leftMargin, y.at(v), s.width-rightMargin, y.at(v))
		s.text("t", "end", leftMargin-7, y.at(v)+4, tickText(v, ticks[1]-ticks[0]))
	}
	s.text("t", "start", 2, 12, name)
}

// Bin is one bin of ReliabilityChart.
type Bin struct{ Confidence, Right, Weight float64 }

// ReliabilityChart draws how often answers were right over how sure they were, beside the diagonal of perfect calibration. The dots grow
// with the weight of their bins; the bars at the foot are the share of answers.
func ReliabilityChart(title string, color int, bins []Bin) template.HTML {
	const side, left, top = 250.0, 36.0, 10.0
	s := newSVG(side+left+18, side+top+40, title)
	x, y := scale{0, 1, left, left + side}, scale{0, 1, top + side, top}
	for _, v := range []float64{0, .25, .5, .75, 1} {
		s.line("grid", left, y.at(v), left+side, y.at(v))
		s.text("t", "end", left-6, y.at(v)+4, tickText(v, .01))
		s.text("t", "middle", x.at(v), top+side+16, tickText(v, .01))
	}
	s.line("ideal", x.at(0), y.at(0), x.at(1), y.at(1))
	total, most := 0.0, 0.0
	for _, b := range bins {
		total += b.Weight
		most = max(most, b.Weight)
	}
	var points [][2]float64
	for _, b := range bins {
		h := b.Weight / most * side / 5
		s.rect("bar "+series(color), x.at(b.Confidence)-4, y.at(0)-h, 8, h, "")
		points = append(points, [2]float64{x.at(b.Confidence), y.at(b.Right)})
	}
	s.path("l solid "+series(color), points)
	for i, b := range bins {
		s.circle("d "+series(color), points[i][0], points[i][1], 2.5+4*math.Sqrt(b.Weight/most),
			fmt.Sprintf("sure %.3f, right %.3f, %.1f %% of answers", b.Confidence, b.Right, 100*b.Weight/total))
	}
	s.text("t", "middle", left+side/2, top+side+33, "how sure the answers were")
	return s.done()
}

// Band is one row of BandChart: a mean, and the limits around it (NaN: there are none).
type Band struct {
	Name            string
	Mean, Low, High float64
	Differs         bool
}

const rowHeight = 26.0

// BandChart draws differences with their bands around 0. Bands that leave out 0 are filled. The axis fits the bands nearest to 0;
// farther ones are cut at its edge.
func BandChart(title, axis string, bands []Band) template.HTML {
	left := nameWidth(bandNames(bands))
	s := newSVG(chartWidth, 34+rowHeight*float64(len(bands))+22, title)
	lo, hi, ticks := nice(bandRange(bands))
	x := scale{lo, hi, left, chartWidth - 70}
	foot := s.height - 22
	for _, v := range ticks {
		s.line("grid", x.at(v), 24, x.at(v), foot)
		s.text("t", "middle", x.at(v), foot+16, tickText(v, ticks[1]-ticks[0]))
	}
	s.line("zero", x.at(0), 20, x.at(0), foot)
	s.text("t", "end", x.at(0)-6, 14, "← better")
	s.text("t", "start", x.at(0)+6, 14, "worse →")
	for i, b := range bands {
		mid := 24 + rowHeight*(float64(i)+.5)
		s.text("n", "end", left-12, mid+4, fit(b.Name, 34))
		class := "even"
		if b.Differs {
			class = map[bool]string{true: "good", false: "bad"}[b.Mean < 0]
		}
		if b.Low == b.Low {
			s.line("band "+class, x.clamp(b.Low), mid, x.clamp(b.High), mid)
		}
		if b.Mean >= lo && b.Mean <= hi {
			s.circle("mean "+class, x.at(b.Mean), mid, 4.5, "")
		} else {
			s.text("n", "start", chartWidth-64, mid+4, fmt.Sprintf("→ %+.3g", b.Mean))
		}
	}
	s.text("t", "start", 2, 14, axis)
	return s.done()
}

func bandNames(bands []Band) (names []string) {
	for _, b := range bands {
		names = append(names, b.Name)
	}
	return names
}

// nameWidth is the room that names need.
func nameWidth(names []string) float64 {
	most := 8
	for _, n := range names {
		most = max(most, min(len([]rune(n)), 34))
	}
	return 22 + 6.6*float64(most)
}

// bandRange keeps what lies within four times the greatest distance of the nearest half of the bands.
func bandRange(bands []Band) (lo, hi float64, n int) {
	far := func(b Band) float64 {
		if b.Low != b.Low {
			return math.Abs(b.Mean)
		}
		return max(math.Abs(b.Low), math.Abs(b.High))
	}
	var all []float64
	for _, b := range bands {
		all = append(all, far(b))
	}
	slices.Sort(all)
	bound := 0.0
	if len(all) > 0 {
		bound = 4 * all[(len(all)-1)/2]
	}
	for _, b := range bands {
		if far(b) > bound {
			continue
		}
		lo, hi = min(lo, b.Mean), max(hi, b.Mean)
		if b.Low == b.Low {
			lo, hi = min(lo, b.Low), max(hi, b.High)
		}
	}
	return lo, hi, 6
}

// Dots is one row of DotChart: a value for each series, NaN where there is none.
type Dots struct {
	Name   string
	Note   string
	Values []float64
}

// DotChart draws one row for each name with a dot for each series; colors has the colour of each series. The axis fits the first series and
// of the others what lies as near again; hollow dots at the edge lie beyond it.
func DotChart(title, axis string, colors []int, rows []Dots) template.HTML {
	var names []string
	var lead, rest []float64
	for _, r := range rows {
		names = append(names, r.Name)
		if len(r.Values) > 0 {
			lead, rest = append(lead, r.Values[0]), append(rest, r.Values[1:]...)
		}
	}
	lo, hi := within(lead, rest)
	left := nameWidth(names)
	s := newSVG(chartWidth, 24+rowHeight*float64(len(rows))+22, title)
	lo, hi, ticks := nice(lo, hi, 6)
	x := scale{lo, hi, left, chartWidth - 90}
	foot := s.height - 22
	for _, v := range ticks {
		s.line("grid", x.at(v), 22, x.at(v), foot)
		s.text("t", "middle", x.at(v), foot+16, tickText(v, ticks[1]-ticks[0]))
	}
	for i, r := range rows {
		mid := 22 + rowHeight*(float64(i)+.5)
		s.line("row", left, mid, chartWidth-90, mid)
		s.text("n", "end", left-12, mid+4, fit(r.Name, 34))
		s.text("t", "end", chartWidth-6, mid+4, r.Note)
		for k := len(r.Values) - 1; k >= 0; k-- {
			if v := r.Values[k]; v == v {
				class := "d " + series(colors[k])
				if v < lo || v > hi {
					class += " out"
				}
				s.circle(class, x.clamp(v), mid, 5, fmt.Sprintf("%s: %.4f", r.Name, v))
			}
		}
	}
	s.text("t", "start", 2, 12, axis)
	return s.done()
}

// Bar is one row of BarChart.
type Bar struct {
	Name             string
	Value, Threshold float64 // Threshold is drawn as a line across the bar
	Over             bool    // the value is beyond the threshold
}

// BarChart draws bars from 0 with the threshold of each.
func BarChart(title, axis string, bars []Bar) template.HTML {
	var names []string
	most := 0.0
	for _, b := range bars {
		names, most = append(names, b.Name), max(most, b.Value, b.Threshold)
	}
	left := nameWidth(names)
	s := newSVG(chartWidth, 24+rowHeight*float64(len(bars))+22, title)
	_, hi, ticks := nice(0, most, 6)
	x := scale{0, hi, left, chartWidth - 60}
	foot := s.height - 22
	for _, v := range ticks {
		s.line("grid", x.at(v), 22, x.at(v), foot)
		s.text("t", "middle", x.at(v), foot+16, tickText(v, ticks[1]-ticks[0]))
	}
	for i, b := range bars {
		mid := 22 + rowHeight*(float64(i)+.5)
		class := "bar even"
		if b.Over {
			class = "bar bad"
		}
		s.text("n", "end", left-12, mid+4, fit(b.Name, 34))
		s.rect(class, left, mid-7, x.at(b.Value)-left, 14, "")
		s.line("limit", x.at(b.Threshold), mid-11, x.at(b.Threshold), mid+11)
		s.text("n", "start", max(x.at(b.Value), x.at(b.Threshold))+6, mid+4, fmt.Sprintf("%.3f", b.Value))
	}
	s.text("t", "start", 2, 12, axis)
	return s.done()
}

// Column is one bin of Histogram.
type Column struct {
	From, To string
	Count    uint64
}

// Histogram draws counts; every fourth bin is named.
func Histogram(title, axis string, columns []Column) template.HTML {
	s := newSVG(chartWidth, 200, title)
	most := uint64(1)
	for _, c := range columns {
		most = max(most, c.Count)
	}
	_, hi, ticks := nice(0, float64(most), 4)
	foot := s.height - footMargin
	y := scale{0, hi, foot, topMargin}
	s.valueAxis(y, ticks, axis)
	width := (chartWidth - leftMargin - rightMargin) / float64(max(len(columns), 1))
	for i, c := range columns {
		x := leftMargin + width*float64(i)
		s.rect("bar s0", x+1, y.at(float64(c.Count)), width-2, foot-y.at(float64(c.Count)), fmt.Sprintf("%s to %s: %d", c.From, c.To, c.Count))
		if i%4 == 0 {
			s.text("t", "start", x, foot+17, c.From)
		}
	}
	if n := len(columns); n > 0 {
		s.text("t", "end", chartWidth-rightMargin, foot+17, columns[n-1].To)
	}
	return s.done()
}

func instant(t int64) string { return time.UnixMicro(t).UTC().Format("2006-01-02 15:04") }
