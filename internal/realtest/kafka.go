package realtest

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Brokers are a Kafka cluster in KRaft mode; each node is a broker and a controller.
type Brokers struct {
	Nodes []*Process // by index; the id of a node is its index + 1
	addrs []string
}

// Addrs are the plain listeners, one for each node, as host:port.
func (b *Brokers) Addrs() []string { return slices.Clone(b.addrs) }

// StartKafka starts one broker. Settings are lines of server.properties that come last, such as
// "log.retention.check.interval.ms=500".
func StartKafka(t testing.TB, settings ...string) *Brokers {
	t.Helper()
	return startKafka(t, 1, settings)
}

// StartKafkaCluster starts three brokers: new topics have three replicas, and min.insync.replicas is 2. With two of
// the three dead there is no quorum of controllers, so nothing can fail over.
func StartKafkaCluster(t testing.TB, settings ...string) *Brokers {
	t.Helper()
	return startKafka(t, 3, append([]string{"default.replication.factor=3", "min.insync.replicas=2", "replica.lag.time.max.ms=3000"}, settings...))
}

// StartKafkaBehind starts one broker in dir that has a second listener. Clients that come in by it are told to come back to advertised, the
// address of a proxy in front of it; its own address is returned. Addrs is the way round the proxy.
func StartKafkaBehind(t testing.TB, dir, advertised string, settings ...string) (b *Brokers, behind string) {
	t.Helper()
	Need(t, Kafka)
	b = &Brokers{}
	attempts(t, func() error {
		list, addrs, err := kafkaNodes(dir, logs(t), 1, settings, []listener{{"BEHIND", "PLAINTEXT", advertised}})
		if err != nil {
			return err
		}
		b.Nodes, b.addrs, behind = list, addrs[:1], addrs[1]
		return startAll(list)
	})
	keep(t, b.Nodes)
	return b, behind
}

func startKafka(t testing.TB, nodes int, settings []string) *Brokers {
	t.Helper()
	Need(t, Kafka)
	b := &Brokers{}
	attempts(t, func() error {
		list, addrs, err := kafkaNodes(t.TempDir(), logs(t), nodes, settings, nil)
		b.Nodes, b.addrs = list, addrs
		if err == nil {
			err = startAll(list)
		}
		return err
	})
	keep(t, b.Nodes)
	return b
}

// keep kills processes at the end of the test.
func keep(t testing.TB, list []*Process) {
	for _, p := range list {
		p.t = t
		t.Cleanup(p.Kill)
	}
}

const (
	// clusterID is any 16 bytes; all nodes need the same.
	clusterID = "ZnJlc2hldC10ZXN0LTAwMQ"
	// common keeps a broker small and quick. A broker that was killed is let in again only when its old session has ended, hence the
	// short session; a first join waits three seconds unless told not to.
	common = `process.roles=broker,controller
controller.listener.names=CONTROLLER
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=2
broker.heartbeat.interval.ms=300
broker.session.timeout.ms=1500
`
	// single lets one broker hold the topics of groups and transactions, which ask for three replicas.
	single = `offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
`
)

//go:embed kafka/log4j2.properties
var log4j []byte

// listener is a further way into a broker, by its name in the settings and its protocol. Clients are told to come back to advertised;
// empty: to where it listens.
type listener struct{ name, protocol, advertised string }

