package modeltest

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// ForecasterCase is one forecaster to check.
type ForecasterCase struct {
	Name string
	Env  models.ForecastEnv
	New  func(env models.ForecastEnv) (models.Forecaster, error)
	Uses bool // whether it says that it uses regressors
}

// RunForecaster runs the suite on the case: what models.Forecaster and models.Series promise, on a seasonal series with noise, on
// gaps, and on values that no series should have.
func RunForecaster(t *testing.T, c ForecasterCase) {
	r := forecasting{c}
	t.Run("same order, same bits", r.deterministic)
	t.Run("forecast changes nothing", r.forecastIsPure)
	t.Run("load and go on", r.loadAndGoOn)
	t.Run("load over another", r.loadOver)
	t.Run("missing before finite after", r.answers)
	t.Run("hostile series", r.hostile)
	t.Run("counts never fall", r.countsNeverFall)
	t.Run("one series does not reach another", r.isolated)
	t.Run("damaged state", r.damaged)
	t.Run("no allocation", r.noAllocation)
	t.Run("uses regressors or says that it does not", r.uses)
}

type forecasting struct{ c ForecasterCase }

var levels = []float64{0.025, 0.1, 0.5, 0.9, 0.975}

func (r *forecasting) forecaster(t testing.TB) models.Forecaster {
	t.Helper()
	f, err := r.c.New(r.c.Env)
	if err != nil {
		t.Fatalf("make %s: %v", r.c.Name, err)
	}
	return f
}

// value is the ith of a positive series with every season of the environment, a slow trend and noise.
func (r *forecasting) value(rng *rand.Rand, i int) float64 {
	y := 50 + 0.02*float64(i)
	for k, m := range r.c.Env.Seasons {
		y += 8 / float64(k+1) * math.Sin(2*math.Pi*float64(i%m)/float64(m))
	}
	return math.Round(math.Max(0, y+2*rng.NormFloat64()))
}

func (r *forecasting) regressors(rng *rand.Rand) []float64 {
	x := make([]float64, r.c.Env.Regressors)
	for i := range x {
		x[i] = rng.NormFloat64()
	}
	return x
}

// feed takes in n steps; one in ten is a gap, one in twenty has a second value.
func (r *forecasting) feed(s models.Series, rng *rand.Rand, from, n int) {
	for i := from; i < from+n; i++ {
		s.Advance(1)
		if i > from && rng.IntN(10) == 0 {
			continue
		}
		s.Observe(r.value(rng, i), r.regressors(rng))
		if rng.IntN(20) == 0 {
			s.Observe(r.value(rng, i), r.regressors(rng))
		}
	}
}

func (r *forecasting) ask(s models.Series, skip int64) *models.Outlook {
	o := models.NewOutlook(r.c.Env.Horizon, levels)
	o.Skip = skip
	s.Forecast(o, r.future())
	return o
}

func (r *forecasting) future() [][]float64 {
	if r.c.Env.Regressors == 0 {
		return nil
	}
	x := make([][]float64, r.c.Env.Horizon)
	for i := range x {
		x[i] = make([]float64, r.c.Env.Regressors)
	}
	return x
}

// uses: the regressors of the steps asked for change the answer of a forecaster that says so, and of no other.
func (r *forecasting) uses(t *testing.T) {
	if r.c.Env.Regressors == 0 {
		return
	}
	s, rng := r.forecaster(t).Start(), rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		x := r.regressors(rng)
		s.Advance(1)
		s.Observe(math.Max(1, math.Round(r.value(rng, i)+5*x[0])), x)
	}
	low, high := r.ask(s, 0), models.NewOutlook(r.c.Env.Horizon, levels)
	x := r.future()
	for i := range x {
		x[i][0] = 1
	}
	s.Forecast(high, x)
	if used := !sameBits(low.Mean, high.Mean); used != r.c.Uses {
		t.Errorf("regressors used: %v; the component says %v", used, r.c.Uses)
	}
	if r.c.Uses && !(high.Mean[0] > low.Mean[0]+2) {
		t.Errorf("forecast %v with a regressor that adds 5, %v without", high.Mean[0], low.Mean[0])
	}
}

func save(s models.Series) []byte {
	v := codec.Saver(nil)
	s.State(v)
	return v.Bytes()
}

func (r *forecasting) load(t testing.TB, b []byte) (models.Series, error) {
	s, v := r.forecaster(t).Start(), codec.Loader(b)
	s.State(v)
	return s, v.Close()
}

func sameOutlook(a, b *models.Outlook) bool {
	return sameBits(a.Mean, b.Mean) && sameBits(a.Quantiles, b.Quantiles) && a.Health == b.Health
}

func (r *forecasting) season() int {
	if n := len(r.c.Env.Seasons); n > 0 {
		return r.c.Env.Seasons[n-1]
	}
	return 1
}

