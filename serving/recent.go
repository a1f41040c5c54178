package serving

import (
	"context"
	"strings"
	"sync"
	"time"
)

// recentKeys bounds the states that are kept; beyond it older ones are forgotten before their time.
const recentKeys = 65_536

// recentStates answers from states that were read a moment ago, and reads the others. Popular entities are then read
// once for many predictions. A state is never older than maxAge, counted from before its read began; an error is not kept.
//
// States live in two generations: a new one begins when the newer is maxAge old or full, and the older is forgotten as a
// whole, so that nothing is searched for what is old.
type recentStates struct {
	of     States
	own    *OwnStates // of the feature units of this process; nil: none run here
	maxAge time.Duration
	now    func() time.Time
	calls  sync.Pool // of *recentCall

	mu          sync.RWMutex
	began       time.Time // of the newer generation
	newer, last map[EntityKey]recentState
}

type recentState struct {
	state EntityState
	read  time.Time
}

// recentCall is the working memory of one Read.
type recentCall struct {
	at     []int // of the keys that must be read
	keys   []EntityKey
	states []EntityState
}

func newRecentStates(of States, own *OwnStates, maxAge time.Duration, now func() time.Time) *recentStates {
	r := &recentStates{of: of, own: own, maxAge: maxAge, now: now, newer: map[EntityKey]recentState{}}
	r.calls.New = func() any { return new(recentCall) }
	return r
}

// Read implements States. The bytes of the states are shared with other calls.
func (r *recentStates) Read(ctx context.Context, keys []EntityKey, out []EntityState) error {
	c := r.calls.Get().(*recentCall)
	defer r.calls.Put(c)
	c.at, c.keys = c.at[:0], c.keys[:0]
	now := r.now()
	r.mu.RLock()
	for i, k := range keys {
		if r.own != nil && r.own.find(k, now, r.maxAge, &out[i]) {
			continue
		}
		if s, ok := r.find(k); ok && now.Sub(s.read) <= r.maxAge {
			out[i] = s.state
			continue
		}
		c.at, c.keys = append(c.at, i), append(c.keys, k)
	}
	r.mu.RUnlock()
	if len(c.at) == 0 {
		return nil
	}
	for len(c.states) < len(c.at) {
		c.states = append(c.states, EntityState{})
	}
	states := c.states[:len(c.at)]
	defer clear(states) // what is forgotten must not be held here
	if err := r.of.Read(ctx, c.keys, states); err != nil {
		return err
	}
	for j, i := range c.at {
		out[i] = states[j]
	}
	r.keep(c.keys, states, now)
	if r.own != nil {
		for j := range states {
			r.own.keep(c.keys[j], &states[j], now)
		}
	}
	clear(c.keys)
	return nil
}

func (r *recentStates) find(k EntityKey) (recentState, bool) {
	s, ok := r.newer[k]
	if !ok {
		s, ok = r.last[k]
	}
	return s, ok
}

// keep takes states that were read since then.
func (r *recentStates) keep(keys []EntityKey, states []EntityState, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if since.Sub(r.began) > r.maxAge || len(r.newer) >= recentKeys/2 {
		r.last, r.newer, r.began = r.newer, r.last, since
		if r.newer == nil {
			r.newer = map[EntityKey]recentState{}
		}
		clear(r.newer)
	}
	for i, k := range keys {
		if s, ok := r.newer[k]; ok && s.read.After(since) {
			continue
		}
		k.Key = strings.Clone(k.Key) // borrowed; an assignment replaces the key too
		r.newer[k] = recentState{states[i], since}
	}
}
