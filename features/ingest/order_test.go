package ingest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/features"
)

// step is one thing that lies in a partition: a record, or a mark.
type step struct {
	lane int
	t    int64
	mark bool
	n    int // ordinal of the record in its lane
}

func (s step) String() string { return fmt.Sprintf("%d#%d@%d", s.lane, s.n, s.t) }

// drain takes all that may go now.
func drain(o *Order[step], out *[]step) {
	for {
		h, lane, t, ok := o.Next()
		if !ok {
			return
		}
		if lane != h.lane || t != h.t {
			panic(fmt.Sprintf("%v came as lane %d at %d", h, lane, t))
		}
		*out = append(*out, h)
	}
}

// sorted is the order by the dumb way: a merge that sees everything. A record that is older than a
// mark before it plays with the mark.
func sorted(lanes []Lane, streams [][]step) []step {
	pos := make([]int, len(streams))
	var out []step
	for {
		best, bestKey := -1, int64(0)
		for i, s := range streams {
			k := pos[i]
			for k < len(s) && s[k].mark {
				k++
			}
			if pos[i] = k; k == len(s) {
				continue
			}
			key := s[k].t
			for b := k - 1; b >= 0; b-- {
				if s[b].mark {
					key = max(key, s[b].t)
					break
				}
			}
			less := best < 0 || cmp.Or(cmp.Compare(key, bestKey), cmp.Compare(lanes[i].Source, lanes[best].Source),
				cmp.Compare(lanes[i].Partition, lanes[best].Partition)) < 0
			if less {
				best, bestKey = i, key
			}
		}
		if best < 0 {
			return out
		}
		out = append(out, streams[best][pos[best]])
		pos[best]++
	}
}

// drawStreams makes partitions whose times may go back, with marks that mostly hold what they promise.
func drawStreams(t *rapid.T, marks bool) ([]Lane, [][]step) {
	names := []string{"b", "a", "c"}
	var lanes []Lane
	for s := range rapid.IntRange(1, 3).Draw(t, "sources") {
		for p := range rapid.IntRange(1, 2).Draw(t, "partitions") {
			lanes = append(lanes, Lane{Source: names[s], Partition: int32(p), Ends: !marks})
		}
	}
	streams := make([][]step, len(lanes))
	for i := range lanes {
		at, n := int64(1), 0
		for range rapid.IntRange(0, 8).Draw(t, "length") {
			at += rapid.Int64Range(-1, 3).Draw(t, "step")
			mark := marks && rapid.IntRange(0, 3).Draw(t, "mark") == 0
			streams[i] = append(streams[i], step{i, at, mark, n})
			n++
		}
		if marks {
			streams[i] = append(monotone(streams[i]), step{i, NoMoreTime, true, n})
		}
	}
	return lanes, streams
}

// monotone drops marks that are smaller than one before.
func monotone(s []step) []step {
	last := int64(features.NoTime)
	return slices.DeleteFunc(s, func(x step) bool {
		if !x.mark {
			return false
		}
		drop := x.t < last
		last = max(last, x.t)
		return drop
	})
}

// play offers the streams in an arbitrary interleaving and takes what may go at arbitrary moments.
func play(t *rapid.T, o *Order[step], streams [][]step) []step {
	var out []step
	pos := make([]int, len(streams))
	ended := make([]bool, len(streams))
	for {
		var open []int
		for i := range streams {
			if !ended[i] {
				open = append(open, i)
			}
		}
		if len(open) == 0 {
			break
		}
		i := rapid.SampledFrom(open).Draw(t, "next")
		switch k := pos[i]; {
		case k == len(streams[i]):
			ended[i] = true
			if o.lanes[i].spec.Ends {
				o.End(i)
			}
		case streams[i][k].mark:
			o.Mark(i, streams[i][k].t)
			pos[i]++
		case o.Push(i, streams[i][k].t, streams[i][k]):
			pos[i]++
		default: // full: only this partition waits
			if !o.Full(i) {
				t.Fatal("refused a record of a queue that is not full")
			}
		}
		if o.queued > 4 || rapid.Bool().Draw(t, "drain") {
			drain(o, &out)
		}
	}
	drain(o, &out)
	return out
}

