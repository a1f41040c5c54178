package program_test

import (
	"os"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/trainer"
)

func TestFlightsFileCore(t *testing.T) {
	p, err := project.Parse("freshet.yaml", flights.Project(), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := prog.Ingest(true)
	if err != nil {
		t.Fatal(err)
	}
	seq, err := ingest.NewSequencer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := trainer.NewReplay(prog.Program)
	if err != nil {
		t.Fatal(err)
	}
	s, err := flights.Open(time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Stdout
	began := time.Now()
	index := map[string]int{}
	offsets := map[string]int64{}
	for i, in := range prog.Sources {
		index[in.Name] = i
	}
	n := 0
	var taken uint64
	drain := func() {
		for {
			d, ok := seq.Next()
			if !ok {
				return
			}
			d.Item.Seq = taken
			taken++
			if d.Refusal != nil {
				t.Log(d.Refusal)
			}
			if err := r.Apply(&d.Item); err != nil {
				t.Fatal(err)
			}
		}
	}
	for {
		rec, ok := s.Next()
		if !ok {
			break
		}
		in := ingest.Record{Source: index[rec.Source], Offset: offsets[rec.Source], Key: append([]byte(nil), rec.Key...), Value: append([]byte(nil), rec.Value...), Timestamp: rec.Time / 1000}
		offsets[rec.Source]++
		for !seq.Offer(&in) {
			t.Fatal("full")
		}
		n++
		if n%256 == 0 {
			_, headers := ingest.MarkRecord(rec.Time, false)
			for name, i := range index {
				if name[0] == '$' {
					continue
				}
				seq.Offer(&ingest.Record{Source: i, Offset: offsets[name], Headers: headers})
				offsets[name]++
			}
			drain()
		}
	}
	for i := range cfg.Sources {
		for k := range cfg.Partitions[i] {
			seq.End(i, k)
		}
	}
	drain()
	t.Logf("%d records, %d items in %v", n, taken, time.Since(began))
	f := r.Fold("scheduled")
	for _, name := range f.Names() {
		sc, _ := f.Score(name)
		t.Log(name, sc.Labels, sc.Values)
	}
	t.Logf("%+v", r.Joiner("scheduled").Stats())
	t.Log(r.Golden().Sum())
}
