package stage_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const topic = "log"

// start brings up a broker with one empty log.
func start(t testing.TB, partitions int32) (stage.Transport, *kfake.Cluster) {
	t.Helper()
	s, err := embedded.Start(embedded.Options{NoStore: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	tr := stage.Transport{Brokers: s.Brokers, Local: true}
	if err := stage.EnsureTopics(deadline(t), tr, stage.TopicSpec{Name: topic, Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	return tr, s.Kafka
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func open(t testing.TB, tr stage.Transport) (*stage.Writer, *frame.Tail) {
	t.Helper()
	w, tail, err := stage.OpenWriter(deadline(t), tr, stage.WriterOptions{Topic: topic, Generation: 7, FullEvery: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w, tail
}

// item i of the log is the number i; the input is at i after it.
func pack(from uint64, n int) (*frame.Pack, []frame.Input) {
	p := new(frame.Pack)
	for i := range uint64(n) {
		if ok, err := p.Add(binary.AppendUvarint(nil, from+i)); !ok || err != nil {
			panic("item does not fit")
		}
	}
	return p, []frame.Input{{Name: "in", Pos: frame.Position{Offset: int64(from) + int64(n)}}}
}

func appendItems(t testing.TB, w *stage.Writer, n int) uint64 {
	t.Helper()
	p, after := pack(w.NextSeq(), n)
	number, err := w.Append(deadline(t), p, after)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// read takes counted frames from a position until the log has yielded item want-1, and checks that
// every item comes once and in order.
func read(t testing.TB, tr stage.Transport, from frame.Position, first, want uint64) []*stage.Counted {
	t.Helper()
	ctx := deadline(t)
	r, err := stage.OpenReader(ctx, tr, topic, 0, from)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var all []*stage.Counted
	for next := first; next < want; {
		c, err := r.Next(ctx)
		if err != nil {
			t.Fatalf("item %d: %v", next, err)
		}
		all = append(all, c)
		it := c.Each()
		it.Skip(c.Skip)
		for it.Next() {
			if got, _ := binary.Uvarint(it.Item()); got != next {
				t.Fatalf("frame %v at offset %d has item %d, want %d", c.ID, c.Offset, got, next)
			}
			next++
		}
	}
	if c, err := r.TryNext(); c != nil || err != nil {
		t.Fatalf("behind the last frame: %v, %v", c, err)
	}
	return all
}

func TestReaderSaysHowFarItIsBehind(t *testing.T) {
	tr, _ := start(t, 1)
	w, _ := open(t, tr)
	for range 100 { // more than one poll
		appendItems(t, w, 1)
	}
	if err := w.Drain(deadline(t)); err != nil {
		t.Fatal(err)
	}
	r, err := stage.OpenReader(deadline(t), tr, topic, 0, frame.Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range 100 {
		if _, err := r.Next(deadline(t)); err != nil {
			t.Fatal(err)
		}
		if got := r.Behind(); got != int64(99-i) {
			t.Fatalf("after frame %d of 100: %d behind", i+1, got)
		}
	}
}

func TestWriteAndReadFromEveryPosition(t *testing.T) {
	tr, _ := start(t, 1)
	w, tail := open(t, tr)
	if tail.NextSeq != 0 || !tail.Last.Zero() {
		t.Fatalf("tail of a new log: %+v", tail)
	}
	for range 10 {
		appendItems(t, w, 3)
	}
	if err := w.Drain(deadline(t)); err != nil || w.Counted() != 10 {
		t.Fatalf("counted %d frames: %v", w.Counted(), err)
	}
	for _, c := range read(t, tr, frame.Position{}, 0, 30) {
		for i := range c.Count + 1 {
			if at := c.FirstSeq + uint64(i); at < 30 {
				read(t, tr, c.At(i), at, 30)
			}
		}
		if c.Offset == 3 {
			break // every kind of position has been tried
		}
	}
	_, tail = open(t, tr)
	if in, ok := tail.Input("in"); tail.NextSeq != 30 || !ok || in.Offset != 30 || tail.Gen != 7 || tail.Offset != 9 {
		t.Errorf("tail: %+v", tail)
	}
}

func TestSecondWriterFencesTheFirst(t *testing.T) {
	tr, _ := start(t, 1)
	a, _ := open(t, tr)
	appendItems(t, a, 1)
	if err := a.Drain(deadline(t)); err != nil {
		t.Fatal(err)
	}
	b, _ := open(t, tr)
	appendItems(t, b, 1)
	if err := b.Drain(deadline(t)); err != nil {
		t.Fatalf("new writer: %v", err)
	}
	n := appendItems(t, a, 5) // acked by the broker, and void
	err := a.WaitCounted(deadline(t), n)
	if !errors.Is(err, stage.ErrSessionEnded) || !errors.Is(err, stage.ErrFenced) || stage.Final(err) {
		t.Errorf("old writer: %v, want it fenced", err)
	}
	if a.Counted() != 1 {
		t.Errorf("old writer counts %d frames, want 1", a.Counted())
	}
	p, after := pack(9, 1)
	if _, err := a.Append(deadline(t), p, after); !errors.Is(err, stage.ErrFenced) {
		t.Errorf("append after the end: %v", err)
	}
	appendItems(t, b, 1) // comes after a void frame: b must read it to know
	if err := b.Drain(deadline(t)); err != nil {
		t.Errorf("new writer after the zombie's frame: %v", err)
	}
	if got := read(t, tr, frame.Position{}, 0, 3); len(got) != 3 {
		t.Errorf("%d frames count, want 3", len(got))
	}
}

// A produce that was applied and answered with an error is sent again; the log holds it once or the
// second copy is void.
func TestAppliedAndAnsweredWithAnError(t *testing.T) {
	for _, fault := range []*kerr.Error{kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.NotLeaderForPartition, kerr.InvalidRecord} {
		t.Run(fault.Message, func(t *testing.T) {
			tr, k := start(t, 1)
			k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: fault, Count: 2})
			w, _ := open(t, tr)
			for next := uint64(0); next < 20; {
				p, after := pack(w.NextSeq(), 1)
				n, err := w.Append(deadline(t), p, after)
				if err == nil {
					err = w.WaitCounted(deadline(t), n)
				}
				if err == nil {
					next = w.NextSeq()
					continue
				}
				if !errors.Is(err, stage.ErrSessionEnded) {
					t.Fatal(err)
				}
				var tail *frame.Tail
				w, tail = open(t, tr)
				if next = tail.NextSeq; next > 20 {
					t.Fatalf("tail: %+v", tail)
				}
			}
			read(t, tr, frame.Position{}, 0, 20)
		})
	}
}

// Records of strangers, aborted ones and control records stand between the frames.
func TestAckedBehindAHole(t *testing.T) {
	tr, _ := start(t, 1)
	w, _ := open(t, tr)
	for i := range 12 {
		appendItems(t, w, 2)
		if err := w.Drain(deadline(t)); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		stranger(t, tr, i%2 == 0)
	}
	read(t, tr, frame.Position{}, 0, 24)
	_, tail := open(t, tr)
	if tail.NextSeq != 24 || tail.End <= tail.Offset+1 {
		t.Errorf("tail: %+v", tail)
	}
}

func stranger(t *testing.T, tr stage.Transport, commit bool) {
	t.Helper()
	ctx := deadline(t)
	cl, err := tr.Client(kgo.TransactionalID(fmt.Sprint("stranger ", commit)), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("not a frame")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := cl.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
		t.Fatal(err)
	}
}

func TestCutHead(t *testing.T) {
	tr, k := start(t, 1)
	w, _ := open(t, tr)
	for range 40 {
		appendItems(t, w, 1)
		if err := w.Drain(deadline(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.DeleteRecords(topic, 0, 10); err != nil {
		t.Fatal(err)
	}
	_, err := stage.OpenReader(deadline(t), tr, topic, 0, frame.Position{Offset: 9})
	if !errors.Is(err, stage.ErrPassed) || !stage.Final(err) {
		t.Errorf("reader before the head: %v", err)
	}
	_, err = stage.OpenReader(deadline(t), tr, topic, 0, frame.Position{Offset: 41})
	if !errors.Is(err, frame.ErrDiverged) || !stage.Final(err) {
		t.Errorf("reader behind the end: %v", err)
	}
	log, err := stage.OpenLog(tr, topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	at, err := frame.Start(deadline(t), log)
	if err != nil || at.Offset < 10 || at.Offset > 14 {
		t.Fatalf("start of the cut log: %+v, %v", at, err)
	}
	read(t, tr, at, uint64(at.Offset), 40)
	if _, tail := open(t, tr); tail.NextSeq != 40 {
		t.Errorf("tail: %+v", tail)
	}
	if err := k.DeleteRecords(topic, 0, 40); err != nil {
		t.Fatal(err)
	}
	_, _, err = stage.OpenWriter(deadline(t), tr, stage.WriterOptions{Topic: topic})
	if !errors.Is(err, frame.ErrCut) || !stage.Final(err) {
		t.Errorf("writer on a log with nothing left: %v", err)
	}
}

func TestMissingTopicIsTriedAgain(t *testing.T) {
	tr, _ := start(t, 1)
	_, err := stage.OpenReader(deadline(t), tr, "nowhere", 0, frame.Position{})
	if !errors.Is(err, stage.ErrMissing) || stage.Final(err) {
		t.Errorf("reader of a topic that is not there: %v", err)
	}
	_, _, err = stage.OpenWriter(deadline(t), tr, stage.WriterOptions{Topic: topic, Partition: 3})
	if !errors.Is(err, stage.ErrMissing) || stage.Final(err) {
		t.Errorf("writer of a partition that is not there: %v", err)
	}
}

func TestTopicMadeAnewEndsAnOpenReader(t *testing.T) {
	tr, k := start(t, 1)
	w, _ := open(t, tr)
	appendItems(t, w, 1)
	if err := w.Drain(deadline(t)); err != nil {
		t.Fatal(err)
	}
	r, err := stage.OpenReader(deadline(t), tr, topic, 0, frame.Position{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if err := k.DeleteTopic(topic); err != nil {
		t.Fatal(err)
	}
	if err := k.CreateTopic(topic, 1, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(deadline(t)); !stage.Final(err) {
		t.Errorf("topic made anew under a reader: %v", err)
	}
}

func TestAppendWaitsForRoomAndForItsContext(t *testing.T) {
	tr, k := start(t, 1)
	held := k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotLeaderForPartition, Count: -1})
	w, _, err := stage.OpenWriter(deadline(t), tr, stage.WriterOptions{Topic: topic, InFlight: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	appendItems(t, w, 1)
	appendItems(t, w, 1)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p, after := pack(2, 1)
	if _, err := w.Append(ctx, p, after); !errors.Is(err, context.Canceled) {
		t.Fatalf("third frame: %v, want it to wait for its context", err)
	}
	if w.Counted() != 0 {
		t.Fatal("frames count before they are acked")
	}
	held.Remove()
	appendItems(t, w, 1)
	if err := w.Drain(deadline(t)); err != nil {
		t.Fatal(err)
	}
	read(t, tr, frame.Position{}, 0, 3)
}
