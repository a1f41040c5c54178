package evaluate

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Lines writes rows of equal columns one by one, each as soon as it is there: a table that grows.
type Lines struct {
	w      io.Writer
	widths []int
}

// leastWidth is that of a metric with six digits and its exponent.
const leastWidth = 11

// NewLines returns an empty table. Nothing is written before the first row.
func NewLines(w io.Writer) *Lines { return &Lines{w: w} }

// Row writes a row. The first one names the columns: each is as wide as its name, and wide enough for a number.
func (l *Lines) Row(cells ...string) error {
	if l.widths == nil {
		for _, c := range cells {
			l.widths = append(l.widths, max(leastWidth, utf8.RuneCountInString(c)))
		}
	}
	var b strings.Builder
	for i, c := range cells {
		if i > 0 {
			b.WriteString("  ")
		}
		b.WriteString(c)
		if i < len(cells)-1 && i < len(l.widths) {
			b.WriteString(strings.Repeat(" ", max(0, l.widths[i]-utf8.RuneCountInString(c))))
		}
	}
	b.WriteByte('\n')
	_, err := io.WriteString(l.w, b.String())
	return err
}

// End leaves a line empty if there was any row.
func (l *Lines) End() error {
	if l.widths == nil {
		return nil
	}
	_, err := io.WriteString(l.w, "\n")
	return err
}

// CurveTable writes the points of a curve one by one: labels, then for each model and baseline the recent values of the metrics that a plot shows.
type CurveTable struct{ *Lines }

// WriteCurve writes a whole curve to a table of such points; nothing for an empty curve.
func WriteCurve[P any](curve []P, t interface {
	Point(p *P) error
	End() error
}) error {
	if len(curve) == 0 {
		return nil
	}
	for i := range curve {
		if err := t.Point(&curve[i]); err != nil {
			return err
		}
	}
	return t.End()
}

// NewCurveTable returns an empty table.
func NewCurveTable(w io.Writer) *CurveTable { return &CurveTable{NewLines(w)} }

// Point writes one point; before the first it names the columns.
func (t *CurveTable) Point(p *CurvePoint) error {
	if t.widths == nil {
		head := []string{"labels"}
		for i, m := range p.Models {
			for _, name := range plotted[p.Task] {
				head = append(head, name+" of "+ShortName(m.Model, i))
			}
		}
		if err := t.Row(head...); err != nil {
			return err
		}
	}
	cells := []string{fmt.Sprint(p.Labels)}
	for _, m := range p.Models {
		for _, name := range plotted[p.Task] {
			cells = append(cells, Short(m.Recent.Value(name)))
		}
	}
	return t.Row(cells...)
}

// ShortName is the name of the i-th model of a table: its own unless that is long, as specs are.
func ShortName(model string, i int) string {
	const longest = 24
	switch {
	case utf8.RuneCountInString(model) <= longest:
		return model
	case i == 0:
		return "model"
	}
	return fmt.Sprintf("model %d", i+1)
}
