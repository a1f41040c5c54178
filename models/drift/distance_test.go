package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

var measures = []Measure{{"psi", 0.1, 0.25}, {"jensen_shannon", 0.1, 0.25}, {"ks", 0.1, 0.25}, {"wasserstein", 0.1, 0.25}}

// watch compares a reference with a window by every measure. Values are NaN where they are missing.
func watch(reference, window []float64) []Score {
	s := &features.Schema{}
	for _, m := range measures {
		s.Columns = append(s.Columns, features.Column{Name: m.Name})
	}
	w := NewWatch(s, WatchConfig{Reference: len(reference), Window: len(window), Measures: measures})
	for _, x := range slices.Concat(reference, window) {
		w.Observe(models.Row{Value: []float64{x, x, x, x}})
	}
	return w.Scores(nil)
}

// repeat is a sample of a hundred with these values in turn.
func repeat(values ...float64) []float64 {
	out := make([]float64, 100)
	for i := range out {
		out[i] = values[i%len(values)]
	}
	return out
}

func TestMeasuresByHand(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name              string
		reference, window []float64
		ks, wasserstein   float64
	}{
		{"the same", repeat(1, 2, 3, 4), repeat(4, 3, 2, 1), 0, 0},
		{"one value of four moved by one", repeat(1, 2, 3, 5), repeat(1, 2, 4, 5), .25, .25 / math.Sqrt(2.1875)},
		{"beyond all values", repeat(0, 2), repeat(3), 1, 2},
		{"below all values", repeat(0, 2), repeat(-1), 1, 2},
		{"between two values, where they are taken as spread evenly", repeat(0, 2), repeat(1), .5, .5},
		{"a flag that was never set", repeat(0), repeat(0, 0, 0, 1), .25, .25},
		{"a constant that is another one", repeat(7), repeat(9), 1, 1},
		{"half of it missing", repeat(0, 2), repeat(0, 2, nan, nan), .5, .5},
		{"all of it missing", repeat(0, 2), repeat(nan), 1, 1},
		{"there for the first time", repeat(nan), repeat(3), 1, 1},
		{"never there", repeat(nan), repeat(nan), 0, 0},
		{"half missing, the others moved", repeat(0, 2), repeat(2, nan), .5, .5*1 + .5},
	} {
		got := watch(c.reference, c.window)
		if math.Abs(got[2].Value-c.ks) > 1e-12 || math.Abs(got[3].Value-c.wasserstein) > 1e-12 {
			t.Errorf("%s: ks %v and wasserstein %v, want %v and %v", c.name, got[2].Value, got[3].Value, c.ks, c.wasserstein)
		}
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"js of disjoint ones", JensenShannon([]float64{5, 0}, []float64{0, 7}), 1},
		{"js", JensenShannon([]float64{1, 1}, []float64{1, 0}), math.Sqrt((0.5*math.Log2(0.5/0.75) + 0.5 + math.Log2(1/0.75)) / 2)},
		{"js of nothing", JensenShannon([]float64{1, 1}, []float64{0, 0}), 0},
		{"an area across zero", area(2, -1, 3, 2), 2.5},
		{"an area that is mostly on one side", area(4, 3, -1, 3), 4},
		{"an area beside a crossing", area(2, 1, 1, 0.5), 0.5},
	} {
		if math.Abs(c.got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}

// bruteKS is the definition over all values, missing ones first.
func bruteKS(reference, window []float64) (most float64) {
	upTo := func(list []float64, x float64) (share float64) {
		for _, v := range list {
			if v != v || v <= x {
				share += 1 / float64(len(list))
			}
		}
		return share
	}
	for _, x := range slices.Concat([]float64{math.Inf(-1)}, reference, window) {
		if x == x {
			most = max(most, math.Abs(upTo(reference, x)-upTo(window, x)))
		}
	}
	return most
}

// bruteWasserstein is the definition over all values: the area between the distributions of those that are there.
func bruteWasserstein(reference, window []float64) float64 {
	there := func(list []float64) []float64 {
		out := slices.DeleteFunc(slices.Clone(list), func(x float64) bool { return x != x })
		slices.Sort(out)
		return out
	}
	p, q := there(reference), there(window)
	here, now := float64(len(p))/float64(len(reference)), float64(len(q))/float64(len(window))
	if len(p) == 0 || len(q) == 0 {
		return math.Abs(here - now)
	}
	all := slices.Concat(p, q)
	slices.Sort(all)
	share := func(list []float64, x float64) float64 {
		i, _ := slices.BinarySearchFunc(list, x, func(v, x float64) int {
			if v <= x {
				return -1
			}
			return 1
		})
		return float64(i) / float64(len(list))
	}
	area := 0.0
	for i := 1; i < len(all); i++ {
		area += (all[i] - all[i-1]) * math.Abs(share(p, all[i-1])-share(q, all[i-1]))
	}
	mean, square := 0.0, 0.0
	for _, x := range p {
		mean += x / float64(len(p))
	}
	for _, x := range p {
		square += (x - mean) * (x - mean) / float64(len(p))
	}
	if p[0] == p[len(p)-1] {
		other := 0.0
		for _, x := range q {
			if x != p[0] {
				other += 1 / float64(len(q))
			}
		}
		return min(here, now)*other + math.Abs(here-now)
	}
	return min(here, now)*area/math.Sqrt(square) + math.Abs(here-now)
}

// Where the reference has few different values ks is the definition to the bit of rounding, for any window; wasserstein is where the window's values
// lie on them or beyond.
func TestOrderedMeasuresAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		few := rapid.Float64Range(-3, 3)
		if rapid.Bool().Draw(r, "whole") {
			few = rapid.Custom(func(r *rapid.T) float64 { return float64(rapid.IntRange(-4, 4).Draw(r, "x")) })
		}
		support := rapid.SliceOfN(few, 1, 20).Draw(r, "support")
		value := rapid.OneOf(rapid.SampledFrom(support), rapid.SampledFrom([]float64{math.NaN(), support[0]}))
		reference := rapid.SliceOfN(value, 100, 150).Draw(r, "reference")
		beyond := rapid.SampledFrom([]float64{-8.5, 11})
		on := rapid.SliceOfN(rapid.OneOf(value, beyond), 100, 150).Draw(r, "window")
		known := slices.DeleteFunc(slices.Clone(reference), func(x float64) bool { return x != x })
		for i, x := range on { // what the reference does not have lies beyond it
			if x == x && math.Abs(x) < 8 && !slices.Contains(known, x) {
				on[i] = 11
			}
		}
		got := watch(reference, on)
		if want := bruteKS(reference, on); math.Abs(got[2].Value-want) > 1e-9 {
			r.Fatalf("ks %v, by definition %v", got[2].Value, want)
		}
		if want := bruteWasserstein(reference, on); math.Abs(got[3].Value-want) > 1e-9*max(1, want) && want < farthest/2 {
			r.Fatalf("wasserstein %v, by definition %v", got[3].Value, want)
		}
		anywhere := rapid.SliceOfN(rapid.OneOf(value, rapid.Float64Range(-4, 4)), 100, 150).Draw(r, "anywhere")
		if got, want := watch(reference, anywhere)[2].Value, bruteKS(reference, anywhere); math.Abs(got-want) > 1e-9 {
			r.Fatalf("ks of values between those of the reference: %v, by definition %v", got, want)
		}
	})
}

