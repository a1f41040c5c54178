package run

import (
	"context"
	"fmt"
	"sync"

	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
)

// ErrLostPart is a parts log that goes on beyond a part that was awaited: the log lacks what its units
// must have written. Nothing mends it but a rebuild.
var ErrLostPart = fmt.Errorf("lost part of a vector: %w", frame.ErrDiverged)

// partBuffer is how many frames of parts each partition holds ahead of the joiner.
const partBuffer = 16

// partQueue is one parts partition as the joiner consumes it.
type partQueue struct {
	partition int32
	frames    chan *stage.Counted
	fail      func(error)
	cur       *stage.Counted
	it        frame.Iterator
	index     int
	part      unit.Part
	full      bool // part holds the next part, not yet taken
	pos       frame.Position
}

// openParts starts reading one parts partition; the goroutine ends with ctx. fail is told of its error.
func openParts(ctx context.Context, wg *sync.WaitGroup, t stage.Transport, topic string, partition int32, from frame.Position, fail func(error)) (*partQueue, error) {
	r, err := stage.OpenReader(ctx, t, topic, partition, from)
	if err != nil {
		return nil, err
	}
	q := &partQueue{partition: partition, frames: make(chan *stage.Counted, partBuffer), fail: fail, pos: from}
	wg.Go(func() {
		defer r.Close()
		for {
			c, err := r.Next(ctx)
			if err != nil {
				fail(err)
				return
			}
			select {
			case q.frames <- c:
			case <-ctx.Done():
				return
			}
		}
	})
	return q, nil
}

// peek makes q.part the next part. Without wait it returns false when none has been read yet.
func (q *partQueue) peek(ctx context.Context, wait bool) (bool, error) {
	for !q.full {
		if q.cur != nil && q.it.Next() {
			if !unit.DecodePart(q.it.Item(), &q.part) {
				return false, fmt.Errorf("parts partition %d, offset %d, item %d: malformed part", q.partition, q.cur.Offset, q.index)
			}
			q.full = true
			break
		}
		if q.cur != nil {
			q.pos, q.cur = q.cur.At(q.cur.Count), nil
		}
		if !wait {
			select {
			case q.cur = <-q.frames:
			default:
				return false, nil
			}
		} else {
			select {
			case q.cur = <-q.frames:
			case <-ctx.Done():
				return false, context.Cause(ctx)
			}
		}
		q.it, q.index = q.cur.Each(), q.cur.Skip
		q.it.Skip(q.cur.Skip)
	}
	return true, nil
}

// take passes the peeked part.
func (q *partQueue) take() {
	q.full = false
	q.index++
	q.pos = q.cur.At(q.index)
}

// await makes q.part the part of item event and entity e; parts of earlier items, which other triggers
// awaited, are passed over. blocked is called before waiting.
func (q *partQueue) await(ctx context.Context, event uint64, e int, blocked func() error) error {
	for {
		ok, err := q.peek(ctx, false)
		if err == nil && !ok {
			if err = blocked(); err == nil {
				_, err = q.peek(ctx, true)
			}
		}
		if err != nil {
			return err
		}
		switch {
		case q.part.Event == event && q.part.Entity == e:
			return nil
		case q.part.Event < event || q.part.Event == event && q.part.Entity < e:
			q.take()
		default:
			return fmt.Errorf("parts partition %d: item %d, entity %d is awaited, item %d, entity %d comes: %w",
				q.partition, event, e, q.part.Event, q.part.Entity, ErrLostPart)
		}
	}
}
