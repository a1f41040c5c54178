package report

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// svg is an image under construction. Colours are classes, which the style of the page gives a value in light and dark.
type svg struct {
	b             strings.Builder
	width, height float64
}

// newSVG begins an image that scales with its place. title is what a screen reader says of it.
func newSVG(width, height float64, title string) *svg {
	s := &svg{width: width, height: height}
	fmt.Fprintf(&s.b, `<svg viewBox="0 0 %s %s" role="img" aria-label="%s">`, px(width), px(height), html.EscapeString(title))
	return s
}

func (s *svg) done() template.HTML {
	s.b.WriteString("</svg>")
	return template.HTML(s.b.String()) // made of numbers, own classes and escaped text
}

// px writes a coordinate with one digit: enough for the eye, and the same on every machine.
func px(x float64) string {
	x = math.Round(x*10) / 10
	if x == 0 {
		x = 0 // not −0
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

func (s *svg) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(&s.b, `<line class="%s" x1="%s" y1="%s" x2="%s" y2="%s"/>`, class, px(x1), px(y1), px(x2), px(y2))
}

func (s *svg) rect(class string, x, y, w, h float64, tip string) {
	fmt.Fprintf(&s.b, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"`, class, px(x), px(y), px(max(w, 0)), px(max(h, 0)))
	s.tip("rect", tip)
}

func (s *svg) circle(class string, x, y, r float64, tip string) {
	fmt.Fprintf(&s.b, `<circle class="%s" cx="%s" cy="%s" r="%s"`, class, px(x), px(y), px(r))
	s.tip("circle", tip)
}

// tip ends an element, with a text that shows when the pointer rests on it.
func (s *svg) tip(element, text string) {
	if text == "" {
		s.b.WriteString("/>")
		return
	}
	fmt.Fprintf(&s.b, `><title>%s</title></%s>`, html.EscapeString(text), element)
}

// text writes t; anchor is start, middle or end.
func (s *svg) text(class, anchor string, x, y float64, t string) {
	fmt.Fprintf(&s.b, `<text class="%s" text-anchor="%s" x="%s" y="%s">%s</text>`, class, anchor, px(x), px(y), html.EscapeString(t))
}

// path draws through points; a NaN breaks it.
func (s *svg) path(class string, points [][2]float64) {
	var d strings.Builder
	pen := false
	for _, p := range points {
		if p[1] != p[1] {
			pen = false
			continue
		}
		d.WriteString(map[bool]string{false: "M", true: "L"}[pen] + px(p[0]) + " " + px(p[1]))
		pen = true
	}
	if d.Len() > 0 {
		fmt.Fprintf(&s.b, `<path class="%s" d="%s"/>`, class, d.String())
	}
}

func (s *svg) triangle(class string, x, y float64, up bool, tip string) {
	h := 7.0
	if !up {
		h = -7
	}
	fmt.Fprintf(&s.b, `<path class="%s" d="M%s %sl4.5 %sh-9z"`, class, px(x), px(y-h/2), px(h))
	s.tip("path", tip)
}

// fit shortens a text to n characters.
func fit(t string, n int) string {
	r := []rune(t)
	if len(r) <= n {
		return t
	}
	return string(r[:n-1]) + "…"
}
