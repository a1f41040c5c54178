package unit

import (
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
)

// read returns the columns by name, without the entity's.
func read(p *Program, st *State, t int64) map[string]float64 {
	values, _ := p.Read(nil, st, t)
	m := map[string]float64{}
	for i, c := range p.Columns() {
		m[strings.TrimPrefix(c.Name, p.entity.Name+".")] = values[i]
	}
	return m
}

func wantColumns(t *testing.T, when string, got map[string]float64, want map[string]float64) {
	t.Helper()
	for name, x := range want {
		if y, ok := got[name]; !ok || !aggtest.Close(x, y, 1e-12) {
			t.Errorf("%s: %s is %v, want %v", when, name, y, x)
		}
	}
}

func ended(seq uint64, t, id int64) *features.Item {
	return &features.Item{Seq: seq, Kind: features.EventItem, Source: 1, Time: t, Fields: []features.Value{features.StringValue("a"), features.IntValue(id)}}
}

func shops(seq uint64, t int64, flags features.ItemFlags, seats, kind features.Value) *features.Item {
	return &features.Item{Seq: seq, Kind: features.EventItem, Flags: flags, Source: 2, Time: t, Fields: []features.Value{features.StringValue("a"), seats, kind}}
}

const start = 1_700_000_000 * second

// TestAbsentEntity: no state, an empty one, and one of another source read alike.
func TestAbsentEntity(t *testing.T) {
	p := mustCompile(t, []Feature{{Name: "n", Agg: "count", Over: []time.Duration{time.Minute}}, {Name: "m", Agg: "mean", Value: "x"},
		{Name: "d", Agg: "distinct", Value: "name"}, {Name: "o", Agg: "open", Until: []int{1}, By: "id"}, {Name: "s", Agg: "since"}})
	for name, st := range map[string]*State{"nil": nil, "zero": {}} {
		values, newest := p.Read([]float64{7}, st, start)
		if newest != features.NoTime || len(values) != 6 || values[0] != 7 {
			t.Errorf("%s: %v at %d", name, values, newest)
		}
		wantColumns(t, name, read(p, st, start), map[string]float64{"n": 0, "m": math.NaN(), "d": 0, "o": 0, "s": math.NaN()})
	}
}

// TestWindowEmptiesByItself: count_5m falls to 0 when nothing happens, and the bounds are (t − w, t].
func TestWindowEmptiesByItself(t *testing.T) {
	p := mustCompile(t, []Feature{{Name: "n", Agg: "count", Over: []time.Duration{5 * time.Minute}, Suffix: true}})
	var st State
	p.Apply(&st, sold(1, start, 1, 1, "n"), start)
	for after, want := range map[int64]float64{-1: 0, 0: 1, 1: 1, 300*second - 1: 1, 300 * second: 0, 1e15: 0} {
		if got := read(p, &st, start+after)["n_5m"]; got != want {
			t.Errorf("%d µs after the event the count is %v, want %v", after, got, want)
		}
	}
}

// TestAtTakesEffectLater: an event with at: counts from that time on, in windows and over the lifetime; a
// null at-time leaves it out; and a dense future is not sealed before it comes.
func TestAtTakesEffectLater(t *testing.T) {
	p := mustCompile(t, []Feature{{Name: "n", Agg: "count", At: "due", Over: []time.Duration{time.Hour}}, {Name: "last", Agg: "last", Value: "x", At: "due"},
		{Name: "decayed", Agg: "decayed_count", HalfLife: time.Hour, At: "due"}})
	var st State
	for i := range 200 {
		p.Apply(&st, sold(uint64(i), start+int64(i), float64(i), 1, "n"), start+int64(i))
	}
	null := sold(500, start+200, 500, 1, "n")
	null.Fields[4] = features.Value{}
	p.Apply(&st, null, start+200)
	wantColumns(t, "before", read(p, &st, start+599*second), map[string]float64{"n": 0, "last": math.NaN(), "decayed": 0})
	wantColumns(t, "between", read(p, &st, start+600*second+99), map[string]float64{"n": 100, "last": 99})
	wantColumns(t, "after", read(p, &st, start+601*second), map[string]float64{"n": 200, "last": 199})
	if _, newest := p.Read(nil, &st, start); newest != start+200 {
		t.Errorf("newest is %d, want the event time %d", newest, start+200)
	}
}