// Every interleaving of arrival gives the order that one sees who knows everything: with time marks,
// and with known ends.
func TestOrderIsTheSameForEveryArrival(t *testing.T) {
	for _, marks := range []bool{true, false} {
		rapid.Check(t, func(t *rapid.T) {
			lanes, streams := drawStreams(t, marks)
			want := sorted(lanes, streams)
			o := NewOrder[step](lanes, ClockEvents, 16)
			if got := play(t, o, streams); !slices.Equal(got, want) {
				t.Fatalf("got  %v\nwant %v", got, want)
			}
			if !o.Done() || len(o.Waiting()) > 0 || o.Len() != 0 {
				t.Fatalf("not done, waiting %v", o.Waiting())
			}
		})
	}
}

// The control: who does not wait (clock: wall without known lag) sees another order for some arrival.
func TestOrderOfArrivalDiffers(t *testing.T) {
	lanes := []Lane{{Source: "a"}, {Source: "b"}}
	o := NewOrder[step](lanes, ClockWall, 0)
	var out []step
	o.Push(1, 9, step{1, 9, false, 0})
	drain(o, &out)
	o.Push(0, 3, step{0, 3, false, 0})
	drain(o, &out)
	if out[0].t != 9 {
		t.Fatalf("got %v: without lag nothing may wait", out)
	}
}

func TestOrderRuleOfMarks(t *testing.T) {
	for _, c := range []struct {
		name      string
		candidate int // lane of the record at 10; the other has only a mark
		mark      int64
		goes      bool
	}{
		{"mark before", 0, 9, false},
		{"mark at its time, comes later", 0, 10, true},
		{"mark at its time, comes earlier", 1, 10, false},
		{"mark after", 1, 11, true},
		{"no more", 1, NoMoreTime, true},
	} {
		o := NewOrder[step]([]Lane{{Source: "a"}, {Source: "b"}}, ClockEvents, 0)
		o.Mark(c.candidate, 0)
		o.Push(c.candidate, 10, step{lane: c.candidate, t: 10})
		o.Mark(1-c.candidate, c.mark)
		if _, _, _, ok := o.Next(); ok != c.goes {
			t.Errorf("%s: goes %v", c.name, ok)
		}
	}
}

func TestOrderWaitsForFirstMarks(t *testing.T) {
	o := NewOrder[step]([]Lane{{Source: "a"}, {Source: "b", Partition: 2}, {Source: "$served", Plain: true}}, ClockEvents, 0)
	o.Push(0, 1, step{t: 1})
	o.Push(1, 2, step{lane: 1, t: 2})
	var out []step
	if drain(o, &out); len(out) != 0 {
		t.Fatalf("%v went without marks", out)
	}
	if got := strings.Join(o.Waiting(), " "); got != "a/0: no time mark yet b/2: no time mark yet" {
		t.Fatalf("waits for %q", got)
	}
	o.Push(2, 99, step{lane: 2, t: 99})
	if drain(o, &out); len(out) != 1 || out[0].lane != 2 {
		t.Fatalf("a plain record must go at once, got %v", out)
	}
	o.Mark(0, 0)
	o.Mark(1, 0)
	if drain(o, &out); len(out) != 2 {
		t.Fatalf("got %v", out)
	}
	if got := strings.Join(o.Waiting(), " "); got != "a/0: neither a record nor a later time mark" {
		t.Fatalf("waits for %q", got)
	}
	o.Mark(0, 5)
	o.Mark(0, 1) // a smaller mark replaces a greater one
	if drain(o, &out); len(out) != 2 {
		t.Fatalf("the greater mark still counts: %v", out)
	}
}

func TestOrderPoisonNeverBlocks(t *testing.T) {
	o := NewOrder[int]([]Lane{{Source: "a", Ends: true}, {Source: "b", Ends: true}}, ClockEvents, 0)
	o.Push(0, features.NoTime, 1)
	o.Push(0, 5, 2)
	o.Push(0, features.NoTime, 3)
	o.Push(1, 4, 4)
	o.Push(1, 6, 5)
	var got []string
	for {
		h, _, at, ok := o.Next()
		if !ok {
			break
		}
		got = append(got, fmt.Sprint(h, "@", at))
	}
	if want := "[1@-9223372036854775808 4@4 2@5 3@5]"; fmt.Sprint(got) != want {
		t.Fatalf("got %v, want %s", got, want)
	}
}

