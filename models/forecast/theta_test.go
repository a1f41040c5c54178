package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/models"
)

func thetas(t testing.TB, change func(*ThetaConfig)) *Theta {
	t.Helper()
	c := ThetaConfig{Variant: StandardTheta, Alpha: 0.3, Theta: 2, SeasonRate: 0.1, Discount: 1, Spread: 0.02}
	if change != nil {
		change(&c)
	}
	f, err := NewTheta(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestThetaAgainstR runs the cases of R's forecast::thetaf: α, the first level and the season as the case writes them; the slope comes from our running line, the season also from our decomposition.
func TestThetaAgainstR(t *testing.T) {
	refs := loadReferences(t)
	for _, name := range refs.family(t, "theta") {
		var c struct {
			Params struct {
				Alpha, L0 float64
				HalfSlope float64   `json:"half_slope"`
				Season    []float64 `json:"seasonal_factors"`
			}
			Forecast referenceForecast
		}
		refs.read(t, name, &c)
		y := refs.series(t, name)
		f := thetas(t, func(k *ThetaConfig) { k.Alpha, k.Season, k.SeasonRate = c.Params.Alpha, len(c.Params.Season), 0 })
		s := f.Resume(c.Params.L0, c.Params.Season, 1).(*theta)
		sse := 0.0
		for _, v := range y {
			x := v
			if s.kind != NoSeason {
				x /= s.season[wrap(s.at, 1, len(s.season))]
			}
			sse += (x - s.level) * (x - s.level)
			s.Advance(1)
			s.Observe(v, nil)
		}
		if d := far(t, []float64{s.share * s.line.slope()}, []float64{c.Params.HalfSlope}); !(d < 1e-9) {
			t.Errorf("%s: half of the slope differs by %g", name, d)
		}
		s.variance = sse / float64(len(y)-2) // R: of exponential smoothing alone
		mean, _, _, lower, upper := asked(s, c.Forecast.H)
		if d := far(t, mean, c.Forecast.Mean); !(d < 1e-9) {
			t.Errorf("%s: forecasts differ by %g", name, d)
		}
		if d := max(far(t, lower, c.Forecast.Lower95), far(t, upper, c.Forecast.Upper95)); !(d < 1e-9) && s.kind == NoSeason {
			t.Errorf("%s: bounds differ by %g", name, d) // R does not put the season to its bounds: not compared
		}
		if m := len(c.Params.Season); m > 0 {
			if !seasonal(y, m) {
				t.Errorf("%s: no season is found", name)
			}
			season := decompose(y, m, true)
			got := make([]float64, m)
			for i := range got {
				got[i] = season[(len(y)+i)%m]
			}
			if d := far(t, got, c.Params.Season); !(d < 1e-9) {
				t.Errorf("%s: the season differs by %g", name, d)
			}
		}
	}
}

// TestThetaFollowsTrend: of a line with a season and noise, all variants find season and growth.
func TestThetaFollowsTrend(t *testing.T) {
	season := []float64{1.3, 0.9, 0.6, 1.2}
	for _, variant := range []ThetaVariant{StandardTheta, OptimisedTheta, DynamicTheta} {
		for _, shift := range []float64{0, -300} { // around zero the season is added
			rng := rand.New(rand.NewPCG(1, 1))
			value := func(i int) float64 {
				if shift != 0 {
					return shift + 2*float64(i) + 50*season[i%4]
				}
				return (100 + 2*float64(i)) * season[i%4]
			}
			s := thetas(t, func(c *ThetaConfig) { c.Variant, c.Season, c.Fit = variant, 4, 60 }).Start()
			for i := range 200 {
				s.Advance(1)
				s.Observe(value(i)+rng.NormFloat64(), nil)
			}
			for h := range 8 {
				if got, want := mean1(s, int64(h)), value(200+h); math.Abs(got-want) > 0.06*want+6 {
					t.Errorf("%s, shift %g, %d ahead: %g, want %g", variant, shift, h+1, got, want)
				}
			}
		}
	}
}

// TestThetaGap: a gap is what was forecast for it, so the forecast over it stays.
func TestThetaGap(t *testing.T) {
	s := thetas(t, nil).Start()
	for i := range 300 {
		s.Advance(1)
		s.Observe(10+0.5*float64(i), nil)
	}
	want := mean1(s, 7)
	s.Advance(7)
	if got := mean1(s, 0); math.Abs(got-want) > 1e-9 {
		t.Errorf("in the gap %g, before it %g", got, want)
	}
	s.Advance(1)
	s.Observe(want, nil)
	if got := mean1(s, 0); math.Abs(got-want-0.25) > 0.1 { // half of the slope, and what it lags behind
		t.Errorf("after the gap %g, want %g", got, want+0.25)
	}
}

// TestThetaShift: after a change of level the line moves, not its slope.
func TestThetaShift(t *testing.T) {
	s := thetas(t, func(c *ThetaConfig) { c.Outliers = 4 }).Start()
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 220 {
		y := 50 + rng.NormFloat64()
		if i >= 200 {
			y += 500
		}
		s.Advance(1)
		s.Observe(y, nil)
	}
	o := models.NewOutlook(10, nil)
	s.Forecast(o, nil)
	if o.Health.Shifts != 1 || math.Abs(o.Mean[9]-550) > 8 {
		t.Errorf("%+v, %v", o.Health, o.Mean)
	}
}

// TestThetaFormOfSeason: differences and factors are told apart by the errors they leave; factors are the rule where both fit, differences where values are not above 0 or a factor would be small.
func TestThetaFormOfSeason(t *testing.T) {
	season := []float64{-30, 10, 25, -5}
	for _, c := range []struct {
		name    string
		value   func(i int) float64
		factors bool
	}{
		{"differences on a level that grows", func(i int) float64 { return 60 + 8*float64(i) + season[i%4] }, false},
		{"factors on a level that grows", func(i int) float64 { return (60 + 8*float64(i)) * (1 + season[i%4]/60) }, true},
		{"a constant level", func(i int) float64 { return 60 + season[i%4] }, true},
		{"values of 0", func(i int) float64 { return 30 + season[i%4] }, false},
		{"a factor near 0", func(i int) float64 { return []float64{0.5, 40, 60, 40}[i%4] }, false},
	} {
		x := make([]float64, 41)
		for i := range x {
			x[i] = c.value(i)
		}
		x[17] = math.NaN()
		got, factors := seasonOf(x, 4)
		if factors != c.factors || len(got) != 4 {
			t.Errorf("%s: factors %v, %v", c.name, factors, got)
		}
	}
}

// TestThetaOnDrawnSeries prints what the form of the season was decided on.
func TestThetaOnDrawnSeries(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	for _, c := range drawnSets() {
		if c.seasons == nil {
			continue
		}
		c.count = min(c.count, 40)
		env := models.ForecastEnv{Seasons: c.seasons, Horizon: c.ahead}
		got, naive := c.judge(named(t, "theta", env)), c.judge(NewNaive(env))
		t.Logf("%s: one step %.4f, all %.4f, crps %.4f; seasonal naive %.4f, %.4f, %.4f", c.name, got.one, got.all, got.crps, naive.one, naive.all, naive.crps)
		if !(got.one < 1.05*naive.one) {
			t.Errorf("%s: one step %.4f, seasonal naive %.4f", c.name, got.one, naive.one)
		}
	}
}

func TestThetaConfigIsChecked(t *testing.T) {
	good := ThetaConfig{Variant: DynamicTheta, Alpha: 0.3, Theta: 2, Discount: 1, Spread: 0.02, Season: 6, Fit: 20}
	if _, err := NewTheta(good); err != nil {
		t.Fatal(err)
	}
	for i, change := range []func(*ThetaConfig){
		func(c *ThetaConfig) { c.Variant = "x" }, func(c *ThetaConfig) { c.Alpha = 0 }, func(c *ThetaConfig) { c.Theta = 0.5 }, func(c *ThetaConfig) { c.Fit = 12 },
		func(c *ThetaConfig) { c.Discount = 0 }, func(c *ThetaConfig) { c.Season = 1 << 20 }, func(c *ThetaConfig) { c.Outliers = math.NaN() }, func(c *ThetaConfig) { c.SeasonRate = -1 },
	} {
		bad := good
		change(&bad)
		if _, err := NewTheta(bad); err == nil {
			t.Errorf("change %d was accepted", i)
		}
	}
}

func BenchmarkThetaUpdate(b *testing.B) {
	s := thetas(b, func(c *ThetaConfig) { c.Season, c.Fit, c.Outliers = 12, 37, 4 }).Start()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Advance(1)
		s.Observe(50+float64(i%12), nil)
	}
}

func ExampleNewTheta() {
	f, err := NewTheta(ThetaConfig{Variant: StandardTheta, Alpha: 0.5, Theta: 2, Discount: 1, Spread: 0.02})
	if err != nil {
		panic(err)
	}
	s := f.Start()
	for _, y := range []float64{10, 12, 14, 16, 18} {
		s.Advance(1)
		s.Observe(y, nil)
	}
	o := models.NewOutlook(3, nil)
	s.Forecast(o, nil)
	fmt.Printf("%.2f\n", o.Mean)
	// Output: [18.06 19.06 20.06]
}
