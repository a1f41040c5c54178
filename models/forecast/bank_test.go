package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

func newBank(t testing.TB, env models.ForecastEnv) *Bank {
	t.Helper()
	b, err := NewBank(env, DefaultBank())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// followed is a series that took in the values, one each step; NaN is a step without.
func followed(b *Bank, values []float64) *bankSeries {
	s := b.Start().(*bankSeries)
	for _, y := range values {
		s.Advance(1)
		if !math.IsNaN(y) {
			s.Observe(y, nil)
		}
	}
	return s
}

func ahead(s models.Series, steps int, levels ...float64) *models.Outlook {
	o := models.NewOutlook(steps, levels)
	s.Forecast(o, nil)
	return o
}

func TestBankParametersAreChecked(t *testing.T) {
	for _, change := range []func(*BankConfig){
		func(c *BankConfig) { c.Top = 0 }, func(c *BankConfig) { c.Top = 17 }, func(c *BankConfig) { c.Discount = 1.1 }, func(c *BankConfig) { c.Sharpness = -1 },
		func(c *BankConfig) { c.Outlier = math.NaN() }, func(c *BankConfig) { c.Memory = 1 },
	} {
		bad := DefaultBank()
		change(&bad)
		if _, err := NewBank(models.ForecastEnv{Horizon: 1}, bad); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
	if _, err := NewBank(models.ForecastEnv{Horizon: 1, Regressors: 65}, DefaultBank()); err == nil {
		t.Error("65 regressors were accepted")
	}
}

// TestBankLearnsExactSeries: what one of the forms describes without noise is forecast almost exactly once two seasons were seen.
func TestBankLearnsExactSeries(t *testing.T) {
	day := []float64{3, -1, -4, 2}
	for name, value := range map[string]func(i int) float64{
		"constant":        func(int) float64 { return 7 },
		"negative":        func(int) float64 { return -7e5 },
		"season":          func(i int) float64 { return 10 + day[i%4] },
		"two seasons":     func(i int) float64 { return 100 + day[i%4] + 5*math.Sin(2*math.Pi*float64(i%12)/12) },
		"season in ratio": func(i int) float64 { return 50 * math.Exp(day[i%4]/4) },
	} {
		b := newBank(t, models.ForecastEnv{Seasons: []int{4, 12}, Horizon: 12})
		values := make([]float64, 200)
		for i := range values {
			values[i] = value(i)
		}
		s := followed(b, values)
		for h, f := range ahead(s, 12).Mean {
			if want := value(200 + h); math.Abs(f-want) > 1e-3*math.Abs(want) {
				t.Errorf("%s, %d ahead: %g, want %g", name, h+1, f, want)
			}
		}
	}
	line := make([]float64, 400)
	for i := range line {
		line[i] = 10 + 0.5*float64(i)
	}
	for h, f := range ahead(followed(newBank(t, models.ForecastEnv{Horizon: 10}), line), 10).Mean {
		if want := 10 + 0.5*float64(400+h); math.Abs(f-want) > 0.01*want {
			t.Errorf("a line, %d ahead: %g, want %g", h+1, f, want)
		}
	}
}

// TestTrunkStartsFromMeans: the start is the classical decomposition of one season: mean, then means of what is left by phase.
func TestTrunkStartsFromMeans(t *testing.T) {
	b := newBank(t, models.ForecastEnv{Seasons: []int{2, 6}, Horizon: 3})
	y := []float64{4, 9, 5, 7, 8, 1}
	s := followed(b, y)
	k := &s.trunks[linearView][3]
	if !k.started || len(k.tables) != 2 {
		t.Fatal("the trunk of all seasons has not started")
	}
	mean := 34.0 / 6
	even, odd := 17.0/3-mean, 17.0/3-mean
	for i, v := range y {
		short := []float64{even, odd}[i%2]
		if got := float64(k.tables[0][i%2]); math.Abs(got-short) > 1e-6 {
			t.Errorf("short season at %d: %g, want %g", i%2, got, short)
		}
		if got := float64(k.tables[1][i]); math.Abs(got-(v-mean-short)) > 1e-6 {
			t.Errorf("long season at %d: %g, want %g", i, got, v-mean-short)
		}
	}
	if math.Abs(k.filters[0].level-mean) > 1e-12 {
		t.Errorf("level %g, want %g", k.filters[0].level, mean)
	}
}

// TestSmootherIsHoltWinters: level, trend and table follow the recursions in error-correction form, here written out.
func TestSmootherIsHoltWinters(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := newBank(t, models.ForecastEnv{Seasons: []int{3}, Horizon: 1})
	values := make([]float64, 60)
	for i := range values {
		values[i] = -3 + float64(i%3) + 0.1*rng.NormFloat64() // below 0: no logarithms
	}
	s := followed(b, values[:30])
	k := &s.trunks[linearView][1]
	const j = 8 // the one with autocorrelated errors
	f, driver := k.filters[j], k.filters[bankDriver]
	table := slices.Clone(k.tables[0])
	for i := 30; i < 60; i++ {
		d := values[i] - float64(table[i%3])
		e := d - f.level - 0.7*f.error
		f.level, f.error = f.level+max(0.02, 1/(k.n+float64(i-30)+1))*e, e+0.7*f.error
		ed := d - driver.level
		driver.level += 0.1 * ed
		table[i%3] += float32(0.1 * ed)
	}
	for _, y := range values[30:] {
		s.Advance(1)
		s.Observe(y, nil)
	}
	if s.health.Anomalies != 0 {
		t.Fatal("values were damped")
	}
	if got := k.filters[j]; math.Abs(got.level-f.level) > 1e-5 || math.Abs(got.error-f.error) > 1e-5 || math.Abs(float64(k.tables[0][1]-table[1])) > 1e-5 {
		t.Errorf("%+v, %v; want %+v, %v", got, k.tables[0], f, table)
	}
}

// TestWaitingForecasts: what is scored at a distance is what the members had forecast there, checked against a map of all of them.
func TestWaitingForecasts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		env := models.ForecastEnv{Horizon: rapid.IntRange(1, 40).Draw(t, "horizon")}
		if rapid.Bool().Draw(t, "seasonal") {
			env.Seasons = []int{rapid.IntRange(2, 8).Draw(t, "season")}
		}
		b, err := NewBank(env, DefaultBank())
		if err != nil {
			t.Fatal(err)
		}
		s := b.Start().(*bankSeries)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		type key struct{ step, lead int64 }
		made := map[key][]float64{}
		width := b.members + 1
		for range 150 {
			s.Advance(int64(1 + rng.IntN(2)*rng.IntN(2)*rng.IntN(3)))
			if s.observed > 0 && s.step%b.stride == 0 {
				for k := 1; k < len(b.leads); k++ {
					from := s.step - b.leads[k]
					want, known := made[key{from, b.leads[k]}]
					n := from / b.stride
					if got := from >= 0 && s.emitted[n%int64(len(s.emitted))] == n; got != known {
						t.Fatalf("step %d, %d ahead: waiting %v, made %v", s.step, b.leads[k], got, known)
					}
					for i, f := range want {
						got := s.origin + float64(s.waiting[s.slot(k, n)*width+i])
						if math.Abs(got-f) > 1e-4 || math.IsNaN(got) != math.IsNaN(f) {
							t.Fatalf("step %d, %d ahead, member %d: %g, was %g", s.step, b.leads[k], i, got, f)
						}
					}
				}
			}
			s.Observe(20+rng.NormFloat64(), nil)
			if s.step%b.stride == 0 {
				for k := 1; k < len(b.leads); k++ {
					s.members(b.far[k], s.step+b.leads[k])
					made[key{s.step, b.leads[k]}] = slices.Clone(s.answer)
				}
			}
		}
	})
}

