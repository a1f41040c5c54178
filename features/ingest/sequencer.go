package ingest

import (
	"errors"
	"fmt"
	"time"

	"github.com/freshet-ml/freshet/features"
)

// Config is what a Sequencer is made of.
type Config struct {
	Sources    []SourceSpec // the project's sources and tables, then the plain ones; item sources are indices into it
	Partitions []int32      // of each source's topic
	Parsers    []Parser     // nil, or for sources that are not decoded by their declaration; nil entries are
	Clock      ClockMode
	MaxSkew    time.Duration // an event older than head − MaxSkew is not learned; 0: one minute
	IdleAfter  time.Duration // clock: wall; how long an empty partition with lag blocks; 0: one second
	Queue      int           // records a partition may hold; 0: DefaultQueue
	Ends       bool          // every source is read up to a known end: no first marks are awaited
}

// DefaultMaxSkew and DefaultIdleAfter are what a Config without them gets.
const (
	DefaultMaxSkew   = time.Minute
	DefaultIdleAfter = time.Second
)

// pending is a decoded record that waits for its turn.
type pending struct {
	rec       Record
	fields    []features.Value
	time      int64
	refusal   *Refusal
	tombstone bool
	cut       bool // a text of it was
}

// Decision is what became of one source record, or an item that has none.
type Decision struct {
	Item    features.Item
	Record  *Record  // nil for ticks and idle items
	Refusal *Refusal // of a refusal item: goes to the dead letters
}

// Sequencer is the pure core that turns source records into the items of the events log: Offer takes
// records as they are polled, Next hands out the items in their one order. It decides with what a fold
// of the items before knows, so that the items alone rebuild it. It belongs to one goroutine.
type Sequencer struct {
	*Fold
	cfg     Config
	parsers []Parser
	order   *Order[*pending]
	reading []reading
	maxSkew int64
	free    []*pending
	out     Decision
	taken   *pending
	idle    int64 // machine time since which all is idle, 0: it is not
}

// reading is where a partition is being read.
type reading struct {
	from    int64 // where this run began to read
	offered int64 // offsets below were offered or skipped
	mark    int64 // offset of the newest mark, −1
}

// NewSequencer returns a sequencer that has seen nothing. Restore its Fold (codec.Load, then Fold.Apply) and call Resume
// before the first Offer to go on after a restart.
func NewSequencer(cfg Config) (*Sequencer, error) {
	fold, err := NewFold(cfg.Sources, cfg.Partitions)
	if err != nil {
		return nil, err
	}
	s := &Sequencer{Fold: fold, cfg: cfg, maxSkew: micros(cfg.MaxSkew, DefaultMaxSkew)}
	var lanes []Lane
	for i := range cfg.Sources {
		spec := &cfg.Sources[i]
		var p Parser
		if i < len(cfg.Parsers) {
			p = cfg.Parsers[i]
		}
		if p == nil {
			if p, err = NewDecoder(spec); err != nil {
				return nil, err
			}
		}
		s.parsers = append(s.parsers, p)
		for k := range cfg.Partitions[i] {
			lanes = append(lanes, Lane{Source: spec.Name, Partition: k, Plain: spec.Plain, Ends: cfg.Ends})
			s.reading = append(s.reading, reading{mark: -1})
		}
	}
	s.order = NewOrder[*pending](lanes, cfg.Clock, cfg.Queue)
	return s, nil
}

func micros(d, or time.Duration) int64 {
	if d == 0 {
		d = or
	}
	return d.Microseconds()
}

// Adopt makes the sequencer go on from a fold, which it owns from then on. Its declarations must be those of the Config: Config.Declared
// in a schema item brings it there. Call Resume after it.
func (s *Sequencer) Adopt(f *Fold) error {
	if !features.SameDeclared(f.table, s.Fold.table) {
		return errors.New("the fold has other sources than the configuration")
	}
	s.Fold = f
	return nil
}

// Declared returns the declarations of the sources as the events log keeps them.
func (c *Config) Declared() ([]features.Declared, error) { return Declare(c.Sources, c.Partitions) }

// Resume takes up where the fold stands: what was taken is not taken again, partitions that had items
// need no first mark. positions raises where partitions are read from (of the frames; nil: none).
func (s *Sequencer) Resume(positions []Position) {
	for i := range s.reading {
		p := &s.Fold.parts[i]
		s.reading[i] = reading{offered: p.Next, mark: -1}
		if p.Next > 0 {
			s.order.Resume(i, p.Last)
		}
		if p.Idle {
			s.order.Idle(i)
		}
	}
	for _, p := range positions {
		if i, ok := s.lane(p.Source, p.Partition); ok {
			r := &s.reading[i]
			r.offered = max(r.offered, p.Next)
			r.from = r.offered
		}
	}
}

