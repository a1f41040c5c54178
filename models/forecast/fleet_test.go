package forecast

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

func newFleet(t testing.TB, cfg FleetConfig) *Fleet {
	t.Helper()
	f, err := NewFleet(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func monthly(groups ...FleetGroup) FleetConfig {
	return FleetConfig{Step: hour, Season: 12, Groups: groups}
}

// TestFleetIsTheRecursion: from a state that the rates no longer differ in, the packed recursion is that of Holt-Winters in doubles, within single precision, for many keys in any order, with gaps.
func TestFleetIsTheRecursion(t *testing.T) {
	g := FleetGroup{Alpha: .3, Beta: .1, Gamma: .2, Phi: .9}
	f := newFleet(t, monthly(g))
	type plain struct {
		level, trend float64
		season       [12]float64
		last         int64
	}
	rng := rand.New(rand.NewPCG(3, 1))
	series, steps := make([]*plain, 50), make([]int64, 50)
	for i := range 20_000 {
		k := rng.IntN(50)
		steps[k] += []int64{1, 1, 1, 4}[rng.IntN(4)]
		y := 100 + 10*float64(k) + 20*math.Sin(float64(steps[k]%12)) + rng.NormFloat64()
		p := series[k]
		if r, _ := f.find(uint64(k)); p == nil && r >= 0 && word(f.record(r), fleetVariance) > 0 && f.record(r)[fleetCount] > 60 { // from here on both do the same
			p = &plain{last: int64(int32(f.record(r)[fleetSlot]))}
			p.level, p.trend = word(f.record(r), fleetLevel), word(f.record(r), fleetTrend)
			for j := range 12 {
				p.season[j] = word(f.record(r), fleetSeason+j)
			}
			series[k] = p
		}
		f.Update(uint64(k), 0, steps[k]*hour, y)
		if p == nil {
			continue
		}
		slot := steps[k] - f.base
		for ; p.last < slot; p.last++ {
			p.trend *= g.Phi
			p.level += p.trend
		}
		at := steps[k] % 12
		e := y - p.level - p.season[at]
		p.level, p.trend, p.season[at] = p.level+g.Alpha*e, p.trend+g.Alpha*g.Beta*e, p.season[at]+g.Gamma*(1-g.Alpha)*e
		o := models.NewOutlook(3, nil)
		f.Forecast(o, uint64(k), steps[k]*hour)
		level, trend := p.level, p.trend
		for h := range 3 {
			trend *= g.Phi
			level += trend
			if want := level + p.season[(steps[k]+int64(h)+1)%12]; math.Abs(o.Mean[h]-want) > 1e-3 {
				t.Fatalf("after %d updates, series %d, %d ahead: %g, in doubles %g", i, k, h+1, o.Mean[h], want)
			}
		}
	}
	if f.Damped() > 400 || f.Len() != 50 {
		t.Errorf("%d damped, %d series", f.Damped(), f.Len())
	}
}

// TestNewSeriesStartFromTheirGroup: with one value seen, a series of a group that has grown is forecast far better than one that begins by itself.
func TestNewSeriesStartFromTheirGroup(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	profile := func(i int64) float64 { return 1 + .5*math.Sin(2*math.Pi*float64(i%12)/12) }
	learned, alone := newFleet(t, monthly(DefaultFleetGroup(), DefaultFleetGroup())), newFleet(t, monthly(DefaultFleetGroup()))
	for k := range uint64(200) {
		level := 50 + 10*rng.NormFloat64()
		for i := range int64(60) {
			learned.Update(k, 0, i*hour, level*profile(i)+8*rng.NormFloat64())
		}
	}
	if n := learned.known[0].n; n != 200 || learned.known[1].n != 0 {
		t.Fatalf("%g series told the group, %g the other", n, learned.known[1].n)
	}
	var a, b float64
	for k := uint64(1000); k < 1200; k++ {
		level := 50 + 10*rng.NormFloat64()
		y := level*profile(60) + 8*rng.NormFloat64()
		learned.Update(k, 0, 60*hour, y)
		alone.Update(k, 0, 60*hour, y)
		o := models.NewOutlook(12, nil)
		errors := func(f *Fleet) (sum float64) {
			f.Forecast(o, k, 60*hour)
			for h, m := range o.Mean {
				sum += math.Abs(m-level*profile(61+int64(h))) / 12
			}
			return sum / 200
		}
		a, b = a+errors(learned), b+errors(alone)
	}
	t.Logf("mean absolute error after one value: %.2f from the group, %.2f alone", a, b)
	if !(a < b/2) {
		t.Errorf("from the group %.2f, alone %.2f", a, b)
	}
}

func TestFleetTakes(t *testing.T) {
	f := newFleet(t, FleetConfig{Step: hour, Groups: []FleetGroup{DefaultFleetGroup()}})
	for i, c := range []struct {
		t    int64
		y    float64
		want Taken
	}{{-5 * hour, 1, TakenStep}, {-5*hour + 9, 2, TakenAgain}, {-7 * hour, 3, TakenLate}, {0, math.NaN(), TakenNothing}, {0, math.Inf(1), TakenNothing}, {3 * hour, 1e300, TakenStep}, {math.MaxInt64, 1, TakenLate}} {
		if got := f.Update(7, 0, c.t, c.y); got != c.want {
			t.Errorf("value %d: %d, want %d", i, got, c.want)
		}
	}
	if f.Late() != 2 || f.Len() != 1 {
		t.Errorf("%d late, %d series", f.Late(), f.Len())
	}
	for i := range int64(40) {
		f.Update(8, 0, i*hour, 5+float64(i%2))
	}
	o := models.NewOutlook(3, []float64{.1, .5, .9})
	if !f.Forecast(o, 8, 39*hour) || o.Health.Status != models.HealthGood || math.Abs(o.Mean[0]-5.5) > .5 || !(o.Quantiles[0] < o.Quantiles[1] && o.Quantiles[8]-o.Quantiles[6] > o.Quantiles[2]-o.Quantiles[0]) {
		t.Errorf("%+v", o)
	}
	if f.Update(8, 0, 40*hour, 1e6); f.Damped() != 1 {
		t.Errorf("%d damped", f.Damped())
	}
	if f.Forecast(o, 8, math.MaxInt64/2); math.IsNaN(o.Mean[0]) || math.IsInf(o.Quantiles[0], 0) {
		t.Errorf("far away: %+v", o)
	}
	if f.Forecast(o, 9, 0) || !math.IsNaN(o.Mean[0]) || o.Health.Status != models.HealthUnknown || !math.IsNaN(f.Variance(9)) || !(f.Variance(8) > 0) {
		t.Errorf("an unknown key: %+v", o)
	}
	if n := testing.AllocsPerRun(100, func() { f.Update(8, 0, 41*hour, 5) }); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

func TestFleetState(t *testing.T) {
	cfg := monthly(DefaultFleetGroup(), FleetGroup{Alpha: .5, Phi: 1})
	f, rng := newFleet(t, cfg), rand.New(rand.NewPCG(1, 1))
	for i := range 9000 {
		k := rng.Uint64N(300)
		f.Update(k, int(k%2), int64(i)*hour/100, rng.Float64())
	}
	saved, back := codec.Save(f), newFleet(t, cfg)
	if err := codec.Load(back, saved); err != nil || !bytes.Equal(codec.Save(back), saved) {
		t.Fatalf("loaded it is another: %v", err)
	}
	for i := range 500 {
		k := rng.Uint64N(400)
		y := rng.Float64()
		if f.Update(k, 0, int64(9000+i)*hour/100, y) != back.Update(k, 0, int64(9000+i)*hour/100, y) {
			t.Fatal("loaded it goes on otherwise")
		}
	}
	if !bytes.Equal(codec.Save(f), codec.Save(back)) {
		t.Error("loaded it went on otherwise")
	}
	for i := range 300 {
		bad := bytes.Clone(saved)
		if i%2 == 0 {
			bad = bad[:rng.IntN(len(bad))]
		} else {
			bad[rng.IntN(len(bad))] ^= byte(1 + rng.IntN(255))
		}
		other := newFleet(t, cfg)
		if err := codec.Load(other, bad); err == nil && i%2 == 0 {
			t.Fatal("a state cut short was accepted")
		} else if err == nil {
			other.Update(5, 0, 1000*hour, 1)
		}
	}
}

func TestFleetConfigIsChecked(t *testing.T) {
	for want, cfg := range map[string]FleetConfig{"length of a step": {Groups: make([]FleetGroup, 1)}, "season of -1": {Step: 1, Season: -1}, "0 groups": {Step: 1},
		"rates": {Step: 1, Groups: []FleetGroup{{Alpha: 2}}}, "Alpha above 0": {Step: 1, Groups: []FleetGroup{{}}}} {
		if _, err := NewFleet(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func ExampleFleet() {
	f, err := NewFleet(FleetConfig{Step: 3600e6, Season: 3, Groups: []FleetGroup{DefaultFleetGroup()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range int64(300) {
		f.Update(uint64(42), 0, i*3600e6, []float64{10, 20, 60}[i%3])
	}
	o := models.NewOutlook(3, nil)
	f.Forecast(o, 42, 299*3600e6)
	fmt.Printf("%.0f\n", o.Mean)
	// Output: [10 20 60]
}

// processorTime is the time that this process had a processor for: on a busy machine waiting is none of the fleet's.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFleet is random updates over a million series with a season of 12, for each second of processor time, and the memory of them.
func BenchmarkFleet(b *testing.B) {
	const n = 1_000_000
	f := newFleet(b, monthly(DefaultFleetGroup()))
	for k := range uint64(n) {
		f.Update(hashKey(k), 0, 0, float64(k%50))
	}
	rng, at := rand.New(rand.NewPCG(1, 2)), int64(0)
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime()
	for i := range b.N {
		if i%n == 0 {
			at += hour
		}
		f.Update(hashKey(rng.Uint64N(n)), 0, at, float64(i%60))
	}
	b.ReportMetric(float64(b.N)/(processorTime()-before).Seconds()/1e6, "M/cpu-s")
	b.ReportMetric(float64(f.Bytes())/1e6, "MB")
}
