package forecast

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/models"
)

const hour = int64(3600e6)

func record(regressors int) func(models.ForecastEnv) (models.Forecaster, error) {
	return func(models.ForecastEnv) (models.Forecaster, error) { return recorder{regressors}, nil }
}

func naiveOf(env models.ForecastEnv) (models.Forecaster, error) { return NewNaive(env), nil }

func newKeyed(t testing.TB, build func(models.ForecastEnv) (models.Forecaster, error), cfg KeyedConfig) *Keyed {
	t.Helper()
	k, err := NewKeyed(build, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestKeyedIsTheTrack: without lateness a keyed series is the track of its values, whenever it was saved, and however many others there are.
func TestKeyedIsTheTrack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := KeyedConfig{Step: rapid.SampledFrom([]int64{0, hour}).Draw(t, "step"), Horizon: 4, Seasons: []int{5}, Leads: []int{1, 3}, Levels: []float64{.1, .9}}
		k, err := NewKeyed(naiveOf, cfg)
		if err != nil {
			t.Fatal(err)
		}
		model, _ := naiveOf(models.ForecastEnv{Seasons: cfg.Seasons, Horizon: 4})
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		var states [3][]byte
		tracks := [3]*Track{NewTrack(model, cfg.Step), NewTrack(model, cfg.Step), NewTrack(model, cfg.Step)}
		at, newest := int64(-9*hour), [3]int64{math.MinInt64, math.MinInt64, math.MinInt64}
		for range rapid.IntRange(0, 100).Draw(t, "values") {
			i := rng.IntN(3)
			at += rng.Int64N(2 * hour)
			when, y := at-rng.Int64N(2)*rng.Int64N(4*hour), float64(rng.IntN(9))
			if rng.IntN(8) == 0 {
				y = math.NaN()
			}
			wantLate := false
			if !math.IsNaN(y) {
				if cfg.Step == 0 && when < newest[i] {
					wantLate = true
				} else {
					wantLate = tracks[i].Update(when, y, nil) == TakenLate
					newest[i] = max(newest[i], when)
				}
			}
			var late bool
			if states[i], late = k.Update(states[i], when, []float64{y}); late != wantLate {
				t.Fatalf("late %t, want %t", late, wantLate)
			}
			if err := k.Check(states[i]); err != nil || len(states[i]) > k.Shape().MaxBytes {
				t.Fatalf("%v, %d bytes of %d", err, len(states[i]), k.Shape().MaxBytes)
			}
			for j := range states {
				o := models.NewOutlook(3, cfg.Levels)
				tracks[j].Forecast(o, at+hour, nil)
				want := []float64{o.Mean[0], o.Quantiles[0], o.Quantiles[1], o.Mean[2], o.Quantiles[4], o.Quantiles[5]}
				if got := k.Read(nil, states[j], at+hour); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("columns %v, the track says %v", got, want)
				}
			}
		}
	})
}

// TestLatenessRestoresTheOrder: whatever the order of arrival within the window, state and answers at the end are those of the order in time.
func TestLatenessRestoresTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 4))
		late := 6 * hour
		k, err := NewKeyed(naiveOf, KeyedConfig{Step: rapid.SampledFrom([]int64{0, hour, 4 * hour}).Draw(t, "step"), Lateness: late, Horizon: 3, Seasons: []int{4}, Leads: []int{1, 2, 3}, Levels: []float64{.9}, Inputs: 1})
		if err != nil {
			t.Fatal(err)
		}
		type value struct{ t, arrives int64 }
		var inTime []value
		at := int64(0)
		for range rapid.IntRange(1, maxHeld).Draw(t, "values") {
			at += 1 + rng.Int64N(hour)
			inTime = append(inTime, value{at, at + rng.Int64N(late+1)})
		}
		arriving := slices.Clone(inTime)
		slices.SortStableFunc(arriving, func(a, b value) int { return int(a.arrives - b.arrives) })
		feed := func(values []value) (state []byte) {
			for _, v := range values {
				var isLate bool
				if state, isLate = k.Update(state, v.t, []float64{float64(v.t%97) + 1, float64(v.t % 7)}); isLate {
					t.Fatal("a value inside the window was left out")
				}
			}
			return state
		}
		a, b := feed(inTime), feed(arriving)
		if !bytes.Equal(a, b) {
			t.Fatal("the state depends on the order of arrival")
		}
		if x, y := k.Read(nil, a, at), k.Read(nil, b, at); fmt.Sprint(x) != fmt.Sprint(y) {
			t.Fatalf("%v in time, %v as they arrived", x, y)
		}
	})
}

