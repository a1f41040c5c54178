package app_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/features/worker"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
)

// place is where a source record lies.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// records reads all records of topics that are no time marks.
func (r *rig) records(topics ...string) map[place]*kgo.Record {
	r.t.Helper()
	ctx := r.deadline()
	out := map[place]*kgo.Record{}
	for _, topic := range topics {
		from, left := map[int32]kgo.Offset{}, int64(0)
		n, err := stage.PartitionCount(ctx, r.tr, topic)
		if err != nil {
			r.t.Fatal(err)
		}
		for p := range n {
			from[p] = kgo.NewOffset().AtStart()
		}
		ends, err := kadm.NewClient(r.client()).ListEndOffsets(ctx, topic)
		if err != nil {
			r.t.Fatal(err)
		}
		ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
		cl, err := r.tr.Client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.KeepControlRecords(), kgo.FetchIsolationLevel(kgo.ReadUncommitted()))
		if err != nil {
			r.t.Fatal(err)
		}
		for left > 0 {
			f := cl.PollFetches(ctx)
			if err := f.Err(); err != nil {
				r.t.Fatal(err)
			}
			f.EachRecord(func(rec *kgo.Record) {
				left--
				if rec.Attrs.IsControl() || slices.ContainsFunc(rec.Headers, func(h kgo.RecordHeader) bool { return h.Key == ingest.MarkHeader }) {
					return
				}
				out[place{topic, rec.Partition, rec.Offset}] = rec
			})
		}
		cl.Close()
	}
	return out
}

func (r *rig) sourceTopics() []string {
	var list []string
	for _, in := range r.prog.Project.Inputs() {
		list = append(list, in.Topic)
	}
	return list
}

// refold folds what lies in events through units, joiner and learners without any log between them.
func (r *rig) refold(change func(it *features.Item)) (*trainer.Replay, map[place]features.Item) {
	r.t.Helper()
	ctx := r.deadline()
	replay, err := trainer.NewReplay(r.prog.Program)
	if err != nil {
		r.t.Fatal(err)
	}
	inputs, seen := r.prog.Project.Inputs(), map[place]features.Item{}
	err = r.app.EachItem(ctx, r.tail(ctx, r.topics.Events), func(it *features.Item) error {
		if it.Kind == features.EventItem || it.Kind == features.RefusalItem {
			if it.Source < len(inputs) {
				at := place{inputs[it.Source].Topic, it.Partition, it.Offset}
				if _, twice := seen[at]; twice {
					r.t.Errorf("%v is in events twice", at)
				}
				seen[at] = features.Item{Kind: it.Kind, Flags: it.Flags, Source: it.Source, Time: it.Time, Reason: it.Reason}
			}
		}
		if change != nil {
			change(it)
		}
		return replay.Apply(it)
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return replay, seen
}

// through runs the stages beside produce until n items are in events and all of them has gone through, and
// checks that every stage holds what a fold of events gives.
func (r *rig) through(when schedule, n uint64, produce func(ctx context.Context)) (*trainer.Replay, map[place]features.Item) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.deadline())
	var wg sync.WaitGroup
	for name, s := range r.stages() {
		wg.Go(func() { r.again(ctx, name, s, when) })
	}
	produce(ctx)
	trigger := r.prog.Triggers[0].Name
	var replay *trainer.Replay
	var seen map[place]features.Item
	for ctx.Err() == nil && uint64(len(seen)) < n { // ticks are items too
		pause(ctx, 10*time.Millisecond)
		if r.tail(ctx, r.topics.Events) >= n {
			replay, seen = r.refold(nil)
		}
	}
	if replay == nil {
		cancel()
		wg.Wait()
		r.t.Fatalf("%d of %d items are in events; sessions %v, %v", r.tail(r.deadline(), r.topics.Events), n, r.sessions, r.failed)
	}
	r.head = replay.Head()
	err := r.await(ctx, &expected{golden: replay.Golden(), items: n, entries: replay.Joiner(trigger).Next()})
	cancel()
	wg.Wait()
	if err != nil {
		r.t.Fatalf("%v; sessions %v", err, r.sessions)
	}
	if replay, seen = r.refold(nil); r.head != replay.Head() { // what ticked meanwhile
		r.head = replay.Head()
	}
	if diff := cmp.Diff(replay.Golden(), r.golden()); diff != "" {
		r.t.Errorf("the stages differ from a fold of events, -fold +stages:\n%s", diff)
	}
	return replay, seen
}

