package app_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/worker"
	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/realtest"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
)

const shop = `
version: 1
project: shop
sources:
  orders:
    time: at
    key: [user]
    partitions: 2
    idle_after: 300ms
    fields: {id: string?, user: string?, amount: double, n: int?}
  paid:
    time: at
    key: [id]
    idle_after: 300ms
    fields: {id: string, ok: bool}
features:
  user:
    key: user
    orders: {count: orders, over: 1h}
    spent: {sum: orders.amount, over: 1h}
derived:
  odd: user.spent / (user.orders - user.orders)
models:
  good:
    task: binary
    on: orders
    id: id
    use: [user.*, derived.odd, orders.amount]
    label: {from: paid, by: id, value: ok, wait: 1h, early: 1h}
    pipeline: [standard_scaler, logistic_regression]
`

func shopRig(t *testing.T) *rig {
	t.Helper()
	return newRig(t, shopProgram(t))
}

// realShopRig is a shop on a real broker and a real store.
func realShopRig(t *testing.T) *rig {
	t.Helper()
	return rigOn(t, shopProgram(t), &embedded.Servers{Brokers: realtest.StartKafka(t).Addrs(), Redis: realtest.StartRedis(t).Addr})
}

func shopProgram(t *testing.T) *program.Program {
	t.Helper()
	return compiledFrom(t, shop)
}

func (r *rig) client(opts ...kgo.Opt) *kgo.Client {
	r.t.Helper()
	cl, err := r.tr.Client(append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(8 << 20)}, opts...)...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(cl.Close)
	return cl
}

func rec(topic string, partition int32, key, value string) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: partition, Key: []byte(key), Value: []byte(value)}
}

func order(id, user string, amount float64) *kgo.Record {
	return rec("orders", 0, user, fmt.Sprintf(`{"at":%q,"id":%q,"user":%q,"amount":%v}`, time.Now().UTC().Format(time.RFC3339Nano), id, user, amount))
}

// oddCase is a record, and why it is refused; "" is accepted.
type oddCase struct {
	name   string
	rec    *kgo.Record
	reason string
}

