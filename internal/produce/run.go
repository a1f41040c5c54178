package produce

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
)

// Record is one record on its way into a topic.
type Record struct {
	Source    int    // index into the project's Inputs
	Time      int64  // event time, µs; the record's timestamp is the same in ms
	Partition int32  // below 0: dealt by key, or by the ordinal of the record in its source where it has none
	Key       []byte // Key and Value must never be written again
	Value     []byte
}

// Stream gives records in event time.
type Stream interface {
	// Next fills rec, or returns io.EOF after the last record.
	Next(rec *Record) error
	// Mark returns the greatest T such that no record of the source older than T comes with or after the one
	// that Next filled last, in µs; ingest.NoMoreTime when none does.
	Mark(source int) int64
}

// Progress is how far a run is.
type Progress struct {
	Records int64 // sent
	Time    int64 // event time of the newest, µs, or features.NoTime
}

// Options describe a run.
type Options struct {
	Transport stage.Transport
	Program   *program.Program
	Stream    Stream
	// Due says when the n-th record (from 0) with event time t is to be sent; the zero time: at once. nil: all
	// at once. Rows of tables before the first event are not paced. See AtSpeed and AtRate.
	Due func(n, t int64) time.Time
	// OnAck is told of every record (marks left out) that the broker has acknowledged, from goroutines of the
	// client: it must be quick and safe for several. nil: nobody asks.
	OnAck func(source int, partition int32, offset int64, acked time.Time)
	// OnProgress is told every 1,000 records and at the end. nil: nobody asks.
	OnProgress func(Progress)
}

const (
	markEvery   = 5 * time.Millisecond // paced records go as often too: those of 5 ms together, and their marks with them
	markRecords = 1000
	drain       = 10 * time.Second
	buffered    = 50_000 // records that wait for the broker; beyond, Run waits for it
)

// Run sends the records of a stream and returns how many, when the broker has acknowledged all. When ctx
// ends it stops reading, waits for what is under way at most 10 s, and returns context.Cause: what it
// wrote stays a valid beginning. Errors name the topic, or are the stream's own.
func Run(ctx context.Context, o Options) (Progress, error) {
	// One request at a time: what comes while it is under way, marks for all topics at once, goes together in the next. A connection that
	// ends before its first answer is a broker that restarts: whoever made the topics has shown that address and login are right.
	cl, err := o.Transport.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(buffered),
		kgo.MaxProduceRequestsInflightPerBroker(1), kgo.AlwaysRetryEOF())
	if err != nil {
		return Progress{Time: features.NoTime}, err
	}
	defer cl.Close()
	r := &run{Options: o, cl: cl, inputs: o.Program.Project.Inputs(), progress: Progress{Time: features.NoTime}, failed: make(chan struct{})}
	r.rows, r.marked = make([]int64, len(r.inputs)), make([]int64, len(r.inputs))
	for i := range r.marked {
		r.marked[i] = features.NoTime
	}
	sending, cancel := drained(ctx)
	defer cancel()
	r.sending = sending
	err = r.all(ctx)
	if ferr := cl.Flush(sending); ferr != nil && err == nil {
		err = fmt.Errorf("flush: %w", ferr)
	}
	if sent := r.sendError(); sent != nil {
		err = sent
	}
	r.report()
	return r.progress, err
}

// drained returns a context that outlives ctx by drain, so that what is under way is finished.
func drained(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(drain, cancel)
		context.AfterFunc(out, func() { timer.Stop() })
	})
	return out, func() { stop(); cancel() }
}

// run is one call of Run. Its fields belong to the calling goroutine but for those under mu.
type run struct {
	Options
	cl       *kgo.Client
	sending  context.Context // of what is sent: it outlives the run's own
	inputs   []*project.Source
	rows     []int64 // records of each source so far
	marked   []int64 // newest mark of each source
	since    int     // records since the last marks
	last     time.Time
	progress Progress
	begun    bool // an event was seen, not only rows of tables

	mu     sync.Mutex
	err    error // first error of the client
	failed chan struct{}
}

func (r *run) all(ctx context.Context) error {
	var rec Record
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if r.sendError() != nil {
			return nil // Run returns it
		}
		err := r.Stream.Next(&rec)
		if errors.Is(err, io.EOF) {
			r.end()
			return nil
		}
		if err != nil {
			return err
		}
		if r.progress.Records == 0 || r.due() {
			r.marks(rec.Time)
		}
		r.begun = r.begun || !r.inputs[rec.Source].Table
		if r.Due != nil && r.begun {
			if err := r.wait(ctx, r.Due(r.progress.Records, rec.Time), rec.Time); err != nil {
				return err
			}
		}
		r.send(&rec)
	}
}

// due reports whether marks are to be written before the next record.
func (r *run) due() bool {
	return r.since >= markRecords || r.since > 0 && time.Since(r.last) >= markEvery
}

// wait waits until a record of event time t is due. Before it does, the marks say that nothing older comes: they share a request with
// the records that they are about.
func (r *run) wait(ctx context.Context, until time.Time, t int64) error {
	if until.IsZero() || time.Until(until) <= 0 {
		return nil
	}
	if r.since > 0 {
		r.marks(t)
	}
	if next := r.last.Add(markEvery); next.After(until) {
		until = next
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.failed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// marks tells every partition what cannot come any more, before a record of event time t.
func (r *run) marks(t int64) {
	for i, in := range r.inputs {
		m := r.Stream.Mark(i)
		if !in.Table || m != ingest.NoMoreTime {
			m = min(m, t)
		}
		if r.marked[i] < ingest.NoMoreTime {
			r.mark(i, m)
		}
	}
	r.since, r.last = 0, time.Now()
}

func (r *run) end() {
	for i := range r.inputs {
		if r.marked[i] < ingest.NoMoreTime {
			r.mark(i, ingest.NoMoreTime)
		}
	}
}

func (r *run) mark(source int, t int64) {
	in := r.inputs[source]
	key, headers := ingest.MarkRecord(t, in.Table)
	for p := range int32(in.Partitions) {
		out := &kgo.Record{Topic: in.Topic, Partition: p, Key: key}
		if key != nil { // a null value would be a tombstone, which compaction drops
			out.Value = headers[0].Value
		}
		for _, h := range headers {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		r.cl.Produce(r.sending, out, r.acked)
	}
	r.marked[source] = t
}

func (r *run) send(rec *Record) {
	in := r.inputs[rec.Source]
	p := rec.Partition
	if p < 0 {
		p = ingest.PartitionOf(rec.Key, r.rows[rec.Source], int32(in.Partitions))
	}
	r.rows[rec.Source]++
	source := rec.Source
	r.cl.Produce(r.sending, &kgo.Record{Topic: in.Topic, Partition: p, Key: rec.Key, Value: rec.Value, Timestamp: time.UnixMilli(rec.Time / 1000)},
		func(out *kgo.Record, err error) {
			r.acked(out, err)
			if err == nil && r.OnAck != nil {
				r.OnAck(source, out.Partition, out.Offset, time.Now())
			}
		})
	r.since++
	r.progress.Records++
	r.progress.Time = max(r.progress.Time, rec.Time)
	if r.progress.Records%markRecords == 0 {
		r.report()
	}
}

func (r *run) report() {
	if r.OnProgress != nil {
		r.OnProgress(r.progress)
	}
}

func (r *run) acked(rec *kgo.Record, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = fmt.Errorf("produce to topic %s, partition %d: %w", rec.Topic, rec.Partition, err)
		close(r.failed)
	}
}

func (r *run) sendError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}
