package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/features/worker"
	"github.com/freshet-ml/freshet/internal/checkpoint"
	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a broker with one source of one partition, and what a sequencer over it needs.
type desk struct {
	t       *testing.T
	servers *embedded.Servers
	o       worker.SequencerOptions
	dir     string
	warned  *strings.Builder
	sent    int
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	servers, err := embedded.Start(embedded.Options{NoStore: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Close)
	d := &desk{t: t, servers: servers, dir: t.TempDir(), warned: &strings.Builder{}}
	log := slog.New(slog.NewTextHandler(d.warned, nil))
	store, err := checkpoint.Open(t.Context(), checkpoint.Options{URL: "file://" + d.dir, Keep: 3, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	spec := ingest.SourceSpec{Name: "a", Time: "at", Dedupe: ingest.Dedupe{By: "id", Within: time.Hour}, MaxLateness: 1000 * time.Hour, Fields: []ingest.FieldSpec{
		{Name: "at", Kind: features.Time, Layout: ingest.EpochSeconds}, {Name: "id", Kind: features.String}}}
	d.o = worker.SequencerOptions{Transport: stage.Transport{Brokers: servers.Brokers, Local: true}, Events: "events", Logger: log,
		Ingest:      ingest.Config{Sources: []ingest.SourceSpec{spec}, Partitions: []int32{1}},
		Checkpoints: store, Name: "sequencer", Every: time.Nanosecond}
	if err := stage.EnsureTopics(t.Context(), d.o.Transport, stage.TopicSpec{Name: "events", Partitions: 1}, stage.TopicSpec{Name: "a", Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	return d
}

// produce sends n records with a time mark behind each.
func (d *desk) produce(n int) {
	d.t.Helper()
	cl, err := d.o.Transport.Client()
	if err != nil {
		d.t.Fatal(err)
	}
	defer cl.Close()
	for range n {
		at := int64(1_000_000 + d.sent)
		d.sent++
		key, headers := ingest.MarkRecord((at+1)*1_000_000, false)
		mark := &kgo.Record{Topic: "a", Key: key}
		for _, h := range headers {
			mark.Headers = append(mark.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		rec := &kgo.Record{Topic: "a", Value: fmt.Appendf(nil, `{"at":%d,"id":"i%d"}`, at, d.sent)}
		if err := cl.ProduceSync(d.t.Context(), rec, mark).FirstErr(); err != nil {
			d.t.Fatal(err)
		}
	}
}

// run runs a session until it has written so many items, and returns what it told last. With checkpoints it waits until one holds all of them.
func (d *desk) run(items uint64) (worker.SequencerProgress, error) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), 30*time.Second)
	defer cancel()
	var last atomic.Pointer[worker.SequencerProgress]
	o := d.o
	done := func() {
		if p := last.Load(); p != nil && p.Items >= items && o.Checkpoints != nil && d.saved(p.Items) {
			cancel()
		}
	}
	if o.Checkpoints == nil {
		go func() {
			defer cancel()
			d.written(ctx, items, func() bool { p := last.Load(); return p != nil && p.Items >= items })
		}()
	}
	o.Progress = func(p worker.SequencerProgress) { last.Store(&p); done() }
	o.Saved = func(time.Duration, error) { done() }
	err := worker.Sequence(ctx, o)
	if p := last.Load(); p != nil && p.Items >= items && errors.Is(err, context.Canceled) {
		return *p, nil
	}
	if err == nil || errors.Is(err, context.DeadlineExceeded) {
		d.t.Fatalf("the session has not come to item %d: %+v, %v\n%s", items, last.Load(), err, d.warned)
	}
	return worker.SequencerProgress{}, err
}

// written waits until so many items were told of and lie in the log: what a session tells of may still be on its way there.
func (d *desk) written(ctx context.Context, items uint64, told func() bool) {
	log, err := stage.OpenLog(d.o.Transport, "events", 0)
	if err != nil {
		return // the session will say so
	}
	defer log.Close()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		if tail, err := frame.ReadTail(ctx, log); err == nil && tail.NextSeq >= items && told() {
			return
		}
		<-tick.C
	}
}

func (d *desk) files() []string {
	list, err := filepath.Glob(filepath.Join(d.dir, d.o.Name, "*.ckpt"))
	if err != nil {
		d.t.Fatal(err)
	}
	return list
}

func (d *desk) saved(item uint64) bool {
	_, err := os.Stat(filepath.Join(d.dir, d.o.Name, fmt.Sprintf("%020d.ckpt", item)))
	return err == nil
}

func (d *desk) newest() string {
	list := d.files()
	if len(list) == 0 {
		return ""
	}
	return filepath.Base(list[len(list)-1])
}

func (d *desk) must(items uint64) worker.SequencerProgress {
	d.t.Helper()
	p, err := d.run(items)
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

// ids reads the items that are left of the log, from the start that a reader finds.
func (d *desk) ids() []string {
	d.t.Helper()
	log, err := stage.OpenLog(d.o.Transport, "events", 0)
	if err != nil {
		d.t.Fatal(err)
	}
	defer log.Close()
	tail, err := frame.ReadTail(d.t.Context(), log)
	if err != nil {
		d.t.Fatal(err)
	}
	start, err := frame.Start(d.t.Context(), log)
	if err != nil {
		d.t.Fatal(err)
	}
	r, err := stage.OpenReader(d.t.Context(), d.o.Transport, "events", 0, start)
	if err != nil {
		d.t.Fatal(err)
	}
	defer r.Close()
	var out []string
	for next := uint64(0); next < tail.NextSeq; {
		c, err := r.Next(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		for items := c.Each(); items.Next(); {
			var it features.Item
			if _, err := features.DecodeItem(items.Item(), &it); err != nil {
				d.t.Fatal(err)
			}
			if it.Kind == features.EventItem {
				out = append(out, it.Fields[1].Str())
			} else {
				out = append(out, it.Reason)
			}
		}
		next = c.NextSeq()
	}
	return out
}

// A session folds what came after the newest good checkpoint that is not ahead of the log, and nothing before.
func TestSequencerStartsFromCheckpoint(t *testing.T) {
	d := newDesk(t)
	d.produce(50)
	if p := d.must(50); p.Folded != 0 {
		t.Errorf("a new log: %d items were folded", p.Folded)
	}
	d.produce(10)
	if p := d.must(60); p.Folded != 0 {
		t.Errorf("from a checkpoint at the tail %d items were folded", p.Folded)
	}
	// The newest is damaged: the one before is taken, and the items after it are folded.
	newest := filepath.Join(d.dir, d.o.Name, d.newest())
	if err := os.Truncate(newest, 99); err != nil {
		t.Fatal(err)
	}
	d.produce(1)
	if p := d.must(61); p.Folded == 0 || p.Folded > 30 {
		t.Errorf("from the checkpoint before the damaged one %d items were folded", p.Folded)
	}
	if !strings.Contains(d.warned.String(), "checkpoint passed over") || !strings.Contains(d.warned.String(), "damaged") {
		t.Errorf("the damaged checkpoint is not told of:\n%s", d.warned)
	}
	// All are gone: the log is folded from its beginning.
	for _, f := range d.files() {
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	d.produce(1)
	if p := d.must(62); p.Folded != 61 {
		t.Errorf("without a checkpoint %d items were folded, want 61", p.Folded)
	}
	// An id of before every restart is still a duplicate.
	d.sent = 0
	d.produce(1)
	d.must(63)
	if got := d.ids(); got[61] != "i62" || got[62] != ingest.ReasonDuplicate {
		t.Errorf("the log ends with %v", got[60:])
	}
}

// Checkpoints of a log that is gone are ahead of the new one, or contradict it: they are passed over.
func TestSequencerPassesOverCheckpointsOfAnotherLog(t *testing.T) {
	old := newDesk(t)
	old.produce(20)
	old.must(20)
	for _, items := range []int{5, 40} {
		d := newDesk(t)
		d.o.Name = "apart" // so that it is known to count
		d.produce(items)
		d.must(uint64(items))
		d.o.Name, d.o.Checkpoints = "sequencer", old.o.Checkpoints
		d.dir = old.dir
		d.produce(1)
		if p := d.must(uint64(items + 1)); p.Folded != uint64(items) {
			t.Errorf("%d items of %d were folded", p.Folded, items)
		}
		if got := d.ids(); len(got) != items+1 || got[items] != fmt.Sprint("i", items+1) {
			t.Errorf("the log holds %v", got)
		}
	}
	if got := old.warned.String(); !strings.Contains(got, "the log ends at item 5") {
		t.Errorf("warnings: %s", got)
	}
}

// Retention has cut the head of the log: a checkpoint, else the first anchor that is left, says where to go on.
func TestSequencerGoesOnWithACutLog(t *testing.T) {
	d := newDesk(t)
	for range 150 { // a frame each, every 64th with full positions
		d.produce(1)
		d.must(uint64(d.sent))
	}
	if err := d.servers.Kafka.DeleteRecords("events", 0, 20); err != nil {
		t.Fatal(err)
	}
	d.produce(1)
	if p := d.must(151); p.Folded != 0 {
		t.Errorf("with a checkpoint %d items were folded", p.Folded)
	}
	store := d.o.Checkpoints
	d.o.Checkpoints = nil
	d.produce(1)
	if p := d.must(152); p.Folded == 0 || p.Folded > 131 {
		t.Errorf("from the first anchor %d items were folded", p.Folded)
	}
	if !strings.Contains(d.warned.String(), "the head of the events log is gone") {
		t.Errorf("warnings: %s", d.warned)
	}
	got := d.ids()
	if got[len(got)-1] != "i152" || got[len(got)-2] != "i151" {
		t.Errorf("the log ends with %v", got)
	}
	// Nothing is left of the log. A checkpoint reaches it; without one, nothing does.
	d.o.Checkpoints = store
	d.produce(1)
	d.must(153)
	end := d.servers.Kafka.PartitionInfo("events", 0).HighWatermark
	if err := d.servers.Kafka.DeleteRecords("events", 0, end); err != nil {
		t.Fatal(err)
	}
	d.produce(1)
	d.o.Checkpoints = nil
	_, err := d.run(154)
	if !errors.Is(err, frame.ErrCut) || !stage.Final(err) || !strings.Contains(err.Error(), "give the project another name") {
		t.Errorf("an emptied log without a checkpoint: %v", err)
	}
	d.o.Checkpoints = store
	if p := d.must(154); p.Folded != 0 {
		t.Errorf("an emptied log with a checkpoint: %d items were folded", p.Folded)
	}
	for range 3 {
		d.produce(1)
		d.must(uint64(d.sent))
	}
	if got := d.ids(); got[len(got)-1] != "i157" {
		t.Errorf("the log ends with %v", got)
	}
}

// A sequencer with nothing to do keeps its log readable: frames come, items do not.
func TestQuietSequencerKeepsItsLog(t *testing.T) {
	d := newDesk(t)
	d.o.Retention = 3 * time.Millisecond // of the writer alone: the topic keeps all
	d.produce(2)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- worker.Sequence(ctx, d.o) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for d.servers.Kafka.PartitionInfo("events", 0).HighWatermark < 12 && ctx.Err() == nil {
		<-tick.C
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	d.o.Retention = 0
	d.produce(1)
	if p := d.must(3); p.Items != 3 {
		t.Errorf("the log holds %d items, want 3", p.Items)
	}
	if got := d.ids(); len(got) != 3 || got[2] != "i3" {
		t.Errorf("the log holds %v", got)
	}
}

// change gives the desk other sources; what is there is copied.
func (d *desk) change(edit func(cfg *ingest.Config)) {
	cfg := d.o.Ingest
	cfg.Sources, cfg.Partitions = slices.Clone(cfg.Sources), slices.Clone(cfg.Partitions)
	for i := range cfg.Sources {
		cfg.Sources[i].Fields = slices.Clone(cfg.Sources[i].Fields)
	}
	edit(&cfg)
	d.o.Ingest = cfg
}

// read returns the items of the log as the sources of the desk declare them.
func (d *desk) read() []string {
	d.t.Helper()
	table, err := d.o.Ingest.Declared()
	if err != nil {
		d.t.Fatal(err)
	}
	own := features.SourcesOf(table)
	items := features.NewItems(own)
	if err := worker.EnterTail(d.t.Context(), d.o.Transport, "events", items); err != nil {
		d.t.Fatal(err)
	}
	r, err := stage.OpenReader(d.t.Context(), d.o.Transport, "events", 0, frame.Position{})
	if err != nil {
		d.t.Fatal(err)
	}
	defer r.Close()
	end := d.servers.Kafka.PartitionInfo("events", 0).HighWatermark
	var out []string
	var it features.Item
	for r.Position().Offset < end {
		c, err := r.Next(d.t.Context())
		if err == nil {
			err = items.Enter(c.Meta, c.Generation)
		}
		if err != nil {
			d.t.Fatal(err)
		}
		seq := c.FirstSeq
		for packed := c.Each(); packed.Next(); seq++ {
			if err := items.Decode(packed.Item(), seq, &it); err != nil {
				d.t.Fatal(err)
			}
			text := fmt.Sprint(it.Kind)
			if it.Kind == features.EventItem {
				text = own[it.Source].Name
				for i, v := range it.Fields {
					if own[it.Source].Fields[i].Name != "at" {
						text += " " + own[it.Source].Fields[i].Name + "=" + v.String()
					}
				}
			}
			out = append(out, text)
		}
	}
	return out
}

// A change of sources holds from its place on: it is marked once, and everything before is read by name.
func TestSequencerMarksAChangeOfSources(t *testing.T) {
	for name, checkpoints := range map[string]bool{"from a checkpoint": true, "folded again": false} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			if !checkpoints {
				d.o.Checkpoints = nil
			}
			d.produce(2)
			d.must(2)
			// a new nullable field before the others, and a new source
			if err := stage.EnsureTopics(t.Context(), d.o.Transport, stage.TopicSpec{Name: "b", Partitions: 1}); err != nil {
				t.Fatal(err)
			}
			d.change(func(cfg *ingest.Config) {
				a := &cfg.Sources[0]
				a.Fields = append([]ingest.FieldSpec{{Name: "gate", Kind: features.String, Nullable: true}}, a.Fields...)
				b := ingest.SourceSpec{Name: "0b", Topic: "b", Fields: []ingest.FieldSpec{{Name: "z", Kind: features.Int}}}
				cfg.Sources = append([]ingest.SourceSpec{b}, cfg.Sources...)
				cfg.Partitions = append([]int32{1}, cfg.Partitions...)
				cfg.Clock, cfg.IdleAfter = ingest.ClockWall, time.Millisecond
			})
			d.produce(1)
			d.must(4)
			d.produce(1)
			d.must(5) // no second mark
			got := d.read()
			var events []string
			marks := 0
			for _, s := range got {
				switch s {
				case "5":
					marks++
				case "3", "4": // ticks and idleness of the wall clock
				default:
					events = append(events, s)
				}
			}
			if want := "a gate=null id=i1|a gate=null id=i2|a gate=null id=i3|a gate=null id=i4"; strings.Join(events, "|") != want || marks != 1 || got[2] != "5" {
				t.Errorf("the log reads as %q, want %q with one mark at item 2", got, want)
			}
			// The source and a field go.
			d.change(func(cfg *ingest.Config) {
				cfg.Sources, cfg.Partitions = cfg.Sources[:1], cfg.Partitions[:1]
			})
			d.must(uint64(len(got)) + 1)
			for i, s := range d.read() {
				if i < len(got) && i != 2 && got[i] != "3" && s != "255" || i == len(got) && s != "5" {
					t.Errorf("item %d of a source that is gone reads as %s", i, s)
				}
			}
		})
	}
}

func TestSequencerRefusesAChangeThatCannotBeRead(t *testing.T) {
	d := newDesk(t)
	d.produce(2)
	d.must(2)
	d.change(func(cfg *ingest.Config) { cfg.Sources[0].Fields[1].Kind = features.Int })
	d.produce(1)
	_, err := d.run(3)
	if !errors.Is(err, features.ErrSources) || !stage.Final(err) || !strings.Contains(err.Error(), "source a: field id is a string in the log and a int in the project") {
		t.Errorf("another kind: %v", err)
	}
	d.change(func(cfg *ingest.Config) { cfg.Sources[0].Fields[1].Kind = features.String })
	d.must(3)
	if got := d.read(); len(got) != 3 {
		t.Errorf("the log reads as %v", got)
	}
}
