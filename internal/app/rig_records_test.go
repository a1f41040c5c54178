package app_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/program"
)

// produce sends the records of the demo in pieces of so many, with time marks every 100 records.
func (r *rig) produce(ctx context.Context, piece int) {
	r.t.Helper()
	cl, err := r.tr.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		r.t.Fatal(err)
	}
	defer cl.Close()
	inputs := r.prog.Project.Inputs()
	var list []*kgo.Record
	deal(r.t, r.prog, demoDays, 100, func(rec ingest.Record) {
		out := &kgo.Record{Topic: inputs[rec.Source].Topic, Partition: rec.Partition, Key: rec.Key, Value: rec.Value}
		if rec.Timestamp > 0 {
			out.Timestamp = time.UnixMilli(rec.Timestamp)
		}
		for _, h := range rec.Headers {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		list = append(list, out)
	})
	trigger := inputs[r.prog.Triggers[0].Source].Topic
	first := slices.IndexFunc(list, func(out *kgo.Record) bool { return out.Topic == trigger && len(out.Headers) == 0 })
	held := 0
	for i, out := range list {
		if i%piece == 0 && i > 0 {
			_ = cl.Flush(ctx)
			pause(ctx, 2*time.Millisecond) // so that the records come in many polls
			for held < len(r.holds) && (i >= first+(len(list)-first)*(held+1)/(len(r.holds)+1) || i+piece >= len(list)) {
				r.holds[held](ctx)
				held++
			}
		}
		cl.Produce(ctx, out, nil)
	}
	if err := cl.Flush(ctx); err != nil {
		r.t.Fatal(err)
	}
}

// deal walks so many days of flights as records dealt to partitions, with marks every so many records, for any receiver.
func deal(t testing.TB, prog *program.Program, days, every int, put func(ingest.Record)) {
	t.Helper()
	s, err := flights.Days(days)
	if err != nil {
		t.Fatal(err)
	}
	index, parts := map[string]int{}, map[int]int32{}
	for i, in := range prog.Project.Inputs() {
		index[in.Name], parts[i] = i, int32(in.Partitions)
	}
	mark := func(at int64) {
		_, headers := ingest.MarkRecord(at, false)
		for i := range prog.Project.Inputs() {
			for k := range parts[i] {
				put(ingest.Record{Source: i, Partition: k, Headers: headers})
			}
		}
	}
	rows := map[int]int64{}
	for n := 0; ; n++ {
		row, ok := s.Next()
		if !ok {
			break
		}
		i := index[row.Source]
		key := append([]byte(nil), row.Key...)
		put(ingest.Record{Source: i, Partition: ingest.PartitionOf(key, rows[i], parts[i]), Key: key, Value: append([]byte(nil), row.Value...), Timestamp: row.Time / 1000})
		rows[i]++
		if n%every == 0 {
			mark(row.Time)
		}
	}
	mark(ingest.NoMoreTime)
}