// TestPick: the best by sorting, with weights by the formula.
func TestPick(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, top := rapid.IntRange(1, 30).Draw(t, "members"), rapid.IntRange(1, maxTop).Draw(t, "top")
		errors := rapid.SliceOfN(rapid.SampledFrom([]float64{0, 1, 1.5, 2, 3, 10}), n, n).Draw(t, "errors")
		var p pick
		order := make([]int, n)
		for i, e := range errors {
			order[i] = i
			p.insert(i, e, top)
		}
		slices.SortStableFunc(order, func(a, b int) int { return int(2 * (errors[a] - errors[b])) })
		order = order[:min(top, n)]
		doubt := rapid.Float64Range(0, 1).Draw(t, "doubt")
		p.share(doubt, 8)
		best, worst, total := errors[order[0]], errors[order[len(order)-1]], 0.0
		least := best + doubt*(worst-best)
		want := make([]float64, len(order))
		for i, m := range order {
			want[i] = 1
			if e := errors[m] + doubt*(worst-errors[m]); e > least {
				want[i] = math.Pow(max(least/e, 1e-30), 8)
			}
			total += want[i]
		}
		for i, m := range order {
			if int(p.member[i]) != m || math.Abs(p.weight[i]-want[i]/total) > 1e-9 {
				t.Fatalf("errors %v: members %v, weights %v; want %v, %v", errors, p.member[:p.n], p.weight[:p.n], order, want)
			}
		}
		if p.n != len(order) {
			t.Fatalf("%d members, want %d", p.n, len(order))
		}
	})
}

