package serving

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/internal/metrics"
)

// logBatch is how many waiting records are logged in one write.
const logBatch = 256

// served makes the records of a finished call. They borrow the call's memory.
func (c *call) served(dst []Served) []Served {
	width := c.model.Vector.Width()
	for i := range c.answers {
		a := &c.answers[i]
		dst = append(dst, Served{Model: c.model.Name, ID: c.ids[i], At: c.now, Vector: c.union[i*width : (i+1)*width],
			Answer: c.numbers[a.from:a.to], Version: c.snapshot.Seq, Schema: c.model.schema})
	}
	return dst
}

// logServed logs the vectors of a call as served: before the answer, or, if the model says so, after
// it, where a full queue loses and counts them.
func (s *Server) logServed(ctx context.Context, c *call) error {
	records := c.served(make([]Served, 0, len(c.answers)))
	if c.model.Async {
		for i := range records {
			s.async.add(records[i])
		}
		return nil
	}
	ctx, cancel := bounded(ctx, s.config.Timeout)
	defer cancel()
	begin := time.Now()
	err := s.deps.Log.Served(ctx, records)
	s.deps.Metrics.LogWrite.WithLabelValues().Observe(time.Since(begin).Seconds())
	if err != nil {
		return &ioError{reason: "LOG_UNAVAILABLE", message: "the answer cannot be logged now, and the model learns from what it serves", err: err}
	}
	return nil
}

// asyncLog is a bounded queue of served vectors in front of the log. When it is full, or when writing
// fails, records are lost and counted: answers are never held up.
type asyncLog struct {
	log     Log
	queue   chan Served
	metrics *metrics.Metrics
	logger  *slog.Logger
}

func newAsyncLog(l Log, size int, m *metrics.Metrics, logger *slog.Logger) *asyncLog {
	return &asyncLog{log: l, queue: make(chan Served, size), metrics: m, logger: logger}
}

// add queues a copy of the record.
func (a *asyncLog) add(r Served) {
	r.ID = strings.Clone(r.ID)
	r.Vector, r.Answer = slices.Clone(r.Vector), slices.Clone(r.Answer)
	select {
	case a.queue <- r:
	default:
		a.metrics.LogDropped.WithLabelValues(r.Model).Inc()
	}
}

// run writes until quit is closed and nothing waits any more. ctx bounds the writes.
func (a *asyncLog) run(ctx context.Context, quit <-chan struct{}) {
	batch := make([]Served, 0, logBatch)
	for {
		batch = batch[:0]
		select {
		case r := <-a.queue:
			batch = append(batch, r)
		case <-quit:
		}
		batch = a.fill(batch)
		if len(batch) == 0 {
			return
		}
		if err := a.log.Served(ctx, batch); err != nil {
			for i := range batch {
				a.metrics.LogDropped.WithLabelValues(batch[i].Model).Inc()
			}
			a.logger.Warn("served vectors lost", "records", len(batch), "error", err)
		}
	}
}

// fill adds what waits already.
func (a *asyncLog) fill(batch []Served) []Served {
	for len(batch) < logBatch {
		select {
		case r := <-a.queue:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}
