package serving

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/health"

	"github.com/freshet-ml/freshet/internal/certs"
	"github.com/freshet-ml/freshet/internal/metrics"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// Config are the limits and manners of a server. The zero value of a field means its default.
type Config struct {
	MaxRows     int           // rows in one call; 1000
	MaxMessage  int           // bytes of one message; 4 MiB
	MaxInFlight int           // calls at a time; 1024
	Timeout     time.Duration // deadline of calls that bring none; 1s
	// MaxWait is how long a call over gRPC may have waited for a processor before it is begun; a later one is turned away. 0: any time.
	MaxWait    time.Duration
	Drain      time.Duration // how long calls may take to end when the server stops; 10s
	Recent     time.Duration // a prediction may use states that were read so long ago; 0: it reads them anew
	AllowStale bool          // answer from features that are being rebuilt without being asked to
	Reflection bool
	MaxConns   int // connections of each port at a time; 4096
	// Tokens returns the tokens that clients may show, and is asked again every Reload; nil: none are needed.
	Tokens   func() ([]Token, error)
	TLS      *TLS          // nil: plain text
	Reload   time.Duration // how often files of certificates and tokens are looked at; 5s
	Hosts    []string      // names by which browsers may ask beside this machine's own; see forHosts
	Insecure bool          // allow addresses beyond this machine without TLS and without tokens
	LogQueue int           // log: async: served vectors that wait to be logged; 8192
	// Notice is how long a server that stops still answers after it has said that it is not ready; part of Drain. 0: it
	// takes no new calls from then on.
	Notice time.Duration
	// MaxStaleness is how long ago the version of a model may have been the newest for the server to be ready; 0: any time.
	MaxStaleness time.Duration
}

func (c Config) withDefaults() Config {
	c.MaxRows = or(c.MaxRows, 1000)
	c.MaxMessage = or(c.MaxMessage, 4<<20)
	c.MaxInFlight = or(c.MaxInFlight, 1024)
	c.Timeout = or(c.Timeout, time.Second)
	c.Drain = or(c.Drain, 10*time.Second)
	c.LogQueue = or(c.LogQueue, 8192)
	c.MaxConns = or(c.MaxConns, 4096)
	c.Reload = or(c.Reload, 5*time.Second)
	return c
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Deps is what a server works with. Catalog, Models and States are required.
type Deps struct {
	Catalog *Catalog
	Models  Models
	States  States
	Own     *OwnStates // of feature units of this process; nil: none run here
	Log     Log        // nil: request models and Feedback are refused
	Report  Reporter   // nil: Status tells what the server itself knows
	Audit   Auditor    // nil: Audit is refused
	Insight Insight    // nil: Lineage, DeadLetters, Recent and Control are refused
	Curves  *Curves    // nil: History has calibration only
	Metrics *metrics.Metrics
	Logger  *slog.Logger
	// Now is the wall clock; nil: time.Now.
	Now func() time.Time
	// Changed receives when the readiness of a model changed; Board.Changed is one. nil: readiness is
	// looked at once a second.
	Changed <-chan struct{}
}

// Server answers the methods of freshet.v1. Make it with New; Run serves.
type Server struct {
	freshetv1.UnimplementedFreshetServer

	config    Config
	deps      Deps
	catalog   *Catalog
	index     *index
	predictor predictor
	calls     sync.Pool
	slots     chan struct{} // one for each call in flight
	async     *asyncLog
	health    *health.Server
	draining  atomic.Bool   // not ready any more; calls are still answered
	auditing  atomic.Bool   // one audit at a time
	stopping  chan struct{} // closed when no new calls are taken
	started   time.Time
	overviews overviews
	onGRPC    atomic.Pointer[string]  // address of the gRPC server; nil: none
	tokens    atomic.Pointer[[]Token] // nil slice: none are needed
	certs     *certs.Follower         // nil: plain text
	// reloading guards reloadError, the newest error of each thing that is followed.
	reloading   sync.Mutex
	reloadError map[string]string
}

// New returns a server. It reads the files of certificates and tokens, and starts nothing. Errors say what of the catalog cannot be
// served, or which file cannot be read.
func New(config Config, deps Deps) (*Server, error) {
	if deps.Catalog == nil || deps.Models == nil || deps.States == nil {
		return nil, errors.New("serving: Catalog, Models and States are required")
	}
	x, err := newIndex(deps.Catalog)
	if err != nil {
		return nil, err
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if deps.Metrics == nil {
		deps.Metrics = metrics.New()
	}
	s := &Server{config: config.withDefaults(), deps: deps, catalog: deps.Catalog, index: x, health: health.NewServer(),
		started: deps.Now(), stopping: make(chan struct{}), reloadError: map[string]string{}}
	states := States(timedStates{deps.States, deps.Metrics.StoreRead.WithLabelValues()})
	s.predictor = predictor{catalog: s.catalog, states: states, now: deps.Now, newID: idMaker(), timeout: s.config.Timeout}
	if s.config.Recent > 0 {
		s.predictor.recent = newRecentStates(states, deps.Own, s.config.Recent, deps.Now)
	}
	s.calls.New = newCall
	s.overviews.listeners = make(chan struct{}, maxListeners)
	s.slots = make(chan struct{}, s.config.MaxInFlight)
	if err := s.loadSecurity(); err != nil {
		return nil, err
	}
	for _, m := range x.models {
		m.metrics = newModelMetrics(deps.Metrics, m.Name)
		if m.Request && deps.Log == nil {
			return nil, fmt.Errorf("serving: model %s learns from the calls that it answers, and there is no log", m.Name)
		}
	}
	if deps.Log != nil {
		s.async = newAsyncLog(deps.Log, s.config.LogQueue, deps.Metrics, deps.Logger)
	}
	for _, why := range []string{"in_flight", "waited", "rows", "deadline", "unauthenticated", "forbidden", "host", "cross_site"} { // a rate sees the first only after a 0
		deps.Metrics.Rejected.WithLabelValues(why).Add(0)
	}
	deps.Metrics.Panics.WithLabelValues().Add(0)
	deps.Metrics.OnScrape(s.scrape)
	s.refreshHealth()
	return s, nil
}

// idMaker returns a function that makes prediction ids: 16 random hex digits of this process, a dash
// and a counter.
func idMaker() func() string {
	var b [8]byte
	rand.Read(b[:])
	prefix := hex.EncodeToString(b[:]) + "-"
	var n atomic.Uint64
	return func() string {
		var buf [40]byte
		return string(strconv.AppendUint(append(buf[:0], prefix...), n.Add(1), 10))
	}
}

// enter takes one of the slots for calls in flight; leave gives it back.
func (s *Server) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		s.deps.Metrics.Rejected.WithLabelValues("deadline").Inc()
		return err
	}
	select {
	case s.slots <- struct{}{}:
		return nil
	default:
		s.deps.Metrics.Rejected.WithLabelValues("in_flight").Inc()
		return exhausted("TOO_MANY_CALLS", fmt.Sprintf("%d calls are in flight", s.config.MaxInFlight),
			"try again, send several rows in one call, or raise serving.max_in_flight", 50*time.Millisecond)
	}
}

func (s *Server) leave() { <-s.slots }
