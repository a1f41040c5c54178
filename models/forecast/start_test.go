package forecast

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

func wintersOf(env models.ForecastEnv) (models.Forecaster, error) {
	plan, err := models.Registry{HoltWintersComponent}.Resolve(models.Named("holt_winters"), models.Forecast)
	if err != nil {
		return nil, err
	}
	return plan.Forecaster(env)
}

func groupedKeyed(t testing.TB, group bool, late int64) *Keyed {
	return newKeyed(t, wintersOf, KeyedConfig{Step: hour, Seasons: []int{4}, Horizon: 6, Leads: []int{1, 3}, Levels: []float64{.1, .5, .9}, Lateness: late, Group: group})
}

// grownGroup is a group that so many series of the season 10, 20, 30, 20 around their levels have told of.
func grownGroup(t testing.TB, k *Keyed, rng *rand.Rand, siblings int) []byte {
	var group []byte
	for i := range siblings {
		var state []byte
		for d := range int64(12) {
			y := float64(1+i%5) * ([]float64{10, 20, 30, 20}[d%4] + rng.NormFloat64())
			var known []byte
			if state, known, _ = k.UpdateIn(state, group, d*hour, []float64{y}); known != nil {
				group = known
			}
		}
	}
	if err := k.CheckGroup(group); err != nil || len(group) > k.Shape().GroupBytes {
		t.Fatalf("%v, %d bytes of %d", err, len(group), k.Shape().GroupBytes)
	}
	return group
}

// TestFirstOfAGroup: a series whose group knows nothing answers to the bit as one without a group; any other does once its start is over.
func TestFirstOfAGroup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		in, alone := groupedKeyed(asTB(t), true, 0), groupedKeyed(asTB(t), false, 0)
		group := grownGroup(asTB(t), in, rng, rapid.IntRange(0, 3).Draw(t, "siblings"))
		siblings := len(group) > 0
		var a, b []byte
		at, steps, told := int64(0), 0, 0
		for range rapid.IntRange(1, 40).Draw(t, "values") {
			y := 100 * rng.Float64()
			if rng.IntN(6) == 0 {
				y = math.NaN()
			} else if gap := rng.Int64N(3); gap > 0 || steps == 0 {
				at += gap * hour
				steps++
			}
			var known []byte
			a, known, _ = in.UpdateIn(a, group, at, []float64{y})
			b, _ = alone.Update(b, at, []float64{y})
			if known != nil {
				told++
			}
			x, y2 := in.Read(nil, a, at), alone.Read(nil, b, at)
			equal := fmt.Sprint(x) == fmt.Sprint(y2)
			if over := steps >= 15; (!siblings || over) && !equal {
				t.Fatalf("after %d steps %v, alone %v", steps, x, y2)
			}
			if siblings && steps == 1 && len(b) > 0 && equal {
				t.Fatal("the group is no part of the answer")
			}
			for i, v := range x {
				if len(a) > 0 && (!finite(v) || i%4 > 1 && v < x[i-1]) {
					t.Fatalf("answer %v", x)
				}
			}
		}
		if (steps >= 10) != (told == 1) || told > 1 {
			t.Fatalf("told %d times after %d steps", told, steps)
		}
	})
}

// asTB lets helpers that want a testing.TB run inside of a rapid check.
func asTB(t *rapid.T) testing.TB { return rapidTB{t: t} }

type rapidTB struct {
	testing.TB
	t *rapid.T
}

func (r rapidTB) Helper()                        {}
func (r rapidTB) Fatal(a ...any)                 { r.t.Fatal(a...) }
func (r rapidTB) Fatalf(format string, a ...any) { r.t.Fatalf(format, a...) }

// TestStartInAnyOrder: within the lateness, the order of arrival changes no byte of a series that starts from a group.
func TestStartInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		k := groupedKeyed(asTB(t), true, 5*hour)
		group := grownGroup(asTB(t), k, rng, 3)
		n := rapid.IntRange(2, 30).Draw(t, "values")
		order, arrives := make([]int, n), make([]int, n)
		for i := range order {
			order[i], arrives[i] = i, i+rng.IntN(6)
		}
		slices.SortStableFunc(order, func(a, b int) int { return arrives[a] - arrives[b] })
		feed := func(order []int) (state []byte, told [][]byte) {
			for _, i := range order {
				var known []byte
				if state, known, _ = k.UpdateIn(state, group, int64(i)*hour, []float64{float64(i * i % 7)}); known != nil {
					told = append(told, known)
				}
			}
			return state, told
		}
		inTime := make([]int, n)
		for i := range inTime {
			inTime[i] = i
		}
		a, toldA := feed(inTime)
		b, toldB := feed(order)
		if !bytes.Equal(a, b) || fmt.Sprint(toldA) != fmt.Sprint(toldB) {
			t.Fatalf("the order %v is another state", order)
		}
	})
}