func (r *forecasting) deterministic(t *testing.T) {
	a, b := r.forecaster(t).Start(), r.forecaster(t).Start()
	n := 3*r.season() + 60
	r.feed(a, rand.New(rand.NewPCG(1, 2)), 0, n)
	r.feed(b, rand.New(rand.NewPCG(1, 2)), 0, n)
	if !bytes.Equal(save(a), save(b)) || !sameOutlook(r.ask(a, 0), r.ask(b, 0)) {
		t.Error("two series of the same values differ")
	}
}

func (r *forecasting) forecastIsPure(t *testing.T) {
	s, rng := r.forecaster(t).Start(), rand.New(rand.NewPCG(1, 2))
	for round := range 4 {
		before := save(s)
		first := r.ask(s, 0)
		r.ask(s, 5)
		if !sameOutlook(first, r.ask(s, 0)) || !bytes.Equal(before, save(s)) {
			t.Fatalf("round %d: asking changed the series", round)
		}
		r.feed(s, rng, 40*round, 40)
	}
}

func (r *forecasting) loadAndGoOn(t *testing.T) {
	for _, n := range []int{0, 1, 2, r.season(), 2*r.season() + 7, 3*r.season() + 60} {
		whole := r.forecaster(t).Start()
		r.feed(whole, rand.New(rand.NewPCG(3, 4)), 0, n)
		saved := save(whole)
		if most := r.forecaster(t).MaxBytes(); len(saved) > most {
			t.Fatalf("after %d steps: %d bytes, more than MaxBytes %d", n, len(saved), most)
		}
		half, err := r.load(t, saved)
		if err != nil {
			t.Fatalf("after %d steps: %v", n, err)
		}
		if !bytes.Equal(saved, save(half)) || !sameOutlook(r.ask(whole, 0), r.ask(half, 0)) {
			t.Fatalf("after %d steps: the loaded series is another", n)
		}
		r.feed(whole, rand.New(rand.NewPCG(5, 6)), n, 50)
		r.feed(half, rand.New(rand.NewPCG(5, 6)), n, 50)
		if !bytes.Equal(save(whole), save(half)) || !sameOutlook(r.ask(whole, 3), r.ask(half, 3)) {
			t.Fatalf("after %d steps: the loaded series goes on otherwise", n)
		}
	}
}

// loadOver loads states into one series that was used before: fleets keep one for all keys.
func (r *forecasting) loadOver(t *testing.T) {
	var saved [][]byte
	for i, n := range []int{0, 1, 5, r.season() + 3, 3*r.season() + 60} {
		s := r.forecaster(t).Start()
		r.feed(s, rand.New(rand.NewPCG(uint64(i), 8)), 0, n)
		saved = append(saved, save(s))
	}
	used := r.forecaster(t).Start()
	over := func(b []byte) error {
		v := codec.Loader(b)
		used.State(v)
		return v.Close()
	}
	for round := range 3 {
		for i := range saved {
			b := saved[(i*2+round)%len(saved)]
			if last := saved[len(saved)-1]; round == 2 && over(last[:len(last)/2]) == nil {
				t.Fatal("half a state was accepted")
			}
			if err := over(b); err != nil {
				t.Fatalf("a state is refused by a series that held another: %v", err)
			}
			fresh, err := r.load(t, b)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(save(used), b) || !sameOutlook(r.ask(used, 2), r.ask(fresh, 2)) {
				t.Fatal("loaded over another series, it is another")
			}
			r.feed(used, rand.New(rand.NewPCG(7, 7)), 0, 20)
			r.feed(fresh, rand.New(rand.NewPCG(7, 7)), 0, 20)
			if !bytes.Equal(save(used), save(fresh)) || !sameOutlook(r.ask(used, 0), r.ask(fresh, 0)) {
				t.Fatal("loaded over another series, it goes on otherwise")
			}
		}
	}
	if raceEnabled {
		return
	}
	last, v, buf := saved[len(saved)-1], codec.Loader(nil), make([]byte, 0, 2*len(saved[len(saved)-1]))
	if n := testing.AllocsPerRun(50, func() { v.Load(last); used.State(v) }); n != 0 {
		t.Errorf("%g allocations for each load", n)
	}
	if n := testing.AllocsPerRun(50, func() { v.Save(buf); used.State(v) }); n != 0 {
		t.Errorf("%g allocations for each save", n)
	}
}

// check wants every number finite and quantiles that rise, or all missing.
func (r *forecasting) check(t *testing.T, when string, o *models.Outlook, missing bool) {
	t.Helper()
	for i, m := range o.Mean {
		if missing != math.IsNaN(m) || math.IsInf(m, 0) {
			t.Fatalf("%s, step %d: mean %g", when, i, m)
		}
		q := o.Quantiles[i*len(o.Levels) : (i+1)*len(o.Levels)]
		for j, x := range q {
			if missing != math.IsNaN(x) || math.IsInf(x, 0) || !missing && j > 0 && x < q[j-1] {
				t.Fatalf("%s, step %d: quantiles %v", when, i, q)
			}
		}
	}
}

