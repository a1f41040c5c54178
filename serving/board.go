package serving

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet-ml/freshet/models/drift"
	"github.com/freshet-ml/freshet/models/fold"
)

// Scored is what was measured about a model at a place of its log; it is taken less often than
// versions are published.
type Scored struct {
	fold.Score
	Hash     string // SHA-256 of the model's state at HashedAt
	HashedAt uint64
}

// Board holds the newest version of every model that a process folds. Publishing and reading never
// wait for each other. It is safe for concurrent use.
type Board struct {
	names   []string
	entries map[string]*boardEntry
	drifts  sync.Map // trigger to *Drifted
	changed chan struct{}
}

// Drifted is what was last measured about the distributions of a trigger's features.
type Drifted struct {
	Reference, Window int    // examples
	Windows           uint64 // finished ones; 0: nothing can be said yet
	Scores            []drift.Score
	Distributions     []drift.Distribution // nil before the reference is complete
}

// Drift sets what was measured about a trigger's features.
func (b *Board) Drift(trigger string, d *Drifted) { b.drifts.Store(trigger, d) }

// Drifted returns what was last measured about a trigger's features; nil if nothing was.
func (b *Board) Drifted(trigger string) *Drifted {
	d, _ := b.drifts.Load(trigger)
	out, _ := d.(*Drifted)
	return out
}

type boardEntry struct {
	snapshot  atomic.Pointer[fold.Snapshot]
	confirmed atomic.Int64 // wall clock, ns
	scored    atomic.Pointer[Scored]
	barred    atomic.Bool
	holds     atomic.Uint64
}

// NewBoard returns a board for these models, without versions.
func NewBoard(names ...string) *Board {
	b := &Board{names: slices.Clone(names), entries: make(map[string]*boardEntry, len(names)), changed: make(chan struct{}, 1)}
	for _, n := range names {
		b.entries[n] = &boardEntry{}
	}
	return b
}

// Publish makes a version the one that answers. Readers that hold an older one keep it. at is the wall clock time at which it is
// the newest; the zero time when that is not known, as while a log is caught up with. A name that the board was not made for is a mistake of the caller and panics.
func (b *Board) Publish(model string, s *fold.Snapshot, at time.Time) {
	e := b.entries[model]
	if e == nil {
		panic("serving: publish of model " + model + ", which the board was not made for")
	}
	if e.barred.Load() {
		return
	}
	e.confirm(at)
	old := e.snapshot.Swap(s)
	if s.Held && (old == nil || !old.Held) {
		e.holds.Add(1)
	}
	if old == nil || old.Held != s.Held {
		b.notify()
	}
}

// Confirm says that the published version is still the newest at this wall clock time.
func (b *Board) Confirm(model string, at time.Time) {
	if e := b.entries[model]; e != nil && e.confirm(at) {
		b.notify()
	}
}

// confirm moves the time on, never back, and reports whether it is the first.
func (e *boardEntry) confirm(at time.Time) (first bool) {
	for !at.IsZero() {
		old := e.confirmed.Load()
		if at.UnixNano() <= old {
			return false
		}
		if e.confirmed.CompareAndSwap(old, at.UnixNano()) {
			return old == 0
		}
	}
	return false
}

// Barred reports whether a model was taken out of service for good.
func (b *Board) Barred(model string) bool {
	e := b.entries[model]
	return e != nil && e.barred.Load()
}

// Retract takes a model out of service, as when its state differs from what the log's learners attest.
func (b *Board) Retract(model string) {
	if e := b.entries[model]; e != nil && e.snapshot.Swap(nil) != nil {
		b.notify()
	}
}

// Bar retracts a model for as long as the board lives: versions that are published later do not answer.
func (b *Board) Bar(model string) {
	if e := b.entries[model]; e != nil {
		e.barred.Store(true)
		b.Retract(model)
	}
}

// Score sets what was measured about a model.
func (b *Board) Score(model string, s *Scored) {
	if e := b.entries[model]; e != nil {
		e.scored.Store(s)
	}
}

// Snapshot returns the newest version of a model, and false if there is none.
func (b *Board) Snapshot(model string) (*fold.Snapshot, bool) {
	e := b.entries[model]
	if e == nil {
		return nil, false
	}
	s := e.snapshot.Load()
	return s, s != nil
}

// Confirmed returns when the version of a model was last known to be the newest; the zero time if
// there is none.
func (b *Board) Confirmed(model string) time.Time {
	if e := b.entries[model]; e != nil {
		if ns := e.confirmed.Load(); ns != 0 {
			return time.Unix(0, ns)
		}
	}
	return time.Time{}
}

// Scored returns what was last measured about a model; nil if nothing was.
func (b *Board) Scored(model string) *Scored {
	if e := b.entries[model]; e != nil {
		return e.scored.Load()
	}
	return nil
}

// Holds returns how often the guard began to hold a version of a model.
func (b *Board) Holds(model string) uint64 {
	if e := b.entries[model]; e != nil {
		return e.holds.Load()
	}
	return 0
}

// Changed receives after a model began to answer, stopped, or its guard took or left hold.
func (b *Board) Changed() <-chan struct{} { return b.changed }

func (b *Board) notify() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}
