package evaluate

import (
	"errors"
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/trainer/evaluate/draw"
)

// Sizes of a plot, in pixels.
const (
	plotWidth   = 960.0
	panelHeight = 300.0
	plotLeft    = 80.0
	plotRight   = 20.0
	plotTop     = 44.0
	lineHeight  = 18.0
)

// plotted are the metrics that are drawn, one above the other.
var plotted = map[string][]string{
	models.Binary.String(): {"accuracy", "log_loss"}, models.Multiclass.String(): {"accuracy", "log_loss"},
	models.Regression.String(): {"mae", "rmse"}, models.Anomaly.String(): {"roc_auc", "pr_auc"},
}

// CheckPlot reports whether Plot can write a file of that name.
func CheckPlot(path string) error {
	_, err := draw.Check(path)
	return err
}

// Plot draws the curve of a report to a file, whose ending says the format: recent metrics of the models, baselines dashed. The page of .html stands alone.
func (r *Report) Plot(path string) error {
	ending, err := draw.Check(path)
	if err != nil {
		return err
	}
	if len(r.Curve) == 0 {
		return errors.New("plot: there is no curve: give --every less than the number of labels")
	}
	var b []byte
	switch ending {
	case ".png":
		w, h := r.size()
		b, err = draw.PNG(w, h, r.draw)
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

func (r *Report) draw(c draw.Canvas) {
	c.Text(plotLeft, 24, "start", fmt.Sprintf("%s over %d events: recent values after each %d labels", r.Task, r.Events, r.Curve[0].Labels))
	y := plotTop
	for _, name := range plotted[r.Task] {
		r.panel(c, name, y)
		y += panelHeight
	}
	for i, m := range r.Curve[0].Models {
		at := y + lineHeight*float64(i) + 8
		c.Path([][2]float64{{plotLeft, at - 4}, {plotLeft + 30, at - 4}}, draw.Palette[i%len(draw.Palette)], 2, r.dashed(i))
		c.Text(plotLeft+38, at, "start", m.Model)
	}
}

// dashed reports whether the model at a place is a baseline.
func (r *Report) dashed(i int) bool { return i > len(r.Others) }

// panel draws one metric from y down.
func (r *Report) panel(c draw.Canvas, name string, y float64) {
	low, high := math.Inf(1), math.Inf(-1)
	for _, p := range r.Curve {
		for _, m := range p.Models {
			if v := m.Recent.Value(name); !math.IsNaN(v) && !math.IsInf(v, 0) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	c.Text(plotLeft, y+12, "start", name)
	if low > high {
		c.Text(plotLeft+80, y+12, "start", "not defined anywhere")
		return
	}
	ticks := draw.Ticks(low, high)
	low, high = min(low, ticks[0]), max(high, ticks[len(ticks)-1])
	if low == high {
		high++
	}
	top, bottom := y+22, y+panelHeight-34
	last := float64(r.Curve[len(r.Curve)-1].Labels)
	px := func(labels float64) float64 { return plotLeft + (plotWidth-plotLeft-plotRight)*labels/last }
	py := func(v float64) float64 { return bottom - (bottom-top)*(v-low)/(high-low) }
	for _, t := range ticks {
		c.Path([][2]float64{{plotLeft, py(t)}, {plotWidth - plotRight, py(t)}}, draw.Grid, 1, false)
		c.Text(plotLeft-8, py(t)+4, "end", strconv.FormatFloat(t, 'g', 6, 64))
	}
	for _, t := range draw.Ticks(0, last) {
		if t <= last {
			c.Text(px(t), bottom+18, "middle", strconv.FormatFloat(t, 'f', -1, 64))
		}
	}
	for i := len(r.Curve[0].Models) - 1; i >= 0; i-- { // the first model on top
		var part [][2]float64
		for _, p := range r.Curve {
			v := p.Models[i].Recent.Value(name)
			if math.IsNaN(v) || math.IsInf(v, 0) { // a gap
				c.Path(part, draw.Palette[i%len(draw.Palette)], 2, r.dashed(i))
				part = nil
				continue
			}
			part = append(part, [2]float64{px(float64(p.Labels)), py(v)})
		}
		c.Path(part, draw.Palette[i%len(draw.Palette)], 2, r.dashed(i))
	}
}

func (r *Report) svg() []byte {
	w, h := r.size()
	return draw.SVG(w, h, fmt.Sprintf("Metrics over %d labels", r.Labeled), r.draw)
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
				fmt.Fprintf(&b, "<td>%s</td>", Short(m.Recent.Value(n)))
			}
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody></table></body></html>\n")
	return []byte(b.String())
}
