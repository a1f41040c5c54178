package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// winters returns usual Holt-Winters smoothing that damps nothing.
func winters(t testing.TB, season int, change func(*WintersConfig)) *Smoothing {
	t.Helper()
	c := WintersConfig{Alpha: 0.3, Beta: 0.05, Gamma: 0.2, Phi: 0.98, Form: SmoothingForm{Trend: true, Damped: true, Season: AdditiveSeason}, SmoothingOptions: SmoothingOptions{Season: season, Spread: 0.02}}
	if change != nil {
		change(&c)
	}
	f, err := NewWinters(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mean1(s models.Series, skip int64) float64 {
	o := models.NewOutlook(1, nil)
	o.Skip = skip
	s.Forecast(o, nil)
	return o.Mean[0]
}

// TestGrowth: the closed form of the variance is the sum of the squared effects.
func TestGrowth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := smoothParams{SmoothingForm: rapid.SampledFrom(smoothingForms).Draw(t, "form"), phi: 1}
		p.alpha = rapid.Float64Range(0, 1).Draw(t, "alpha")
		if p.Trend {
			p.beta = p.alpha * rapid.Float64Range(0, 1).Draw(t, "beta")
		}
		if p.Damped {
			p.phi = rapid.Float64Range(0, 0.999).Draw(t, "phi")
		}
		if p.Season != NoSeason {
			p.gamma = rapid.Float64Range(0, 1).Draw(t, "gamma")
		}
		m, sum := rapid.IntRange(2, 9).Draw(t, "season"), 1.0
		for h := int64(1); h < 60; h++ {
			if got := p.growth(h, m); math.Abs(got-sum) > 1e-9*sum {
				t.Fatalf("%+v, %d ahead: %g, want %g", p, h, got, sum)
			}
			c := p.effect(h, m)
			sum += c * c
		}
	})
}

// TestExactSeries: a straight line with an exact season, added or as factors, is forecast exactly once two seasons were seen.
func TestExactSeries(t *testing.T) {
	for _, form := range []SeasonForm{AdditiveSeason, MultiplicativeSeason} {
		f := winters(t, 4, func(c *WintersConfig) { c.Phi, c.Form = 1, SmoothingForm{Trend: true, Season: form} })
		value := func(i int) float64 {
			if form == MultiplicativeSeason {
				return 20 * []float64{1.5, 0.9, 0.4, 1.2}[i%4]
			}
			return 10 + 0.5*float64(i) + []float64{3, -1, -4, 2}[i%4]
		}
		s := f.Start()
		for i := 3; i < 40; i++ {
			s.Advance(1)
			s.Observe(value(i), nil)
			for k := range 6 {
				if got := mean1(s, int64(k)); i >= 3+7 && math.Abs(got-value(i+1+k)) > 1e-9 {
					t.Fatalf("season %d: after %d, %d ahead: %g, want %g", form, i, k+1, got, value(i+1+k))
				}
			}
		}
	}
}

// TestGapEqualsMissing: one advance over a gap is as many of one step, while the series warms up and after.
func TestGapEqualsMissing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := winters(&testing.T{}, rapid.IntRange(1, 5).Draw(t, "season"), func(c *WintersConfig) {
			c.Phi = rapid.SampledFrom([]float64{1, 0.9}).Draw(t, "phi")
			c.Outliers = 4
		})
		a, b, rng := f.Start(), f.Start(), rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "values"), 2))
		for range 60 {
			gap := int64(1)
			if rng.IntN(4) == 0 {
				gap += int64(rng.IntN(6))
			}
			a.Advance(gap)
			for range gap {
				b.Advance(1)
			}
			if p, q := mean1(a, 1), mean1(b, 1); math.Abs(p-q) > 1e-6 {
				t.Fatalf("in a gap: %v and %v", p, q)
			}
			y := rng.NormFloat64()
			a.Observe(y, nil)
			b.Observe(y, nil)
			if p, q := mean1(a, 3), mean1(b, 3); math.Abs(p-q) > 1e-6 {
				t.Fatalf("%v and %v", p, q)
			}
		}
	})
}

// TestSecondValue: a second value of a step corrects level and season without a step.
func TestSecondValue(t *testing.T) {
	f := winters(t, 0, func(c *WintersConfig) { c.Alpha, c.Form = 0.5, SmoothingForm{} })
	s := f.Start()
	for _, y := range []float64{10, 20, 40} {
		s.Advance(1)
		s.Observe(y, nil)
	}
	s.Observe(0, nil) // 10 → 15 → 27.5 → 13.75
	if got := mean1(s, 0); got != 13.75 {
		t.Errorf("forecast %g", got)
	}
}

