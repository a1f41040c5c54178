package run

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/features/worker"
	"github.com/freshet-ml/freshet/internal/checkpoint"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
)

// eventsInput is the name of the events log among the inputs of a frame.
const eventsInput = "events"

func partsInput(p int) string { return "parts/" + strconv.Itoa(p) }

// JoinerOptions describe the joiner of one trigger.
type JoinerOptions struct {
	Transport  stage.Transport
	Program    *trainer.Program
	Trigger    *trainer.Trigger
	Generation uint64
	Events     string        // topic of the events log, one partition
	Parts      string        // topic of the parts
	Partitions int           // of Parts
	Log        string        // topic of the example log, one partition
	Retention  time.Duration // of Log; 0: for ever
	// Checkpoints keeps the joiner's state under Name every Every; nil: never, recovery folds the whole
	// events log.
	Checkpoints *checkpoint.Store
	Name        string
	Every       time.Duration
	Leave       bool  // save a last one when ctx ends, for at most 5 s
	Saved       Saved // told of each checkpoint; nil: nobody
	Logger      *slog.Logger
	// Progress is told after each frame of events how far the joiner is, and what it counted; nil: nobody.
	Progress func(JoinerProgress)
}

// JoinerProgress is how far a joiner is.
type JoinerProgress struct {
	Items           uint64 // items of the events log that were folded
	Entries         uint64 // entries of the example log so far
	Pending         int    // examples that wait
	Head, Watermark int64  // µs
	Stats           trainer.JoinStats
}

// Joiner runs one session of the joiner of one trigger until ctx ends or something fails.
func Joiner(ctx context.Context, o JoinerOptions) error {
	asked := ctx // to end; the session's own context ends with any failure
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	w, tail, err := stage.OpenWriter(ctx, o.Transport, stage.WriterOptions{Topic: o.Log, Generation: o.Generation, Retention: o.Retention})
	if err != nil {
		return err
	}
	defer w.Close()
	// What was sent can turn out void while the joiner waits for events, and nothing else would say so.
	wg.Go(func() {
		select {
		case <-w.Ended():
			cancel(w.Err())
		case <-ctx.Done():
		}
	})
	j := &joining{o: o, w: w, known: tail.NextSeq, items: features.NewItems(o.Program.Sources), last: time.Now(), at: make([]frame.Input, 0, o.Partitions+1)}
	j.joiner = trainer.NewJoiner(o.Trigger, o.Program.Sources, j.emit)
	if err := j.restore(ctx); err != nil {
		return err
	}
	j.parts = make([]*partQueue, o.Partitions)
	if list := awaited(&o); len(list) > 0 {
		from := make(map[int32]frame.Position, len(list))
		for _, p := range list {
			from[p] = j.start(partsInput(int(p)))
		}
		lanes, err := openParts(ctx, o.Transport, o.Parts, from, j.parts, func(err error) { cancel(err) })
		if err != nil {
			return err
		}
		defer lanes.Close()
	}
	j.events = j.start(eventsInput)
	if err := worker.EnterTail(ctx, o.Transport, o.Events, j.items); err != nil {
		return err
	}
	r, err := stage.OpenReader(ctx, o.Transport, o.Events, 0, j.events)
	if err != nil {
		return err
	}
	defer r.Close()
	late, stop := Grace(ctx)
	defer stop()
	j.late = late
	err = j.run(ctx, r)
	if asked.Err() == nil {
		stop() // a session that failed gives up what is under way
	}
	j.saver.wait()
	return err
}

// awaited returns the parts partitions that hold parts of the trigger's vectors. The others are not read: their
// positions would stay at the beginning, where retention passes them.
func awaited(o *JoinerOptions) []int32 {
	seen := make([]bool, o.Partitions)
	var list []int32
	if o.Trigger.Request {
		return nil
	}
	for _, part := range o.Trigger.Vector.Parts {
		prog := o.Program.Entities[part.Entity]
		for b := range prog.Buckets() {
			if p := unit.PartitionOf(prog.Name(), b, o.Partitions); !seen[p] {
				seen[p] = true
				list = append(list, p)
			}
		}
	}
	return list
}

// joining is a session.
type joining struct {
	o      JoinerOptions
	w      *stage.Writer
	joiner *trainer.Joiner
	items  *features.Items // of events
	known  uint64          // entries below are in the log already and are not emitted again
	parts  []*partQueue    // by partition; nil where none is awaited
	from   []frame.Input   // positions of the checkpoint
	events frame.Position  // before the current item
	at     []frame.Input
	pack   frame.Pack
	entry  []byte
	queue  [][]byte // entries of the current item that did not fit in the pack
	vec    []float64
	key    []byte
	last   time.Time // of the last checkpoint
	saver  saver
	late   context.Context // of checkpoints: ends a while after the session's
	err    error
}

