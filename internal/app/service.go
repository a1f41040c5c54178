package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/freshet-ml/freshet/internal/checkpoint"
	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/metrics"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/internal/stage/redis"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/serving/dashboard"
)

// ServiceOptions describe a service: the roles of a project with everything around them.
type ServiceOptions struct {
	Features, Trainer, Serve bool
	Groups                   bool // several processes share the roles
	// Monitor is the address of metrics and probes of a process without Serve, whose HTTP port has them; empty: none.
	Monitor string
	// DataDir keeps the embedded broker's logs; empty: in memory.
	DataDir string
	// KafkaPort and RedisPort are ports of the embedded servers; 0: free ones.
	KafkaPort, RedisPort int
	// NoCheckpoints leaves out checkpoints, for runs that are over when the process is.
	NoCheckpoints bool
	Build         string
	// Secret is the key of the hashes that stand for sensitive fields in dead letters; empty: a random one for this process,
	// so that hashes of two runs cannot be compared.
	Secret []byte
	Logger *slog.Logger
	Page   http.Handler // nil: the page that is in the binary
	// Tune changes what the stages are told, before they are made; nil: nothing.
	Tune func(o *Options)
}

// Service is a running project in this process. Close it.
type Service struct {
	App       *App
	Board     *serving.Board
	Metrics   *metrics.Metrics
	Transport stage.Transport
	Store     *redis.Store
	GRPC      net.Listener // nil: not served
	HTTP      net.Listener
	Admin     net.Listener
	o         ServiceOptions
	prog      *program.Program
	closers   []func()
}

// NewService starts the embedded servers that the project needs, connects, checks and makes the topics,
// and opens the ports. Nothing is folded before Run.
func NewService(ctx context.Context, prog *program.Program, o ServiceOptions) (*Service, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{o: o, prog: prog, Metrics: metrics.New()}
	if err := s.open(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Service) open(ctx context.Context) error {
	p := s.prog.Project
	if s.o.Serve {
		var err error
		if s.GRPC, err = listen(p.Serving.GRPC, "serving.grpc"); err != nil {
			return err
		}
		if s.HTTP, err = listen(p.Serving.HTTP, "serving.http"); err != nil {
			return err
		}
		if s.Admin, err = listen(p.Serving.Admin, "serving.admin"); err != nil {
			return err
		}
	}
	if !s.o.Serve && s.o.Monitor != "" {
		var err error
		if s.HTTP, err = listen(s.o.Monitor, "--http"); err != nil {
			return err
		}
	}
	if err := s.connect(p); err != nil {
		return err
	}
	opts := Options{Program: s.prog, Transport: s.Transport, Store: s.Store, Roles: Roles{Features: s.o.Features, Trainer: s.o.Trainer, Serve: s.o.Serve},
		Groups: s.o.Groups, Member: member(), Logger: s.o.Logger, Secret: s.o.Secret}
	if len(opts.Secret) == 0 {
		opts.Secret = []byte(rand.Text())
	}
	// The logs of an embedded broker in memory end with the process: a checkpoint of them would contradict the next run.
	if inMemory := len(p.Kafka.Brokers) == 0 && s.o.DataDir == ""; !s.o.NoCheckpoints && !inMemory {
		url := p.Checkpoints.URL
		if s.o.DataDir != "" && len(p.Kafka.Brokers) == 0 {
			url = "file://" + filepath.Join(s.o.DataDir, "checkpoints") // they belong to the logs beside them
		}
		store, err := checkpoint.Open(ctx, checkpointOptions(&p.Checkpoints, url, s.o.Logger))
		if err != nil {
			return err
		}
		s.closers = append(s.closers, func() { store.Close() })
		opts.Checkpoints = store
	}
	var names []string
	for _, t := range s.prog.Triggers {
		for i := range t.Members {
			names = append(names, t.Members[i].Name)
		}
	}
	s.Board = serving.NewBoard(names...)
	opts.Publish, opts.Curves = Publisher(s.Board), serving.NewCurves()
	opts.Metrics, opts.Board, opts.Build = s.Metrics, s.Board, s.o.Build
	if s.o.Tune != nil {
		s.o.Tune(&opts)
	}
	var err error
	s.App, err = New(ctx, opts)
	return err
}

// checkpointOptions say where the project keeps checkpoints; url stands for its own.
func checkpointOptions(c *project.Checkpoints, url string, log *slog.Logger) checkpoint.Options {
	return checkpoint.Options{URL: url, Keep: c.Keep, Logger: log,
		S3: checkpoint.S3{Endpoint: c.Endpoint, Region: c.Region, PathStyle: c.PathStyle, AccessKey: c.AccessKey, SecretKey: c.SecretKey.Reveal()}}
}

// member names this process: host and pid.
func member() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}

// brokerDir is where the embedded broker keeps its logs.
func brokerDir(data string) string {
	if data == "" {
		return ""
	}
	return filepath.Join(data, "kafka")
}

func listen(address, setting string) (net.Listener, error) {
	if address == "off" {
		return nil, nil
	}
	return serving.Listen(address, setting)
}

