package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

func stream(t testing.TB, name string) []float64 {
	t.Helper()
	b, err := os.ReadFile("testdata/streams.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if digits, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			x := make([]float64, len(digits))
			for i, d := range digits {
				x[i] = float64(d - '0')
			}
			return x
		}
	}
	t.Fatalf("no stream %s", name)
	return nil
}

func firstChange(d Detector, x []float64) int {
	for i, v := range x {
		if d.Update(v) {
			return i
		}
	}
	return -1
}

// The published first detections of River's documentation on the same streams.
func TestPublishedDetections(t *testing.T) {
	for _, c := range []struct {
		name, stream string
		d            Detector
		want         int
	}{
		{"adwin", "steps", NewADWIN(0), 1023},
		{"page_hinkley", "steps", NewPageHinkley(PageHinkleyConfig{}), 1006},
		{"ddm", "errors", NewDDM(), 1334},
	} {
		if got := firstChange(c.d, stream(t, c.stream)); got != c.want {
			t.Errorf("%s: change at %d, want %d", c.name, got, c.want)
		}
	}
	d := NewDDM()
	for i, v := range stream(t, "errors") {
		if d.Update(v); d.Warning() {
			if i != 1084 {
				t.Errorf("ddm warns at %d, want 1084", i)
			}
			break
		}
	}
}

func TestADWINWindowEqualsReference(t *testing.T) {
	a := NewADWIN(0.002)
	want := map[int][3]float64{31: {32, 14, 7.875}, 500: {501, 246, 125.20958083832322}, 1022: {1023, 630, 906.0234604105572}, 1023: {32, 144, 172}}
	for i, v := range stream(t, "steps")[:1024] {
		a.Update(v)
		if w, ok := want[i]; ok {
			got := [3]float64{a.width, a.total, a.variance}
			for k := range w {
				if math.Abs(got[k]-w[k]) > 1e-9 {
					t.Errorf("after %d: width, total, variance %v, want %v", i, got, w)
				}
			}
		}
	}
	if !a.Rose() || a.Changes() != 1 {
		t.Errorf("rose %t, changes %d", a.Rose(), a.Changes())
	}
}

// The histogram holds exactly the mean and variance of the last width values.
func TestADWINAgainstPlainWindow(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	a, all := NewADWIN(0.01), []float64(nil)
	for i := range 20000 {
		x := rng.NormFloat64() + float64(i/3000)
		all = append(all, x)
		a.Update(x)
		if i%997 != 0 {
			continue
		}
		window := all[len(all)-a.Width():]
		mean, squares := 0.0, 0.0
		for _, v := range window {
			mean += v / float64(len(window))
		}
		for _, v := range window {
			squares += (v - mean) * (v - mean)
		}
		if math.Abs(a.Mean()-mean) > 1e-9 || math.Abs(a.Variance()-squares/float64(len(window))) > 1e-8 {
			t.Fatalf("after %d: mean %g, want %g; variance %g, want %g", i, a.Mean(), mean, a.Variance(), squares/float64(len(window)))
		}
	}
	if a.Changes() < 5 {
		t.Errorf("%d changes found of 6", a.Changes())
	}
}

func TestADWINFalseAlarms(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 1))
	a := NewADWIN(0)
	for range 100000 {
		a.Update(float64(rng.IntN(2)))
	}
	if a.Changes() > 3 {
		t.Errorf("%d changes of a stream that has none", a.Changes())
	}
	a.Update(math.NaN())
	a.Update(math.Inf(1))
	if math.IsNaN(a.Mean()) || math.IsInf(a.Mean(), 0) {
		t.Error("a value that is not finite got in")
	}
	if len(a.rows) > 20 {
		t.Errorf("%d rows for %d values", len(a.rows), a.Width())
	}
}

func vectors(n int, seed uint64, shift float64) []models.Row {
	rng := rand.New(rand.NewPCG(seed, 3))
	rows := make([]models.Row, n)
	for i := range rows {
		city := features.Category([]string{"a", "b", "c"}[rng.IntN(3)])
		x := rng.NormFloat64() + shift
		if rng.IntN(20) == 0 {
			x = math.NaN()
		}
		rows[i] = models.Row{Value: []float64{x, rng.ExpFloat64(), city}}
	}
	return rows
}

