package evaluate

import (
	"errors"
	"fmt"
	"html"
	"image/color"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/freshet-ml/freshet/models"
)

// PlotFormats are the endings of files that Plot writes.
var PlotFormats = []string{".svg", ".png", ".html"}

// Sizes of a plot, in pixels.
const (
	plotWidth   = 960.0
	panelHeight = 300.0
	plotLeft    = 80.0
	plotRight   = 20.0
	plotTop     = 44.0
	lineHeight  = 18.0
)

// palette holds colours that are told apart by people who see few: Okabe and Ito's, from dark to light.
var palette = []color.RGBA{{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}, {60, 60, 60, 255}}

var (
	inkColor  = color.RGBA{30, 34, 40, 255}
	gridColor = color.RGBA{224, 228, 233, 255}
)

// canvas is what a plot is drawn on; the origin is the upper left corner.
type canvas interface {
	path(points [][2]float64, c color.RGBA, width float64, dashed bool)
	text(x, y float64, anchor, s string) // anchor: start, middle or end; y: base line
}

// plotted are the metrics that are drawn, one above the other.
var plotted = map[string][]string{
	models.Binary.String(): {"accuracy", "log_loss"}, models.Multiclass.String(): {"accuracy", "log_loss"},
	models.Regression.String(): {"mae", "rmse"}, models.Anomaly.String(): {"roc_auc", "pr_auc"},
}

// CheckPlot reports whether Plot can write a file of that name.
func CheckPlot(path string) error {
	if !slices.Contains(PlotFormats, strings.ToLower(filepath.Ext(path))) {
		return fmt.Errorf("plot file %s: the name says the format: end it in .svg, .png or .html", path)
	}
	return nil
}

// Plot draws the curve of a report to a file, whose ending says the format: recent metrics of the models, baselines dashed. The page of .html stands alone.
func (r *Report) Plot(path string) error {
	if err := CheckPlot(path); err != nil {
		return err
	}
	if len(r.Curve) == 0 {
		return errors.New("plot: there is no curve: give --every less than the number of labels")
	}
	var b []byte
	var err error
	switch strings.ToLower(filepath.Ext(path)) {
	case ".png":
		b, err = r.png()
	case ".html":
		b = r.page()
	default:
		b = r.svg()
	}
	if err == nil {
		err = replaceFile(path, b)
	}
	if err != nil {
		return fmt.Errorf("plot file %s: %w", path, err)
	}
	return nil
}

// size is width and height of the whole plot.
func (r *Report) size() (w, h float64) {
	return plotWidth, plotTop + float64(len(plotted[r.Task]))*panelHeight + lineHeight*float64(len(r.Curve[0].Models)) + 12
}

func (r *Report) draw(c canvas) {
	c.text(plotLeft, 24, "start", fmt.Sprintf("%s over %d events: recent values after each %d labels", r.Task, r.Events, r.Curve[0].Labels))
	y := plotTop
	for _, name := range plotted[r.Task] {
		r.panel(c, name, y)
		y += panelHeight
	}
	for i, m := range r.Curve[0].Models {
		at := y + lineHeight*float64(i) + 8
		c.path([][2]float64{{plotLeft, at - 4}, {plotLeft + 30, at - 4}}, palette[i%len(palette)], 2, r.dashed(i))
		c.text(plotLeft+38, at, "start", m.Model)
	}
}

// dashed reports whether the model at a place is a baseline.
func (r *Report) dashed(i int) bool { return i > len(r.Others) }

