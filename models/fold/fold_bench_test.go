package fold_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/fold"
)

// pending is how many examples wait for their label in a summer of the flights.
const pending = 256

// demoLike is a fold like the demo's: a model on all 66 columns, one on a few of them, and a tree.
func demoLike(tb testing.TB) *feeder {
	schema := &features.Schema{}
	var all, few []int
	for i := range 66 {
		kind := features.Numeric
		if i%16 == 15 {
			kind = features.Categorical
		}
		schema.Columns = append(schema.Columns, features.Column{Name: fmt.Sprint("c", i), Kind: kind})
		if all = append(all, i); i%6 == 3 {
			few = append(few, i)
		}
	}
	spec := func(name, pipeline string, columns []int) fold.Member {
		return fold.Member{Name: name, Of: name, Task: models.Binary, Columns: columns, Build: func(s *features.Schema) (models.Learner, error) {
			return catalog.Build(models.Named(pipeline), models.Env{Task: models.Binary, Schema: s})
		}}
	}
	f, err := fold.New(schema, []fold.Member{spec("late", "auto", all), spec("static", "auto", few), spec("tree", "hoeffding_tree", all)})
	if err != nil {
		tb.Fatal(err)
	}
	f.Watch(schema, nil)
	// Examples and their labels, pending examples later; values repeat after 1,024.
	entries := make([]fold.Entry, 1024)
	for n := range entries {
		e := fold.Entry{Kind: fold.Predict, ID: fmt.Sprint("flight", n), Time: int64(n), Taken: int64(n), Vector: make([]float64, 66)}
		for i := range e.Vector {
			x := math.Sin(float64(n*66+i) * 12.9898)
			switch {
			case schema.Columns[i].Kind == features.Categorical:
				x = math.Floor(8 * (x + 1))
			case (n+i)%11 == 0:
				x = math.NaN()
			default:
				x *= float64(i)
			}
			e.Vector[i] = x
		}
		entries[n] = e
	}
	return &feeder{f: f, entries: entries}
}

// feeder folds examples and labels. Its entries are reused, as a learner's are.
type feeder struct {
	f              *fold.Fold
	entries        []fold.Entry
	example, label fold.Entry
	n              int
}

// feed folds the next example and the label of the one pending examples before.
func (d *feeder) feed(tb testing.TB) {
	n := d.n
	d.n++
	d.example = d.entries[n%len(d.entries)]
	d.example.Seq, d.example.Time = d.f.Position(), int64(n)
	if err := d.f.Apply(&d.example); err != nil {
		tb.Fatal(err)
	}
	if n < pending {
		return
	}
	past := &d.entries[(n-pending)%len(d.entries)]
	d.label = fold.Entry{Kind: fold.Learn, Flags: fold.Final, ID: past.ID, Vector: past.Vector, Seq: d.f.Position(), Time: int64(n), Taken: int64(n - pending), Ref: ref(n - pending)}
	if past.Vector[1] > 0 {
		d.label.Y = 1
	}
	if err := d.f.Apply(&d.label); err != nil {
		tb.Fatal(err)
	}
}

// ref is the entry of example n: labels come between the examples once pending of them wait.
func ref(n int) uint64 {
	if n <= pending {
		return uint64(n)
	}
	return uint64(2*n - pending)
}

// An example and its label allocate nothing in three models with their scores and drift, but for what grows while it
// learns: leaves of the tree, buckets of detectors, months.
func TestFoldAllocatesNothing(t *testing.T) {
	d := demoLike(t)
	for d.n < 20_000 {
		d.feed(t)
	}
	if score, ok := d.f.Score("late"); !ok || score.Labels != 20_000-pending {
		t.Fatalf("nothing was learned: %+v", score)
	}
	if got := testing.AllocsPerRun(4000, func() { d.feed(t) }); got > 0 {
		t.Errorf("%v allocations for an example and its label", got)
	}
}

// BenchmarkFold is one example and one label in the three models.
func BenchmarkFold(b *testing.B) {
	d := demoLike(b)
	b.ReportAllocs()
	for b.Loop() {
		d.feed(b)
	}
}

func BenchmarkDecodeEntry(b *testing.B) {
	bytes := fold.AppendEntry(nil, &demoLike(b).entries[0])
	var e fold.Entry
	b.ReportAllocs()
	b.SetBytes(int64(len(bytes)))
	for b.Loop() {
		if err := fold.DecodeEntry(bytes, &e); err != nil {
			b.Fatal(err)
		}
	}
}

func TestDecodeEntryAllocatesNothing(t *testing.T) {
	bytes := fold.AppendEntry(nil, &demoLike(t).entries[0])
	var e fold.Entry
	if n := testing.AllocsPerRun(100, func() {
		if err := fold.DecodeEntry(bytes, &e); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
