package ingest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
)

func eventSpec(name string) SourceSpec {
	return SourceSpec{Name: name, Time: "at", Fields: []FieldSpec{
		{Name: "at", Kind: features.Time, Layout: EpochSeconds}, {Name: "id", Kind: features.String}, {Name: "x", Kind: features.Int, Nullable: true}}}
}

func event(source int, partition int32, offset, at int64, id string) *Record {
	return &Record{Source: source, Partition: partition, Offset: offset, Timestamp: at * 1000, Value: fmt.Appendf(nil, `{"at":%d,"id":%q}`, at, id)}
}

func markAt(source int, partition int32, offset, t int64) *Record {
	_, headers := MarkRecord(t, false)
	return &Record{Source: source, Partition: partition, Offset: offset, Headers: headers}
}

func mustSequencer(t testing.TB, cfg Config) *Sequencer {
	t.Helper()
	s, err := NewSequencer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// line describes a decision with all that the events log keeps of it.
func line(d *Decision) string {
	it := &d.Item
	return fmt.Sprintf("%d %d %d/%d:%d @%d %s %v", it.Kind, it.Flags, it.Source, it.Partition, it.Offset, it.Time, it.Reason, texts(it.Fields))
}

func all(s *Sequencer) []string {
	var out []string
	for {
		d, ok := s.Next()
		if !ok {
			return out
		}
		out = append(out, line(d))
	}
}

// drawTopics makes topics with events, bad records, repeated ids, late events, marks and tombstones.
func drawTopics(t *rapid.T, marks bool) (Config, [][]*Record) {
	a, b, table := eventSpec("b"), eventSpec("a"), *planesSpec()
	a.Dedupe = Dedupe{By: "id", Within: 20 * time.Second, Size: 4}
	a.MaxLateness, b.MaxLateness = 10*time.Second, 10*time.Second
	b.OutOfOrder = 2 * time.Second
	cfg := Config{Sources: []SourceSpec{a, b, table}, Partitions: []int32{2, 1, 1}, MaxSkew: 3 * time.Second, Ends: !marks, Queue: 3}
	var topics [][]*Record
	for source, n := range cfg.Partitions {
		for p := range n {
			var topic []*Record
			at, offset, marked := int64(100), int64(0), int64(0)
			add := func(r *Record) {
				r.Offset = offset
				topic = append(topic, r)
				offset += rapid.Int64Range(1, 2).Draw(t, "gap")
			}
			if marks {
				add(markAt(source, p, 0, 0))
			}
			for range rapid.IntRange(0, 8).Draw(t, "records") {
				at += rapid.Int64Range(-2, 15).Draw(t, "step")
				switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
				case kind == 0:
					add(&Record{Source: source, Partition: p, Value: []byte(`{"at":`)})
				case kind <= 2 && marks:
					marked = max(marked, at*1_000_000)
					add(markAt(source, p, 0, marked))
				case source == 2 && kind == 3:
					add(&Record{Source: source, Partition: p, Key: []byte("N1"), Timestamp: at * 1000})
				case source == 2:
					add(&Record{Source: source, Partition: p, Key: []byte("N1"), Timestamp: at * 1000, Value: []byte(`{"tail":"N1","seats":3}`)})
				default:
					add(event(source, p, 0, at, rapid.SampledFrom([]string{"i", "j", "k", "l", "m", "n"}).Draw(t, "id")))
				}
			}
			if marks {
				add(markAt(source, p, 0, NoMoreTime))
			}
			topics = append(topics, topic)
		}
	}
	return cfg, topics
}

// deal offers the topics from their positions on in an arbitrary interleaving; stop ends it early.
func deal(t *rapid.T, s *Sequencer, topics [][]*Record, stop int) []string {
	var out []string
	pos, ended := make([]int, len(topics)), make([]bool, len(topics))
	for i, p := range s.Positions(nil) {
		for pos[i] < len(topics[i]) && topics[i][pos[i]].Offset < p.Next {
			pos[i]++
		}
	}
	for slices.Contains(ended, false) {
		i := rapid.IntRange(0, len(topics)-1).Draw(t, "topic")
		if ended[i] {
			i = slices.Index(ended, false)
		}
		source, partition := s.place(i)
		if k := pos[i]; k == len(topics[i]) {
			ended[i] = true
			if s.cfg.Ends {
				s.End(source, partition)
			}
		} else if s.Offer(topics[i][k]) {
			pos[i]++
		}
		for s.Queued() > 6 || rapid.Bool().Draw(t, "take") {
			d, ok := s.Next()
			if !ok {
				break
			}
			if out = append(out, line(d)); len(out) == stop {
				return out
			}
		}
	}
	return append(out, all(s)...)
}

