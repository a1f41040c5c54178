package stage

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/internal/frame"
)

// WriterOptions describe a producing session on one partition.
type WriterOptions struct {
	Topic      string
	Partition  int32
	Shard      uint32
	Generation uint64
	// FullEvery is the number of frames from one with full positions to the next, 1 to 256; 64 when
	// 0. A tail read folds about so many frames.
	FullEvery int
	// InFlight bounds the frames that are sent and not known to count, 32 when 0: at most 16 MB.
	InFlight int
	// Sender sends the frames; nil: a client of its own.
	Sender *Sender
	// Meta is asked for what each frame with full positions says besides its items; nil: nothing. Append calls it.
	Meta func() []byte
	// Retention is for how long the topic keeps records, 0: for ever. A frame with full positions goes out every third of it: what is
	// left of the log then always says where it ends. Refresh writes it when nothing else is written.
	Retention time.Duration
	Now       func() time.Time // of this machine; nil: time.Now
	// Known is the tail at an earlier place, for a log of which nothing is left that a tail can be read from; nil: none.
	Known *frame.Tail
}

// Sender is a producing client that several writers share: frames that they send at the same time, to leaders on the
// same broker, go in one request.
type Sender struct{ cl *kgo.Client }

// OpenSender opens a client for so many writers with the default InFlight. Close it after them.
func OpenSender(t Transport, writers int) (*Sender, error) {
	// One request at a time: what comes while it is under way goes together in the next.
	cl, err := t.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(writers*defaultInFlight+1),
		kgo.MaxProduceRequestsInflightPerBroker(1))
	if err != nil {
		return nil, err
	}
	return &Sender{cl}, nil
}

// Close drops what is not sent yet.
func (s *Sender) Close() { s.cl.Close() }

const (
	defaultFullEvery = 64
	defaultInFlight  = 32
)

// Writer is a producing session: a chain of frames under a random nonce. Append, Packed and Close
// belong to one goroutine, the rest is safe for all.
type Writer struct {
	o      WriterOptions
	cl     *kgo.Client
	log    *Log
	cancel context.CancelFunc
	loop   sync.WaitGroup
	slots  chan struct{}
	acks   chan ack
	chain  *frame.Chain
	fresh  bool          // there was no frame when the session began
	full   time.Time     // when the last frame with full positions was sent; zero: before this session
	ledger *frame.Ledger // the loop's
	buf    frame.Frame

	mu      sync.Mutex
	anchor  frame.Anchor
	place   frame.Position
	sent    uint64
	counted uint64
	err     error
	changed chan struct{} // closed and replaced at every change
	ended   chan struct{}
}

type ack struct {
	sent   frame.Sent
	offset int64
	err    error
}

// OpenWriter draws a nonce, reads the tail of the partition and opens the session. Claim the committed
// state before and load it then: from the claim on nobody else commits, so the state cannot be ahead
// of a tail that is read later, and one that is ahead all the same means that the log was replaced:
// stop. The tail says how far the inputs were read and which item comes next; fold again, without
// emitting, what lies between the state and it. Call Close.
func OpenWriter(ctx context.Context, t Transport, o WriterOptions) (*Writer, *frame.Tail, error) {
	if o.FullEvery == 0 {
		o.FullEvery = defaultFullEvery
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.InFlight <= 0 {
		o.InFlight = defaultInFlight
	}
	nonce, err := Nonce()
	if err != nil {
		return nil, nil, err
	}
	log, err := OpenLog(t, o.Topic, o.Partition)
	if err != nil {
		return nil, nil, err
	}
	tail, err := frame.ReadTail(ctx, log)
	if errors.Is(err, frame.ErrCut) && o.Known != nil {
		tail, err = frame.ReadTailFrom(ctx, log, *o.Known)
	}
	if err != nil {
		log.Close()
		return nil, nil, fmt.Errorf("tail of %s/%d: %w", o.Topic, o.Partition, err)
	}
	sender := o.Sender
	if sender == nil {
		cl, err := t.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(o.InFlight+1))
		if err != nil {
			log.Close()
			return nil, nil, err
		}
		sender = &Sender{cl}
	}
	w := &Writer{
		o: o, cl: sender.cl, log: log,
		slots: make(chan struct{}, o.InFlight), acks: make(chan ack, o.InFlight),
		fresh:  tail.Last.Zero(),
		chain:  frame.NewChain(nonce, &tail, o.Shard, o.Generation, o.FullEvery),
		ledger: frame.NewLedger(nonce, &tail),
		anchor: tail.Anchor, place: frame.Position{Offset: tail.End, Last: tail.Last},
		changed: make(chan struct{}), ended: make(chan struct{}),
	}
	loop, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	w.loop.Go(func() { w.run(loop) })
	return w, &tail, nil
}

// Nonce draws a random number that is not zero, for a session or an owner.
func Nonce() (uint64, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return 0, fmt.Errorf("random nonce: %w", err)
	}
	return binary.LittleEndian.Uint64(b[:]) | 1, nil
}

// NextSeq is the ordinal that the first item of the next frame will have.
func (w *Writer) NextSeq() uint64 { return w.chain.NextSeq() }

