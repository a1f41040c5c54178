package trainer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/models/fold"
)

// Replay folds items through units, joiners and learners in one process and one goroutine, without any
// log between them. It is the shortest form of the way of an event, and what a backtest runs; the
// stages over Kafka and Redis give the same Golden. States of all entities are held in memory.
type Replay struct {
	program *Program
	clock   *features.Clock
	states  []map[string]*unit.State // by entity type
	lines   []*line
	items   *ItemHash
	key     []byte
	name    []byte // of a group
	vec     []float64
	seen    uint64
}

// line is one trigger with what follows from it.
type line struct {
	trigger *Trigger
	joiner  *Joiner
	fold    *fold.Fold
	entries *EntryHash
	err     error
}

// NewReplay returns a replay at the beginning. Errors name the model that cannot be built.
func NewReplay(p *Program) (*Replay, error) {
	r := &Replay{program: p, clock: features.NewClock(p.Sources), items: NewItemHash(p.Sources)}
	for range p.Entities {
		r.states = append(r.states, map[string]*unit.State{})
	}
	for _, t := range p.Triggers {
		f, err := fold.New(t.Vector.Schema, t.Members)
		if err != nil {
			return nil, fmt.Errorf("trigger %s: %w", t.Name, err)
		}
		l := &line{trigger: t, fold: f, entries: NewEntryHash()}
		l.joiner = NewJoiner(t, p.Sources, l.take)
		r.lines = append(r.lines, l)
	}
	return r, nil
}

func (l *line) take(e *fold.Entry) {
	l.entries.Add(e)
	if err := l.fold.Apply(e); err != nil && l.err == nil {
		l.err = err
	}
}

// Apply folds the next item. Its Seq must follow that of the item before.
func (r *Replay) Apply(it *features.Item) error {
	if it.Seq != r.seen {
		return fmt.Errorf("item %d: item %d is missing", it.Seq, r.seen)
	}
	r.seen++
	r.items.Add(it)
	r.clock.Observe(it)
	for _, l := range r.lines {
		var newest int64 = features.NoTime
		if !l.trigger.Request && l.trigger.Expects(it) {
			newest = r.read(l.trigger, it)
		}
		l.joiner.Apply(it, r.vec, newest)
		if l.err != nil {
			return l.err
		}
	}
	r.update(it)
	return nil
}

// read fills r.vec with the parts of the trigger at this item, and returns the newest event time behind them.
func (r *Replay) read(t *Trigger, it *features.Item) int64 {
	r.vec = t.Vector.Begin(r.vec)
	var newest int64 = features.NoTime
	for i, p := range t.Vector.Parts {
		key, ok := r.program.Entities[p.Entity].AppendKey(r.key[:0], it)
		r.key = key
		if !ok {
			continue
		}
		prog := r.program.Entities[p.Entity]
		st := r.states[p.Entity][string(key)]
		if st != nil && prog.Expired(st, r.clock.Watermark) {
			st = nil
		}
		_, at := prog.Read(t.Vector.Part(r.vec, i), st, it.Time)
		newest = max(newest, at)
	}
	return newest
}

func (r *Replay) update(it *features.Item) {
	if it.Kind != features.EventItem {
		return
	}
	for e, prog := range r.program.Entities {
		if !prog.Takes(it.Source) {
			continue
		}
		key, ok := prog.AppendKey(r.key[:0], it)
		r.key = key
		if !ok {
			continue
		}
		st := r.states[e][string(key)]
		if st == nil || prog.Expired(st, r.clock.Watermark) {
			st = &unit.State{}
			r.states[e][string(key)] = st
		}
		prog.ApplyIn(st, r.group(e, key, it), it, r.clock.Watermark)
	}
}

// group returns the state of the group of an entity, nil where it has none.
func (r *Replay) group(e int, key []byte, it *features.Item) *unit.State {
	prog := r.program.Entities[e]
	name, ok := prog.AppendGroup(r.name[:0], it, prog.Bucket(key))
	r.name = name
	if !ok {
		return nil
	}
	st := r.states[e][string(name)]
	if st == nil {
		st = &unit.State{}
		r.states[e][string(name)] = st
	}
	return st
}

// Fold returns the learners of the named trigger, or nil.
func (r *Replay) Fold(trigger string) *fold.Fold {
	for _, l := range r.lines {
		if l.trigger.Name == trigger {
			return l.fold
		}
	}
	return nil
}

// Joiner returns the joiner of the named trigger, or nil.
func (r *Replay) Joiner(trigger string) *Joiner {
	for _, l := range r.lines {
		if l.trigger.Name == trigger {
			return l.joiner
		}
	}
	return nil
}

// Items returns how many items were folded.
func (r *Replay) Items() uint64 { return r.seen }

// Head returns the newest event time so far.
func (r *Replay) Head() int64 { return r.clock.Head }

// Golden returns the sums of everything so far. Cost: a pass over all states.
func (r *Replay) Golden() *Golden {
	g := &Golden{Items: r.items.Sum(), Logs: map[string]string{}, Weights: map[string]string{}, Scores: map[string]string{}}
	h := NewStateHash()
	for e, prog := range r.program.Entities {
		for _, key := range slices.Sorted(maps.Keys(r.states[e])) {
			if st := r.states[e][key]; !prog.Expired(st, r.clock.Watermark) {
				h.Add(prog.Name(), key, st.Head, st.Tiles)
			}
		}
	}
	g.States = h.Sum()
	for _, l := range r.lines {
		g.Logs[l.trigger.Name] = l.entries.Sum()
		for _, name := range l.fold.Names() {
			sums, _ := l.fold.Hashes(name)
			g.Weights[name], g.Scores[name] = sums.Weights, sums.Scores
		}
	}
	return g
}

// StateHash sums entity states, which must be added by entity type, then key.
type StateHash struct{ buf []byte }

// NewStateHash returns the sum of no states.
func NewStateHash() *StateHash { return &StateHash{} }

// Add takes the state of one entity.
func (h *StateHash) Add(entity, key string, head, tiles []byte) {
	one := sha256.Sum256(features.AppendKey(nil, entity, key, string(head), string(tiles)))
	h.buf = append(h.buf, one[:]...)
}

// Sum returns the sum so far.
func (h *StateHash) Sum() string {
	s := sha256.Sum256(h.buf)
	return hex.EncodeToString(s[:])
}
