// Package aggtest checks an aggregation of the catalogue against a brute-force function: the one test
// that every aggregation has. It stands beside the flow.
package aggtest

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/freshet-ml/freshet/features/agg"
	"pgregory.net/rapid"
)

// Case is one aggregation with parameters.
type Case struct {
	Agg    string
	Params agg.Params
	// Brute computes the columns from all rows, sorted by (time, seq). Missing is NaN.
	Brute func(rows []agg.Row, s agg.Span) []float64
	// InTime says that partials are only ever merged with neighbours in time, as tiles are.
	InTime bool
	// Tolerance is relative; 0: 1e-9.
	Tolerance float64
}

// Check draws rows in any order with repeated times, values of different size and none at all, folds
// them one by one, as packed runs, and as partials merged in any order, and compares all with Brute.
func Check(t *testing.T, c Case) {
	t.Helper()
	fold, err := agg.Find(c.Agg).New(c.Params)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		rows := Rows(t)
		s := agg.Span{Seconds: 3600, End: rows.End}
		want := c.Brute(rows.Sorted, s)
		one := fold.Partial.Init(make([]byte, fold.Partial.Width()))
		for _, r := range rows.Shuffled(c.InTime) {
			one = fold.Partial.Add(one, r)
		}
		c.compare(t, "one by one", fold, one, s, want)
		run := agg.AddRows(fold.Partial, fold.Partial.Init(make([]byte, fold.Partial.Width())), rows.Packed())
		c.compare(t, "packed", fold, run, s, want)
		c.compare(t, "merged", fold, rows.merged(fold, c.InTime), s, want)
		if run, ok := fold.Partial.(agg.Runner); ok {
			c.compare(t, "merged in a run", fold, rows.mergedRun(fold, run), s, want)
		}
	})
}

func (c *Case) compare(t *rapid.T, how string, f agg.Fold, cell []byte, s agg.Span, want []float64) {
	if err := f.Partial.Check(cell); err != nil {
		t.Fatalf("%s %s: %v", c.Agg, how, err)
	}
	got := make([]float64, f.Columns)
	f.Finish(got, cell, s)
	if len(want) != len(got) {
		t.Fatalf("%s: brute force gives %d columns, not %d", c.Agg, len(want), len(got))
	}
	tolerance := c.Tolerance
	if tolerance == 0 {
		tolerance = 1e-9
	}
	for i := range want {
		if !Close(got[i], want[i], tolerance) {
			t.Fatalf("%s %s: column %d is %v, by brute force %v", c.Agg, how, i, got[i], want[i])
		}
	}
}

// Close reports whether two results agree: both missing or not finite, or within a relative tolerance.
func Close(a, b, tolerance float64) bool {
	if a-a != 0 || b-b != 0 {
		return a-a != 0 && b-b != 0
	}
	return math.Abs(a-b) <= tolerance*max(1, math.Abs(a), math.Abs(b))
}

// Drawn is rows to test with.
type Drawn struct {
	Sorted []agg.Row
	End    int64
	rng    *rand.Rand
}

// Rows draws up to 80 rows over an hour that ends at End.
func Rows(t *rapid.T) *Drawn {
	seed := rapid.Uint64().Draw(t, "seed")
	d := &Drawn{End: 1_700_000_000_000_000, rng: rand.New(rand.NewPCG(seed, 1))}
	n := rapid.IntRange(0, 80).Draw(t, "rows")
	step := rapid.SampledFrom([]int64{1, 7, 1_000_000, 45_000_000}).Draw(t, "step")
	different := rapid.IntRange(1, 50).Draw(t, "different")
	for seq := range n {
		x := float64(d.rng.IntN(different)) - 3
		if different > 40 {
			x *= 1e5 * d.rng.Float64()
		}
		d.Sorted = append(d.Sorted, agg.Row{X: x, Y: 1 + float64(d.rng.IntN(3)), Time: d.End - step*int64(d.rng.IntN(80)), Seq: uint64(seq)})
	}
	slices.SortFunc(d.Sorted, func(a, b agg.Row) int {
		if a.Time != b.Time {
			return int(a.Time - b.Time)
		}
		return int(a.Seq) - int(b.Seq)
	})
	return d
}

// Shuffled returns the rows in any order, or in time.
func (d *Drawn) Shuffled(inTime bool) []agg.Row {
	rows := slices.Clone(d.Sorted)
	if !inTime {
		d.rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	}
	return rows
}

// Packed returns the rows in the packed form of a stream, with two inputs.
func (d *Drawn) Packed() agg.Rows {
	return agg.Pack(d.Sorted)
}

// merged deals the rows to partials and merges them in any order, or cuts them in time.
func (d *Drawn) merged(f agg.Fold, inTime bool) []byte {
	rows, parts := d.Shuffled(inTime), 1+d.rng.IntN(5)
	cells := make([][]byte, parts)
	for i := range cells {
		cells[i] = f.Partial.Init(make([]byte, f.Partial.Width()))
		for _, r := range rows[i*len(rows)/parts : (i+1)*len(rows)/parts] {
			cells[i] = f.Partial.Add(cells[i], r)
		}
	}
	for len(cells) > 1 {
		i := d.rng.IntN(len(cells) - 1)
		a, b := i, i+1
		if d.rng.IntN(2) == 0 {
			a, b = b, a
		}
		before := slices.Clone(cells[b])
		cells[a] = f.Partial.Merge(cells[a], cells[b])
		if !slices.Equal(before, cells[b]) {
			panic("merge changed its second cell")
		}
		cells = slices.Delete(cells, b, b+1)
	}
	return cells[0]
}

// mergedRun deals the rows to records and merges those in one run.
func (d *Drawn) mergedRun(f agg.Fold, run agg.Runner) []byte {
	width := f.Partial.Width()
	cells := agg.Cells{At: 5, Stride: width + 8, B: make([]byte, 4*(width+8))}
	rows := d.Shuffled(false)
	for i := range 4 {
		cell := f.Partial.Init(cells.B[i*cells.Stride+cells.At:][:width])
		for _, r := range rows[i*len(rows)/4 : (i+1)*len(rows)/4] {
			f.Partial.Add(cell, r)
		}
	}
	one := f.Partial.Init(make([]byte, width))
	run.MergeRun(one, cells)
	return one
}