// TestBeyondTheWindow: a value that is later than the window is left out once its step is taken in, and counted; a full buffer takes in the oldest.
func TestBeyondTheWindow(t *testing.T) {
	k := newKeyed(t, record(0), KeyedConfig{Step: hour, Lateness: 2 * hour, Horizon: 1, Leads: []int{1}})
	var state []byte
	var late bool
	for _, h := range []int64{10, 11, 12, 13} {
		state, _ = k.Update(state, h*hour, []float64{1})
	}
	if state, late = k.Update(state, 12*hour+1, []float64{1}); late {
		t.Error("a value inside the window is late")
	}
	if state, late = k.Update(state, 10*hour, []float64{1}); !late {
		t.Error("a value of a step that was taken in is not late")
	}
	o := models.NewOutlook(1, nil)
	p, err := k.Forecast(o, state, 15*hour, nil)
	if err != nil || p.Late != 1 || p.Newest != 13*hour || p.First != 16*hour {
		t.Errorf("%+v, %v", p, err)
	}
	full := newKeyed(t, record(0), KeyedConfig{Step: hour, Lateness: 1000 * hour, Horizon: 1, Leads: []int{1}})
	state = nil
	for h := range int64(maxHeld + 5) {
		state, _ = full.Update(state, h*hour, []float64{1})
	}
	if len(state) > full.Shape().MaxBytes {
		t.Errorf("%d bytes, at most %d", len(state), full.Shape().MaxBytes)
	}
	if state, late = full.Update(state, 3*hour, []float64{1}); !late {
		t.Error("the oldest of a full buffer still waits")
	}
	if _, late = full.Update(state, 6*hour, []float64{1}); late {
		t.Error("a value that may wait is late")
	}
}

