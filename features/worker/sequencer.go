package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/checkpoint"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
)

// SequencerOptions describe the sequencer of a project.
type SequencerOptions struct {
	Transport   stage.Transport
	Ingest      ingest.Config
	Events      string // topic that it writes, one partition
	DeadLetters string // topic for refused records
	Secret      []byte // for the hashes that stand for sensitive fields in dead letters
	Shard       uint32
	// Checkpoints keeps what the session knows of the log under Name every Every; nil: never, a session folds the whole log when it
	// starts, unless a standby has done so.
	Checkpoints *checkpoint.Store
	Name        string
	Every       time.Duration
	Retention   time.Duration                       // of Events; 0: for ever
	Saved       func(took time.Duration, err error) // told of each checkpoint; nil: nobody
	Standby     *Standby                            // of this process; nil: none
	Logger      *slog.Logger                        // nil: none
	// Taken is told of each item with its Seq, before it is known to count; nil: nobody. It must not keep the item.
	Taken func(it *features.Item)
	// Progress is told after each frame; nil: nobody.
	Progress func(SequencerProgress)
	// Ready is told once all partitions are being read.
	Ready func()
}

// SequencerProgress is how far the sequencer is.
type SequencerProgress struct {
	Items           uint64 // in the events log
	Folded          uint64 // items of the log that this session folded before it went on
	Refused         uint64 // by this session
	NotLearned      uint64 // items of this session that are too old to be learned from
	Queued          int    // records that wait for their turn
	Waiting         []string
	Lags            []int64 // by source: records that are not in the order yet
	Head, Watermark int64   // µs
	Done            bool    // every partition has told that nothing follows, and all is handed out
}

// Blocked names the partitions that hold up the beginning; none once there are items.
func (p *SequencerProgress) Blocked() []string {
	if p.Items > 0 {
		return nil
	}
	return p.Waiting
}

// backlogHigh and backlogLow are the records of a partition that wait outside its full queue when its fetching is paused,
// and when it goes on. Pausing drops what was fetched ahead, so it must be rare.
const (
	backlogHigh = 65536
	backlogLow  = 8192
	pollLimit   = 10000
	// fetchWait bounds a fetch that finds nothing. A partition that is resumed is asked for with the next fetch only: with
	// kgo's five seconds a backlog lay that long while the other partitions were quiet.
	fetchWait = 50 * time.Millisecond
	// pollEvery is the least time between two polls that found something. Whatever comes meanwhile shares a fetch and a
	// frame, and each frame costs every stage behind it a round.
	pollEvery   = 8 * time.Millisecond
	frameTarget = 128 << 10 // bytes of items after which a frame is sent although more are there
	tickEvery   = 20 * time.Millisecond
	waitingFor  = 10 * time.Second // after which the partitions that are waited for are named
)

// Sequence runs one session of the sequencer until ctx ends or something fails: it reads the tail of the
// events log, takes what the standby or a checkpoint knows of it and folds the rest, and goes on from the positions of the tail.
func Sequence(ctx context.Context, o SequencerOptions) error {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	sources := make([]features.Source, len(o.Ingest.Sources))
	for i := range sources {
		sources[i] = o.Ingest.Sources[i].Source()
	}
	var standby *known
	if o.Standby != nil {
		standby = o.Standby.take()
		defer o.Standby.free()
	}
	s := &sequencing{o: o, sent: map[string]int64{}, lanes: map[laneID]*laneBacklog{}, started: time.Now()}
	w, tail, err := openEvents(ctx, &o, stage.WriterOptions{Topic: o.Events, Shard: o.Shard, Generation: features.SourcesID(sources), Retention: o.Retention, Meta: s.meta})
	if err != nil {
		return err
	}
	defer w.Close()
	s.w, s.seq = w, tail.NextSeq
	if s.core, err = ingest.NewSequencer(o.Ingest); err != nil {
		return err
	}
	if err := s.resume(ctx, tail, standby); err != nil {
		return err
	}
	dead, err := stage.OpenProducer(o.Transport, kgo.ProducerBatchMaxBytes(MaxLetter))
	if err != nil {
		return err
	}
	defer dead.Close()
	s.dead = dead
	s.saves.last, s.saves.seq = s.started, tail.NextSeq
	defer s.saves.running.Wait()
	if err := s.openSources(ctx, tail); err != nil {
		return err
	}
	defer s.cl.Close()
	if o.Ready != nil {
		o.Ready()
	}
	return s.run(ctx)
}

