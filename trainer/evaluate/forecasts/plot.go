package forecasts

import (
	"cmp"
	"fmt"
	"html"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/trainer/evaluate"
	"github.com/freshet-ml/freshet/trainer/evaluate/draw"
)

// defaultPlots is how many series are drawn when none is named.
const defaultPlots = 4

// maxPlots bounds the series of a plot.
const maxPlots = 100

// Sizes of a plot, in pixels.
const (
	plotWidth   = 960.0
	panelHeight = 280.0
	plotLeft    = 80.0
	plotRight   = 20.0
	plotTop     = 40.0
	lineHeight  = 18.0
)

// plotSeries is a series to draw: what came before its last origin, what followed, and the forecasts.
type plotSeries struct {
	key         string
	place       int
	first, last string       // times of the ends
	history     [][2]float64 // steps from the origin, value
	truth       [][2]float64
	answers     []models.Outlook // by model
}

// keepPlot keeps the forecast of an origin, in place of that of an earlier one.
func (b *block) keepPlot(s *series, at origin, k int) {
	place, ok := b.plotted[s.key]
	if !ok || b.o.Plot == "" {
		return
	}
	p := plotSeries{key: s.key, place: place}
	from := s.at(at.point)
	before := int64(max(4*b.o.Horizon, 50))
	p.first, p.last = b.data.grid.text(max(from-before, s.points[0].t), s.base), b.data.grid.text(from+int64(at.steps), s.base)
	for _, q := range s.points {
		if d := q.t - from; d >= -before && d <= int64(at.steps) && !math.IsNaN(q.y) {
			if d <= 0 {
				p.history = append(p.history, [2]float64{float64(d), q.y})
			} else {
				p.truth = append(p.truth, [2]float64{float64(d), q.y})
			}
		}
	}
	for i := range b.models {
		o := b.outlooks[i][k]
		o.Mean, o.Quantiles = slices.Clone(o.Mean), slices.Clone(o.Quantiles)
		p.answers = append(p.answers, o)
	}
	b.plots = slices.DeleteFunc(b.plots, func(q plotSeries) bool { return q.key == p.key })
	b.plots = append(b.plots, p)
}

// plot writes history, forecasts and intervals of the series to a file, whose ending says the format.
func (r *Report) plot(path string, list []plotSeries) error {
	ending, err := draw.Check(path)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("plot file %s: none of the series to draw was forecast", path)
	}
	slices.SortFunc(list, func(a, b plotSeries) int { return cmp.Compare(a.place, b.place) })
	p := &picture{report: r, series: list}
	var b []byte
	switch ending {
	case ".png":
		b, err = draw.PNG(plotWidth, p.height(), p.draw)
	case ".html":
		b = p.page()
	default:
		b = draw.SVG(plotWidth, p.height(), p.label(), p.draw)
	}
	if err == nil {
		err = evaluate.ReplaceFile(path, b)
	}
	if err != nil {
		return fmt.Errorf("plot file %s: %w", path, err)
	}
	return nil
}

// picture draws a panel for each series.
type picture struct {
	report *Report
	series []plotSeries
}

func (p *picture) height() float64 {
	return plotTop + panelHeight*float64(len(p.series)) + lineHeight*float64(len(p.report.results())+1) + 12
}

func (p *picture) label() string {
	return fmt.Sprintf("Forecasts of %d steps for %d series", p.report.Horizon, len(p.series))
}

func (p *picture) draw(c draw.Canvas) {
	c.Text(plotLeft, 24, "start", fmt.Sprintf("%s: %d steps of %s after the last origin; intervals of 80 and 95 %% of the first model", p.report.Task, p.report.Horizon, p.report.Step))
	y := plotTop
	for i := range p.series {
		p.panel(c, &p.series[i], y)
		y += panelHeight
	}
	legend := func(name string, ink color.RGBA) {
		c.Path([][2]float64{{plotLeft, y + 4}, {plotLeft + 30, y + 4}}, ink, 2, false)
		c.Text(plotLeft+38, y+8, "start", name)
		y += lineHeight
	}
	legend("values", draw.Ink)
	for i, m := range p.report.results() {
		legend(m.Model, inkOf(i))
	}
}

func inkOf(i int) color.RGBA { return draw.Palette[i%(len(draw.Palette)-1)] }

