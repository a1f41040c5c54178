package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

func volatilities(t testing.TB, c VolatilityConfig) *Volatility {
	t.Helper()
	f, err := NewVolatility(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// deviations are those of the normal quantile .975 of each step.
func deviations(s models.Series, steps int) (d []float64) {
	o := models.NewOutlook(steps, []float64{0.975})
	s.Forecast(o, nil)
	for i, q := range o.Quantiles {
		d = append(d, (q-o.Mean[i])/1.959963984540054)
	}
	return d
}

// TestGARCHRecursion: the variance is that of the recursion written out, its forecasts those of expected squares put in.
func TestGARCHRecursion(t *testing.T) {
	const omega, alpha, beta = 0.2, 0.15, 0.7
	s := volatilities(t, VolatilityConfig{Omega: omega, Alpha: alpha, Beta: beta}).Start()
	v := omega / (1 - alpha - beta)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		y := rng.NormFloat64()
		s.Advance(1)
		s.Observe(y, nil)
		v = omega + alpha*y*y + beta*v
	}
	want := []float64{math.Sqrt(v)}
	for range 9 {
		v = omega + (alpha+beta)*v
		want = append(want, math.Sqrt(v))
	}
	if d := far(t, deviations(s, 10), want); d > 1e-12 {
		t.Errorf("deviations differ by %g", d)
	}
	s.Advance(4) // a gap is what was expected of it
	if d := far(t, deviations(s, 6), want[4:]); d > 1e-12 {
		t.Errorf("after a gap deviations differ by %g", d)
	}
}

// TestEWMAIsMeanFirst: the first variances are means of squares, later ones weigh the newest by 1 − λ.
func TestEWMAIsMeanFirst(t *testing.T) {
	s := volatilities(t, VolatilityConfig{Moving: true, Beta: 0.9}).Start()
	v, rng := 0.0, rand.New(rand.NewPCG(1, 1))
	for i := range 40 {
		y := rng.NormFloat64()
		s.Advance(1)
		s.Observe(y, nil)
		w := max(0.1, 1/float64(i+1))
		v += w * (y*y - v)
		if d := deviations(s, 3); i > 1 && math.Abs(d[2]-math.Sqrt(v)) > 1e-12 {
			t.Fatalf("after %d: %v, want %g", i, d, math.Sqrt(v))
		}
	}
}

// garchSeries draws from a GARCH(1,1).
func garchSeries(rng *rand.Rand, n int, omega, alpha, beta float64) []float64 {
	y, v := make([]float64, n), omega/(1-alpha-beta)
	for i := range y {
		y[i] = math.Sqrt(v) * rng.NormFloat64()
		v = omega + alpha*y[i]*y[i] + beta*v
	}
	return y
}

// TestGARCHFit: of a long series from the model, the fit finds its recursion.
func TestGARCHFit(t *testing.T) {
	s := volatilities(t, VolatilityConfig{Fit: 4000}).Start().(*volatility)
	for _, y := range garchSeries(rand.New(rand.NewPCG(5, 5)), 4000, 0.1, 0.12, 0.8) {
		s.Advance(1)
		s.Observe(y, nil)
	}
	if !s.fitted || math.Abs(s.alpha-0.12) > 0.04 || math.Abs(s.beta-0.8) > 0.06 || math.Abs(s.longRun()-0.1/0.08) > 0.25 {
		t.Errorf("ω %g, α %g, β %g", s.omega, s.alpha, s.beta)
	}
}

// TestGARCHCoverage: one and ten steps ahead, 95 % intervals hold their share.
func TestGARCHCoverage(t *testing.T) {
	y := garchSeries(rand.New(rand.NewPCG(6, 6)), 12000, 0.05, 0.2, 0.75)
	s, o := volatilities(t, VolatilityConfig{Fit: 2000, Paths: 400, Seed: 2}).Start(), models.NewOutlook(10, []float64{0.025, 0.975})
	var inside [2]float64
	n := 0.0
	for i := range len(y) - 10 {
		s.Advance(1)
		s.Observe(y[i], nil)
		if i < 2100 || i%5 > 0 {
			continue
		}
		n++
		s.Forecast(o, nil)
		for k, h := range []int{0, 9} {
			if v := y[i+1+h]; v >= o.Quantiles[2*h] && v <= o.Quantiles[2*h+1] {
				inside[k]++
			}
		}
	}
	for k, c := range inside {
		if share := c / n; math.Abs(share-0.95) > 0.012 {
			t.Errorf("horizon %d: %.4f in the 95 %% interval", []int{1, 10}[k], share)
		}
	}
}

// TestStudentQuantiles have the variance of the recursion, and heavier tails.
func TestStudentQuantiles(t *testing.T) {
	for _, paths := range []int{0, 16000} {
		s := volatilities(t, VolatilityConfig{Omega: 1, Degrees: 5, Paths: paths}).Start()
		s.Advance(1)
		s.Observe(2, nil)
		o := models.NewOutlook(3, []float64{0.01, 0.2, 0.99})
		s.Forecast(o, nil)
		for i, q := range o.Quantiles {
			want := math.Sqrt(3.0/5) * distuv.StudentsT{Sigma: 1, Nu: 5}.Quantile(o.Levels[i%3])
			if math.Abs(q-want) > 0.12 {
				t.Errorf("%d paths, %g quantile of step %d: %g, want %g", paths, o.Levels[i%3], i/3, q, want)
			}
		}
	}
}

func TestVolatilityConfigIsChecked(t *testing.T) {
	for i, c := range []VolatilityConfig{{}, {Omega: 1, Alpha: 0.5, Beta: 0.6}, {Omega: 1, Alpha: -1}, {Omega: 1, Degrees: 1}, {Omega: 1, MeanRate: 1}, {Fit: 10}, {Moving: true, Beta: 0.9, Fit: 100}, {Omega: 1, Paths: -1}} {
		if _, err := NewVolatility(c); err == nil {
			t.Errorf("configuration %d was accepted", i)
		}
	}
}

// FuzzLevelState: as FuzzSmoothedState, for what moves a level of counts, a variance or a line.
func FuzzLevelState(f *testing.F) {
	kinds := []models.Forecaster{
		poissonLevels(f, PoissonLevelConfig{Alpha: 0.1, Gamma: 0.1, Season: 4, Dispersion: true, Paths: 20, Outliers: 20}),
		volatilities(f, VolatilityConfig{Moving: true, Beta: 0.9, MeanRate: 0.05}), volatilities(f, VolatilityConfig{Fit: 50, Paths: 20}),
		thetas(f, func(c *ThetaConfig) { c.Season, c.Fit, c.Outliers = 4, 20, 4 }),
	}
	for k, forecaster := range kinds {
		s := forecaster.Start()
		for i := range 60 {
			if i%9 == 0 {
				f.Add(k, codec.Save(s), 3.0)
			}
			s.Advance(1)
			s.Observe(float64(i%4), nil)
		}
	}
	f.Fuzz(func(t *testing.T, kind int, state []byte, y float64) {
		if kind < 0 || kind >= len(kinds) || !finite(y) {
			return
		}
		fuzzSeries(t, kinds[kind], state, y)
	})
}

func BenchmarkVolatilityUpdate(b *testing.B) {
	s := volatilities(b, VolatilityConfig{Omega: 0.1, Alpha: 0.1, Beta: 0.8}).Start()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Advance(1)
		s.Observe(float64(i%3-1), nil)
	}
}

func BenchmarkGARCHForecast(b *testing.B) {
	s, o := volatilities(b, VolatilityConfig{Omega: 0.1, Alpha: 0.1, Beta: 0.8, Paths: 500}).Start(), models.NewOutlook(20, []float64{0.01, 0.5, 0.99})
	s.Advance(1)
	s.Observe(1, nil)
	b.ReportAllocs()
	for b.Loop() {
		s.Forecast(o, nil)
	}
}

func ExampleNewVolatility() {
	f, err := NewVolatility(VolatilityConfig{Omega: 0.1, Alpha: 0.2, Beta: 0.7})
	if err != nil {
		panic(err)
	}
	s := f.Start()
	for _, y := range []float64{0.5, -0.2, 3} {
		s.Advance(1)
		s.Observe(y, nil)
	}
	o := models.NewOutlook(3, []float64{0.05})
	s.Forecast(o, nil)
	fmt.Printf("%.2f\n", o.Quantiles)
	// Output: [-2.54 -2.47 -2.40]
}
