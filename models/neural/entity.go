package neural

import (
	"github.com/freshet-ml/freshet/features"
)

// entities is what a learner of sequences remembers of each entity: its last events, with their inputs and the hidden state
// before each. It lies in the learner's own state, so every follower of the log has the same.
//
// The number of entities is bounded. Beyond the bound the one whose newest event is the oldest goes, by event time; among equal
// times the one that was observed longest ago, so that without times it is the least recently observed. Order and state are
// functions of the calls alone.
//
// It belongs to one goroutine. What publish returns is immutable: an entity is copied when it is next written to after a
// publication, and the directory of the published ones is a persistent trie, so publishing costs what changed. Without
// publications nothing is allocated once the entities and their events have come to their bounds.
type entities struct {
	entityShape
	limit    int    // of entities
	observed uint64 // events so far; an event is named by it
	evicted  uint64 // entities that had to go

	slots []*entity
	index slotIndex
	queue []uint32 // heap of slots: first the entity that goes first
	place []uint32 // by slot: where it stands in queue

	epoch   uint64
	changed []bool     // by slot, since the last publication
	list    []uint32   // the changed ones
	shown   []shownKey // by slot: what the trie has of it
	root    *entityBranch
}

// entityShape is how much an event takes.
type entityShape struct {
	held   int // events of an entity
	hidden int // numbers of a hidden state
	width  int // numbers of an input
	names  int // categories of an input
}

// entity is one entity's memory. A published one is never written again.
type entity struct {
	key      uint64
	time     int64       // newest event time
	touched  uint64      // the event observed last
	label    float64     // the label of its newest event that has one
	labelled uint64      // that event; 0: no label yet
	events   []heldEvent // oldest first, at most held
	numbers  []float64
	names    []float64
	epoch    uint64 // of its making: an older one is published
}

// heldEvent is one that is still held.
type heldEvent struct {
	seq    uint64 // its name: the number of events observed up to it
	time   int64
	row    uint64 // hash of its row
	taught bool   // its label was learned
}

type shownKey struct {
	key uint64
	is  bool
}

func newEntities(limit int, s entityShape) *entities { return &entities{entityShape: s, limit: limit} }

// row is how many numbers an event takes: the state before it, then the input.
func (s *entityShape) row() int { return s.hidden + s.width }

// before is the hidden state that event i found.
func (s *entityShape) before(e *entity, i int) []float64 {
	return e.numbers[i*s.row() : i*s.row()+s.hidden : i*s.row()+s.hidden]
}

// input is the numbers and categories of event i.
func (s *entityShape) input(e *entity, i int) (numbers, names []float64) {
	return e.numbers[i*s.row()+s.hidden : (i+1)*s.row() : (i+1)*s.row()], e.names[i*s.names : (i+1)*s.names : (i+1)*s.names]
}

// find returns an entity for reading, or nil.
func (m *entities) find(key uint64) *entity {
	if at, ok := m.index.find(m.slots, key); ok {
		return m.slots[at]
	}
	return nil
}

// next is the name that the next observed event will have.
func (m *entities) next() uint64 { return m.observed + 1 }

// observe adds an event to an entity, which may be new and may push another out, and an old event out of it. It
// returns the entity and the place of the event, whose state and input the caller writes.
func (m *entities) observe(key uint64, time int64, row uint64) (*entity, int) {
	at, ok := m.index.find(m.slots, key)
	if !ok {
		at = m.add(key, time)
	}
	e := m.write(at)
	m.observed++
	e.time, e.touched = max(e.time, time), m.observed
	m.down(int(m.place[at])) // its turn to go came later, never earlier
	return e, e.push(&m.entityShape, heldEvent{seq: m.observed, time: time, row: row})
}

// own returns an entity for writing, or nil.
func (m *entities) own(key uint64) *entity {
	at, ok := m.index.find(m.slots, key)
	if !ok {
		return nil
	}
	return m.write(at)
}

// add gives a new key a slot.
func (m *entities) add(key uint64, time int64) uint32 {
	if len(m.slots) < m.limit {
		at := uint32(len(m.slots))
		m.slots = append(m.slots, &entity{key: key, time: time, epoch: m.epoch})
		m.changed, m.shown = append(m.changed, false), append(m.shown, shownKey{})
		m.queue, m.place = append(m.queue, at), append(m.place, at)
		m.index.add(m.slots, at)
		m.up(int(at))
		return at
	}
	at := m.queue[0]
	m.evicted++
	m.index.drop(m.slots, at)
	e := m.slots[at]
	if e.epoch != m.epoch {
		e = &entity{}
	}
	*e = entity{key: key, time: time, events: e.events[:0], numbers: e.numbers[:0], names: e.names[:0], epoch: m.epoch}
	m.slots[at] = e
	m.index.add(m.slots, at)
	return at
}

// write makes the entity of a slot writable, and marks it.
func (m *entities) write(at uint32) *entity {
	if !m.changed[at] {
		m.changed[at] = true
		m.list = append(m.list, at)
	}
	if e := m.slots[at]; e.epoch != m.epoch {
		m.slots[at] = e.copy(m.epoch)
	}
	return m.slots[at]
}

