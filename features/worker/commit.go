package worker

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// flush sends the parts in the packs. All items before s.pos are folded and none of theirs is left out.
func (s *shard) flush(ctx context.Context) error {
	for _, out := range s.outputs {
		if out.pack.Len() == 0 {
			continue
		}
		_, err := out.w.Append(ctx, &out.pack, []frame.Input{{Name: EventsInput, Pos: s.pos}})
		out.pack.Reset()
		if err != nil {
			return err
		}
	}
	return nil
}

// waiting reports whether parts lie in a pack.
func (s *shard) waiting() bool {
	return slices.ContainsFunc(s.outputs, func(out *output) bool { return out.pack.Len() > 0 })
}

// commit writes what changed. The parts of everything before are known to count first, so that no state
// passes a part that can still be lost.
func (s *shard) commit(ctx context.Context) error {
	began := time.Now()
	list := s.changed()
	if len(list) == 0 && !s.waiting() {
		s.committed = began
		s.report(0)
		return nil
	}
	n, err := s.write(ctx, list)
	if err != nil {
		return err
	}
	if began.Sub(s.swept) >= sweepEvery {
		s.swept = began
		if err := s.sweep(ctx); err != nil {
			return err
		}
	}
	s.committed = time.Now()
	s.took = s.committed.Sub(began)
	s.report(n)
	return nil
}

// report tells how far the states are visible: also where the items since the last commit touched nothing here.
func (s *shard) report(entities int) {
	if s.o.Committed == nil || s.seq == s.reported && entities == 0 {
		return
	}
	s.reported = s.seq
	for _, out := range s.outputs {
		s.o.Committed(UnitsProgress{Partition: out.partition, Items: s.seq, Head: s.head, Took: s.took, Entities: entities, Cached: s.cached})
	}
}

// changed prepares the commits of all units that changed, and of a few others in turn, whose positions
// move alone: so no unit falls far behind and no round is long.
func (s *shard) changed() []redis.Commit {
	s.list = s.list[:0]
	for _, h := range s.hashes {
		if c, ok := s.prepare(h, false); ok {
			s.list = append(s.list, c)
		}
	}
	for range min(positionsPerRound, len(s.hashes)) {
		h := s.hashes[s.turn%len(s.hashes)]
		s.turn++
		if len(h.dirty) > 0 {
			continue
		}
		if c, ok := s.prepare(h, true); ok {
			s.list = append(s.list, c)
		}
	}
	return s.list
}

// commitHash commits one unit at the current item, which it has not folded yet.
func (s *shard) commitHash(ctx context.Context, h *hash) error {
	c, ok := s.prepare(h, false)
	if !ok {
		return nil
	}
	_, err := s.write(ctx, []redis.Commit{c})
	return err
}

// prepare collects the changed entities of a unit. Without any it moves the position alone, if move says so.
func (s *shard) prepare(h *hash, move bool) (redis.Commit, bool) {
	if len(h.dirty) == 0 && (!move || !earlier(h.claim.Position(), s.pos)) {
		return redis.Commit{}, false
	}
	for _, e := range h.dirty {
		if err := h.batch.Put(e.key, e.written()); err != nil {
			// touch asks for room before a unit changes; only one entity alone may be bigger.
			panic(fmt.Sprintf("worker: %s bucket of %d dirty entities: %v", h.prog.Name(), len(h.dirty), err))
		}
	}
	return redis.Commit{Claim: h.claim, Batch: &h.batch, At: s.pos, Head: s.head}, true
}

// written yields what a commit writes.
func (h *hash) written(yield func(string, redis.State) bool) {
	for _, e := range h.dirty {
		if !yield(e.key, e.written()) {
			return
		}
	}
}

