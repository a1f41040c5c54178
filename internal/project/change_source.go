package project

import "fmt"

// sourceChanges lists what a change of sources means for the running project's events log: what holds from its place on, and what
// is refused. What it refolds is among the parts of the generation.
func sourceChanges(from, to *Project) []Change {
	var list []Change
	add := func(what, how string, effect Effect, note string) {
		list = append(list, Change{what, how, effect, note})
	}
	for _, was := range from.Inputs() {
		what := sourceName(was)
		now := to.Input(was.Name)
		if now == nil {
			add(what, "removed", FromNow, "its items are skipped from now on, also where the log is folded again; they still move the clock. What its topic brings meanwhile is taken should it come back")
			continue
		}
		if was.Table != now.Table {
			add(what, "changed", Refused, "a table cannot become a source, nor a source a table: give it another name")
			continue
		}
		n := len(list)
		compareFields(was, now, what, add)
		switch {
		case now.Partitions < was.Partitions:
			add(what+" partitions", "changed", Refused, "a topic with fewer partitions was made anew: give the source another name")
		case now.Partitions > was.Partitions:
			add(what+" partitions", "changed", FromNow, fmt.Sprintf("partitions %d to %d are read from their beginning", was.Partitions, now.Partitions-1))
		}
		if was.Topic != now.Topic {
			add(what+" topic", "changed", Refused, "the log's positions are offsets in topic "+was.Topic+": give the source another name")
		}
		if was.OutOfOrderness != now.OutOfOrderness {
			add(what+" out_of_orderness", "changed", FromNow, "what is late is decided by it from now on; if the greatest of all sources changes, all is folded again with its watermark")
		}
		if len(list) == n && sum(was) != sum(now) {
			add(what, "changed", FromNow, "what is accepted and refused follows the new declaration from now on; the past comes only from a backtest from sources")
		}
	}
	for _, now := range to.Inputs() {
		if from.Input(now.Name) == nil {
			add(sourceName(now), "added", FromNow, "is read from the beginning of what its topic holds; events later than max_lateness are refused")
		}
	}
	if from.Clock != to.Clock {
		add("clock", "changed", FromNow, "the order of new events follows it")
	}
	return list
}

func sourceName(s *Source) string {
	if s.Table {
		return "table " + s.Name
	}
	return "source " + s.Name
}

func compareFields(was, now *Source, what string, add func(what, how string, effect Effect, note string)) {
	find := func(s *Source, name string) *Field {
		for i := range s.Fields {
			if s.Fields[i].Name == name {
				return &s.Fields[i]
			}
		}
		return nil
	}
	for i := range was.Fields {
		f := &was.Fields[i]
		g := find(now, f.Name)
		field := what + " field " + f.Name
		switch {
		case g == nil:
			add(field, "removed", FromNow, "it is dropped, also where the log is folded again")
		case g.Kind != f.Kind:
			add(field, "changed", Refused, fmt.Sprintf("it is a %s in the log and would be a %s: give the new one another name, with from: where the records still call it %s", f.Kind, g.Kind, f.Name))
		case sum(f) != sum(g):
			add(field, "changed", FromNow, "new records are read so; items in the log stay as they are")
		}
	}
	for i := range now.Fields {
		if f := &now.Fields[i]; find(was, f.Name) == nil {
			add(what+" field "+f.Name, "added", FromNow, "it is missing in the items before; their past comes only from a backtest from sources")
		}
	}
}