// P1 at its root: every interleaving of arrival, and a restart at any item, gives the same items.
func TestItemsAreTheSameForEveryArrivalAndRestart(t *testing.T) {
	for _, marks := range []bool{true, false} {
		rapid.Check(t, func(t *rapid.T) {
			cfg, topics := drawTopics(t, marks)
			run := func() *Sequencer {
				s, err := NewSequencer(cfg)
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			want := deal(t, run(), topics, -1)
			records := 0
			for _, topic := range topics {
				for _, r := range topic {
					if _, mark := MarkOf(r); !mark {
						records++
					}
				}
			}
			if len(want) != records {
				t.Fatalf("%d records gave %d items", records, len(want))
			}
			first := run()
			got := deal(t, first, topics, rapid.IntRange(1, 12).Draw(t, "stop"))
			saved, positions := codec.Save(first.Fold), first.Positions(nil)
			second := run()
			if err := codec.Load(second.Fold, saved); err != nil {
				t.Fatal(err)
			}
			second.Resume(positions)
			got = append(got, deal(t, second, topics, -1)...)
			if !slices.Equal(got, want) {
				t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// A standby that folds the packed items knows what the sequencer knows.
func TestFoldOfItemsIsTheStateOfTheSequencer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg, topics := drawTopics(t, true)
		s, err := NewSequencer(cfg)
		if err != nil {
			t.Fatal(err)
		}
		standby, err := NewFold(cfg.Sources, cfg.Partitions)
		if err != nil {
			t.Fatal(err)
		}
		pos := make([]int, len(topics))
		var it features.Item
		for {
			for i, topic := range topics {
				for pos[i] < len(topic) && s.Offer(topic[pos[i]]) {
					pos[i]++
				}
			}
			d, ok := s.Next()
			if !ok {
				break
			}
			if _, err := features.DecodeItem(features.AppendItem(nil, &d.Item), &it); err != nil {
				t.Fatal(err)
			}
			standby.Apply(&it)
			if codec.Sum(standby) != codec.Sum(s.Fold) {
				t.Fatalf("differs after %s", line(d))
			}
		}
	})
}

func oneSource(edit func(*SourceSpec), cfg Config) Config {
	spec := eventSpec("a")
	edit(&spec)
	cfg.Sources, cfg.Partitions, cfg.Ends = []SourceSpec{spec}, []int32{1}, true
	return cfg
}

func reasons(s *Sequencer, records ...*Record) string {
	var out []string
	for _, r := range records {
		s.Offer(r)
		for {
			d, ok := s.Next()
			if !ok {
				break
			}
			switch {
			case d.Refusal != nil:
				out = append(out, string(d.Refusal.Stage)+"/"+d.Item.Reason)
			case d.Item.Flags&features.NotLearned != 0:
				out = append(out, "not learned")
			default:
				out = append(out, "ok")
			}
		}
	}
	return strings.Join(out, " ")
}

func TestLateAndNotLearned(t *testing.T) {
	s := mustSequencer(t, oneSource(func(a *SourceSpec) { a.MaxLateness, a.OutOfOrder = 100*time.Second, 5*time.Second }, Config{}))
	got := reasons(s, event(0, 0, 0, 1000, ""), event(0, 0, 1, 940, ""), event(0, 0, 2, 939, ""), event(0, 0, 3, 895, ""), event(0, 0, 4, 894, ""), event(0, 0, 5, 1000, ""))
	if want := "ok ok not learned not learned time/late ok"; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	part, _ := s.Part(0, 0)
	if part.Events != 5 || part.Refused != 1 || part.Next != 6 || part.Newest != 1000_000_000 || s.Watermark() != 995_000_000 {
		t.Fatalf("got %+v, watermark %d", part, s.Watermark())
	}
}

func TestDefaultLatenessIsADay(t *testing.T) {
	s := mustSequencer(t, oneSource(func(*SourceSpec) {}, Config{}))
	if got := reasons(s, event(0, 0, 0, 200000, ""), event(0, 0, 1, 113600, ""), event(0, 0, 2, 113599, "")); got != "ok not learned time/late" {
		t.Fatal(got)
	}
}

func TestFutureEventsOnlyWithWallClock(t *testing.T) {
	for clock, want := range map[ClockMode]string{ClockWall: "ok time/future", ClockEvents: "ok ok"} {
		s := mustSequencer(t, oneSource(func(a *SourceSpec) { a.Skew = 10 * time.Second }, Config{Clock: clock}))
		near, far := event(0, 0, 0, 1000, ""), event(0, 0, 1, 1001, "")
		near.Timestamp, far.Timestamp = 990_000, 990_000
		if got := reasons(s, near, far); got != want {
			t.Errorf("clock %d: %s", clock, got)
		}
	}
}

func TestDedupe(t *testing.T) {
	cfg := oneSource(func(a *SourceSpec) {
		a.Dedupe, a.OutOfOrder = Dedupe{By: "id", Within: 100 * time.Second, Size: 3}, 50*time.Second
	}, Config{MaxSkew: time.Hour})
	s := mustSequencer(t, cfg)
	got := reasons(s, event(0, 0, 0, 1000, "a"), event(0, 0, 1, 1000, "a"), event(0, 0, 2, 1100, "a"), event(0, 0, 3, 900, "a"),
		event(0, 0, 4, 1101, "a"), // more than within later: accepted, and remembered
		event(0, 0, 5, 1150, "a"))
	if want := "ok dedupe/duplicate dedupe/duplicate dedupe/duplicate ok dedupe/duplicate"; got != want {
		t.Fatalf("got %s", got)
	}
	// 1250 moves the watermark to 1200: what is of 1099 and before is forgotten.
	if got := reasons(s, event(0, 0, 6, 1250, "b")); got != "ok" || s.ids[0].count() != 2 {
		t.Fatalf("%s, %d ids remembered", got, s.ids[0].count())
	}
	// The bound forgets the oldest first, and counts.
	if got := reasons(s, event(0, 0, 7, 1250, "c"), event(0, 0, 8, 1250, "d"), event(0, 0, 9, 1201, "a")); got != "ok ok ok" || s.Forgotten() != 2 {
		t.Fatalf("%s, %d forgotten", got, s.Forgotten())
	}
}

// Dedupe agrees with one that keeps every event it accepted for ever and looks at all of them.
func TestDedupeAgreesWithBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const within, late = 6, 8
		size := rapid.SampledFrom([]int{2, 100}).Draw(t, "size")
		s, err := NewSequencer(oneSource(func(a *SourceSpec) {
			a.Dedupe, a.OutOfOrder = Dedupe{By: "id", Within: within * time.Second, Size: size}, late*time.Second
		}, Config{}))
		if err != nil {
			t.Fatal(err)
		}
		type accepted struct {
			id        string
			at        int64
			forgotten bool
		}
		var past []accepted
		head := int64(1000)
		for n := range rapid.IntRange(1, 40).Draw(t, "events") {
			at := head + rapid.Int64Range(-late-10, 5).Draw(t, "step")
			id := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "id")
			duplicate, held := false, 0
			for i := len(past) - 1; i >= 0; i-- {
				p := past[i]
				duplicate = duplicate || p.id == id && !p.forgotten && p.at >= head-late-within && max(at-p.at, p.at-at) <= within
			}
			s.Offer(event(0, 0, int64(n), at, id))
			d, ok := s.Next()
			if !ok || (d.Item.Reason == ReasonDuplicate) != duplicate {
				t.Fatalf("event %s at %d: %q, brute force says duplicate %v", id, at, d.Item.Reason, duplicate)
			}
			if !duplicate { // a refusal does not move the head
				if head = max(head, at); n == 0 {
					head = at
				}
				past = append(past, accepted{id: id, at: at})
			}
			if size == 2 { // what is held besides the newest two is forgotten, the oldest first
				for i := len(past) - 1; i >= 0; i-- {
					if past[i].forgotten {
						break
					}
					if held++; held > size {
						past[i].forgotten = true
					}
				}
			}
		}
	})
}