var schema = &features.Schema{Columns: []features.Column{{Name: "x"}, {Name: "wait"}, {Name: "city", Kind: features.Categorical}}}

func observeAll(p *Watch, rows []models.Row) {
	for _, r := range rows {
		p.Observe(r)
	}
}

func TestWatchFindsTheShiftedFeatureOnly(t *testing.T) {
	p := NewWatch(schema, WatchConfig{Reference: 2000, Window: 1000})
	observeAll(p, vectors(3000, 1, 0))
	for _, s := range p.Scores(nil) {
		if s.Drifted || s.Value < 0 || s.Threshold < 0.1 {
			t.Errorf("same distribution: %+v", s)
		}
	}
	observeAll(p, vectors(1000, 2, 1))
	scores := p.Scores(nil)
	if len(scores) != 3 || !scores[0].Drifted || scores[1].Drifted || scores[2].Drifted {
		t.Errorf("shifted: %+v", scores)
	}
	if scores[0].Missing < 0.02 || scores[0].Missing > 0.09 {
		t.Errorf("missing share %g, want about 0.05", scores[0].Missing)
	}
	rows := vectors(1000, 5, 0)
	for i := range rows {
		rows[i].Value[2] = features.Category("new")
	}
	observeAll(p, rows)
	if s := p.Scores(nil)[2]; !s.Drifted || s.Other != 1 {
		t.Errorf("a category that was never seen: %+v", s)
	}
}

// With the size-aware threshold, small windows without drift do not alarm; with 0.1 alone they do.
func TestThresholdKnowsSizes(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	naive, aware, rounds := 0, 0, 400
	for range rounds {
		ref, cur := make([]float64, 10), make([]float64, 10)
		for range 200 {
			ref[rng.IntN(10)]++
		}
		for range 100 {
			cur[rng.IntN(10)]++
		}
		psi := Index(ref, cur)
		if psi > 0.1 {
			naive++
		}
		if psi > max(0.1, indexChance(10, 200, 100, 0.001)) {
			aware++
		}
	}
	if naive < rounds/5 || aware > 4 {
		t.Errorf("false alarms: naive %d, size-aware %d of %d", naive, aware, rounds)
	}
}

func TestIndexByHand(t *testing.T) {
	got := Index([]float64{9.5, 29.5, 0}, []float64{29.5, 9.5, 0})
	want := 2 * (0.75 - 0.25) * math.Log(3)
	if math.Abs(got-want) > 1e-12 {
		t.Errorf("index %g, want %g", got, want)
	}
	if Index([]float64{5, 5}, []float64{5, 5}) != 0 {
		t.Error("equal histograms differ")
	}
}

func TestBinsPartitionTheLine(t *testing.T) {
	c := histogram{edges: deciles([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})}
	for _, e := range []struct {
		x    float64
		want int
	}{{0.9, otherBin}, {1, 0}, {2.9, 0}, {3, 1}, {19, 9}, {20, 9}, {20.1, otherBin}, {math.NaN(), missingBin}} {
		if got := c.bin(e.x, features.Numeric); got != e.want {
			t.Errorf("bin of %g is %d, want %d", e.x, got, e.want)
		}
	}
	constant := histogram{edges: deciles([]float64{7, 7, 7})}
	if constant.bin(7, features.Numeric) != 0 || constant.bin(6, features.Numeric) != otherBin {
		t.Error("constant feature")
	}
	empty := histogram{edges: deciles(nil)}
	if empty.bin(7, features.Numeric) != otherBin {
		t.Error("feature that was always missing")
	}
}

func TestSparseRowsAreZeros(t *testing.T) {
	a, b := NewWatch(schema, WatchConfig{Reference: 100, Window: 100}), NewWatch(schema, WatchConfig{Reference: 100, Window: 100})
	for i := range 250 {
		x := float64(i % 7)
		a.Observe(models.Row{Index: []uint32{1}, Value: []float64{x}})
		b.Observe(models.Row{Value: []float64{0, x, 0}})
	}
	if codec.Sum(a) != codec.Sum(b) {
		t.Error("sparse and dense rows differ")
	}
}