// TestBankScales: a series in other units has its forecasts in other units.
func TestBankScales(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		unit := rapid.SampledFrom([]float64{1e-6, 0.01, 8, 1e5, -3}).Draw(t, "unit")
		b, err := NewBank(models.ForecastEnv{Seasons: []int{6}, Horizon: 6}, DefaultBank())
		if err != nil {
			t.Fatal(err)
		}
		values, others := make([]float64, 120), make([]float64, 120)
		for i := range values {
			values[i] = 10 + 3*float64(i%6) + rng.NormFloat64()
			if unit < 0 {
				values[i] -= 15 // no logarithms on either side
			}
			others[i] = unit * values[i]
		}
		p, q := ahead(followed(b, values), 6), ahead(followed(b, others), 6)
		for h := range p.Mean {
			if math.Abs(q.Mean[h]-unit*p.Mean[h]) > 1e-2*math.Abs(unit)*(1+math.Abs(p.Mean[h])) {
				t.Fatalf("%d ahead: %g and %g in units of %g", h+1, p.Mean[h], q.Mean[h], unit)
			}
		}
	})
}

// TestBankCoverage: central intervals hold what they say, at every distance, for noise of several shapes.
func TestBankCoverage(t *testing.T) {
	for name, noise := range map[string]func(*rand.Rand) float64{
		"normal":      func(r *rand.Rand) float64 { return r.NormFloat64() },
		"exponential": func(r *rand.Rand) float64 { return r.ExpFloat64() },
		"heavy":       func(r *rand.Rand) float64 { return r.NormFloat64() / math.Sqrt(r.ExpFloat64()) },
	} {
		rng := rand.New(rand.NewPCG(4, 2))
		b := newBank(t, models.ForecastEnv{Seasons: []int{5}, Horizon: 10})
		s := b.Start()
		o := models.NewOutlook(10, []float64{0.025, 0.1, 0.9, 0.975})
		inside, inner, n := 0.0, 0.0, 0.0
		due := map[int][][4]float64{}
		for i := range 4000 {
			y := 50 + 5*float64(i%5) + noise(rng)
			for _, q := range due[i] {
				n++
				if y >= q[0] && y <= q[3] {
					inside++
				}
				if y >= q[1] && y <= q[2] {
					inner++
				}
			}
			delete(due, i)
			s.Advance(1)
			s.Observe(y, nil)
			if s.Forecast(o, nil); i > 300 {
				for _, h := range []int{1, 4, 10} {
					due[i+h] = append(due[i+h], [4]float64(o.Quantiles[4*(h-1):4*h]))
				}
			}
		}
		if inside /= n; math.Abs(inside-0.95) > 0.02 {
			t.Errorf("%s: 95 %% intervals hold %.3f", name, inside)
		}
		if inner /= n; math.Abs(inner-0.8) > 0.04 {
			t.Errorf("%s: 80 %% intervals hold %.3f", name, inner)
		}
	}
}