// Append sends the items of p as one frame, with the positions after them of the inputs that moved.
// It returns the number of the frame in this session, from 1 on, waits while InFlight frames are under
// way, and copies all it needs, so p can be Reset. After ErrSessionEnded no frame is taken any more.
func (w *Writer) Append(ctx context.Context, p *frame.Pack, after []frame.Input) (uint64, error) {
	select {
	case <-w.ended:
		return 0, w.Err()
	default:
	}
	select {
	case w.slots <- struct{}{}:
	case <-w.ended:
		return 0, w.Err()
	case <-ctx.Done():
		return 0, fmt.Errorf("append to %s/%d: %w", w.o.Topic, w.o.Partition, ctx.Err())
	}
	w.mu.Lock()
	anchor := w.anchor
	w.mu.Unlock()
	now := w.o.Now()
	if w.stale(now) {
		w.chain.Renew()
	}
	w.chain.Seal(&w.buf, p, after, anchor)
	if w.buf.Full {
		w.full = now
		if w.o.Meta != nil {
			w.buf.Meta = w.o.Meta()
		}
	}
	b, err := w.buf.Append(make([]byte, 0, p.Size()+4096))
	if err != nil {
		return 0, w.end(err)
	}
	sent := frame.Sent{ID: w.buf.ID, Prev: w.buf.Prev, Full: w.buf.Full}
	w.mu.Lock()
	w.sent = sent.ID.Number
	w.mu.Unlock()
	w.cl.TryProduce(context.Background(), &kgo.Record{Topic: w.o.Topic, Partition: w.o.Partition, Value: b, Timestamp: now},
		func(r *kgo.Record, err error) { w.acks <- ack{sent, r.Offset, err} })
	return sent.ID.Number, nil
}

// stale reports whether the newest frame with full positions is older than a third of the retention, or not known to be younger.
func (w *Writer) stale(now time.Time) bool {
	return w.o.Retention > 0 && now.Sub(w.full) >= w.o.Retention/3
}

// Refresh appends a frame without items, which means nothing to those who fold the log, when a third of the retention has passed since the
// newest frame with full positions. Stages call it now and then while they have nothing to append. A log in which nothing was ever
// written is left alone.
func (w *Writer) Refresh(ctx context.Context, after []frame.Input) error {
	if w.fresh && w.full.IsZero() || !w.stale(w.o.Now()) {
		return nil
	}
	_, err := w.Append(ctx, &frame.Pack{}, after)
	return err
}

// run turns acks into knowledge, in their order.
func (w *Writer) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-w.acks:
			if w.Err() == nil {
				w.settle(ctx, a)
			}
			<-w.slots
		}
	}
}

func (w *Writer) settle(ctx context.Context, a ack) {
	err := a.err
	if err == nil {
		err = w.ledger.Ack(ctx, a.sent, a.offset, w.log)
	}
	if err != nil {
		_ = w.end(explain(err))
		return
	}
	w.mu.Lock()
	w.counted, w.anchor, w.place = a.sent.ID.Number, w.ledger.Anchor(), w.ledger.Place()
	close(w.changed)
	w.changed = make(chan struct{})
	w.mu.Unlock()
}

// end closes the session with its first error and returns that.
func (w *Writer) end(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = fmt.Errorf("%s/%d: %w: %w", w.o.Topic, w.o.Partition, ErrSessionEnded, err)
		close(w.ended)
		close(w.changed)
		w.changed = make(chan struct{})
	}
	return w.err
}

// Sent is the number of the newest frame that was sent, 0 when there is none.
func (w *Writer) Sent() uint64 { w.mu.Lock(); defer w.mu.Unlock(); return w.sent }

// Counted is the number of the newest frame that is known to count; all before it count too.
func (w *Writer) Counted() uint64 { w.mu.Lock(); defer w.mu.Unlock(); return w.counted }

// Place is behind the newest frame that is known to count.
func (w *Writer) Place() frame.Position { w.mu.Lock(); defer w.mu.Unlock(); return w.place }

// Anchor is the newest frame with full positions that is known to count.
func (w *Writer) Anchor() frame.Anchor { w.mu.Lock(); defer w.mu.Unlock(); return w.anchor }

// Inputs returns the full positions of the inputs after the last frame that was appended, by name; borrowed until the next
// Append. It belongs to the goroutine that appends.
func (w *Writer) Inputs() []frame.Input { return w.chain.Inputs() }

// Err is why the session ended, nil while it goes on.
func (w *Writer) Err() error { w.mu.Lock(); defer w.mu.Unlock(); return w.err }

// Ended is closed when the session ends.
func (w *Writer) Ended() <-chan struct{} { return w.ended }

// Changed is closed at the next change of Counted or Err. Take it first, look then, and wait last.
func (w *Writer) Changed() <-chan struct{} { w.mu.Lock(); defer w.mu.Unlock(); return w.changed }

// WaitCounted waits until frame n of this session is known to count.
func (w *Writer) WaitCounted(ctx context.Context, n uint64) error {
	for {
		w.mu.Lock()
		counted, err, changed := w.counted, w.err, w.changed
		w.mu.Unlock()
		switch {
		case counted >= n:
			return nil
		case err != nil:
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("frame %d of %s/%d: %w", n, w.o.Topic, w.o.Partition, ctx.Err())
		}
	}
}

// Drain waits until all that was sent is known to count.
func (w *Writer) Drain(ctx context.Context) error { return w.WaitCounted(ctx, w.Sent()) }

var errClosed = errors.New("writer is closed")

// Close ends the session and the clients of its own. What is under way may still reach the log and count: only
// Drain tells.
func (w *Writer) Close() {
	_ = w.end(errClosed)
	w.cancel()
	if w.o.Sender == nil {
		w.cl.Close()
	}
	w.loop.Wait()
	w.log.Close()
}
