package project

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/internal/secret"
)

// Problem is one thing that is wrong with a project file.
type Problem struct {
	Line    int    `json:"line"`   // from 1; 0: not tied to a place
	Column  int    `json:"column"` // from 1
	Path    string `json:"path"`   // such as features.origin.mean_delay; empty: the file itself
	Reason  string `json:"reason"` // what is wrong
	Mend    string `json:"mend,omitempty"`
	Nearest string `json:"nearest,omitempty"` // the allowed word that is most like the given one
}

// Errors is everything that is wrong with a project file, ordered by line and column.
type Errors struct {
	File     string
	Problems []Problem
}

// Error renders one problem a line: file:line:column: path: reason; did you mean "nearest"? mend.
func (e *Errors) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
		}
		b.WriteString(": ")
		b.WriteString(p.String())
	}
	return b.String()
}

// String renders the problem without its place.
func (p Problem) String() string {
	s := p.Reason
	if p.Path != "" {
		s = p.Path + ": " + s
	}
	switch {
	case p.Nearest != "" && p.Mend != "":
		s += fmt.Sprintf("; did you mean %q? %s", p.Nearest, p.Mend)
	case p.Nearest != "":
		s += fmt.Sprintf("; did you mean %q?", p.Nearest)
	case p.Mend != "":
		s += "; " + p.Mend
	}
	return s
}

// report collects problems.
type report struct {
	problems []Problem
}

func (r *report) add(at Pos, path, reason, mend, nearest string) {
	r.problems = append(r.problems, Problem{Line: at.Line, Column: at.Column, Path: path, Reason: reason, Mend: mend, Nearest: nearest})
}

// errors returns the collected problems in the order of the file, each once and without secrets, or nil.
func (d *decoder) errors(file string) error {
	r := &d.report
	if len(r.problems) == 0 {
		return nil
	}
	for i := range r.problems {
		p := &r.problems[i]
		for _, text := range []*string{&p.Path, &p.Reason, &p.Mend, &p.Nearest} {
			*text = secret.Hide(*text, d.secrets...)
		}
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path), cmp.Compare(a.Reason, b.Reason))
	})
	return &Errors{File: file, Problems: slices.Compact(r.problems)}
}

// quoted lists words for a message: "a", "b" or "c".
func quoted(words []string) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(w)
	}
	return b.String()
}