// TestBankWithoutLogarithms: from the first value not above 0 the logarithms are out, and the answer is that of a bank that never had them.
func TestBankWithoutLogarithms(t *testing.T) {
	b := newBank(t, models.ForecastEnv{Seasons: []int{4}, Horizon: 4})
	values := make([]float64, 60)
	for i := range values {
		values[i] = 5 + float64(i%4)
	}
	values[30] = 0
	s := followed(b, values)
	if !s.noLog {
		t.Fatal("logarithms of 0")
	}
	s.members(s.b.far[0], s.step+1)
	nf := len(b.filters) * len(b.trunks)
	for i, f := range s.answer {
		if in := i >= nf && i < 2*nf || i == b.members-1; in != math.IsNaN(f) {
			t.Errorf("member %d answers %g", i, f)
		}
	}
	if f := ahead(s, 4).Mean; !(math.Abs(f[0]-5) < 0.5) {
		t.Errorf("forecast %v", f)
	}
}

// TestBankIsCapped: growth by the half each step is not carried on beyond twice the range.
func TestBankIsCapped(t *testing.T) {
	values := make([]float64, 60)
	for i := range values {
		values[i] = math.Pow(1.5, float64(i))
	}
	s := followed(newBank(t, models.ForecastEnv{Horizon: 30}), values)
	for h, f := range ahead(s, 30).Mean {
		if !(f >= 0 && f <= 2*values[59]) {
			t.Errorf("%d ahead: %g after %g", h+1, f, values[59])
		}
	}
}

// TestBankWidensOverGaps: steps without values, and distances, widen the interval; the last season is not lost.
func TestBankWidensOverGaps(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, 300)
	level := 100.0
	for i := range values {
		level += rng.NormFloat64()
		values[i] = level + 10*float64(i%3)
	}
	s := followed(newBank(t, models.ForecastEnv{Seasons: []int{3}, Horizon: 6}), values)
	before := ahead(s, 1, 0.05, 0.95).Quantiles
	s.Advance(3000)
	o := ahead(s, 3, 0.05, 0.95)
	if now := o.Quantiles; now[1]-now[0] < 2*(before[1]-before[0]) {
		t.Errorf("%v, after a gap %v", before, now)
	}
	if !(o.Mean[1] > o.Mean[0]+5 && o.Mean[2] > o.Mean[1]+5) {
		t.Errorf("the season is lost: %v", o.Mean)
	}
}

// TestBankHealth: cold until every season was seen, then good; outliers are counted, and a lasting change is a shift.
func TestBankHealth(t *testing.T) {
	b := newBank(t, models.ForecastEnv{Seasons: []int{8}, Horizon: 2})
	rng := rand.New(rand.NewPCG(1, 2))
	s := b.Start()
	status := func() models.HealthStatus { return ahead(s, 1).Health.Status }
	feed := func(level float64, n int) {
		for range n {
			s.Advance(1)
			s.Observe(level+rng.NormFloat64(), nil)
		}
	}
	if status() != models.HealthUnknown {
		t.Error(status())
	}
	feed(50, 7)
	if status() != models.HealthCold {
		t.Error(status())
	}
	feed(50, 60)
	if status() != models.HealthGood {
		t.Error(status())
	}
	feed(500, 1)
	after := ahead(s, 2)
	if after.Health.Anomalies == 0 || after.Mean[0] > 100 {
		t.Errorf("one outlier: %+v", after)
	}
	feed(50, 30)
	feed(500, 6)
	if h := ahead(s, 1).Health; h.Status != models.HealthShifted || h.Shifts != 1 {
		t.Errorf("after a lasting change: %+v", h)
	}
	feed(500, 30)
	if f := ahead(s, 1); math.Abs(f.Mean[0]-500) > 20 || f.Health.Status != models.HealthGood {
		t.Errorf("some time later: %+v", f)
	}
}

