package project

import (
	"fmt"
	"slices"
)

// Effect is what a change of a project leads to.
type Effect string

// The effects of changes.
const (
	Refold  Effect = "refold"  // a new generation: the events log is folded again beside the running one
	FromNow Effect = "onward"  // holds from its place in the events log on; the past stays as it is
	Refused Effect = "refused" // the running project's logs cannot be gone on with
	Restart Effect = "restart" // nothing is rebuilt; processes take it up when they start
)

// Change is one difference between two projects.
type Change struct {
	What   string `json:"what"` // such as entity origin, source departed
	How    string `json:"how"`  // added, removed, changed
	Effect Effect `json:"effect"`
	Note   string `json:"note,omitempty"`
}

// Compare lists what the change from one project to another rebuilds, in a fixed order. Empty: nothing
// that matters changed.
func Compare(from, to *Project) []Change {
	var list []Change
	if from.Name != to.Name {
		list = append(list, Change{"project", "changed", Refold, "another project: all topics and state are new, the old ones stay"})
	}
	list = append(list, diff(from.parts(), to.parts(), func(a part) (Effect, string) { return Refold, refoldNote(a, to) })...)
	if from.Name == to.Name {
		list = append(list, sourceChanges(from, to)...)
	}
	list = append(list, driftChanges(from, to)...)
	return append(list, diff(serviceParts(from), serviceParts(to), func(part) (Effect, string) { return Restart, "" })...)
}

func refoldNote(a part, to *Project) string {
	if a.Kind == "model" {
		return "its log is written and learned again from the events log"
	}
	if longest := to.longest(); to.Kafka.Retention > 0 && longest > to.Kafka.Retention {
		return fmt.Sprintf("refused unless the events log reaches back %s: kafka.retention is %s", FormatDuration(longest), FormatDuration(to.Kafka.Retention))
	}
	return "states are folded again from the events log"
}

// serviceParts are settings that no log depends on. Secrets are left out: a new password is no change.
func serviceParts(p *Project) []part {
	list := []part{
		{"kafka", "", p.Kafka}, {"redis", "", p.Redis}, {"checkpoints", "", p.Checkpoints}, {"serving", "", p.Serving},
	}
	for i := range p.Models {
		m := &p.Models[i]
		list = append(list, part{"serving of model", m.Name, []any{m.Weights, m.Log, m.Predictions, m.MaxAge}})
	}
	return list
}

func diff(from, to []part, effect func(part) (Effect, string)) []Change {
	var list []Change
	add := func(a part, how string) {
		e, note := effect(a)
		what := a.Kind
		if a.Name != "" {
			what += " " + a.Name
		}
		list = append(list, Change{what, how, e, note})
	}
	same := func(a part) func(part) bool {
		return func(b part) bool { return a.Kind == b.Kind && a.Name == b.Name }
	}
	for _, a := range from {
		i := slices.IndexFunc(to, same(a))
		switch {
		case i < 0:
			add(a, "removed")
		case sum(a.Body) != sum(to[i].Body):
			add(to[i], "changed")
		}
	}
	for _, b := range to {
		if !slices.ContainsFunc(from, same(b)) {
			add(b, "added")
		}
	}
	return list
}