// Of many different values, ks is within 0.01 and wasserstein within 0.02 deviations of the definition.
func TestOrderedMeasuresOfManyValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for name, draw := range map[string]func(shift float64) float64{
		"normal":  func(shift float64) float64 { return rng.NormFloat64() + shift },
		"skewed":  func(shift float64) float64 { return math.Exp(rng.NormFloat64()) * (1 + shift) },
		"half 0":  func(shift float64) float64 { return max(0, rng.NormFloat64()) * (1 + shift) },
		"uniform": func(shift float64) float64 { return rng.Float64() + shift },
	} {
		for _, shift := range []float64{0, 0.1, 0.5, 3} {
			reference, window := make([]float64, 2000), make([]float64, 800)
			for i := range reference {
				reference[i] = draw(0)
			}
			for i := range window {
				window[i] = draw(shift)
			}
			got := watch(reference, window)
			if want := bruteKS(reference, window); math.Abs(got[2].Value-want) > 0.01 {
				t.Errorf("%s, %v: ks %.4f, by definition %.4f", name, shift, got[2].Value, want)
			}
			if want := bruteWasserstein(reference, window); math.Abs(got[3].Value-want) > 0.02 {
				t.Errorf("%s, %v: wasserstein %.4f, by definition %.4f", name, shift, got[3].Value, want)
			}
		}
	}
}