// TestOverdue: open from the due time until the end; see also the open aggregation's own test.
func TestOverdue(t *testing.T) {
	open := Feature{Name: "overdue", Agg: "open", Due: "due", Until: []int{1}, By: "id", Keep: time.Hour, Where: "y > 0"}
	age := open
	age.Name, age.Agg = "age", "open_age"
	p := mustCompile(t, []Feature{open, age})
	if len(p.sets) != 1 {
		t.Fatalf("%d sets for one configuration", len(p.sets))
	}
	var st State
	for i := range int64(4) {
		p.Apply(&st, sold(uint64(i), start+i*second, 1, float64(i), "n"), start)
	}
	p.Apply(&st, ended(5, start+100*second, 1), start) // before it is due: never counts
	p.Apply(&st, ended(6, start+100*second, 9), start) // before its begin: never counts
	p.Apply(&st, sold(9, start+101*second, 1, 1, "n"), start)
	p.Apply(&st, sold(2, start+102*second, 1, 1, "n"), start) // begun twice: the first due time stays
	due := start + 602*second                                 // of 2; 0 is left out by where, 3 is a second later
	wantColumns(t, "before", read(p, &st, due-1), map[string]float64{"overdue": 0, "age": 0})
	wantColumns(t, "due", read(p, &st, due), map[string]float64{"overdue": 1, "age": 0})
	wantColumns(t, "both", read(p, &st, due+11*second), map[string]float64{"overdue": 2, "age": 21})
	wantColumns(t, "forgotten", read(p, &st, due+3600*second+1), map[string]float64{"overdue": 1})
	p.Apply(&st, ended(10, due+20*second, 3), start)
	wantColumns(t, "one ended", read(p, &st, due+20*second), map[string]float64{"overdue": 1, "age": 20})
}

// TestTable: the newest row wins, nulls replace, categories are categorical, a tombstone removes the row
// and nothing of other sources.
func TestTable(t *testing.T) {
	p := mustCompile(t, []Feature{{Name: "seats", Agg: "last", Source: 2, Value: "seats"}, {Name: "kind", Agg: "last", Source: 2, Value: "kind"}, {Name: "sold", Agg: "count"}})
	if p.Columns()[1].Kind != features.Categorical || p.Columns()[0].Kind != features.Numeric {
		t.Errorf("kinds of %v", p.Columns())
	}
	var st State
	p.Apply(&st, sold(1, start, 1, 1, "n"), start)
	p.Apply(&st, shops(2, start, 0, features.IntValue(7), features.StringValue("bar")), start)
	wantColumns(t, "row", read(p, &st, start), map[string]float64{"seats": 7, "kind": features.Category("bar"), "sold": 1})
	p.Apply(&st, shops(3, start+1, 0, features.IntValue(8), features.Value{}), start)
	wantColumns(t, "null", read(p, &st, start+1), map[string]float64{"seats": 8, "kind": math.NaN()})
	p.Apply(&st, shops(4, start-5, 0, features.IntValue(1), features.StringValue("old")), start)
	wantColumns(t, "late", read(p, &st, start+1), map[string]float64{"seats": 8})
	for i := range int64(200) { // also through the base
		p.Apply(&st, shops(uint64(5+i), start+i*100*second, 0, features.IntValue(i), features.Value{}), start+i*100*second)
	}
	wantColumns(t, "many", read(p, &st, start+19900*second), map[string]float64{"seats": 199, "kind": math.NaN(), "sold": 1})
	p.Apply(&st, shops(999, start+19901*second, features.Tombstone, features.Value{}, features.Value{}), start)
	wantColumns(t, "tombstone", read(p, &st, start+1e12), map[string]float64{"seats": math.NaN(), "sold": 1})
	if err := p.CheckState(&st); err != nil {
		t.Error(err)
	}
}

