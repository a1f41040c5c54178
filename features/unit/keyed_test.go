package unit

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/agg/aggtest"
	"github.com/freshet-ml/freshet/features/window"
)

// newest3 is a small keyed model: its state is a version byte, the newest time and the newest three values as they came, its answer their mean
// and the step of the asked time. A value of an earlier step is late.
type newest3 struct{ step int64 }

func (m newest3) Shape() features.KeyedShape {
	return features.KeyedShape{Columns: []string{"_1", "_2"}, Inputs: 1, MaxBytes: 9 + 3*8, Version: 4}
}

func (m newest3) slot(t int64) int64 { return window.Floor(t, max(m.step, 1)) }

func (m newest3) Update(state []byte, t int64, x []float64) ([]byte, bool) {
	if len(state) == 0 {
		state = binary.LittleEndian.AppendUint64(append(state, 1), uint64(t))
	}
	newest := i64(state, 1)
	if m.slot(t) < m.slot(newest) {
		return state, true
	}
	binary.LittleEndian.PutUint64(state[1:], uint64(max(t, newest)))
	if len(state) == 9+3*8 {
		state = slices.Delete(state, 9, 17)
	}
	return binary.LittleEndian.AppendUint64(state, math.Float64bits(x[len(x)-1])), false
}

func (m newest3) Read(dst []float64, state []byte, t int64) []float64 {
	sum, n := 0.0, 0.0
	for at := 9; at < len(state); at += 8 {
		sum, n = sum+math.Float64frombits(binary.LittleEndian.Uint64(state[at:])), n+1
	}
	return append(dst, sum/n, float64(t/max(m.step, 1)))
}

func (newest3) Check(state []byte) error {
	if len(state) > 0 && (state[0] != 1 || len(state) < 9 || len(state)%8 != 1) {
		return errors.New("no three values")
	}
	return nil
}