// TestRegressorsOfKeyed: those of the calendar are of the step, before and behind the newest value; the others are the usual ones, or what Forecast is told.
func TestRegressorsOfKeyed(t *testing.T) {
	day := int64(dayMicros)
	cfg := KeyedConfig{Step: day, Horizon: 3, Leads: []int{1, 2, 3}, Inputs: 1, Calendar: Calendar{Holidays: []int64{12}}}
	k := newKeyed(t, record(2), cfg)
	var state []byte
	for d := range int64(10) { // days 0 to 9
		state, _ = k.Update(state, d*day+5, []float64{1, 100})
	}
	state, _ = k.Update(state, 9*day+6, []float64{1, 200}) // the price now
	if got := fmt.Sprint(k.Read(nil, state, 9*day)); got != fmt.Sprint([]float64{10 + 110, 11 + 110, 12 + 110 + 1}) {
		t.Errorf("with the usual regressor: %s", got)
	}
	if got := fmt.Sprint(k.Read(nil, state, 11*day)); got != fmt.Sprint([]float64{12 + 111, 13 + 110, 14 + 110}) {
		t.Errorf("from a later day: %s", got)
	}
	o := models.NewOutlook(2, nil)
	if _, err := k.Forecast(o, state, 9*day, [][]float64{{300}, {400}}); err != nil || fmt.Sprint(o.Mean) != "[310 411]" {
		t.Errorf("with told regressors: %v, %v", o.Mean, err)
	}
	for want, x := range map[string][][]float64{"for 0 of 2 steps": nil, "for 1 of 2": {{1}}, "step 2: 2 numbers": {{1}, {1, 2}}, "missing or infinite": {{1}, {math.NaN()}}} {
		if _, err := k.Forecast(o, state, 9*day, x); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if next, late := k.Update(state, 20*day, []float64{1}); late || !bytes.Equal(next, state) {
		t.Error("a value without its regressor changed the state")
	}
}

func TestColumnsOfKeyed(t *testing.T) {
	k := newKeyed(t, record(0), KeyedConfig{Horizon: 3, Leads: []int{1, 3}, Levels: []float64{.025, .5}, Level: true, Residual: true, Anomaly: true})
	if got := strings.Join(k.Shape().Columns, " "); got != "_1 _1_q2_5 _1_q50 _3 _3_q2_5 _3_q50 _level _residual _anomaly" {
		t.Error(got)
	}
	state, _ := k.Update(nil, 0, []float64{4})
	got := k.Read(nil, state, 0)
	if want := []float64{1, 1.025, 1.5, 3, 3.025, 3.5, 4, 4, math.Erf(4 / (2 * math.Sqrt2))}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := k.Read([]float64{7}, nil, 0); len(got) != 10 || got[0] != 7 || !math.IsNaN(got[1]) || !math.IsNaN(got[9]) {
		t.Errorf("of nothing: %v", got)
	}
	if strangeness(0, 0) != 0 || !math.IsNaN(strangeness(1, 0)) || math.Abs(strangeness(-1.959963985, 1)-.95) > 1e-9 {
		t.Error("strangeness")
	}
}

func TestKeyedConfigIsChecked(t *testing.T) {
	ok := KeyedConfig{Step: hour, Horizon: 3, Leads: []int{1}}
	for want, change := range map[string]func(*KeyedConfig){
		"step below 0":        func(c *KeyedConfig) { c.Step = -1 },
		"lateness below 0":    func(c *KeyedConfig) { c.Lateness = -1 },
		"horizon 0":           func(c *KeyedConfig) { c.Horizon = 0 },
		"horizon 5000":        func(c *KeyedConfig) { c.Horizon = 5000 },
		"calendar needs":      func(c *KeyedConfig) { c.Step, c.Calendar.Parts = 0, []string{"hour"} },
		`no "minute"`:         func(c *KeyedConfig) { c.Calendar.Parts = []string{"minute"} },
		"calendar twice":      func(c *KeyedConfig) { c.Calendar.Parts = []string{"hour", "hour"} },
		"regressors: at most": func(c *KeyedConfig) { c.Inputs = 300 },
		"seasons [7 7]":       func(c *KeyedConfig) { c.Seasons = []int{7, 7} },
		"seasons [1]":         func(c *KeyedConfig) { c.Seasons = []int{1} },
		"steps ahead [4]":     func(c *KeyedConfig) { c.Leads = []int{4} },
		"levels [0.5 0.5]":    func(c *KeyedConfig) { c.Levels = []float64{.5, .5} },
		"levels [1]":          func(c *KeyedConfig) { c.Levels = []float64{1} },
		"no column":           func(c *KeyedConfig) { c.Leads = nil },
		"no level":            func(c *KeyedConfig) { c.Level = true },
	} {
		c := ok
		change(&c)
		if _, err := NewKeyed(naiveOf, c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestDamagedKeyedStates: whatever bytes are accepted, a series goes on with them and stays within its bound.
func TestDamagedKeyedStates(t *testing.T) {
	k := newKeyed(t, naiveOf, KeyedConfig{Step: hour, Lateness: 3 * hour, Horizon: 2, Seasons: []int{4}, Leads: []int{1, 2}, Inputs: 1})
	var good []byte
	for i := range int64(30) {
		good, _ = k.Update(good, i*hour/2, []float64{float64(i % 5), 1})
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 2000 {
		bad := bytes.Clone(good)
		switch i % 3 {
		case 0:
			bad = bad[:rng.IntN(len(bad))]
			if len(bad) > 0 && k.Check(bad) == nil {
				t.Fatalf("a state cut to %d of %d bytes was accepted", len(bad), len(good))
			}
		case 1:
			bad[rng.IntN(len(bad))] ^= byte(1 + rng.IntN(255))
		default:
			bad = append(bad, 0)
			if k.Check(bad) == nil {
				t.Fatal("a longer state was accepted")
			}
		}
		next, _ := k.Update(bad, 20*hour, []float64{1, 1})
		if err := k.Check(next); err != nil || len(next) > k.Shape().MaxBytes {
			t.Fatalf("after damage: %v", err)
		}
		k.Read(nil, next, math.MaxInt64)
		k.Read(nil, bad, math.MinInt64)
	}
}

// TestGoldenKeyedState pins the bytes of a state: the storage format.
func TestGoldenKeyedState(t *testing.T) {
	k := newKeyed(t, record(1), KeyedConfig{Step: hour, Lateness: hour, Horizon: 1, Leads: []int{1}, Inputs: 1})
	var state []byte
	for _, h := range []int64{1, 2, 3} {
		state, _ = k.Update(state, h*hour, []float64{1, 2})
	}
	state, _ = k.Update(state, 0, []float64{1, 2}) // late
	const one, two = "000000000000f03f", "0000000000000040"
	const want = "01" + "0100000000000000" + "00ecba8302000000" + "004827ad01000000" + two + // version, late, newest time, newest taken in, usual regressor
		"01" + "00ecba8302000000" + one + two + // one value that waits
		"0200000000000000" + "01" + // step, started
		"02" + one + one + "0000000000000000" + "0000000000001040" // the recorder's series
	if got := fmt.Sprintf("%x", state); got != want {
		t.Errorf("state %s, want %s", got, want)
	}
}

func FuzzKeyedStates(f *testing.F) {
	k := newKeyed(f, naiveOf, KeyedConfig{Step: hour, Lateness: 3 * hour, Horizon: 2, Seasons: []int{4}, Leads: []int{1, 2}})
	var state []byte
	for i := range int64(12) {
		f.Add(bytes.Clone(state), i*hour, 1.5)
		state, _ = k.Update(state, i*hour, []float64{float64(i)})
	}
	f.Fuzz(func(t *testing.T, state []byte, at int64, y float64) {
		good := k.Check(state) == nil
		if got := k.Read(nil, state, at); len(got) != 2 {
			t.Fatalf("%d columns", len(got))
		}
		next, _ := k.Update(state, at, []float64{y})
		if good {
			if err := k.Check(next); err != nil {
				t.Fatal(err)
			}
		}
		k.Forecast(models.NewOutlook(1, nil), next, at, nil)
	})
}

// TestKeyedOfManyGoroutines: one value serves all.
func TestKeyedOfManyGoroutines(t *testing.T) {
	k := newKeyed(t, naiveOf, KeyedConfig{Step: hour, Lateness: hour, Horizon: 2, Seasons: []int{4}, Leads: []int{1, 2}})
	run := func(seed uint64) string {
		rng, at := rand.New(rand.NewPCG(seed, 0)), int64(0)
		var state []byte
		for range 500 {
			at += rng.Int64N(2 * hour)
			state, _ = k.Update(state, at, []float64{rng.Float64()})
		}
		return fmt.Sprintf("%x %v", state, k.Read(nil, state, at))
	}
	var wg sync.WaitGroup
	got := make([]string, 8)
	for i := range got {
		wg.Go(func() { got[i] = run(uint64(i)) })
	}
	wg.Wait()
	for i := range got {
		if got[i] != run(uint64(i)) {
			t.Errorf("series %d is another beside others", i)
		}
	}
}

func TestKeyedAllocatesNothing(t *testing.T) {
	for _, late := range []int64{0, 5 * hour} {
		k := newKeyed(t, naiveOf, KeyedConfig{Step: hour, Lateness: late, Horizon: 3, Seasons: []int{24}, Leads: []int{1, 2, 3}, Levels: []float64{.1, .9}, Calendar: Calendar{Parts: []string{"weekday"}}, Inputs: 1})
		var state []byte
		x, dst, i := []float64{1, 2}, make([]float64, 0, 9), int64(0)
		step := func() {
			i++
			x[0] = float64(i % 24)
			state, _ = k.Update(state, i*hour, x)
			dst = k.Read(dst[:0], state, i*hour)
		}
		for range 200 {
			step()
		}
		if n := testing.AllocsPerRun(200, step); n != 0 {
			t.Errorf("lateness %d: %g allocations for a value and a read", late, n)
		}
	}
}

func TestCalendar(t *testing.T) {
	c := Calendar{Parts: []string{"month", "hour", "weekday", "year"}, Holidays: []int64{-1, 3}}
	dst := make([]float64, c.Width())
	if len(dst) != 11+23+6+4+1 {
		t.Fatalf("width %d", len(dst))
	}
	for text, want := range map[int64][]int{ // µs since 1970 to columns that are 1
		0:                        {11 + 23 + 2}, // Thursday, January, hour 0
		-1:                       {10, 11 + 22, 11 + 23 + 1, 44},
		3*dayMicros + 5*3600*1e6: {11 + 4, 11 + 23 + 5, 44}, // Sunday the 4th, 5 o'clock
		4 * dayMicros:            {},                        // Monday
	} {
		c.Fill(dst, text)
		for i, v := range dst {
			year := i >= 40 && i < 44
			if is := slices.Contains(want, i); !year && (is && v != 1 || !is && v != 0) {
				t.Errorf("at %d: column %d is %g", text, i, v)
			}
		}
		if math.Abs(dst[40]*dst[40]+dst[41]*dst[41]-1) > 1e-12 {
			t.Errorf("at %d: the year is %v", text, dst[40:44])
		}
	}
	if d, err := ParseDay("1970-01-04"); err != nil || d != 3 {
		t.Errorf("%d, %v", d, err)
	}
	if _, err := ParseDay("4.1.1970"); err == nil {
		t.Error("no day was read")
	}
}

func ExampleKeyed() {
	k, err := NewKeyed(naiveOf, KeyedConfig{Step: 3600e6, Lateness: 3600e6, Seasons: []int{3}, Horizon: 3, Leads: []int{1, 2, 3}})
	if err != nil {
		fmt.Println(err)
		return
	}
	var state []byte
	for _, hour := range []int64{0, 1, 3, 2, 4} { // the third value comes late
		state, _ = k.Update(state, hour*3600e6, []float64{float64(10 * hour)})
	}
	fmt.Println(k.Read(nil, state, 4*3600e6))
	// Output: [20 30 40]
}

func BenchmarkKeyedUpdate(b *testing.B) {
	k := newKeyed(b, naiveOf, KeyedConfig{Step: hour, Seasons: []int{12}, Horizon: 1, Leads: []int{1}})
	var state []byte
	x := []float64{1}
	b.ReportAllocs()
	for i := range int64(b.N) {
		state, _ = k.Update(state, i*hour, x)
	}
}
