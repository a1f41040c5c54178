package serving_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-ml/freshet/internal/stage/redis"
	"github.com/freshet-ml/freshet/serving"
)

// slowStore answers every read after 10 ms with a head that tells when the read began.
type slowStore struct {
	mu    sync.Mutex
	reads int
	keys  int
	err   error
	began time.Time
}

func (s *slowStore) read(ctx context.Context, lookups []redis.Lookup, dst []redis.View) ([]redis.View, error) {
	head := time.Since(s.began).Microseconds()
	s.mu.Lock()
	s.reads++
	for _, l := range lookups {
		s.keys += len(l.Keys)
		dst = append(dst, redis.View{Exists: true, Head: head, States: make([]redis.State, len(l.Keys))})
	}
	err := s.err
	s.mu.Unlock()
	select {
	case <-time.After(10 * time.Millisecond):
		return dst, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func statesOf(t *testing.T, s *slowStore) *serving.StoreStates {
	s.began = time.Now()
	return serving.NewStoreStates(nil, "flights", 1, ready(t).programs, 0, nil).Reading(s.read)
}

// A thousand calls in 100 ms share about twenty reads, and none sees a read that began before it came.
func TestCallsShareReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{}
		states := statesOf(t, store)
		var wg sync.WaitGroup
		for n := range 1000 {
			<-time.After(100 * time.Microsecond)
			came := time.Since(store.began).Microseconds()
			wg.Go(func() {
				out := make([]serving.EntityState, 2)
				err := states.Read(t.Context(), []serving.EntityKey{{Entity: 1, Key: fmt.Sprint("tail", n%50)}, {Entity: 0, Key: "JFK"}}, out)
				if err != nil {
					t.Error(err)
				}
				if out[0].Head < came || out[1].Head < came {
					t.Errorf("call of %d µs was answered by a read of %d µs", came, out[0].Head)
				}
			})
		}
		wg.Wait()
		if store.reads < 5 || store.reads > 30 || store.keys > 51*store.reads {
			t.Errorf("%d reads of %d keys", store.reads, store.keys)
		}
	})
}

// A caller that leaves does not take the others' answers with it, and an error reaches all who wait for it.
func TestCallersLeaveAndReadsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{}
		states := statesOf(t, store)
		leaving, leave := context.WithCancel(t.Context())
		read := func(ctx context.Context) (err error) {
			out := make([]serving.EntityState, 1)
			return states.Read(ctx, []serving.EntityKey{{Entity: 0, Key: "JFK"}}, out)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := read(leaving); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v of a caller that left", err)
			}
		})
		wg.Go(func() {
			if err := read(t.Context()); err != nil {
				t.Errorf("error %v of one that stayed", err)
			}
		})
		synctest.Wait()
		leave()
		wg.Wait()

		store.err = errors.New("away")
		for range 3 {
			wg.Go(func() {
				if err := read(t.Context()); !errors.Is(err, store.err) {
					t.Errorf("error %v", err)
				}
			})
		}
		wg.Wait()
	})
}
