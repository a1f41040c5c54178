package serving

import (
	"bytes"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/features/worker"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// OwnStates keeps the states that predictions asked for a moment ago as new as the feature units of this process commit them, so
// that popular entities are read from the store once, however often they change.
//
// They count only for a moment after a commit to some bucket of their parts partition. Another process that takes the partition over
// claims all its buckets before it commits to any; so a commit of ours that succeeded shows that none of them was written by another
// before it was sent.
//
// It is safe for concurrent use.
type OwnStates struct {
	entities []*unit.Program
	buckets  [][]ownBucket // by entity and bucket
	parts    []ownPartition
	bound    int64 // greatest out-of-orderness of the sources, µs
	most     int   // states kept of one bucket
	behind   func(entity, bucket int, v *redis.View) bool
}

// ownPartition is what is known of all units of a parts partition.
type ownPartition struct {
	sent       atomic.Int64 // Unix time before the newest commit was sent, ns
	rebuilding atomic.Bool
}

// ownBucket is what is known of a bucket. Its states are those at its position.
type ownBucket struct {
	of     *ownPartition
	mu     sync.RWMutex
	at     frame.Position
	head   int64
	states map[string]*ownState
}

type ownState struct {
	state unit.State // never written, replaced
	asked atomic.Int64
}

// forgetAfter is how long a state is kept that changes and that nobody asks for.
const forgetAfter = 2 * time.Second

// NewOwnStates returns an empty store for units of these entities and so many parts partitions; outOfOrder and behind are as for
// NewStoreStates.
func NewOwnStates(entities []*unit.Program, partitions int, outOfOrder int64, behind func(entity, bucket int, v *redis.View) bool) *OwnStates {
	o := &OwnStates{entities: entities, parts: make([]ownPartition, partitions), bound: outOfOrder, behind: behind}
	all := 0
	for _, p := range entities {
		buckets := make([]ownBucket, p.Buckets())
		for b := range buckets {
			buckets[b].of = &o.parts[unit.PartitionOf(p.Name(), b, partitions)]
		}
		o.buckets = append(o.buckets, buckets)
		all += len(buckets)
	}
	o.most = max(16, recentKeys/max(all, 1))
	return o
}

// Commit takes what a unit has made visible. States that were read at another position than the one at which the commit began are
// forgotten: another process has written in between. After a claim no state of the partition counts until a commit: the other buckets may
// not be claimed yet.
func (o *OwnStates) Commit(c worker.BucketCommit) {
	b := &o.buckets[c.Entity][c.Bucket]
	b.of.rebuilding.Store(o.behind != nil && o.behind(c.Entity, c.Bucket, &redis.View{Exists: true, At: c.At, Head: c.Head}))
	b.take(&c)
	if c.Written == nil {
		b.of.sent.Store(0)
	} else {
		b.of.sent.Store(c.Sent.UnixNano())
	}
}

func (b *ownBucket) take(c *worker.BucketCommit) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at != c.From {
		clear(b.states)
	}
	b.at, b.head = c.At, c.Head
	if len(b.states) == 0 || c.Written == nil {
		return
	}
	for key, written := range c.Written {
		if s := b.states[key]; s == nil {
			continue
		} else if c.Sent.UnixNano()-s.asked.Load() > int64(forgetAfter) {
			delete(b.states, key)
		} else {
			s.state = replaced(s.state, written)
		}
	}
}

// replaced is a state after a commit, whose blobs are borrowed.
func replaced(s unit.State, written redis.State) unit.State {
	if written.Moving != nil {
		s.Head = bytes.Clone(written.Moving)
	}
	if written.Sealed != nil {
		s.Tiles = bytes.Clone(written.Sealed)
	}
	return s
}

func (o *OwnStates) bucket(k EntityKey) *ownBucket {
	return &o.buckets[k.Entity][o.entities[k.Entity].Bucket([]byte(k.Key))]
}

// recent reports whether the partition was known to be this process's at most maxAge before now, with states that can be relied on.
func (p *ownPartition) recent(now time.Time, maxAge time.Duration) bool {
	return now.UnixNano()-p.sent.Load() <= int64(maxAge) && !p.rebuilding.Load()
}

// find answers for a key if its state is known and no older than maxAge.
func (o *OwnStates) find(k EntityKey, now time.Time, maxAge time.Duration, out *EntityState) bool {
	b := o.bucket(k)
	if !b.of.recent(now, maxAge) {
		return false
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	s := b.states[k.Key]
	if s == nil {
		return false
	}
	s.asked.Store(now.UnixNano())
	*out = EntityState{State: s.state, Found: len(s.state.Head) > 0, Head: b.head, Watermark: b.head, at: b.at}
	if b.head != features.NoTime {
		out.Watermark -= o.bound
	}
	return true
}

// keep takes a state that was read from the store, if it was read at the position at which the bucket stands.
func (o *OwnStates) keep(k EntityKey, s *EntityState, now time.Time) {
	b := o.bucket(k)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at == (frame.Position{}) || s.at != b.at {
		return
	}
	if b.states == nil || len(b.states) >= o.most { // what is asked for comes back at once
		b.states = map[string]*ownState{}
	}
	kept := &ownState{state: s.State}
	kept.asked.Store(now.UnixNano())
	b.states[strings.Clone(k.Key)] = kept
}