// TestOutlierAndShift: a value far outside is damped and counted; the fourth in succession is believed.
func TestOutlierAndShift(t *testing.T) {
	f := winters(t, 0, func(c *WintersConfig) { c.Outliers = 4 })
	s, rng := f.Start(), rand.New(rand.NewPCG(1, 2))
	take := func(y float64) models.Health {
		s.Advance(1)
		s.Observe(y, nil)
		o := models.NewOutlook(1, nil)
		s.Forecast(o, nil)
		return o.Health
	}
	for range 300 {
		take(100 + rng.NormFloat64())
	}
	if h := take(1000); h.Anomalies != 1 || h.Status != models.HealthGood || math.Abs(mean1(s, 0)-100) > 5 {
		t.Errorf("after an outlier: %+v, forecast %g", h, mean1(s, 0))
	}
	take(100)
	var h models.Health
	for i := range 4 {
		h = take(1000 + float64(i))
	}
	if h.Shifts != 1 || h.Anomalies != 4 || h.Status != models.HealthShifted || math.Abs(mean1(s, 0)-1000) > 10 {
		t.Errorf("after a change of level: %+v, forecast %g", h, mean1(s, 0))
	}
	for range 30 {
		h = take(1000 + rng.NormFloat64())
	}
	if h.Status != models.HealthGood || h.Shifts != 1 {
		t.Errorf("later: %+v", h)
	}
}

// TestNegativeIsRefused by factors, which are for positive series, and counted.
func TestNegativeIsRefused(t *testing.T) {
	f := winters(t, 3, func(c *WintersConfig) { c.Form.Season = MultiplicativeSeason })
	s := f.Start()
	for i := range 20 {
		s.Advance(1)
		s.Observe([]float64{4, 0, 6, -2}[i%4], nil)
	}
	o := models.NewOutlook(1, nil)
	s.Forecast(o, nil)
	if o.Health.Refused != 5 || o.Health.Observed != 15 {
		t.Errorf("%+v", o.Health)
	}
}

// TestCoverage: intervals of a series from the model itself hold their share, at one and at ten steps.
func TestCoverage(t *testing.T) {
	f := winters(t, 0, func(c *WintersConfig) { c.Alpha, c.Form = 0.4, SmoothingForm{} })
	rng := rand.New(rand.NewPCG(7, 7))
	const n, ahead = 20000, 10
	y, level := make([]float64, n+ahead), 0.0
	for i := range y {
		e := rng.NormFloat64()
		y[i] = level + e
		level += 0.4 * e
	}
	s, o := f.Start(), models.NewOutlook(ahead, []float64{0.1, 0.9})
	var inside [2]float64
	for i := range n {
		s.Advance(1)
		s.Observe(y[i], nil)
		s.Forecast(o, nil)
		for k, h := range []int{0, ahead - 1} {
			if q := o.Quantiles[2*h:]; y[i+1+h] >= q[0] && y[i+1+h] <= q[1] {
				inside[k]++
			}
		}
	}
	for k, c := range inside {
		if share := c / n; math.Abs(share-0.8) > 0.03 {
			t.Errorf("horizon %d: %.3f of values lie in the 80 %% interval", k, share)
		}
	}
}

// TestFitFindsRates: of a long series from the model itself, the fit finds the rates and the variance.
func TestFitFindsRates(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	const n, m = 800, 4
	p := smoothParams{SmoothingForm: SmoothingForm{Trend: true, Season: AdditiveSeason}, alpha: 0.4, beta: 0.05, gamma: 0.2, phi: 1}
	from := smoothState{level: 50, season: []float64{3, -1, -4, 2}}
	f := winters(t, m, func(c *WintersConfig) { c.Fit, c.Phi, c.Form = n, 1, p.SmoothingForm })
	s := f.Start().(*smoothed)
	for range n {
		p.advance(&from, 1)
		e := 2 * rng.NormFloat64()
		y := p.predict(&from) + e
		p.correct(&from, e)
		s.Advance(1)
		s.Observe(y, nil)
	}
	if !s.started || math.Abs(s.p.alpha-0.4) > 0.08 || math.Abs(s.p.beta-0.05) > 0.03 || math.Abs(s.p.gamma-0.2) > 0.08 || math.Abs(math.Sqrt(s.variance)-2) > 0.15 {
		t.Errorf("fitted %+v, deviation %g", s.p, math.Sqrt(s.variance))
	}
	if math.Abs(s.level-from.level) > 2 {
		t.Errorf("level %g, want %g", s.level, from.level)
	}
}

func TestWintersConfigIsChecked(t *testing.T) {
	good := WintersConfig{Alpha: 0.3, Beta: 0.1, Gamma: 0.1, Phi: 1, SmoothingOptions: SmoothingOptions{Spread: 0.02}}
	for i, change := range []func(*WintersConfig){
		func(c *WintersConfig) { c.Alpha = 1.1 }, func(c *WintersConfig) { c.Beta = -1 }, func(c *WintersConfig) { c.Phi = math.NaN() },
		func(c *WintersConfig) { c.Season = -1 }, func(c *WintersConfig) { c.Season = 1 << 20 }, func(c *WintersConfig) { c.Spread = 0 },
		func(c *WintersConfig) { c.Outliers = -1 }, func(c *WintersConfig) { c.Fit = -1 }, func(c *WintersConfig) { c.Season, c.Fit = 12, 23 }, func(c *WintersConfig) { c.Paths = 1 << 20 },
	} {
		bad := good
		change(&bad)
		if f, err := NewWinters(bad); err == nil {
			t.Errorf("change %d was accepted: %+v", i, f)
		}
	}
}