// oddRecords are records of the shop as no producer should send them, and some that only look so. The first is good.
func oddRecords(now time.Time) []oddCase {
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339Nano) }
	body := func(format string, args ...any) string {
		return fmt.Sprintf(`{"at":%q,`, at(0)) + fmt.Sprintf(format, args...) + "}"
	}
	return []oddCase{
		{"good", rec("orders", 0, "u", body(`"id":"a","user":"u","amount":1`)), ""},
		{"no json", rec("orders", 0, "u", `certainly not`), "malformed"},
		{"cut short", rec("orders", 1, "u", `{"at":"2024-01-01T00:00:00Z","id":"x","us`), "malformed"},
		{"empty", rec("orders", 0, "u", ``), "malformed"},
		{"null value", &kgo.Record{Topic: "orders", Key: []byte("u")}, "no_value"},
		{"an array", rec("orders", 0, "u", `[1,2]`), "malformed"},
		{"text for a number", rec("orders", 0, "u", body(`"id":"b","user":"u","amount":"much"`)), "wrong_type"},
		{"number for text", rec("orders", 0, "u", body(`"id":7,"user":"u","amount":1`)), "wrong_type"},
		{"not whole", rec("orders", 0, "u", body(`"id":"b","user":"u","amount":1,"n":1.5`)), "out_of_range"},
		{"NaN", rec("orders", 0, "u", body(`"id":"b","user":"u","amount":NaN`)), "malformed"},
		{"beyond a double", rec("orders", 0, "u", body(`"id":"b","user":"u","amount":1e999`)), "out_of_range"},
		{"no amount", rec("orders", 0, "u", body(`"id":"b","user":"u"`)), "missing"},
		{"null amount", rec("orders", 0, "u", body(`"id":"b","user":"u","amount":null`)), "null"},
		{"one name twice", rec("orders", 0, "u", body(`"id":"b","user":"u","amount":1,"amount":2`)), "duplicate_key"},
		{"no time", rec("orders", 0, "u", `{"id":"b","user":"u","amount":1}`), "missing"},
		{"time without layout", rec("orders", 0, "u", `{"at":"yesterday","id":"b","user":"u","amount":1}`), "time_format"},
		{"time 0", rec("orders", 0, "u", `{"at":"1970-01-01T00:00:00Z","id":"b","user":"u","amount":1}`), "time_range"},
		{"time before 0", rec("orders", 0, "u", `{"at":"1931-01-01T00:00:00Z","id":"b","user":"u","amount":1}`), "time_range"},
		{"year 9999", rec("orders", 0, "u", `{"at":"9999-12-31T23:59:59Z","id":"b","user":"u","amount":1}`), "time_range"},
		{"ahead of the clock", rec("orders", 0, "u", fmt.Sprintf(`{"at":%q,"id":"b","user":"u","amount":1}`, at(time.Hour))), "future"},
		{"late by two days", rec("orders", 0, "u", fmt.Sprintf(`{"at":%q,"id":"b","user":"u","amount":1}`, at(-48*time.Hour))), "late"},
		{"key of 1 MB", rec("orders", 0, "u", body(`"id":"b","user":%q,"amount":1`, strings.Repeat("k", 1<<20-300))), "key_too_long"},
		{"record of 2 MB", rec("orders", 0, "u", body(`"id":"b","user":"u","amount":1,"more":%q`, strings.Repeat("m", 2<<20))), "too_large"},
		{"record of 5 MB", rec("orders", 0, "u", body(`"id":"b","user":"u","amount":1,"more":%q`, strings.Repeat("m", 5<<20))), "too_large"},
		{"null key", rec("orders", 1, "", body(`"id":"nokey","user":null,"amount":2`)), ""},
		{"null id", rec("orders", 1, "u", body(`"id":null,"user":"u","amount":2`)), ""},
		{"key of the position", rec("orders", 0, "!off", body(`"id":"c","user":"!off","amount":3`)), ""},
		{"key with a bar", rec("orders", 0, "a|b", body(`"id":"d","user":"a|b","amount":3`)), ""},
		{"empty key", rec("orders", 0, "", body(`"id":"e","user":"","amount":3`)), ""},
		{"key with a nul", rec("orders", 0, "x", body(`"id":"f","user":"\u0000","amount":3`)), ""},
		{"greatest double", rec("orders", 0, "u", body(`"id":"g","user":"big","amount":1.7e308`)), ""},
		{"and again: the sum overflows", rec("orders", 0, "u", body(`"id":"h","user":"big","amount":1.7e308`)), ""},
		{"asked once more", rec("orders", 0, "u", body(`"id":"i","user":"big","amount":1`)), ""},
		{"same id twice", rec("orders", 0, "u", body(`"id":"a","user":"u","amount":9`)), ""},
		{"label of nobody", rec("paid", 0, "zz", fmt.Sprintf(`{"at":%q,"id":"zz","ok":true}`, at(0))), ""},
		{"label", rec("paid", 0, "a", fmt.Sprintf(`{"at":%q,"id":"a","ok":true}`, at(time.Second))), ""},
		{"label twice", rec("paid", 0, "a", fmt.Sprintf(`{"at":%q,"id":"a","ok":false}`, at(time.Second))), ""},
		{"label without an id", rec("paid", 0, "a", fmt.Sprintf(`{"at":%q,"ok":false}`, at(0))), "missing"},
	}
}

// send writes the cases and returns which record is which. The first is in events before the others are sent: they are late, or not beside its time.
func (r *rig) send(ctx context.Context, cases []oddCase) map[place]*oddCase {
	cl := r.client()
	bytes := kadm.AlterConfig{Name: "max.message.bytes", Value: kadm.StringPtr("9000000")}
	if _, err := kadm.NewClient(cl).AlterTopicConfigs(ctx, []kadm.AlterConfig{bytes}, "orders"); err != nil {
		r.t.Fatal(err)
	}
	sent := map[place]*oddCase{}
	for i := range cases {
		c := &cases[i]
		if err := cl.ProduceSync(ctx, c.rec).FirstErr(); err != nil {
			r.t.Fatalf("%s: %v", c.name, err)
		}
		sent[place{c.rec.Topic, c.rec.Partition, c.rec.Offset}] = c
		for i == 0 && r.tail(ctx, r.topics.Events) < 1 && ctx.Err() == nil {
			pause(ctx, 5*time.Millisecond)
		}
	}
	return sent
}