// written is what a commit writes of a changed entity.
func (e *entity) written() (st redis.State) {
	if e.st.HeadDirty || e.st.Head == nil {
		st.Moving = notNil(e.st.Head)
	}
	if e.st.TilesDirty || e.st.Tiles != nil && len(e.st.Tiles) == 0 {
		st.Sealed = notNil(e.st.Tiles)
	}
	return st
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// write waits for the parts, then commits. It returns how many entities were written.
func (s *shard) write(ctx context.Context, list []redis.Commit) (int, error) {
	if err := s.flush(ctx); err != nil {
		return 0, err
	}
	for _, out := range s.outputs {
		if err := out.w.Drain(ctx); err != nil {
			return 0, err
		}
	}
	sent := time.Now()
	if err := s.o.Store.Commit(ctx, list...); err != nil {
		return 0, err
	}
	s.tell(sent)
	n := 0
	for _, h := range s.hashes {
		if h.batch.Fields() == 0 {
			continue
		}
		for _, e := range h.dirty {
			e.fields, e.st.HeadDirty, e.st.TilesDirty = 0, false, false
			n++
		}
		clear(h.dirty)
		s.bytes -= h.bytes
		h.dirty, h.fields, h.bytes = h.dirty[:0], 0, 0
		h.batch.Reset()
	}
	return n, nil
}

// tell says what the commits since the last call made visible.
func (s *shard) tell(sent time.Time) {
	if s.o.Visible == nil {
		return
	}
	for _, h := range s.hashes {
		if at := h.claim.Position(); at != h.visible {
			s.o.Visible(BucketCommit{Entity: h.entity, Bucket: h.bucket, From: h.visible, At: at, Head: h.claim.Head(), Sent: sent, Written: h.written})
			h.visible = at
		}
	}
}

// load brings the entities that a batch touches, and their groups, into memory, in one round trip.
func (s *shard) load(ctx context.Context, b *batch, touches []touch) error {
	missing := map[*hash]*redis.Load{}
	for i := range touches {
		t := &touches[i]
		if group := b.group(t); len(group) > 0 && t.hash.states[string(group)] == nil { // stays in memory, known or not
			s.want(missing, t.hash, string(group))
		}
		if !t.hash.complete && t.hash.states[string(b.key(t))] == nil {
			s.want(missing, t.hash, string(b.key(t)))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	// Loads are checked against the committed position, at which the unit stands with no changes to these keys.
	if err := s.o.Store.Load(ctx, slices.Collect(maps.Values(missing))...); err != nil {
		return err
	}
	for h, l := range missing {
		if err := s.loaded(h, l); err != nil {
			return err
		}
	}
	return nil
}

// want makes room for a key of a unit that has to be loaded, unless all its keys are in memory.
func (s *shard) want(missing map[*hash]*redis.Load, h *hash, key string) {
	h.states[key] = &entity{key: key}
	if unit.IsGroup(key) {
		s.cached++
	}
	if h.complete {
		return
	}
	if missing[h] == nil {
		missing[h] = &redis.Load{Claim: h.claim}
	}
	missing[h].Keys = append(missing[h].Keys, key)
}

// loaded keeps the states of a load.
func (s *shard) loaded(h *hash, l *redis.Load) error {
	for i, key := range l.Keys {
		st := unit.State{Head: l.States[i].Moving, Tiles: l.States[i].Sealed}
		if st.Head == nil && st.Tiles == nil {
			if !unit.IsGroup(key) {
				delete(h.states, key)
			}
			continue
		}
		if err := h.prog.CheckStateOf(key, &st); err != nil {
			sum := sha256.Sum256([]byte(key)) // the key itself may be a sensitive field
			return fmt.Errorf("state of %s whose key has the SHA-256 %x: %w: %w", h.prog.Name(), sum, frame.ErrDamaged, err)
		}
		h.states[key].st = st
		if !unit.IsGroup(key) {
			s.cached++
		}
	}
	return nil
}

// sweep forgets entities that are absent by definition, and clean ones when too many are in memory. Neither
// changes any answer.
func (s *shard) sweep(ctx context.Context) error {
	watermark := s.feed.clock.WatermarkAt(s.head)
	for _, h := range s.hashes {
		var gone []string
		if h.prog.Entity().Keep > 0 {
			for key, e := range h.states {
				if e.fields == 0 && !unit.IsGroup(key) && h.prog.Expired(&e.st, watermark) {
					gone = append(gone, key)
				}
			}
		}
		if len(gone) == 0 {
			continue
		}
		if err := h.claim.Collect(ctx, gone); err != nil {
			return err
		}
		for _, key := range gone {
			delete(h.states, key)
			s.cached--
		}
	}
	for _, h := range s.hashes {
		for key, e := range h.states {
			if s.cached <= s.o.MaxCached {
				return nil
			}
			if e.fields == 0 {
				delete(h.states, key)
				h.complete = false
				s.cached--
			}
		}
	}
	return nil
}
