package doctor_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/cli/doctor"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/realtest"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models/catalog"
)

const shop = `
version: 1
project: shop
sources:
  orders: {time: at, fields: {id: string, user: string, amount: double}}
features:
  user: {key: user, orders: {count: orders, over: 1h}}
models:
  big: {task: regression, on: orders, id: id, use: [user.*], label: {from: orders, value: amount, wait: 1h}}
serving: {grpc: 127.0.0.1:0, http: 127.0.0.1:0}
`

func compiled(t *testing.T, kafka, redis string) *program.Program {
	t.Helper()
	text := shop + "checkpoints: {url: 'file://" + t.TempDir() + "'}\nkafka: " + kafka + "\nredis: " + redis + "\n"
	p, err := project.Parse("freshet.yaml", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

// says runs the checks and wants lines, written as level, name: found; it returns the worst level.
func says(t *testing.T, prog *program.Program, want ...string) doctor.Level {
	t.Helper()
	var all strings.Builder
	worst := doctor.OK
	for _, c := range doctor.Run(t.Context(), doctor.Options{Program: prog, Timeout: 20 * time.Second}) {
		fmt.Fprintf(&all, "%s %s: %s\n", c.Level, c.Name, c.Found)
		worst = max(worst, c.Level)
		if (c.Level == doctor.OK) != (c.Mend == "") {
			t.Errorf("%s %s: %s: mend %q", c.Level, c.Name, c.Found, c.Mend)
		}
	}
	for _, line := range want {
		if !strings.Contains(all.String(), line) {
			t.Errorf("no line %q in\n%s", line, all.String())
		}
	}
	return worst
}

func brokers(list []string, more string) string {
	return "{brokers: [" + strings.Join(list, ", ") + "]" + more + "}"
}

func TestOneBrokerAndItsStores(t *testing.T) {
	k := realtest.StartKafka(t)
	kafka := brokers(k.Addrs(), "")
	r := realtest.StartRedis(t)
	store := func(s *realtest.RedisServer) string {
		return fmt.Sprintf("{addr: '%s', user: '%s', password: '%s'}", s.Addr, s.User, s.Password)
	}
	prog := compiled(t, kafka, store(r))
	own := len(app.Needed(prog)) - 1
	if worst := says(t, prog, fmt.Sprintf("ok own topics: 0 there, %d will be made", own), "warn topic orders: not there", "ok store: redis 7.",
		"ok store: maxmemory-policy is noeviction; there is no limit of memory", "ok store: keeps an append-only file", "ok clock: agrees with the store's"); worst != doctor.Warn {
		t.Errorf("the worst is %s", worst)
	}
	if err := stage.EnsureTopics(t.Context(), stage.Transport{Brokers: k.Addrs()}, app.Needed(prog)...); err != nil {
		t.Fatal(err)
	}
	if worst := says(t, prog, fmt.Sprintf("ok own topics: %d there, 0 will be made", own), "ok topic orders: there, partitions: 1"); worst != doctor.OK {
		t.Errorf("the worst is %s", worst)
	}
	t.Run("three replicas of one broker", func(t *testing.T) {
		prog := compiled(t, brokers(k.Addrs(), ", replication: 3"), store(r))
		if worst := says(t, prog, "fail topic shop.events: unfit topic: it has 1 replicas, kafka.replication asks for 3"); worst != doctor.Fail {
			t.Errorf("the worst is %s", worst)
		}
		prog.Project.Name = "other"
		says(t, prog, "fail topic other.events: cannot be made: INVALID_REPLICATION_FACTOR")
	})
	t.Run("store that evicts", func(t *testing.T) {
		bad := realtest.StartValkey(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
		if worst := says(t, compiled(t, kafka, store(bad)), "maxmemory-policy is allkeys-lru"); worst != doctor.Fail {
			t.Errorf("the worst is %s", worst)
		}
	})
	t.Run("store without a file, that would evict if it had a limit", func(t *testing.T) {
		v := realtest.StartValkey(t, "--appendonly", "no", "--maxmemory-policy", "allkeys-lru")
		worst := says(t, compiled(t, kafka, store(v)), "ok store: valkey 8.", "warn store: keeps no append-only file", "warn store: maxmemory-policy is allkeys-lru, without effect while maxmemory is 0")
		if worst != doctor.Warn {
			t.Errorf("the worst is %s", worst)
		}
	})
	t.Run("wrong password", func(t *testing.T) {
		if worst := says(t, compiled(t, kafka, fmt.Sprintf("{addr: '%s', user: app, password: wrong}", r.Addr)), "WRONGPASS"); worst != doctor.Fail {
			t.Errorf("the worst is %s", worst)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if worst := says(t, compiled(t, kafka, "{addr: '"+l.Addr().String()+"'}"), "fail store "+l.Addr().String()); worst != doctor.Fail {
			t.Errorf("the worst is %s", worst)
		}
	})
}

func TestClusterOfStores(t *testing.T) {
	c := realtest.StartRedisCluster(t)
	list := strings.Join(c.Addrs(), ", ")
	says(t, compiled(t, "{}", "{addr: ["+list+"], cluster: true}"), "ok store "+c.Nodes[2].Addr+": the cluster serves all slots", "ok store "+c.Nodes[0].Addr+": keeps an append-only file")
	if worst := says(t, compiled(t, "{}", "{addr: '"+c.Nodes[0].Addr+"'}"), "fail store: is a node of a cluster"); worst != doctor.Fail {
		t.Errorf("the worst is %s", worst)
	}
}
