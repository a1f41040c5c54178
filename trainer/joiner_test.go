package trainer

import (
	"bytes"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/expr"
	"github.com/freshet-ml/freshet/features/vector"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models/fold"
)

// Sources of the tests: examples, two kinds of labels, and control.
const (
	joinTrigger = iota
	joinFirst
	joinSecond
	joinControl
)

const outOfOrder = 3

func joinSources() []features.Source {
	fields := func(value string) []features.Field {
		return []features.Field{{Name: "id", Kind: features.String, Nullable: true}, {Name: value, Kind: features.Double, Nullable: true}}
	}
	return []features.Source{{Name: "asked", Fields: fields("x"), OutOfOrder: outOfOrder}, {Name: "first", Fields: fields("value")},
		{Name: "second", Fields: fields("value")}, features.PlainSources()[2]}
}

func joinTriggerOf(t testing.TB, labels ...Label) *Trigger {
	t.Helper()
	sources := joinSources()
	v, err := vector.New(vector.Layout{Trigger: &sources[joinTrigger], Fields: []int{1}})
	if err != nil {
		t.Fatal(err)
	}
	tr := &Trigger{Name: "asked", Source: joinTrigger, ID: 0, Vector: v}
	for i, l := range labels {
		x, err := expr.Compile("value", expr.FieldsOf(sources[joinFirst].Fields))
		if err != nil {
			t.Fatal(err)
		}
		l.Source, l.ID, l.Value, l.Text, l.Model = joinFirst+i, 0, x, "value", -1
		tr.Labels = append(tr.Labels, l)
	}
	return tr
}

func idValue(id string) features.Value {
	if id == "" {
		return features.Value{}
	}
	return features.StringValue(id)
}

func event(source int, t int64, id string, x float64) features.Item {
	return features.Item{Kind: features.EventItem, Source: source, Time: t, Fields: []features.Value{idValue(id), features.DoubleValue(x)}}
}

// feedJoiner applies an item as the stages do.
func feedJoiner(j *Joiner, it *features.Item) {
	var vec []float64
	if j.trigger.Expects(it) {
		vec = j.trigger.Vector.Begin(nil)
	}
	j.Apply(it, vec, features.NoTime)
}

func copied(e *fold.Entry) fold.Entry {
	c := *e
	c.Vector = append([]float64(nil), e.Vector...)
	return c
}

func joinAll(tr *Trigger, items []features.Item) ([]fold.Entry, *Joiner) {
	var got []fold.Entry
	j := NewJoiner(tr, joinSources(), func(e *fold.Entry) { got = append(got, copied(e)) })
	for i := range items {
		items[i].Seq = uint64(i)
		feedJoiner(j, &items[i])
	}
	return got, j
}

func drawLabel(t *rapid.T) Label {
	return Label{Wait: rapid.Int64Range(0, 30).Draw(t, "wait"), Early: rapid.SampledFrom([]int64{0, 0, 5, 20}).Draw(t, "early"),
		CorrectFor: rapid.SampledFrom([]int64{0, 0, 7, 25}).Draw(t, "correct"), Missing: rapid.SampledFrom([]Missing{Drop, Negative}).Draw(t, "missing")}
}

func drawItems(t *rapid.T, labels int) []features.Item {
	now, out := int64(100), []features.Item{}
	for n := rapid.IntRange(1, 60).Draw(t, "items"); n > 0; n-- {
		now += rapid.Int64Range(0, 6).Draw(t, "step")
		at := now - rapid.Int64Range(0, 9).Draw(t, "late")
		id := rapid.SampledFrom([]string{"a", "a", "b", "c", "d", ""}).Draw(t, "id")
		y := rapid.SampledFrom([]float64{0, 1, 2, 3, math.NaN(), math.Inf(1)}).Draw(t, "y")
		switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
		case kind == 0:
			out = append(out, features.Item{Kind: features.RefusalItem, Source: joinTrigger, Time: at, Reason: "late"})
		case kind == 1:
			out = append(out, features.Item{Kind: features.TickItem, Time: now})
		case kind == 2:
			out = append(out, features.Item{Kind: features.EventItem, Source: joinControl, Time: at, Fields: []features.Value{
				features.StringValue("freeze"), features.StringValue("m"), {}}})
		case kind < 6:
			it := event(joinTrigger, at, id, float64(len(out)))
			if rapid.IntRange(0, 5).Draw(t, "skewed") == 0 {
				it.Flags = features.NotLearned
			}
			out = append(out, it)
		default:
			out = append(out, event(joinFirst+rapid.IntRange(0, labels-1).Draw(t, "label"), at, id, y))
		}
	}
	return append(out, features.Item{Kind: features.TickItem, Time: now + rapid.Int64Range(0, 80).Draw(t, "end")})
}