func compileKeyed(t testing.TB, fs ...Feature) *Program {
	t.Helper()
	p, err := Compile(Entity{Name: "shop", Key: []string{"shop"}, Features: fs}, testSources(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var (
	minutely = Keyed{Model: newest3{60 * second}, Text: "newest3 by minute"}
	byValue  = Keyed{Model: newest3{}, Text: "newest3"}
)

// between is an entity with rows, a set and two keyed models, declared in between.
func between(t testing.TB) *Program {
	return compileKeyed(t, Feature{Name: "a", Agg: "newest3", Value: "x", Where: "y > 1", Keyed: minutely},
		Feature{Name: "sum", Agg: "sum", Value: "x", Over: []time.Duration{time.Hour}},
		Feature{Name: "b", Agg: "newest3", Value: "x * 2", Keyed: byValue},
		Feature{Name: "open", Agg: "open", Until: []int{1}, By: "id"})
}

func TestColumnsOfKeyedModels(t *testing.T) {
	var names []string
	for _, c := range between(t).Columns() {
		names = append(names, c.Name)
	}
	if want := "shop.a_1 shop.a_2 shop.sum shop.b_1 shop.b_2 shop.open"; strings.Join(names, " ") != want {
		t.Errorf("%v, want %s", names, want)
	}
}

// TestKeyedModelsEqualPlainRecursion folds the events of two entities, with missing values, conditions and late events, and compares each
// model with the plain newest three of its own entity, and each state with one that is saved and loaded at every step.
func TestKeyedModelsEqualPlainRecursion(t *testing.T) {
	p := between(t)
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
		var st, other [2]State
		var a, b [2][]float64 // values taken
		late, head := uint64(0), start
		newestA, newestB := [2]int64{math.MinInt64, math.MinInt64}, [2]int64{math.MinInt64, math.MinInt64}
		before := p.Stats().Late
		for i := range rapid.IntRange(0, 300).Draw(t, "events") {
			e := rng.IntN(2)
			head += rng.Int64N(20 * second)
			at, x, y := head-rng.Int64N(2)*rng.Int64N(200*second), float64(rng.IntN(9)), float64(1+rng.IntN(2))
			if rng.IntN(5) == 0 {
				x = math.NaN()
			}
			if !math.IsNaN(x) && y > 1 {
				if at/(60*second) < newestA[e]/(60*second) {
					late++
				} else {
					a[e], newestA[e] = append(a[e], x), max(newestA[e], at)
				}
			}
			if !math.IsNaN(x) {
				if at < newestB[e] {
					late++
				} else {
					b[e], newestB[e] = append(b[e], 2*x), at
				}
			}
			it := sold(uint64(i), at, x, y, "n")
			p.Apply(&st[e], it, head-second)
			other[e] = State{Head: bytes.Clone(other[e].Head), Tiles: bytes.Clone(other[e].Tiles)}
			p.Apply(&other[e], it, head-second)
			if !bytes.Equal(st[e].Head, other[e].Head) {
				t.Fatal("the state depends on when it was saved and loaded")
			}
			for e := range st {
				if err := p.CheckState(&st[e]); err != nil {
					t.Fatal(err)
				}
				got := read(p, &st[e], head)
				for name, want := range map[string]float64{"a_1": meanOf3(a[e]), "b_1": meanOf3(b[e]), "a_2": float64(head / (60 * second)), "b_2": float64(head)} {
					if !aggtest.Close(got[name], want, 1e-12) {
						t.Fatalf("entity %d after %d events: %s is %v, want %v", e, i+1, name, got[name], want)
					}
				}
			}
		}
		if n := p.Stats().Late - before; n != 2*late { // each was applied to both states
			t.Fatalf("%d counted as late, want %d", n, 2*late)
		}
	})
}

func meanOf3(x []float64) float64 {
	sum, n := 0.0, 0.0
	for _, v := range x[max(len(x)-3, 0):] {
		sum, n = sum+v, n+1
	}
	return sum / n
}

// TestKeyedModelsDoNotDisturb: the other features of an entity are what they are without keyed models, and a tombstone or the end of
// keep forgets the models too.
func TestKeyedModelsDoNotDisturb(t *testing.T) {
	p := between(t)
	plain := mustCompile(t, []Feature{{Name: "sum", Agg: "sum", Value: "x", Over: []time.Duration{time.Hour}}, {Name: "open", Agg: "open", Until: []int{1}, By: "id"}})
	var st, alone State
	for i := range int64(500) {
		it := sold(uint64(i), start+i*40*second, float64(i), 2, "n")
		p.Apply(&st, it, it.Time)
		plain.Apply(&alone, it, it.Time)
		if i%3 == 0 {
			it := ended(uint64(i), start+i*40*second, i)
			p.Apply(&st, it, it.Time)
			plain.Apply(&alone, it, it.Time)
		}
		got := read(p, &st, it.Time)
		wantColumns(t, "beside keyed models", got, read(plain, &alone, it.Time))
	}
	if !bytes.Equal(st.Tiles, alone.Tiles) {
		t.Error("tiles differ")
	}
	tomb := sold(501, start+501*40*second, 1, 2, "n")
	tomb.Flags = features.Tombstone
	p.Apply(&st, tomb, tomb.Time)
	wantColumns(t, "after a tombstone", read(p, &st, tomb.Time), map[string]float64{"a_1": math.NaN(), "b_1": math.NaN()})
	if err := p.CheckState(&st); err != nil {
		t.Error(err)
	}
}

// TestDamagedKeyedState: a model's state of another version, a wrong length, or a time of the future is refused, whatever the rest.
func TestDamagedKeyedState(t *testing.T) {
	p := compileKeyed(t, Feature{Name: "a", Agg: "newest3", Value: "x", Keyed: minutely})
	var st State
	p.Apply(&st, sold(1, start, 5, 1, "n"), start)
	p.Apply(&st, sold(2, start+1, 6, 1, "n"), start)
	at, end := section(st.Head, headLen, 0)
	for name, damage := range map[string]func(b []byte) []byte{
		"version":   func(b []byte) []byte { b[0] = 9; return b },
		"cut":       func(b []byte) []byte { return b[:len(b)-1] },
		"no time":   func(b []byte) []byte { return b[:5] },
		"too long":  func(b []byte) []byte { return append(b, make([]byte, 16)...) },
		"future":    func(b []byte) []byte { binary.LittleEndian.PutUint64(b[len(b)-8:], uint64(start+2)); return b },
		"long past": func(b []byte) []byte { b[len(b)-1] = 0x80; return b },
	} {
		bad := State{Head: setSection(bytes.Clone(st.Head), headLen, 0, damage(bytes.Clone(st.Head[at:end])))}
		if err := p.CheckState(&bad); err == nil || !strings.Contains(err.Error(), "keyed model a of an entity of shop") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := p.CheckState(&State{Head: st.Head[:at-sectionLen]}); err == nil {
		t.Error("a head without the section was accepted")
	}
}

// TestGoldenKeyedState pins the bytes of a head with a keyed model: the storage format.
func TestGoldenKeyedState(t *testing.T) {
	p := compileKeyed(t, Feature{Name: "n", Agg: "count"}, Feature{Name: "a", Agg: "newest3", Value: "x", Keyed: byValue})
	var st State
	p.Apply(&st, sold(7, 2_000_000, 1.5, 1, "n"), 0)
	const want = "0180841e00000000001000000080841e0000000000070000000000000019000000" + // one row of the stream
		"0180841e0000000000000000000000f83f" + "80841e0000000000" // the model's state, its newest time
	if got := hex.EncodeToString(st.Head); got != want {
		t.Errorf("head %s, want %s", got, want)
	}
}

func TestKeyedDeclarations(t *testing.T) {
	sources := testSources()
	one := byValue
	one.Inputs = []string{"y"}
	for want, f := range map[string]Feature{
		"has no name":                 {Agg: "newest3", Value: "x", Keyed: byValue},
		"takes a value":               {Name: "f", Agg: "newest3", Keyed: byValue},
		"takes no window":             {Name: "f", Agg: "newest3", Value: "x", Over: []time.Duration{time.Hour}, Keyed: byValue},
		"takes no at":                 {Name: "f", Agg: "newest3", Value: "x", At: "due", Keyed: byValue},
		"takes no k":                  {Name: "f", Agg: "newest3", Value: "x", K: 2, Keyed: byValue},
		"is a string":                 {Name: "f", Agg: "newest3", Value: "name", Keyed: byValue},
		"not a condition":             {Name: "f", Agg: "newest3", Value: "x", Where: "y + 1", Keyed: byValue},
		"takes 0 regressors, of":      {Name: "f", Agg: "newest3", Value: "x", Keyed: one},
		"sum takes no keyed model":    {Name: "f", Agg: "sum", Value: "x", Keyed: minutely},
		"unknown aggregation newest4": {Name: "f", Agg: "newest4", Value: "x"},
		"names source 9":              {Name: "f", Agg: "newest3", Value: "x", Source: 9, Keyed: byValue},
		`value "x" over source ended`: {Name: "f", Agg: "newest3", Value: "x", Source: 1, Keyed: byValue},
	} {
		_, err := Compile(Entity{Name: "shop", Key: []string{"shop"}, Features: []Feature{f}}, sources, Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// regressed is newest3 over the second of two inputs.
type regressed struct{ newest3 }

func (r regressed) Shape() features.KeyedShape {
	s := r.newest3.Shape()
	s.Inputs = 2
	return s
}

// TestInputsOfKeyedModels: what comes with a value reaches the model, and the state of a feature can be found by its name.
func TestInputsOfKeyedModels(t *testing.T) {
	p := compileKeyed(t, Feature{Name: "n", Agg: "count"}, Feature{Name: "a", Agg: "newest3", Value: "x", Keyed: Keyed{Model: regressed{}, Inputs: []string{"y * 10"}}})
	var st State
	for i := range int64(3) {
		p.Apply(&st, sold(uint64(i), start+i, 1, float64(i), "n"), start)
	}
	if got := read(p, &st, start)["a_1"]; got != 10 {
		t.Errorf("mean of the regressor %v, want 10", got)
	}
	model, state, ok := p.KeyedState(&st, "a")
	if !ok || model.Read(nil, state, start)[0] != 10 || model.Check(state) != nil {
		t.Error("the state of a keyed feature is not what it reads from")
	}
	if _, state, ok := p.KeyedState(nil, "a"); !ok || state != nil {
		t.Error("an entity without events has a keyed state")
	}
	if _, _, ok := p.KeyedState(&st, "n"); ok {
		t.Error("a count has a keyed state")
	}
}

// TestFingerprintSeesKeyedModels: parameters and the fold version are part of it.
func TestFingerprintSeesKeyedModels(t *testing.T) {
	seen := map[uint64]string{}
	for _, k := range []Keyed{byValue, minutely, {Model: raised{newest3{}}, Text: byValue.Text}, {Model: regressed{}, Text: byValue.Text, Inputs: []string{"y"}},
		{Model: regressed{}, Text: byValue.Text, Inputs: []string{"x"}}} {
		p := compileKeyed(t, Feature{Name: "a", Agg: "newest3", Value: "x", Keyed: k})
		if other, ok := seen[p.Fingerprint()]; ok {
			t.Errorf("%+v has the fingerprint of %s", k, other)
		}
		seen[p.Fingerprint()] = fmt.Sprintf("%+v", k)
	}
}

// raised is a keyed model with a raised fold version.
type raised struct{ features.Keyed }

func (r raised) Shape() features.KeyedShape {
	s := r.Keyed.Shape()
	s.Version++
	return s
}

// TestExtremeTimesOfKeyedModels: events that no clock shows are left out, and nothing overflows.
func TestExtremeTimesOfKeyedModels(t *testing.T) {
	p := compileKeyed(t, Feature{Name: "a", Agg: "newest3", Value: "x", Keyed: minutely})
	var st State
	for i, at := range []int64{math.MinInt64, -farthest, 0, math.MaxInt64, farthest} {
		p.Apply(&st, sold(uint64(i), at, 1, 1, "n"), start)
		p.Read(nil, &st, at)
		if err := p.CheckState(&st); err != nil {
			t.Fatalf("after %d: %v", at, err)
		}
	}
	if n := p.Stats().Late; n != 2 {
		t.Errorf("%d left out, want 2", n)
	}
}

func TestKeyedModelsDoNotAllocate(t *testing.T) {
	p, it := between(t), sold(1, benchStart, 1, 2, "n")
	var st State
	at := feed(p, &st, it, benchStart, 20000, 10*second)
	if n := testing.AllocsPerRun(10, func() { at = feed(p, &st, it, at, 1000, 10*second) }); n > 0 {
		t.Errorf("1,000 applications allocate %v times", n)
	}
	dst := make([]float64, 0, 16)
	if n := testing.AllocsPerRun(1000, func() { dst, _ = p.Read(dst[:0], &st, at) }); n > 0 {
		t.Errorf("a read allocates %v times", n)
	}
}

func BenchmarkApplyKeyed(b *testing.B) {
	p, it := compileKeyed(b, Feature{Name: "a", Agg: "newest3", Value: "x", Keyed: minutely}), sold(1, benchStart, 1, 2, "n")
	var st State
	at := feed(p, &st, it, benchStart, 100, 10*second)
	b.ReportAllocs()
	b.ResetTimer()
	feed(p, &st, it, at, b.N, 10*second)
}