func TestDedupeLeavesNullIDs(t *testing.T) {
	s := mustSequencer(t, oneSource(func(a *SourceSpec) { a.Dedupe = Dedupe{By: "x", Within: time.Hour} }, Config{}))
	if got := reasons(s, event(0, 0, 0, 10, "a"), event(0, 0, 1, 10, "a")); got != "ok ok" {
		t.Fatal(got)
	}
}

// A table that has ended must not block a restarted order: its position stays at its newest mark.
func TestPositionStaysAtTheNewestMark(t *testing.T) {
	cfg := Config{Sources: []SourceSpec{eventSpec("a"), *planesSpec()}, Partitions: []int32{1, 1}}
	table := []*Record{markAt(1, 0, 0, 0), {Source: 1, Offset: 1, Key: []byte("N1"), Timestamp: 1000, Value: []byte(`{"tail":"N1","seats":3}`)},
		markAt(1, 0, 2, 5_000_000), markAt(1, 0, 3, NoMoreTime)}
	s := mustSequencer(t, cfg)
	s.Offer(markAt(0, 0, 0, 0))
	for _, r := range table {
		s.Offer(r)
	}
	if got := s.Positions(nil)[1].Next; got != 0 {
		t.Fatalf("nothing was taken, but the table is read from %d", got)
	}
	s.Offer(event(0, 0, 1, 10, "x"))
	if got := all(s); len(got) != 2 {
		t.Fatalf("got %v", got)
	}
	positions := s.Positions(nil)
	if positions[0].Next != 2 || positions[1].Next != 3 {
		t.Fatalf("positions %v, want 2 and that of the mark, 3", positions)
	}
	again := mustSequencer(t, cfg)
	if err := codec.Load(again.Fold, codec.Save(s.Fold)); err != nil {
		t.Fatal(err)
	}
	again.Resume(positions)
	if got := again.Positions(nil); !slices.Equal(got, positions) {
		t.Fatalf("positions %v after resuming at %v", got, positions)
	}
	again.Offer(event(0, 0, 2, 20, "y"))
	if got := all(again); len(got) != 0 {
		t.Fatalf("%v went before the mark was read again", got)
	}
	for _, r := range table {
		again.Offer(r)
	}
	if got := all(again); len(got) != 1 {
		t.Fatalf("got %v", got)
	}
	if got := again.Positions(nil)[1].Next; got != 3 {
		t.Fatalf("position %d after the restart, want 3", got)
	}
}