// TestCredibility: the level, the season and the noise of a start are those of the formulas, by hand.
func TestCredibility(t *testing.T) {
	g := newMoments(2)
	for _, level := range []float64{10, 20, 30} { // two values a phase, level ∓ 1 at ×0.5 and level ∓ 1 at ×1.5: variance 2
		s := newStart(2)
		s.begin(&g)
		for i, y := range []float64{level*.5 - 1, level*1.5 - 1, level*.5 + 1, level*1.5 + 1} {
			s.take(i%2, y, math.NaN(), true)
		}
		g.learn(&s)
	}
	if g.mean != 20 || g.spread() != 100 || g.lawN != 3 {
		t.Fatalf("mean %v, variance between levels %v", g.mean, g.spread())
	}
	// The variance is 2 at every level: the slope that fits is 0, drawn toward 1 as by Σ(x − x̄)² of 1.
	xx, mean := 0.0, (math.Log(10)+math.Log(20)+math.Log(30))/3
	for _, level := range []float64{10, 20, 30} {
		xx += math.Pow(math.Log(level)-mean, 2)
	}
	b := 1 / (xx + 1)
	noise := func(level float64) float64 { return 2 * math.Exp(b*(math.Log(level)-mean)) }
	rough := (2./100 + 2./400 + 2./900) / 3
	shrunk := 1 - rough/6*2/(2*.25)
	kappa := noise(20) / 100
	s := newStart(2)
	s.begin(&g)
	s.take(0, 8, math.NaN(), true)
	r0, r1 := 1-.5*shrunk, 1+.5*shrunk
	level := (kappa*20 + 8) / (kappa + r0)
	got, variance := s.at(1)
	if want := level * r1; math.Abs(got-want) > 1e-12*want {
		t.Errorf("forecast %v, want %v", got, want)
	}
	if want := noise(level*r1) + r1*r1*noise(level)/(r0+kappa); math.Abs(variance-want) > 1e-12*want {
		t.Errorf("variance %v, want %v", variance, want)
	}
}

// TestNoiseLaw: noise that is a power of the level is found, by slopes from 0 to 2.
func TestNoiseLaw(t *testing.T) {
	for _, slope := range []float64{0, .5, 1, 1.7, 2} {
		g := newMoments(1)
		for i := range 400 {
			level := math.Exp(float64(i%20) / 3)
			d := math.Sqrt(2 * math.Pow(level, slope))
			s := newStart(1)
			for j := range 10 {
				s.take(0, level+d*float64(2*(j%2)-1)*math.Sqrt(9./20), math.NaN(), true)
			}
			g.learn(&s)
		}
		s := newStart(1)
		s.begin(&g)
		for _, level := range []float64{1, 10, 100} {
			if got, want := s.noise(level), math.Pow(level, slope); math.Abs(math.Log(got/want)) > .02 {
				t.Errorf("slope %v: the variance at %v is %v, want %v", slope, level, got, want)
			}
		}
	}
}

// TestOneSeriesCannotSpoilItsGroup: values that are missing or infinite never reach a group, and of those that are far too great one moves the starts of others within bounds.
func TestOneSeriesCannotSpoilItsGroup(t *testing.T) {
	k := groupedKeyed(t, true, 0)
	rng := rand.New(rand.NewPCG(1, 1))
	group := grownGroup(t, k, rng, 20)
	read := func(group []byte) []float64 {
		state, _, _ := k.UpdateIn(nil, group, 0, []float64{20})
		return k.Read(nil, state, 0)
	}
	before := read(group)
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		var state []byte
		for d := range int64(30) {
			var known []byte
			if state, known, _ = k.UpdateIn(state, group, d*hour, []float64{bad}); known != nil || len(state) > 0 {
				t.Fatalf("%v was taken", bad)
			}
		}
	}
	var state []byte
	for d := range int64(30) {
		y := 1e300
		if d%3 == 0 {
			y = -1e300
		}
		var known []byte
		if state, known, _ = k.UpdateIn(state, group, d*hour, []float64{y}); known != nil {
			group = known
		}
		for _, v := range k.Read(nil, state, d*hour) {
			if !finite(v) {
				t.Fatalf("answer %v", v)
			}
		}
	}
	after := read(group)
	if fmt.Sprint(before) == fmt.Sprint(after) {
		t.Error("the group has learned nothing")
	}
	if err := k.CheckGroup(group); err != nil {
		t.Fatal(err)
	}
	if math.Abs(after[0]-before[0]) > 20 {
		t.Errorf("the mean moved from %v to %v", before[0], after[0])
	}
}

