package serving_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/features/worker"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage/redis"
	"github.com/freshet-ml/freshet/serving"
)

// ownAge is how old states may be in these tests.
const ownAge = 20 * time.Millisecond

// bucketID names a bucket.
type bucketID struct{ entity, bucket int }

// ledger is a store with two owners that take partitions from each other. A value is the number of its commit.
type ledger struct {
	programs   []*unit.Program
	partitions int
	at         time.Time
	commits    int64
	positions  map[bucketID]frame.Position
	values     map[serving.EntityKey]int64
	ended      map[int64]time.Time // when a value was replaced
	owner      map[int32]int       // by partition
	reads      int
	during     func() // called when a read has seen the values, and has not returned; nil: nothing happens then
	own        *serving.OwnStates
}

func (l *ledger) now() time.Time { return l.at }

func (l *ledger) bucket(k serving.EntityKey) bucketID {
	return bucketID{k.Entity, l.programs[k.Entity].Bucket([]byte(k.Key))}
}

func (l *ledger) partition(b bucketID) int32 {
	return unit.PartitionOf(l.programs[b.entity].Name(), b.bucket, l.partitions)
}

// Read implements serving.States.
func (l *ledger) Read(_ context.Context, keys []serving.EntityKey, out []serving.EntityState) error {
	l.reads += len(keys)
	for i, k := range keys {
		out[i] = serving.EntityState{}
		if v, ok := l.values[k]; ok {
			out[i] = serving.EntityState{Found: true, State: unit.State{Head: binary.BigEndian.AppendUint64(nil, uint64(v))}}
		}
		out[i].ReadAt(l.positions[l.bucket(k)])
	}
	if l.during != nil {
		l.during()
	}
	return nil
}

// claim makes an owner that of a partition; the first is this process.
func (l *ledger) claim(owner int, partition int32) {
	l.owner[partition] = owner
	if owner != 0 {
		return
	}
	for e, p := range l.programs {
		for b := range p.Buckets() {
			if id := (bucketID{e, b}); l.partition(id) == partition {
				l.own.Commit(worker.BucketCommit{Entity: e, Bucket: b, From: l.positions[id], At: l.positions[id]})
			}
		}
	}
}

// commit writes entities of one bucket as its owner. This process may hear of it later.
func (l *ledger) commit(keys []serving.EntityKey, hears time.Duration) {
	b := l.bucket(keys[0])
	from, sent := l.positions[b], l.at
	l.commits++
	l.positions[b] = frame.Position{Offset: l.commits, Last: frame.ID{Writer: 9, Number: uint64(l.commits)}}
	for _, k := range keys {
		if v, ok := l.values[k]; ok {
			l.ended[v] = l.at
		}
		l.values[k] = l.commits
	}
	if l.owner[l.partition(b)] != 0 {
		return
	}
	l.at = l.at.Add(hears)
	blob := binary.BigEndian.AppendUint64(nil, uint64(l.commits))
	l.own.Commit(worker.BucketCommit{Entity: b.entity, Bucket: b.bucket, From: from, At: l.positions[b], Sent: sent, Written: func(yield func(string, redis.State) bool) {
		for _, k := range keys {
			if !yield(k.Key, redis.State{Moving: blob}) {
				return
			}
		}
	}})
	clear(blob) // it was lent for the call
}

func newLedger(programs []*unit.Program) *ledger {
	l := &ledger{programs: programs, partitions: 2, at: time.UnixMilli(1e12), positions: map[bucketID]frame.Position{}, values: map[serving.EntityKey]int64{},
		ended: map[int64]time.Time{}, owner: map[int32]int{}}
	l.own = serving.NewOwnStates(programs, l.partitions, 0, nil)
	return l
}

