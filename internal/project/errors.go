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

// nearest returns the word of words that is most like name, or "" when none is like it: at most a third
// of its letters may differ (edit distance with transpositions), or one begins with the other.
func nearest(name string, words []string) string {
	best, bestDistance := "", len(name)/3+2
	lower := strings.ToLower(name)
	for _, w := range words {
		d := distance(lower, strings.ToLower(w))
		if d == 0 && w == name {
			continue
		}
		if len(lower) >= 3 && strings.HasPrefix(strings.ToLower(w), lower) {
			d = min(d, 1)
		}
		if d < bestDistance && d < max(len(w), 2) {
			best, bestDistance = w, d
		}
	}
	return best
}

// distance is the optimal string alignment distance of two texts, over bytes; texts longer than 64
// bytes count as unlike.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 1 << 20
	}
	var rows [3][65]int
	for j := range len(b) + 1 {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur, last, before := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(cur[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
	}
	return rows[len(a)%3][len(b)]
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