// TestHealthOfAStart: the answer says from how many series it started, as long as that matters.
func TestHealthOfAStart(t *testing.T) {
	k := groupedKeyed(t, true, 0)
	group := grownGroup(t, k, rand.New(rand.NewPCG(1, 1)), 7)
	var state []byte
	for d := range int64(20) {
		state, _, _ = k.UpdateIn(state, group, d*hour, []float64{20})
		o := models.NewOutlook(2, nil)
		if _, err := k.Forecast(o, state, d*hour, nil); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int64{true: 7, false: 0}[d < 14]; o.Health.Siblings != want {
			t.Errorf("after %d values %d siblings, want %d", d+1, o.Health.Siblings, want)
		}
	}
}

// FuzzGroupStates: bytes of a group that are none are refused; none of them crash a start, and what a series tells is always good.
func FuzzGroupStates(f *testing.F) {
	k := groupedKeyed(f, true, hour)
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range 4 {
		group := grownGroup(f, k, rng, n)
		f.Add(group, 3.0)
		state, _, _ := k.UpdateIn(nil, group, 0, []float64{3})
		f.Add(state, 1e308)
	}
	f.Fuzz(func(t *testing.T, b []byte, y float64) {
		if k.CheckGroup(b) == nil && len(b) > 0 {
			s, c := k.newScratch(), codec.Saver(nil)
			if err := s.loadGroup(b); err != nil {
				t.Fatal(err)
			}
			if s.groupState(c); !bytes.Equal(c.Bytes(), b) {
				t.Fatal("a group is saved as other bytes than it was loaded from")
			}
		}
		for _, state := range [][]byte{nil, bytes.Clone(b)} {
			for d := range int64(25) {
				var known []byte
				if state, known, _ = k.UpdateIn(state, b, d*hour, []float64{y}); known != nil {
					if err := k.CheckGroup(known); err != nil {
						t.Fatal(err)
					}
				}
				k.Read(nil, state, d*hour)
			}
		}
	})
}

// TestDamagedGroup: cut bytes, and numbers that no group has, are refused.
func TestDamagedGroup(t *testing.T) {
	k := groupedKeyed(t, true, 0)
	group := grownGroup(t, k, rand.New(rand.NewPCG(1, 1)), 3)
	for n := 1; n < len(group); n++ {
		if k.CheckGroup(group[:n]) == nil {
			t.Errorf("%d of %d bytes are taken for a group", n, len(group))
		}
	}
	if k.CheckGroup(append(bytes.Clone(group), 0)) == nil {
		t.Error("a byte too many")
	}
}

// TestStartAllocatesNothing: but for what a series tells its group, once.
func TestStartAllocatesNothing(t *testing.T) {
	k := newKeyed(t, wintersOf, KeyedConfig{Step: hour, Seasons: []int{24}, Horizon: 6, Leads: []int{1, 3}, Levels: []float64{.1, .9}, Group: true})
	group := grownGroup(t, groupedKeyed(t, true, 0), rand.New(rand.NewPCG(1, 1)), 0)
	for from := range 2 { // of a group that knows nothing, then of one that does
		var state, known []byte
		dst, x := make([]float64, 0, 8), []float64{0}
		at := int64(0)
		step := func() {
			x[0] = float64(at / hour % 24)
			state, known, _ = k.UpdateIn(state, group, at, x)
			dst = k.Read(dst[:0], state, at)
			at += hour
		}
		step()
		if n := testing.AllocsPerRun(40, step); n > 0 && from == 1 {
			t.Errorf("a value allocates %v times", n)
		}
		for known == nil {
			step()
		}
		group = known
	}
}

func BenchmarkStart(b *testing.B) {
	for _, grouped := range []bool{false, true} {
		b.Run(fmt.Sprintf("group=%t", grouped), func(b *testing.B) {
			k := newKeyed(b, wintersOf, KeyedConfig{Step: hour, Seasons: []int{24}, Horizon: 1, Leads: []int{1}, Group: grouped})
			var group []byte
			state, x := []byte(nil), []float64{0}
			for i := range int64(48) {
				x[0] = float64(i % 24)
				if _, known, _ := k.UpdateIn(state, group, i*hour, x); known != nil {
					group = known
				}
				state, _, _ = k.UpdateIn(state, group, i*hour, x)
			}
			first, _, _ := k.UpdateIn(nil, group, 0, x)
			buf := make([]byte, 0, 2*k.Shape().MaxBytes)
			b.ReportAllocs()
			for b.Loop() { // the second value of a series
				k.UpdateIn(append(buf[:0], first...), group, hour, x)
			}
		})
	}
}
