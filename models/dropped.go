package models

import (
	"slices"
	"strconv"
	"strings"

	"github.com/freshet-ml/freshet/internal/codec"
)

// Bounded is a component (a learner, a transformer, a part of one) whose bounds cost something: what it drops, evicts, refuses or deactivates
// because its memory has a limit, or because learning it would do harm. It is optional; a component that is made of others counts theirs too.
//
// Counts are part of the state, or follow from it: they survive saving and loading, and no count ever falls, also where a part goes whose count it was. They are
// functions of the examples, and no answer depends on them. Counting is an addition where the thing happens; Dropped itself is for reports.
type Bounded interface {
	// Dropped adds the component's counts to d. It changes no state.
	Dropped(d *Drops)
}

// Bound is a count that a component keeps, as its catalogue entry declares it.
type Bound struct {
	What string // in snake case, plural: what is counted; stable, since dashboards name it
	Doc  string // a phrase that says when
}

// Drop is one count.
type Drop struct {
	What  string
	Count uint64
}

// Drops are counts by name, sorted by it. The zero Drops has none.
type Drops []Drop

// DroppedBy returns the counts of a component and of its parts; none if it has no bound that counts. Cost: O(parts).
func DroppedBy(component any) Drops {
	var d Drops
	d.Of(component)
	return d
}

// Add adds n to the count of that name, which is there afterwards even if n is 0.
func (d *Drops) Add(what string, n uint64) {
	i, ok := slices.BinarySearchFunc(*d, what, func(a Drop, b string) int { return strings.Compare(a.What, b) })
	if !ok {
		*d = slices.Insert(*d, i, Drop{What: what})
	}
	(*d)[i].Count += n
}

// Of adds the counts of those of the parts that are Bounded.
func (d *Drops) Of(parts ...any) {
	for _, p := range parts {
		if b, ok := p.(Bounded); ok {
			b.Dropped(d)
		}
	}
}

// Dropped adds these counts to others: Drops that a component keeps of parts that are gone are a part of it.
func (d Drops) Dropped(to *Drops) {
	for _, x := range d {
		to.Add(x.What, x.Count)
	}
}

// Count returns the count of that name, 0 if there is none.
func (d Drops) Count(what string) uint64 {
	for _, x := range d {
		if x.What == what {
			return x.Count
		}
	}
	return 0
}

// String writes what is not 0, as in leaves_deactivated 12, splits_refused 3; – where all is 0.
func (d Drops) String() string {
	var list []string
	for _, x := range d {
		if x.Count > 0 {
			list = append(list, x.What+" "+strconv.FormatUint(x.Count, 10))
		}
	}
	if len(list) == 0 {
		return "–"
	}
	return strings.Join(list, ", ")
}

// MarshalJSON writes an object of all counts, those of 0 too.
func (d Drops) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, x := range d {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, x.What), ':')
		b = strconv.AppendUint(b, x.Count, 10)
	}
	return append(b, '}'), nil
}

// Total is the sum of all counts.
func (d Drops) Total() uint64 {
	n := uint64(0)
	for _, x := range d {
		n += x.Count
	}
	return n
}

const (
	maxDrops    = 256 // names
	maxDropName = 64  // bytes of one
)

// State visits names and counts. Components keep Drops in their state for parts that are gone.
func (d *Drops) State(s *codec.State) {
	codec.Slice(s, (*[]Drop)(d), 9, maxDrops, func(s *codec.State, x *Drop) {
		s.Text(&x.What)
		s.Uint64(&x.Count)
	})
	if !s.Loading() {
		return
	}
	for i, x := range *d {
		if !DropName(x.What) || i > 0 && (*d)[i-1].What >= x.What {
			s.Fail("count %d, %.20q", i, x.What)
			*d = nil
			return
		}
	}
}

// DropName reports whether a text can name a count: snake case, at most 64 bytes.
func DropName(what string) bool {
	if what == "" || len(what) > maxDropName || what[0] == '_' || strings.HasSuffix(what, "_") || strings.Contains(what, "__") {
		return false
	}
	return strings.Trim(what, "abcdefghijklmnopqrstuvwxyz_") == ""
}