func states() map[string]func() codec.Stateful {
	return map[string]func() codec.Stateful{
		"adwin":        func() codec.Stateful { return NewADWIN(0) },
		"page_hinkley": func() codec.Stateful { return NewPageHinkley(PageHinkleyConfig{}) },
		"ddm":          func() codec.Stateful { return NewDDM() },
	}
}

func TestStateContinues(t *testing.T) {
	for name, make := range states() {
		x := stream(t, "steps")
		if name == "ddm" {
			x = stream(t, "errors")
		}
		a, b := make(), make()
		for i, v := range x {
			if i%211 == 0 {
				if err := codec.Load(b, codec.Save(a)); err != nil {
					t.Fatalf("%s at %d: %v", name, i, err)
				}
			}
			if ca, cb := a.(Detector).Update(v), b.(Detector).Update(v); ca != cb {
				t.Fatalf("%s at %d: %t, %t after loading", name, i, ca, cb)
			}
		}
		if codec.Sum(a) != codec.Sum(b) {
			t.Errorf("%s: states differ", name)
		}
	}
	for _, n := range []int{50, 150, 333} {
		p := NewWatch(schema, WatchConfig{Reference: 100, Window: 100})
		q := NewWatch(schema, WatchConfig{Reference: 100, Window: 100})
		observeAll(p, vectors(n, 1, 0))
		if err := codec.Load(q, codec.Save(p)); err != nil {
			t.Fatal(err)
		}
		more := vectors(200, 2, 1)
		observeAll(p, more)
		observeAll(q, more)
		if codec.Sum(p) != codec.Sum(q) {
			t.Errorf("psi after %d: states differ", n)
		}
	}
}

