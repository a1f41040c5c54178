// Package draw puts lines, areas and texts on images, as SVG or PNG, with the same calls: what the plots of evaluations are made of.
package draw

import (
	"fmt"
	"html"
	"image/color"
	"math"
	"path/filepath"
	"slices"
	"strings"
)

// Formats are the endings of files that plots are written to.
var Formats = []string{".svg", ".png", ".html"}

// Check reports whether a plot can be written to a file of that name, and returns its ending.
func Check(path string) (string, error) {
	ending := strings.ToLower(filepath.Ext(path))
	if !slices.Contains(Formats, ending) {
		return "", fmt.Errorf("plot file %s: the name says the format: end it in .svg, .png or .html", path)
	}
	return ending, nil
}

// Palette holds colours that are told apart by people who see few: Okabe and Ito's, from dark to light.
var Palette = []color.RGBA{{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}, {60, 60, 60, 255}}

// Colours of texts and of the lines behind a curve.
var (
	Ink  = color.RGBA{30, 34, 40, 255}
	Grid = color.RGBA{224, 228, 233, 255}
)

// Canvas is what a plot is drawn on; the origin is the upper left corner, units are pixels.
type Canvas interface {
	// Path draws a line through the points, a dot for one point, nothing for none.
	Path(points [][2]float64, c color.RGBA, width float64, dashed bool)
	// Area fills what the points surround.
	Area(points [][2]float64, c color.RGBA)
	// Text writes s from, around or up to x; anchor is start, middle or end, y the base line.
	Text(x, y float64, anchor, s string)
}

// Light mixes a colour with white: 0 leaves it, 1 is white.
func Light(c color.RGBA, white float64) color.RGBA {
	mix := func(v uint8) uint8 { return uint8(math.Round(float64(v) + white*(255-float64(v)))) }
	return color.RGBA{mix(c.R), mix(c.G), mix(c.B), 255}
}

// Ticks are about five round numbers that reach from low to high.
func Ticks(low, high float64) []float64 {
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

// svg writes elements of an SVG image.
type svg struct{ b strings.Builder }

// SVG returns an image of width w and height h, described by label for those who do not see it.
func SVG(w, h float64, label string, draw func(Canvas)) []byte {
	s := &svg{}
	fmt.Fprintf(&s.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" role="img" aria-label="%s" font-family="sans-serif" font-size="13" fill="%s">`+"\n",
		w, h, w, h, html.EscapeString(label), hexColor(Ink))
	fmt.Fprintf(&s.b, `<rect width="%g" height="%g" fill="#ffffff"/>`+"\n", w, h)
	draw(s)
	s.b.WriteString("</svg>\n")
	return []byte(s.b.String())
}

func hexColor(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

func (s *svg) Path(points [][2]float64, c color.RGBA, width float64, dashed bool) {
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
	s.points(points)
}

func (s *svg) Area(points [][2]float64, c color.RGBA) {
	if len(points) < 3 {
		return
	}
	fmt.Fprintf(&s.b, `<polygon stroke="none" fill="%s" points="`, hexColor(c))
	s.points(points)
}

func (s *svg) points(points [][2]float64) {
	for i, p := range points {
		if i > 0 {
			s.b.WriteByte(' ')
		}
		fmt.Fprintf(&s.b, "%.1f,%.1f", p[0], p[1])
	}
	s.b.WriteString("\"/>\n")
}

func (s *svg) Text(x, y float64, anchor, t string) {
	fmt.Fprintf(&s.b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(t))
}
