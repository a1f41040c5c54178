package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// writeJSON writes a result as indented JSON to stdout.
func (c *cli) writeJSON(v any) error {
	e := json.NewEncoder(c.stdout)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table writes aligned rows to stdout.
type table struct{ w *tabwriter.Writer }

func (c *cli) table(header ...string) *table {
	t := &table{tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)}
	if len(header) > 0 {
		t.row(header...)
	}
	return t
}

// row adds a row. Cells that a tab would split are kept whole, and an empty one is a dash.
func (t *table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = strings.NewReplacer("\t", " ", "\n", " ").Replace(cell)
		if cell == "" && len(cells) > 1 {
			cells[i] = "-"
		}
	}
	fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

func (t *table) flush() error { return t.w.Flush() }

// progress shows how far a command is on stderr: one line that is drawn anew on a terminal, else a line now
// and then.
type progress struct {
	c     *cli
	draw  bool // on a terminal
	every time.Duration
	began time.Time
	last  time.Time
	width int
}

const (
	redraw = 200 * time.Millisecond
	reline = 10 * time.Second // where lines pile up in a log
)

func (c *cli) progress() *progress {
	p := &progress{c: c, draw: c.terminal(c.stderr), every: reline, began: time.Now()}
	if p.draw {
		p.every = redraw
	}
	p.last = p.began
	return p
}

// update shows what text returns, if it is time to.
func (p *progress) update(text func() string) {
	if p.c.quiet || time.Since(p.last) < p.every {
		return
	}
	p.last = time.Now()
	p.show(text())
}

func (p *progress) show(line string) {
	if !p.draw {
		fmt.Fprintln(p.c.stderr, line)
		return
	}
	fmt.Fprintf(p.c.stderr, "\r%-*s", p.width, line)
	p.width = len(line)
}

// clear takes the line away.
func (p *progress) clear() {
	if p.draw && p.width > 0 {
		fmt.Fprintf(p.c.stderr, "\r%*s\r", p.width, "")
		p.width = 0
	}
}

// rate is n things since the command began, a second.
func (p *progress) rate(n int64) float64 {
	return float64(n) / max(time.Since(p.began).Seconds(), 1e-3)
}

// count writes a number with separators: 1,234,567.
func count(n int64) string {
	s := fmt.Sprint(max(n, -n))
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if n < 0 {
		return "-" + s
	}
	return s
}

// things writes a number of things: 1 record, 1,234 records.
func things(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return count(n) + " " + what + "s"
}