func TestOrderWallClock(t *testing.T) {
	o := NewOrder[step]([]Lane{{Source: "a"}, {Source: "b"}, {Source: "$served", Plain: true}}, ClockWall, 0)
	var out []step
	o.Lag(0, 3, 1000)
	o.Push(1, 7, step{lane: 1, t: 7})
	if drain(o, &out); len(out) != 0 {
		t.Fatal("a partition with known lag must block")
	}
	if _, ok := o.Stalled(1999, 1000); ok {
		t.Fatal("stalled too early")
	}
	o.Lag(0, 3, 1500)
	lane, ok := o.Stalled(2000, 1000)
	if !ok || lane != 0 {
		t.Fatalf("lane %d %v must be stalled", lane, ok)
	}
	o.Idle(lane)
	if drain(o, &out); len(out) != 1 {
		t.Fatal("an idle partition must not block")
	}
	if o.AllIdle() {
		t.Fatal("b was never polled")
	}
	o.Lag(1, 0, 2000)
	o.Push(2, 1, step{lane: 2, t: 1}) // answers that are served do not stop the ticks
	if !o.AllIdle() {
		t.Fatal("all are idle")
	}
	if drain(o, &out); len(out) != 2 {
		t.Fatalf("got %v", out)
	}
	out = out[:1]
	for n := range 3 {
		o.Push(0, int64(8+n), step{t: int64(8 + n)})
	}
	o.Lag(0, 0, 3000)
	if drain(o, &out); len(out) != 4 {
		t.Fatalf("got %v", out)
	}
	o.Lag(0, 1, 4000)
	o.Push(1, 50, step{lane: 1, t: 50})
	if drain(o, &out); len(out) != 4 {
		t.Fatal("a record must end the idleness of its partition")
	}
	o.Lag(0, 0, 4500) // control records moved the next offset
	if _, ok := o.Stalled(9000, 1000); ok {
		t.Fatal("no lag is no stall")
	}
}

func TestOrderRecordAfterTheEndBlocksAgain(t *testing.T) {
	o := NewOrder[step]([]Lane{{Source: "a", Ends: true}, {Source: "b", Ends: true}}, ClockEvents, 0)
	var out []step
	o.End(0)
	o.Push(0, 1, step{t: 1})
	o.Push(1, 1, step{lane: 1, t: 1})
	if drain(o, &out); len(out) != 1 || o.Done() {
		t.Fatalf("%v went, although a has no end any more", out)
	}
	o.End(0)
	o.End(1)
	if drain(o, &out); len(out) != 2 || !o.Done() {
		t.Fatalf("got %v", out)
	}
}

// A record behind the mark that says that nothing follows waits for the others, and not for ever.
func TestOrderRecordBehindTheLastMarkGoes(t *testing.T) {
	o := NewOrder[step]([]Lane{{Source: "a"}, {Source: "b"}}, ClockEvents, 0)
	var out []step
	o.Mark(0, NoMoreTime)
	o.Mark(1, 5)
	o.Push(1, 9, step{lane: 1, t: 9})
	o.Mark(1, NoMoreTime)
	o.Push(1, 3, step{lane: 1, t: 3})
	o.Push(0, 7, step{t: 7})
	if drain(o, &out); len(out) != 3 || out[0].t != 9 || !o.Done() {
		t.Fatalf("%v went, %d are left, waiting for %v", out, o.Len(), o.Waiting())
	}
}

func TestOrderFullQueuePausesOnlyItself(t *testing.T) {
	o := NewOrder[int]([]Lane{{Source: "a", Ends: true}, {Source: "b", Ends: true}}, ClockEvents, 2)
	if !o.Push(0, 1, 1) || !o.Push(0, 2, 2) || o.Push(0, 3, 3) || !o.Full(0) || o.Full(1) || !o.Push(1, 1, 4) {
		t.Fatal("only a third record of a must be refused")
	}
	if o.LaneLen(0) != 2 {
		t.Fatalf("lane holds %d", o.LaneLen(0))
	}
}

func BenchmarkOrder(b *testing.B) {
	for _, n := range []int{6, 18, 200} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			lanes := make([]Lane, n)
			for i := range lanes {
				lanes[i] = Lane{Source: fmt.Sprint(i), Ends: true}
			}
			o := NewOrder[int](lanes, ClockEvents, 64)
			rng := uint64(1)
			next := func() int64 { rng = rng*6364136223846793005 + 1442695040888963407; return int64(rng >> 54) }
			at := make([]int64, n)
			for i := range lanes {
				for range 8 {
					at[i] += next()
					o.Push(i, at[i], i)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				_, i, _, ok := o.Next()
				if !ok {
					b.Fatal("blocked")
				}
				at[i] += next()
				o.Push(i, at[i], i)
			}
		})
	}
}
