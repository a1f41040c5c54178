package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// shard is some parts partitions with all their units: one goroutine folds them and commits them
// together, so that a process makes few commits.
type shard struct {
	o        *UnitsOptions
	feed     *feed
	index    int
	in       chan *batch
	sender   *stage.Sender // of all outputs
	outputs  []*output
	hashes   []*hash
	pos      frame.Position // of events: items before it are folded
	head     int64          // newest event time of those
	seq      uint64         // of the item at pos
	reported uint64         // seq of the last report
	cached   int

	open      []*output // with parts of the current item
	values    []float64
	committed time.Time
	took      time.Duration // the last commit
	full      time.Time     // when a frame was last folded that its size had cut
	behind    bool          // much of the log lies behind what was folded
	bytes     int           // bound on what the next commit writes
	swept     time.Time
	list      []redis.Commit // of the current commit
	turn      int            // of the unit whose position moves next
}

// output is one parts partition that this process owns.
type output struct {
	partition int32
	w         *stage.Writer
	emitted   frame.Position // of events: the parts of items before it are in the log
	pack      frame.Pack
	parts     []byte // of the current item, packed one after another
	ends      []int
}

// hash is one unit: the states of a bucket.
type hash struct {
	entity   int
	bucket   int
	out      *output
	prog     *unit.Program
	claim    *redis.Claim
	visible  frame.Position // of the claim when Visible was told last
	complete bool           // states holds every entity of the bucket
	states   map[string]*entity
	dirty    []*entity
	fields   int // that the dirty ones take in a commit
	bytes    int // bound on what they take
	batch    redis.Batch
}

type entity struct {
	key    string
	st     unit.State
	fields int // that it takes in the next commit; 0: it has not changed
}

// growth bounds what one item adds to the state of an entity, its key included.
const growth = 64 << 10

const (
	positionsPerRound = 4                      // units without changes whose position a commit moves
	sweepEvery        = 500 * time.Millisecond // between two searches for entities to forget
	// backlogEvery is the most that two commits lie apart while there is a backlog, and backlogRounds the same in CommitEvery: an entity is
	// written once for all its events of that time, and nobody finds it fresh anyway.
	backlogEvery  = 500 * time.Millisecond
	backlogRounds = 50
	// backlogOver is how long after the last full frame the order counts as having no more: it cuts a frame by its size while it has.
	backlogOver = 100 * time.Millisecond
	// backlogFrames are the frames behind what was folded from which on the units are in a backlog. At 6 ms each they are a fifth of a
	// second.
	backlogFrames = 32
	// commitBytes are what is committed without waiting for the time: a commit must not take long on a slow network.
	commitBytes = 32 << 20
)

