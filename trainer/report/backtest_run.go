package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/trainer/backtest"
)

func live(r *backtest.Report) Section {
	s := Section{ID: "live", Title: "Against the live run"}
	if r.Live == nil {
		return s
	}
	t := Table{Caption: "Vectors and logs", Open: true, Head: []string{"trigger", "live predictions", "in both", "equal to the bit", "log"}, Text: map[int]bool{4: true}}
	m := Table{Caption: "Metrics, replay − live", Open: true, Head: []string{"model", "metric", "live", "difference", "weights"}, Text: map[int]bool{1: true, 4: true}}
	for _, l := range r.Live.Triggers {
		if !l.Found {
			t.Rows = append(t.Rows, []string{l.Name, "–", "–", "–", "no example log"})
			continue
		}
		t.Rows = append(t.Rows, []string{l.Name, count(l.Live), count(l.Both), count(l.Equal), same(l.SameLog)})
		for _, x := range l.Models {
			for i, v := range x.Live {
				m.Rows = append(m.Rows, []string{x.Name, v.Name, short(v.Value), fmt.Sprintf("%+.3g", x.Difference[i].Value), same(x.SameWeights)})
			}
		}
	}
	s.Tables = []Table{t}
	if len(m.Rows) > 0 {
		m.Open = false
		s.Tables = append(s.Tables, m)
	}
	return s
}

func same(yes bool) string {
	if yes {
		return "the same"
	}
	return "differs"
}

func repeat(r *backtest.Report, how Repeat) Section {
	s := Section{ID: "repeat", Title: "How to repeat it", Code: shell(how.Command),
		Text:  "The same records, project and build on the same architecture give the same sums, on any machine.",
		Facts: []Fact{{Name: "Build", Value: orDash(r.Build)}, {Name: "Architecture", Value: r.Arch}}}
	files := Table{Caption: "Files", Open: true, Head: []string{"what", "file", "sha256"}, Text: map[int]bool{1: true, 2: true}}
	for _, f := range slices.Concat(how.Projects, how.Inputs) {
		files.Rows = append(files.Rows, []string{f.Name, f.Path, f.SHA256})
	}
	if len(files.Rows) > 0 {
		s.Tables = append(s.Tables, files)
	}
	sums := Table{Caption: "Sums of what was computed", Open: true, Head: []string{"candidate", "of", "sha256"}, Text: map[int]bool{1: true, 2: true}}
	for i := range r.Candidates {
		c := &r.Candidates[i]
		sums.Rows = append(sums.Rows, []string{c.Name, "everything", c.Sum})
		if g := c.Golden; g != nil {
			sums.Rows = append(sums.Rows, []string{c.Name, "items", g.Items}, []string{c.Name, "states of entities", g.States})
			for _, name := range slices.Sorted(maps.Keys(g.Logs)) {
				sums.Rows = append(sums.Rows, []string{c.Name, "example log of " + name, g.Logs[name]})
			}
			for _, name := range slices.Sorted(maps.Keys(g.Weights)) {
				sums.Rows = append(sums.Rows, []string{c.Name, "weights of " + name, g.Weights[name]})
			}
		}
	}
	s.Tables = append(s.Tables, sums)
	return s
}

// shell writes a command as a POSIX shell reads it.
func shell(args []string) string {
	var out []string
	for _, a := range args {
		if a == "" || strings.ContainsFunc(a, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=:,+@%", r))
		}) {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		out = append(out, a)
	}
	return strings.Join(out, " ")
}
