package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/realtest"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var hash = redis.Hash{Project: "p", Generation: 0xab, Entity: "origin", Bucket: 3}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func open(t testing.TB, addr string) *redis.Store {
	t.Helper()
	return openWith(t, redis.Options{Addrs: []string{addr}})
}

func openWith(t testing.TB, o redis.Options) *redis.Store {
	t.Helper()
	s, err := redis.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// each runs a test against the embedded store and against real servers.
func each(t *testing.T, test func(t *testing.T, s *redis.Store)) {
	t.Run("embedded", func(t *testing.T) {
		s, err := embedded.Start(embedded.Options{NoBroker: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		test(t, open(t, s.Redis))
	})
	t.Run("volatile", func(t *testing.T) {
		s, err := embedded.Start(embedded.Options{NoBroker: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		test(t, openWith(t, redis.Options{Addrs: []string{s.Redis}, Volatile: true}))
	})
	t.Run("redis-server", func(t *testing.T) { test(t, open(t, startServer(t, t.TempDir(), "--save", "").addr)) })
	t.Run("valkey", func(t *testing.T) { test(t, open(t, realtest.StartValkey(t).Addr)) })
	t.Run("cluster", func(t *testing.T) {
		test(t, openWith(t, redis.Options{Addrs: realtest.StartRedisCluster(t).Addrs()[:1], Cluster: true})) // one seed tells of the others
	})
}

func claim(t testing.TB, s *redis.Store) *redis.Claim {
	t.Helper()
	c, err := s.Claim(deadline(t), hash, "fp")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func at(n int64) frame.Position {
	return frame.Position{Offset: n, Last: frame.ID{Writer: 9, Number: 1}}
}

func commit(t testing.TB, c *redis.Claim, n int64, entities map[string]redis.State) error {
	t.Helper()
	var b redis.Batch
	for k, v := range entities {
		if err := b.Put(k, v); err != nil {
			t.Fatal(err)
		}
	}
	return c.Commit(deadline(t), &b, at(n), n*10)
}

func TestClaimLoadCommitRead(t *testing.T) {
	each(t, func(t *testing.T, s *redis.Store) {
		ctx := deadline(t)
		c := claim(t, s)
		if !c.Fresh() || c.Position() != (frame.Position{}) {
			t.Errorf("new hash stands at %+v", c.Position())
		}
		strange := []string{"JFK", "!off", "", "a|b", "h:x", "\x00\xff", strings.Repeat("k", 1024)}
		want := map[string]redis.State{}
		for i, k := range strange {
			want[k] = redis.State{Moving: []byte(fmt.Sprint("moving ", i)), Sealed: []byte{0, 0xff, byte(i)}}
		}
		if err := commit(t, c, 5, want); err != nil {
			t.Fatal(err)
		}
		// The sealed part stays when only the moving head is written.
		if err := commit(t, c, 6, map[string]redis.State{"JFK": {Moving: []byte("m2")}}); err != nil {
			t.Fatal(err)
		}
		want["JFK"] = redis.State{Moving: []byte("m2"), Sealed: want["JFK"].Sealed}
		c = claim(t, s)
		if c.Fresh() || c.Position() != at(6) || c.Head() != 60 {
			t.Errorf("claimed hash stands at %+v, head %d", c.Position(), c.Head())
		}
		keys := append([]string{"absent"}, strange...)
		list := []redis.State{{}}
		for _, k := range strange {
			list = append(list, want[k])
		}
		got, err := c.Load(ctx, keys, nil)
		if d := cmp.Diff(list, got); err != nil || d != "" {
			t.Errorf("loaded: %v (-want +got):\n%s", err, d)
		}
		other := redis.Hash{Project: "p", Entity: "nobody"}.Key()
		views, err := s.Read(ctx, []redis.Lookup{{hash.Key(), keys}, {other, []string{"x"}}}, nil)
		wantViews := []redis.View{{Exists: true, At: at(6), Head: 60, States: list}, {States: []redis.State{{}}}}
		if d := cmp.Diff(wantViews, views); err != nil || d != "" {
			t.Errorf("read: %v (-want +got):\n%s", err, d)
		}
	})
}

func TestFence(t *testing.T) {
	each(t, func(t *testing.T, s *redis.Store) {
		old := claim(t, s)
		if err := commit(t, old, 1, map[string]redis.State{"k": {Moving: []byte("old")}}); err != nil {
			t.Fatal(err)
		}
		zombies := []*redis.Claim{claim(t, s), claim(t, s), claim(t, s)}
		owner := claim(t, s)
		_, err := zombies[0].Load(deadline(t), []string{"k"}, nil)
		for what, err := range map[string]error{
			"load":    err,
			"commit":  commit(t, zombies[1], 2, map[string]redis.State{"k": {Moving: []byte("zombie")}}),
			"collect": zombies[2].Collect(deadline(t), []string{"k"}),
			"oldest":  commit(t, old, 2, nil),
		} {
			if !errors.Is(err, redis.ErrFenced) {
				t.Errorf("%s by a zombie: %v, want it fenced", what, err)
			}
		}
		if err := commit(t, old, 2, nil); !errors.Is(err, redis.ErrFenced) || old.Err() == nil {
			t.Errorf("second commit by a zombie: %v", err)
		}
		got, err := owner.Load(deadline(t), []string{"k"}, nil)
		if err != nil || string(got[0].Moving) != "old" || owner.Position() != at(1) {
			t.Errorf("owner sees %q at %+v: %v", got, owner.Position(), err)
		}
		if _, err := s.Claim(deadline(t), hash, "other"); !errors.Is(err, redis.ErrFingerprint) {
			t.Errorf("claim for another project: %v", err)
		}
		if err := commit(t, owner, 2, nil); err != nil {
			t.Errorf("the refused claim has fenced the owner: %v", err)
		}
	})
}

func TestManyEntities(t *testing.T) {
	each(t, func(t *testing.T, s *redis.Store) {
		c := claim(t, s)
		var b redis.Batch
		var keys []string
		value := []byte("value")
		for b.Fits(2, 2*len("h:key 1000value")) {
			keys = append(keys, fmt.Sprint("key ", len(keys)))
			if err := b.Put(keys[len(keys)-1], redis.State{Moving: value, Sealed: value}); err != nil {
				t.Fatal(err)
			}
		}
		if b.Fields() != redis.MaxFields-2 {
			t.Errorf("a full batch has %d fields", b.Fields())
		}
		if err := b.Put("more", redis.State{Moving: value, Sealed: value}); !errors.Is(err, redis.ErrFull) {
			t.Errorf("entity beyond the limit: %v", err)
		}
		if err := c.Commit(deadline(t), &b, at(1), 1); err != nil {
			t.Fatal(err)
		}
		twice := append(keys, keys...) // three loads
		twice = append(twice, keys...)
		got, err := c.Load(deadline(t), twice, nil)
		if err != nil || len(got) != len(twice) {
			t.Fatalf("loaded %d of %d: %v", len(got), len(twice), err)
		}
		for i, st := range got {
			if string(st.Moving) != "value" || string(st.Sealed) != "value" {
				t.Fatalf("entity %d is %q", i, st)
			}
		}
		if err := c.Collect(deadline(t), keys); err != nil {
			t.Fatal(err)
		}
		got, err = c.Load(deadline(t), keys[:1], nil)
		if err != nil || got[0].Moving != nil || got[0].Sealed != nil {
			t.Errorf("collected entity is %q: %v", got, err)
		}
		b.Reset()
		big := redis.State{Moving: make([]byte, redis.MaxBytes+1)}
		if err := b.Put("big", big); err != nil {
			t.Errorf("one big entity alone: %v", err)
		}
		if err := c.Commit(deadline(t), &b, at(2), 1); err != nil {
			t.Error(err)
		}
		if err := s.Drop(deadline(t), hash.Key()); err != nil {
			t.Fatal(err)
		}
		if c := claim(t, s); !c.Fresh() {
			t.Error("a dropped hash is still there")
		}
	})
}

func TestCommitsOfSeveralHashesShareATrip(t *testing.T) {
	each(t, func(t *testing.T, s *redis.Store) {
		var commits []redis.Commit
		for i := range 150 {
			h := hash
			h.Bucket = i
			c, err := s.Claim(deadline(t), h, "fp")
			if err != nil {
				t.Fatal(err)
			}
			b := new(redis.Batch)
			if err := b.Put("k", redis.State{Moving: []byte{byte(i)}}); err != nil {
				t.Fatal(err)
			}
			commits = append(commits, redis.Commit{Claim: c, Batch: b, At: at(int64(i)), Head: 1})
		}
		stolen := hash
		stolen.Bucket = 5
		if _, err := s.Claim(deadline(t), stolen, "fp"); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(deadline(t), commits...); !errors.Is(err, redis.ErrFenced) {
			t.Errorf("commits with one fenced: %v", err)
		}
		for i, k := range commits {
			if fenced := errors.Is(k.Claim.Err(), redis.ErrFenced); fenced != (i == 5) || !fenced && k.Claim.Position() != at(int64(i)) {
				t.Errorf("hash %d: %v at %+v", i, k.Claim.Err(), k.Claim.Position())
			}
		}
	})
}

func TestLoadsOfSeveralHashesShareATrip(t *testing.T) {
	each(t, func(t *testing.T, s *redis.Store) {
		var loads []*redis.Load
		for i := range 100 {
			h := hash
			h.Bucket = i
			c, err := s.Claim(deadline(t), h, "fp")
			if err != nil {
				t.Fatal(err)
			}
			if err := commit(t, c, 1, map[string]redis.State{"k": {Moving: []byte{byte(i)}}}); err != nil {
				t.Fatal(err)
			}
			keys := []string{"absent", "k"}
			for len(keys) < i*13 { // some need several commands
				keys = append(keys, fmt.Sprint(len(keys)))
			}
			loads = append(loads, &redis.Load{Claim: c, Keys: keys})
		}
		stolen := hash
		stolen.Bucket = 5
		if _, err := s.Claim(deadline(t), stolen, "fp"); err != nil {
			t.Fatal(err)
		}
		if err := s.Load(deadline(t), loads...); !errors.Is(err, redis.ErrFenced) {
			t.Errorf("loads with one fenced: %v", err)
		}
		for i, l := range loads {
			if fenced := l.Claim.Err() != nil; fenced != (i == 5) {
				t.Errorf("hash %d: %v", i, l.Claim.Err())
			}
			if i != 5 && (len(l.States) != len(l.Keys) || l.States[0].Moving != nil || string(l.States[1].Moving) != string([]byte{byte(i)})) {
				t.Errorf("hash %d: %d of %d states", i, len(l.States), len(l.Keys))
			}
		}
	})
}

func TestUnknownOutcome(t *testing.T) {
	srv, err := embedded.Start(embedded.Options{NoBroker: true})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	s := open(t, srv.Redis)
	c := claim(t, s)
	if err := commit(t, c, 1, nil); err != nil {
		t.Fatal(err)
	}
	srv.Store.SetError("LOADING the server reads its file")
	if err := commit(t, c, 2, nil); !errors.Is(err, redis.ErrUnknown) {
		t.Errorf("commit to a server that fails: %v", err)
	}
	srv.Store.SetError("")
	if err := commit(t, c, 2, nil); !errors.Is(err, redis.ErrUnknown) {
		t.Errorf("commit after an unknown outcome: %v, want the claim to be over", err)
	}
	if c := claim(t, s); c.Position() != at(1) {
		t.Errorf("claimed again at %+v", c.Position())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := claim(t, s).Commit(ctx, nil, at(3), 0); !errors.Is(err, redis.ErrUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled commit: %v", err)
	}
}

// A server that comes back without its newest commits is at another position: nothing is built on
// state that is gone, and nothing is written onto it.
func TestRolledBackStoreIsStale(t *testing.T) {
	srv, err := embedded.Start(embedded.Options{NoBroker: true})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	s := open(t, srv.Redis)
	c := claim(t, s)
	if err := commit(t, c, 1, map[string]redis.State{"k": {Moving: []byte("one")}}); err != nil {
		t.Fatal(err)
	}
	saved := map[string]string{}
	fields, _ := srv.Store.HKeys(hash.Key())
	for _, f := range fields {
		saved[f] = srv.Store.HGet(hash.Key(), f)
	}
	if err := commit(t, c, 2, map[string]redis.State{"k": {Moving: []byte("two")}, "l": {Moving: []byte("two")}}); err != nil {
		t.Fatal(err)
	}
	srv.Store.FlushAll()
	for f, v := range saved {
		srv.Store.HSet(hash.Key(), f, v)
	}
	if _, err := c.Load(deadline(t), []string{"k"}, nil); !errors.Is(err, redis.ErrStale) {
		t.Errorf("load from a store that was rolled back: %v", err)
	}
	again := claim(t, s)
	got, err := again.Load(deadline(t), []string{"k", "l"}, nil)
	want := []redis.State{{Moving: []byte("one")}, {}}
	if d := cmp.Diff(want, got); err != nil || d != "" || again.Position() != at(1) {
		t.Errorf("claimed again at %+v: %v (-want +got):\n%s", again.Position(), err, d)
	}
}

// The fields are what lies in stores of users: they change only together with the fingerprint.
func TestGoldenFields(t *testing.T) {
	srv, err := embedded.Start(embedded.Options{NoBroker: true})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	c := claim(t, open(t, srv.Redis))
	var b redis.Batch
	if err := b.Put("JFK", redis.State{Moving: []byte("m"), Sealed: []byte("s")}); err != nil {
		t.Fatal(err)
	}
	inside := frame.Position{Offset: 299, Index: 2, Last: frame.ID{Writer: 0x0102, Number: 5}}
	if err := c.Commit(deadline(t), &b, inside, 1700000000000000); err != nil {
		t.Fatal(err)
	}
	const key = "fx:{p.ab.origin.3}"
	got := map[string]string{}
	fields, err := srv.Store.HKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		got[f] = srv.Store.HGet(key, f)
	}
	if len(got["!ep"]) != 26 {
		t.Errorf("owner %q", got["!ep"])
	}
	delete(got, "!ep")
	want := map[string]string{
		"!fp": "fp", "!head": "1700000000000000", "h:JFK": "m", "t:JFK": "s",
		"!off": "\x03\xac\x02\x02\x02\x01\x00\x00\x00\x00\x00\x00\x05",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("fields (-want +got):\n%s", d)
	}
}