func TestKeepMakesAbsent(t *testing.T) {
	p, err := Compile(Entity{Name: "shop", Key: []string{"shop"}, Keep: time.Hour, Features: []Feature{{Name: "n", Agg: "count"}}}, testSources(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var st State
	if !p.Expired(&st, start) || !p.Expired(nil, start) {
		t.Error("an entity without events is present")
	}
	p.Apply(&st, sold(1, start, 1, 1, "n"), start)
	if p.Expired(&st, start+3600*second) || !p.Expired(&st, start+3600*second+1) || p.Expired(&st, features.NoTime) {
		t.Error("keep is not one hour")
	}
	p.Apply(&st, sold(2, start+7200*second, 1, 1, "n"), start+7200*second)
	if n := read(p, &st, start+7200*second)["n"]; n != 1 {
		t.Errorf("an entity that came back counts %v", n)
	}
}

func TestKeys(t *testing.T) {
	p, err := Compile(Entity{Name: "pair", Key: []string{"shop", "id"}, Features: []Feature{{Name: "n", Agg: "count"}, {Name: "e", Agg: "count", Source: 1}}}, testSources(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !p.Takes(0) || !p.Takes(1) || p.Takes(2) || p.Takes(-1) || p.Takes(9) {
		t.Error("takes the wrong sources")
	}
	a, ok1 := p.AppendKey([]byte("x"), sold(12, start, 1, 1, "n"))
	b, ok2 := p.AppendKey([]byte("x"), ended(1, start, 12))
	c, ok3 := p.AppendKeyFrom([]byte("x"), func(name string) (features.Value, bool) {
		return map[string]features.Value{"shop": features.StringValue("a"), "id": features.IntValue(12)}[name], true
	})
	if !ok1 || !ok2 || !ok3 || string(a) != "x\x01a\x0212" || string(a) != string(b) || string(a) != string(c) {
		t.Errorf("keys %q %q %q", a, b, c)
	}
	null := ended(1, start, 12)
	null.Fields[1] = features.Value{}
	if k, ok := p.AppendKey([]byte("x"), null); ok || string(k) != "x" {
		t.Errorf("a null key gives %q", k)
	}
	if k, ok := p.AppendKeyFrom(nil, func(string) (features.Value, bool) { return features.Value{}, false }); ok || k != nil {
		t.Errorf("a missing key gives %q", k)
	}
}

func TestCompileSaysAllThatIsWrong(t *testing.T) {
	hour := []time.Duration{time.Hour}
	_, err := Compile(Entity{Name: "shop", Key: []string{"shop"}, Features: []Feature{
		{Name: "a", Agg: "meen", Value: "x"}, {Name: "b", Agg: "mean"}, {Name: "c", Agg: "mean", Value: "z"}, {Name: "d", Agg: "mean", Value: "name"},
		{Name: "e", Agg: "rate"}, {Name: "f", Agg: "count", Where: "x"}, {Name: "g", Agg: "last_k", Value: "x"}, {Name: "h", Agg: "sum", Value: "x", K: 3},
		{Name: "i", Agg: "open"}, {Name: "j", Agg: "open", Until: []int{1}, By: "name", Due: "x"}, {Name: "k", Agg: "count", At: "name"}, {Name: "l", Agg: "count", Source: 9},
		{Name: "m", Agg: "count", Exact: true}, {Name: "n", Agg: "count", Over: []time.Duration{time.Hour, time.Minute}}, {Name: "o", Agg: "count"}, {Name: "o", Agg: "count"},
		{Name: "p", Agg: "count", Over: []time.Duration{1}}, {Name: "q", Agg: "open", Over: hour, Until: []int{0}, By: "id"},
	}}, testSources(), Options{})
	if err == nil {
		t.Fatal("compiled")
	}
	for _, want := range []string{
		"feature shop.a: unknown aggregation meen; did you mean mean?", "shop.b: mean takes a value", "shop.c: value \"z\" over source sold: column 1: unknown field z",
		"shop.d: value \"name\": is a string", "shop.e: rate needs a window", "shop.f: where \"x\": is a double, not a condition", "shop.g: k is 0", "shop.h: sum takes no k",
		"shop.i: open needs by", "shop.i: open needs until", "shop.j: due x is a double", "shop.j: by name is no field of source ended", "shop.k: at name is a string",
		"shop.l: names source 9", "shop.m: exact and lag are for windows", "shop.n: has 2 windows and no suffixes", "shop.o: is declared twice",
		"shop.p: window 1ns", "shop.q: open takes no window", "shop.q: source sold both begins and ends",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
	if _, err := Compile(Entity{Name: "shop", Key: []string{"shp"}, Features: []Feature{{Name: "n", Agg: "count"}}}, testSources(), Options{}); err == nil || !strings.Contains(err.Error(), "did you mean shop?") {
		t.Errorf("an unknown key field: %v", err)
	}
}

func TestColumnNamesAndWindows(t *testing.T) {
	p := mustCompile(t, []Feature{{Name: "m", Agg: "mean", Value: "x", Over: []time.Duration{time.Hour, 24 * time.Hour}, Suffix: true},
		{Name: "k", Agg: "last_k", Value: "name", K: 2, Over: []time.Duration{7 * 24 * time.Hour}, Suffix: true, Lag: time.Hour}, {Name: "one", Agg: "count", Over: []time.Duration{time.Minute}}, {Name: "all", Agg: "count"}})
	var names []string
	for _, c := range p.Columns() {
		names = append(names, c.Name)
	}
	if want := []string{"shop.m_1h", "shop.m_24h", "shop.k_7d_1", "shop.k_7d_2", "shop.one", "shop.all"}; !slices.Equal(names, want) {
		t.Errorf("columns %v, want %v", names, want)
	}
	if w, hop, lag := p.Window(2); w != 168*time.Hour || hop != 6*time.Hour || lag != time.Hour {
		t.Errorf("window %v hop %v lag %v", w, hop, lag)
	}
}

func TestFingerprintSeesEverything(t *testing.T) {
	base := func() (Entity, []features.Source, Options) {
		return Entity{Name: "shop", Key: []string{"shop"}, Features: []Feature{{Name: "m", Agg: "mean", Value: "x", Over: []time.Duration{time.Hour}}}}, testSources(), Options{MaxSkew: time.Minute}
	}
	seen := map[uint64]int{}
	for i, change := range []func(*Entity, []features.Source, *Options){
		func(*Entity, []features.Source, *Options) {},
		func(e *Entity, _ []features.Source, _ *Options) { e.Name = "s" },
		func(e *Entity, _ []features.Source, _ *Options) { e.Keep = time.Hour },
		func(e *Entity, _ []features.Source, _ *Options) { e.Features[0].Name = "n" },
		func(e *Entity, _ []features.Source, _ *Options) { e.Features[0].Agg = "sum" },
		func(e *Entity, _ []features.Source, _ *Options) { e.Features[0].Value = "x + 1" },
		func(e *Entity, _ []features.Source, _ *Options) { e.Features[0].Where = "x > 1" },
		func(e *Entity, _ []features.Source, _ *Options) { e.Features[0].Over[0] = time.Minute },
		func(e *Entity, _ []features.Source, _ *Options) { e.Features[0].Lag = time.Minute },
		func(_ *Entity, s []features.Source, _ *Options) { s[0].Name = "z" },
		func(_ *Entity, s []features.Source, _ *Options) { s[0].Fields[1].Kind = features.Int },
		func(_ *Entity, _ []features.Source, o *Options) { o.MaxSkew = time.Second },
	} {
		e, s, o := base()
		change(&e, s, &o)
		p, err := Compile(e, s, o)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[p.Fingerprint()]; ok {
			t.Errorf("change %d has the fingerprint of change %d", i, other)
		}
		seen[p.Fingerprint()] = i
	}
}

// TestLateRowsAreCounted: an event behind everything that is kept changes no window and is counted; with
// a lifetime feature it still counts there.
func TestLateRowsAreCounted(t *testing.T) {
	window := Feature{Name: "n", Agg: "count", Over: []time.Duration{time.Hour}}
	p := mustCompile(t, []Feature{window})
	both := mustCompile(t, []Feature{window, {Name: "all", Agg: "count"}})
	for _, p := range []*Program{p, both} {
		var st State
		p.Apply(&st, sold(1, start, 1, 1, "n"), start)
		p.Apply(&st, sold(2, start-7200*second, 1, 1, "n"), start)
		wantColumns(t, "late", read(p, &st, start), map[string]float64{"n": 1})
		if p == both {
			wantColumns(t, "late", read(p, &st, start), map[string]float64{"all": 2})
		} else if p.Stats().Late != 1 {
			t.Errorf("%d late rows counted, want 1", p.Stats().Late)
		}
	}
}

// TestExactUntilItsCap: an exact window stays exact with thousands of rows; behind its cap it is tiled and counted.
func TestExactUntilItsCap(t *testing.T) {
	p := mustCompile(t, []Feature{{Name: "n", Agg: "count", Over: []time.Duration{time.Hour}, Exact: true}})
	var st State
	for i := range int64(exactMost) {
		p.Apply(&st, sold(uint64(i), start+i*second, 1, 1, "n"), start+i*second)
	}
	at := start + (exactMost-1)*second + 500_000
	wantColumns(t, "exact", read(p, &st, at), map[string]float64{"n": 3600})
	if p.Stats().CapHits != 0 {
		t.Error("the cap was hit early")
	}
	for i := range int64(3000) {
		p.Apply(&st, sold(uint64(i), at+i*second/4, 1, 1, "n"), at+i*second/4)
	}
	if p.Stats().CapHits == 0 {
		t.Error("the cap was not hit")
	}
}

// TestResultsThatAreNotFinite are missing and counted.
func TestResultsThatAreNotFinite(t *testing.T) {
	p := mustCompile(t, []Feature{{Name: "r", Agg: "ratio", Value: "x", Per: "y - y"}, {Name: "s", Agg: "since", Where: "x / (y - y) > 0"}, {Name: "sum", Agg: "sum", Value: "x * 1e308"}})
	var st State
	p.Apply(&st, sold(1, start, 1, 1, "n"), start)
	p.Apply(&st, sold(2, start, 1, 1, "n"), start)
	wantColumns(t, "over zero", read(p, &st, start), map[string]float64{"r": math.NaN(), "s": math.NaN(), "sum": math.NaN()})
	if n := p.Stats().NotFinite; n != 2 {
		t.Errorf("%d results counted, want 2", n)
	}
}

// TestItemsThatDoNotConcernIt change nothing.
func TestItemsThatDoNotConcernIt(t *testing.T) {
	p := mustCompile(t, []Feature{{Name: "n", Agg: "count"}})
	var st State
	p.Apply(&st, ended(1, start, 1), start)
	p.Apply(&st, &features.Item{Kind: features.TickItem, Time: start}, start)
	if len(st.Head) > 0 || st.HeadDirty {
		t.Error("the state changed")
	}
}

// TestPastReadsNeverSeeTheFuture: a dense entity read at any earlier time may miss events, and never
// counts one after that time.
func TestPastReadsNeverSeeTheFuture(t *testing.T) {
	over := []time.Duration{time.Minute, time.Hour, 6 * time.Hour}
	p := mustCompile(t, []Feature{{Name: "max", Agg: "max", Value: "x", Over: over, Suffix: true}, {Name: "n", Agg: "count", Over: over, Suffix: true},
		{Name: "life", Agg: "max", Value: "x"}, {Name: "before", Agg: "max", Value: "x", Over: over[:1], Lag: time.Hour}})
	var st State
	for i := range int64(5000) { // x is the second of the event
		p.Apply(&st, sold(uint64(i), start+i*10*second, float64(i*10), 1, "n"), start+i*10*second)
	}
	for i := range int64(6000) {
		t0 := i * 9
		got := read(p, &st, start+t0*second)
		for name, most := range map[string]int64{"max_1m": t0, "max_1h": t0, "max_6h": t0, "life": t0, "before": t0 - 3600, "n_1m": 6 + 1, "n_1h": 360 + 6, "n_6h": 2160 + 90} {
			if got[name] > float64(most) {
				t.Fatalf("at second %d %s is %v, above %d", t0, name, got[name], most)
			}
		}
	}
}

// TestExtremeTimes: times at the ends of what an int64 holds, and of what people write, neither hang nor
// damage a state.
func TestExtremeTimes(t *testing.T) {
	p := mustCompile(t, append(everyAgg(false), Feature{Name: "o", Agg: "open", Until: []int{1}, By: "id"}, Feature{Name: "due", Agg: "count", At: "due"}))
	times := []int64{math.MinInt64, math.MinInt64 + 1, -farthest, -1, 0, 1, 253402300799 * second, farthest, math.MaxInt64}
	for i := range times {
		var st State
		for k := range int64(300) {
			at := times[(i+int(k/40))%len(times)]
			p.Apply(&st, sold(uint64(k), at, float64(k), 1, "n"), max(at, at-second))
			if k%20 == 0 {
				p.Apply(&st, ended(uint64(k), at, k), at)
			}
		}
		if err := p.CheckState(&st); err != nil {
			t.Fatal(err)
		}
		for _, at := range times {
			p.Read(nil, &st, at)
		}
	}
}

// TestConcurrentReads: one program and one state for many goroutines.
func TestConcurrentReads(t *testing.T) {
	p := mustCompile(t, everyAgg(false))
	var st State
	it := sold(1, start, 1, 1, "n")
	at := feed(p, &st, it, start, 500, 20*second)
	want, _ := p.Read(nil, &st, at)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if got, _ := p.Read(nil, &st, at); !slices.EqualFunc(got, want, func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }) {
					t.Error("concurrent reads differ")
				}
			}
		})
	}
	wg.Wait()
}

