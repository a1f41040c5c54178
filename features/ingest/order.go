package ingest

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/freshet-ml/freshet/features"
)

// ClockMode says what ends the wait for a partition that shows no record.
type ClockMode uint8

// The clocks of a project.
const (
	ClockEvents ClockMode = iota // replays: only a record, a mark or a known end
	ClockWall                    // live: no known lag, or idle_after of polling
)

// Lane is one partition of one source, as the order sees it. A lane is known by its index in the
// slice that NewOrder got.
type Lane struct {
	Source    string // ties of event time go by the name of the source, then by partition
	Partition int32
	Plain     bool // never blocks and goes as soon as it is seen
	// Ends says that the lane is read up to a known end, which is told with End: it needs no first mark.
	Ends bool
}

// entry is a queued record. key is what it is ordered by, time its own event time.
type entry[H any] struct {
	key, time int64
	handle    H
}

type lane[H any] struct {
	spec   Lane
	queue  []entry[H] // ring
	head   int
	count  int
	mark   int64 // newest mark, NoTime before the first
	last   int64 // event time of the newest record pushed, NoTime before the first
	open   bool  // the gate of the first mark is passed
	ended  bool
	idle   bool
	lag    int64 // clock: wall; known records that are not pushed yet
	since  int64 // clock: wall; machine time since which it blocks, 0: it does not
	leaf   int
	polled bool
}

// Order is the chooser. The record with the smallest (event time, source by name, partition, offset)
// goes first, and it goes when no partition can still bring a smaller one: every other one shows a
// record, has a time mark that lies after it (or at its time, and the partition comes later), or has
// ended.
//
// It is one tournament over all lanes. A lane with a record plays with that record's time, an empty
// one with its mark: no record before that can follow. When the winner has a record, it goes; when the
// winner is empty, all wait for it.
//
// A record that is older than a mark before it in its partition broke the promise of the mark; it
// plays with the time of the mark, so that what arrived when makes no difference. Records of one partition always keep
// their order: when times go back, the record keeps its own event time and goes at once.
//
// Push and Next cost O(log lanes) and allocate only until the queues have grown. An Order belongs to one goroutine.
type Order[H any] struct {
	lanes    []lane[H]
	clock    ClockMode
	capacity int
	closed   int   // lanes whose gate is shut
	plain    []int // lanes that go at once
	waiting  int   // records in plain lanes
	queued   int   // records in all lanes
	keys     []int64
	tree     []int32 // tree[1] is the winning leaf; leaves are lanes in the order of ties
	byLeaf   []int
	size     int
}

// DefaultQueue is the number of records that a lane holds. It must exceed the number of records between two
// marks (freshet produce: 1,000), or a first mark behind as many records would never be seen.
const DefaultQueue = 4096

const never = math.MaxInt64

// NewOrder returns an order over these lanes, each with a queue of this capacity (0: DefaultQueue).
func NewOrder[H any](lanes []Lane, clock ClockMode, capacity int) *Order[H] {
	o := &Order[H]{clock: clock, capacity: orDefault(capacity, DefaultQueue), size: 1}
	o.lanes = make([]lane[H], len(lanes))
	for i, l := range lanes {
		o.lanes[i] = lane[H]{spec: l, mark: features.NoTime, last: features.NoTime}
		switch {
		case l.Plain:
			o.plain = append(o.plain, i)
		default:
			o.byLeaf = append(o.byLeaf, i)
		}
		if l.Plain || l.Ends || clock == ClockWall {
			o.lanes[i].open = true
		} else {
			o.closed++
		}
	}
	slices.SortStableFunc(o.byLeaf, func(a, b int) int {
		x, y := &lanes[a], &lanes[b]
		return cmp.Or(cmp.Compare(x.Source, y.Source), cmp.Compare(x.Partition, y.Partition))
	})
	for o.size < len(o.byLeaf) {
		o.size *= 2
	}
	o.keys, o.tree = make([]int64, o.size), make([]int32, 2*o.size)
	for leaf := range o.keys {
		o.keys[leaf], o.tree[o.size+leaf] = never, int32(leaf)
	}
	for node := o.size - 1; node > 0; node-- {
		o.tree[node] = o.tree[2*node]
	}
	for leaf, i := range o.byLeaf {
		o.lanes[i].leaf = leaf
		o.play(i)
	}
	return o
}

