package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/freshet-ml/freshet/internal/frame"
)

// Limits of one commit and one load. Lua's unpack and the time for which a script blocks the server
// bound the fields; a commit is as whole as one HSET, so a dirty set must be committed before it grows
// beyond them.
const (
	MaxFields = 1000    // fields of one HSET, its position and head included
	MaxBytes  = 1 << 20 // of fields and values
	metaField = 2       // !off and !head
	loadKeys  = 500     // entities of one load command
)

// Every script checks first and writes once, last: an error in a script undoes nothing, and a script
// with one write is logged without MULTI.
const guard = `
local have = redis.call('HMGET', KEYS[1], '!ep', '!off')
if have[1] ~= ARGV[1] then return {'FENCED'} end
if (have[2] or '') ~= ARGV[2] then return {'STALE'} end
`

var (
	claimScript = goredis.NewScript(`
local fp = redis.call('HGET', KEYS[1], '!fp')
if fp and fp ~= ARGV[2] then return {'OTHER', fp} end
redis.call('HSET', KEYS[1], '!ep', ARGV[1], '!fp', ARGV[2])
local have = redis.call('HMGET', KEYS[1], '!off', '!head')
return {'OK', have[1] or '', have[2] or ''}
`)
	loadScript    = goredis.NewScript(guard + `return {'OK', redis.call('HMGET', KEYS[1], unpack(ARGV, 3))}`)
	commitScript  = goredis.NewScript(guard + `redis.call('HSET', KEYS[1], unpack(ARGV, 3)) return {'OK'}`)
	collectScript = goredis.NewScript(guard + `return {'OK', redis.call('HDEL', KEYS[1], unpack(ARGV, 3))}`)
)

// Claim is the ownership of one hash. One goroutine uses it.
type Claim struct {
	s     *Store
	key   string
	nonce string
	at    frame.Position
	enc   string // at as it stands in the hash, empty before the first commit
	head  int64
	over  error
}

// Claim takes a hash over, from whoever has it, and returns where its state stands. A hash that was
// never committed to stands at the zero position. ErrFingerprint is final; after other errors claim
// again.
func (s *Store) Claim(ctx context.Context, h Hash, fingerprint string) (*Claim, error) {
	c := &Claim{s: s, key: h.Key(), nonce: rand.Text()}
	vals, err := claimScript.Run(ctx, s.cl, []string{c.key}, c.nonce, fingerprint).Slice()
	if err != nil {
		return nil, fmt.Errorf("claim %s: %w: %w", c.key, ErrUnknown, err)
	}
	if status(vals) == "OTHER" && len(vals) == 2 {
		return nil, fmt.Errorf("claim %s: it has %q, this project %q: %w", c.key, vals[1], fingerprint, ErrFingerprint)
	}
	if len(vals) != 3 {
		return nil, fmt.Errorf("claim %s: answer of %d values: %w", c.key, len(vals), ErrUnknown)
	}
	c.enc, _ = vals[1].(string)
	if c.enc != "" {
		if c.at, err = frame.DecodePosition([]byte(c.enc)); err != nil {
			return nil, fmt.Errorf("claim %s: %w", c.key, err)
		}
	}
	if c.head, err = number(vals[2]); err != nil {
		return nil, fmt.Errorf("claim %s: %w", c.key, err)
	}
	return c, nil
}

// Position is where the state stands: that of the claim, then of the newest commit.
func (c *Claim) Position() frame.Position { return c.at }

// Head is the newest event time that was committed with the position, µs.
func (c *Claim) Head() int64 { return c.head }

// Fresh reports that the hash has never been committed to.
func (c *Claim) Fresh() bool { return c.enc == "" }

// Err is why the claim is over, nil while it holds.
func (c *Claim) Err() error { return c.over }

// Load returns the states of the keys, in their order, appended to dst. It is checked like a commit:
// what it returns belongs to Position. Keys are asked for in chunks of 500, each one command; all of
// them see the same state because only the owner changes it.
func (c *Claim) Load(ctx context.Context, keys []string, dst []State) ([]State, error) {
	if c.over != nil {
		return dst, c.over
	}
	for len(keys) > 0 {
		n := min(len(keys), loadKeys)
		args := c.args(2 * n)
		for _, k := range keys[:n] {
			args = append(args, prefixMoving+k, prefixSealed+k)
		}
		vals, err := loadScript.Run(ctx, c.s.cl, []string{c.key}, args...).Slice()
		if err := c.judge("load", vals, err); err != nil {
			return dst, err
		}
		list, _ := vals[len(vals)-1].([]any)
		if len(list) != 2*n {
			return dst, c.end(fmt.Errorf("load %s: %d values for %d entities: %w", c.key, len(list), n, ErrUnknown))
		}
		dst = states(dst, list)
		keys = keys[n:]
	}
	return dst, nil
}

// Commit moves the hash from its position to another, with all entities that changed in between. An
// error ends the claim; ErrUnknown may be applied or not, and claiming again shows which.
func (c *Claim) Commit(ctx context.Context, b *Batch, at frame.Position, head int64) error {
	return c.s.Commit(ctx, Commit{c, b, at, head})
}

// Commit is one commit of several that share a round trip. Batch may be nil: the position moves alone.
type Commit struct {
	Claim *Claim
	Batch *Batch
	At    frame.Position
	Head  int64
}

