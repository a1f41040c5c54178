package serving

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// Calls that come at the same time share their reads. While a read is under way, the keys of the calls that come
// gather for the next one, each distinct key once: under load the store is asked a few hundred times a second,
// whatever the rate of calls, and popular entities are sent and checked once for all. A call never sees a read
// that began before it came, so it sees what a read of its own would have.
const (
	roundsAtOnce = 2    // reads under way at a time
	roundKeys    = 1000 // distinct keys in one read
	roundTime    = 3 * time.Second
)

// rounds gathers the keys of calls into reads.
type rounds struct {
	s     *StoreStates
	read  func(ctx context.Context, lookups []redis.Lookup, dst []redis.View) ([]redis.View, error)
	slots chan struct{}

	mu   sync.Mutex
	open *round // takes keys; nil: none
}

func newRounds(s *StoreStates, read func(context.Context, []redis.Lookup, []redis.View) ([]redis.View, error)) *rounds {
	return &rounds{s: s, read: read, slots: make(chan struct{}, roundsAtOnce)}
}

// round is one read. Its keys belong to the gathering, under mu of rounds, until it flies; its answers to all once
// done is closed.
type round struct {
	slots   map[EntityKey]int // of states, by distinct key
	buckets map[bucketOf]int  // of lookups
	keys    []place           // by slot
	lookups []redis.Lookup

	states []EntityState
	errs   map[int]error // by slot: damaged states
	err    error
	done   chan struct{}
}

type bucketOf struct{ entity, bucket int }

// place is where a key lies: its entity type and bucket, and its place in the lookup of the bucket.
type place struct {
	bucketOf
	lookup, within int
}

// join adds the keys to the round that is open and writes the slots of their answers to at.
func (g *rounds) join(keys []EntityKey, at []int) *round {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.open
	if r == nil {
		r = &round{slots: map[EntityKey]int{}, buckets: map[bucketOf]int{}, done: make(chan struct{})}
		g.open = r
		go g.fly(r)
	}
	for i, k := range keys {
		slot, ok := r.slots[k]
		if !ok {
			slot = r.add(EntityKey{Entity: k.Entity, Key: strings.Clone(k.Key)}, g.s) // the caller may leave before the read ends
		}
		at[i] = slot
	}
	if len(r.keys) >= roundKeys {
		g.open = nil
	}
	return r
}

func (r *round) add(k EntityKey, s *StoreStates) int {
	of := bucketOf{k.Entity, s.entities[k.Entity].Bucket([]byte(k.Key))}
	l, ok := r.buckets[of]
	if !ok {
		l = len(r.lookups)
		r.buckets[of] = l
		r.lookups = append(r.lookups, redis.Lookup{Hash: s.hashes[of.entity][of.bucket]})
	}
	slot := len(r.keys)
	r.slots[k] = slot
	r.keys = append(r.keys, place{of, l, len(r.lookups[l].Keys)})
	r.lookups[l].Keys = append(r.lookups[l].Keys, k.Key)
	return slot
}

// fly reads a round when it is its turn; until then it takes keys.
func (g *rounds) fly(r *round) {
	defer close(r.done)
	g.slots <- struct{}{}
	defer func() { <-g.slots }()
	g.mu.Lock()
	if g.open == r {
		g.open = nil
	}
	g.mu.Unlock()
	// No caller's context: the others go on when one has left.
	ctx, cancel := context.WithTimeout(context.Background(), roundTime)
	defer cancel()
	views, err := g.read(ctx, r.lookups, nil)
	if err != nil {
		r.err = fmt.Errorf("read entity states: %w", err)
		return
	}
	r.states = make([]EntityState, len(r.keys))
	for slot, p := range r.keys {
		if err := g.s.fill(&r.states[slot], p, &views[p.lookup]); err != nil {
			if r.errs == nil {
				r.errs = map[int]error{}
			}
			r.errs[slot] = err
		}
	}
}

// take waits for a round and copies the states in the slots. They share the memory of the round, which nobody writes.
func (r *round) take(ctx context.Context, at []int, out []EntityState) error {
	select {
	case <-r.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if r.err != nil {
		return r.err
	}
	for i, slot := range at {
		if err := r.errs[slot]; err != nil {
			return err
		}
		out[i] = r.states[slot]
	}
	return nil
}
