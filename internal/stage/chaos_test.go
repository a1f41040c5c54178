package stage_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
)

// store is the committed state of the stage, with the fence that Redis has.
type store struct {
	mu    sync.Mutex
	owner uint64
	at    uint64 // items that the committed state has folded
}

func (s *store) commit(nonce, at uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner == nonce {
		s.at = max(s.at, at)
	}
}

func (s *store) claim() (nonce, at uint64) {
	nonce, err := stage.Nonce()
	if err != nil {
		panic(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owner = nonce
	return nonce, s.at
}

// worker runs sessions until the log has the wanted items, and is killed now and then.
func worker(ctx context.Context, tr stage.Transport, s *store, want uint64, r *rand.Rand) (sessions int, err error) {
	for {
		nonce, at := s.claim() // before the tail is read: nobody else commits from here on
		w, tail, err := stage.OpenWriter(ctx, tr, stage.WriterOptions{Topic: topic, FullEvery: 3, InFlight: 8})
		if err != nil {
			return sessions, err
		}
		sessions++
		if at > tail.NextSeq {
			w.Close()
			return sessions, fmt.Errorf("lost: the state has %d items, the log %d", at, tail.NextSeq)
		}
		if tail.NextSeq >= want {
			w.Close()
			return sessions, nil
		}
		err = session(ctx, w, nonce, s, want, r.IntN(40))
		w.Close()
		if err != nil && !errors.Is(err, stage.ErrSessionEnded) {
			return sessions, err
		}
	}
}

// session appends frames, commits what counts, and dies after some frames without a word.
func session(ctx context.Context, w *stage.Writer, nonce uint64, s *store, want uint64, life int) error {
	upTo := map[uint64]uint64{}
	for range life {
		if w.NextSeq() >= want {
			break
		}
		p, after := pack(w.NextSeq(), 1+life%5)
		n, err := w.Append(ctx, p, after)
		if err != nil {
			return err
		}
		upTo[n] = w.NextSeq()
		s.commit(nonce, upTo[w.Counted()])
	}
	if life%2 == 0 {
		return nil // what is in flight is abandoned with the client
	}
	if err := w.Drain(ctx); err != nil {
		return err
	}
	s.commit(nonce, upTo[w.Counted()])
	return nil
}

// Two processes that both believe they own the partition, killed clients, moved leaders and ambiguous
// answers: every item is in the log once, and no commit is ahead of it.
func TestChaos(t *testing.T) {
	const want = 1500
	tr, k := start(t, 1)
	ctx := deadline(t)
	chaos := make(chan struct{})
	var bystander sync.WaitGroup
	bystander.Go(func() { shake(ctx, tr, k, chaos) })
	var s store
	var workers sync.WaitGroup
	errs, sessions := make([]error, 2), make([]int, 2)
	for i := range errs {
		workers.Go(func() {
			sessions[i], errs[i] = worker(ctx, tr, &s, want, rand.New(rand.NewPCG(uint64(i), 9)))
		})
	}
	workers.Wait()
	close(chaos)
	bystander.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	all := read(t, tr, frame.Position{}, 0, want)
	if s.at > want+5 {
		t.Errorf("committed %d items of %d", s.at, want)
	}
	t.Logf("%d sessions, %d frames count, the last at offset %d", sessions[0]+sessions[1], len(all), all[len(all)-1].Offset)
}

// shake injects a fault whenever some frames have passed.
func shake(ctx context.Context, tr stage.Transport, k *kfake.Cluster, stop chan struct{}) {
	r := rand.New(rand.NewPCG(5, 5))
	faults := []*kerr.Error{kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend, kerr.NotLeaderForPartition, kerr.InvalidRecord, kerr.KafkaStorageError}
	log, err := stage.OpenReader(ctx, tr, topic, 0, frame.Position{})
	if err != nil {
		return
	}
	defer log.Close()
	sub, cancel := context.WithCancel(ctx)
	go func() { <-stop; cancel() }()
	for {
		for range 1 + r.IntN(20) {
			if _, err := log.Next(sub); err != nil {
				return
			}
		}
		k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: faults[r.IntN(len(faults))]})
	}
}