// TestBankRegressors: what a regressor adds is learned and foretold, in sums and in ratios.
func TestBankRegressors(t *testing.T) {
	for _, ratio := range []bool{false, true} {
		b := newBank(t, models.ForecastEnv{Seasons: []int{7}, Horizon: 3, Regressors: 2})
		s, rng := b.Start(), rand.New(rand.NewPCG(1, 2))
		value := func(i int, x float64) float64 {
			if ratio {
				return (20 + 10*float64(i%7)) * math.Exp(0.5*x)
			}
			return 100 + 10*float64(i%7) + 30*x
		}
		for i := range 500 {
			x := float64(rng.IntN(5) / 4)
			s.Advance(1)
			s.Observe(value(i, x)+0.2*rng.NormFloat64(), []float64{x, rng.NormFloat64()})
		}
		o := models.NewOutlook(3, nil)
		s.Forecast(o, [][]float64{{0, 1}, {1, 0}, {0, 0}})
		for h, x := range []float64{0, 1, 0} {
			if want := value(500+h, x); math.Abs(o.Mean[h]-want) > 0.1*want {
				t.Errorf("ratio %v, %d ahead: %g, want %g", ratio, h+1, o.Mean[h], want)
			}
		}
	}
}

// TestBankMissingRegressor: a value whose regressors are not all known is taken for missing.
func TestBankMissingRegressor(t *testing.T) {
	b := newBank(t, models.ForecastEnv{Horizon: 1, Regressors: 1})
	s := b.Start()
	s.Advance(1)
	s.Observe(3, []float64{math.NaN()})
	if h := aheadWith(s, [][]float64{{1}}).Health; h.Observed != 0 {
		t.Errorf("%+v", h)
	}
}

func aheadWith(s models.Series, x [][]float64) *models.Outlook {
	o := models.NewOutlook(len(x), nil)
	s.Forecast(o, x)
	return o
}

// TestBankFarAway: billions of steps and distances keep the phase of the season.
func TestBankFarAway(t *testing.T) {
	b := newBank(t, models.ForecastEnv{Seasons: []int{3}, Horizon: 3})
	values := make([]float64, 90)
	for i := range values {
		values[i] = -10 * float64(i%3)
	}
	s := followed(b, values)
	o := models.NewOutlook(3, []float64{0.1, 0.9})
	for _, skip := range []int64{3, 3 << 40, 3 << 59} {
		o.Skip = skip
		if s.Forecast(o, nil); !(o.Mean[0] > o.Mean[1]+5 && o.Mean[1] > o.Mean[2]+5) || !finite(o.Quantiles[0]) {
			t.Errorf("skip %d: %v", skip, o)
		}
	}
	for range 12 {
		s.Advance(3 << 59)
		if o = ahead(s, 3); !(o.Mean[0] > o.Mean[1]+5 && o.Mean[1] > o.Mean[2]+5) {
			t.Errorf("after a long time: %v", o.Mean)
		}
	}
	s.Advance(1)
	s.Observe(0, nil)
	if o = ahead(s, 3); !finite(o.Mean[2]) {
		t.Errorf("after a value: %v", o.Mean)
	}
}

// FuzzBankState: bytes that are accepted as a state go on, and answer with finite numbers.
func FuzzBankState(f *testing.F) {
	env := models.ForecastEnv{Seasons: []int{3}, Horizon: 6, Regressors: 1}
	b := newBank(f, env)
	s := b.Start()
	for i := range 40 {
		if i%9 == 0 {
			f.Add(codec.Save(s), float64(i))
		}
		s.Advance(1)
		s.Observe(float64(5+i%3), []float64{float64(i % 2)})
	}
	f.Fuzz(func(t *testing.T, state []byte, y float64) {
		s := b.Start()
		if codec.Load(s, state) != nil || !(math.Abs(y) < 1e300) {
			return
		}
		o := models.NewOutlook(6, []float64{0.1, 0.5, 0.9})
		for i := range 12 {
			s.Advance(int64(1 + i%2*5))
			s.Observe(y*float64(i), []float64{y})
			if s.Forecast(o, [][]float64{{0}, {1}, {y}, {0}, {0}, {0}}); !finite(o.Mean[0]) || !finite(o.Quantiles[0]) || !(o.Quantiles[0] <= o.Quantiles[2]) {
				t.Fatalf("%v", o)
			}
		}
		if err := codec.Load(b.Start(), codec.Save(s)); err != nil {
			t.Fatalf("its own state is refused: %v", err)
		}
	})
}