// resume brings the core to the tail. Where the log has other declarations there than the project, a schema item comes first.
func (s *sequencing) resume(ctx context.Context, tail *frame.Tail, standby *known) error {
	log, err := stage.OpenLog(s.o.Transport, s.o.Events, 0)
	if err != nil {
		return err
	}
	defer log.Close()
	k, n, err := (&recovery{o: &s.o, log: log, tail: tail}).recover(ctx, standby)
	if err != nil {
		return err
	}
	s.folded, s.epochs = n, k.epochs
	s.head, s.mark = k.fold.Head(), k.fold.Watermark()
	own := s.core.Table()
	if !features.SameDeclared(own, k.fold.Table()) {
		if err := features.CheckChange(k.epochs, own); err != nil {
			return err
		}
		it := features.Item{Kind: features.SchemaItem, Sources: own}
		k.fold.Apply(&it)
		s.epochs = append(slices.Clip(s.epochs), features.Epoch{From: s.seq, Sources: own})
		if err := s.put(ctx, &ingest.Decision{Item: it}); err != nil {
			return err
		}
		s.o.Logger.Info("the sources have changed: the new declarations hold from here on", "topic", s.o.Events, "item", s.seq-1)
	}
	if err := s.core.Adopt(k.fold); err != nil {
		return err
	}
	s.core.Resume(positionsIn(own, tail.Inputs))
	s.head, s.mark = k.fold.Head(), k.fold.Watermark()
	s.note()
	return nil
}

// meta is what a frame with full positions says of the log.
func (s *sequencing) meta() []byte {
	return features.Meta{Head: s.head, Watermark: s.mark, Epochs: s.epochs}.Pack()
}

func inputName(source string, partition int32) string {
	return source + "/" + strconv.Itoa(int(partition))
}

// positionsIn returns the positions of the sources' partitions among the inputs of a frame.
func positionsIn(table []features.Declared, inputs []frame.Input) []ingest.Position {
	var list []ingest.Position
	for i := range table {
		for p := range table[i].Partitions {
			if at, ok := frame.Find(inputs, inputName(table[i].Name, p)); ok {
				list = append(list, ingest.Position{Source: i, Partition: p, Next: at.Offset})
			}
		}
	}
	return list
}

type laneID struct {
	source    int
	partition int32
}

// laneBacklog holds fetched records that the queue of their partition had no room for.
type laneBacklog struct {
	records []*kgo.Record
	paused  bool
	next    int64 // offset after the last record that was fetched
	beyond  int64 // records behind that, as of the last fetch
}

type sequencing struct {
	o       SequencerOptions
	w       *stage.Writer
	core    *ingest.Sequencer
	cl      *kgo.Client
	dead    *stage.Producer
	topics  map[string]int // topic to source
	lanes   map[laneID]*laneBacklog
	pack    frame.Pack
	item    []byte
	seq     uint64
	sent    map[string]int64 // positions of the last frame
	posBuf  []ingest.Position
	inBuf   []frame.Input
	letters int // dead letters that are not flushed
	refused uint64
	skewed  uint64
	epochs  []features.Epoch
	head    int64  // after the last item in a pack
	mark    int64  // watermark there
	folded  uint64 // items of the log before the session went on
	saves   saves
	started time.Time
	named   bool
}

