package serving

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// StoreStates reads entity states from the store that feature units commit to. It is safe for
// concurrent use.
type StoreStates struct {
	store    *redis.Store
	entities []*unit.Program
	hashes   [][]string // by entity and bucket
	bound    int64      // greatest out-of-orderness of the sources, µs
	behind   func(entity, bucket int, v *redis.View) bool
	pool     sync.Pool
}

// NewStoreStates returns the states of a project's generation. entities are in the order of the
// catalog; outOfOrder is the greatest of the sources, µs: watermark = head − outOfOrder. behind says
// whether a bucket as read is too far behind to be relied on; nil: never.
func NewStoreStates(store *redis.Store, project string, generation uint64, entities []*unit.Program, outOfOrder int64,
	behind func(entity, bucket int, v *redis.View) bool) *StoreStates {
	s := &StoreStates{store: store, entities: entities, bound: outOfOrder, behind: behind, hashes: make([][]string, len(entities))}
	for i, p := range entities {
		for b := range p.Buckets() {
			s.hashes[i] = append(s.hashes[i], redis.Hash{Project: project, Generation: generation, Entity: p.Name(), Bucket: b}.Key())
		}
	}
	s.pool.New = func() any { return new(batchRead) }
	return s
}

// batchRead is the working memory of one Read.
type batchRead struct {
	order   []place
	lookups []redis.Lookup
	views   []redis.View
}

// place is where a key lies.
type place struct{ entity, bucket, at int }

// Read implements States: one HMGET for each bucket asked, all in one pipeline per node.
func (s *StoreStates) Read(ctx context.Context, keys []EntityKey, out []EntityState) error {
	b := s.pool.Get().(*batchRead)
	defer s.pool.Put(b)
	defer b.release()
	s.group(b, keys)
	var err error
	if b.views, err = s.store.Read(ctx, b.lookups, b.views[:0]); err != nil {
		return fmt.Errorf("read entity states: %w", err)
	}
	group, within := -1, 0
	for i, p := range b.order {
		if i == 0 || p.entity != b.order[i-1].entity || p.bucket != b.order[i-1].bucket {
			group, within = group+1, 0
		}
		if err := s.fill(&out[p.at], p, &b.views[group], within); err != nil {
			return err
		}
		within++
	}
	return nil
}

// release drops what a pooled read must not keep alive.
func (b *batchRead) release() {
	for i := range b.lookups {
		clear(b.lookups[i].Keys)
	}
	clear(b.views)
}

// group sorts the keys by bucket and makes one lookup of each.
func (s *StoreStates) group(b *batchRead, keys []EntityKey) {
	b.order = b.order[:0]
	for i, k := range keys {
		bucket := s.entities[k.Entity].Bucket(unsafe.Slice(unsafe.StringData(k.Key), len(k.Key)))
		b.order = append(b.order, place{entity: k.Entity, bucket: bucket, at: i})
	}
	slices.SortFunc(b.order, func(x, y place) int {
		if x.entity != y.entity {
			return x.entity - y.entity
		}
		if x.bucket != y.bucket {
			return x.bucket - y.bucket
		}
		return x.at - y.at
	})
	n := 0
	for i, p := range b.order {
		if i == 0 || p.entity != b.order[i-1].entity || p.bucket != b.order[i-1].bucket {
			if n++; n > cap(b.lookups) {
				b.lookups = append(b.lookups[:n-1], redis.Lookup{})
			}
			b.lookups = b.lookups[:n]
			b.lookups[n-1].Hash, b.lookups[n-1].Keys = s.hashes[p.entity][p.bucket], b.lookups[n-1].Keys[:0]
		}
		b.lookups[n-1].Keys = append(b.lookups[n-1].Keys, keys[p.at].Key)
	}
	b.lookups = b.lookups[:n]
}

// fill makes the state of one key from what its bucket held. Damaged bytes are an error.
func (s *StoreStates) fill(out *EntityState, p place, v *redis.View, within int) error {
	blobs := v.States[within]
	*out = EntityState{State: unit.State{Head: blobs.Moving, Tiles: blobs.Sealed}, Found: len(blobs.Moving) > 0,
		Head: features.NoTime, Watermark: features.NoTime}
	if v.Exists {
		out.Head, out.Watermark = v.Head, v.Head
		if v.Head != features.NoTime {
			out.Watermark -= s.bound
		}
	}
	out.Rebuilding = s.behind != nil && s.behind(p.entity, p.bucket, v)
	if !out.Found {
		return nil
	}
	return s.entities[p.entity].CheckState(&out.State)
}
