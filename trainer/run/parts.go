package run

import (
	"context"
	"fmt"

	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
)

// ErrLostPart is a parts log that goes on beyond a part that was awaited: the log lacks what its units
// must have written. Nothing mends it but a rebuild.
var ErrLostPart = fmt.Errorf("lost part of a vector: %w", frame.ErrDiverged)

// partQueue is one parts partition as the joiner consumes it.
type partQueue struct {
	partition int32
	r         *stage.Reader
	cur       *stage.Counted
	it        frame.Iterator
	index     int
	part      unit.Part
	full      bool // part holds the next part, not yet taken
	pos       frame.Position
}

// openParts starts reading the parts partitions from positions, with one client; fail is told of the error that ends it.
// The queues are by partition.
func openParts(ctx context.Context, t stage.Transport, topic string, from map[int32]frame.Position, queues []*partQueue, fail func(error)) (*stage.Lanes, error) {
	lanes, err := stage.OpenLanes(ctx, t, topic, from, fail)
	if err != nil {
		return nil, err
	}
	for p, pos := range from {
		queues[p] = &partQueue{partition: p, r: lanes.Reader(p, pos), pos: pos}
	}
	return lanes, nil
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
		next, err := q.r.TryNext()
		if next == nil && err == nil {
			if !wait {
				return false, nil
			}
			next, err = q.r.Next(ctx)
		}
		if err != nil {
			return false, err
		}
		q.cur = next
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