func topicOf(s *ingest.SourceSpec) string {
	if s.Topic != "" {
		return s.Topic
	}
	return s.Name
}

// skipGone lets the partitions of which the log knows nothing yet begin where their topic does: what retention removed
// before was never to be taken.
func (s *sequencing) skipGone(ctx context.Context, tail *frame.Tail) error {
	var topics []string
	var unknown []ingest.Position
	for _, p := range s.core.Positions(nil) {
		spec := &s.o.Ingest.Sources[p.Source]
		if _, ok := tail.Input(inputName(spec.Name, p.Partition)); !ok && p.Next == 0 {
			unknown = append(unknown, p)
			topics = append(topics, topicOf(spec))
		}
	}
	if len(topics) == 0 {
		return nil
	}
	cl, err := s.o.Transport.Client()
	if err != nil {
		return err
	}
	defer cl.Close()
	slices.Sort(topics)
	starts, err := kadm.NewClient(cl).ListStartOffsets(ctx, slices.Compact(topics)...)
	if err != nil {
		return fmt.Errorf("beginnings of the source topics: %w", stage.Explain(err))
	}
	for _, p := range unknown {
		if at, ok := starts.Lookup(topicOf(&s.o.Ingest.Sources[p.Source]), p.Partition); ok && at.Err == nil && at.Offset > 0 {
			s.core.Skip(p.Source, p.Partition, at.Offset)
		}
	}
	return nil
}

// openSources begins to read every partition where the log says.
func (s *sequencing) openSources(ctx context.Context, tail *frame.Tail) error {
	if err := s.skipGone(ctx, tail); err != nil {
		return err
	}
	s.topics = map[string]int{}
	from := map[string]map[int32]kgo.Offset{}
	for _, p := range s.core.Positions(nil) {
		topic := topicOf(&s.o.Ingest.Sources[p.Source])
		if from[topic] == nil {
			from[topic] = map[int32]kgo.Offset{}
			s.topics[topic] = p.Source
			if err := s.checkPartitions(ctx, topic, s.o.Ingest.Partitions[p.Source]); err != nil {
				return err
			}
		}
		from[topic][p.Partition] = kgo.NewOffset().At(p.Next)
		s.lanes[laneID{p.Source, p.Partition}] = &laneBacklog{next: p.Next}
	}
	cl, err := s.o.Transport.Client(kgo.ConsumePartitions(from), kgo.KeepControlRecords(), kgo.FetchMaxWait(fetchWait))
	if err != nil {
		return err
	}
	s.cl = cl
	return s.firstLags(ctx, from)
}

// firstLags tells the order what lies on the brokers before the first fetch. A fetch tells of no partition that has
// nothing: without this a backlog that is fetched later would be overtaken, and a partition that stays empty would
// never count as idle.
func (s *sequencing) firstLags(ctx context.Context, from map[string]map[int32]kgo.Offset) error {
	ends, err := kadm.NewClient(s.cl).ListCommittedOffsets(ctx, slices.Sorted(maps.Keys(from))...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("ends of the source topics: %w", stage.Explain(err))
	}
	now := time.Now().UnixMicro()
	ends.Each(func(e kadm.ListedOffset) {
		id := laneID{s.topics[e.Topic], e.Partition}
		if l := s.lanes[id]; l != nil {
			l.beyond = max(0, e.Offset-l.next)
			s.core.Lag(id.source, id.partition, e.Offset, now)
		}
	})
	return nil
}

func (s *sequencing) checkPartitions(ctx context.Context, topic string, want int32) error {
	n, err := stage.PartitionCount(ctx, s.o.Transport, topic)
	if err != nil {
		return fmt.Errorf("source topic %s: %w", topic, err)
	}
	if n != want {
		return fmt.Errorf("source topic %s has %d partitions, the project declares %d; set partitions: %d: %w", topic, n, want, n, stage.ErrReplaced)
	}
	return nil
}

