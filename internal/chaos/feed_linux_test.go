package chaos

import (
	"flag"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
)

const piece = 300 // records between two time marks

var mostAhead = flag.Uint64("ahead", 4000, "entries that the servers may be behind before the feed waits")

func newFeed(f *fleet, blind bool) *feed {
	f.t.Helper()
	s := &feed{f: f, blind: blind, done: make(chan struct{}), stop: make(chan struct{})}
	s.stopped = sync.OnceFunc(func() { close(s.stop) })
	cfg, err := f.prog.Ingest(true)
	f.ok(err)
	s.seq, err = ingest.NewSequencer(cfg)
	f.ok(err)
	s.core, err = trainer.NewReplay(f.prog.Program)
	f.ok(err)
	s.answers = map[uint64]float64{}
	s.core.Fold(f.prog.Triggers[0].Name).OnAnswer(func(m *fold.Member, e *fold.Entry, answer []float64) {
		if m.Name == "late" {
			s.answers[e.Seq] = answer[0]
		}
	})
	return s
}

// run feeds until the year is over, or end is called, and then ends all sources.
func (s *feed) run() {
	f := s.f
	out, err := f.tr.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(4*piece), kgo.AlwaysRetryEOF()) // brokers die here
	f.ok(err)
	f.t.Cleanup(out.Close)
	days, err := flights.Days(0)
	f.ok(err)
	go func() {
		defer close(s.done)
		s.err = s.all(out, days)
	}()
	f.t.Cleanup(s.end)
}

// end ends the feed and waits for it.
func (s *feed) end() {
	s.stopped()
	<-s.done
}

func (s *feed) all(out *kgo.Client, days *flights.Stream) error {
	f, inputs := s.f, s.f.prog.Project.Inputs()
	index := map[string]int{}
	for i := range inputs {
		index[inputs[i].Name] = i
	}
	offsets := make([]int64, len(inputs))
	var records []ingest.Record
	planes, at, more := true, int64(0), true
	for n := 0; more; n++ {
		records = records[:0]
		for len(records) < piece {
			var r flights.Record
			if r, more = days.Next(); !more {
				break
			}
			if planes = planes && r.Source == "planes"; !planes {
				s.events.Add(1)
			}
			at = r.Time
			records = append(records, ingest.Record{Source: index[r.Source], Key: append([]byte(nil), r.Key...), Value: append([]byte(nil), r.Value...), Timestamp: r.Time / 1000})
		}
		select {
		case <-s.stop:
			more = false
		default:
		}
		if n%16 == 5 {
			records = append(records, ingest.Record{Source: n / 16 % len(inputs), Value: fmt.Appendf(nil, "{\"at\": poison %d", n), Timestamp: at / 1000})
		}
		if !more {
			at = ingest.NoMoreTime
		}
		if err := s.send(out, records, at, offsets); err != nil {
			return err
		}
		s.entries.Store(s.core.Joiner(f.prog.Triggers[0].Name).Next())
		for more && f.behind(s.entries.Load()) > *mostAhead {
			select {
			case <-s.stop:
				more = false
			case <-time.After(5 * time.Millisecond):
			}
			if !more { // the last piece has no records, and ends the sources
				return s.last(out, offsets)
			}
		}
	}
	return nil
}

func (s *feed) last(out *kgo.Client, offsets []int64) error {
	err := s.send(out, nil, ingest.NoMoreTime, offsets)
	s.entries.Store(s.core.Joiner(s.f.prog.Triggers[0].Name).Next())
	return err
}

// send sends a piece topic by topic, so that arrival is no order, each with its mark, and hands it to the core as the files have it.
func (s *feed) send(out *kgo.Client, records []ingest.Record, at int64, offsets []int64) error {
	inputs := s.f.prog.Project.Inputs()
	var failed error
	var mu sync.Mutex
	put := func(rec *ingest.Record) {
		r := &kgo.Record{Topic: inputs[rec.Source].Topic, Key: rec.Key, Value: rec.Value}
		if rec.Timestamp > 0 {
			r.Timestamp = time.UnixMilli(rec.Timestamp)
		}
		for _, h := range rec.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		out.Produce(s.f.t.Context(), r, func(_ *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = err
			}
		})
	}
	_, mark := ingest.MarkRecord(at, false)
	lie := mark
	if s.blind {
		_, lie = ingest.MarkRecord(ingest.NoMoreTime, false)
	}
	for i := range inputs {
		for k := range records {
			if records[k].Source == i {
				put(&records[k])
				if s.blind { // "nothing older follows": whatever comes first goes
					put(&ingest.Record{Source: i, Headers: lie})
				}
			}
		}
		put(&ingest.Record{Source: i, Headers: lie})
	}
	for k := range records {
		if err := s.offer(&records[k], offsets); err != nil {
			return err
		}
	}
	for i := range inputs {
		if err := s.offer(&ingest.Record{Source: i, Headers: mark}, offsets); err != nil {
			return err
		}
	}
	if err := s.drain(); err != nil {
		return err
	}
	if err := out.Flush(s.f.t.Context()); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	return failed
}

// offer gives a record to the core, under the offset that the broker gives it.
func (s *feed) offer(rec *ingest.Record, offsets []int64) error {
	rec.Offset = offsets[rec.Source]
	offsets[rec.Source]++
	if len(rec.Value) > 0 && rec.Key == nil {
		s.poison = append(s.poison, *rec)
	}
	for !s.seq.Offer(rec) {
		if err := s.drain(); err != nil {
			return err
		}
	}
	return nil
}

func (s *feed) drain() error {
	for d, ok := s.seq.Next(); ok; d, ok = s.seq.Next() {
		d.Item.Seq = s.core.Items()
		if err := s.core.Apply(&d.Item); err != nil {
			return fmt.Errorf("core: %w", err)
		}
	}
	return nil
}