func (j *joining) start(input string) frame.Position {
	for _, in := range j.from {
		if in.Name == input {
			return in.Pos
		}
	}
	return frame.Position{}
}

func (j *joining) run(ctx context.Context, r *stage.Reader) error {
	var it features.Item
	for {
		c, err := j.next(ctx, r)
		if err != nil {
			return cause(ctx, err)
		}
		if err := j.items.Enter(c.Meta, c.Generation); err != nil {
			return fmt.Errorf("events offset %d: %w", c.Offset, err)
		}
		items := c.Each()
		items.Skip(c.Skip)
		for i := c.Skip; items.Next(); i++ {
			j.events = c.At(i)
			if err := j.items.Decode(items.Item(), c.FirstSeq+uint64(i), &it); err != nil {
				return fmt.Errorf("events offset %d, item %d: %w", c.Offset, i, err)
			}
			if err := j.item(ctx, &it); err != nil {
				return cause(ctx, err)
			}
		}
		j.events = c.At(c.Count)
		if err := j.pass(ctx, c.NextSeq()); err != nil {
			return cause(ctx, err)
		}
		j.report(c.NextSeq())
		if time.Since(j.last) >= j.o.Every {
			if err := j.checkpoint(ctx); err != nil {
				return cause(ctx, err)
			}
		}
	}
}

// next returns the next frame of events; before it waits, everything is sent.
func (j *joining) next(ctx context.Context, r *stage.Reader) (*stage.Counted, error) {
	if ctx.Err() != nil {
		j.leave(ctx)
		return nil, ctx.Err()
	}
	if c, err := r.TryNext(); c != nil || err != nil {
		return c, err
	}
	if err := j.flush(ctx); err != nil {
		return nil, err
	}
	c, err := j.wait(ctx, r)
	if err != nil {
		j.leave(ctx)
	}
	return c, err
}

// wait waits for the next frame of events. Meanwhile it keeps a quiet log readable where its topic has a retention.
func (j *joining) wait(ctx context.Context, r *stage.Reader) (*stage.Counted, error) {
	for j.o.Retention > 0 {
		if err := j.w.Refresh(ctx, j.positions()); err != nil {
			return nil, err
		}
		waiting, stop := context.WithTimeout(ctx, min(j.o.Retention/12, time.Minute))
		c, err := r.Next(waiting)
		quiet := err != nil && waiting.Err() != nil && ctx.Err() == nil
		stop()
		if !quiet {
			return c, err
		}
	}
	return r.Next(ctx)
}

// cause prefers why a context ended over the error that its end gave.
func cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); why != nil {
		return why
	}
	return err
}

func (j *joining) item(ctx context.Context, it *features.Item) error {
	var newest int64 = features.NoTime
	if t := j.o.Trigger; !t.Request && t.Expects(it) {
		var err error
		if newest, err = j.gather(ctx, it); err != nil {
			return err
		}
	}
	j.joiner.Apply(it, j.vec, newest)
	return j.pour(ctx)
}

// pass moves on over parts of items before next that other triggers awaited, so that no position stays behind.
func (j *joining) pass(ctx context.Context, next uint64) error {
	for _, q := range j.parts {
		for q != nil {
			ok, err := q.peek(ctx, false)
			if err != nil {
				return err
			}
			if !ok || q.part.Event >= next {
				break
			}
			q.take()
		}
	}
	return nil
}

// gather awaits the parts of the trigger at this item.
func (j *joining) gather(ctx context.Context, it *features.Item) (int64, error) {
	t := j.o.Trigger
	j.vec = t.Vector.Begin(j.vec)
	var newest int64 = features.NoTime
	for i, p := range t.Vector.Parts {
		prog := j.o.Program.Entities[p.Entity]
		key, ok := prog.AppendKey(j.key[:0], it)
		j.key = key
		if !ok {
			continue
		}
		at := unit.PartitionOf(prog.Name(), prog.Bucket(key), j.o.Partitions)
		q := j.parts[at]
		if err := q.await(ctx, it.Seq, p.Entity, func() error { return j.flush(ctx) }); err != nil {
			return 0, err
		}
		if len(q.part.Values) != p.Width {
			return 0, fmt.Errorf("part of item %d, entity %s: %d values, not %d: the parts are of another generation", it.Seq, prog.Name(), len(q.part.Values), p.Width)
		}
		copy(t.Vector.Part(j.vec, i)[:p.Width], q.part.Values)
		newest = max(newest, q.part.Newest)
		q.take()
	}
	return newest, nil
}