// kafkaNodes formats fresh data for so many nodes, and returns their processes, not started yet, and the addresses of their plain
// listeners. With more listeners there is one node, and their addresses follow that of the plain one.
func kafkaNodes(dir, logs string, nodes int, settings []string, more []listener, format ...string) ([]*Process, []string, error) {
	ports, err := freePorts(2*nodes + len(more))
	if err != nil {
		return nil, nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "log4j2.properties"), log4j, 0o600); err != nil {
		return nil, nil, fmt.Errorf("settings of kafka: %w", err)
	}
	var voters, addrs []string
	for n := range nodes {
		voters = append(voters, fmt.Sprintf("%d@%s", n+1, address(ports[2*n+1])))
		addrs = append(addrs, address(ports[2*n]))
	}
	var list []*Process
	formatted := make(chan error, nodes)
	for n := range nodes {
		open := "listeners=PLAINTEXT://" + addrs[n] + ",CONTROLLER://" + address(ports[2*n+1])
		advertised := "advertised.listeners=PLAINTEXT://" + addrs[n]
		protocols := "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
		for i, l := range more {
			at := address(ports[2*nodes+i])
			addrs = append(addrs, at)
			open += "," + l.name + "://" + at
			advertised += "," + l.name + "://" + cmp.Or(l.advertised, at)
			protocols += "," + l.name + ":" + l.protocol
		}
		name := "kafka" + strconv.Itoa(n+1)
		file := filepath.Join(dir, name+".properties")
		text := common + "node.id=" + strconv.Itoa(n+1) + "\ncontroller.quorum.voters=" + strings.Join(voters, ",") + "\n" + open + "\n" + advertised + "\n" +
			protocols + "\nlog.dirs=" + filepath.Join(dir, name) + "\n"
		if nodes == 1 {
			text += single
		}
		if err := os.WriteFile(file, []byte(text+strings.Join(settings, "\n")+"\n"), 0o600); err != nil {
			return nil, nil, fmt.Errorf("settings of %s: %w", name, err)
		}
		argv, err := java(dir, "256m", "kafka.Kafka", file)
		if err != nil {
			return nil, nil, err
		}
		id := int32(n + 1)
		list = append(list, &Process{Name: name, argv: argv, dir: dir, log: filepath.Join(logs, name+".log"),
			ready: func(ctx context.Context) error { return answers(ctx, addrs[n], id, nodes) }})
		go func() { formatted <- formatKafka(dir, file, format) }()
	}
	for range nodes {
		err = errors.Join(err, <-formatted)
	}
	return list, addrs, err
}

// java is the command line of a class of Kafka's. The archive of classes halves the start; without it all works too.
func java(dir, heap, class string, args ...string) ([]string, error) {
	path, err := kafkaPath()
	if err != nil {
		return nil, err
	}
	argv := []string{"java", "-Xms32m", "-Xmx" + heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dlog4j2.configurationFile=" + filepath.Join(dir, "log4j2.properties")}
	if _, err := os.Stat(kafkaArchive()); err == nil {
		argv = append(argv, "-XX:SharedArchiveFile="+kafkaArchive(), "-Xlog:cds=off", "-Xlog:cds+dynamic=off")
	}
	return append(append(argv, "-cp", path, class), args...), nil
}

func formatKafka(dir, properties string, more []string) error {
	argv, err := java(dir, "64m", "kafka.tools.StorageTool", append([]string{"format", "-t", clusterID, "-c", properties}, more...)...)
	if err != nil {
		return err
	}
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("format the data of kafka: %w\n%s", err, out)
	}
	return nil
}

// answers asks a node whether it knows all nodes, itself among them, and a coordinator of groups, which makes the topic of groups'
// offsets outside of the test.
func answers(ctx context.Context, addr string, id int32, nodes int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DialTimeout(time.Second), kgo.RequestRetries(0), kgo.DisableClientMetrics())
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	m, err := adm.BrokerMetadata(ctx)
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	if ids := m.Brokers.NodeIDs(); !slices.Contains(ids, id) || nodes > 1 && len(ids) < 2 {
		return fmt.Errorf("brokers %v are known, %d is awaited", ids, id)
	}
	if r := adm.FindGroupCoordinators(ctx, "ready")["ready"]; r.Err != nil {
		return fmt.Errorf("coordinator: %w", r.Err)
	}
	return nil
}

// BuildArchive starts a broker once to write the archive of its classes, with which all later starts take half as long.
func BuildArchive(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "freshet-kafka-")
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	defer os.RemoveAll(dir)
	_ = os.Remove(kafkaArchive())
	list, _, err := kafkaNodes(dir, dir, 1, nil, nil)
	if err != nil {
		return err
	}
	p := list[0]
	written := kafkaArchive() + ".new"
	p.argv = slices.Insert(p.argv, 1, "-XX:ArchiveClassesAtExit="+written)
	defer context.AfterFunc(ctx, func() { p.Kill() })()
	defer p.Kill()
	if err := startAll(list); err != nil {
		return err
	}
	p.Stop() // the archive is written at a clean end
	if err := os.Rename(written, kafkaArchive()); err != nil {
		return fmt.Errorf("archive of Kafka's classes: %w\n%s", err, tail(p.log))
	}
	return nil
}
