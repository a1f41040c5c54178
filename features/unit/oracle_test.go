package unit

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
	"github.com/freshet-ml/freshet/features/window"
	"pgregory.net/rapid"
)

const second = int64(1e6)

// testSources are two sources with the same key, and one that ends things.
func testSources() []features.Source {
	return []features.Source{
		{Name: "sold", Fields: []features.Field{{Name: "shop", Kind: features.String}, {Name: "x", Kind: features.Double, Nullable: true},
			{Name: "y", Kind: features.Double}, {Name: "name", Kind: features.String}, {Name: "due", Kind: features.Time}, {Name: "id", Kind: features.Int}}},
		{Name: "ended", Fields: []features.Field{{Name: "shop", Kind: features.String}, {Name: "id", Kind: features.Int}}},
		{Name: "shops", Table: true, Fields: []features.Field{{Name: "shop", Kind: features.String}, {Name: "seats", Kind: features.Int, Nullable: true}, {Name: "kind", Kind: features.String, Nullable: true}}},
	}
}

func sold(seq uint64, t int64, x, y float64, name string) *features.Item {
	v := features.DoubleValue(x)
	if math.IsNaN(x) {
		v = features.Value{}
	}
	return &features.Item{Seq: seq, Kind: features.EventItem, Time: t, Fields: []features.Value{features.StringValue("a"), v,
		features.DoubleValue(y), features.StringValue(name), features.TimeValue(t + 600*second), features.IntValue(int64(seq))}}
}

// everyAgg declares every aggregation that folds rows, over windows, lagged, and over the lifetime.
func everyAgg(exact bool) []Feature {
	var fs []Feature
	for i := range agg.Catalog {
		spec := &agg.Catalog[i]
		if spec.Set {
			continue
		}
		f := Feature{Agg: spec.Name}
		if spec.Value != agg.NoValue {
			f.Value = "x"
		}
		if slices.Contains(spec.Uses, "k") {
			f.K = 3
		}
		if slices.Contains(spec.Uses, "half_life") {
			f.HalfLife = 5 * time.Minute
		}
		if slices.Contains(spec.Uses, "cap") {
			f.Cap = 1000
		}
		if spec.Per {
			f.Per = "y"
		}
		if spec.Windows {
			w := f
			w.Name, w.Over, w.Suffix, w.Exact = "w_"+spec.Name, []time.Duration{time.Minute, 10 * time.Minute, 6 * time.Hour}, true, exact
			l := f
			l.Name, l.Over, l.Lag, l.Exact = "lag_"+spec.Name, []time.Duration{30 * time.Minute}, time.Hour, exact
			fs = append(fs, w, l)
		}
		if spec.Always && !exact {
			a := f
			a.Name = "life_" + spec.Name
			b := a
			b.Name, b.Where = "where_"+spec.Name, "y > 1"
			fs = append(fs, a, b)
		}
	}
	return fs
}

