package chaos

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/internal/realtest"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// fault is what happens to a fleet; do returns when it is over but for the recovery.
type fault struct {
	name string
	do   func(f *fleet)
	need func(f *fleet) bool // nil: nothing
}

// faults are all faults of the harness, by the names of docs/explanation/faults.md.
func faults() []fault {
	return []fault{
		{name: "kill before produce", do: func(f *fleet) { f.killHolding(f.toKafka, requests) }},
		{name: "kill after produce", do: func(f *fleet) { f.killHolding(f.toKafka, answers) }},
		{name: "kill before commit", do: func(f *fleet) { f.killHolding(f.toRedis, requests) }},
		{name: "kill after commit", do: func(f *fleet) { f.killHolding(f.toRedis, answers) }},
		{name: "kill features", do: func(f *fleet) { f.crash("features0", "features1") }},
		{name: "kill trainer", do: func(f *fleet) { f.crash("trainer0", "trainer1") }},
		{name: "kill server", do: func(f *fleet) { f.crash(servers...) }},
		{name: "kill all", do: (*fleet).crashAll},
		{name: "features asleep", do: func(f *fleet) { f.sleep("features0", "features1") }},
		{name: "trainer asleep", do: func(f *fleet) { f.sleep("trainer0", "trainer1") }},
		{name: "store rolled back under sleepers", do: (*fleet).rollBackSleeping},
		{name: "rebalances", do: (*fleet).storm},
		{name: "clean restart", do: (*fleet).rolling},
		{name: "broker killed", do: (*fleet).killBroker},
		{name: "broker asleep", do: func(f *fleet) { f.broker.Pause(); f.rest(2, 5); f.broker.Resume() }},
		{name: "store killed", do: func(f *fleet) { f.redis.Load().Kill(); f.rest(0, 2); f.redis.Load().Start() }},
		{name: "store killed, last second lost", do: func(f *fleet) { f.redis.Load().Kill(); f.lose(); f.redis.Load().Start() }},
		{name: "store killed, file torn", do: func(f *fleet) { f.redis.Load().Kill(); f.tear(); f.redis.Load().Start() }},
		{name: "file torn, killed again", do: (*fleet).tearTwice},
		{name: "store fails over", do: (*fleet).failOver},
		{name: "store out of memory", do: func(f *fleet) {
			f.refuse([]string{"CONFIG", "SET", "maxmemory", "1mb"}, []string{"CONFIG", "SET", "maxmemory", "0"})
		}},
		{name: "store read-only", do: func(f *fleet) { f.refuse([]string{"REPLICAOF", "127.0.0.1", "1"}, []string{"REPLICAOF", "NO", "ONE"}) }},
		{name: "store asleep", do: func(f *fleet) { f.redis.Load().Pause(); f.rest(2, 5); f.redis.Load().Resume() }},
		{name: "broker cut off", do: func(f *fleet) { f.toKafka.cut(); f.rest(0, 3); f.toKafka.up() }},
		{name: "store cut off", do: func(f *fleet) { f.toRedis.cut(); f.rest(0, 3); f.toRedis.up() }},
		{name: "broker slow", do: func(f *fleet) {
			f.through(f.toKafka, func() { f.toKafka.slow(answers, 300); f.toKafka.thin(requests, 256) })
		}},
		{name: "store slow", do: func(f *fleet) { f.through(f.toRedis, func() { f.toRedis.slow(answers, 2000) }) }},
		{name: "broker half open", do: func(f *fleet) { f.through(f.toKafka, func() { f.toKafka.hold(answers) }) }},
		{name: "store half open", do: func(f *fleet) { f.through(f.toRedis, func() { f.toRedis.hold(answers) }) }},
		{name: "disk of the broker full", do: (*fleet).fillBroker, need: func(f *fleet) bool { return f.disks.broker.small }},
		{name: "disk of the store full", do: func(f *fleet) { f.fill(f.disks.store) }, need: func(f *fleet) bool { return f.disks.store.small }},
		{name: "disk of the checkpoints full", do: (*fleet).fillCheckpoints, need: func(f *fleet) bool { return f.disks.checkpoints.small }},
		{name: "checkpoints torn", do: (*fleet).tearCheckpoints},
	}
}

// rest waits between so many seconds, drawn.
func (f *fleet) rest(from, to float64) {
	time.Sleep(time.Duration((from + (to-from)*f.draw.Float64()) * float64(time.Second)))
}

func (f *fleet) one(of ...string) string { return of[f.draw.IntN(len(of))] }

// crash kills one of the processes and starts it again at once, or when the others have taken over.
func (f *fleet) crash(of ...string) {
	slot := f.one(of...)
	f.kill(slot)
	if f.draw.IntN(2) == 0 {
		f.rest(0, 2*session.Seconds())
	}
	f.start(slot)
}

// killHolding kills a process of features and one of trainer while a direction of a proxy lets nothing through: what they sent has not
// arrived, or has, and they do not know.
func (f *fleet) killHolding(p *proxy, direction string) {
	a, b := f.one("features0", "features1"), f.one("trainer0", "trainer1")
	p.hold(direction)
	f.rest(0.02, 0.3)
	f.kill(a)
	f.kill(b)
	p.heal()
	f.start(a)
	f.start(b)
}

func (f *fleet) crashAll() {
	for _, slot := range slots {
		f.kill(slot)
	}
	for _, slot := range slots {
		f.start(slot)
	}
}

