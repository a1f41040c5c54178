package trainer

import (
	"cmp"
	"maps"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
)

// State visits all that the joiner's future entries depend on.
func (j *Joiner) State(s *codec.State) {
	s.Fixed("joiner version", joinVersion)
	s.Fixed("number of labels", len(j.trigger.Labels))
	s.Int64(&j.clock.Head)
	s.Int64(&j.clock.Watermark)
	s.Uint64(&j.next)
	j.stats.state(s)
	j.stateExamples(s)
	for l := range j.early {
		stateEarly(s, &j.early[l])
	}
	gathers := j.gathers()
	if gathers {
		j.stateSteps(s)
	}
	// The heap is written in firing order: its own order depends on the path that led to it.
	if !s.Loading() {
		slices.SortFunc(j.timers.h, func(a, b timer) int {
			h := timerHeap{a, b}
			switch {
			case h.Less(0, 1):
				return -1
			case h.Less(1, 0):
				return 1
			}
			return 0
		})
	}
	codec.Slice(s, (*[]timer)(&j.timers.h), 26, codec.MaxLen, func(s *codec.State, t *timer) {
		s.Int64(&t.at)
		s.Uint64(&t.seq)
		s.Int(&t.label)
		s.Bool(&t.correction)
		s.Text(&t.early)
		if gathers {
			s.Text(&t.place)
		}
		if t.label < 0 || t.label >= len(j.trigger.Labels) {
			s.Fail("timer of label %d", t.label)
		}
	})
}

func (c *JoinStats) state(s *codec.State) {
	for _, n := range []*uint64{&c.Predicted, &c.Learned, &c.Missing, &c.Corrected, &c.Orphans, &c.Late, &c.Twice,
		&c.Duplicates, &c.NotLearned, &c.Unusable, &c.Evicted, &c.Foreign, &c.NotFinite} {
		s.Uint64(n)
	}
}

func (j *Joiner) stateExamples(s *codec.State) {
	seqs := slices.Sorted(maps.Keys(j.examples))
	s.Uint64s(&seqs)
	if s.Loading() {
		j.examples, j.byID = make(map[uint64]*example, len(seqs)), make(map[string]uint64, len(seqs))
		for l := range j.places {
			clear(j.places[l])
		}
	}
	for _, seq := range seqs {
		e := j.examples[seq]
		if s.Loading() {
			e = &example{}
		}
		s.Text(&e.id)
		s.Uint64(&e.event)
		s.Int64(&e.time)
		s.Int64(&e.newest)
		s.Float64s(&e.vector)
		s.Byte((*byte)(&e.flags))
		s.Uint64(&e.waiting)
		if s.Err() != nil {
			return
		}
		if j.awaitsValues() {
			j.statePlaces(s, seq, e)
		}
		j.examples[seq], j.byID[e.id] = e, seq
	}
}

// awaitsValues reports whether some label is the later value of a key.
func (j *Joiner) awaitsValues() bool {
	return slices.ContainsFunc(j.trigger.Labels, func(l Label) bool { return l.Key != nil })
}

// statePlaces visits what an example awaits; loading notes it, in the order of examples.
func (j *Joiner) statePlaces(s *codec.State, seq uint64, e *example) {
	n := s.Len(len(e.places), 1, len(j.trigger.Labels))
	for len(e.places) < n {
		e.places = append(e.places, "")
	}
	for l := range e.places {
		s.Text(&e.places[l])
		if s.Loading() && e.places[l] != "" {
			j.places[l][e.places[l]] = append(j.places[l][e.places[l]], seq)
		}
	}
}

func stateEarly(s *codec.State, m *map[string]earlyLabel) {
	type kept struct {
		id string
		earlyLabel
	}
	list := make([]kept, 0, len(*m))
	for id, e := range *m {
		list = append(list, kept{id, e})
	}
	slices.SortFunc(list, func(a, b kept) int { return cmp.Compare(a.id, b.id) })
	codec.Slice(s, &list, 25, codec.MaxLen, func(s *codec.State, e *kept) {
		s.Text(&e.id)
		s.Float64(&e.y)
		s.Int64(&e.time)
		s.Uint64(&e.seq)
	})
	if s.Loading() {
		*m = make(map[string]earlyLabel, len(list))
		for _, e := range list {
			(*m)[e.id] = e.earlyLabel
		}
	}
}

var _ codec.Stateful = (*Joiner)(nil)
