package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/internal/realtest"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// hashes are enough that all three nodes have some.
func hashes() []redis.Hash {
	var list []redis.Hash
	for b := range 24 {
		list = append(list, redis.Hash{Project: "p", Generation: 1, Entity: "user", Bucket: b})
	}
	return list
}

func commits(t *testing.T, claims []*redis.Claim, n int64) []redis.Commit {
	t.Helper()
	var list []redis.Commit
	for _, c := range claims {
		b := new(redis.Batch)
		if err := b.Put("k", redis.State{Moving: []byte(fmt.Sprint(n)), Sealed: []byte("s")}); err != nil {
			t.Fatal(err)
		}
		list = append(list, redis.Commit{Claim: c, Batch: b, At: at(n), Head: n})
	}
	return list
}

func claimAll(ctx context.Context, s *redis.Store) ([]*redis.Claim, error) {
	var list []*redis.Claim
	for _, h := range hashes() {
		c, err := s.Claim(ctx, h, "fp")
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// holds wants every hash to stand at n, as readers and owners see it.
func holds(t *testing.T, s *redis.Store, n int64) {
	t.Helper()
	var lookups []redis.Lookup
	for _, h := range hashes() {
		lookups = append(lookups, redis.Lookup{Hash: h.Key(), Keys: []string{"k"}})
	}
	views, err := s.Read(deadline(t), lookups, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range views {
		if v.At != at(n) || string(v.States[0].Moving) != fmt.Sprint(n) {
			t.Errorf("%s stands at %+v with %q, want %d", lookups[i].Hash, v.At, v.States[0].Moving, n)
		}
	}
}

// slotOf asks where a hash lies.
func slotOf(t *testing.T, c *realtest.RedisCluster, h redis.Hash) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimPrefix(c.Nodes[0].Do("CLUSTER", "KEYSLOT", h.Key()), ":"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// While a slot moves, its hash is on one node, asked for on another, then for good on the other: commits, loads and reads follow it.
func TestSlotMovesUnderItsOwner(t *testing.T) {
	c := realtest.StartRedisCluster(t)
	s := openWith(t, redis.Options{Addrs: c.Addrs(), Cluster: true})
	claims, err := claimAll(deadline(t), s)
	if err != nil {
		t.Fatal(err)
	}
	step := int64(0)
	commitAll := func(when string) {
		step++
		if err := s.Commit(deadline(t), commits(t, claims, step)...); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		holds(t, s, step)
		if got, err := claims[0].Load(deadline(t), []string{"k"}, nil); err != nil || string(got[0].Moving) != fmt.Sprint(step) {
			t.Fatalf("%s: load %q, %v", when, got, err)
		}
	}
	commitAll("before")
	slot := slotOf(t, c, hashes()[0])
	from := slot * 3 / 16384
	a, b := c.Nodes[from], c.Nodes[(from+1)%3]
	number := strconv.Itoa(slot)
	b.Do("CLUSTER", "SETSLOT", number, "IMPORTING", a.Do("CLUSTER", "MYID"))
	a.Do("CLUSTER", "SETSLOT", number, "MIGRATING", b.Do("CLUSTER", "MYID"))
	commitAll("while it migrates and the hash is still there")
	host, port, _ := net.SplitHostPort(b.Addr)
	a.Do("MIGRATE", host, port, hashes()[0].Key(), "0", "5000")
	commitAll("while it migrates and the hash has gone")
	for _, n := range c.Nodes {
		n.Do("CLUSTER", "SETSLOT", number, "NODE", b.Do("CLUSTER", "MYID"))
	}
	commitAll("when it has moved")
}

// A node that dies takes its hashes with it until it is back: commits to them end their claims, the others go on, and claiming again
// shows where each stands.
func TestNodeOfAClusterDies(t *testing.T) {
	c := realtest.StartRedisCluster(t, "--cluster-require-full-coverage", "no", "--appendfsync", "always")
	s := openWith(t, redis.Options{Addrs: c.Addrs(), Cluster: true})
	claims, err := claimAll(deadline(t), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(deadline(t), commits(t, claims, 1)...); err != nil {
		t.Fatal(err)
	}
	c.Nodes[1].Kill()
	if err := s.Commit(deadline(t), commits(t, claims, 2)...); !errors.Is(err, redis.ErrUnknown) {
		t.Fatalf("commit to a node that is gone: %v", err)
	}
	lost := 0
	for i, h := range hashes() {
		away := slotOf(t, c, h)*3/16384 == 1
		if away {
			lost++
		}
		if over := claims[i].Err() != nil; over != away {
			t.Errorf("%s lies on the node that is gone: %t, its claim is over: %t (%v)", h.Key(), away, over, claims[i].Err())
		}
	}
	if lost == 0 || lost == len(claims) {
		t.Fatalf("%d of %d hashes lie on one node", lost, len(claims))
	}
	c.Nodes[1].Start()
	for ctx := deadline(t); ; { // the others take it back soon
		if claims, err = claimAll(ctx, s); err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	for i, h := range hashes() {
		if want := int64(2); slotOf(t, c, h)*3/16384 == 1 {
			if claims[i].Position() != at(1) && claims[i].Position() != at(want) {
				t.Errorf("%s stands at %+v", h.Key(), claims[i].Position())
			}
		} else if claims[i].Position() != at(want) {
			t.Errorf("%s stands at %+v, want %d", h.Key(), claims[i].Position(), want)
		}
	}
	if err := s.Commit(deadline(t), commits(t, claims, 3)...); err != nil {
		t.Fatal(err)
	}
	holds(t, s, 3)
}

func TestInspect(t *testing.T) {
	c := realtest.StartRedisCluster(t)
	nodes, err := openWith(t, redis.Options{Addrs: c.Addrs(), Cluster: true}).Inspect(deadline(t))
	if err != nil || len(nodes) != 3 {
		t.Fatalf("%d nodes, %v", len(nodes), err)
	}
	for _, n := range nodes {
		if n.Engine != "redis" || n.Version == "" || n.Role != "master" || n.Policy != "noeviction" || n.AOF != "1" || n.AOFStatus != "ok" || n.ClusterEnabled != "1" || n.ClusterState != "ok" {
			t.Errorf("node %+v", n)
		}
	}
	v := realtest.StartValkey(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", "--appendonly", "no")
	nodes, err = open(t, v.Addr).Inspect(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	if n := nodes[0]; n.Engine != "valkey" || !strings.HasPrefix(n.Version, "8.") || n.Policy != "allkeys-lru" || n.MaxMemory != 100<<20 || n.UsedMemory == 0 || n.AOF != "0" || n.ClusterEnabled != "0" {
		t.Errorf("valkey %+v", n)
	}
}
