package serving

import (
	"context"
	"sync"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// StoreStates reads entity states from the store that feature units commit to. It is safe for
// concurrent use.
type StoreStates struct {
	rounds   *rounds
	entities []*unit.Program
	hashes   [][]string // by entity and bucket
	bound    int64      // greatest out-of-orderness of the sources, µs
	behind   func(entity, bucket int, v *redis.View) bool
	pool     sync.Pool // of *[]int: the slots of one Read
}

// NewStoreStates returns the states of a project's generation. entities are in the order of the
// catalog; outOfOrder is the greatest of the sources, µs: watermark = head − outOfOrder. behind says
// whether a bucket as read is too far behind to be relied on; nil: never.
func NewStoreStates(store *redis.Store, project string, generation uint64, entities []*unit.Program, outOfOrder int64,
	behind func(entity, bucket int, v *redis.View) bool) *StoreStates {
	s := &StoreStates{entities: entities, bound: outOfOrder, behind: behind, hashes: make([][]string, len(entities))}
	for i, p := range entities {
		for b := range p.Buckets() {
			s.hashes[i] = append(s.hashes[i], redis.Hash{Project: project, Generation: generation, Entity: p.Name(), Bucket: b}.Key())
		}
	}
	s.rounds = newRounds(s, store.Read)
	s.pool.New = func() any { return new([]int) }
	return s
}

// Read implements States: one HMGET for each bucket asked, all in one pipeline per node, shared with the calls that
// come while the reads before it are under way.
func (s *StoreStates) Read(ctx context.Context, keys []EntityKey, out []EntityState) error {
	at := s.pool.Get().(*[]int)
	defer s.pool.Put(at)
	for len(*at) < len(keys) {
		*at = append(*at, 0)
	}
	slots := (*at)[:len(keys)]
	return s.rounds.join(keys, slots).take(ctx, slots, out)
}

// fill makes the state of one key from what its bucket held. Damaged bytes are an error.
func (s *StoreStates) fill(out *EntityState, p place, v *redis.View) error {
	blobs := v.States[p.within]
	*out = EntityState{State: unit.State{Head: blobs.Moving, Tiles: blobs.Sealed}, Found: len(blobs.Moving) > 0,
		Head: features.NoTime, Watermark: features.NoTime, at: v.At}
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