// TestMeasuresKnowSizes: at the sizes of a window hardly a false alarm by any measure, also when the least distance worth a look is next to nothing, a shift of half a
// deviation found by all, and for a shift of a normal one by d the distances are those of theory: W1 = d and KS = 2Φ(d/2) − 1.
func TestMeasuresKnowSizes(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	s := &features.Schema{}
	for _, name := range []string{"psi", "jensen_shannon", "ks", "wasserstein"} {
		s.Columns = append(s.Columns, features.Column{Name: name})
	}
	run := func(draw func(i int) float64, threshold float64) []Score {
		list := slices.Clone(measures)
		for i := range list {
			list[i].Threshold = threshold
		}
		w := NewWatch(s, WatchConfig{Reference: 1000, Window: 500, Measures: list})
		for i := range 1500 {
			x := draw(i)
			w.Observe(models.Row{Value: []float64{x, x, x, x}})
		}
		return w.Scores(nil)
	}
	for name, draw := range map[string]func(int) float64{
		"normal": func(int) float64 { return rng.NormFloat64() },
		"skewed": func(int) float64 { return math.Exp(rng.NormFloat64()) },
		"sometimes missing": func(int) float64 {
			if rng.IntN(3) == 0 {
				return math.NaN()
			}
			return float64(rng.IntN(5))
		},
	} {
		alarms, rounds := map[string]int{}, 300
		for range rounds {
			for _, d := range run(draw, 1e-9) {
				if d.Drifted {
					alarms[d.Measure]++
				}
			}
		}
		for measure, n := range alarms {
			if n > 3 {
				t.Errorf("%s: %s: %d false alarms of %d", name, measure, n, rounds)
			}
		}
	}
	sums := map[string]float64{}
	for range 50 {
		for _, d := range run(func(i int) float64 { return rng.NormFloat64() + 0.5*float64(i/1000) }, 0.1) {
			sums[d.Measure] += d.Value / 50
			if !d.Drifted {
				t.Errorf("%+v: a shift was not found", d)
			}
		}
	}
	if want := math.Erf(0.25 / math.Sqrt2); math.Abs(sums["ks"]-want) > 0.02 {
		t.Errorf("ks %.3f, exact %.3f", sums["ks"], want)
	}
	if math.Abs(sums["wasserstein"]-0.5) > 0.03 {
		t.Errorf("wasserstein %.3f, exact 0.5", sums["wasserstein"])
	}
}

// The deviations of a distribution are those that its formula gives: of a normal one ∫√(Φ(1−Φ)) = 1.6147, of a uniform one ∫√(x(1−x))·√12 = π√12/8.
func TestSpread(t *testing.T) {
	normal, uniform := make([]float64, 20000), make([]float64, 20000)
	rng := rand.New(rand.NewPCG(9, 9))
	for i := range normal {
		normal[i], uniform[i] = rng.NormFloat64(), float64(i)/20000
	}
	slices.Sort(normal)
	for _, c := range []struct {
		sample []float64
		want   float64
	}{{normal, 1.6147}, {uniform, math.Pi * math.Sqrt(12) / 8}} {
		if got := newOrdered(c.sample, 0).spread; got < c.want-0.02 || got > 1.1*c.want {
			t.Errorf("spread %v, want %v or, since tails are taken as even, a little more", got, c.want)
		}
	}
}

// A threshold of a measure counts where it is greater than what the sizes ask for, and alerts ask for no less.
func TestMeasureThresholds(t *testing.T) {
	x := repeat(1, 2, 3, 4)
	s := &features.Schema{Columns: []features.Column{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d", Kind: features.Categorical}}}
	w := NewWatch(s, WatchConfig{Reference: 100, Window: 100, Measures: []Measure{{"ks", 0.001, 0.2}, {"ks", 0.6, 0.2}, {"ks", 0.3, 0.5}, UsualMeasure}})
	for range 2 {
		for _, v := range x {
			w.Observe(models.Row{Value: []float64{v, v, v, v}})
		}
	}
	scores := w.Scores(nil)
	if by := ksChance(100, 100, 0.001); scores[0].Threshold != by || scores[0].Alert != by {
		t.Errorf("%+v, the sizes ask for %v", scores[0], by)
	}
	if scores[1].Threshold != 0.6 || scores[1].Alert != 0.6 || scores[2].Threshold != 0.3 || scores[2].Alert != 0.5 || scores[3].Measure != "psi" {
		t.Errorf("%+v", scores[1:])
	}
	for name, bad := range map[string][]Measure{"category": {UsualMeasure, UsualMeasure, UsualMeasure, {"ks", 0.1, 0.1}},
		"unknown": {{"psy", 1, 1}, UsualMeasure, UsualMeasure, UsualMeasure}, "no threshold": {{"ks", 0, 1}, UsualMeasure, UsualMeasure, UsualMeasure}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: taken", name)
				}
			}()
			NewWatch(s, WatchConfig{Measures: bad})
		}()
	}
}

// What is absurd stays finite.
func TestOrderedMeasuresStayFinite(t *testing.T) {
	huge, inf := math.MaxFloat64, math.Inf(1)
	for name, c := range map[string][2][]float64{
		"huge":                 {repeat(-huge, huge), repeat(huge, 0)},
		"huge beyond":          {repeat(0, 1), repeat(-huge, huge)},
		"huge beyond a tiny":   {repeat(0, 5e-324), repeat(huge)},
		"infinite":             {repeat(0, 1, inf, -inf), repeat(inf)},
		"nearly no difference": {repeat(1e300, 1e300*(1+1e-15)), repeat(1e300, -1e300)},
	} {
		for _, s := range watch(c[0], c[1])[2:] {
			if !(s.Value >= 0 && s.Value <= farthest) || !(s.Threshold < farthest) {
				t.Errorf("%s: %+v", name, s)
			}
		}
	}
}

