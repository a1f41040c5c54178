package ingest

import (
	"slices"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
)

func TestIdleAndTicks(t *testing.T) {
	cfg := Config{Sources: []SourceSpec{eventSpec("a"), eventSpec("b")}, Partitions: []int32{1, 1}, Clock: ClockWall}
	s := mustSequencer(t, cfg)
	const sec = 1_000_000
	s.Lag(0, 0, 5, 100*sec)
	s.Offer(event(1, 0, 0, 90, ""))
	if got := all(s); len(got) != 0 {
		t.Fatal("did not wait for a partition with lag")
	}
	if _, ok := s.Idle(100*sec + 999_999); ok {
		t.Fatal("idle too early")
	}
	d, ok := s.Idle(101 * sec)
	if !ok || d.Item.Kind != features.IdleItem || d.Item.Source != 0 || d.Record != nil {
		t.Fatalf("got %+v", d)
	}
	if _, ok := s.Idle(101 * sec); ok {
		t.Fatal("idle twice")
	}
	if got := all(s); len(got) != 1 {
		t.Fatalf("got %v", got)
	}
	if part, _ := s.Part(0, 0); !part.Idle {
		t.Fatal("the fold does not know of the idle partition")
	}
	s.Lag(0, 0, 5, 101*sec)
	s.Lag(1, 0, 1, 101*sec)
	var ticks []int64
	for now := int64(101 * sec); now <= 104*sec; now += sec / 4 {
		if d, ok := s.Tick(now); ok {
			ticks = append(ticks, d.Item.Time)
		}
	}
	if want := []int64{102 * sec, 103 * sec, 104 * sec}; !slices.Equal(ticks, want) || s.Head() != 104*sec {
		t.Fatalf("ticks %v, head %d", ticks, s.Head())
	}
	s.Lag(0, 0, 5, 105*sec)
	if _, ok := s.Tick(106 * sec); !ok {
		t.Fatal("an idle partition must not stop the ticks")
	}
	s.Lag(0, 0, 8, 106*sec)
	if _, ok := s.Tick(107 * sec); ok {
		t.Fatal("a tick overtakes records that are known to have come")
	}
	s.Offer(event(0, 0, 7, 200, "ahead"))
	all(s)
	s.Lag(0, 0, 8, 107*sec)
	for now := int64(107 * sec); now < 201*sec; now += sec {
		if d, ok := s.Tick(now); ok {
			t.Fatalf("tick %d went back", d.Item.Time)
		}
	}
}

// A clock that is set back holds nothing up for as long; one that is set forward moves time, but loses nothing.
func TestClockThatIsSet(t *testing.T) {
	cfg := Config{Sources: []SourceSpec{eventSpec("a"), eventSpec("b")}, Partitions: []int32{1, 1}, Clock: ClockWall}
	s := mustSequencer(t, cfg)
	const sec, hour = 1_000_000, 3600 * 1_000_000
	s.Lag(0, 0, 5, 2*hour)
	s.Offer(event(1, 0, 0, 90, ""))
	all(s)
	if _, ok := s.Idle(2*hour + sec/2); ok {
		t.Fatal("idle too early")
	}
	for _, back := range []int64{hour, hour - sec/2} { // set back twice
		if _, ok := s.Idle(back); ok {
			t.Fatal("idle at once when the clock was set back")
		}
	}
	if _, ok := s.Idle(hour + sec/2); !ok {
		t.Fatal("not idle a second after the clock was set back")
	}
	if got := all(s); len(got) != 1 {
		t.Fatalf("got %v", got)
	}
	s.Lag(0, 0, 5, hour+sec)
	s.Lag(1, 0, 1, hour+sec)
	s.Tick(3 * hour) // all are idle from here on
	s.Tick(hour)
	if _, ok := s.Tick(hour + sec/2); ok {
		t.Fatal("a tick too early")
	}
	if d, ok := s.Tick(hour + sec); !ok || d.Item.Time != hour+sec {
		t.Fatal("no tick a second after the clock was set back")
	}
	if d, ok := s.Tick(9 * hour); !ok || d.Item.Time != 9*hour {
		t.Fatal("no tick when the clock was set forward")
	}
	if d, ok := s.Tick(2 * hour); ok {
		t.Fatalf("tick %d goes back", d.Item.Time)
	}
	s.Offer(event(1, 0, 1, 2*3600, "true time"))
	s.Lag(1, 0, 2, 2*hour)
	d, ok := s.Next()
	if !ok || d.Item.Kind != features.EventItem || d.Item.Flags&features.NotLearned == 0 {
		t.Fatalf("got %+v; an event that is older than a clock that was set forward is taken, and not learned from", d)
	}
}

