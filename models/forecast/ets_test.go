package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/models"
)

func ets(t testing.TB, c ETSConfig) *Smoothing {
	t.Helper()
	if c.Spread == 0 {
		c.Spread = 0.02
	}
	f, err := NewETS(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestPathsMeetClosedForm: of a linear form, simulated quantiles are the normal ones, also after a gap and far ahead.
func TestPathsMeetClosedForm(t *testing.T) {
	f := ets(t, ETSConfig{Form: SmoothingForm{Trend: true, Damped: true, Season: AdditiveSeason}, Alpha: 0.4, Beta: 0.1, Gamma: 0.2, Phi: 0.9, SmoothingOptions: SmoothingOptions{Season: 4, Paths: 8000, Seed: 3}})
	s := f.Resume(Smoothed{Level: 50, Trend: 1, Season: []float64{3, -1, -4, 2}}, 4).(*smoothed)
	s.Advance(1)
	s.Observe(54, nil)
	for _, gap := range []int64{0, 3} {
		if gap > 0 {
			s.Advance(gap)
		}
		for _, skip := range []int64{0, 2, 700} {
			closed, drawn := models.NewOutlook(6, []float64{0.025, 0.5, 0.9}), models.NewOutlook(6, []float64{0.025, 0.5, 0.9})
			closed.Skip, drawn.Skip = skip, skip
			s.Forecast(closed, nil)
			s.Forecast(drawn, nil)
			s.simulate(drawn)
			for i := range closed.Quantiles {
				deviation := (closed.Quantiles[i/3*3+2] - closed.Quantiles[i/3*3+1]) / 1.2816
				if d := (drawn.Quantiles[i] - closed.Quantiles[i]) / deviation; math.Abs(d) > 0.1 {
					t.Errorf("gap %d, skip %d, quantile %d: %g deviations away", gap, skip, i, d)
				}
			}
		}
	}
}

// TestRelativeCoverage: simulated intervals of a form with relative error and factors hold their share of futures of the model.
func TestRelativeCoverage(t *testing.T) {
	form := SmoothingForm{RelativeError: true, Trend: true, Season: MultiplicativeSeason}
	f := ets(t, ETSConfig{Form: form, Alpha: 0.4, Beta: 0.02, Gamma: 0.1, SmoothingOptions: SmoothingOptions{Season: 4, Paths: 2000, Seed: 9}})
	from := Smoothed{Level: 100, Trend: 1, Season: []float64{1.3, 0.9, 0.6, 1.2}}
	s, o := f.Resume(from, 0.01), models.NewOutlook(12, []float64{0.1, 0.9})
	s.Forecast(o, nil)
	rng, inside := rand.New(rand.NewPCG(4, 4)), make([]float64, 12)
	const futures = 4000
	for range futures {
		state := smoothState{level: 100, trend: 1, season: []float64{1.2, 1.3, 0.9, 0.6}}
		for h := range 12 {
			f.given.advance(&state, 1)
			mean := f.given.predict(&state)
			e := mean * 0.1 * rng.NormFloat64()
			if y := mean + e; y >= o.Quantiles[2*h] && y <= o.Quantiles[2*h+1] {
				inside[h]++
			}
			f.given.correct(&state, e)
		}
	}
	for h, n := range inside {
		if share := n / futures; math.Abs(share-0.8) > 0.03 {
			t.Errorf("%d ahead: %.3f of futures lie in the 80 %% interval", h+1, share)
		}
	}
}

// TestAutoChoosesForm: a series with growing factors is given factors, one without season none, and one around zero no relative error.
func TestAutoChoosesForm(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	chosen := func(value func(i int) float64) SmoothingForm {
		f := ets(t, ETSConfig{Forms: stableForms(), SmoothingOptions: SmoothingOptions{Season: 6, Fit: 120}})
		s := f.Start().(*smoothed)
		for i := range 130 {
			s.Advance(1)
			s.Observe(value(i), nil)
		}
		return s.p.SmoothingForm
	}
	season := []float64{1.4, 1.1, 0.5, 0.7, 1.2, 1.1}
	if f := chosen(func(i int) float64 { return (50 + 4*float64(i)) * season[i%6] * (1 + 0.03*rng.NormFloat64()) }); f.Season != MultiplicativeSeason || !f.Trend || !f.RelativeError {
		t.Errorf("growing factors: %v", f)
	}
	if f := chosen(func(i int) float64 { return 20*season[i%6] + rng.NormFloat64() - 20 }); f.Season != AdditiveSeason || f.RelativeError {
		t.Errorf("season around zero: %v", f)
	}
	if f := chosen(func(i int) float64 { return 100 + rng.NormFloat64() }); f.Season != NoSeason || f.Trend {
		t.Errorf("noise: %v", f)
	}
}

func TestForms(t *testing.T) {
	if len(smoothingForms) != 18 || len(stableForms()) != 15 {
		t.Errorf("%d forms, %d stable", len(smoothingForms), len(stableForms()))
	}
	for _, f := range smoothingForms {
		if got, err := ParseSmoothingForm(f.String()); err != nil || got != f {
			t.Errorf("%v read as %v: %v", f, got, err)
		}
	}
	for _, bad := range []string{"", "AA", "XAN", "AAAA", "aan"} {
		if _, err := ParseSmoothingForm(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if _, err := NewETS(ETSConfig{Alpha: 2, SmoothingOptions: SmoothingOptions{Spread: 1}}); err == nil {
		t.Error("alpha 2 was accepted")
	}
}

func BenchmarkETSForecast(b *testing.B) {
	f := ets(b, ETSConfig{Form: SmoothingForm{RelativeError: true, Trend: true, Season: MultiplicativeSeason}, Alpha: 0.3, Beta: 0.01, Gamma: 0.1, SmoothingOptions: SmoothingOptions{Season: 12, Paths: 500}})
	s, o := f.Resume(Smoothed{Level: 100, Trend: 1, Season: []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}}, 0.01), models.NewOutlook(24, []float64{0.025, 0.5, 0.975})
	b.ReportAllocs()
	for b.Loop() {
		s.Forecast(o, nil)
	}
}

func BenchmarkETSFit(b *testing.B) {
	f := ets(b, ETSConfig{Forms: stableForms(), SmoothingOptions: SmoothingOptions{Season: 12, Fit: 60}})
	rng := rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		s := f.Start()
		for i := range 60 {
			s.Advance(1)
			s.Observe(50+8*math.Sin(2*math.Pi*float64(i)/12)+rng.NormFloat64(), nil)
		}
	}
}

// ExampleNewETS takes form and rates as they are given, and a series from a known state on.
func ExampleNewETS() {
	form, err := ParseSmoothingForm("AAN")
	if err != nil {
		panic(err)
	}
	f, err := NewETS(ETSConfig{Form: form, Alpha: 0.5, Beta: 0.1, SmoothingOptions: SmoothingOptions{Spread: 0.02}})
	if err != nil {
		panic(err)
	}
	s := f.Resume(Smoothed{Level: 10, Trend: 1}, 1)
	for _, y := range []float64{12, 13, 15} {
		s.Advance(1)
		s.Observe(y, nil)
	}
	o := models.NewOutlook(3, nil)
	s.Forecast(o, nil)
	fmt.Printf("%.3f\n", o.Mean)
	// Output: [15.716 16.962 18.208]
}