func BenchmarkBank(b *testing.B) {
	f := newBank(b, models.ForecastEnv{Seasons: []int{24, 168}, Horizon: 48})
	values := make([]float64, 4096)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range values {
		values[i] = 100 + 10*math.Sin(float64(i)*2*math.Pi/24) + rng.NormFloat64()
	}
	b.Run("update", func(b *testing.B) {
		s := f.Start()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			s.Advance(1)
			s.Observe(values[i&4095], nil)
		}
	})
	b.Run("forecast of 48 steps", func(b *testing.B) {
		s, o := followed(f, values), models.NewOutlook(48, []float64{0.025, 0.1, 0.5, 0.9, 0.975})
		b.ReportAllocs()
		for b.Loop() {
			s.Forecast(o, nil)
		}
	})
}

func ExampleBank() {
	b, err := NewBank(models.ForecastEnv{Seasons: []int{4}, Horizon: 4}, DefaultBank())
	if err != nil {
		panic(err)
	}
	s := b.Start()
	for i := range 40 { // 10, 20, 30, 20, 10 …, one more each season
		s.Advance(1)
		s.Observe([]float64{10, 20, 30, 20}[i%4]+float64(i/4), nil)
	}
	o := models.NewOutlook(4, []float64{0.1, 0.9})
	s.Forecast(o, nil)
	fmt.Println(o.Health.Status)
	for i, f := range o.Mean {
		fmt.Printf("%.0f, inside its interval: %v\n", f, o.Quantiles[2*i] <= f && f <= o.Quantiles[2*i+1])
	}
	// Output:
	// good
	// 20, inside its interval: true
	// 30, inside its interval: true
	// 40, inside its interval: true
	// 30, inside its interval: true
}

// TestGrowthIsOfSmoothing: the growth of errors with the distance is that of exponential smoothing in closed form.
func TestGrowthIsOfSmoothing(t *testing.T) {
	for _, p := range bankFilters {
		if p.rho > 0 {
			continue
		}
		s := smoothParams{SmoothingForm: SmoothingForm{Trend: true}, alpha: p.alpha, beta: p.alpha * p.beta, phi: p.phi}
		for _, h := range []int64{1, 2, 7, 48} {
			if got, want := p.growth(h), s.growth(h, 1); math.Abs(got-want) > 1e-9*want {
				t.Errorf("%+v, %d steps: %v, smoothing has %v", p, h, got, want)
			}
		}
	}
	ar := filterPlan{phi: 1, rho: 0.5} // an autoregression about a fixed level: (1 − ρ²ʰ)/(1 − ρ²)
	if got := ar.growth(3); math.Abs(got-(1+0.25+0.0625)) > 1e-12 {
		t.Errorf("growth of an autoregression: %v", got)
	}
}

// TestBankIsNotLostWhileCold: intervals of a series of which little is known are wide, but no multiple of the values, also where they are proportional to the forecast.
func TestBankIsNotLostWhileCold(t *testing.T) {
	levels := []float64{0.025, 0.1, 0.5, 0.9, 0.975}
	rng := rand.New(rand.NewPCG(3, 4))
	var cold, later, covered, n float64
	for range 40 {
		s, o := newBank(t, models.ForecastEnv{Seasons: []int{7}, Horizon: 28}).Start(), models.NewOutlook(1, levels)
		o.Skip = 6
		base := math.Exp(2 + 3*rng.Float64())
		value := func(i int) float64 {
			return base * (1 + 0.4*math.Sin(2*math.Pi*float64(i%7)/7)) * math.Exp(0.2*rng.NormFloat64())
		}
		y := make([]float64, 207)
		for i := range y {
			y[i] = value(i)
		}
		for i := range 200 {
			s.Advance(1)
			s.Observe(y[i], nil)
			s.Forecast(o, nil)
			loss := 0.0
			for j, l := range levels {
				e := y[i+7] - o.Quantiles[j]
				loss += math.Max(l*e, (l-1)*e) / base
			}
			switch {
			case i < 40:
				cold += loss / 40
			case i >= 100:
				later += loss / 100
			}
			if n++; y[i+7] >= o.Quantiles[0] && y[i+7] <= o.Quantiles[4] {
				covered++
			}
		}
	}
	if !(cold < 2.5*later) || !(covered/n > 0.93) {
		t.Errorf("quantile loss of the first forty %.3f, of those from the hundredth %.3f; %.3f covered", cold, later, covered/n)
	}
}