func mustCompile(t testing.TB, fs []Feature) *Program {
	t.Helper()
	p, err := Compile(Entity{Name: "shop", Key: []string{"shop"}, Features: fs}, testSources(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// oracle computes the columns of everyAgg's features from all items by brute force over raw events; sealed is how
// far the tiles of the stream reach.
func oracle(fs []Feature, items []*features.Item, t, sealed int64) []float64 {
	var out []float64
	for _, f := range fs {
		over := f.Over
		if len(over) == 0 {
			over = []time.Duration{0}
		}
		for _, w := range over {
			end := t - f.Lag.Microseconds()
			from := int64(math.MinInt64)
			if hop := window.Hop(window.CodeFor(w.Microseconds())); f.Lag > 0 && sealed > end {
				end = window.Floor(end, hop)
			}
			if w > 0 {
				from = end - w.Microseconds()
				if floor := window.Floor(from, window.Hop(window.CodeFor(w.Microseconds()))); sealed > floor {
					from = floor
				}
			}
			var rows []agg.Row
			for _, it := range items {
				r := agg.Row{X: 1, Y: 1, Time: it.Time, Seq: it.Seq}
				if f.Value != "" {
					r.X = it.Fields[1].Float()
				}
				if f.Per != "" {
					r.Y = it.Fields[2].Float()
				}
				if it.Time > from && it.Time <= end && r.X == r.X && (f.Where == "" || it.Fields[2].Float() > 1) {
					rows = append(rows, r)
				}
			}
			slices.SortFunc(rows, func(a, b agg.Row) int {
				if a.Time != b.Time {
					return int(a.Time - b.Time)
				}
				return int(a.Seq) - int(b.Seq)
			})
			v, err := agg.Of(f.Agg, agg.Params{Valued: f.Value != "", K: f.K, HalfLife: f.HalfLife, Weight: f.Weight, Cap: f.Cap},
				agg.Span{Seconds: w.Seconds(), End: end}, rows...)
			if err != nil {
				panic(err)
			}
			out = append(out, v...)
		}
	}
	return out
}

func sealedUntil(st *State) int64 {
	start, end := section(st.Tiles, tilesLen, 0)
	if start == end {
		return features.NoTime
	}
	return record(st.Tiles[start:]).max()
}

// TestEveryAggregationEqualsBruteForce folds events out of order, late and with repeated times, and
// compares every aggregation over every kind of window with brute force over the raw events, at times
// on, between and after events. It also loads and saves the state at every step and wants the same bytes.
func TestEveryAggregationEqualsBruteForce(t *testing.T) {
	for _, exact := range []bool{false, true} {
		fs := everyAgg(exact)
		p := mustCompile(t, fs)
		rapid.Check(t, func(t *rapid.T) { compareWithOracle(t, p, fs, 4000*second) })
	}
}

// TestFixedTilesEqualBruteForce is the same for aggregations of fixed width only, whose tiles are merged in runs.
func TestFixedTilesEqualBruteForce(t *testing.T) {
	fs := slices.DeleteFunc(everyAgg(false), func(f Feature) bool {
		fold, err := agg.Find(f.Agg).New(agg.Params{K: f.K, HalfLife: f.HalfLife, Cap: f.Cap})
		return err != nil || fold.Partial.Width() == 0
	})
	p := mustCompile(t, fs)
	if len(p.streams[0].grown) > 0 {
		t.Fatal("a cell grows")
	}
	rapid.Check(t, func(t *rapid.T) { compareWithOracle(t, p, fs, 4000*second) })
}

// TestDecayedMeanByEventEqualsBruteForce: events as late as max_skew are in their place, also in tiles.
func TestDecayedMeanByEventEqualsBruteForce(t *testing.T) {
	fs := []Feature{{Name: "m", Agg: "decayed_mean", Value: "x", Weight: 0.2, Over: []time.Duration{time.Hour, 6 * time.Hour}, Suffix: true},
		{Name: "life", Agg: "decayed_mean", Value: "x", Weight: 0.2}}
	p := mustCompile(t, fs)
	rapid.Check(t, func(t *rapid.T) { compareWithOracle(t, p, fs, 30*second) })
}

func compareWithOracle(t *rapid.T, p *Program, fs []Feature, latest int64) {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
	n := rapid.SampledFrom([]int{0, 1, 5, 40, 64, 65, 300, 700}).Draw(t, "events")
	gap := rapid.SampledFrom([]int64{second / 2, 10 * second, 300 * second}).Draw(t, "gap")
	late := rapid.SampledFrom([]int64{1, 30 * second, 4000 * second}).Draw(t, "late")
	var st, other State
	var items []*features.Item
	head, bound := int64(1_700_000_000*second), 30*second
	for i := range n {
		if rng.IntN(3) > 0 {
			head += rng.Int64N(gap + 1)
		}
		x := math.Round(rng.NormFloat64() * 5)
		if rng.IntN(20) == 0 {
			x = math.NaN()
		}
		at := head
		if rng.IntN(4) == 0 {
			at -= rng.Int64N(min(late, latest))
		}
		it := sold(uint64(i), at, x, float64(1+rng.IntN(2)), "n")
		items = append(items, it)
		p.Apply(&st, it, head-bound)
		other = State{Head: bytes.Clone(other.Head), Tiles: bytes.Clone(other.Tiles)}
		p.Apply(&other, it, head-bound)
		if !bytes.Equal(st.Head, other.Head) || !bytes.Equal(st.Tiles, other.Tiles) {
			t.Fatal("state depends on when it was saved and loaded")
		}
		if i%50 == 0 || i == n-1 {
			at := head - rng.Int64N(bound) + []int64{0, rng.Int64N(30 * second), 3000 * second, 40000 * second}[rng.IntN(4)]
			compareAt(t, p, fs, &st, items, at)
		}
	}
	compareAt(t, p, fs, &st, items, head)
}

func compareAt(t *rapid.T, p *Program, fs []Feature, st *State, items []*features.Item, at int64) {
	if err := p.CheckState(st); err != nil {
		t.Fatal(err)
	}
	sealed := int64(features.NoTime)
	if len(st.Tiles) > 0 {
		sealed = sealedUntil(st)
	}
	got, _ := p.Read(nil, st, at)
	want := oracle(fs, items, at, sealed)
	if len(got) != len(want) {
		t.Fatalf("%d columns, by brute force %d", len(got), len(want))
	}
	for i := range got {
		if !aggtest.Close(got[i], want[i], 1e-9) {
			t.Fatalf("%s at head%+ds of %d events, sealed %t: %v, by brute force %v",
				p.Columns()[i].Name, (at-items[len(items)-1].Time)/second, len(items), sealed != features.NoTime, got[i], want[i])
		}
	}
}