// isLetter checks the dead letter of a case, or that there is none.
func (c *oddCase) isLetter(t *testing.T, l *kgo.Record) {
	t.Helper()
	if (l != nil) != (c.reason != "") {
		t.Errorf("%s: dead letter %v", c.name, l != nil)
	}
	if l == nil {
		return
	}
	want := c.rec.Value
	if n := len(want); n > worker.MaxLetter {
		if want = want[:1<<20]; header(l, "cut") != fmt.Sprint(n+1) {
			t.Errorf("%s: the cut letter says %q of %d bytes", c.name, header(l, "cut"), n+1)
		}
	}
	if string(l.Value) != string(want) || header(l, "message") == "" || header(l, "reason") != c.reason {
		t.Errorf("%s: its dead letter says %q (%q), %d bytes of %d", c.name, header(l, "reason"), header(l, "message"), len(l.Value), len(c.rec.Value))
	}
}

// Each hostile record is decided on its own: it is an event, or a refusal with its reason and a dead letter that is
// the record byte for byte. Nothing is lost, and what follows is what a fold of events gives.
func TestBadRecords(t *testing.T) {
	t.Parallel()
	r := shopRig(t)
	cases := oddRecords(time.Now().UTC())
	var sent map[place]*oddCase
	replay, seen := r.through(undisturbed, uint64(len(cases)), func(ctx context.Context) { sent = r.send(ctx, cases) })
	letters := r.letters()
	for at, c := range sent {
		if it, ok := seen[at]; !ok || it.Reason != c.reason {
			t.Errorf("%s: in events %t, reason %q, want %q", c.name, ok, it.Reason, c.reason)
		}
		c.isLetter(t, letters[at])
	}
	if len(sent) != len(cases) {
		t.Errorf("%d of %d records were sent", len(sent), len(cases))
	}
	s := replay.Joiner("orders").Stats()
	if s.Predicted != 10 || s.Duplicates != 1 || s.Learned != 1 {
		t.Errorf("joined: %+v", s)
	}
	columns := r.prog.Triggers[0].Vector.Schema
	err := r.app.EachEntry(r.deadline(), "orders", r.tail(r.deadline(), r.topics.Logs["orders"]), func(e *fold.Entry) error {
		for i, v := range e.Vector {
			if math.IsInf(v, 0) || columns.Columns[i].Name == "derived.odd" && !math.IsNaN(v) || e.ID == "i" && columns.Columns[i].Name == "user.spent" && !math.IsNaN(v) {
				t.Errorf("%s of %q is %v", columns.Columns[i].Name, e.ID, v)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Records of a transaction that was aborted are in no log; those around it are there once.
func TestAbortedTransactions(t *testing.T) {
	t.Parallel()
	t.Run("embedded", func(t *testing.T) { abortedTransactions(t, shopRig(t)) })
	t.Run("kafka", func(t *testing.T) { abortedTransactions(t, realShopRig(t)) })
}

func abortedTransactions(t *testing.T, r *rig) {
	_, seen := r.through(undisturbed, 6, func(ctx context.Context) {
		cl := r.client(kgo.TransactionalID("tx"))
		for i := range 5 {
			if err := cl.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			for k := range 2 {
				if err := cl.ProduceSync(ctx, order(fmt.Sprint(i, k), "u", 1)).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			if err := cl.EndTransaction(ctx, i%2 == 0); err != nil {
				t.Fatal(err)
			}
		}
	})
	if len(seen) != 6 {
		t.Errorf("%d records are in events, want the 6 of the committed transactions", len(seen))
	}
}

// The markers of committed transactions take offsets of their own, which no record follows: other sources do not wait
// for one, and a quiet project goes on with the clock.
func TestCommitMarkersHoldNothingUp(t *testing.T) {
	t.Parallel()
	t.Run("embedded", func(t *testing.T) { commitMarkers(t, shopRig(t)) })
	t.Run("kafka", func(t *testing.T) { commitMarkers(t, realShopRig(t)) })
}

func commitMarkers(t *testing.T, r *rig) {
	at := func() string { return time.Now().UTC().Format(time.RFC3339Nano) }
	ticks := func() (n int) {
		r.refold(func(it *features.Item) {
			if it.Kind == features.TickItem {
				n++
			}
		})
		return n
	}
	_, seen := r.through(undisturbed, 4, func(ctx context.Context) {
		paying, ordering := r.client(kgo.TransactionalID("pay")), r.client()
		for i := range 2 {
			if err := paying.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			if err := paying.ProduceSync(ctx, rec("paid", 0, "x", fmt.Sprintf(`{"at":%q,"id":"%d","ok":true}`, at(), i))).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := paying.EndTransaction(ctx, kgo.TryCommit); err != nil {
				t.Fatal(err)
			}
			until(func() bool { return r.tail(ctx, r.topics.Events) > uint64(2*i) })(ctx)
			if err := ordering.ProduceSync(ctx, order(fmt.Sprint(i), "u", 1)).FirstErr(); err != nil {
				t.Fatal(err)
			}
			until(func() bool { return r.tail(ctx, r.topics.Events) > uint64(2*i+1) })(ctx)
		}
		for ticks() == 0 && ctx.Err() == nil {
			pause(ctx, 50*time.Millisecond)
		}
	})
	if len(seen) != 4 {
		t.Errorf("%d records are in events, want 4", len(seen))
	}
}

// A topic that is missing is waited for; one that has other partitions or was made anew stops the sequencer with
// what to do.
func TestTopicsThatAreNotTheirs(t *testing.T) {
	t.Parallel()
	t.Run("missing", func(t *testing.T) {
		r := shopRig(t)
		ctx := r.deadline()
		if _, err := kadm.NewClient(r.client()).DeleteTopics(ctx, "paid"); err != nil {
			t.Fatal(err)
		}
		err := r.sequence(ctx, func() {})
		if !errors.Is(err, stage.ErrMissing) || stage.Final(err) || !strings.Contains(err.Error(), "source topic paid") {
			t.Errorf("the sequencer ends with %v", err)
		}
	})
	t.Run("other partitions", func(t *testing.T) {
		r := shopRig(t)
		ctx := r.deadline()
		if _, err := kadm.NewClient(r.client()).CreatePartitions(ctx, 1, "paid"); err != nil {
			t.Fatal(err)
		}
		err := r.sequence(ctx, func() {})
		if !errors.Is(err, stage.ErrReplaced) || !stage.Final(err) || !strings.Contains(err.Error(), "set partitions: 2") {
			t.Errorf("the sequencer ends with %v", err)
		}
	})
	t.Run("made anew between two sessions", func(t *testing.T) {
		r := shopRig(t)
		r.through(undisturbed, 1, func(ctx context.Context) {
			if err := r.client().ProduceSync(ctx, order("a", "u", 1)).FirstErr(); err != nil {
				t.Fatal(err)
			}
		})
		ctx := r.deadline()
		adm := kadm.NewClient(r.client())
		if _, err := adm.DeleteTopics(ctx, "orders"); err != nil {
			t.Fatal(err)
		}
		if _, err := adm.CreateTopic(ctx, 2, 1, nil, "orders"); err != nil {
			t.Fatal(err)
		}
		if err := r.sequence(ctx, func() {}); !stage.Final(err) {
			t.Errorf("the sequencer ends with %v", err)
		}
	})
	t.Run("made anew while it is read", func(t *testing.T) {
		r := shopRig(t)
		ctx := r.deadline()
		ended := make(chan error, 1)
		go func() { ended <- r.sequence(ctx, func() {}) }()
		cl := r.client()
		if err := cl.ProduceSync(ctx, order("a", "u", 1)).FirstErr(); err != nil {
			t.Fatal(err)
		}
		for r.tail(ctx, r.topics.Events) < 1 && ctx.Err() == nil {
			pause(ctx, 5*time.Millisecond)
		}
		adm := kadm.NewClient(cl)
		if _, err := adm.DeleteTopics(ctx, "orders"); err != nil {
			t.Fatal(err)
		}
		if _, err := adm.CreateTopic(ctx, 2, 1, nil, "orders"); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			if !stage.Final(err) {
				t.Errorf("the sequencer ends with %v", err)
			}
		case <-ctx.Done():
			t.Error("the sequencer does not notice")
		}
	})
	t.Run("parts with other partitions", func(t *testing.T) {
		r := shopRig(t)
		ctx := r.deadline()
		if _, err := kadm.NewClient(r.client()).CreatePartitions(ctx, 1, r.topics.Parts); err != nil {
			t.Fatal(err)
		}
		if _, err := app.New(ctx, app.Options{Program: r.prog, Transport: r.tr, Store: r.store}); !errors.Is(err, stage.ErrReplaced) {
			t.Errorf("the project starts with %v", err)
		}
	})
}

// The store goes away in the middle and comes back: nothing is lost, nothing is folded twice.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	r := newRig(t, compiled(t, 1))
	r.run(undisturbed, func(ctx context.Context) {
		for r.steps.Load() < 6 && ctx.Err() == nil {
			pause(ctx, time.Millisecond)
		}
		r.proxy.leave(true)
		pause(ctx, 700*time.Millisecond)
		r.proxy.leave(false)
	})
	r.check()
	if r.sessions["units0"] < 2 {
		t.Errorf("the units did not notice: %v", r.sessions)
	}
}

// With clock: wall, a partition without records holds nothing up, one whose records do not come is given up after
// idle_after, and an idle project goes on with the clock.
func TestIdleProjectGoesOnWithTheClock(t *testing.T) {
	t.Parallel()
	r := shopRig(t)
	ctx, cancel := context.WithCancel(r.deadline())
	done := make(chan struct{})
	go func() { defer close(done); r.again(ctx, "sequencer", r.sequence, kills(1, 2, 40)) }()
	if err := r.client().ProduceSync(ctx, order("a", "u", 1)).FirstErr(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for r.tail(ctx, r.topics.Events) < 3 && ctx.Err() == nil {
		pause(ctx, 20*time.Millisecond)
	}
	cancel()
	<-done
	var kinds []features.ItemKind
	clock := features.NewClock(r.prog.Sources)
	err := r.app.EachItem(r.deadline(), r.tail(r.deadline(), r.topics.Events), func(it *features.Item) error {
		kinds = append(kinds, it.Kind)
		clock.Observe(it)
		return nil
	})
	if err != nil || len(kinds) < 3 || kinds[0] != features.EventItem || kinds[1] != features.TickItem || kinds[2] != features.TickItem {
		t.Fatalf("items %v after %v: %v", kinds, time.Since(began), err)
	}
	if ahead := time.UnixMicro(clock.Head).Sub(began); ahead < time.Second || ahead > time.Minute {
		t.Errorf("the head is %v after the event", ahead)
	}
}

// What lies on the brokers at the start is taken in the order of its times, however it is fetched.
func TestBacklogIsTakenInOrder(t *testing.T) {
	t.Parallel()
	r := shopRig(t)
	r.tr.FetchBytes = 512
	ctx := r.deadline()
	cl, began := r.client(), time.Now().Add(-time.Hour).UTC()
	const n = 300
	for i := range n {
		at := began.Add(time.Duration(i) * time.Second).Format(time.RFC3339Nano)
		x := rec("orders", int32(i%2), "u", fmt.Sprintf(`{"at":%q,"id":"%d","user":"u","amount":1}`, at, i))
		if i%3 == 2 {
			x = rec("paid", 0, "u", fmt.Sprintf(`{"at":%q,"id":"%d","ok":true}`, at, i))
		}
		cl.Produce(ctx, x, nil)
	}
	if err := cl.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	var replay *trainer.Replay
	replay, _ = r.through(undisturbed, n, func(context.Context) {})
	last := int64(0)
	err := r.app.EachItem(ctx, n, func(it *features.Item) error {
		if it.Kind == features.EventItem && it.Time < last {
			t.Errorf("item %d of %v comes after one of %v", it.Seq, time.UnixMicro(it.Time).UTC(), time.UnixMicro(last).UTC())
		}
		last = max(last, it.Time)
		return nil
	})
	if err != nil || replay.Joiner("orders").Stats().NotLearned > 0 {
		t.Errorf("%+v: %v", replay.Joiner("orders").Stats(), err)
	}
}
