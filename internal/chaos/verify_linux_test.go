package chaos

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/oracle"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving/client"
	"github.com/freshet-ml/freshet/trainer"
	"github.com/freshet-ml/freshet/trainer/run"
)

// findings are what is wrong after a run, a few of each kind, and how much was looked at.
type findings struct {
	counts  map[string]int
	samples []string
	looked  string
}

func (w *findings) add(kind, format string, args ...any) {
	if w.counts[kind]++; w.counts[kind] <= 3 {
		w.samples = append(w.samples, kind+": "+fmt.Sprintf(format, args...))
	}
}

func (w *findings) none() bool { return len(w.counts) == 0 }

func (w *findings) String() string {
	return fmt.Sprintf("%v\n%s", w.counts, strings.Join(w.samples, "\n"))
}

// verify compares what the fleet holds, when the feed has ended and the servers are fresh, with the files and with the undisturbed core.
// Vectors are compared with the files for about so many examples; the rest by their hash.
func (f *fleet) verify(vectors int) *findings {
	f.t.Helper()
	w := &findings{counts: map[string]int{}}
	o, err := oracle.Load("../../datasets/flights/data")
	f.ok(err)
	f.order(w, o)
	f.examples(w, o, vectors)
	f.refusals(w)
	want := f.feed.core.Golden()
	f.states(w, want.States)
	f.weights(w, want)
	f.predictions(w) // all are durable now that the trainers have ended
	return w
}

// order compares the items of the events log with the events of the files, one by one: none is lost, none is there twice, all are in their order.
func (f *fleet) order(w *findings, o *oracle.Oracle) {
	sources, events, refused, planes := f.prog.Sources, o.Events(), 0, 0
	want := int(f.feed.events.Load())
	hash, n := trainer.NewItemHash(sources), 0
	err := f.app.EachItem(f.t.Context(), f.tail(f.app.Topics.Events), func(it *features.Item) error {
		hash.Add(it)
		switch {
		case it.Kind == features.RefusalItem:
			refused++
			return nil
		case it.Kind != features.EventItem:
			return nil
		case sources[it.Source].Name == "planes":
			planes++
			return nil
		}
		got := oracle.Event{At: time.UnixMicro(it.Time).UTC(), Source: sources[it.Source].Name}
		key := sources[it.Source].FieldIndex("id")
		if key < 0 {
			key = sources[it.Source].FieldIndex("origin")
		}
		got.ID = it.Fields[key].String()
		if n >= want {
			w.add("events beyond the last", "%v", got)
		} else if got != events[n] {
			w.add("events out of their order", "event %d is %v, the files say %v", n, got, events[n])
		}
		n++
		return nil
	})
	if err != nil {
		w.add("events log", "%v", err)
	}
	if n < want {
		w.add("events lost", "%d of %d are in the log", n, want)
	}
	if refused != len(f.feed.poison) {
		w.add("refusals", "%d items, %d poison records", refused, len(f.feed.poison))
	}
	if planes != o.Planes() {
		w.add("rows of planes", "%d, the files have %d", planes, o.Planes())
	}
	if g := f.feed.core.Golden(); hash.Sum() != g.Items {
		w.add("hash of items", "differs from the core's")
	}
	w.looked += fmt.Sprintf("%d events in their order, %d refusals", n, refused)
}

// tail is how many items or entries a log has.
func (f *fleet) tail(topic string) uint64 {
	log, err := stage.OpenLog(f.tr, topic, 0)
	f.ok(err)
	defer log.Close()
	tail, err := frame.ReadTail(f.t.Context(), log)
	f.ok(err)
	return tail.NextSeq
}

// examples compares vectors and labels of the example log with the files, and all of it with the core.
func (f *fleet) examples(w *findings, o *oracle.Oracle, vectors int) {
	t := f.prog.Triggers[0]
	columns, hash := t.Vector.Schema.Columns, trainer.NewEntryHash()
	all := int(f.feed.entries.Load())
	every := max(1, all/2/max(1, vectors))
	predicts, compared, labels := 0, 0, 0
	err := f.app.EachEntry(f.t.Context(), t.Name, f.tail(f.app.Topics.Logs[t.Name]), func(e *fold.Entry) error {
		hash.Add(e)
		switch e.Kind {
		case fold.Predict:
			if predicts++; predicts%every == 0 {
				compared++
				vector(w, o, e, columns)
			}
		case fold.Learn:
			labels++
			if late, _, ok := o.Label(e.ID); !ok || late != (e.Y != 0) {
				w.add("wrong labels", "%s: %v, the files say %v (%t)", e.ID, e.Y, late, ok)
			}
		}
		return nil
	})
	if err != nil {
		w.add("example log", "%v", err)
	}
	if hash.Sum() != f.feed.core.Golden().Logs[t.Name] {
		w.add("hash of the example log", "differs from the core's")
	}
	w.looked += fmt.Sprintf(", %d vectors (%d of them computed from the files), %d labels", predicts, compared, labels)
}

func vector(w *findings, o *oracle.Oracle, e *fold.Entry, columns []features.Column) {
	want, err := o.Vector(e.ID)
	if err != nil {
		w.add("wrong vectors", "%v", err)
		return
	}
	for i, col := range columns {
		v, ok := want[col.Name]
		right := ok
		switch {
		case len(v.Text) == 1:
			right = e.Vector[i] == features.Category(v.Text[0])
		case len(v.Text) > 1: // a cross, compared by the columns that it crosses
		case ok:
			right = v.Close(e.Vector[i], 1e-9)
		}
		if !right {
			w.add("wrong features", "%s: %s is %v, the files say %+v", e.ID, col.Name, e.Vector[i], v)
		}
	}
}