// panel draws one metric from y down.
func (r *Report) panel(c canvas, name string, y float64) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range r.Curve {
		for _, m := range p.Models {
			if v := m.Recent.Value(name); !math.IsNaN(v) && !math.IsInf(v, 0) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	c.text(plotLeft, y+12, "start", name)
	if low > high {
		c.text(plotLeft+80, y+12, "start", "not defined anywhere")
		return
	}
	ticks := niceTicks(low, high)
	low, high = min(low, ticks[0]), max(high, ticks[len(ticks)-1])
	if low == high {
		high++
	}
	top, bottom := y+22, y+panelHeight-34
	last := float64(r.Curve[len(r.Curve)-1].Labels)
	px := func(labels float64) float64 { return plotLeft + (plotWidth-plotLeft-plotRight)*labels/last }
	py := func(v float64) float64 { return bottom - (bottom-top)*(v-low)/(high-low) }
	for _, t := range ticks {
		c.path([][2]float64{{plotLeft, py(t)}, {plotWidth - plotRight, py(t)}}, gridColor, 1, false)
		c.text(plotLeft-8, py(t)+4, "end", strconv.FormatFloat(t, 'g', 6, 64))
	}
	for _, t := range niceTicks(0, last) {
		if t <= last {
			c.text(px(t), bottom+18, "middle", strconv.FormatFloat(t, 'f', -1, 64))
		}
	}
	for i := len(r.Curve[0].Models) - 1; i >= 0; i-- { // the first model on top
		var part [][2]float64
		for _, p := range r.Curve {
			v := p.Models[i].Recent.Value(name)
			if math.IsNaN(v) || math.IsInf(v, 0) { // a gap
				c.path(part, palette[i%len(palette)], 2, r.dashed(i))
				part = nil
				continue
			}
			part = append(part, [2]float64{px(float64(p.Labels)), py(v)})
		}
		c.path(part, palette[i%len(palette)], 2, r.dashed(i))
	}
}

// niceTicks are about five round numbers that reach from low to high.
func niceTicks(low, high float64) []float64 {
	if !(high > low) {
		return []float64{low}
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/4)))
	for _, by := range []float64{2, 2.5, 2} {
		if (high-low)/step > 6 {
			step *= by
		}
	}
	var out []float64
	for i := math.Floor(low / step); i <= math.Ceil(high/step)+0.5 && len(out) < 20; i++ {
		out = append(out, i*step)
	}
	return out
}

// svgCanvas writes elements of an SVG image.
type svgCanvas struct{ b strings.Builder }

func hexColor(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

func (s *svgCanvas) path(points [][2]float64, c color.RGBA, width float64, dashed bool) {
	if len(points) == 0 {
		return
	}
	if len(points) == 1 {
		fmt.Fprintf(&s.b, `<circle cx="%.1f" cy="%.1f" r="2.5" fill="%s"/>`+"\n", points[0][0], points[0][1], hexColor(c))
		return
	}
	dash := ""
	if dashed {
		dash = ` stroke-dasharray="6 4"`
	}
	fmt.Fprintf(&s.b, `<polyline fill="none" stroke="%s" stroke-width="%g" stroke-linejoin="round"%s points="`, hexColor(c), width, dash)
	for i, p := range points {
		if i > 0 {
			s.b.WriteByte(' ')
		}
		fmt.Fprintf(&s.b, "%.1f,%.1f", p[0], p[1])
	}
	s.b.WriteString("\"/>\n")
}

func (s *svgCanvas) text(x, y float64, anchor, t string) {
	fmt.Fprintf(&s.b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(t))
}

func (r *Report) svg() []byte {
	w, h := r.size()
	s := &svgCanvas{}
	fmt.Fprintf(&s.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" role="img" aria-label="Metrics over %d labels" font-family="sans-serif" font-size="13" fill="%s">`+"\n",
		w, h, w, h, r.Labeled, hexColor(inkColor))
	fmt.Fprintf(&s.b, `<rect width="%g" height="%g" fill="#ffffff"/>`+"\n", w, h)
	r.draw(s)
	s.b.WriteString("</svg>\n")
	return []byte(s.b.String())
}

// page is an HTML page with the image and the numbers behind it.
func (r *Report) page() []byte {
	var b strings.Builder
	title := html.EscapeString("Evaluation of " + r.Model)
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>%s</title>\n", title)
	b.WriteString("<style>body{font:15px/1.5 sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#1e2228}svg{max-width:100%;height:auto}" +
		"table{border-collapse:collapse}td,th{padding:.2rem .9rem .2rem 0;text-align:right}th:first-child{text-align:left}pre{overflow-x:auto}</style></head>\n")
	fmt.Fprintf(&b, "<body><h1>%s</h1>\n<pre>", title)
	var text strings.Builder
	summary := *r
	summary.Curve = nil
	_ = summary.Table(&text) // a strings.Builder does not fail
	b.WriteString(html.EscapeString(text.String()) + "</pre>\n")
	b.Write(r.svg())
	names := plotted[r.Task]
	b.WriteString("<table><thead><tr><th>labels</th>")
	for _, m := range r.Curve[0].Models {
		for _, n := range names {
			fmt.Fprintf(&b, "<th>%s of %s</th>", n, html.EscapeString(m.Model))
		}
	}
	b.WriteString("</tr></thead><tbody>\n")
	for _, p := range r.Curve {
		fmt.Fprintf(&b, "<tr><th>%d</th>", p.Labels)
		for _, m := range p.Models {
			for _, n := range names {
				fmt.Fprintf(&b, "<td>%s</td>", short(m.Recent.Value(n)))
			}
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody></table></body></html>\n")
	return []byte(b.String())
}
