package forecast

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/freshet-ml/freshet/features"
)

const hour = int64(3600e6)

func holt(t testing.TB, cfg HoltWintersConfig) *HoltWinters {
	t.Helper()
	h, err := NewHoltWinters(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// reference is a series with the states and one-step forecasts that R computed: stats::HoltWinters and forecast::ets.
type reference struct {
	Name                    string
	Alpha, Beta, Gamma, Phi float64
	Level, Trend            float64
	Season                  []float64
	Y, Fitted, Forecast     []float64
}

func references(t *testing.T) []reference {
	t.Helper()
	b, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var out []reference
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAgainstR(t *testing.T) {
	for _, r := range references(t) {
		horizon := max(len(r.Forecast), 1)
		cfg := HoltWintersConfig{Grid: Grid{Season: len(r.Season), Horizon: horizon}, Alpha: r.Alpha, Beta: r.Beta, Gamma: r.Gamma, Phi: r.Phi}
		h := holt(t, cfg)
		state := h.start(nil, -1, r.Level, r.Trend, r.Season)
		worst := 0.0
		for i, y := range r.Y {
			f := h.Read(nil, state, 0)[0]
			worst = max(worst, math.Abs(f-r.Fitted[i])/(1+math.Abs(f)))
			state, _ = h.Update(state, 0, []float64{y})
		}
		for i, f := range h.Read(nil, state, 0)[:len(r.Forecast)] {
			worst = max(worst, math.Abs(f-r.Forecast[i])/(1+math.Abs(f)))
		}
		if !(worst < 1e-9) {
			t.Errorf("%s: greatest relative error %g", r.Name, worst)
		}
	}
}

func TestParametersAreChecked(t *testing.T) {
	good := DefaultHoltWinters(Grid{Horizon: 1})
	for _, change := range []func(*HoltWintersConfig){
		func(c *HoltWintersConfig) { c.Alpha = 1.1 }, func(c *HoltWintersConfig) { c.Beta = -1 },
		func(c *HoltWintersConfig) { c.Phi = math.NaN() }, func(c *HoltWintersConfig) { c.Horizon = 0 },
		func(c *HoltWintersConfig) { c.Season = -1 }, func(c *HoltWintersConfig) { c.Period = -1 }, func(c *HoltWintersConfig) { c.Season = 1 << 20 },
	} {
		bad := good
		change(&bad)
		if _, err := NewHoltWinters(bad); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}

// A straight line with an exact season is forecast exactly once two seasons were seen.
func TestExactSeriesIsForecastExactly(t *testing.T) {
	cfg := DefaultHoltWinters(Grid{Period: hour, Season: 4, Horizon: 8})
	cfg.Phi = 1
	h := holt(t, cfg)
	value := func(slot int) float64 { return 10 + 0.5*float64(slot) + []float64{3, -1, -4, 2}[slot%4] }
	var state []byte
	for i := 3; i < 30; i++ {
		state, _ = h.Update(state, int64(i)*hour+123, []float64{value(i)})
		if i < 3+7 {
			continue
		}
		for k, f := range h.Read(nil, state, int64(i)*hour+500) {
			if math.Abs(f-value(i+1+k)) > 1e-9 {
				t.Fatalf("after %d, %d ahead: %g, want %g", i, k+1, f, value(i+1+k))
			}
		}
		// Asked two steps later without new values, the answer is about two steps later.
		if f := h.Read(nil, state, int64(i+2)*hour)[0]; math.Abs(f-value(i+3)) > 1e-9 {
			t.Fatalf("after %d, read two steps later: %g, want %g", i, f, value(i+3))
		}
	}
}

// A gap equals steps whose value is missing.
func TestGapEqualsMissingSteps(t *testing.T) {
	for _, phi := range []float64{1, 0.9} {
		cfg := DefaultHoltWinters(Grid{Period: hour, Season: 3, Horizon: 5})
		cfg.Phi = phi
		h := holt(t, cfg)
		rng := rand.New(rand.NewPCG(1, 2))
		var a, b []byte
		for i := int64(0); i < 200; i++ {
			y := rng.NormFloat64() + float64(i%3)
			if i > 8 && rng.IntN(3) == 0 {
				b, _ = h.Update(b, i*hour, []float64{math.NaN()})
				continue
			}
			a, _ = h.Update(a, i*hour, []float64{y})
			b, _ = h.Update(b, i*hour, []float64{y})
			p, q := h.Read(nil, a, i*hour), h.Read(nil, b, i*hour)
			for k := range p {
				if math.Abs(p[k]-q[k]) > 1e-9 {
					t.Fatalf("φ %g, after %d: %v and %v", phi, i, p, q)
				}
			}
		}
	}
}

func TestWarmUp(t *testing.T) {
	h := holt(t, DefaultHoltWinters(Grid{Season: 4, Horizon: 4}))
	if f := h.Read(nil, nil, 0); len(f) != 4 || !math.IsNaN(f[0]) {
		t.Errorf("without a state: %v", f)
	}
	var state []byte
	state, _ = h.Update(state, 0, []float64{math.NaN()})
	state, _ = h.Update(state, 0, nil)
	if len(state) != 0 {
		t.Errorf("a state of nothing: %v", state)
	}
	for _, y := range []float64{1, 2, 3} {
		state, _ = h.Update(state, 0, []float64{y})
	}
	if f := h.Read(nil, state, 0); fmt.Sprint(f) != "[2 1 2 3]" {
		t.Errorf("after three of four: %v, want the mean, then one season before", f)
	}
	grid := DefaultHoltWinters(Grid{Period: hour, Season: 4, Horizon: 1})
	g := holt(t, grid)
	for _, start := range []int64{0, 5, 7, 9, 40} { // gaps of all lengths while warming up
		var s []byte
		s, _ = g.Update(s, 0, []float64{5})
		for i := start; i < start+20; i++ {
			s, _ = g.Update(s, (1+i)*hour, []float64{5})
		}
		if f := g.Read(nil, s, (start+20)*hour)[0]; math.Abs(f-5) > 1e-9 {
			t.Errorf("gap of %d: forecast %g of a constant 5", start, f)
		}
	}
}

func TestOddInputs(t *testing.T) {
	for name, k := range map[string]features.Keyed{"holt_winters": holt(t, DefaultHoltWinters(Grid{Period: hour, Season: 3, Horizon: 2}))} {
		var state []byte
		for i := range int64(20) {
			state, _ = k.Update(state, i*hour, []float64{float64(i % 3)})
		}
		before := string(state)
		state, _ = k.Update(state, 3*hour, []float64{1e9})           // older than the newest
		state, _ = k.Update(state, 19*hour, []float64{math.Inf(1)})  // not finite
		state, _ = k.Update(state, 19*hour+1, []float64{math.NaN()}) // missing
		if k.Read(nil, state, 0); string(state) != before {
			t.Errorf("%s: late, infinite or missing values changed the state", name)
		}
		if f := k.Read(nil, state, -5*hour); len(f) != 2 || math.IsNaN(f[0]) {
			t.Errorf("%s: asked for an older time: %v", name, f)
		}
		for _, junk := range [][]byte{{}, {1}, {1, 2, 3}, []byte("a state of another kind")} {
			if f := k.Read(nil, junk, 0); len(f) != 2 || !math.IsNaN(f[0]) || !math.IsNaN(f[1]) {
				t.Errorf("%s: of junk it says %v", name, f)
			}
			if s, _ := k.Update(append([]byte(nil), junk...), hour, []float64{4}); len(s) == 0 {
				t.Errorf("%s: junk was not replaced", name)
			}
		}
		state, _ = k.Update(state, 1<<60, []float64{2}) // a jump of 36,000 years
		for _, f := range k.Read(nil, state, math.MaxInt64) {
			if math.IsInf(f, 0) {
				t.Errorf("%s: %g after a jump", name, f)
			}
		}
	}
	h := holt(t, DefaultHoltWinters(Grid{Horizon: 1}))
	state, _ := h.Update(nil, 0, []float64{math.MaxFloat64})
	for range 5 {
		state, _ = h.Update(state, 0, []float64{-math.MaxFloat64})
	}
	for range 5 {
		state, _ = h.Update(state, 0, []float64{3})
	}
	if f := h.Read(nil, state, 0)[0]; !finite(f) {
		t.Errorf("after values at the end of the range: %g", f)
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	for _, k := range keyed(t) {
		var state []byte
		x, dst := []float64{0}, make([]float64, 0, 3)
		for i := range int64(100) {
			x[0] = float64(i % 7)
			state, _ = k.Update(state, i*hour, x)
		}
		i := int64(100)
		if n := testing.AllocsPerRun(100, func() { state, _ = k.Update(state, i*hour, x); dst = k.Read(dst[:0], state, i*hour); i++ }); n != 0 {
			t.Errorf("%T: %g allocations", k, n)
		}
	}
}

func keyed(t testing.TB) []features.Keyed {
	g := Grid{Period: hour, Season: 5, Horizon: 3}
	return []features.Keyed{holt(t, DefaultHoltWinters(g))}
}

func FuzzStates(f *testing.F) {
	for _, k := range keyed(f) {
		var state []byte
		for i := range int64(14) {
			f.Add(append([]byte(nil), state...), i*hour, float64(i))
			state, _ = k.Update(state, i*hour, []float64{float64(i)})
		}
	}
	f.Fuzz(func(t *testing.T, state []byte, at int64, y float64) {
		for _, k := range keyed(t) {
			s, good := append([]byte(nil), state...), k.Check(state) == nil
			for i := range int64(12) {
				if n := len(k.Read(nil, s, at)); n != 3 {
					t.Fatalf("%d numbers", n)
				}
				s, _ = k.Update(s, at/2+i*hour, []float64{y})
			}
			if len(s) > k.Shape().MaxBytes {
				t.Fatalf("state of %d bytes", len(s))
			}
			if err := k.Check(s); good && err != nil {
				t.Fatalf("of a good state follows a bad one: %v", err)
			}
		}
	})
}

func BenchmarkHoltWinters(b *testing.B) {
	h := holt(b, DefaultHoltWinters(Grid{Period: hour, Season: 12, Horizon: 1}))
	var state []byte
	x := []float64{1}
	for i := 0; b.Loop(); i++ {
		x[0] = float64(i & 7)
		state, _ = h.Update(state, int64(i)*hour, x)
	}
}

func ExampleHoltWinters() {
	h, err := NewHoltWinters(DefaultHoltWinters(Grid{Period: 3600e6, Season: 2, Horizon: 2}))
	if err != nil {
		panic(err)
	}
	var state []byte // of one entity
	for i, y := range []float64{10, 20, 10, 20, 10, 20} {
		state, _ = h.Update(state, int64(i)*3600e6, []float64{y})
	}
	fmt.Printf("%.1f\n", h.Read(nil, state, 5*3600e6))
	// Output:
	// [10.0 20.0]
}