// Whoever owns the buckets, and whoever owned them before: an answer is one that was right at most 20 ms ago.
func TestOwnStatesAreNeverOlder(t *testing.T) {
	programs := ready(t).programs
	rapid.Check(t, func(t *rapid.T) {
		l := newLedger(programs)
		states := serving.NewOwnRecentStates(l, l.own, ownAge, l.now)
		key := rapid.Custom(func(t *rapid.T) serving.EntityKey {
			return serving.EntityKey{Entity: rapid.IntRange(0, len(programs)-1).Draw(t, "entity"), Key: fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "key"))}
		})
		t.Repeat(map[string]func(*rapid.T){
			"wait": func(t *rapid.T) {
				l.at = l.at.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "ms")) * time.Millisecond)
			},
			"claim": func(t *rapid.T) {
				l.claim(rapid.IntRange(0, 1).Draw(t, "owner"), int32(rapid.IntRange(0, l.partitions-1).Draw(t, "partition")))
			},
			"commit": func(t *rapid.T) {
				l.commit([]serving.EntityKey{key.Draw(t, "key")}, time.Duration(rapid.IntRange(0, 5).Draw(t, "ms"))*time.Millisecond)
			},
			"read": func(t *rapid.T) {
				k, out := key.Draw(t, "key"), make([]serving.EntityState, 1)
				if l.during = nil; rapid.Bool().Draw(t, "a commit meanwhile") {
					l.during = func() { l.commit([]serving.EntityKey{k}, 0) }
				}
				if err := states.Read(t.Context(), []serving.EntityKey{k}, out); err != nil {
					t.Fatal(err)
				}
				if !out[0].Found {
					return
				}
				v := int64(binary.BigEndian.Uint64(out[0].State.Head))
				if end, ok := l.ended[v]; v == 0 || ok && l.at.Sub(end) > ownAge {
					t.Fatalf("entity %v: value %d, which was replaced %v ago; now it is %d", k, v, l.at.Sub(end), l.values[k])
				}
			},
		})
	})
}

// What is asked for often is read once, however often it changes.
func TestOwnStatesFollowCommits(t *testing.T) {
	l := newLedger(ready(t).programs)
	states := serving.NewOwnRecentStates(l, l.own, ownAge, l.now)
	keys, out := []serving.EntityKey{{Entity: 0, Key: "JFK"}}, make([]serving.EntityState, 1)
	l.claim(0, l.partition(l.bucket(keys[0])))
	for range 1000 {
		l.commit(keys, time.Millisecond)
		if err := states.Read(t.Context(), keys, out); err != nil {
			t.Fatal(err)
		}
		if v := int64(binary.BigEndian.Uint64(out[0].State.Head)); v != l.commits {
			t.Fatalf("value %d after %d commits", v, l.commits)
		}
		l.at = l.at.Add(9 * time.Millisecond)
	}
	if l.reads != 1 {
		t.Errorf("%d reads of one state", l.reads)
	}
	if n := testing.AllocsPerRun(100, func() { _ = states.Read(t.Context(), keys, out) }); n > 0 {
		t.Errorf("%v allocations to answer from what was committed", n)
	}
}

// Memory is bounded, and what nobody asks for is not copied for ever.
func TestOwnStatesAreBounded(t *testing.T) {
	l := newLedger(ready(t).programs)
	states := serving.NewOwnRecentStates(l, l.own, ownAge, l.now)
	out := make([]serving.EntityState, 1)
	for p := range int32(l.partitions) {
		l.claim(0, p)
	}
	read := func(k serving.EntityKey) {
		if err := states.Read(t.Context(), []serving.EntityKey{k}, out); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 2 * serving.RecentKeys {
		k := serving.EntityKey{Key: fmt.Sprint(n)}
		l.commit([]serving.EntityKey{k}, 0)
		read(k)
		if n%1000 == 0 && l.own.Kept() > serving.RecentKeys {
			t.Fatalf("%d states are kept", l.own.Kept())
		}
	}
	k := serving.EntityKey{Entity: 1, Key: "JFK"}
	l.commit([]serving.EntityKey{k}, 0)
	read(k)
	before := l.own.Kept()
	l.at = l.at.Add(time.Minute)
	l.commit([]serving.EntityKey{k}, 0)
	if l.own.Kept() != before-1 {
		t.Error("a state is kept up to date for nobody")
	}
}