// A watch goes on where its state was saved, in the middle of the reference, of a window and behind it, to the same bits and scores; other columns in order, and none,
// are another state.
func TestWatchOfAllMeasuresGoesOn(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		in := make([]Measure, len(schema.Columns))
		for i, c := range schema.Columns {
			in[i] = rapid.SampledFrom(measures).Draw(r, "measure").For(c.Kind == features.Categorical)
		}
		fresh := func(m []Measure) *Watch {
			return NewWatch(schema, WatchConfig{Reference: 100, Window: 100, Measures: m})
		}
		w, v := fresh(in), fresh(in)
		observeAll(w, vectors(rapid.IntRange(0, 450).Draw(r, "n"), 1, 0))
		saved := codec.Save(w)
		if err := codec.Load(v, saved); err != nil {
			r.Fatal(err)
		}
		more := vectors(rapid.IntRange(0, 250).Draw(r, "more"), 2, 1)
		observeAll(w, more)
		observeAll(v, more)
		if codec.Sum(w) != codec.Sum(v) || !slices.Equal(w.Scores(nil), v.Scores(nil)) {
			r.Fatalf("another state: %v and %v", w.Scores(nil), v.Scores(nil))
		}
		other := slices.Clone(in)
		if other[0] = (Measure{"ks", 0.1, 0.25}); in[0].Ordered() {
			other[0] = UsualMeasure
		}
		if codec.Load(fresh(other), saved) == nil {
			r.Fatal("taken for the state of a watch with other columns in order")
		}
	})
}

func BenchmarkWatch(b *testing.B) {
	for _, m := range measures {
		b.Run(m.Name, func(b *testing.B) {
			s := &features.Schema{}
			var list []Measure
			for range 20 {
				s.Columns = append(s.Columns, features.Column{Name: "x"})
				list = append(list, m)
			}
			rng := rand.New(rand.NewPCG(1, 1))
			rows := make([]models.Row, 1000)
			for i := range rows {
				for range 20 {
					rows[i].Value = append(rows[i].Value, rng.NormFloat64())
				}
			}
			w := NewWatch(s, WatchConfig{Measures: list})
			for i := range 5000 {
				w.Observe(rows[i%1000])
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				w.Observe(rows[i%1000])
			}
		})
	}
}

func ExampleNewWatch() {
	s := &features.Schema{Columns: []features.Column{{Name: "delay"}, {Name: "city", Kind: features.Categorical}}}
	w := NewWatch(s, WatchConfig{Reference: 1000, Window: 500, Measures: []Measure{{Name: "wasserstein", Threshold: 0.3, Alert: 0.5}, UsualMeasure}})
	for i := range 1500 {
		delay := float64(i % 100)
		if i >= 1000 {
			delay += 20
		}
		if w.Observe(models.Row{Value: []float64{delay, features.Category("EWR")}}) {
			for _, s := range w.Scores(nil) {
				fmt.Printf("%s: %s %.2f, threshold %.2f, drifted: %t\n", s.Feature, s.Measure, s.Value, s.Threshold, s.Drifted)
			}
		}
	}
	// Output:
	// delay: wasserstein 0.69, threshold 0.30, drifted: true
	// city: psi 0.00, threshold 0.10, drifted: false
}

// The state without columns in order is a storage format, and the usual scores are the bits they were.
func TestWatchKeepsItsBits(t *testing.T) {
	s := &features.Schema{Columns: []features.Column{{Name: "a"}, {Name: "c", Kind: features.Categorical}}}
	for n, want := range map[int]string{60: "fe19cafead2e726ce8730f58b2d63b022dff23cc4f3a40029113ad694f53ba2d", 250: "b4b509a9e8e77bf00f0a895818616477ff996c1aa673b550ba6abcec2c2dadab"} {
		w := NewWatch(s, WatchConfig{Reference: 100, Window: 100})
		for i := range n {
			x := float64(i * 37 % 101)
			if i%50 == 0 {
				x = math.NaN()
			}
			w.Observe(models.Row{Value: []float64{x, float64(i % 13)}})
		}
		if got := fmt.Sprintf("%x", codec.Sum(w)); got != want {
			t.Errorf("stored bytes changed after %d examples: %s, want %s", n, got, want)
		}
		for i, s := range w.Scores(nil) {
			bits := [][2]uint64{{4578711517042789584, 4603807265166163384}, {4576714289303386048, 4603505373539346983}}[i]
			if got := [2]uint64{math.Float64bits(s.Value), math.Float64bits(s.Threshold)}; got != bits {
				t.Errorf("%s: %v", s.Feature, got)
			}
		}
	}
}