// refusals wants every poison record among the dead letters, at least once, and nothing else.
func (f *fleet) refusals(w *findings) {
	want := map[string]bool{}
	for _, r := range f.feed.poison {
		want[fmt.Sprintf("%s/0/%d", f.prog.Project.Inputs()[r.Source].Topic, r.Offset)] = true
	}
	seen := map[string]bool{}
	f.each(f.app.Topics.DeadLetters, func(r *kgo.Record) {
		h := map[string]string{}
		for _, x := range r.Headers {
			h[strings.TrimPrefix(x.Key, ingest.ErrorHeader)] = string(x.Value)
		}
		id := h["topic"] + "/" + h["partition"] + "/" + h["offset"]
		if !want[id] {
			w.add("dead letters of good records", "%s", id)
		}
		seen[id] = true
	})
	for id := range maps.Keys(want) {
		if !seen[id] {
			w.add("dead letters lost", "%s", id)
		}
	}
}

// each visits all records of a topic.
func (f *fleet) each(topic string, visit func(r *kgo.Record)) {
	f.t.Helper()
	cl, err := f.tr.Client()
	f.ok(err)
	ends, err := kadm.NewClient(cl).ListEndOffsets(f.t.Context(), topic)
	cl.Close()
	f.ok(err)
	at, left := map[string]map[int32]kgo.Offset{topic: {}}, int64(0)
	ends.Each(func(e kadm.ListedOffset) {
		at[topic][e.Partition] = kgo.NewOffset().AtStart()
		left += e.Offset
	})
	if cl, err = f.tr.Client(kgo.ConsumePartitions(at)); err != nil {
		f.t.Fatal(err)
	}
	defer cl.Close()
	for left > 0 {
		fetched := cl.PollFetches(f.t.Context())
		f.ok(fetched.Err())
		fetched.EachRecord(func(r *kgo.Record) { left--; visit(r) })
	}
}

// predictions wants every answer of the core in the topic of predictions, at least once, with the same bits each time.
func (f *fleet) predictions(w *findings) {
	missing, again := maps.Clone(f.feed.answers), 0
	f.each(f.app.Topics.Predictions["late"], func(r *kgo.Record) {
		var p app.Prediction
		if err := json.Unmarshal(r.Value, &p); err != nil {
			w.add("predictions", "offset %d: %v", r.Offset, err)
			return
		}
		want, ok := f.feed.answers[p.Seq]
		if !ok || len(p.Answer) != 1 || p.Answer[0] != want {
			w.add("wrong predictions", "entry %d: %v, the core says %v (%t)", p.Seq, p.Answer, want, ok)
		}
		if _, first := missing[p.Seq]; !first {
			again++
		}
		delete(missing, p.Seq)
	})
	if len(missing) > 0 {
		w.add("predictions lost", "%d of %d", len(missing), len(f.feed.answers))
	}
	w.looked += fmt.Sprintf(", %d predictions and %d of them again", len(f.feed.answers), again)
}

// states compares what the store holds of all entities with the core's.
func (f *fleet) states(w *findings, want string) {
	limit := 30 * time.Second
	if w.counts["hash of the example log"] > 0 {
		limit = 5 * time.Second
	}
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		got, err := app.States(f.t.Context(), f.prog, f.store, f.feed.core.Head())
		if err == nil && got == want {
			return
		}
		if time.Since(began) > limit {
			w.add("hash of states", "differs from the core's (%v)", err)
			return
		}
	}
}

// weights compares the weights that both servers answer from, and weights and scores of all models in the trainer's last checkpoint.
func (f *fleet) weights(w *findings, want *trainer.Golden) {
	for _, slot := range servers {
		if got, err := f.summed(slot); err != nil || got != want.Weights["late"] {
			w.add("weights of servers", "%s: other than the core's (%v)", slot, err)
		}
	}
	f.stop("trainer0")
	f.stop("trainer1")
	t := f.prog.Triggers[0]
	entries := f.feed.entries.Load()
	folded, _, err := run.FoldAt(f.t.Context(), run.LearnerOptions{Trigger: t, Members: t.Members, Watch: true, Checkpoints: f.points,
		Name: fmt.Sprintf("%s/%x/models-%s", f.prog.Project.Name, f.prog.Generation, t.Name)}, entries)
	if err != nil || folded.Position() != entries {
		w.add("last checkpoint", "it stands at %d of %d (%v)", folded.Position(), entries, err)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(want.Weights)) {
		if h, _ := folded.Hashes(name); h.Weights != want.Weights[name] || h.Scores != want.Scores[name] {
			w.add("weights and scores", "%s: weights equal %t, scores equal %t", name, h.Weights == want.Weights[name], h.Scores == want.Scores[name])
		}
	}
	w.looked += fmt.Sprintf(", %d models", len(want.Weights))
}

// summed waits until a server has summed its newest state.
func (f *fleet) summed(slot string) (string, error) {
	cl, err := client.Dial(f.ports[slot][0], client.Options{})
	if err != nil {
		return "", err
	}
	defer cl.Close()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		m, err := cl.GetModel(f.t.Context(), &freshetv1.GetModelRequest{Name: "late"})
		if err == nil && m.GetHashedAt().GetSeq()+1 == f.feed.entries.Load() {
			return m.GetStateSha256(), nil
		}
		if time.Since(began) > 30*time.Second {
			return "", fmt.Errorf("its state is summed at %d (%v)", m.GetHashedAt().GetSeq(), err)
		}
	}
}