// TestGoldenState pins the bytes of a small state: the storage format.
func TestGoldenState(t *testing.T) {
	p := mustCompile(t, []Feature{{Name: "s", Agg: "sum", Value: "x", Over: []time.Duration{time.Hour}}, {Name: "l", Agg: "last", Value: "x"},
		{Name: "o", Agg: "open", Until: []int{1}, By: "id"}})
	var st State
	p.Apply(&st, sold(7, 2_000_000, 1.5, 1, "n"), 0)
	late := sold(8, -7_200_000_000, -2, 1, "n")
	p.Apply(&st, late, 0)
	if got := hex.EncodeToString(st.Head); got != goldenHead {
		t.Errorf("head %s, want %s", got, goldenHead)
	}
	if got := hex.EncodeToString(st.Tiles); got != goldenTiles {
		t.Errorf("tiles %s, want %s", got, goldenTiles)
	}
}

const (
	goldenHead  = "0180841e00000000001800000080841e00000000000700000000000000000000000000f83f280000000200000000b8d852feffffffaabacd7921ed105880841e000000000087658272b7dded7a00000000"
	goldenTiles = "0145000000450000000000000000000080ff00b8d852feffffff010000000000000000000000000000c0000000000000000000b8d852feffffff080000000000000000000000000000c0"
)