// The control: with "acked = counted" a zombie's late frame makes the owner lose what it commits. The
// owner below does all the rest right: it claims, loads, reads the tail, and commits after the ack.
func TestAckedIsNotEnough(t *testing.T) {
	tr, _ := start(t, 1)
	ctx := deadline(t)
	zombie, _ := open(t, tr)
	var s store
	nonce, at := s.claim()
	naive := openNaive(t, tr)
	appendItems(t, zombie, 10) // was under way all the time, and counts
	if err := zombie.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	if at != 0 || naive.chain.NextSeq() != 0 {
		t.Fatal("the owner has not started at the beginning")
	}
	s.commit(nonce, naive.produce(ctx, t, 20))
	if records := end(t, tr); records != 2 {
		t.Fatalf("the log has %d records, want both", records)
	}
	_, tail := open(t, tr)
	if s.at != 20 || tail.NextSeq != 10 {
		t.Errorf("the naive owner has committed %d items of which %d count: the control loses nothing", s.at, tail.NextSeq)
	}
}

// naiveWriter links its frames like a Writer and believes every ack.
type naiveWriter struct {
	cl    *kgo.Client
	chain *frame.Chain
}

func openNaive(t *testing.T, tr stage.Transport) *naiveWriter {
	t.Helper()
	log, err := stage.OpenLog(tr, topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	tail, err := frame.ReadTail(deadline(t), log)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := tr.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return &naiveWriter{cl, frame.NewChain(99, &tail, 0, 7, 4)}
}

// produce returns the item after those that it believes to be in the log.
func (w *naiveWriter) produce(ctx context.Context, t *testing.T, n int) uint64 {
	t.Helper()
	p, after := pack(w.chain.NextSeq(), n)
	var f frame.Frame
	w.chain.Seal(&f, p, after, frame.Anchor{})
	b, err := f.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cl.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: b}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return w.chain.NextSeq()
}

func end(t *testing.T, tr stage.Transport) int64 {
	t.Helper()
	log, err := stage.OpenLog(tr, topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	n, err := log.End(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestProducerFlushesAndReportsTheFirstFailure(t *testing.T) {
	tr, k := start(t, 3)
	p, err := stage.OpenProducer(tr)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx := deadline(t)
	for i := range int32(3) {
		p.Send(ctx, &kgo.Record{Topic: topic, Partition: i, Value: []byte("v")})
	}
	keyed := []*kgo.Record{
		{Topic: topic, Partition: -1, Key: []byte("k"), Value: []byte("v")},
		{Topic: topic, Partition: -1, Key: []byte("k"), Value: []byte("w")},
	}
	for _, r := range keyed {
		p.Send(ctx, r)
	}
	if err := p.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	var sum int64
	for i := range int32(3) {
		sum += k.PartitionInfo(topic, i).HighWatermark
	}
	if sum != 5 || keyed[0].Partition != keyed[1].Partition {
		t.Errorf("%d records are there, want 5; one key went to partitions %d and %d", sum, keyed[0].Partition, keyed[1].Partition)
	}
	k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.InvalidRecord})
	p.Send(ctx, &kgo.Record{Topic: topic, Value: []byte("refused")})
	if err := p.Flush(ctx); !errors.Is(err, kerr.InvalidRecord) {
		t.Errorf("flush after a refused record: %v", err)
	}
	if err := p.SendSync(ctx, &kgo.Record{Topic: topic, Value: []byte("again")}); err != nil {
		t.Errorf("record after the failure: %v", err)
	}
	if err := p.Flush(ctx); err != nil {
		t.Errorf("flush reports an old failure: %v", err)
	}
}