// Offer takes a record or a time mark as it was polled, in the order of offsets. It returns false when the queue of
// its partition is full: pause that partition and offer the record again later. What was
// taken before is passed over. The record struct is copied, its memory is kept. It panics on a source or partition that the Config does not have.
func (s *Sequencer) Offer(rec *Record) bool {
	i, ok := s.lane(rec.Source, rec.Partition)
	if !ok {
		panic(fmt.Sprintf("ingest: record of source %d partition %d, which is not declared", rec.Source, rec.Partition))
	}
	r := &s.reading[i]
	if rec.Offset < r.offered {
		return true
	}
	if t, is := MarkOf(rec); is {
		s.order.Pass(i, rec.Offset-r.offered)
		s.order.Mark(i, t)
		r.offered, r.mark = rec.Offset+1, rec.Offset
		return true
	}
	if s.order.Full(i) {
		return false
	}
	p := s.borrow()
	p.rec = *rec
	p.fields, p.time, p.refusal = s.parsers[rec.Source].Decode(p.fields[:0], rec)
	d, decodes := s.parsers[rec.Source].(*Decoder)
	p.cut = decodes && d.cut && p.refusal == nil
	p.tombstone = p.refusal == nil && s.cfg.Sources[rec.Source].Table && rec.Value == nil
	s.order.Pass(i, rec.Offset-r.offered)
	s.order.Push(i, p.time, p)
	r.offered = rec.Offset + 1
	return true
}

func (s *Sequencer) borrow() *pending {
	if n := len(s.free); n > 0 {
		p := s.free[n-1]
		s.free = s.free[:n-1]
		return p
	}
	return &pending{}
}

// Full reports whether a partition must be paused.
func (s *Sequencer) Full(source int, partition int32) bool {
	i, ok := s.lane(source, partition)
	return ok && s.order.Full(i)
}

// LaneLen returns the number of records of a partition that wait: resume it at half its queue.
func (s *Sequencer) LaneLen(source int, partition int32) int {
	if i, ok := s.lane(source, partition); ok {
		return s.order.LaneLen(i)
	}
	return 0
}

// Skip tells that the offsets of a partition below next hold no record that was not offered (control
// records, compaction, aborted transactions).
func (s *Sequencer) Skip(source int, partition int32, next int64) {
	i, ok := s.lane(source, partition)
	if !ok {
		return
	}
	if r := &s.reading[i]; next > r.offered {
		s.order.Pass(i, next-r.offered)
		r.offered = next
	}
}

// End tells that a partition was read to its known end.
func (s *Sequencer) End(source int, partition int32) {
	if i, ok := s.lane(source, partition); ok {
		s.order.End(i)
	}
}

// Lag tells, with clock: wall, after a poll, where a partition ends on the broker: end is its last stable offset.
// The offsets before it that were neither offered nor skipped are its lag. now is machine time in µs.
func (s *Sequencer) Lag(source int, partition int32, end, now int64) {
	if i, ok := s.lane(source, partition); ok {
		s.order.Lag(i, end-s.reading[i].offered, now)
	}
}

// Waiting names the partitions that the order waits for.
func (s *Sequencer) Waiting() []string { return s.order.Waiting() }

// Queued returns the number of records that wait for their turn.
func (s *Sequencer) Queued() int { return s.order.Len() }

// Done reports that every partition has ended and all is handed out.
func (s *Sequencer) Done() bool { return s.order.Done() }

// Next returns the next decision and folds its item, or false when all wait. The decision and all it
// points to are valid until the next call. Item.Seq is left 0.
func (s *Sequencer) Next() (*Decision, bool) {
	p, i, t, ok := s.order.Next()
	if !ok {
		return nil, false
	}
	s.release()
	s.taken = p
	s.decide(i, p, t)
	s.Fold.Apply(&s.out.Item)
	return &s.out, true
}

func (s *Sequencer) release() {
	if s.taken == nil {
		return
	}
	p := s.taken
	clear(p.fields)
	p.rec, p.refusal = Record{}, nil
	s.free = append(s.free, p)
	s.taken = nil
}