// FuzzCheckState: a damaged state is refused, or can be read and folded without a panic.
func FuzzCheckState(f *testing.F) {
	p, err := Compile(Entity{Name: "shop", Key: []string{"shop"}, Features: append(everyAgg(false), Feature{Name: "o", Agg: "open", Until: []int{1}, By: "id"},
		Feature{Name: "k", Agg: "newest3", Value: "x", Keyed: minutely})}, testSources(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	var st State
	it := sold(1, start, 1, 1, "n")
	f.Add([]byte{}, []byte{}, 0, byte(0))
	feed(p, &st, it, start, 3, second)
	f.Add(slices.Clone(st.Head), slices.Clone(st.Tiles), 30, byte(1))
	feed(p, &st, it, start+3*second, 200, 60*second)
	f.Add(slices.Clone(st.Head), slices.Clone(st.Tiles), 0, byte(0))
	f.Fuzz(func(t *testing.T, head, tiles []byte, at int, flip byte) {
		st := State{Head: slices.Clone(head), Tiles: slices.Clone(tiles)}
		if at >= 0 && at < len(st.Head) {
			st.Head[at] ^= flip
		} else if at -= len(st.Head); at >= 0 && at < len(st.Tiles) {
			st.Tiles[at] ^= flip
		}
		if p.CheckState(&st) != nil {
			return
		}
		p.Read(nil, &st, start+1000*second)
		feed(p, &st, it, start, 100, 100*second)
		p.Apply(&st, ended(1<<40, start+20000*second, 3), start)
		p.Read(nil, &st, start+1000*second)
		if err := p.CheckState(&st); err != nil {
			t.Error(err)
		}
	})
}
