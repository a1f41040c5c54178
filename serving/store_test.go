package serving_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage/redis"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/serving/client"
)

// commitAll writes the states in memory to the store, as feature units do.
func (r *rig) commitAll(store *redis.Store) {
	r.t.Helper()
	type hash struct{ entity, bucket int }
	batches := map[hash]*redis.Batch{}
	for k, st := range r.states.states {
		h := hash{k.Entity, r.programs[k.Entity].Bucket([]byte(k.Key))}
		if batches[h] == nil {
			batches[h] = &redis.Batch{}
		}
		r.ok(batches[h].Put(k.Key, redis.State{Moving: st.Head, Sealed: st.Tiles}))
	}
	for h, b := range batches {
		c, err := store.Claim(r.t.Context(), redis.Hash{Project: "flights", Generation: 1, Entity: r.programs[h.entity].Name(), Bucket: h.bucket}, "fp")
		r.ok(err)
		r.ok(c.Commit(r.t.Context(), b, frame.Position{Offset: 1, Last: frame.ID{Writer: 9, Number: 1}}, r.states.head))
	}
}

// Answers and lookups from the store are those from the states themselves.
func TestStoreStates(t *testing.T) {
	r := ready(t)
	for _, origin := range []string{"LGA", "EWR", "BOS", "SFO", "LAX", "ORD"} {
		r.depart(-5*minute, origin, "T-"+origin, float64(len(origin)+int(origin[0])))
	}
	servers, err := embedded.Start(embedded.Options{NoBroker: true})
	r.ok(err)
	defer servers.Close()
	store, err := redis.Open(redis.Options{Addrs: []string{servers.Redis}})
	r.ok(err)
	defer store.Close()
	r.commitAll(store)

	ask, look := ask("late"), &freshetv1.GetFeaturesRequest{Features: []string{"origin.*", "plane.*"}}
	for _, origin := range []string{"SFO", "JFK", "XXX", "LGA", "EWR", "JFK", "BOS", "LAX", "ORD"} {
		row := flight(map[string]*freshetv1.Value{"origin": client.String(origin), "tail": client.String("T-" + origin)})
		ask.Rows = append(ask.Rows, row)
		look.Rows = append(look.Rows, keys(row.GetFields()["origin"], row.GetFields()["tail"]))
	}
	memory, err := serving.New(r.config, r.deps)
	r.ok(err)
	behind := false
	r.deps.Metrics = nil
	r.deps.States = serving.NewStoreStates(store, "flights", 1, r.programs, 0, func(int, int, *redis.View) bool { return behind })
	stored, err := serving.New(r.config, r.deps)
	r.ok(err)
	for range 2 { // the second time with used memory
		want, err := memory.Predict(t.Context(), ask)
		r.ok(err)
		got, err := stored.Predict(t.Context(), ask)
		r.ok(err)
		if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
			t.Error(d)
		}
		wantLook, err := memory.GetFeatures(t.Context(), look)
		r.ok(err)
		gotLook, err := stored.GetFeatures(t.Context(), look)
		r.ok(err)
		if d := cmp.Diff(wantLook, gotLook, protocmp.Transform()); d != "" {
			t.Error(d)
		}
	}
	behind = true
	if _, err := stored.Predict(t.Context(), ask); err == nil || !strings.Contains(err.Error(), "being rebuilt") {
		t.Errorf("behind: %v", err)
	}
	servers.Store.Close()
	if _, err := stored.Predict(t.Context(), ask); err == nil || !strings.Contains(err.Error(), "features cannot be read now") {
		t.Errorf("store away: %v", err)
	}
}

func TestStoreStatesRefusesDamage(t *testing.T) {
	r := ready(t)
	servers, err := embedded.Start(embedded.Options{NoBroker: true})
	r.ok(err)
	defer servers.Close()
	store, err := redis.Open(redis.Options{Addrs: []string{servers.Redis}})
	r.ok(err)
	defer store.Close()
	for k := range r.states.states {
		r.states.states[k] = &unit.State{Head: []byte{1, 2, 3}, Tiles: []byte{1}}
	}
	r.commitAll(store)
	r.deps.States = serving.NewStoreStates(store, "flights", 1, r.programs, 0, nil)
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	if _, err := s.Predict(t.Context(), ask("late", flight(nil))); err == nil {
		t.Error("damaged states answered")
	}
}
