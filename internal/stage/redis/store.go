package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/freshet-ml/freshet/internal/frame"
)

// Errors of the store. After any of the first three a Claim is over: drop the cache, and if the output
// is still owned claim again.
var (
	// ErrFenced is a claim that another owner has taken over.
	ErrFenced = errors.New("another owner has claimed the hash")
	// ErrStale is a position that is not the claim's: the server has lost or rolled back commits.
	ErrStale = errors.New("the hash is at another position")
	// ErrUnknown is a command whose outcome is not known, for a commit: it may be applied.
	ErrUnknown = errors.New("outcome unknown")
	// ErrFingerprint is a hash that belongs to another project. It is final.
	ErrFingerprint = fmt.Errorf("the hash belongs to another fingerprint: %w", frame.ErrDiverged)
	// ErrFull is a batch beyond its limits.
	ErrFull = errors.New("batch is full")
)

// Options say how to reach the server or the cluster.
type Options struct {
	Addrs   []string // host:port, or a path for a unix socket; several only for a cluster
	Cluster bool     // speak to a Redis Cluster
	DB      int      // number of the database; 0 in a cluster
	// Login returns user and password for every new connection; nil: none are sent. No user: the default one.
	Login   func(ctx context.Context) (user, password string, err error)
	TLS     *tls.Config
	Timeout time.Duration // of one command and of a connection, 3 s when 0
	Conns   int           // connections per node, 10 per CPU when 0
	// Volatile is for a single server that keeps no file, such as the embedded one: up to 64 commits
	// share a script, since there is no file that could be torn between them. It makes commits of
	// many hashes several times cheaper where starting a script is dear.
	Volatile bool
}

// volatileGroup is the number of commits that share a script on a volatile store.
const volatileGroup = 64

// Store is a client, safe for all goroutines.
type Store struct {
	cl    goredis.UniversalClient
	group int // commits in a script
	loads int // loads in a script
}