// bound is what a lane plays with.
func (o *Order[H]) bound(l *lane[H]) int64 {
	switch {
	case l.count > 0:
		return l.queue[l.head].key
	case l.ended, l.idle, o.clock == ClockWall && l.lag == 0:
		return never
	}
	return l.mark
}

// play takes a changed lane through the tournament. Equal keys go to the left, which is the order of
// ties.
func (o *Order[H]) play(i int) {
	l := &o.lanes[i]
	if l.spec.Plain {
		return
	}
	key := o.bound(l)
	if o.keys[l.leaf] == key {
		return
	}
	o.keys[l.leaf] = key
	for node := (o.size + l.leaf) / 2; node > 0; node /= 2 {
		a, b := o.tree[2*node], o.tree[2*node+1]
		if o.keys[b] < o.keys[a] {
			a = b
		}
		o.tree[node] = a
	}
}

// Full reports whether a lane takes no more records: pause its partition, and only its.
func (o *Order[H]) Full(lane int) bool { return o.lanes[lane].count >= o.capacity }

// Len returns the number of records in all queues.
func (o *Order[H]) Len() int { return o.queued }

// LaneLen returns the number of records in the queue of one lane.
func (o *Order[H]) LaneLen(lane int) int { return o.lanes[lane].count }

// Push adds the next record of a lane, with its event time in µs, and reports false when the queue is
// full and the record was not taken. A record whose time is not known has features.NoTime and goes with
// the time of the record before it in its partition. One that comes although a mark said that nothing follows goes when all
// other lanes have ended, or show such records too.
func (o *Order[H]) Push(lane int, t int64, handle H) bool {
	l := &o.lanes[lane]
	if l.count >= o.capacity {
		return false
	}
	if t == features.NoTime {
		t = l.last
	}
	l.last = t
	l.push(entry[H]{key: min(max(t, l.mark), never-1), time: t, handle: handle})
	o.queued++
	l.ended, l.idle, l.since = false, false, 0
	if l.lag > 0 {
		l.lag--
	}
	if l.spec.Plain {
		o.waiting++
	} else if l.count == 1 {
		o.play(lane)
	}
	return true
}

func (l *lane[H]) push(e entry[H]) {
	if l.count == len(l.queue) {
		grown := make([]entry[H], max(16, 2*len(l.queue)))
		n := copy(grown, l.queue[l.head:])
		copy(grown[n:], l.queue[:l.head])
		l.queue, l.head = grown, 0
	}
	l.queue[(l.head+l.count)&(len(l.queue)-1)] = e
	l.count++
}

// Mark tells that nothing older than t, in µs, follows in a lane. It counts behind the records that
// were pushed before. A smaller mark replaces a greater one.
func (o *Order[H]) Mark(lane int, t int64) {
	l := &o.lanes[lane]
	l.mark, l.since = t, 0
	o.Open(lane)
	o.Pass(lane, 1)
}

// Pass tells that so many of the known records of a lane are no records: they leave its lag, as those do that are
// pushed and marked.
func (o *Order[H]) Pass(lane int, n int64) {
	l := &o.lanes[lane]
	l.lag = max(0, l.lag-n)
	if l.lag == 0 {
		l.since = 0
	}
	if l.count == 0 {
		o.play(lane)
	}
}

// Open tells that a lane needs no first mark, since a run before has seen it.
func (o *Order[H]) Open(lane int) {
	if l := &o.lanes[lane]; !l.open {
		l.open = true
		o.closed--
	}
}

// Resume sets the event time of the last record of a lane that a run before took, for records whose
// time is not known, and opens it.
func (o *Order[H]) Resume(lane int, last int64) {
	o.lanes[lane].last = last
	o.Open(lane)
}

// End tells that a lane has no record after those that were pushed. A later Push takes it back.
func (o *Order[H]) End(lane int) {
	l := &o.lanes[lane]
	l.ended = true
	o.Open(lane)
	o.play(lane)
}