func (s *shard) run(ctx context.Context) error {
	tick := time.NewTicker(s.o.CommitEvery)
	defer tick.Stop()
	for {
		select {
		case b := <-s.in:
			if err := s.fold(ctx, b); err != nil {
				return err
			}
			s.feed.release(b)
			if len(s.in) == 0 { // nobody waits for parts that lie here
				if err := s.flush(ctx); err != nil {
					return err
				}
			}
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if s.due(time.Now()) {
			if err := s.commit(ctx); err != nil {
				return err
			}
			if err := s.refresh(ctx); err != nil {
				return err
			}
		}
	}
}

// refresh keeps quiet parts readable where their topic has a retention. No parts lie in packs when it is called.
func (s *shard) refresh(ctx context.Context) error {
	if s.o.Retention == 0 || s.waiting() {
		return nil
	}
	for _, out := range s.outputs {
		if err := out.w.Refresh(ctx, []frame.Input{{Name: EventsInput, Pos: s.pos}}); err != nil {
			return err
		}
	}
	return nil
}

// due reports whether the next commit is to come. While more waits to be folded, commits take a fifth of the time at most: else one slow
// commit does not put off the next. In a backlog they are rare.
func (s *shard) due(now time.Time) bool {
	wait := s.o.CommitEvery
	if len(s.in) > 0 {
		wait = max(wait, 5*s.took)
	}
	if s.bytes < commitBytes && (s.behind || now.Sub(s.full) < backlogOver) {
		wait = max(wait, min(backlogEvery, backlogRounds*s.o.CommitEvery))
	}
	return now.Sub(s.committed) >= wait
}

// fold applies the touches of a batch that belong to this shard.
func (s *shard) fold(ctx context.Context, b *batch) error {
	touches := b.touches[s.index]
	if err := s.load(ctx, b, touches); err != nil {
		return err
	}
	last := -1
	for i := range touches {
		t := &touches[i]
		if t.item != last {
			if err := s.endItem(ctx); err != nil {
				return err
			}
			last = t.item
			s.at(b, t.item)
		}
		if err := s.touch(ctx, b, t); err != nil {
			return err
		}
	}
	if err := s.endItem(ctx); err != nil {
		return err
	}
	if s.behind = b.behind; b.full {
		s.full = time.Now()
	}
	c := b.frame
	s.pos, s.seq = c.At(c.Count), c.NextSeq()
	if c.Count > c.Skip {
		s.head = b.heads[c.Count-1]
	}
	return nil
}

// at puts the shard before item i of the batch.
func (s *shard) at(b *batch, i int) {
	s.pos, s.seq = b.frame.At(i), b.items[i].Seq
	if i > b.frame.Skip {
		s.head = b.heads[i-1]
	}
}

// touch reads, then updates, one entity.
func (s *shard) touch(ctx context.Context, b *batch, t *touch) error {
	h, it, offset := t.hash, &b.items[t.item], b.frame.Offset
	emit := t.read && !done(offset, t.item, h.out.emitted)
	if done(offset, t.item, h.claim.Position()) {
		if emit {
			return fmt.Errorf("state of %s is ahead of an item whose part is missing: %w", h.prog.Name(), frame.ErrDiverged)
		}
		return nil
	}
	e := h.states[string(b.key(t))]
	if e != nil && h.prog.Expired(&e.st, b.marks[t.item]) {
		e.st = unit.State{Tiles: []byte{}}
	}
	if emit {
		var st *unit.State
		if e != nil {
			st = &e.st
		}
		s.read(h, it, st)
	}
	if !t.apply {
		return nil
	}
	g := h.states[string(b.group(t))]
	more := 2 * growth
	for _, x := range []*entity{e, g} {
		if x != nil && x.fields == 0 {
			more += x.size()
		}
	}
	if len(h.dirty) > 0 && !h.batch.Fits(h.fields+4, h.bytes+more) {
		// Within one item a unit is touched once, so it has folded nothing of this one yet.
		if err := s.commitHash(ctx, h); err != nil {
			return err
		}
	}
	if e == nil {
		e = &entity{key: string(b.key(t))}
		h.states[e.key] = e
		s.cached++
	}
	if g == nil {
		before := e.size()
		h.prog.Apply(&e.st, it, b.marks[t.item])
		s.note(h, e, before)
		return nil
	}
	before, known := e.size(), g.size()
	h.prog.ApplyIn(&e.st, &g.st, it, b.marks[t.item])
	s.note(h, e, before)
	if g.st.HeadDirty {
		s.note(h, g, known)
	}
	return nil
}

func (e *entity) size() int { return len(e.st.Head) + len(e.st.Tiles) }

// note keeps in mind that an entity, or a group, whose size was before has to be written.
func (s *shard) note(h *hash, e *entity, before int) {
	more := e.size()
	if e.fields == 0 {
		h.dirty = append(h.dirty, e)
		more += 2*len(e.key) + 4
	} else {
		more = max(0, more-before)
	}
	h.bytes += more
	s.bytes += more
	h.fields -= e.fields
	e.fields = e.written().Fields()
	h.fields += e.fields
}

// read takes the part of an entity at a trigger.
func (s *shard) read(h *hash, it *features.Item, st *unit.State) {
	p := unit.Part{Event: it.Seq, Entity: h.entity}
	p.Values, p.Newest = h.prog.Read(s.values[:0], st, it.Time)
	s.values = p.Values
	out := h.out
	if len(out.ends) == 0 {
		s.open = append(s.open, out)
	}
	out.parts = unit.AppendPart(out.parts, &p)
	out.ends = append(out.ends, len(out.parts))
}

// endItem moves the parts of the item before to the packs, those of a partition all in one frame.
func (s *shard) endItem(ctx context.Context) error {
	for _, out := range s.open {
		if out.pack.Size()+len(out.parts)+4*len(out.ends) > frame.MaxPayload {
			if err := s.flush(ctx); err != nil {
				return err
			}
		}
		if err := out.endItem(); err != nil {
			return err
		}
	}
	s.open = s.open[:0]
	return nil
}

func (out *output) endItem() error {
	from := 0
	for _, to := range out.ends {
		ok, err := out.pack.Add(out.parts[from:to])
		if err == nil && !ok {
			err = fmt.Errorf("%d parts of one item: %w", len(out.ends), stage.ErrItemTooBig)
		}
		if err != nil {
			return err
		}
		from = to
	}
	out.parts, out.ends = out.parts[:0], out.ends[:0]
	return nil
}