func TestSkippedOffsetsMoveThePosition(t *testing.T) {
	s := mustSequencer(t, oneSource(func(*SourceSpec) {}, Config{}))
	s.Offer(event(0, 0, 4, 10, ""))
	s.Skip(0, 0, 9)
	if got := s.Positions(nil)[0].Next; got != 0 {
		t.Fatalf("position %d passes a record that was not taken", got)
	}
	all(s)
	if got := s.Positions(nil)[0].Next; got != 9 {
		t.Fatalf("position %d, want 9", got)
	}
	if s.Offer(event(0, 0, 4, 10, "")); s.Queued() != 0 {
		t.Fatal("a record was taken twice")
	}
}

func TestPlainSourcesNeitherBlockNorAreLate(t *testing.T) {
	served := eventSpec("$served")
	served.Plain = true
	cfg := Config{Sources: []SourceSpec{eventSpec("a"), served}, Partitions: []int32{1, 1}}
	s := mustSequencer(t, cfg)
	s.Offer(markAt(0, 0, 0, 0))
	got := reasons(s, event(0, 0, 1, 1_000_000, ""), markAt(0, 0, 2, NoMoreTime), event(1, 0, 0, 5, ""), event(1, 0, 1, 2_000_000, ""))
	if got != "ok ok ok" || s.Head() != 1_000_000_000_000 {
		t.Fatalf("%s, head %d", got, s.Head())
	}
}

func TestRefusedRecordsKeepTheirPlace(t *testing.T) {
	s := mustSequencer(t, oneSource(func(*SourceSpec) {}, Config{}))
	s.Offer(&Record{Offset: 0, Value: []byte("x")})
	s.Offer(event(0, 0, 1, 10, "a"))
	s.Offer(&Record{Offset: 2, Value: []byte("x")})
	var got []string
	for {
		d, ok := s.Next()
		if !ok {
			break
		}
		got = append(got, fmt.Sprintf("%d:%s@%d", d.Item.Offset, d.Item.Reason, d.Item.Time))
	}
	if want := "[0:malformed@-9223372036854775808 1:@10000000 2:malformed@10000000]"; fmt.Sprint(got) != want {
		t.Fatalf("got %v, want %s", got, want)
	}
}

func TestDamagedFoldIsRefused(t *testing.T) {
	cfg := oneSource(func(a *SourceSpec) { a.Dedupe = Dedupe{By: "id", Within: time.Hour} }, Config{})
	s := mustSequencer(t, cfg)
	reasons(s, event(0, 0, 0, 10, "a"), event(0, 0, 1, 10, "b"))
	saved := codec.Save(s.Fold)
	for n := range saved {
		if err := codec.Load(mustSequencer(t, cfg).Fold, saved[:n]); err == nil {
			t.Fatalf("%d of %d bytes were accepted", n, len(saved))
		}
	}
	other := cfg
	other.Partitions = []int32{2}
	was := mustSequencer(t, other).Fold
	if err := codec.Load(was, saved); err != nil {
		t.Fatal(err)
	}
	if err := mustSequencer(t, other).Adopt(was); err == nil || !strings.Contains(err.Error(), "other sources") {
		t.Fatalf("other partitions: %v", err)
	}
}

func TestSequencerAllocatesNothing(t *testing.T) {
	s := mustSequencer(t, oneSource(func(a *SourceSpec) { a.Dedupe = Dedupe{By: "id", Within: time.Second, Size: 64} }, Config{}))
	records := make([]*Record, 3000)
	for i := range records {
		records[i] = event(0, 0, int64(i), 1000+int64(i), fmt.Sprint("id", i))
	}
	i := 0
	step := func() {
		s.Offer(records[i])
		i++
		if d, ok := s.Next(); !ok || d.Refusal != nil {
			t.Fatal("no event")
		}
	}
	for range 1000 {
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Fatalf("%v allocations a record", n)
	}
}
