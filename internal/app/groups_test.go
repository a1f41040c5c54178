package app_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/features/worker"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

const shelves = `version: 1
project: shelves
clock: events
sources:
  sales: {time: at, fields: {at: time, shop: string, product: int, category: string?, amount: double}, partitions: 2}
models:
  demand:
    task: forecast
    on: sales
    key: [shop, product]
    group: category
    target: amount
    step: 1h
    season: 4
    horizon: 8
    lateness: 1h
    buckets: 3
    label: {from: sales, by: key, ahead: 2h}
    pipeline: [holt_winters]
    challengers: {slow: {pipeline: [gamma_poisson]}}
  total:
    task: forecast
    on: sales
    key: shop
    target: amount
    aggregate: sum
    step: 1h
    season: 4
    horizon: 8
    lateness: 1h
    label: {from: sales, by: key, ahead: 2h}
    pipeline: [holt_winters]
`

func compiledShelves(t testing.TB) *program.Program {
	t.Helper()
	return compiledFrom(t, shelves)
}

// shelved are the sales of products that come onto the shelves one after the other, as records in the order of time with a mark behind each.
func shelved(t testing.TB) []ingest.Record {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	opened := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	var all []ingest.Record
	put := func(partition int32, value string, at time.Time) {
		all = append(all, ingest.Record{Partition: partition, Key: fmt.Append(nil, partition), Value: []byte(value), Timestamp: at.UnixMilli()})
		_, headers := ingest.MarkRecord(at.UnixMicro(), false)
		for p := range int32(2) {
			all = append(all, ingest.Record{Partition: p, Headers: headers})
		}
	}
	for hour := range 48 {
		for product := range 24 {
			if hour < product%12*2 {
				continue
			}
			at := opened.Add(time.Duration(hour)*time.Hour + time.Duration(product)*time.Minute)
			category := []string{`"food"`, `"toys"`, `null`}[product%3]
			amount := fmt.Sprint(rng.IntN(20) + 10*(hour%4))
			put(int32(product%2), fmt.Sprintf(`{"at":%q,"shop":"s%d","product":%d,"category":%s,"amount":%s}`, at.Format(time.RFC3339), product%2, product, category, amount), at)
		}
	}
	return all
}

// TestGroupsOfSeriesAreAFold: series that start from their groups have the same states, answers and scores however the stages are killed, however many processes share the units,
// however the log is polled, and however few states stay in memory; all of them are those of a fold of events in one process.
func TestGroupsOfSeriesAreAFold(t *testing.T) {
	t.Parallel()
	records, sums := shelved(t), map[string]bool{}
	for _, c := range []struct {
		name   string
		when   schedule
		change func(*rig)
	}{
		{"undisturbed", undisturbed, func(*rig) {}},
		{"killed, two processes, little memory", kills(3, 5, 6), func(r *rig) {
			r.maxCached, r.commitEvery, r.workers = 3, time.Millisecond, 2
			var a, b []int32
			for _, p := range r.allParts() {
				if a, b = b, append(a, p); p%3 == 0 {
					a, b = b, a
				}
			}
			r.unitGroups = [][]int32{a, b}
		}},
		{"long polls", kills(4, 3, 9), func(r *rig) { r.tr.FetchBytes = 64 << 10; r.withCheckpoints() }},
	} {
		prog := compiledShelves(t)
		r := newRig(t, prog)
		c.change(r)
		n := uint64(0)
		for i := range records {
			if len(records[i].Value) > 0 {
				n++
			}
		}
		replay, _ := r.through(c.when, n, func(ctx context.Context) {
			cl, err := r.tr.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
			if err != nil {
				t.Error(err)
				return
			}
			defer cl.Close()
			produceAll(ctx, t, cl, records)
		})
		sums[replay.Golden().Sum()] = true
		groups, distinct := groupsOf(t, r)
		t.Logf("%s: %d groups, %d states; sessions %v", c.name, groups, distinct, r.sessions)
		if groups < 3 {
			t.Errorf("%s: %d groups are in the store", c.name, groups)
		}
	}
	if len(sums) != 1 {
		t.Errorf("the runs have different sums: %v", sums)
	}
}

func produceAll(ctx context.Context, t testing.TB, cl *kgo.Client, records []ingest.Record) {
	t.Helper()
	_, end := ingest.MarkRecord(ingest.NoMoreTime, false)
	for _, rec := range append(records[:len(records):len(records)], ingest.Record{Partition: 0, Headers: end}, ingest.Record{Partition: 1, Headers: end}) {
		out := &kgo.Record{Topic: "sales", Partition: rec.Partition, Key: rec.Key, Value: rec.Value}
		if rec.Timestamp > 0 {
			out.Timestamp = time.UnixMilli(rec.Timestamp)
		}
		for _, h := range rec.Headers {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		cl.Produce(ctx, out, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := cl.Flush(ctx); err != nil {
		t.Error(err)
	}
}

// groupsOf counts the groups in the store and how many distinct states they have.
func groupsOf(t testing.TB, r *rig) (groups, distinct int) {
	t.Helper()
	seen := [][]byte{}
	for _, prog := range r.prog.Entities {
		for b := range prog.Buckets() {
			key := worker.HashOf(r.prog.Project.Name, r.prog.Generation, prog.Name(), b).Key()
			if err := r.store.Scan(r.deadline(), key, func(k string, st redis.State) error {
				if !unit.IsGroup(k) {
					return nil
				}
				groups++
				for _, other := range seen {
					if bytes.Equal(other, st.Moving) {
						return nil
					}
				}
				seen = append(seen, bytes.Clone(st.Moving))
				return prog.CheckStateOf(k, &unit.State{Head: st.Moving, Tiles: st.Sealed})
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return groups, len(seen)
}
