package app_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models/catalog"
)

// changedSources is the demo with a field more, a field less and a source more, none of which its features use.
func changedSources(t *testing.T, prog *program.Program) *program.Program {
	t.Helper()
	text := flights.Project()
	for old, now := range map[string]string{
		"dep_delay: double, expected: time}":   "gate: string?, dep_delay: double, expected: time}",
		"arr_delay: double, air_time: double}": "arr_delay: double}",
		"sources:":                             "sources:\n  baggage: {time: at, fields: {id: string}}",
	} {
		if !bytes.Contains(text, []byte(old)) {
			t.Fatalf("the demo has no %q", old)
		}
		text = bytes.Replace(text, []byte(old), []byte(now), 1)
	}
	p, err := project.Parse("freshet.yaml", text, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Sources {
		p.Sources[i].Partitions = prog.Project.Inputs()[0].Partitions
	}
	for i := range p.Tables {
		p.Tables[i].Partitions = prog.Project.Inputs()[0].Partitions
	}
	out, err := program.Compile(p, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	if out.Generation != prog.Generation {
		t.Fatal("the change is one of features too")
	}
	return out
}

// The sources change in the middle of a run whose stages are killed again and again: all that was folded live is what a fold of the log
// with the new project gives, and what the log before the change meant is the same.
func TestSourcesChangeInTheMiddle(t *testing.T) {
	with(t, []int{3}, func(t *testing.T, r *rig) {
		r.withCheckpoints()
		next := changedSources(t, r.prog)
		want := core(t, r.prog).items
		r.holds = []func(context.Context){func(ctx context.Context) {
			r.killAll(ctx)
			if err := stage.EnsureTopics(ctx, r.tr, stage.TopicSpec{Name: "baggage", Partitions: int32(r.partitions()), Keep: true}); err != nil {
				t.Error(err)
			}
			cl, err := r.tr.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
			if err != nil {
				t.Error(err)
				return
			}
			defer cl.Close()
			_, headers := ingest.MarkRecord(ingest.NoMoreTime, false)
			for p := range r.partitions() {
				rec := &kgo.Record{Topic: "baggage", Partition: int32(p)}
				for _, h := range headers {
					rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
				}
				if err := cl.ProduceSync(ctx, rec).FirstErr(); err != nil {
					t.Error(err)
				}
			}
			r.change(next)
			r.killAll(ctx)
		}}
		marks := 0
		r.through(kills(71, 4, 8), want, func(ctx context.Context) { r.produce(ctx, 400) })
		if _, seen := r.refold(func(it *features.Item) {
			if it.Kind == features.SchemaItem {
				marks++
			}
		}); uint64(len(seen)) != want {
			t.Errorf("%d records are in events, want %d", len(seen), want)
		}
		if marks != 1 {
			t.Errorf("%d schema items, want 1", marks)
		}
		t.Log(r.sessions)
	})
}