// connect reaches the broker and the store of the project, or starts embedded ones.
func (s *Service) connect(p *project.Project) error {
	kafka, store := len(p.Kafka.Brokers) == 0, len(p.Redis.Addr) == 0
	if kafka || store {
		servers, err := embedded.Start(embedded.Options{DataDir: brokerDir(s.o.DataDir), KafkaPort: s.o.KafkaPort, RedisPort: s.o.RedisPort, NoBroker: !kafka, NoStore: !store})
		if err != nil {
			return err
		}
		s.closers = append(s.closers, servers.Close)
		if kafka {
			s.Transport = stage.Transport{Brokers: servers.Brokers, Local: true}
		}
		if store {
			if s.Store, err = redis.Open(redis.Options{Addrs: []string{servers.Redis}, Volatile: true}); err != nil {
				return err
			}
		}
	}
	var err error
	if !kafka {
		if s.Transport, err = Transport(&p.Kafka); err != nil {
			return err
		}
	}
	if !store {
		if s.Store, err = Store(&p.Redis); err != nil {
			return err
		}
	}
	s.closers = append(s.closers, func() { s.Store.Close() })
	return nil
}

// Watched reports whether the HTTP port has metrics and probes alone.
func (s *Service) Watched() bool { return !s.o.Serve && s.HTTP != nil }

// Run runs the roles until ctx ends or one fails for good.
func (s *Service) Run(ctx context.Context) error {
	// The server goes first, while the stages still feed it; they end behind it, save what they have, and leave their groups.
	staging, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, staging := errgroup.WithContext(staging)
	g.Go(func() error { return s.App.Run(staging) })
	answering, end := context.WithCancel(ctx)
	defer end()
	defer context.AfterFunc(staging, end)()
	switch {
	case s.o.Serve:
		page := s.o.Page
		if page == nil {
			page = dashboard.Handler()
		}
		g.Go(func() error {
			defer stop()
			return s.App.Serve(answering, ServeOptions{Board: s.Board, Metrics: s.Metrics, GRPC: s.GRPC, HTTP: s.HTTP, Admin: s.Admin, Page: page,
				Config: s.config(), Build: s.o.Build, Logger: s.o.Logger})
		})
	case s.HTTP != nil:
		c := s.config()
		m := serving.Monitor{Metrics: s.Metrics, Waiting: s.App.Trouble, TLS: c.TLS, Insecure: c.Insecure || c.Tokens != nil, Logger: s.o.Logger}
		g.Go(func() error { return m.Run(staging, s.HTTP) })
	}
	if !s.o.Serve {
		defer context.AfterFunc(ctx, stop)()
	}
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// config is that of the server. One that is alone has nobody to turn clients to.
func (s *Service) config() serving.Config {
	c := servingConfig(&s.prog.Project.Serving)
	if !s.o.Groups {
		c.Notice = 0
	}
	return c
}

// Close closes the connections, then the embedded servers.
func (s *Service) Close() {
	for _, l := range []net.Listener{s.GRPC, s.HTTP, s.Admin} {
		if l != nil {
			l.Close() // closed already when Run has served on it
		}
	}
	for _, f := range slices.Backward(s.closers) {
		f()
	}
	s.closers = nil
}

// Secure reports whether the ports speak TLS.
func (s *Service) Secure() bool { return s.prog.Project.Serving.TLS != nil }

// Addresses returns where the service answers; empty where it does not.
func (s *Service) Addresses() (grpc, http string) {
	if s.GRPC != nil {
		grpc = s.GRPC.Addr().String()
	}
	if s.HTTP != nil {
		http = s.HTTP.Addr().String()
	}
	return grpc, http
}

func servingConfig(s *project.Serving) serving.Config {
	c := serving.Config{MaxRows: s.MaxRows, MaxMessage: int(s.MaxMessage), MaxInFlight: s.MaxInFlight, MaxWait: s.MaxWait, Timeout: s.Timeout, Drain: s.Drain,
		Recent: s.Recent, Notice: s.Notice, MaxStaleness: s.Ready.MaxStaleness,
		AllowStale: s.AllowStale, Reflection: s.Reflection, Insecure: s.Insecure}
	c.MaxConns, c.Hosts = s.MaxConns, s.Hosts
	if len(s.Tokens) > 0 || s.TokensFile != "" {
		c.Tokens = func() ([]serving.Token, error) { return servingTokens(s) }
	}
	if s.TLS != nil {
		c.TLS = &serving.TLS{Cert: s.TLS.Cert, Key: s.TLS.Key, CA: s.TLS.CA}
	}
	return c
}

// servingTokens reads the tokens as their files hold them now. Errors name tokens and files, never what they hold.
func servingTokens(s *project.Serving) ([]serving.Token, error) {
	list, err := s.AllTokens()
	if err != nil {
		return nil, err
	}
	out := make([]serving.Token, len(list))
	for i := range list {
		sum, err := list[i].Hash()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", list[i].Name, err)
		}
		out[i] = serving.Token{Name: list[i].Name, Hash: sum}
		for _, name := range list[i].Scopes {
			scope, _ := serving.ParseScope(name) // the project was checked
			out[i].Scopes |= scope
		}
	}
	return out, nil
}

// ScratchDir makes a folder for the logs of an embedded broker that are not needed after the process, and
// returns what removes it.
func ScratchDir() (string, func(), error) {
	dir, err := os.MkdirTemp("", "freshet-")
	if err != nil {
		return "", nil, fmt.Errorf("folder for the embedded broker: %w", err)
	}
	return dir, func() { os.RemoveAll(dir) }, nil
}