var sameNumbers = cmpopts.EquateNaNs()

// The joiner writes what following each id through its life gives, and counts what happened.
func TestJoinerFollowsEveryLife(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		labels := []Label{drawLabel(rt)}
		if rapid.Bool().Draw(rt, "two") {
			labels = append(labels, drawLabel(rt))
		}
		tr := joinTriggerOf(t, labels...)
		items := drawItems(rt, len(labels))
		got, j := joinAll(tr, items)
		o := &lifecycles{trigger: tr, items: items}
		clock := features.NewClock(joinSources())
		for i := range items {
			clock.Observe(&items[i])
			o.marks = append(o.marks, clock.Watermark)
		}
		var want []fold.Entry
		for _, x := range o.run() {
			want = append(want, x.entry)
		}
		if diff := cmp.Diff(want, got, sameNumbers, cmpopts.EquateEmpty()); diff != "" {
			rt.Fatalf("entries, -lives +joiner:\n%s", diff)
		}
		if diff := cmp.Diff(o.stats, j.Stats()); diff != "" {
			rt.Fatalf("counts, -lives +joiner:\n%s", diff)
		}
	})
}

// A joiner that is saved and loaded before every item writes the same log, and its state has the same bytes.
func TestJoinerGoesOnFromItsState(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tr := joinTriggerOf(t, drawLabel(rt), drawLabel(rt))
		tr.MaxPending = rapid.SampledFrom([]int{0, 1, 3}).Draw(rt, "limit")
		items := drawItems(rt, 2)
		want, _ := joinAll(tr, items)
		var got []fold.Entry
		emit := func(e *fold.Entry) { got = append(got, copied(e)) }
		j := NewJoiner(tr, joinSources(), emit)
		for i := range items {
			saved := saveJoiner(j)
			j = NewJoiner(tr, joinSources(), emit)
			s := codec.Loader(saved)
			if j.State(s); s.Close() != nil {
				rt.Fatal(s.Close())
			}
			if again := saveJoiner(j); !bytes.Equal(saved, again) {
				rt.Fatalf("item %d: the loaded state is saved as other bytes", i)
			}
			feedJoiner(j, &items[i])
		}
		if diff := cmp.Diff(want, got, sameNumbers); diff != "" {
			rt.Fatalf("-whole +pieces:\n%s", diff)
		}
	})
}

func saveJoiner(j *Joiner) []byte {
	s := codec.Saver(nil)
	j.State(s)
	return append([]byte(nil), s.Bytes()...)
}

