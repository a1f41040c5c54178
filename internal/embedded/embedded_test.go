package embedded_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/freshet-ml/freshet/internal/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestServersOnLoopback(t *testing.T) {
	s, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, addr := range append(s.Brokers, s.Redis) {
		if host, _, err := net.SplitHostPort(addr); err != nil || !net.ParseIP(host).IsLoopback() {
			t.Errorf("server at %s, want loopback", addr)
		}
	}
	s.Store.Set("k", "v")
	c, err := net.Dial("tcp", s.Redis)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err = c.Write([]byte("*2\r\n$6\r\nEXISTS\r\n$1\r\nk\r\n")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 16)
	if n, err := c.Read(b); err != nil || string(b[:n]) != ":1\r\n" {
		t.Fatalf("answer %q, error %v; the store is to speak its protocol", b[:n], err)
	}
}

func TestDataDirKeepsTheLogs(t *testing.T) {
	dir := t.TempDir()
	ctx := deadline(t)
	for i := range 3 {
		s, err := embedded.Start(embedded.Options{DataDir: dir, NoStore: true})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := s.Kafka.CreateTopic("t", 1, nil); err != nil {
				t.Fatal(err)
			}
		}
		if n := fetch(ctx, t, s.Brokers, i); n != i {
			t.Errorf("start %d finds %d records", i, n)
		}
		s.Close()
	}
}

// fetch reads the records that must be there and appends one.
func fetch(ctx context.Context, t *testing.T, brokers []string, want int) (n int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.DefaultProduceTopic("t"),
		kgo.MetadataMinAge(20*time.Millisecond), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for n < want && ctx.Err() == nil {
		n += cl.PollFetches(ctx).NumRecords()
	}
	if err := cl.ProduceSync(ctx, kgo.StringRecord(strconv.Itoa(want))).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTakenPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	port := l.Addr().(*net.TCPAddr).Port
	for section, o := range map[string]embedded.Options{"kafka": {KafkaPort: port}, "redis": {RedisPort: port}} {
		_, err := embedded.Start(o)
		if err == nil || !strings.Contains(err.Error(), strconv.Itoa(port)+" is taken") || !strings.Contains(err.Error(), section+":") {
			t.Errorf("taken port of %s: %v", section, err)
		}
	}
}
