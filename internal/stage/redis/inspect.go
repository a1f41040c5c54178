package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// Node is what a server tells of itself. A server that does not tell a thing leaves it empty.
type Node struct {
	Addr           string // of a cluster's node; "" of a single server
	Engine         string // redis, valkey
	Version        string // of the engine
	Role           string // master or slave
	Policy         string // maxmemory-policy
	MaxMemory      int64  // bytes; 0: no limit
	UsedMemory     int64  // bytes
	AOF            string // 1 with an append-only file, 0 without
	AOFStatus      string // of the last write to it: ok, err
	ClusterEnabled string // 1, 0
	ClusterState   string // ok or fail, of a node of a cluster
}

// Inspect asks all servers, of a cluster its masters, for what they tell of themselves.
func (s *Store) Inspect(ctx context.Context) ([]Node, error) {
	cluster, ok := s.cl.(*goredis.ClusterClient)
	if !ok {
		n, err := inspect(ctx, s.cl)
		return []Node{n}, err
	}
	var mu sync.Mutex
	var list []Node
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, cl *goredis.Client) error {
		n, err := inspect(ctx, cl)
		n.Addr = cl.Options().Addr
		mu.Lock()
		defer mu.Unlock()
		list = append(list, n)
		return err
	})
	if err != nil {
		return list, fmt.Errorf("redis: inspect: %w", err)
	}
	return list, nil
}

func inspect(ctx context.Context, cl goredis.UniversalClient) (Node, error) {
	text, err := cl.Info(ctx).Result()
	if err != nil {
		return Node{}, fmt.Errorf("redis: info: %w", err)
	}
	n := parseInfo(text)
	if n.ClusterEnabled == "1" {
		info, err := cl.ClusterInfo(ctx).Result()
		if err != nil {
			return n, fmt.Errorf("redis: cluster info: %w", err)
		}
		n.ClusterState = fieldsOf(info)["cluster_state"]
	}
	return n, nil
}

// parseInfo reads the answer to INFO.
func parseInfo(text string) Node {
	f := fieldsOf(text)
	n := Node{Engine: "redis", Version: f["redis_version"], Role: f["role"], Policy: f["maxmemory_policy"], AOF: f["aof_enabled"],
		AOFStatus: f["aof_last_write_status"], ClusterEnabled: f["cluster_enabled"]}
	if v := f["valkey_version"]; v != "" {
		n.Engine, n.Version = "valkey", v
	}
	n.MaxMemory, _ = strconv.ParseInt(f["maxmemory"], 10, 64)
	n.UsedMemory, _ = strconv.ParseInt(f["used_memory"], 10, 64)
	return n
}

// fieldsOf reads lines of the form name:value.
func fieldsOf(text string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			all[name] = value
		}
	}
	return all
}