func TestJoinerCounts(t *testing.T) {
	tick := func(at int64) features.Item { return features.Item{Kind: features.TickItem, Time: at} }
	asked, first := func(at int64, id string) features.Item { return event(joinTrigger, at, id, 1) }, func(at int64, id string, y float64) features.Item {
		return event(joinFirst, at, id, y)
	}
	skewed := asked(10, "a")
	skewed.Flags = features.NotLearned
	for _, c := range []struct {
		name  string
		label Label
		limit int
		items []features.Item
		want  JoinStats
		kinds string // of the entries: p, l, x (close)
	}{
		{"label in time", Label{Wait: 50}, 0, []features.Item{asked(10, "a"), first(60, "a", 1)}, JoinStats{Predicted: 1, Learned: 1}, "pl"},
		{"label after wait", Label{Wait: 50}, 0, []features.Item{asked(10, "a"), first(61, "a", 1)}, JoinStats{Predicted: 1, Late: 1}, "p"},
		{"label never, dropped", Label{Wait: 50}, 0, []features.Item{asked(10, "a"), tick(64)}, JoinStats{Predicted: 1, Missing: 1}, "px"},
		{"the watermark stands at the deadline", Label{Wait: 50}, 0, []features.Item{asked(10, "a"), tick(63)}, JoinStats{Predicted: 1}, "p"},
		{"label never, negative", Label{Wait: 50, Missing: Negative}, 0, []features.Item{asked(10, "a"), tick(64)}, JoinStats{Predicted: 1, Missing: 1}, "pl"},
		{"label first, kept", Label{Wait: 50, Early: 20}, 0, []features.Item{first(5, "a", 1), asked(10, "a")}, JoinStats{Predicted: 1, Learned: 1}, "pl"},
		{"label first, not kept", Label{Wait: 50}, 0, []features.Item{first(5, "a", 1), asked(10, "a")}, JoinStats{Predicted: 1, Orphans: 1}, "p"},
		{"label first, kept too short", Label{Wait: 50, Early: 20}, 0, []features.Item{first(5, "a", 1), asked(40, "a")}, JoinStats{Predicted: 1, Orphans: 1}, "p"},
		{"label first, twice", Label{Wait: 50, Early: 20}, 0, []features.Item{first(5, "a", 1), first(6, "a", 0), asked(10, "a")}, JoinStats{Predicted: 1, Learned: 1, Twice: 1}, "pl"},
		{"label of no example", Label{Wait: 50}, 0, []features.Item{first(5, "z", 1)}, JoinStats{Orphans: 1}, ""},
		{"label twice, corrected", Label{Wait: 50, CorrectFor: 10}, 0, []features.Item{asked(10, "a"), first(20, "a", 1), first(25, "a", 0), tick(40)}, JoinStats{Predicted: 1, Learned: 1, Corrected: 1}, "pllx"},
		{"label twice", Label{Wait: 50}, 0, []features.Item{asked(10, "a"), first(20, "a", 1), first(25, "a", 0)}, JoinStats{Predicted: 1, Learned: 1, Orphans: 1}, "pl"},
		{"same id twice", Label{Wait: 50}, 0, []features.Item{asked(10, "a"), asked(11, "a"), first(20, "a", 1)}, JoinStats{Predicted: 1, Learned: 1, Duplicates: 1}, "pl"},
		{"same id again after its label", Label{Wait: 50}, 0, []features.Item{asked(10, "a"), first(20, "a", 1), asked(21, "a")}, JoinStats{Predicted: 2, Learned: 1}, "plp"},
		{"null id", Label{Wait: 50}, 0, []features.Item{asked(10, ""), asked(11, ""), first(20, "", 1)}, JoinStats{Predicted: 2}, "pxpx"},
		{"label that is no number", Label{Wait: 50}, 0, []features.Item{asked(10, "a"), first(20, "a", math.NaN()), first(21, "a", math.Inf(-1))}, JoinStats{Predicted: 1, Unusable: 2}, "p"},
		{"skewed trigger", Label{Wait: 50}, 0, []features.Item{skewed, first(20, "a", 1)}, JoinStats{Predicted: 1, NotLearned: 1, Orphans: 1}, "px"},
		{"too many wait", Label{Wait: 50}, 2, []features.Item{asked(10, "a"), asked(11, "b"), asked(12, "c"), first(20, "a", 1), first(20, "b", 1)},
			JoinStats{Predicted: 3, Evicted: 1, Orphans: 1, Learned: 1}, "pppxl"},
		{"a value that is not finite", Label{Wait: 50}, 0, []features.Item{event(joinTrigger, 10, "a", math.Inf(1))}, JoinStats{Predicted: 1, NotFinite: 1}, "p"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := joinTriggerOf(t, c.label)
			tr.MaxPending = c.limit
			got, j := joinAll(tr, c.items)
			if diff := cmp.Diff(c.want, j.Stats()); diff != "" {
				t.Errorf("counts, -want +got:\n%s", diff)
			}
			kinds := ""
			for _, e := range got {
				kinds += string("?plxc"[e.Kind])
			}
			if kinds != c.kinds {
				t.Errorf("entries %q, want %q", kinds, c.kinds)
			}
		})
	}
}