// decide makes the item of a record from what the fold knows.
func (s *Sequencer) decide(i int, p *pending, t int64) {
	spec := &s.cfg.Sources[p.rec.Source]
	refusal := p.refusal
	if refusal == nil {
		refusal = s.refuse(spec, p)
	}
	s.out = Decision{Record: &p.rec, Refusal: refusal, Item: features.Item{
		Kind: features.EventItem, Source: p.rec.Source, Partition: p.rec.Partition, Offset: p.rec.Offset, Time: t}}
	it := &s.out.Item
	if refusal != nil {
		it.Kind, it.Reason = features.RefusalItem, refusal.Reason
		return
	}
	it.Fields = p.fields
	if p.tombstone {
		it.Flags |= features.Tombstone
	}
	if p.cut {
		it.Flags |= features.TextCut
	}
	if !spec.Plain && t < before(s.clock.Head, s.maxSkew) {
		it.Flags |= features.NotLearned
	}
}

func (s *Sequencer) refuse(spec *SourceSpec, p *pending) *Refusal {
	if spec.Plain {
		return nil
	}
	if t := before(s.clock.Watermark, spec.lateness()); p.time < t {
		return refuse(StageTime, ReasonLate, spec.Time, "event of "+clockText(p.time)+" is older than the watermark "+
			clockText(s.clock.Watermark)+" by more than max_lateness; raise max_lateness or out_of_orderness of source "+spec.Name)
	}
	if skew := spec.Skew.Microseconds(); s.cfg.Clock == ClockWall && skew > 0 && p.time-p.rec.Timestamp*1000 > skew {
		return refuse(StageTime, ReasonFuture, spec.Time, "event of "+clockText(p.time)+" is ahead of its record of "+
			clockText(p.rec.Timestamp*1000)+" by more than "+spec.Skew.String()+"; check clock and layout of the producer")
	}
	if d := s.ids[p.rec.Source]; d != nil && !p.tombstone && d.has(p.fields, p.time, s.clock.Watermark) {
		return refuse(StageDedupe, ReasonDuplicate, spec.Dedupe.By, "an event with the same "+spec.Dedupe.By+
			" came within "+spec.Dedupe.Within.String()+"; nothing to mend if it was sent again")
	}
	return nil
}

func clockText(t int64) string { return features.TimeValue(t).String() }

// Idle returns, with clock: wall, the item that ends a block that has lasted idle_after at machine time now, in µs, and folds it;
// false when there is none. Call it until it is false. The decision is valid as in Next.
func (s *Sequencer) Idle(now int64) (*Decision, bool) {
	i, ok := s.order.Stalled(now, micros(s.cfg.IdleAfter, DefaultIdleAfter))
	if !ok {
		return nil, false
	}
	s.order.Idle(i)
	source, partition := s.place(i)
	return s.own(features.Item{Kind: features.IdleItem, Source: source, Partition: partition,
		Offset: s.Fold.parts[i].Next, Time: s.clock.Head})
}

// Tick returns, with clock: wall, the item that advances a project to machine time now, in µs, when all
// partitions have been idle for a second; at most one a second, never backwards, and none before the
// first event. It folds the item. False when none is due. Call it after each poll.
func (s *Sequencer) Tick(now int64) (*Decision, bool) {
	if s.cfg.Clock != ClockWall || !s.order.AllIdle() || s.clock.Head == features.NoTime {
		s.idle = 0
		return nil, false
	}
	if s.idle == 0 || now < s.idle { // or the clock was set back
		s.idle = now
	}
	if now-s.idle < tickEvery || now-s.clock.Head < tickEvery {
		return nil, false
	}
	return s.own(features.Item{Kind: features.TickItem, Time: now})
}

const tickEvery = 1_000_000 // µs

func (s *Sequencer) own(it features.Item) (*Decision, bool) {
	s.release()
	s.out = Decision{Item: it}
	s.Fold.Apply(&s.out.Item)
	return &s.out, true
}

// Position is where a partition is to be read from after a restart.
type Position struct {
	Source    int
	Partition int32
	Next      int64 // offset
}

// Positions appends where every partition is to be read from when the items handed out so far are all that
// counts. A partition from which nothing was taken since its newest time mark stands at that mark's offset, so that the mark is read
// again: without it a table that has ended would block a restarted order for ever.
func (s *Sequencer) Positions(dst []Position) []Position {
	for i := range s.reading {
		source, partition := s.place(i)
		dst = append(dst, Position{source, partition, s.position(i)})
	}
	return dst
}

func (s *Sequencer) position(i int) int64 {
	r := &s.reading[i]
	next := max(s.Fold.parts[i].Next, r.from)
	switch {
	case s.order.LaneLen(i) > 0:
		return next
	case r.mark >= next:
		return r.mark
	}
	return max(next, r.offered)
}