// Lag tells, with clock: wall, how many records of a lane are known to lie on the broker and were not pushed
// yet, at machine time now in µs, after a poll. A lane with lag and without a record blocks. More lag than before
// ends the idleness of a lane: what is known to lie there is not overtaken before it has had its time to come.
func (o *Order[H]) Lag(lane int, lag, now int64) {
	l := &o.lanes[lane]
	l.idle = l.idle && lag <= l.lag
	l.lag, l.polled = max(lag, 0), true
	switch {
	case l.lag == 0 || l.count > 0 || l.idle:
		l.since = 0
	case l.since == 0:
		l.since = now
	}
	if l.count == 0 {
		o.play(lane)
	}
}

// Stalled returns a lane that has blocked since machine time now − after or longer, with clock: wall. The
// caller writes an idle item and tells it with Idle. A lane that began to block between two polls, behind its last
// record or mark, blocks since the first call that finds it so.
func (o *Order[H]) Stalled(now, after int64) (lane int, ok bool) {
	if o.clock != ClockWall {
		return 0, false
	}
	leaf := int(o.tree[1])
	if leaf >= len(o.byLeaf) || o.keys[leaf] == never {
		return 0, false
	}
	i := o.byLeaf[leaf]
	l := &o.lanes[i]
	if l.count > 0 {
		return i, false
	}
	if l.since == 0 || now < l.since { // not yet known, or the clock was set back
		l.since = now
	}
	return i, now-l.since >= after
}

// Idle ends the block of a lane until its next record, or until more of them are known.
func (o *Order[H]) Idle(lane int) {
	l := &o.lanes[lane]
	l.idle, l.since = true, 0
	o.play(lane)
}

// Next returns the handle, the lane and the event time (features.NoTime if not known) of the record that goes next,
// and false when there is none or all wait.
func (o *Order[H]) Next() (handle H, lane int, t int64, ok bool) {
	if o.waiting > 0 {
		for _, i := range o.plain {
			if o.lanes[i].count > 0 {
				o.waiting--
				e := o.pop(i)
				return e.handle, i, e.time, true
			}
		}
	}
	if o.closed > 0 || len(o.byLeaf) == 0 {
		return handle, 0, 0, false
	}
	leaf := int(o.tree[1])
	if leaf >= len(o.byLeaf) {
		return handle, 0, 0, false
	}
	i := o.byLeaf[leaf]
	if o.lanes[i].count == 0 {
		return handle, 0, 0, false
	}
	e := o.pop(i)
	o.play(i)
	return e.handle, i, e.time, true
}

func (o *Order[H]) pop(i int) entry[H] {
	l := &o.lanes[i]
	e := l.queue[l.head]
	l.queue[l.head] = entry[H]{}
	l.head = (l.head + 1) & (len(l.queue) - 1)
	l.count--
	o.queued--
	return e
}

// Waiting names what the order waits for: the lanes that have not shown their first mark, else the lane
// that blocks. It is empty when nothing waits.
func (o *Order[H]) Waiting() []string {
	var names []string
	for i := range o.lanes {
		if l := &o.lanes[i]; !l.open {
			names = append(names, l.spec.Source+"/"+strconv.Itoa(int(l.spec.Partition))+": no time mark yet")
		}
	}
	if names != nil || o.queued == 0 || len(o.byLeaf) == 0 {
		return names
	}
	if leaf := int(o.tree[1]); leaf < len(o.byLeaf) && o.lanes[o.byLeaf[leaf]].count == 0 {
		s := o.lanes[o.byLeaf[leaf]].spec
		names = append(names, s.Source+"/"+strconv.Itoa(int(s.Partition))+": neither a record nor a later time mark")
	}
	return names
}

// AllIdle reports, with clock: wall, that every lane but the plain ones was polled, shows no record and
// does not block.
func (o *Order[H]) AllIdle() bool {
	for _, i := range o.byLeaf {
		if l := &o.lanes[i]; l.count > 0 || !l.polled || l.lag > 0 && !l.idle {
			return false
		}
	}
	return true
}

// Done reports that every lane has ended and nothing is queued.
func (o *Order[H]) Done() bool {
	for i := range o.lanes {
		if l := &o.lanes[i]; l.count > 0 || !l.ended && l.mark != NoMoreTime && !l.spec.Plain {
			return false
		}
	}
	return true
}