func TestTimersGoByDeadlineThenSeq(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var ts timers
		n := rapid.IntRange(0, 50).Draw(rt, "n")
		for i := range n {
			ts.add(timer{at: rapid.Int64Range(0, 5).Draw(rt, "at"), seq: rapid.Uint64Range(0, 5).Draw(rt, "seq"), label: i % 2,
				correction: rapid.Bool().Draw(rt, "correction"), early: fmt.Sprint(i % 3)})
		}
		mark := rapid.Int64Range(0, 6).Draw(rt, "mark")
		var last *timer
		for ts.due(mark) {
			x := ts.pop()
			if x.at >= mark {
				rt.Fatalf("timer of %d is due at %d", x.at, mark)
			}
			if last != nil && (timerHeap{x, *last}).Less(0, 1) {
				rt.Fatalf("%+v comes after %+v", x, *last)
			}
			last = &x
			n--
		}
		if ts.len() != n {
			rt.Fatalf("%d timers are left, want %d", ts.len(), n)
		}
		for ts.len() > 0 {
			if x := ts.pop(); x.at < mark {
				rt.Fatalf("timer of %d was not due at %d", x.at, mark)
			}
		}
	})
}

// Labels and examples of other triggers pass without a trace in memory.
func TestJoinerPassesItemsWithoutAllocation(t *testing.T) {
	j := NewJoiner(joinTriggerOf(t, Label{Wait: 50}), joinSources(), func(*fold.Entry) {})
	orphan, refusal := event(joinFirst, 10, "nobody", 1), features.Item{Kind: features.RefusalItem, Time: 5}
	if n := testing.AllocsPerRun(100, func() { j.Apply(&orphan, nil, 0); j.Apply(&refusal, nil, 0) }); n > 0 {
		t.Errorf("an item that changes nothing allocates %v times", n)
	}
}

// What an example and its label allocate is the id that the example keeps while it waits.
func TestJoinerKeepsOnlyTheIDOfAnExample(t *testing.T) {
	tr := joinTriggerOf(t, Label{Wait: 50})
	j := NewJoiner(tr, joinSources(), func(*fold.Entry) {})
	vec := tr.Vector.Begin(nil)
	asked, label := event(joinTrigger, 0, "flight-1", 1), event(joinFirst, 0, "flight-1", 1)
	n := int64(0)
	if got := testing.AllocsPerRun(5000, func() {
		asked.Time, label.Time = n, n
		j.Apply(&asked, vec, n)
		j.Apply(&label, nil, 0)
		n++
	}); got > 1 {
		t.Errorf("%v allocations for an example and its label", got)
	}
	if j.Stats().Learned != uint64(n) {
		t.Errorf("%d of %d were learned", j.Stats().Learned, n)
	}
}

func BenchmarkJoiner(b *testing.B) {
	tr := joinTriggerOf(b, Label{Wait: 1 << 40})
	j := NewJoiner(tr, joinSources(), func(*fold.Entry) {})
	vec := tr.Vector.Begin(nil)
	ids := make([]string, 1024)
	for i := range ids {
		ids[i] = fmt.Sprint("flight-", i)
	}
	b.ReportAllocs()
	n := int64(0)
	for b.Loop() {
		asked, label := event(joinTrigger, n, ids[n%1024], 1), event(joinFirst, n, ids[n%1024], 1)
		j.Apply(&asked, vec, n)
		j.Apply(&label, nil, 0)
		n++
	}
	b.ReportMetric(float64(j.Pending()), "pending")
}