func TestUpdateAllocatesNothing(t *testing.T) {
	a, i := NewADWIN(0), 0
	p := NewWatch(schema, WatchConfig{Reference: 100, Window: 100, Measures: []Measure{{"ks", 0.1, 0.25}, {"wasserstein", 0.1, 0.25}, UsualMeasure}})
	rows := vectors(300, 1, 0)
	observeAll(p, rows)
	if n := testing.AllocsPerRun(20000, func() { a.Update(float64(i % 3)); p.Observe(rows[i%300]); i++ }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

func FuzzADWINState(f *testing.F) {
	a := NewADWIN(0)
	for i := range 100 {
		a.Update(float64(i % 3))
	}
	f.Add(codec.Save(a))
	f.Fuzz(func(t *testing.T, b []byte) {
		a := NewADWIN(0)
		if codec.Load(a, b) == nil {
			for i := range 64 {
				a.Update(float64(i))
			}
		}
	})
}

func FuzzWatchState(f *testing.F) {
	fresh := func(ordered bool) *Watch {
		cfg := WatchConfig{Reference: 100, Window: 100}
		if ordered {
			cfg.Measures = []Measure{{"ks", 0.1, 0.25}, {"wasserstein", 0.1, 0.25}, UsualMeasure}
		}
		return NewWatch(schema, cfg)
	}
	for _, n := range []int{20, 150, 250} {
		for _, ordered := range []bool{false, true} {
			w := fresh(ordered)
			observeAll(w, vectors(n, 1, 0))
			f.Add(codec.Save(w), ordered)
		}
	}
	rows := vectors(120, 2, 0)
	f.Fuzz(func(t *testing.T, b []byte, ordered bool) {
		w := fresh(ordered)
		if codec.Load(w, b) == nil {
			observeAll(w, rows)
			for _, s := range w.Scores(nil) {
				if ordered && s.Measure != "psi" && !(s.Value >= 0 && s.Value <= farthest) {
					t.Errorf("%+v", s)
				}
			}
		}
	})
}

func BenchmarkADWIN(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	x := make([]float64, 4096)
	for i := range x {
		x[i] = float64(rng.IntN(2))
	}
	a := NewADWIN(0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		a.Update(x[i&4095])
	}
}

func ExampleADWIN() {
	a := NewADWIN(0.002)
	for i := range 2000 {
		loss := 0.2
		if i >= 1000 {
			loss = 0.6
		}
		if a.Update(loss) {
			fmt.Printf("changed at %d, worse: %t\n", i, a.Rose())
			break
		}
	}
	// Output:
	// changed at 1023, worse: true
}

func ExampleWatch() {
	p := NewWatch(&features.Schema{Columns: []features.Column{{Name: "delay"}}}, WatchConfig{Reference: 1000, Window: 500})
	for i := range 2000 {
		x := float64(i % 100)
		if i >= 1500 {
			x += 40 // the second window differs
		}
		if p.Observe(models.Row{Value: []float64{x}}) {
			for _, s := range p.Scores(nil) {
				fmt.Printf("%s drifted: %t\n", s.Feature, s.Drifted)
			}
		}
	}
	// Output:
	// delay drifted: false
	// delay drifted: true
}

// The histograms that are shown are those that the score is computed from.
func TestDistributionsGiveTheScore(t *testing.T) {
	schema := &features.Schema{Columns: []features.Column{{Name: "a"}, {Name: "one"}, {Name: "c", Kind: features.Categorical}, {Name: "gone"}}}
	p := NewWatch(schema, WatchConfig{Reference: 300, Window: 200})
	for i := range 700 {
		if i < 300 && p.Distributions() != nil {
			t.Fatal("distributions before the reference is complete")
		}
		shift := 0.0
		if i >= 500 {
			shift = 40
		}
		x := float64(i*37%101) + shift
		if i%50 == 0 {
			x = math.NaN()
		}
		p.Observe(models.Row{Value: []float64{x, 7, float64(i % 13), math.NaN()}})
	}
	scores := p.Scores(nil)
	for i, d := range p.Distributions() {
		if got := Index(d.Reference, d.Current); math.Abs(got-scores[i].Value) > 1e-12 {
			t.Errorf("%s: histograms give %v, the score is %v", d.Feature, got, scores[i].Value)
		}
		n, m := 0.0, 0.0
		for b := range d.Reference {
			n, m = n+d.Reference[b], m+d.Current[b]
		}
		bins := len(d.Edges) - 1
		if d.Categorical {
			bins = len(d.Edges)
		}
		if n != 300 || m != 200 || len(d.Reference) != max(bins, 0)+2 || len(d.Current) != len(d.Reference) {
			t.Errorf("%s: %v and %v examples in %d bins of %d edges", d.Feature, n, m, len(d.Reference), len(d.Edges))
		}
	}
}

// TestWatchOfTexts: a text is one feature, whose length is watched, among others; dense and sparse rows say the same.
func TestWatchOfTexts(t *testing.T) {
	s := &features.Schema{Columns: []features.Column{{Name: "x"}}}
	s.Columns = append(append(s.Columns, features.TextColumns("note", 8)...), features.Column{Name: "y"})
	dense, sparse := NewWatch(s, WatchConfig{Reference: 500, Window: 500}), NewWatch(s, WatchConfig{Reference: 500, Window: 500})
	rng := rand.New(rand.NewPCG(3, 3))
	observe := func(length int, missing float64) {
		for range 500 {
			v := []float64{rng.Float64()}
			if rng.Float64() < missing {
				for range 8 {
					v = append(v, math.NaN())
				}
			} else {
				v = features.AppendText(v, strings.Repeat("w", 1+rng.IntN(length)), 8)
			}
			v = append(v, rng.Float64())
			row := models.Row{Index: []uint32{}}
			for i, x := range v {
				if x != 0 {
					row.Index, row.Value = append(row.Index, uint32(i)), append(row.Value, x)
				}
			}
			dense.Observe(models.Row{Value: v})
			sparse.Observe(row)
		}
	}
	observe(10, 0.1)
	observe(10, 0.1)
	scores := dense.Scores(nil)
	if len(scores) != 3 || scores[1].Feature != "note" || scores[1].Drifted || scores[2].Feature != "y" || scores[1].Missing < 0.05 || scores[1].Missing > 0.15 {
		t.Errorf("same texts: %+v", scores)
	}
	observe(40, 0)
	if scores = dense.Scores(nil); scores[0].Drifted || !scores[1].Drifted || scores[1].Missing != 0 || scores[2].Drifted {
		t.Errorf("longer texts: %+v", scores)
	}
	if !slices.Equal(scores, sparse.Scores(nil)) {
		t.Errorf("sparse rows: %+v", sparse.Scores(nil))
	}
	d := dense.Distributions()
	if len(d) != 3 || d[1].Feature != "note" || d[1].Edges[len(d[1].Edges)-1] != 10 {
		t.Errorf("distributions %+v", d)
	}
}