func (r *forecasting) answers(t *testing.T) {
	s, rng := r.forecaster(t).Start(), rand.New(rand.NewPCG(1, 2))
	o := r.ask(s, 0)
	r.check(t, "without a value", o, true)
	if o.Health.Status != models.HealthUnknown {
		t.Errorf("without a value: %v", o.Health)
	}
	for i := range 3*r.season() + 40 {
		r.feed(s, rng, i, 1)
		o := r.ask(s, int64(i%3))
		r.check(t, "later", o, false)
		if o.Health.Status == models.HealthUnknown || o.Health.Observed < int64(i+1) {
			t.Fatalf("after %d values: %+v", i+1, o.Health)
		}
	}
	if o := r.ask(s, 1<<40); o.Health.Status == models.HealthUnknown {
		t.Error("asked for far away, it knows nothing")
	} else {
		r.check(t, "far away", o, false)
	}
}

func (r *forecasting) hostile(t *testing.T) {
	for name, values := range map[string][]float64{
		"constant": {7}, "zero": {0}, "negative": {-3, -4}, "huge": {1e300, -1e300, 3}, "tiny": {1e-300, 0}, "jumps": {1, 1e12}, "one spike": {5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 1e9},
		"largest": {math.MaxFloat64, -math.MaxFloat64},
	} {
		s := r.forecaster(t).Start()
		x := make([]float64, r.c.Env.Regressors)
		for i := range 2*r.season() + 80 {
			s.Advance([]int64{1, 1, 1, 1, 3, 1 << 40}[min(i%7, 5)])
			s.Observe(values[i%len(values)], x)
			for j := range x {
				x[j] = []float64{0, math.NaN(), 1e200, -1}[i%4]
			}
			if o := r.ask(s, 0); o.Health.Observed > 0 {
				r.check(t, name, o, false)
			}
		}
		if _, err := r.load(t, save(s)); err != nil {
			t.Errorf("%s: its own state is refused: %v", name, err)
		}
		r.feed(s, rand.New(rand.NewPCG(1, 2)), 0, 2*r.season()+80)
		o := r.ask(s, 0)
		for i, m := range o.Mean {
			if !(math.Abs(m) < 1e6) && (name == "constant" || name == "zero" || name == "one spike") {
				t.Errorf("%s, then a calm series: step %d is %g", name, i, m)
			}
		}
	}
}

func (r *forecasting) isolated(t *testing.T) {
	f := r.forecaster(t)
	a, b, alone := f.Start(), f.Start(), f.Start()
	ra, rb := rand.New(rand.NewPCG(1, 2)), rand.New(rand.NewPCG(1, 2))
	for i := range r.season() + 50 {
		r.feed(a, ra, i, 1)
		r.feed(alone, rb, i, 1)
		b.Advance(1)
		b.Observe([]float64{math.MaxFloat64, -1e308, 0}[i%3], make([]float64, r.c.Env.Regressors))
	}
	if !bytes.Equal(save(a), save(alone)) {
		t.Error("another series of the same forecaster changed it")
	}
}

func (r *forecasting) damaged(t *testing.T) {
	s := r.forecaster(t).Start()
	r.feed(s, rand.New(rand.NewPCG(1, 2)), 0, 2*r.season()+30)
	good := save(s)
	if _, err := r.load(t, append(bytes.Clone(good), 0)); err == nil {
		t.Error("a longer state was accepted")
	}
	rng := rand.New(rand.NewPCG(9, 9))
	for i := range 200 {
		bad := bytes.Clone(good)
		if i%2 == 0 {
			bad = bad[:rng.IntN(len(bad))]
		} else {
			bad[rng.IntN(len(bad))] ^= byte(1 + rng.IntN(255))
		}
		got, err := r.load(t, bad)
		if i%2 == 0 && err == nil {
			t.Fatalf("a state cut to %d of %d bytes was accepted", len(bad), len(good))
		}
		if err == nil { // a changed number that a series may have: it must go on and answer
			r.feed(got, rng, 0, 5)
			r.check(t, "after damage", r.ask(got, 0), false)
		}
	}
}

func (r *forecasting) noAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s, rng := r.forecaster(t).Start(), rand.New(rand.NewPCG(1, 2))
	r.feed(s, rng, 0, 3*r.season()+100)
	x, o, future := make([]float64, r.c.Env.Regressors), models.NewOutlook(r.c.Env.Horizon, levels), r.future()
	least := math.Inf(1) // a fit that comes again after twice as many values falls into one of the stretches at most
	for range 4 {
		least = min(least, testing.AllocsPerRun(100, func() { s.Advance(1); s.Observe(50, x) }))
	}
	if least != 0 {
		t.Errorf("%g allocations for each value", least)
	}
	if n := testing.AllocsPerRun(20, func() { s.Forecast(o, future) }); n > 4 {
		t.Errorf("%g allocations for each forecast", n)
	}
}