// What takes an offset and is no record, as the marker of a transaction and a time mark, leaves the lag of its
// partition with it: nothing waits for it, and an idle project goes on with the clock.
func TestOffsetsWithoutARecordBlockNothing(t *testing.T) {
	const sec = 1_000_000
	for name, last := range map[string]func(s *Sequencer){
		"control record":      func(s *Sequencer) { s.Skip(0, 0, 2) },
		"time mark":           func(s *Sequencer) { s.Offer(markAt(0, 0, 1, 90*sec)) },
		"aborted transaction": func(s *Sequencer) { s.Lag(0, 0, 9, 100*sec); s.Skip(0, 0, 9) },
		"a gap and a mark":    func(s *Sequencer) { s.Lag(0, 0, 9, 100*sec); s.Offer(markAt(0, 0, 8, 90*sec)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := mustSequencer(t, Config{Sources: []SourceSpec{eventSpec("a"), eventSpec("b")}, Partitions: []int32{1, 1}, Clock: ClockWall})
			s.Lag(0, 0, 2, 100*sec)
			s.Lag(1, 0, 1, 100*sec)
			s.Offer(event(0, 0, 0, 90, ""))
			last(s)
			s.Offer(event(1, 0, 0, 95, ""))
			if got := all(s); len(got) != 2 {
				t.Fatalf("%v went, %v is waited for", got, s.Waiting())
			}
			if _, ok := s.Tick(100 * sec); ok {
				t.Fatal("a tick at once")
			}
			if _, ok := s.Tick(101 * sec); !ok {
				t.Fatal("no tick when nothing is left")
			}
		})
	}
}

// The last known record of a partition does not come: its block ends after idle_after, although the records before
// it came after the last poll that told of lag.
func TestABlockThatBeginsBetweenPollsEnds(t *testing.T) {
	const sec = 1_000_000
	s := mustSequencer(t, Config{Sources: []SourceSpec{eventSpec("a"), eventSpec("b")}, Partitions: []int32{1, 1}, Clock: ClockWall})
	s.Lag(0, 0, 2, 100*sec)
	s.Offer(event(0, 0, 0, 90, ""))
	s.Offer(event(1, 0, 0, 95, ""))
	if got := all(s); len(got) != 1 {
		t.Fatalf("%v went before what lies on the broker", got)
	}
	for _, now := range []int64{200 * sec, 201*sec - 1} {
		if _, ok := s.Idle(now); ok {
			t.Fatal("idle too early")
		}
	}
	if d, ok := s.Idle(201 * sec); !ok || d.Item.Source != 0 {
		t.Fatal("the block does not end")
	}
	if got := all(s); len(got) != 1 {
		t.Fatalf("got %v", got)
	}
}

// A partition that was idle when the sequencer went down is waited for when there is a backlog after its restart,
// and again when more comes than was there when its block ended.
func TestIdlePartitionsAreNotOvertakenByAKnownBacklog(t *testing.T) {
	const sec = 1_000_000
	cfg := Config{Sources: []SourceSpec{eventSpec("a"), eventSpec("b")}, Partitions: []int32{1, 1}, Clock: ClockWall}
	s := mustSequencer(t, cfg)
	s.Offer(event(1, 0, 0, 80, ""))
	all(s)
	s.Lag(1, 0, 2, 100*sec)
	s.Idle(100 * sec)
	if _, ok := s.Idle(101 * sec); !ok {
		t.Fatal("b is not idle")
	}
	again := mustSequencer(t, cfg)
	if err := codec.Load(again.Fold, codec.Save(s.Fold)); err != nil {
		t.Fatal(err)
	}
	again.Resume(s.Positions(nil))
	again.Lag(0, 0, 2, 200*sec)
	again.Lag(1, 0, 3, 200*sec)
	again.Offer(event(0, 0, 0, 150, "a0"))
	again.Offer(event(0, 0, 1, 160, "a1"))
	if got := all(again); len(got) != 0 {
		t.Fatalf("%v overtook the backlog of b", got)
	}
	again.Offer(event(1, 0, 1, 140, "b1"))
	again.Offer(event(1, 0, 2, 155, "b2"))
	var times []int64
	for d, ok := again.Next(); ok; d, ok = again.Next() {
		times = append(times, d.Item.Time/sec)
	}
	if want := []int64{140, 150, 155, 160}; !slices.Equal(times, want) {
		t.Fatalf("got %v, want %v", times, want)
	}
	again.Lag(1, 0, 5, 300*sec)
	if _, ok := again.Idle(301 * sec); !ok {
		t.Fatal("b is not idle again")
	}
	again.Lag(1, 0, 5, 302*sec)
	if again.Offer(event(0, 0, 2, 302, "a2")); len(all(again)) != 1 {
		t.Fatal("the same lag blocks again")
	}
	again.Lag(1, 0, 6, 303*sec)
	if again.Offer(event(0, 0, 3, 303, "a3")); len(all(again)) != 0 {
		t.Fatal("more lag does not block")
	}
	if _, ok := again.Idle(304 * sec); !ok || len(all(again)) != 1 {
		t.Fatal("the second block does not end")
	}
}