// copy keeps the capacities, so that the copy grows no sooner.
func (e *entity) copy(epoch uint64) *entity {
	c := *e
	c.epoch = epoch
	c.events = append(make([]heldEvent, 0, cap(e.events)), e.events...)
	c.numbers = append(make([]float64, 0, cap(e.numbers)), e.numbers...)
	c.names = append(make([]float64, 0, cap(e.names)), e.names...)
	return &c
}

// push appends an event, with room for its numbers; the oldest goes when the entity holds all it may.
func (e *entity) push(s *entityShape, v heldEvent) int {
	if n := len(e.events); n == s.held {
		copy(e.events, e.events[1:])
		copy(e.numbers, e.numbers[s.row():])
		copy(e.names, e.names[s.names:])
		e.events = e.events[:n-1]
	} else if n == cap(e.events) {
		room := min(max(2*n, 2), s.held)
		e.events = append(make([]heldEvent, 0, room), e.events...)
		e.numbers = append(make([]float64, 0, room*s.row()), e.numbers...)
		e.names = append(make([]float64, 0, room*s.names), e.names...)
	}
	n := len(e.events)
	e.events = append(e.events, v)
	e.numbers, e.names = e.numbers[:(n+1)*s.row()], e.names[:(n+1)*s.names]
	return n
}

// at returns the place of the event of that name, or −1 if it is not held.
func (e *entity) at(seq uint64) int {
	for i := len(e.events) - 1; i >= 0 && e.events[i].seq >= seq; i-- {
		if e.events[i].seq == seq {
			return i
		}
	}
	return -1
}

// like returns the place of the event that a label without a name belongs to: the only one of that time, or among several the oldest of that row that was not
// learned; −1 if there is none.
func (e *entity) like(time int64, row uint64) int {
	count, only, same := 0, -1, -1
	for i, v := range e.events {
		if v.time != time {
			continue
		}
		count, only = count+1, i
		if same < 0 && v.row == row && !v.taught {
			same = i
		}
	}
	if count == 1 {
		return only
	}
	return same
}

// teach notes the label of an event: it is the entity's last one if no newer event has one.
func (e *entity) teach(seq uint64, y float64) {
	if i := e.at(seq); i >= 0 {
		e.events[i].taught = true
	}
	if seq >= e.labelled {
		e.label, e.labelled = y, seq
	}
}

// goesBefore orders entities by when they go.
func (e *entity) goesBefore(o *entity) bool {
	return e.time < o.time || e.time == o.time && e.touched < o.touched
}

func (m *entities) swap(i, j int) {
	m.queue[i], m.queue[j] = m.queue[j], m.queue[i]
	m.place[m.queue[i]], m.place[m.queue[j]] = uint32(i), uint32(j)
}

func (m *entities) up(i int) {
	for i > 0 {
		over := (i - 1) / 2
		if !m.slots[m.queue[i]].goesBefore(m.slots[m.queue[over]]) {
			return
		}
		m.swap(i, over)
		i = over
	}
}

func (m *entities) down(i int) {
	for {
		first := i
		for k := 2*i + 1; k <= 2*i+2 && k < len(m.queue); k++ {
			if m.slots[m.queue[k]].goesBefore(m.slots[m.queue[first]]) {
				first = k
			}
		}
		if first == i {
			return
		}
		m.swap(i, first)
		i = first
	}
}

// slotIndex finds the slot of a key: open addressing with linear probing, at most half full, without tombstones
// (Knuth, The Art of Computer Programming 3, §6.4, algorithm R).
type slotIndex struct{ table []uint32 } // slot + 1; 0: free

func home(key uint64, mask int) int { return int(features.Mix(key)) & mask }

func (x *slotIndex) find(slots []*entity, key uint64) (uint32, bool) {
	mask := len(x.table) - 1
	if mask < 0 {
		return 0, false
	}
	for i := home(key, mask); x.table[i] != 0; i = (i + 1) & mask {
		if at := x.table[i] - 1; slots[at].key == key {
			return at, true
		}
	}
	return 0, false
}

// add enters the newest of the slots, or one that was dropped.
func (x *slotIndex) add(slots []*entity, at uint32) {
	if 2*len(slots) > len(x.table) {
		x.table = make([]uint32, max(16, 2*len(x.table)))
		for i := range slots {
			x.put(slots, uint32(i))
		}
		return
	}
	x.put(slots, at)
}

func (x *slotIndex) put(slots []*entity, at uint32) {
	mask := len(x.table) - 1
	i := home(slots[at].key, mask)
	for x.table[i] != 0 {
		i = (i + 1) & mask
	}
	x.table[i] = at + 1
}

// drop takes a slot out, and moves up those that had to make way for it.
func (x *slotIndex) drop(slots []*entity, at uint32) {
	mask := len(x.table) - 1
	hole := home(slots[at].key, mask)
	for x.table[hole] != at+1 {
		hole = (hole + 1) & mask
	}
	for i := (hole + 1) & mask; x.table[i] != 0; i = (i + 1) & mask {
		if from := home(slots[x.table[i]-1].key, mask); (i-from)&mask >= (i-hole)&mask {
			x.table[hole], hole = x.table[i], i
		}
	}
	x.table[hole] = 0
}