// FuzzSmoothedState: no bytes make a series panic, and what is accepted goes on with finite answers.
func FuzzSmoothedState(f *testing.F) {
	kinds := smoothedKinds(f)
	for k, forecaster := range kinds {
		s := forecaster.Start()
		for i := range 40 {
			if i%9 == 0 {
				f.Add(k, codec.Save(s), 3.0)
			}
			s.Advance(1)
			s.Observe(float64(5+i%4), nil)
		}
	}
	f.Fuzz(func(t *testing.T, kind int, state []byte, y float64) {
		if kind < 0 || kind >= len(kinds) || !finite(y) {
			return
		}
		fuzzSeries(t, kinds[kind], state, y)
	})
}

func smoothedKinds(t testing.TB) []*Smoothing {
	return []*Smoothing{
		winters(t, 0, nil), winters(t, 4, func(c *WintersConfig) { c.Outliers = 4 }), winters(t, 4, func(c *WintersConfig) { c.Form.Season, c.Form.RelativeError = MultiplicativeSeason, true }),
		winters(t, 4, func(c *WintersConfig) { c.Fit = 20 }),
	}
}

// fuzzSeries loads a state, and wants of an accepted one what every series must do.
func fuzzSeries(t *testing.T, f models.Forecaster, state []byte, y float64) {
	s := f.Start()
	if codec.Load(s, state) != nil {
		return
	}
	o := models.NewOutlook(3, []float64{0.1, 0.5, 0.9})
	for i := range 12 {
		s.Forecast(o, nil)
		if o.Health.Status != models.HealthUnknown {
			for _, v := range append(o.Mean, o.Quantiles...) {
				if !finite(v) {
					t.Fatalf("forecast %v of %+v", v, s)
				}
			}
		}
		s.Advance(int64(1 + i*i*i))
		s.Observe(y, nil)
	}
	if b := codec.Save(s); len(b) > f.MaxBytes() {
		t.Fatalf("%d bytes of %d", len(b), f.MaxBytes())
	} else if err := codec.Load(f.Start(), b); err != nil {
		t.Fatalf("its own state is refused: %v", err)
	}
}

func BenchmarkHoltWintersUpdate(b *testing.B) {
	for _, form := range []SeasonForm{AdditiveSeason, MultiplicativeSeason} {
		b.Run([]string{"", "additive", "multiplicative"}[form], func(b *testing.B) {
			s := winters(b, 24, func(c *WintersConfig) { c.Outliers, c.Form.Season = 4, form }).Start()
			y := make([]float64, 24*64)
			rng := rand.New(rand.NewPCG(1, 1))
			for i := range y {
				y[i] = 50 + 8*math.Sin(2*math.Pi*float64(i)/24) + rng.NormFloat64()
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Advance(1)
				s.Observe(y[i%len(y)], nil)
			}
		})
	}
}

func BenchmarkHoltWintersForecast(b *testing.B) {
	s, o := winters(b, 24, nil).Start(), models.NewOutlook(48, []float64{0.025, 0.5, 0.975})
	for i := range 100 {
		s.Advance(1)
		s.Observe(50+8*math.Sin(2*math.Pi*float64(i)/24), nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Forecast(o, nil)
	}
}

// ExampleSmoothing_Score runs a case as other programs write it: rates, and the state before the first value.
func ExampleSmoothing_Score() {
	f, err := NewWinters(WintersConfig{Alpha: 0.5, Beta: 0.2, Phi: 1, Form: SmoothingForm{Trend: true}, SmoothingOptions: SmoothingOptions{Spread: 0.02}})
	if err != nil {
		panic(err)
	}
	s := f.Score(Smoothed{Level: 10, Trend: 1}, []float64{12, 13, 15})
	fmt.Printf("%.3f sum of squares %.4f, level %.3f\n", s.Fitted, s.SSE, s.Final.Level)
	// Output: [11.000 12.600 13.940] sum of squares 2.2836, level 14.470
}

func ExampleNewWinters() {
	f, err := NewWinters(WintersConfig{Alpha: 0.3, Beta: 0.05, Gamma: 0.2, Phi: 0.98,
		Form: SmoothingForm{Trend: true, Damped: true, Season: AdditiveSeason}, SmoothingOptions: SmoothingOptions{Season: 2, Spread: 0.02}})
	if err != nil {
		panic(err)
	}
	k := NewTrack(f, 3600e6) // one series, a step an hour
	for i, y := range []float64{10, 20, 10, 20, 10, 20} {
		k.Update(int64(i)*3600e6, y, nil)
	}
	o := models.NewOutlook(2, []float64{0.1, 0.9})
	k.Forecast(o, 5*3600e6, nil)
	fmt.Printf("%.1f %v\n", o.Mean, o.Health.Status)
	// Output: [10.0 20.0] good
}
