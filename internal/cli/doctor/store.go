package doctor

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// nodes judges what the servers of the store tell of themselves. Managed services and the embedded store tell less, and nothing is
// said of what they keep to themselves.
func (d *doctor) nodes(ctx context.Context, store *redis.Store) {
	list, err := store.Inspect(ctx)
	if err != nil {
		d.warn("store", err.Error(), "allow the command INFO, in a cluster also CLUSTER INFO, for these checks")
		return
	}
	for i := range list {
		n := &list[i]
		name := "store"
		if n.Addr != "" {
			name += " " + n.Addr
		}
		d.node(name, n)
	}
}

func (d *doctor) node(name string, n *redis.Node) {
	d.version(name, n)
	cluster := d.Program.Project.Redis.Cluster
	switch {
	case n.ClusterEnabled == "1" && !cluster:
		d.fail(name, "is a node of a cluster", "set redis.cluster to true")
	case n.ClusterEnabled == "0" && cluster:
		d.fail(name, "is no node of a cluster", "set redis.cluster to false")
	case cluster && n.ClusterState != "ok":
		d.fail(name, "the cluster's state is "+n.ClusterState, "see CLUSTER INFO: a slot without a server stops the states in it")
	case cluster:
		d.ok(name, "the cluster serves all slots")
	}
	if n.Role == "slave" {
		d.fail(name, "is a replica: it takes no writes", "set redis.addr to the primary")
	}
	d.memory(name, n)
	d.file(name, n)
}

// oldest is the oldest major version that the tests run on.
const oldest = 7

func (d *doctor) version(name string, n *redis.Node) {
	if n.Version == "" {
		return
	}
	found := n.Engine + " " + n.Version
	major, _, _ := strings.Cut(n.Version, ".")
	if v, err := strconv.Atoi(major); err == nil && v < oldest {
		d.warn(name, found+": not tested", fmt.Sprintf("use Redis %d or newer, or Valkey 8 or newer", oldest))
		return
	}
	d.ok(name, found)
}

func (d *doctor) memory(name string, n *redis.Node) {
	switch {
	case n.Policy == "":
	case n.Policy != "noeviction" && n.MaxMemory > 0:
		d.fail(name, "maxmemory-policy is "+n.Policy+": states would vanish one by one", "set maxmemory-policy to noeviction")
	case n.Policy != "noeviction":
		d.warn(name, "maxmemory-policy is "+n.Policy+", without effect while maxmemory is 0", "set maxmemory-policy to noeviction")
	case n.MaxMemory > 0 && n.UsedMemory > n.MaxMemory/5*4:
		d.warn(name, fmt.Sprintf("%d of %d MB are used", n.UsedMemory>>20, n.MaxMemory>>20), "raise maxmemory, or lower keep: when it is full, features stop")
	case n.MaxMemory > 0:
		d.ok(name, fmt.Sprintf("maxmemory-policy is noeviction; %d of %d MB are used", n.UsedMemory>>20, n.MaxMemory>>20))
	default:
		d.ok(name, "maxmemory-policy is noeviction; there is no limit of memory")
	}
}

func (d *doctor) file(name string, n *redis.Node) {
	switch {
	case n.AOF == "":
	case n.AOF == "0":
		d.warn(name, "keeps no append-only file: after a restart all states are folded again from the events log", "set appendonly to yes, appendfsync to everysec")
	case n.AOFStatus == "err":
		d.fail(name, "cannot write its append-only file", "see its log; most often the disk is full")
	default:
		d.ok(name, "keeps an append-only file")
	}
}
