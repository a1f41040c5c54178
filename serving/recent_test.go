package serving_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/freshet-ml/freshet/serving"
)

// countedStates answers with the time of the read as head, and counts what it is asked for.
type countedStates struct {
	mu    sync.Mutex
	began time.Time
	keys  int
	err   error
}

func (s *countedStates) Read(_ context.Context, keys []serving.EntityKey, out []serving.EntityState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys += len(keys)
	for i := range keys {
		out[i] = serving.EntityState{Found: true, Head: time.Since(s.began).Microseconds()}
	}
	return s.err
}

func TestRecentStatesAreReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &countedStates{began: time.Now()}
		states := serving.NewRecentStates(store, 5*time.Millisecond)
		key := []byte("JFK")
		out := make([]serving.EntityState, 2)
		for ms := range 100 {
			// The bytes of a key are borrowed: the next call writes others there.
			if err := states.Read(t.Context(), []serving.EntityKey{{Entity: 1, Key: "JFK"}, {Entity: 2, Key: string(key)}}, out); err != nil {
				t.Fatal(err)
			}
			for _, st := range out {
				if age := time.Duration(int64(ms)*1000-st.Head) * time.Microsecond; age > 5*time.Millisecond || age < 0 {
					t.Fatalf("a state of %v ago", age)
				}
			}
			<-time.After(time.Millisecond)
		}
		if store.keys > 2*18 || store.keys < 2*16 {
			t.Errorf("%d keys were read in 100 ms, by two that may be 5 ms old", store.keys)
		}
	})
}

func TestRecentStatesKeepNoErrorAndNoOtherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &countedStates{began: time.Now(), err: errors.New("away")}
		states := serving.NewRecentStates(store, time.Second)
		out := make([]serving.EntityState, 3)
		keys := []serving.EntityKey{{Entity: 0, Key: "a"}, {Entity: 1, Key: "a"}}
		if err := states.Read(t.Context(), keys, out[:2]); err == nil {
			t.Fatal("the error is lost")
		}
		store.err = nil
		if err := states.Read(t.Context(), keys, out[:2]); err != nil || store.keys != 4 {
			t.Fatalf("%d keys read, %v", store.keys, err)
		}
		<-time.After(time.Millisecond)
		if err := states.Read(t.Context(), append(keys, serving.EntityKey{Entity: 1, Key: "b"}), out); err != nil || store.keys != 5 {
			t.Fatalf("%d keys read, %v", store.keys, err)
		}
		if out[0].Head != 0 || out[1].Head != 0 || out[2].Head != 1000 {
			t.Errorf("heads %d, %d, %d", out[0].Head, out[1].Head, out[2].Head)
		}
	})
}

// Memory is bounded whatever is asked for, and what was just read stays.
func TestRecentStatesAreBounded(t *testing.T) {
	store := &countedStates{began: time.Now()}
	states := serving.NewRecentStates(store, time.Hour)
	out := make([]serving.EntityState, 1)
	for n := range 3 * serving.RecentKeys {
		if err := states.Read(t.Context(), []serving.EntityKey{{Key: fmt.Sprint(n)}}, out); err != nil {
			t.Fatal(err)
		}
		if kept := states.Kept(); kept > serving.RecentKeys {
			t.Fatalf("%d states are kept", kept)
		}
	}
	before := store.keys
	if err := states.Read(t.Context(), []serving.EntityKey{{Key: fmt.Sprint(3*serving.RecentKeys - 1)}}, out); err != nil || store.keys != before {
		t.Errorf("the newest was read again: %v", err)
	}
}

func TestRecentStatesAllocateNothing(t *testing.T) {
	states := serving.NewRecentStates(&countedStates{began: time.Now()}, time.Hour)
	keys := []serving.EntityKey{{Entity: 1, Key: "JFK"}, {Entity: 2, Key: "N1"}}
	out := make([]serving.EntityState, 2)
	read := func() {
		if err := states.Read(t.Context(), keys, out); err != nil {
			t.Fatal(err)
		}
	}
	read()
	if n := testing.AllocsPerRun(100, read); n > 0 {
		t.Errorf("%v allocations to answer from what was read", n)
	}
}
