package realtest

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// RedisServer is one Redis or Valkey server that keeps an append-only file, written to the disk every second. Without a name and
// password a client may do everything, as may User.
type RedisServer struct {
	*Process
	Addr           string // host:port
	Dir            string // its data: appendonlydir
	User, Password string
	Certs          *Certs // nil: no encryption
}

// StartRedis starts a Redis server; args are further arguments, which come last.
func StartRedis(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	return startRedis(t, Redis, "", nil, args)
}

// StartRedisIn starts a Redis server that keeps its data in dir.
func StartRedisIn(t testing.TB, dir string, args ...string) *RedisServer {
	t.Helper()
	return startRedis(t, Redis, dir, nil, args)
}

// StartRedisTLS starts a Redis server that speaks TLS only, and asks for no certificate of clients unless args say
// "--tls-auth-clients", "yes".
func StartRedisTLS(t testing.TB, certs *Certs, args ...string) *RedisServer {
	t.Helper()
	return startRedis(t, Redis, "", certs, args)
}

// StartValkey starts a Valkey server.
func StartValkey(t testing.TB, args ...string) *RedisServer {
	t.Helper()
	return startRedis(t, Valkey, "", nil, args)
}

func startRedis(t testing.TB, engine Service, dir string, certs *Certs, args []string) *RedisServer {
	t.Helper()
	Need(t, engine)
	s := &RedisServer{Certs: certs}
	attempts(t, func() error {
		ports, err := freePorts(1)
		if err != nil {
			return err
		}
		s.make(engine, cmp.Or(dir, t.TempDir()), logs(t), ports[0], args)
		return startAll([]*Process{s.Process})
	})
	keep(t, []*Process{s.Process})
	return s
}

// make says how the server is started.
func (s *RedisServer) make(engine Service, dir, logs string, port int, args []string) {
	s.Addr, s.Dir, s.User, s.Password = address(port), dir, "app", `p@ss/w:rd%#&`
	name := fmt.Sprintf("%s%d", engine, port)
	argv := []string{string(engine) + "-server", "--dir", dir, "--bind", loopback, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
		"--user", "default", "on", "nopass", "~*", "&*", "+@all", "--user", s.User, "on", ">" + s.Password, "~*", "&*", "+@all"}
	if s.Certs == nil {
		argv = append(argv, "--port", strconv.Itoa(port))
	} else {
		argv = append(argv, "--port", "0", "--tls-port", strconv.Itoa(port), "--tls-cert-file", s.Certs.ServerCert, "--tls-key-file", s.Certs.ServerKey,
			"--tls-ca-cert-file", s.Certs.CA, "--tls-auth-clients", "no")
	}
	s.Process = &Process{Name: name, argv: append(argv, args...), log: filepath.Join(logs, name+".log"), ready: func(ctx context.Context) error {
		answer, err := s.ask(ctx, "PING")
		if err == nil && answer != "+PONG" && !strings.HasPrefix(answer, "-NOAUTH") && !strings.HasPrefix(answer, "-NOPERM") {
			err = fmt.Errorf("answer to PING: %s", answer) // such as -LOADING
		}
		return err
	}}
}

// Do sends a command and returns the first line of its answer, or the text of a bulk answer. An error answer fails the test.
func (s *RedisServer) Do(command ...string) string {
	s.t.Helper()
	answer, err := s.ask(context.Background(), command...)
	if err != nil || strings.HasPrefix(answer, "-") {
		s.t.Fatalf("%s: %s: %s %v", s.Name, strings.Join(command, " "), answer, err)
	}
	return answer
}

func (s *RedisServer) ask(ctx context.Context, command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := s.dial(ctx)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline)
	}
	text := fmt.Sprintf("*%d\r\n", len(command))
	for _, word := range command {
		text += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(c, text); err != nil {
		return "", fmt.Errorf("ask %s: %w", s.Addr, err)
	}
	in := bufio.NewReader(c)
	line, err := in.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("answer of %s: %w", s.Addr, err)
	}
	line = strings.TrimRight(line, "\r\n")
	size, bulk := strings.CutPrefix(line, "$")
	n, err := strconv.Atoi(size)
	if !bulk || err != nil || n < 0 {
		return line, nil
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(in, b); err != nil {
		return "", fmt.Errorf("answer of %s: %w", s.Addr, err)
	}
	return string(b), nil
}

func (s *RedisServer) dial(ctx context.Context) (net.Conn, error) {
	if s.Certs == nil {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", s.Addr)
		if err != nil {
			return nil, fmt.Errorf("dial: %w", err)
		}
		return c, nil
	}
	pem, err := os.ReadFile(s.Certs.CA)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(s.Certs.ClientCert, s.Certs.ClientKey)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	d := tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Certificates: []tls.Certificate{pair}}}
	c, err := d.DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	return c, nil
}

// RedisCluster is a Redis Cluster of three masters without replicas.
type RedisCluster struct{ Nodes []*RedisServer }

// Addrs are the addresses of all nodes.
func (c *RedisCluster) Addrs() []string {
	var list []string
	for _, n := range c.Nodes {
		list = append(list, n.Addr)
	}
	return list
}

const slots = 16384

// StartRedisCluster starts three servers and joins them; it returns when all say that the cluster is whole.
func StartRedisCluster(t testing.TB, args ...string) *RedisCluster {
	t.Helper()
	Need(t, Redis)
	c := &RedisCluster{}
	attempts(t, func() error { return c.start(t, args) })
	var list []*Process
	for _, n := range c.Nodes {
		list = append(list, n.Process)
	}
	keep(t, list)
	for i, n := range c.Nodes {
		n.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		n.Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/len(c.Nodes)), strconv.Itoa((i+1)*slots/len(c.Nodes)-1))
	}
	for _, n := range c.Nodes[1:] {
		host, port, _ := net.SplitHostPort(n.Addr)
		c.Nodes[0].Do("CLUSTER", "MEET", host, port, n.busPort())
	}
	for _, n := range c.Nodes {
		n.ready = n.whole
		if err := n.await(); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *RedisCluster) start(t testing.TB, args []string) error {
	const nodes = 3
	ports, err := freePorts(2 * nodes)
	if err != nil {
		return err
	}
	folder := logs(t)
	c.Nodes = nil
	var list []*Process
	for i := range nodes {
		n := &RedisServer{}
		n.make(Redis, t.TempDir(), folder, ports[2*i], append([]string{"--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
			"--cluster-node-timeout", "2000", "--cluster-port", strconv.Itoa(ports[2*i+1])}, args...))
		c.Nodes, list = append(c.Nodes, n), append(list, n.Process)
	}
	return startAll(list)
}

// busPort is where the node speaks to the others.
func (s *RedisServer) busPort() string {
	for i, a := range s.argv {
		if a == "--cluster-port" {
			return s.argv[i+1]
		}
	}
	return ""
}

// whole asks a node whether the cluster serves all slots and knows all nodes.
func (s *RedisServer) whole(ctx context.Context) error {
	info, err := s.ask(ctx, "CLUSTER", "INFO")
	if err == nil && (!strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:3")) {
		err = fmt.Errorf("cluster: %s", info)
	}
	return err
}