// run polls in a goroutine of its own, so that ticks go on while nothing comes.
func (s *sequencing) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fetches := make(chan kgo.Fetches)
	done := make(chan struct{})
	go func() {
		defer close(done)
		pause := time.NewTimer(0)
		defer pause.Stop()
		for ctx.Err() == nil {
			f := s.cl.PollRecords(ctx, pollLimit)
			polled := time.Now()
			select {
			case fetches <- f:
			case <-ctx.Done():
			}
			pause.Reset(pollEvery - time.Since(polled))
			select {
			case <-pause.C:
			case <-ctx.Done():
			}
		}
	}()
	defer func() { cancel(); <-done }()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for {
		select {
		case f := <-fetches:
			if err := s.take(ctx, f); err != nil {
				return err
			}
		case <-tick.C:
			s.name()
			if err := s.refresh(ctx); err != nil {
				return err
			}
		case <-s.w.Ended():
			return s.w.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := s.drain(ctx); err != nil {
			return err
		}
		if err := s.checkpoint(ctx); err != nil {
			return err
		}
	}
}

// take offers what was fetched to the order.
func (s *sequencing) take(ctx context.Context, f kgo.Fetches) error {
	for _, e := range f.Errors() {
		if errors.Is(e.Err, context.Canceled) || errors.Is(e.Err, context.DeadlineExceeded) {
			continue
		}
		return fmt.Errorf("fetch %s/%d: %w", e.Topic, e.Partition, stage.Explain(e.Err))
	}
	now := time.Now().UnixMicro()
	f.EachPartition(func(p kgo.FetchTopicPartition) {
		id := laneID{s.topics[p.Topic], p.Partition}
		l := s.lanes[id]
		l.records = append(l.records, p.Records...)
		if n := len(p.Records); n > 0 {
			l.next = p.Records[n-1].Offset + 1
		}
		l.beyond = max(0, p.LastStableOffset-l.next)
		s.core.Lag(id.source, id.partition, p.LastStableOffset, now)
		s.offer(id, l)
		if len(l.records) > backlogHigh && !l.paused {
			l.paused = true
			s.cl.PauseFetchPartitions(map[string][]int32{p.Topic: {p.Partition}})
		}
	})
	return nil
}

// offer moves records from a backlog to the order until its queue is full.
func (s *sequencing) offer(id laneID, l *laneBacklog) {
	n := 0
	for _, r := range l.records {
		if r.Attrs.IsControl() {
			s.core.Skip(id.source, id.partition, r.Offset+1)
			n++
			continue
		}
		rec := ingest.Record{Source: id.source, Partition: id.partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixMilli(), Key: r.Key, Value: r.Value}
		if len(r.Headers) > 0 {
			rec.Headers = make([]ingest.Header, len(r.Headers))
			for i, h := range r.Headers {
				rec.Headers[i] = ingest.Header{Key: h.Key, Value: h.Value}
			}
		}
		if !s.core.Offer(&rec) {
			break
		}
		n++
	}
	clear(l.records[:n])
	l.records = l.records[n:]
	if len(l.records) == 0 {
		l.records = nil
	}
	if l.paused && len(l.records) < backlogLow {
		l.paused = false
		s.cl.ResumeFetchPartitions(map[string][]int32{topicOf(&s.o.Ingest.Sources[id.source]): {id.partition}})
	}
}

// drain takes every decision that can be taken now and sends the frame.
func (s *sequencing) drain(ctx context.Context) error {
	for {
		n := 0
		for {
			d, ok := s.core.Next()
			if !ok {
				break
			}
			n++
			if err := s.put(ctx, d); err != nil {
				return err
			}
		}
		now := time.Now().UnixMicro()
		for _, next := range []func(int64) (*ingest.Decision, bool){s.core.Idle, s.core.Tick} {
			if d, ok := next(now); ok {
				n++
				if err := s.put(ctx, d); err != nil {
					return err
				}
			}
		}
		for id, l := range s.lanes {
			if len(l.records) > 0 {
				s.offer(id, l)
			}
		}
		if n == 0 {
			break
		}
	}
	return s.flush(ctx)
}

