package frame

import (
	"context"
	"errors"
	"fmt"
)

// ErrVoid is a frame of this session that does not count. The session is over: what it sent later
// names that frame as predecessor and is void as well.
var ErrVoid = errors.New("frame does not count")

// ErrFenced is ErrVoid because another writer's frame took the place: leave the log to it, or read
// the tail again if the log is still owned.
var ErrFenced = errors.New("another writer won")

// Chain is the sending half of a producing session: it links each frame to the one that was sent
// before, and keeps what the frames must say. One goroutine uses it.
type Chain struct {
	nonce, number uint64
	prev          ID
	nextSeq       uint64
	gen           uint64
	shard         uint32
	every         int // frames from one with full positions to the next
	since         int // frames since the last such one
	inputs        []Input
	before        []Input // scratch
	after         []Input
}

// NewChain goes on after a tail. The nonce must be random and not zero. fullEvery is the number of
// frames from one with full positions to the next, 1 to FullEvery; others are brought into that range.
func NewChain(nonce uint64, t *Tail, shard uint32, generation uint64, fullEvery int) *Chain {
	every := min(max(fullEvery, 1), FullEvery)
	return &Chain{
		nonce: nonce, prev: t.Last, nextSeq: t.NextSeq, gen: generation, shard: shard,
		every: every, since: every, inputs: append([]Input(nil), t.Inputs...),
	}
}

// NextSeq is the ordinal that the next item will have.
func (c *Chain) NextSeq() uint64 { return c.nextSeq }

// Inputs returns the full positions after the last sealed frame, by name; borrowed.
func (c *Chain) Inputs() []Input { return c.inputs }

// Renew makes the next frame one with full positions.
func (c *Chain) Renew() { c.since = c.every }

// Seal fills f: the items of p, the positions after them of the inputs that moved, and all that links
// it. The positions before are those after the frame before. f borrows from p and c until the next
// Seal; encode it first.
func (c *Chain) Seal(f *Frame, p *Pack, after []Input, anchor Anchor) {
	c.number++
	*f = Frame{
		ID: ID{c.nonce, c.number}, Prev: c.prev, Anchor: anchor, Shard: c.shard, Generation: c.gen,
		FirstSeq: c.nextSeq, Count: p.count, Items: p.buf, Full: c.since >= c.every,
	}
	c.before, c.after = c.before[:0], c.after[:0]
	if f.Full {
		c.before = append(c.before, c.inputs...)
		c.since = 0
	}
	c.since++
	for _, in := range after {
		if old, ok := find(c.inputs, in.Name); ok && !f.Full {
			c.before = put(c.before, Input{in.Name, old})
		}
		c.inputs = put(c.inputs, in)
		if !f.Full {
			c.after = put(c.after, in)
		}
	}
	if f.Full {
		c.after = append(c.after, c.inputs...)
	}
	f.Before, f.After = c.before, c.after
	c.prev, c.nextSeq = f.ID, f.NextSeq()
}

// Sent is what the knowing half keeps of a frame until it is acked.
type Sent struct {
	ID, Prev ID
	Full     bool
}

// Ledger is the knowing half of a producing session: it turns acks into frames that are known to
// count. A frame acked at the offset right after judged ground counts, since its predecessor does and
// nothing can stand between; for any other ack the records between are read and judged.
type Ledger struct {
	judge  Judge
	anchor Anchor
	nonce  uint64
}

// NewLedger goes on after a tail, for the session with the given nonce.
func NewLedger(nonce uint64, t *Tail) *Ledger {
	j := NewJudge(Position{Offset: t.End, Last: t.Last})
	return &Ledger{judge: j, anchor: t.Anchor, nonce: nonce}
}

// Anchor is the newest frame with full positions that is known to count.
func (l *Ledger) Anchor() Anchor { return l.anchor }

// Place is behind the newest frame that counts, and what was judged after it.
func (l *Ledger) Place() Position { return l.judge.Position() }

// Ack takes the acknowledgement of the oldest frame that has none yet. A nil error means that the
// frame is known to count. ErrVoid and ErrFenced end the session, and so does every other error:
// offset < 0 means that the broker acked without saying where.
func (l *Ledger) Ack(ctx context.Context, s Sent, offset int64, log Log) error {
	if offset < 0 {
		return fmt.Errorf("frame %v acked without an offset: %w", s.ID, ErrVoid)
	}
	if offset > l.judge.Next() {
		if err := l.read(ctx, log, offset); err != nil {
			return fmt.Errorf("records before frame %v: %w", s.ID, err)
		}
	}
	last, at := l.judge.Last()
	if offset >= l.judge.Next() && last == s.Prev {
		if _, err := l.judge.Feed(offset, &Frame{ID: s.ID, Prev: s.Prev}); err != nil {
			return err
		}
		last, at = s.ID, offset
	}
	if last == s.ID {
		if s.Full {
			l.anchor = Anchor{Offset: at, ID: s.ID}
		}
		return nil
	}
	if last.Writer != l.nonce && last != s.Prev {
		return fmt.Errorf("frame %v at offset %d comes after %v: %w: %w", s.ID, offset, last, ErrVoid, ErrFenced)
	}
	return fmt.Errorf("frame %v at offset %d names %v, not %v: %w", s.ID, offset, s.Prev, last, ErrVoid)
}

func (l *Ledger) read(ctx context.Context, log Log, to int64) error {
	err := log.Scan(ctx, l.judge.Next(), to, func(offset int64, record []byte) error {
		f, err := decode(offset, record)
		if err != nil {
			return err
		}
		_, err = l.judge.Feed(offset, f)
		return err
	})
	if err != nil {
		return err
	}
	return l.judge.Pass(to)
}