// bounds are the least and the greatest number of a panel, and the steps at its ends. An interval counts up to three times the spread of the values, so that a wide one does not
// flatten the rest.
func (s *plotSeries) bounds(low, high func(*models.Outlook, int) float64) (x0, x1, y0, y1 float64) {
	x0, x1, y0, y1 = 0, 1, math.Inf(1), math.Inf(-1)
	see := func(x, y float64) {
		if y-y == 0 {
			x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
		}
	}
	for _, p := range slices.Concat(s.history, s.truth) {
		see(p[0], p[1])
	}
	for _, o := range s.answers {
		for i, m := range o.Mean {
			see(float64(i+1), m)
		}
	}
	spread := max(y1-y0, 1e-9)
	least, greatest := y0-3*spread, y1+3*spread
	o := &s.answers[0]
	for i := range o.Mean {
		see(float64(i+1), max(low(o, i), least))
		see(float64(i+1), min(high(o, i), greatest))
	}
	return x0, x1, y0, y1
}

// quantile is that of a level at a step.
func quantile(level float64) func(*models.Outlook, int) float64 {
	return func(o *models.Outlook, step int) float64 {
		for j, l := range o.Levels {
			if math.Abs(l-level) < 1e-9 {
				return o.Quantiles[step*len(o.Levels)+j]
			}
		}
		return math.NaN()
	}
}

// panel draws one series from y down.
func (p *picture) panel(c draw.Canvas, s *plotSeries, y float64) {
	c.Text(plotLeft, y+12, "start", cmp.Or(s.key, "(one series)"))
	x0, x1, y0, y1 := s.bounds(quantile(0.025), quantile(0.975))
	if y0 > y1 {
		c.Text(plotLeft+80, y+12, "start", "nothing to draw")
		return
	}
	ticks := draw.Ticks(y0, y1)
	y0, y1 = min(y0, ticks[0]), max(y1, ticks[len(ticks)-1])
	if y0 == y1 {
		y1 += math.Max(1, math.Abs(y1))
	}
	top, bottom := y+22, y+panelHeight-34
	at := func(x, v float64) [2]float64 {
		v = max(y0, min(y1, v))
		return [2]float64{plotLeft + (plotWidth-plotLeft-plotRight)*(x-x0)/(x1-x0), bottom - (bottom-top)*(v-y0)/(y1-y0)}
	}
	p.band(c, s, at, 0.025, 0.975, 0.8)
	p.band(c, s, at, 0.1, 0.9, 0.6)
	for _, t := range ticks {
		c.Path([][2]float64{at(x0, t), at(x1, t)}, draw.Grid, 1, false)
		c.Text(plotLeft-8, at(x0, t)[1]+4, "end", strconv.FormatFloat(t, 'g', 6, 64))
	}
	c.Text(plotLeft, bottom+18, "start", s.first)
	c.Text(plotWidth-plotRight, bottom+18, "end", s.last)
	c.Path([][2]float64{at(0, y0), at(0, y1)}, draw.Grid, 1, true)
	line := func(points [][2]float64, ink color.RGBA, width float64) {
		out := make([][2]float64, 0, len(points))
		for _, q := range points {
			out = append(out, at(q[0], q[1]))
		}
		c.Path(out, ink, width, false)
	}
	line(s.history, draw.Ink, 1.5)
	line(s.truth, draw.Ink, 1.5)
	for i := len(s.answers) - 1; i >= 0; i-- {
		var points [][2]float64
		for k, m := range s.answers[i].Mean {
			if m-m == 0 {
				points = append(points, [2]float64{float64(k + 1), m})
			}
		}
		line(points, inkOf(i), 2)
	}
}

// band fills the interval between two levels of the first model.
func (p *picture) band(c draw.Canvas, s *plotSeries, at func(x, v float64) [2]float64, low, high, white float64) {
	o := &s.answers[0]
	var lower, upper [][2]float64
	for i := range o.Mean {
		l, h := quantile(low)(o, i), quantile(high)(o, i)
		if l-l == 0 && h-h == 0 {
			lower, upper = append(lower, at(float64(i+1), l)), append(upper, at(float64(i+1), h))
		}
	}
	if len(lower) == 1 { // one step is an area too
		const half = 2
		lower = append(lower, [2]float64{lower[0][0] + half, lower[0][1]})
		upper = append(upper, [2]float64{upper[0][0] + half, upper[0][1]})
	}
	slices.Reverse(upper)
	c.Area(append(lower, upper...), draw.Light(inkOf(0), white))
}

// page is an HTML page with the image and the report.
func (p *picture) page() []byte {
	var b, text strings.Builder
	title := html.EscapeString("Forecasts of " + p.report.Model)
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>%s</title>\n", title)
	b.WriteString("<style>body{font:15px/1.5 sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#1e2228}svg{max-width:100%;height:auto}pre{overflow-x:auto}</style></head>\n")
	_ = p.report.Table(&text) // a strings.Builder does not fail
	fmt.Fprintf(&b, "<body><h1>%s</h1>\n%s\n<pre>%s</pre></body></html>\n", title, draw.SVG(plotWidth, p.height(), p.label(), p.draw), html.EscapeString(text.String()))
	return []byte(b.String())
}
