package neural

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// state visits all entities, in the order of their slots.
func (m *entities) state(s *codec.State) {
	s.Fixed("greatest number of entities", m.limit)
	s.Fixed("events held of an entity", m.held)
	s.Fixed("numbers of a hidden state", m.hidden)
	s.Fixed("numbers of an input", m.width)
	s.Fixed("categories of an input", m.names)
	s.Uint64(&m.observed)
	s.Uint64(&m.evicted)
	if s.Loading() {
		*m = entities{entityShape: m.entityShape, limit: m.limit, observed: m.observed, evicted: m.evicted, epoch: m.epoch + 1}
	}
	n := s.Len(len(m.slots), 8*5+1, m.limit)
	for i := range n {
		if !s.Loading() {
			m.slots[i].state(s, m)
			continue
		}
		e := &entity{epoch: m.epoch}
		if e.state(s, m); s.Err() != nil {
			return
		}
		m.restore(s, e)
	}
	if s.Loading() {
		m.checkOrder(s)
	}
}

func (e *entity) state(s *codec.State, m *entities) {
	s.Uint64(&e.key)
	s.Int64(&e.time)
	s.Uint64(&e.touched)
	s.Float64(&e.label)
	s.Uint64(&e.labelled)
	n := s.Len(len(e.events), 25+8*(m.row()+m.names), m.held)
	if s.Loading() {
		room := min(max(2, roundUp(n)), m.held)
		e.events, e.numbers, e.names = make([]heldEvent, n, room), make([]float64, n*m.row(), room*m.row()), make([]float64, n*m.names, room*m.names)
	}
	for i := range e.events {
		s.Uint64(&e.events[i].seq)
		s.Int64(&e.events[i].time)
		s.Uint64(&e.events[i].row)
		s.Bool(&e.events[i].taught)
	}
	for i := range e.numbers {
		s.Float64(&e.numbers[i])
	}
	for i := range e.names {
		s.Float64(&e.names[i])
	}
	if s.Loading() {
		e.check(s, m)
	}
}

// roundUp is the next power of two.
func roundUp(n int) int {
	k := 1
	for k < n {
		k *= 2
	}
	return k
}

// check refuses what no learner writes.
func (e *entity) check(s *codec.State, m *entities) {
	for i, v := range e.events {
		if i > 0 && v.seq <= e.events[i-1].seq || v.time > e.time {
			s.Fail("events of entity %016x out of order", e.key)
		}
	}
	if n := len(e.events); n == 0 || e.events[n-1].seq != e.touched || e.touched > m.observed || e.labelled > m.observed {
		s.Fail("entity %016x: last event %d of %d", e.key, e.touched, m.observed)
	}
	for _, x := range e.numbers {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			s.Fail("entity %016x: a number is %v", e.key, x)
		}
	}
	if math.IsNaN(e.label) || math.IsInf(e.label, 0) {
		s.Fail("entity %016x: label %v", e.key, e.label)
	}
}

// restore gives a loaded entity the next slot.
func (m *entities) restore(s *codec.State, e *entity) {
	if m.find(e.key) != nil {
		s.Fail("entity %016x twice", e.key)
		return
	}
	at := uint32(len(m.slots))
	m.slots = append(m.slots, e)
	m.changed, m.list, m.shown = append(m.changed, true), append(m.list, at), append(m.shown, shownKey{})
	m.queue, m.place = append(m.queue, at), append(m.place, at)
	m.index.add(m.slots, at)
	m.up(int(at))
}

// checkOrder refuses two entities that were touched by one event.
func (m *entities) checkOrder(s *codec.State) {
	seen := make(map[uint64]bool, len(m.slots))
	for _, e := range m.slots {
		if seen[e.touched] {
			s.Fail("two entities of event %d", e.touched)
			return
		}
		seen[e.touched] = true
	}
}
