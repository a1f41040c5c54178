// Package embedded starts a Kafka broker and a Redis server inside the process. Both speak the real
// wire protocols over loopback, so that `freshet demo`, `freshet up` without surroundings, and the
// tests run the same clients and the same code as a cluster.
//
// It stands at the far end of every connection when no brokers or store are given. What the servers
// are not: replicated, or safe against power loss; the store is memory only, and is folded again from
// the log after a restart.
package embedded

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
)

// Options of the servers. The zero value keeps the logs in memory and takes free ports.
type Options struct {
	// DataDir keeps the logs on disk; they are there again after Close and the next Start. A killed
	// process loses nothing either, unless the machine goes down with it.
	DataDir string
	// Sync writes every batch through to the disk: safe against power loss, and 50 times slower.
	Sync bool
	// KafkaPort and RedisPort are fixed ports on loopback; 0 takes a free one.
	KafkaPort, RedisPort int
	// NoStore starts no Redis server, NoBroker no Kafka broker.
	NoStore, NoBroker bool
}

// Servers are running. Close them.
type Servers struct {
	Brokers []string // addresses of the broker
	Redis   string   // address of the store
	// Kafka and Store are the servers themselves, for tests that inject faults.
	Kafka *kfake.Cluster
	Store *miniredis.Miniredis
}

const loopback = "127.0.0.1"

// Start starts both servers on loopback. A port that is taken is an error that says which.
func Start(o Options) (*Servers, error) {
	s := &Servers{}
	if !o.NoBroker {
		if err := s.startKafka(o); err != nil {
			return nil, err
		}
	}
	if !o.NoStore {
		if err := s.startRedis(o); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

func (s *Servers) startKafka(o Options) error {
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(o.KafkaPort), kfake.DefaultNumPartitions(1), kfake.ListenFn(listen),
		kfake.BrokerConfigs(map[string]string{
			"group.consumer.heartbeat.interval.ms": "500",
			"group.min.session.timeout.ms":         "1000",
			"default.replication.factor":           "1",
			"message.max.bytes":                    strconv.Itoa(4 << 20), // the topics of users are theirs
			"log.cleaner.backoff.ms":               "60000",
		}),
	}
	if o.DataDir != "" {
		if err := os.MkdirAll(o.DataDir, 0o750); err != nil {
			return fmt.Errorf("folder of the embedded broker: %w", err)
		}
		opts = append(opts, kfake.DataDir(o.DataDir))
	}
	if o.Sync {
		opts = append(opts, kfake.SyncWrites())
	}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		return portError("broker", "kafka", o.KafkaPort, err)
	}
	s.Kafka, s.Brokers = c, c.ListenAddrs()
	return nil
}

// listen keeps the broker on loopback, whatever address it asks for.
func listen(network, address string) (net.Listener, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("address of the embedded broker: %w", err)
	}
	return net.Listen(network, net.JoinHostPort(loopback, port))
}

func (s *Servers) startRedis(o Options) error {
	// No ClockTTL: with it every command sorts all keys of the server, 15 µs for the hashes of a small project, and
	// Freshet sets no times to live.
	m := miniredis.NewMiniRedis()
	if err := m.StartAddr(net.JoinHostPort(loopback, strconv.Itoa(o.RedisPort))); err != nil {
		return portError("store", "redis", o.RedisPort, err)
	}
	s.Store, s.Redis = m, m.Addr()
	return nil
}

func portError(what, section string, port int, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("embedded %s: port %d is taken; stop what listens there or choose another under `%s:`: %w", what, port, section, err)
	}
	return fmt.Errorf("embedded %s: %w", what, err)
}

// Close stops the servers. Close it after all clients: logs on disk are then complete.
func (s *Servers) Close() {
	if s.Kafka != nil {
		s.Kafka.Close()
	}
	if s.Store != nil {
		s.Store.Close()
	}
}