// spoil puts a record that cannot be read behind each piece of what is produced.
func (r *rig) spoil(ctx context.Context) (n uint64) {
	cl, err := r.tr.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	for i := range 40 {
		topic := r.sourceTopics()[i%len(r.sourceTopics())]
		rec := &kgo.Record{Topic: topic, Partition: int32(i % r.partitions()), Key: []byte("k"), Value: fmt.Appendf(nil, `{"no json %d`, i)}
		if err := cl.ProduceSync(ctx, rec).FirstErr(); err != nil {
			r.t.Fatal(err)
		}
	}
	return 40
}

// P2: every source record is in events exactly once, through kills, and changed the states, the example log and
// the models exactly once; what was refused is in the dead-letter topic, byte for byte, with the reason.
func TestP2NothingLostNothingTwice(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.withCheckpoints()
		want := core(t, r.prog).items + 40
		_, seen := r.through(kills(21, 6, 6), want, func(ctx context.Context) {
			r.spoil(ctx)
			r.produce(ctx, 400)
		})
		sources := r.records(r.sourceTopics()...)
		if len(sources) != len(seen) || uint64(len(seen)) != want {
			t.Errorf("%d records lie in the sources, %d in events, want %d", len(sources), len(seen), want)
		}
		letters := r.letters()
		refused := 0
		for at, rec := range sources {
			it, ok := seen[at]
			if !ok {
				t.Errorf("%v is not in events", at)
			}
			if it.Kind != features.RefusalItem {
				continue
			}
			refused++
			l, ok := letters[at]
			if !ok || string(l.Value) != string(rec.Value) || string(l.Key) != string(rec.Key) || header(l, "reason") != it.Reason || header(l, "message") == "" {
				t.Errorf("%v was refused as %s; its dead letter is %+v", at, it.Reason, l)
			}
		}
		if refused != 40 || len(letters) != 40 {
			t.Errorf("%d records were refused, %d are dead letters, want 40", refused, len(letters))
		}
	})
}

// letters reads the dead letters by the record that each stands for.
func (r *rig) letters() map[place]*kgo.Record {
	r.t.Helper()
	out := map[place]*kgo.Record{}
	for _, rec := range r.records(r.topics.DeadLetters) {
		var at place
		at.topic = header(rec, "topic")
		if _, err := fmt.Sscan(header(rec, "partition")+" "+header(rec, "offset"), &at.partition, &at.offset); err != nil {
			r.t.Fatal(err)
		}
		out[at] = rec
	}
	return out
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == ingest.ErrorHeader+name {
			return string(h.Value)
		}
	}
	return ""
}

