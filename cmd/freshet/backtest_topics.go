package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/cli/connect"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer/backtest"
)

// topicRecords opens the source topics, or the events log, of the first project up to where they end now.
func topicRecords(ctx context.Context, f *backtestFlags, programs []*program.Program) (*backtestRecords, error) {
	tr, err := connect.Transport(&programs[0].Project.Kafka, f.brokers)
	if errors.Is(err, connect.ErrEmbedded) {
		return nil, &codeError{exitUsage, fmt.Errorf("%w; files are replayed with --source-file", err)}
	}
	if err != nil {
		return nil, err
	}
	r := &backtestRecords{read: make([]atomic.Int64, len(programs))}
	topics := app.TopicsOf(programs[0])
	if f.asLive {
		return r, r.asLive(ctx, tr, topics)
	}
	ends, err := topicEnds(ctx, tr, programs)
	if err != nil {
		return nil, err
	}
	for _, in := range programs[0].Project.Inputs() {
		for _, e := range ends[in.Topic] {
			r.total += e.end - e.start
		}
	}
	r.items = func(candidate int, p *program.Program) (backtest.Items, error) {
		cfg, err := endedIngest(p)
		if err != nil {
			return nil, err
		}
		return backtest.Sequenced(cfg, func(context.Context) (backtest.Feed, error) {
			return openTopics(tr, &cfg, ends, &r.read[candidate])
		}), nil
	}
	if f.compare {
		r.live = liveEntries(tr, topics, 0)
	}
	return r, nil
}

// asLive makes items of the events log.
func (r *backtestRecords) asLive(ctx context.Context, tr stage.Transport, topics app.Topics) error {
	log, err := stage.OpenLog(tr, topics.Events, 0)
	if err != nil {
		return err
	}
	defer log.Close()
	first, err := log.First(ctx)
	if err != nil {
		return fmt.Errorf("events log %s: %w; does the project run?", topics.Events, err)
	}
	if first > 0 {
		return fmt.Errorf("events log %s begins at offset %d: its beginning is gone, and a replay as live needs all of it; raise kafka.retention, or use --topics", topics.Events, first)
	}
	tail, err := frame.ReadTail(ctx, log)
	if err != nil {
		return err
	}
	if tail.NextSeq == 0 {
		return fmt.Errorf("events log %s is empty: the project has not taken anything yet", topics.Events)
	}
	r.total = int64(tail.NextSeq)
	r.items = func(candidate int, p *program.Program) (backtest.Items, error) {
		return func(ctx context.Context, visit backtest.Visit) error {
			items := features.NewItems(p.Sources)
			if len(tail.Meta) > 0 {
				if err := items.Enter(tail.Meta, tail.Gen); err != nil {
					return err
				}
			}
			var it features.Item
			return eachItem(ctx, tr, topics.Events, tail.NextSeq, func(c *stage.Counted) error {
				return items.Enter(c.Meta, c.Generation)
			}, func(seq uint64, b []byte) error {
				r.read[candidate].Store(int64(seq))
				if err := items.Decode(b, seq, &it); err != nil {
					return err
				}
				return visit(&it, features.NoTime)
			})
		}, nil
	}
	r.live = liveEntries(tr, topics, tail.NextSeq)
	return nil
}

// liveEntries visits the example logs of the running project, up to the entries that items before end caused (0: all).
func liveEntries(tr stage.Transport, topics app.Topics, end uint64) func(context.Context, string, func(*fold.Entry) error) error {
	return func(ctx context.Context, trigger string, visit func(*fold.Entry) error) error {
		topic := topics.Logs[trigger]
		log, err := stage.OpenLog(tr, topic, 0)
		if err != nil {
			return err
		}
		defer log.Close()
		first, err := log.First(ctx)
		if errors.Is(err, stage.ErrMissing) || errors.Is(err, stage.ErrReplaced) || err == nil && first > 0 {
			return fmt.Errorf("topic %s: %w", topic, backtest.ErrNoLog)
		}
		if err != nil {
			return err
		}
		tail, err := frame.ReadTail(ctx, log)
		if err != nil {
			return err
		}
		var e fold.Entry
		err = eachItem(ctx, tr, topic, tail.NextSeq, func(*stage.Counted) error { return nil }, func(seq uint64, b []byte) error {
			if err := fold.DecodeEntry(b, &e); err != nil {
				return err
			}
			if e.Seq = seq; end > 0 && e.Event >= end {
				return errBeyond
			}
			return visit(&e)
		})
		if errors.Is(err, errBeyond) {
			return nil
		}
		return err
	}
}

// errBeyond ends the walk of a log.
var errBeyond = errors.New("beyond what is compared")

// eachItem visits the frames of a log and the packed items of each, up to seq end.
func eachItem(ctx context.Context, tr stage.Transport, topic string, end uint64, enter func(c *stage.Counted) error, visit func(seq uint64, item []byte) error) error {
	if end == 0 {
		return nil
	}
	r, err := stage.OpenReader(ctx, tr, topic, 0, frame.Position{})
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		c, err := r.Next(ctx)
		if err != nil {
			return err
		}
		if err := enter(c); err != nil {
			return fmt.Errorf("%s offset %d: %w", topic, c.Offset, err)
		}
		seq := c.FirstSeq
		for items := c.Each(); items.Next(); seq++ {
			if err := visit(seq, items.Item()); err != nil {
				return fmt.Errorf("%s offset %d: %w", topic, c.Offset, err)
			}
		}
		if c.NextSeq() >= end {
			return nil
		}
	}
}

// topicSpan is what is replayed of a partition.
type topicSpan struct{ start, end int64 }

