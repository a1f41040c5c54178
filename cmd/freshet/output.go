package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"
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
	wide  int  // columns of the terminal; 0: not known
	every time.Duration
	now   func() time.Time
	began time.Time
	last  time.Time
	width int // of what is shown
}

const (
	redraw = 200 * time.Millisecond
	reline = 5 * time.Second // where lines pile up in a log
)

func (c *cli) progress() *progress {
	p := &progress{c: c, draw: c.terminal(c.stderr), every: reline, now: time.Now}
	if p.draw {
		p.every, p.wide = redraw, c.columns()
	}
	p.restart()
	return p
}

// restart makes rates count from now on; the first line comes after an interval, so that a command that is soon done shows nothing.
func (p *progress) restart() {
	p.began = p.now()
	p.last = p.began
}

// columns is the width of the terminal, 0 if it is not known.
func (c *cli) columns() int {
	f, ok := c.stderr.(*os.File)
	if !ok {
		return 0
	}
	wide, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return wide
}

// update shows what text returns, if it is time to.
func (p *progress) update(text func() string) {
	if p.c.quiet || p.now().Sub(p.last) < p.every {
		return
	}
	p.last = p.now()
	p.show(text())
}

func (p *progress) show(line string) {
	if !p.draw {
		fmt.Fprintln(p.c.stderr, line)
		return
	}
	if n := p.wide - 1; n > 0 && len(line) > n { // a line that wraps cannot be drawn anew
		line = line[:n]
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
	return float64(n) / max(p.now().Sub(p.began).Seconds(), 1e-3)
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
