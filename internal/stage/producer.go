package stage

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Producer writes records to plain topics (dead letters, predictions, hashes, served answers), at
// least once. It is safe for all goroutines.
type Producer struct {
	cl *kgo.Client

	mu  sync.Mutex
	err error
}

// plainBuffer bounds the records under way; Send waits when they are as many.
const plainBuffer = 8192

// OpenProducer opens a client. Records with a Partition below 0 go where their key says, by Kafka's
// own hash; others go to their Partition.
func OpenProducer(t Transport, more ...kgo.Opt) (*Producer, error) {
	byKey := kgo.StickyKeyPartitioner(nil)
	opts := []kgo.Opt{kgo.RecordPartitioner(partitioner{byKey}), kgo.MaxBufferedRecords(plainBuffer)}
	cl, err := t.Client(append(opts, more...)...)
	if err != nil {
		return nil, err
	}
	return &Producer{cl: cl}, nil
}

// Send hands a record over; it belongs to the producer until it is flushed. The first failure is kept
// for Flush. Waits while the buffer is full.
func (p *Producer) Send(ctx context.Context, r *kgo.Record) {
	p.cl.Produce(ctx, r, func(r *kgo.Record, err error) {
		if err == nil {
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.err == nil {
			p.err = fmt.Errorf("produce to %s/%d: %w", r.Topic, r.Partition, explain(err))
		}
	})
}

// SendSync sends one record and waits until the brokers have it.
func (p *Producer) SendSync(ctx context.Context, r *kgo.Record) error {
	if err := p.cl.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("produce to %s: %w", r.Topic, explain(err))
	}
	return nil
}

// SendAll sends records and waits until the brokers have all of them.
func (p *Producer) SendAll(ctx context.Context, records []*kgo.Record) error {
	if err := p.cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("produce %d records: %w", len(records), explain(err))
	}
	return nil
}

// Flush waits until the brokers have all that was sent and returns the first failure since the last
// Flush. After an error what was sent since then may be there or not: send it again.
func (p *Producer) Flush(ctx context.Context) error {
	err := p.cl.Flush(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	first := p.err
	p.err = nil
	if first == nil && err != nil {
		first = fmt.Errorf("flush: %w", err)
	}
	return first
}

// Close drops what is not flushed.
func (p *Producer) Close() { p.cl.Close() }

// partitioner sends records with an explicit partition there.
type partitioner struct{ byKey kgo.Partitioner }

func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.byKey.ForTopic(topic)}
}

type topicPartitioner struct{ kgo.TopicPartitioner }

func (p topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || p.TopicPartitioner.RequiresConsistency(r)
}

func (p topicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition >= 0 {
		return int(r.Partition)
	}
	return p.TopicPartitioner.Partition(r, n)
}
