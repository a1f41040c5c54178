package stage

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/internal/frame"
)

// pollRecords bounds one poll: frames are up to 512 KB, so this is at most 32 MB.
const pollRecords = 64

// Counted is a frame that counts. Its bytes are the reader's no more: they stay valid as long as the
// frame is kept.
type Counted struct {
	frame.Frame
	Offset int64
	Skip   int // items at the front that the start position has already passed
}

// At is the position before item i of the frame, or behind the frame when i is its Count.
func (c *Counted) At(i int) frame.Position {
	switch {
	case i >= c.Count:
		return frame.Position{Offset: c.Offset + 1, Last: c.ID}
	case i == 0:
		return frame.Position{Offset: c.Offset, Last: c.Prev}
	}
	return frame.Position{Offset: c.Offset, Index: int32(i), Last: c.ID}
}

// Reader yields the counted frames of one partition in order. One goroutine uses it; kgo fetches
// ahead in the background, at most Transport.FetchBytes.
type Reader struct {
	src     source
	name    string
	judge   frame.Judge
	skip    int
	pending []*kgo.Record
	void    uint64
}

// OpenReader starts at a position; the zero position is the beginning of the log. A position that the
// log no longer or not yet holds is final: ErrPassed or frame.ErrDiverged. Costs a client with two
// connections (locally 1 ms, 230 kB allocated), so that one slow reader holds up no other.
func OpenReader(ctx context.Context, t Transport, topic string, partition int32, from frame.Position) (*Reader, error) {
	log, err := OpenLog(t, topic, partition)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	first, err := log.First(ctx)
	if err != nil {
		return nil, err
	}
	end, err := log.End(ctx)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s/%d", topic, partition)
	if err := within(name, from.Offset, first, end); err != nil {
		return nil, err
	}
	cl, err := t.Client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		topic: {partition: kgo.NewOffset().At(from.Offset)},
	}))
	if err != nil {
		return nil, err
	}
	return newReader(&ownClient{cl: cl}, name, from), nil
}

// within checks that a log holds the offset to start from.
func within(name string, from, first, end int64) error {
	switch {
	case from < first:
		return fmt.Errorf("read %s from offset %d: the log begins at %d: %w", name, from, first, ErrPassed)
	case from > end:
		return fmt.Errorf("read %s from offset %d: the log ends at %d: %w", name, from, end, frame.ErrDiverged)
	}
	return nil
}

func newReader(src source, name string, from frame.Position) *Reader {
	return &Reader{src: src, name: name, judge: frame.NewJudge(from), skip: int(from.Index)}
}

// source is where the records of one partition come from: a client of its own, or a lane of Lanes.
type source interface {
	// poll waits for records. Once ctx has ended it returns what is there, perhaps nothing.
	poll(ctx context.Context) ([]*kgo.Record, error)
	close()
}

type ownClient struct {
	cl  *kgo.Client
	end int64 // of the partition, as of the newest fetch
}

func (c *ownClient) poll(ctx context.Context) ([]*kgo.Record, error) {
	fetches, err := poll(ctx, c.cl, pollRecords)
	fetches.EachPartition(func(p kgo.FetchTopicPartition) { c.end = max(c.end, p.HighWatermark) })
	return fetches.Records(), err
}
func (c *ownClient) close() { c.cl.Close() }

// Close ends a client of its own; frames that were handed out stay valid.
func (r *Reader) Close() { r.src.close() }

// Next waits for the next counted frame. An error other than the context's ends the reader: Final says
// whether opening it anew can help.
func (r *Reader) Next(ctx context.Context) (*Counted, error) {
	for {
		c, err := r.step()
		if c != nil || err != nil {
			return c, err
		}
		if r.pending, err = r.src.poll(ctx); err != nil {
			return nil, err
		}
		if len(r.pending) == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("read %s: %w", r.name, ctx.Err())
		}
	}
}

// TryNext returns the next counted frame that has been fetched already, or nil.
func (r *Reader) TryNext() (*Counted, error) {
	for {
		c, err := r.step()
		if c != nil || err != nil {
			return c, err
		}
		if r.pending, err = r.src.poll(done); err != nil || len(r.pending) == 0 {
			return nil, err
		}
	}
}

// done makes a poll return at once.
var done = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// Position is behind the last frame that was handed out and the void ones after it.
func (r *Reader) Position() frame.Position { return r.judge.Position() }

// Behind is the number of records behind the last frame that was handed out, as the newest fetch told; 0 for a reader of Lanes.
func (r *Reader) Behind() int64 {
	if c, ok := r.src.(*ownClient); ok {
		return max(0, c.end-r.Position().Offset)
	}
	return 0
}

// Void is the number of records that did not count so far.
func (r *Reader) Void() uint64 { return r.void }

// step judges pending records up to the first that counts; nil when there is none.
func (r *Reader) step() (*Counted, error) {
	for len(r.pending) > 0 {
		rec := r.pending[0]
		r.pending[0] = nil
		r.pending = r.pending[1:]
		c := &Counted{Offset: rec.Offset}
		f := &c.Frame
		if err := f.Decode(rec.Value); errors.Is(err, frame.ErrForeign) {
			f = nil
		} else if err != nil {
			return nil, fmt.Errorf("read %s at offset %d: %w", r.name, rec.Offset, err)
		}
		counts, err := r.judge.Feed(rec.Offset, f)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", r.name, err)
		}
		if !counts {
			r.void++
			continue
		}
		c.Skip, r.skip = r.skip, 0
		if c.Skip > c.Count {
			return nil, fmt.Errorf("read %s at offset %d: item %d of %d: %w", r.name, rec.Offset, c.Skip, c.Count, frame.ErrDiverged)
		}
		return c, nil
	}
	return nil, nil
}