// topicEnds returns the offsets between which all source topics are read: the same for every candidate.
func topicEnds(ctx context.Context, tr stage.Transport, programs []*program.Program) (map[string][]topicSpan, error) {
	cl, err := tr.Client()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	out := map[string][]topicSpan{}
	for _, p := range programs {
		for _, in := range p.Project.Inputs() {
			spans := out[in.Topic]
			if spans == nil {
				if spans, err = spansOf(ctx, adm, in.Topic); err != nil {
					return nil, fmt.Errorf("source %s: %w", in.Name, err)
				}
				out[in.Topic] = spans
			}
			if len(spans) != in.Partitions {
				return nil, fmt.Errorf("source %s: topic %s has %d partitions, the project declares %d; set partitions: %d", in.Name, in.Topic, len(spans), in.Partitions, len(spans))
			}
		}
	}
	return out, nil
}

func spansOf(ctx context.Context, adm *kadm.Client, topic string) ([]topicSpan, error) {
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("topic %s: %w", topic, err)
	}
	ends, err := adm.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("topic %s: %w", topic, err)
	}
	spans := make([]topicSpan, len(ends[topic]))
	for p := range spans {
		a, _ := starts.Lookup(topic, int32(p))
		b, ok := ends.Lookup(topic, int32(p))
		if !ok {
			return nil, fmt.Errorf("topic %s: partition %d is not known", topic, p)
		}
		spans[p] = topicSpan{a.Offset, b.Offset}
	}
	return spans, nil
}

// Bounds of the records of a partition that wait outside the sequencer's queue: fetching it pauses at the first and
// goes on at the second. Pausing drops what was fetched ahead, so it must be rare.
const (
	waitingHigh = 65536
	waitingLow  = 8192
	pollRecords = 10000
)

// topicFeed reads source topics up to known ends. Freshet's own plain topics are left out: what was served and
// fed back is not in the sources.
type topicFeed struct {
	cl    *kgo.Client
	lanes map[string][]*topicLane
	read  *atomic.Int64
}

type topicLane struct {
	topicSpan
	topic     string
	source    int
	partition int32
	next      int64
	waiting   []*kgo.Record
	paused    bool
	ended     bool
}

func openTopics(tr stage.Transport, cfg *ingest.Config, ends map[string][]topicSpan, read *atomic.Int64) (*topicFeed, error) {
	f := &topicFeed{lanes: map[string][]*topicLane{}, read: read}
	from := map[string]map[int32]kgo.Offset{}
	for i := range cfg.Sources {
		s := &cfg.Sources[i]
		if s.Plain {
			continue
		}
		topic := s.Topic
		if topic == "" {
			topic = s.Name
		}
		for p, span := range ends[topic] {
			l := &topicLane{topicSpan: span, topic: topic, source: i, partition: int32(p), next: span.start}
			f.lanes[topic] = append(f.lanes[topic], l)
			if span.start == span.end {
				continue
			}
			if from[topic] == nil {
				from[topic] = map[int32]kgo.Offset{}
			}
			from[topic][int32(p)] = kgo.NewOffset().At(span.start)
		}
	}
	var err error
	f.cl, err = tr.Client(kgo.ConsumePartitions(from), kgo.KeepControlRecords())
	return f, err
}

// Close implements backtest.Feed.
func (f *topicFeed) Close() { f.cl.Close() }

// Feed implements backtest.Feed. It polls only while the order waits for a partition of which nothing is here.
func (f *topicFeed) Feed(ctx context.Context, seq *ingest.Sequencer) (bool, error) {
	more, hungry := false, false
	for _, lanes := range f.lanes {
		for _, l := range lanes {
			f.offer(seq, l)
			more = more || !l.ended
			hungry = hungry || !l.ended && len(l.waiting) == 0
		}
	}
	if !hungry {
		return more, nil
	}
	fetches := f.cl.PollRecords(ctx, pollRecords)
	if errs := fetches.Errors(); len(errs) > 0 {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		return false, fmt.Errorf("fetch %s/%d: %w", errs[0].Topic, errs[0].Partition, errs[0].Err)
	}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		l := f.lanes[p.Topic][p.Partition]
		for _, rec := range p.Records {
			if rec.Offset < l.end {
				l.waiting = append(l.waiting, rec)
			}
			l.next = max(l.next, rec.Offset+1)
			f.read.Add(1)
		}
		if len(l.waiting) > waitingHigh && !l.paused {
			l.paused = true
			f.cl.PauseFetchPartitions(map[string][]int32{p.Topic: {p.Partition}})
		}
	})
	return true, nil
}

// offer moves waiting records of a partition to the sequencer until its queue is full, and tells its end.
func (f *topicFeed) offer(seq *ingest.Sequencer, l *topicLane) {
	n := 0
	for _, r := range l.waiting {
		if r.Attrs.IsControl() {
			seq.Skip(l.source, l.partition, r.Offset+1)
			n++
			continue
		}
		rec := ingest.Record{Source: l.source, Partition: l.partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, ingest.Header{Key: h.Key, Value: h.Value})
		}
		if !seq.Offer(&rec) {
			break
		}
		n++
	}
	clear(l.waiting[:n])
	if l.waiting = l.waiting[n:]; len(l.waiting) == 0 {
		l.waiting = nil
	}
	if l.paused && len(l.waiting) < waitingLow {
		l.paused = false
		f.cl.ResumeFetchPartitions(map[string][]int32{l.topic: {l.partition}})
	}
	if !l.ended && l.next >= l.end && len(l.waiting) == 0 {
		l.ended = true
		seq.End(l.source, l.partition)
		if !l.paused && l.end > l.start {
			f.cl.PauseFetchPartitions(map[string][]int32{l.topic: {l.partition}})
		}
	}
}

var _ backtest.Feed = (*topicFeed)(nil)