// Commit sends several commits, each on its own hash, in one round trip per node. They succeed or fail
// one by one: the first error is returned, Claim.Err tells for each.
func (s *Store) Commit(ctx context.Context, commits ...Commit) error {
	pipe := s.cl.Pipeline()
	sent := make([]pending, 0, len(commits))
	for _, k := range commits {
		if k.Claim.over == nil {
			sent = append(sent, k.queue(ctx, pipe))
		}
	}
	if len(sent) > 0 {
		_, _ = pipe.Exec(ctx) // each command has its own outcome
	}
	for i := range sent {
		sent[i].settle(ctx)
	}
	for _, k := range commits {
		if k.Claim.over != nil {
			return k.Claim.over
		}
	}
	return nil
}

// pending is a commit that is under way.
type pending struct {
	Commit
	enc  string
	args []any
	cmd  *goredis.Cmd
}

func (k Commit) queue(ctx context.Context, pipe goredis.Pipeliner) pending {
	n := 0
	if k.Batch != nil {
		n = len(k.Batch.args)
	}
	p := pending{Commit: k, enc: string(k.At.Append(nil)), args: k.Claim.args(4 + n)}
	p.args = append(p.args, fieldPosition, p.enc, fieldHead, strconv.FormatInt(k.Head, 10))
	if n > 0 {
		p.args = append(p.args, k.Batch.args...)
	}
	p.cmd = commitScript.EvalSha(ctx, pipe, []string{k.Claim.key}, p.args...)
	return p
}

func (p *pending) settle(ctx context.Context) {
	c := p.Claim
	vals, err := p.cmd.Slice()
	if noScript(err) { // nothing was run: the server does not know the script yet
		vals, err = commitScript.Eval(ctx, c.s.cl, []string{c.key}, p.args...).Slice()
	}
	if c.judge("commit", vals, err) == nil {
		c.at, c.enc, c.head = p.At, p.enc, p.Head
	}
}

// Collect removes entities that are absent by definition. Losing it changes nothing, so it may be done
// at any time; it is fenced like a commit and moves no position.
func (c *Claim) Collect(ctx context.Context, keys []string) error {
	for len(keys) > 0 && c.over == nil {
		n := min(len(keys), loadKeys)
		args := c.args(2 * n)
		for _, k := range keys[:n] {
			args = append(args, prefixMoving+k, prefixSealed+k)
		}
		vals, err := collectScript.Run(ctx, c.s.cl, []string{c.key}, args...).Slice()
		if err := c.judge("collect", vals, err); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return c.over
}

func (c *Claim) args(more int) []any {
	return append(make([]any, 0, 2+more), c.nonce, c.enc)
}

// judge turns the answer of a guarded script into an error, which ends the claim.
func (c *Claim) judge(what string, vals []any, err error) error {
	switch s := status(vals); {
	case err != nil:
		return c.end(fmt.Errorf("%s %s: %w: %w", what, c.key, ErrUnknown, err))
	case s == "OK":
		return nil
	case s == "FENCED":
		return c.end(fmt.Errorf("%s %s: %w", what, c.key, ErrFenced))
	case s == "STALE":
		return c.end(fmt.Errorf("%s %s: %w", what, c.key, ErrStale))
	default:
		return c.end(fmt.Errorf("%s %s: answer %q: %w", what, c.key, s, ErrUnknown))
	}
}

func (c *Claim) end(err error) error {
	c.over = err
	return err
}

func status(vals []any) string {
	if len(vals) == 0 {
		return ""
	}
	s, _ := vals[0].(string)
	return s
}

func noScript(err error) bool {
	var r goredis.Error
	return errors.As(err, &r) && strings.HasPrefix(err.Error(), "NOSCRIPT")
}

// Batch collects the entities that changed since the last commit of one hash. The zero Batch is empty
// and ready.
type Batch struct {
	args  []any
	bytes int
}

// Fits reports whether so many more fields (two for an entity) with so many bytes, names included,
// stay within the limits. Whoever changes entities asks before, and commits first when they do not.
func (b *Batch) Fits(fields, bytes int) bool {
	return metaField+b.Fields()+fields <= MaxFields && b.bytes+bytes <= MaxBytes
}

// Fields is the number of fields in the batch.
func (b *Batch) Fields() int { return len(b.args) / 2 }

// Put adds an entity; a nil blob leaves its field as it is, and the blobs are borrowed until the commit
// is done. Put an entity once. A batch that does not take it is ErrFull, except when it is empty: one
// entity alone can always be committed.
func (b *Batch) Put(key string, s State) error {
	fields, bytes := 0, 0
	for _, v := range [][]byte{s.Moving, s.Sealed} {
		if v != nil {
			fields++
			bytes += len(prefixMoving) + len(key) + len(v)
		}
	}
	if len(b.args) > 0 && !b.Fits(fields, bytes) {
		return fmt.Errorf("entity of %d bytes after %d fields and %d bytes: %w", bytes, b.Fields(), b.bytes, ErrFull)
	}
	if s.Moving != nil {
		b.args = append(b.args, prefixMoving+key, s.Moving)
	}
	if s.Sealed != nil {
		b.args = append(b.args, prefixSealed+key, s.Sealed)
	}
	b.bytes += bytes
	return nil
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	clear(b.args)
	b.args, b.bytes = b.args[:0], 0
}