// P3: the vector that is learned is the one that was taken at the trigger, to the bit, joined to the label that
// carries its id; and it holds nothing newer than its trigger.
func TestP3TrainedOnWhatWasServed(t *testing.T) {
	with(t, []int{3}, func(t *testing.T, r *rig) {
		r.run(kills(31, 4, 6))
		ctx, trigger := r.deadline(), r.prog.Triggers[0]
		ids := map[uint64]string{}
		err := r.app.EachItem(ctx, r.tail(ctx, r.topics.Events), func(it *features.Item) error {
			if it.Kind == features.EventItem && (it.Source == trigger.Labels[0].Source || it.Source == trigger.Source) {
				ids[it.Seq] = it.Fields[r.prog.Sources[it.Source].FieldIndex("id")].String()
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		predicts, learned := map[uint64]fold.Entry{}, 0
		skew := r.prog.Project.MaxSkew.Microseconds()
		err = r.app.EachEntry(ctx, trigger.Name, r.tail(ctx, r.topics.Logs[trigger.Name]), func(e *fold.Entry) error {
			switch e.Kind {
			case fold.Predict:
				if e.Taken > e.Time+skew && e.Flags&fold.NotLearned == 0 {
					t.Errorf("%s of %d holds an event of %d", e.ID, e.Time, e.Taken)
				}
				if e.ID != ids[e.Event] {
					t.Errorf("example %s is of item %d with id %s", e.ID, e.Event, ids[e.Event])
				}
				c := *e
				c.Vector = slices.Clone(e.Vector)
				predicts[e.Seq] = c
			case fold.Learn:
				learned++
				p := predicts[e.Ref]
				same := slices.EqualFunc(p.Vector, e.Vector, func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })
				if !same || p.ID != e.ID || e.ID != ids[e.Event] || e.Taken != p.Time || e.Time < p.Time {
					t.Errorf("learned %+v, predicted %+v, label of %q", e, p, ids[e.Event])
				}
			}
			return nil
		})
		if err != nil || learned < 100 {
			t.Fatalf("%d labels were learned: %v", learned, err)
		}
	})
}

// P4: what is asked for later than the newest event knows that time has passed: counts fall to nothing.
func TestP4FunctionOfTime(t *testing.T) {
	t.Parallel()
	r := newRig(t, compiled(t, 1))
	r.run(undisturbed)
	e := slices.IndexFunc(r.prog.Entities, func(p *unit.Program) bool { return p.Name() == "origin" })
	prog := r.prog.Entities[e]
	col := slices.IndexFunc(prog.Columns(), func(c features.Column) bool { return c.Name == "origin.announced" })
	key := features.AppendKey(nil, "JFK")
	claim, err := r.store.Claim(r.deadline(), worker.HashOf(r.prog.Project.Name, r.prog.Generation, prog.Name(), prog.Bucket(key)), fmt.Sprintf("%x", prog.Fingerprint()))
	if err != nil {
		t.Fatal(err)
	}
	states, err := claim.Load(r.deadline(), []string{string(key)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	st := unit.State{Head: states[0].Moving, Tiles: states[0].Sealed}
	head := replayHead(t, r.prog)
	var counts []float64
	for hours := range 15 {
		values, _ := prog.Read(nil, &st, head+int64(hours)*3600e6)
		counts = append(counts, values[col])
	}
	if counts[0] == 0 && counts[1] == 0 || counts[14] != 0 || !slices.IsSortedFunc(counts[1:], func(a, b float64) int { return int(b - a) }) {
		t.Errorf("announced in the hour before, hour by hour after the last event: %v", counts)
	}
}

// P6: an answer of the past is computed again from the log up to its version, and from a checkpoint before it,
// to the bit.
func TestP6AnswersAreRecomputed(t *testing.T) {
	t.Parallel()
	r := newRig(t, compiled(t, 3))
	r.withCheckpoints()
	var mu sync.Mutex
	answers := map[string][]uint64{}
	r.answer = func(m *fold.Member, e *fold.Entry, answer []float64) {
		mu.Lock()
		defer mu.Unlock()
		id := fmt.Sprint(m.Name, " ", e.Seq)
		bits := bitsOf(answer)
		if old, ok := answers[id]; ok && !slices.Equal(old, bits) {
			t.Errorf("%s was answered as %v and as %v", id, old, bits)
		}
		answers[id] = bits
	}
	r.run(kills(61, 5, 8))
	ctx, trigger := r.deadline(), r.prog.Triggers[0]
	union := trigger.Vector.Schema
	whole, err := fold.New(union, trigger.Members)
	if err != nil {
		t.Fatal(err)
	}
	end := r.tail(ctx, r.topics.Logs[trigger.Name])
	var later *fold.Fold // begins at what was saved halfway
	checked := 0
	err = r.app.EachEntry(ctx, trigger.Name, end, func(e *fold.Entry) error {
		if e.Seq == end/2 {
			later = reloaded(t, whole, trigger)
		}
		if e.Kind == fold.Predict && e.Seq%16 == 0 {
			for _, f := range []*fold.Fold{whole, later} {
				if f != nil {
					checked += recompute(t, f, e, answers)
				}
			}
		}
		if later != nil {
			if err := later.Apply(e); err != nil {
				return err
			}
		}
		return whole.Apply(e)
	})
	if err != nil || checked < 100 {
		t.Fatalf("%d answers were computed again: %v", checked, err)
	}
}

func bitsOf(v []float64) []uint64 {
	out := make([]uint64, len(v))
	for i, x := range v {
		out[i] = math.Float64bits(x)
	}
	return out
}

func reloaded(t *testing.T, f *fold.Fold, trigger *trainer.Trigger) *fold.Fold {
	t.Helper()
	s := codec.Saver(nil)
	f.State(s)
	fresh, err := fold.New(trigger.Vector.Schema, trigger.Members)
	if err != nil {
		t.Fatal(err)
	}
	l := codec.Loader(append([]byte(nil), s.Bytes()...))
	if fresh.State(l); l.Close() != nil {
		t.Fatal(l.Close())
	}
	return fresh
}

// recompute asks every model that can be published as it stands before the entry.
func recompute(t *testing.T, f *fold.Fold, e *fold.Entry, answers map[string][]uint64) (n int) {
	t.Helper()
	for _, name := range f.Names() {
		snap, err := f.Snapshot(name)
		if err != nil {
			t.Fatal(err)
		}
		x := models.Example{Row: models.Row{Value: snap.Project(nil, e.Vector)}, Key: e.Key, Time: e.Time, Weight: 1}
		got := bitsOf(snap.Predictor.Predict(nil, &x)[:1])
		if want := answers[fmt.Sprint(name, " ", e.Seq)]; !slices.Equal(got, want) {
			t.Errorf("%s at %d: %v, the log says %v", name, e.Seq, got, want)
		}
		n++
	}
	return n
}

// One bit of one event changes the sums of all that follows from it, and a frame with a flipped bit is refused.
func TestOneFlippedBit(t *testing.T) {
	t.Parallel()
	r := newRig(t, compiled(t, 1))
	r.run(undisturbed)
	departed := r.prog.Project.Index("departed")
	field := r.prog.Sources[departed].FieldIndex("dep_delay")
	n := 0
	flipped, _ := r.refold(func(it *features.Item) {
		if it.Kind == features.EventItem && it.Source == departed {
			if n++; n == 100 {
				it.Fields[field] = features.DoubleValue(math.Float64frombits(math.Float64bits(it.Fields[field].Float()) ^ 1))
			}
		}
	})
	want, got := r.golden(), flipped.Golden()
	if want.Items == got.Items || want.States == got.States || want.Logs["scheduled"] == got.Logs["scheduled"] || want.Weights["late"] == got.Weights["late"] {
		t.Errorf("a flipped bit is not seen:\n%+v\n%+v", want, got)
	}
	var f frame.Frame
	for at, rec := range r.records(r.topics.Events) {
		if at.offset > 3 {
			continue
		}
		for bit := 0; bit < 8*len(rec.Value); bit += 997 {
			bad := slices.Clone(rec.Value)
			bad[bit/8] ^= 1 << (bit % 8)
			if err := f.Decode(bad); err == nil {
				t.Errorf("frame at %d with bit %d flipped is read", at.offset, bit)
			}
		}
	}
}

// The control for the order: as the records come from the brokers, topic by topic, triggers see their own labels,
// and every poll size gives another answer.
func TestOrderOfArrivalIsNotEnough(t *testing.T) {
	t.Parallel()
	prog := compiled(t, 1)
	lanes := map[int][]features.Item{}
	leaks := func() (add func(it *features.Item) bool) {
		labels := map[string]bool{}
		id := func(it *features.Item) string { return it.Fields[prog.Sources[it.Source].FieldIndex("id")].String() }
		tr := prog.Triggers[0]
		return func(it *features.Item) bool {
			switch it.Source {
			case tr.Labels[0].Source:
				labels[id(it)] = true
			case tr.Source:
				return labels[id(it)]
			}
			return false
		}
	}
	seen, leaked, triggers := leaks(), 0, 0
	right := replayOf(t, prog, demoDays, func(it *features.Item) {
		if seen(it) {
			leaked++
		}
		if it.Source == prog.Triggers[0].Source {
			triggers++
		}
		c := *it
		c.Fields = slices.Clone(it.Fields)
		lanes[it.Source] = append(lanes[it.Source], c)
	})
	if leaked > 0 || triggers == 0 {
		t.Fatalf("in the order of events %d of %d triggers come after their label", leaked, triggers)
	}
	sums := map[string]bool{right.Golden().Sum(): true}
	for _, poll := range []int{500, 5000} {
		naive, err := trainer.NewReplay(prog.Program)
		if err != nil {
			t.Fatal(err)
		}
		seen, leaked = leaks(), 0
		for from := 0; naive.Items() < right.Items(); from += poll {
			for s := range len(prog.Project.Inputs()) {
				lane := lanes[s]
				for _, it := range lane[min(from, len(lane)):min(from+poll, len(lane))] {
					it.Seq = naive.Items()
					if seen(&it) {
						leaked++
					}
					if err := naive.Apply(&it); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		sums[naive.Golden().Sum()] = true
		t.Logf("polls of %d: %d of %d triggers have their own label before them", poll, leaked, triggers)
		if leaked == 0 {
			t.Errorf("polls of %d: no trigger sees its own label; the control shows nothing", poll)
		}
	}
	if len(sums) != 3 {
		t.Errorf("three orders give %d answers", len(sums))
	}
}

// The control for the one hash: with the position in a key of its own, losing the newest write of one of two keys
// leaves a state that is folded twice. With both in one hash the same loss is a rewind.
func TestSeveralWritesAreNotOneCommit(t *testing.T) {
	t.Parallel()
	r := newRig(t, compiled(t, 1))
	ctx, cl := r.deadline(), r.scripts()
	const commit = `redis.call('HSET', KEYS[1], 'sum', ARGV[1]) redis.call('HSET', KEYS[2], 'position', ARGV[2])`
	for _, c := range []struct {
		name, state, position string
		right                 bool
	}{{"two keys", "state", "position", false}, {"one hash", "both", "both", true}} {
		step := func(from, to int) {
			sum, _ := cl.HGet(ctx, c.state, "sum").Int()
			for i := from; i < to; i++ {
				sum += i
			}
			if err := cl.Eval(ctx, commit, []string{c.state, c.position}, sum, to).Err(); err != nil && err.Error() != "redis: nil" {
				t.Fatal(err)
			}
		}
		step(0, 10)
		old, err := copyStore(ctx, cl)
		if err != nil {
			t.Fatal(err)
		}
		step(10, 20)
		if err := putBack(ctx, cl, old, c.position); err != nil { // what a torn file leaves
			t.Fatal(err)
		}
		at, err := cl.HGet(ctx, c.position, "position").Int()
		if err != nil {
			t.Fatal(err)
		}
		step(at, 20)
		sum, _ := cl.HGet(ctx, c.state, "sum").Int()
		if right := sum == 190; right != c.right {
			t.Errorf("%s: after the loss the sum is %d of 190", c.name, sum)
		}
	}
}
