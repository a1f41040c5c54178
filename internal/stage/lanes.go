package stage

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/internal/frame"
)

// A lane that holds more than laneHigh bytes is not fetched until it holds less than laneLow. Pausing drops what kgo has
// fetched ahead, so it must be rare.
const (
	laneHigh = 4 << 20
	laneLow  = 1 << 20
	// laneWait bounds a fetch that finds nothing: a lane that is resumed is asked for with the next fetch only.
	laneWait = 50 * time.Millisecond
)

// Lanes reads several partitions of one topic with one client: one fetch asks for all of them. Each partition has a
// bounded lane of its own, so that one that nobody takes from does not hold up the others.
type Lanes struct {
	cl    *kgo.Client
	topic string
	lanes map[int32]*lane
	fail  func(error)
	run   sync.WaitGroup
	stop  context.CancelFunc
}

// OpenLanes starts reading partitions from positions, as OpenReader does. fail is told of the error that ends it. Call Close.
func OpenLanes(ctx context.Context, t Transport, topic string, from map[int32]frame.Position, fail func(error)) (*Lanes, error) {
	offsets := make(map[int32]kgo.Offset, len(from))
	for p, pos := range from {
		offsets[p] = kgo.NewOffset().At(pos.Offset)
	}
	cl, err := t.Client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}), kgo.FetchMaxWait(laneWait))
	if err != nil {
		return nil, err
	}
	if err := checkStarts(ctx, kadm.NewClient(cl), topic, from); err != nil {
		cl.Close()
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	l := &Lanes{cl: cl, topic: topic, lanes: make(map[int32]*lane, len(from)), fail: fail, stop: stop}
	for p := range from {
		l.lanes[p] = &lane{of: l, partition: p, ready: make(chan struct{}, 1)}
	}
	l.run.Go(func() { l.poll(ctx) })
	return l, nil
}

// checkStarts checks that the partitions hold the positions to start from.
func checkStarts(ctx context.Context, adm *kadm.Client, topic string, from map[int32]frame.Position) error {
	first, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("offsets of %s: %w", topic, err)
	}
	end, err := adm.ListCommittedOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("offsets of %s: %w", topic, err)
	}
	for p, pos := range from {
		name := fmt.Sprintf("%s/%d", topic, p)
		a, ok := first.Lookup(topic, p)
		b, also := end.Lookup(topic, p)
		switch {
		case !ok || !also:
			return fmt.Errorf("offsets of %s: %w", name, ErrMissing)
		case a.Err != nil:
			return fmt.Errorf("offsets of %s: %w", name, explain(a.Err))
		case b.Err != nil:
			return fmt.Errorf("offsets of %s: %w", name, explain(b.Err))
		}
		if err := within(name, pos.Offset, a.Offset, b.Offset); err != nil {
			return err
		}
	}
	return nil
}

// Reader yields the counted frames of one of the partitions, from the position that OpenLanes was given for it. Ask once
// for each partition.
func (l *Lanes) Reader(partition int32, from frame.Position) *Reader {
	return newReader(l.lanes[partition], fmt.Sprintf("%s/%d", l.topic, partition), from)
}

// Close ends the client and what fills the lanes.
func (l *Lanes) Close() {
	l.stop()
	l.cl.Close()
	l.run.Wait()
}

// poll fills the lanes until ctx ends or fetching fails.
func (l *Lanes) poll(ctx context.Context) {
	for ctx.Err() == nil {
		fetches := l.cl.PollRecords(ctx, pollRecords*len(l.lanes))
		if ctx.Err() != nil {
			return
		}
		for _, e := range fetches.Errors() {
			l.fail(fmt.Errorf("fetch %s/%d: %w", e.Topic, e.Partition, explain(e.Err)))
			return
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if len(p.Records) > 0 {
				l.lanes[p.Partition].put(p.Records)
			}
		})
	}
}

// lane holds the fetched records of a partition. The client's goroutine puts, one other takes.
type lane struct {
	of        *Lanes
	partition int32
	ready     chan struct{} // holds a token after each put

	mu      sync.Mutex
	records []*kgo.Record
	bytes   int
	paused  bool
}

func (n *lane) put(records []*kgo.Record) {
	n.mu.Lock()
	n.records = append(n.records, records...)
	for _, r := range records {
		n.bytes += len(r.Value)
	}
	if n.bytes > laneHigh && !n.paused {
		n.paused = true
		n.of.cl.PauseFetchPartitions(map[string][]int32{n.of.topic: {n.partition}})
	}
	n.mu.Unlock()
	select {
	case n.ready <- struct{}{}:
	default:
	}
}

// take returns up to pollRecords records.
func (n *lane) take() []*kgo.Record {
	n.mu.Lock()
	defer n.mu.Unlock()
	k := min(pollRecords, len(n.records))
	taken := n.records[:k:k]
	if n.records = n.records[k:]; len(n.records) == 0 {
		n.records = nil
	}
	for _, r := range taken {
		n.bytes -= len(r.Value)
	}
	if n.paused && n.bytes < laneLow {
		n.paused = false
		n.of.cl.ResumeFetchPartitions(map[string][]int32{n.of.topic: {n.partition}})
	}
	return taken
}

// poll implements source.
func (n *lane) poll(ctx context.Context) ([]*kgo.Record, error) {
	for {
		if list := n.take(); len(list) > 0 || ctx.Err() != nil {
			return list, nil
		}
		select {
		case <-n.ready:
		case <-ctx.Done():
		}
	}
}

// close implements source: the client belongs to Lanes.
func (n *lane) close() {}
