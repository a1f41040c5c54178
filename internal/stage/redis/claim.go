package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/freshet-ml/freshet/internal/frame"
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
// what it returns belongs to Position.
func (c *Claim) Load(ctx context.Context, keys []string, dst []State) ([]State, error) {
	l := Load{Claim: c, Keys: keys, States: dst}
	err := c.s.Load(ctx, &l)
	return l.States, err
}

// Commit moves the hash from its position to another, with all entities that changed in between. An
// error ends the claim; ErrUnknown may be applied or not, and claiming again shows which.
func (c *Claim) Commit(ctx context.Context, b *Batch, at frame.Position, head int64) error {
	return c.s.Commit(ctx, Commit{c, b, at, head})
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