// emit takes an entry from the joiner.
func (j *joining) emit(e *fold.Entry) {
	if e.Seq < j.known || j.err != nil {
		return
	}
	j.entry = fold.AppendEntry(j.entry[:0], e)
	if len(j.queue) == 0 {
		ok, err := j.pack.Add(j.entry)
		if err != nil {
			j.err = fmt.Errorf("example %q: %w", e.ID, err)
		}
		if ok || err != nil {
			return
		}
	}
	j.queue = append(j.queue, append([]byte(nil), j.entry...))
}

// pour sends full frames until all entries of the current item are in the pack.
func (j *joining) pour(ctx context.Context) error {
	for len(j.queue) > 0 && j.err == nil {
		if err := j.flush(ctx); err != nil {
			return err
		}
		for len(j.queue) > 0 {
			ok, err := j.pack.Add(j.queue[0])
			if err != nil || !ok {
				j.err = err
				break
			}
			j.queue = j.queue[1:]
		}
	}
	return j.err
}

// positions returns how far all inputs were read, before the current item.
func (j *joining) positions() []frame.Input {
	j.at = append(j.at[:0], frame.Input{Name: eventsInput, Pos: j.events})
	for p, q := range j.parts {
		if q != nil {
			j.at = append(j.at, frame.Input{Name: partsInput(p), Pos: q.pos})
		}
	}
	return j.at
}

func (j *joining) flush(ctx context.Context) error {
	if j.pack.Len() == 0 {
		return nil
	}
	_, err := j.w.Append(ctx, &j.pack, j.positions())
	j.pack.Reset()
	return err
}

func (j *joining) report(items uint64) {
	if j.o.Progress == nil {
		return
	}
	head, mark := j.joiner.Clock()
	j.o.Progress(JoinerProgress{Items: items, Entries: j.joiner.Next(), Pending: j.joiner.Pending(), Head: head, Watermark: mark, Stats: j.joiner.Stats()})
}

// checkpoint saves the state, between two frames of events, beside the joiner. The log must be known to hold all that the
// state has emitted.
func (j *joining) checkpoint(ctx context.Context) error {
	if j.o.Checkpoints == nil || j.joiner.Next() < j.known || j.saver.busy.Load() {
		return nil
	}
	if err := j.flush(ctx); err != nil {
		return err
	}
	if err := j.w.Drain(ctx); err != nil {
		return err
	}
	began := time.Now()
	s := codec.Saver(nil)
	j.from = append(j.from[:0], j.positions()...)
	checkpoint.Inputs(s, &j.from)
	j.joiner.State(s)
	j.last = began
	at := j.joiner.Next()
	j.saver.start(func() {
		err := j.o.Checkpoints.Save(j.late, j.o.Name, at, s.Bytes())
		j.o.Saved.tell(began, err)
		if err != nil {
			j.o.Logger.Error("joiner checkpoint not saved; recovery will fold more of the log", "trigger", j.o.Trigger.Name, "error", err)
		}
	})
	return nil
}

// leave saves what a session has that is asked to end, between two frames of events.
func (j *joining) leave(ctx context.Context) {
	if !j.o.Leave || j.events == (frame.Position{}) || ctx.Err() == nil || j.w.Err() != nil {
		return
	}
	j.saver.wait()
	if err := j.checkpoint(j.late); err != nil {
		j.o.Logger.Warn("no checkpoint at the end; the next session folds more of the log", "trigger", j.o.Trigger.Name, "error", err)
	}
}

// restore loads the newest checkpoint that the log bears out.
func (j *joining) restore(ctx context.Context) error {
	if j.o.Checkpoints == nil {
		return nil
	}
	_, err := j.o.Checkpoints.Restore(ctx, j.o.Name, func(seq uint64, state []byte) error {
		if seq > j.known {
			return fmt.Errorf("it is at entry %d, the log ends at %d", seq, j.known)
		}
		s := codec.Loader(state)
		var from []frame.Input
		checkpoint.Inputs(s, &from)
		fresh := trainer.NewJoiner(j.o.Trigger, j.o.Program.Sources, j.emit)
		fresh.State(s)
		if err := s.Close(); err != nil {
			return err
		}
		j.joiner, j.from = fresh, from
		return nil
	})
	return err
}