func (s *sequencing) put(ctx context.Context, d *ingest.Decision) error {
	d.Item.Seq = s.seq
	if d.Refusal != nil {
		s.refuse(ctx, d)
	}
	if d.Item.Flags&features.NotLearned != 0 {
		s.skewed++
	}
	s.item = features.AppendItem(s.item[:0], &d.Item)
	ok, err := s.pack.Add(s.item)
	if err == nil && !ok {
		if err = s.send(ctx); err != nil {
			return err
		}
		ok, err = s.pack.Add(s.item)
	}
	if err != nil || !ok {
		return fmt.Errorf("item %d of %d bytes: %w", s.seq, len(s.item), err)
	}
	s.seq++
	s.head, s.mark = s.core.Head(), s.core.Watermark()
	if s.o.Taken != nil {
		s.o.Taken(&d.Item)
	}
	if s.pack.Size() >= frameTarget {
		s.note()
		return s.send(ctx)
	}
	return nil
}

// note remembers how far the sources are done with after the newest item in the pack. A frame may carry older
// positions: what was taken is known from the items themselves, positions only pass marks and gaps.
func (s *sequencing) note() { s.posBuf = s.core.Positions(s.posBuf[:0]) }

// flush sends what is in the pack.
func (s *sequencing) flush(ctx context.Context) error {
	if s.pack.Len() == 0 {
		s.report()
		return nil
	}
	s.note()
	return s.send(ctx)
}

// send writes a frame. Its dead letters are on the brokers before.
func (s *sequencing) send(ctx context.Context) error {
	if s.letters > 0 {
		if err := s.dead.Flush(ctx); err != nil {
			return fmt.Errorf("dead letters: %w", err)
		}
		s.letters = 0
	}
	_, err := s.w.Append(ctx, &s.pack, s.moved())
	s.pack.Reset()
	s.report()
	return err
}

// moved returns the positions that differ from those of the last frame.
func (s *sequencing) moved() []frame.Input {
	s.inBuf = s.inBuf[:0]
	for _, p := range s.posBuf {
		name := inputName(s.o.Ingest.Sources[p.Source].Name, p.Partition)
		if at, ok := s.sent[name]; !ok || at != p.Next {
			s.sent[name] = p.Next
			s.inBuf = append(s.inBuf, frame.Input{Name: name, Pos: frame.Position{Offset: p.Next}})
		}
	}
	return s.inBuf
}

// refresh keeps a quiet log readable where its topic has a retention. All that was decided is sent when it is called.
func (s *sequencing) refresh(ctx context.Context) error {
	if s.o.Retention == 0 {
		return nil
	}
	return s.w.Refresh(ctx, nil)
}

func (s *sequencing) report() {
	if s.o.Progress == nil {
		return
	}
	lags := make([]int64, len(s.o.Ingest.Sources))
	for id, l := range s.lanes {
		lags[id.source] += l.beyond + int64(len(l.records)+s.core.LaneLen(id.source, id.partition))
	}
	s.o.Progress(SequencerProgress{Lags: lags, Items: s.seq, Folded: s.folded, Refused: s.refused, NotLearned: s.skewed, Queued: s.core.Queued(), Waiting: s.core.Waiting(),
		Head: s.core.Head(), Watermark: s.core.Watermark(), Done: s.core.Done()})
}

// name says once which partitions hold up the beginning.
func (s *sequencing) name() {
	if s.named || s.seq > 0 || time.Since(s.started) < waitingFor {
		return
	}
	s.named = true
	if list := s.core.Waiting(); len(list) > 0 {
		s.o.Logger.Warn("waiting for the first time mark", "partitions", strings.Join(list, ", "),
			"mend", "write the topics with freshet produce, or set clock: wall")
	}
}