// sleep stops a process in its tracks until others have taken over, and lets it go on as if nothing had been.
func (f *fleet) sleep(of ...string) {
	slot := f.one(of...)
	f.pause(slot)
	f.rest(session.Seconds()+1, session.Seconds()+3)
	f.resume(slot)
}

// rollBackSleeping lets the store lose its last second while no process of features can see it go.
func (f *fleet) rollBackSleeping() {
	f.pause("features0")
	f.pause("features1")
	f.redis.Load().Kill()
	f.lose()
	f.redis.Load().Start()
	f.resume("features0")
	f.resume("features1")
}

// storm makes a process come and go several times.
func (f *fleet) storm() {
	slot := f.one("features0", "features1", "trainer0", "trainer1")
	for range 3 {
		f.stop(slot)
		f.start(slot)
		f.rest(0, 1)
	}
}

// rolling restarts one after the other by asking, and waits as docs/how-to/roles-apart.md says.
func (f *fleet) rolling() {
	longest := time.Duration(0)
	for _, slot := range slots {
		longest = max(longest, f.stop(slot))
		f.start(slot)
		if slot == servers[0] || slot == servers[1] {
			f.ready(slot)
			f.rest(2, 3)
		}
	}
	f.note("the longest clean end took %v", longest.Round(time.Millisecond))
}

// ready waits until a server says that it is.
func (f *fleet) ready(slot string) {
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if r, err := http.Get("http://" + f.ports[slot][1] + "/readyz"); err == nil {
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Since(began) > recovery {
			f.t.Fatalf("%s is not ready", slot)
		}
	}
}

func (f *fleet) killBroker() {
	f.broker.Kill()
	f.rest(0, 2)
	f.broker.Start()
}

// tearTwice tears the store's file, lets it go on for a moment, and kills it again so that of what came after the tear only
// the beginning is left.
func (f *fleet) tearTwice() {
	f.redis.Load().Kill()
	f.tear()
	f.redis.Load().Start()
	began, torn := time.Now(), f.size()
	for time.Since(began) < 5*time.Second && f.size() < torn+64<<10 {
		time.Sleep(5 * time.Millisecond)
	}
	f.redis.Load().Kill()
	f.keepOne(torn)
	f.redis.Load().Start()
}

// failOver lets a replica take the place of the store, without what was written since it was last heard of.
func (f *fleet) failOver() {
	old := f.redis.Load()
	dir, err := os.MkdirTemp(f.disks.store.dir, "replica")
	f.ok(err)
	next := realtest.StartRedisIn(f.t, dir)
	host, port, err := net.SplitHostPort(old.Addr)
	f.ok(err)
	next.Do("REPLICAOF", host, port)
	for began := time.Now(); !strings.Contains(next.Do("INFO", "replication"), "master_link_status:up"); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			f.t.Fatal("the replica does not come up")
		}
	}
	f.rest(0.5, 1.5)
	next.Do("REPLICAOF", "127.0.0.1", "1") // cut off: it keeps what it has
	f.rest(0.2, 1)
	old.Kill()
	next.Do("REPLICAOF", "NO", "ONE")
	f.redis.Store(next)
	f.toRedis.move(next.Addr)
	_ = f.store.Close()
	f.store, err = redis.Open(redis.Options{Addrs: []string{next.Addr}})
	f.ok(err)
	f.ok(os.RemoveAll(filepath.Join(old.Dir, "appendonlydir")))
}

// refuse leaves the store unable to write for a while.
func (f *fleet) refuse(begin, end []string) {
	f.redis.Load().Do(begin...)
	f.rest(1, 4)
	f.redis.Load().Do(end...)
}

func (f *fleet) size() int64 {
	st, err := os.Stat(f.aof())
	f.ok(err)
	return st.Size()
}

// through leaves a proxy ill for a while.
func (f *fleet) through(p *proxy, ill func()) {
	ill()
	f.rest(2, 6)
	p.heal()
}

func (f *fleet) fill(d *disk) {
	f.ok(d.fill())
	f.rest(2, 4)
	f.ok(d.free())
}

// fillBroker leaves the broker no room: it gives up, and is started again when there is room.
func (f *fleet) fillBroker() {
	f.fill(f.disks.broker)
	time.Sleep(500 * time.Millisecond)
	if f.broker.Alive() {
		f.note("the broker went on")
		f.broker.Kill()
	}
	f.broker.Start()
}

// fillCheckpoints kills the trainers while no checkpoint can be written.
func (f *fleet) fillCheckpoints() {
	f.ok(f.disks.checkpoints.fill())
	f.rest(2, 4)
	f.kill("trainer0")
	f.kill("trainer1")
	f.start("trainer0")
	f.start("trainer1")
	f.rest(1, 2)
	f.ok(f.disks.checkpoints.free())
}

// tearCheckpoints cuts the newest checkpoint of each stage and kills all that start from it.
func (f *fleet) tearCheckpoints() {
	killed := []string{"features0", "features1", "trainer0", "trainer1", f.one(servers...)}
	for _, slot := range killed {
		f.kill(slot)
	}
	cut := 0
	newest := map[string]string{} // by folder
	_ = filepath.WalkDir(filepath.Join(f.disks.checkpoints.dir, "points"), func(path string, d os.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".ckpt" {
			newest[filepath.Dir(path)] = max(newest[filepath.Dir(path)], path)
		}
		return nil
	})
	for _, path := range newest {
		if st, err := os.Stat(path); err == nil && st.Size() > 1 {
			f.ok(os.Truncate(path, f.draw.Int64N(st.Size())))
			cut++
		}
	}
	f.note("%d checkpoints are torn", cut)
	for _, slot := range killed {
		f.start(slot)
	}
}