// Open makes a client; it connects with the first command.
func Open(o Options) (*Store, error) {
	if len(o.Addrs) == 0 || !o.Cluster && len(o.Addrs) > 1 {
		return nil, fmt.Errorf("redis: %d addresses; give one, or several of a cluster", len(o.Addrs))
	}
	if o.Cluster && o.Volatile {
		return nil, errors.New("redis: a cluster cannot be volatile, its hashes lie in different slots")
	}
	if o.Timeout <= 0 {
		o.Timeout = 3 * time.Second
	}
	quiet.Do(logging.Disable) // it logs what it returns as well
	u := goredis.UniversalOptions{
		Addrs: o.Addrs, DB: o.DB, CredentialsProviderContext: o.Login, TLSConfig: o.TLS, PoolSize: o.Conns,
		MaxRetries:    -1, // 0 would mean three
		DialerRetries: 1, DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout, ContextTimeoutEnabled: true,
		DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if o.Cluster {
		return &Store{cl: goredis.NewClusterClient(u.Cluster()), group: 1, loads: 1}, nil
	}
	one := u.Simple()
	if strings.HasPrefix(one.Addr, "/") {
		one.Network = "unix"
	}
	s := &Store{cl: goredis.NewClient(one), group: 1, loads: loadGroup}
	if o.Volatile {
		s.group = volatileGroup
	}
	return s, nil
}

var quiet sync.Once

// Close ends the connections.
func (s *Store) Close() error {
	if err := s.cl.Close(); err != nil {
		return fmt.Errorf("close redis: %w", err)
	}
	return nil
}

// Check asks whether the server answers and would refuse to evict state when its memory is full. A
// server that does not tell its settings passes.
func (s *Store) Check(ctx context.Context) error {
	if err := s.cl.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	all, err := s.cl.ConfigGet(ctx, "maxmemory*").Result()
	if err != nil {
		return nil //nolint:nilerr // managed services and the embedded store have no CONFIG
	}
	if policy := all["maxmemory-policy"]; policy != "" && policy != "noeviction" && all["maxmemory"] != "0" {
		return fmt.Errorf("redis: maxmemory-policy is %s: state would vanish one by one; set it to noeviction", policy)
	}
	return nil
}

// Hash names one hash. Project and entity are names of the project file; they hold no braces.
type Hash struct {
	Project    string
	Generation uint64
	Entity     string
	Bucket     int
}

// Key is the name in Redis; all of it but the prefix is the hash tag, so each hash has a slot.
func (h Hash) Key() string {
	return "fx:{" + h.Project + "." + strconv.FormatUint(h.Generation, 16) + "." + h.Entity + "." + strconv.Itoa(h.Bucket) + "}"
}

const (
	fieldOwner    = "!ep"
	fieldPosition = "!off"
	fieldHead     = "!head"
	fieldPrint    = "!fp"
	prefixMoving  = "h:"
	prefixSealed  = "t:"
)

// State is the state of one entity: two blobs, so that the sealed part is only written when it
// changes. nil is absent.
type State struct {
	Moving, Sealed []byte
}

// Fields is the number of fields that a commit writes of it.
func (s State) Fields() int {
	n := 0
	for _, v := range [...][]byte{s.Moving, s.Sealed} {
		if v != nil {
			n++
		}
	}
	return n
}

// Lookup asks for entities of one hash.
type Lookup struct {
	Hash string // Hash.Key
	Keys []string
}

// View is the answer to a Lookup: what one moment of the hash held. Exists is false for a hash that
// was never committed to.
type View struct {
	Exists bool
	At     frame.Position
	Head   int64
	States []State // one for each key, in its order
}

// Read asks for all lookups in one round trip per node and appends the views to dst. Head, position
// and both blobs of an entity come from one command and belong together. An error for one hash fails
// the call; callers may repeat it.
func (s *Store) Read(ctx context.Context, lookups []Lookup, dst []View) ([]View, error) {
	if len(lookups) == 0 {
		return dst, nil
	}
	pipe := s.cl.Pipeline()
	cmds := make([]*goredis.SliceCmd, len(lookups))
	for i, l := range lookups {
		cmds[i] = pipe.HMGet(ctx, l.Hash, fields([]string{fieldPosition, fieldHead}, l.Keys)...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return dst, fmt.Errorf("read %d hashes: %w", len(lookups), err)
	}
	for i, cmd := range cmds {
		v, err := view(cmd.Val(), len(lookups[i].Keys))
		if err != nil {
			return dst, fmt.Errorf("read %s: %w", lookups[i].Hash, err)
		}
		dst = append(dst, v)
	}
	return dst, nil
}

func fields(head []string, keys []string) []string {
	for _, k := range keys {
		head = append(head, prefixMoving+k, prefixSealed+k)
	}
	return head
}

func view(vals []any, n int) (v View, err error) {
	if len(vals) != 2+2*n {
		return v, fmt.Errorf("%d values for %d entities: %w", len(vals), n, frame.ErrDamaged)
	}
	if off, ok := vals[0].(string); ok {
		v.Exists = true
		if v.At, err = frame.DecodePosition([]byte(off)); err != nil {
			return v, err
		}
	}
	if v.Head, err = number(vals[1]); err != nil {
		return v, err
	}
	v.States = states(nil, vals[2:])
	return v, nil
}

func number(v any) (int64, error) {
	s, _ := v.(string)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("time %q: %w", s, frame.ErrDamaged)
	}
	return n, nil
}

func states(dst []State, vals []any) []State {
	for i := 0; i+1 < len(vals); i += 2 {
		dst = append(dst, State{blob(vals[i]), blob(vals[i+1])})
	}
	return dst
}

func blob(v any) []byte {
	if s, ok := v.(string); ok {
		return []byte(s)
	}
	return nil
}

// Drop frees the memory of hashes in the background, for generations that nobody asks any more.
func (s *Store) Drop(ctx context.Context, hashes ...string) error {
	for _, h := range hashes { // one by one: they lie in different slots
		if err := s.cl.Unlink(ctx, h).Err(); err != nil {
			return fmt.Errorf("drop %s: %w", h, err)
		}
	}
	return nil
}
