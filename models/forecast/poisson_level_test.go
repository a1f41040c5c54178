package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/freshet-ml/freshet/models"
)

func poissonLevels(t testing.TB, c PoissonLevelConfig) *PoissonLevel {
	t.Helper()
	f, err := NewPoissonLevel(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestDraws: counts and gamma variates have the moments of their distributions.
func TestDraws(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct{ mean, size float64 }{{0.3, 1e12}, {8, 1e12}, {60, 1e12}, {5, 0.7}, {50, 3}} {
		const n = 200000
		sum, squares := 0.0, 0.0
		for range n {
			y := drawCount(rng, c.mean, c.size)
			sum += y
			squares += (y - c.mean) * (y - c.mean)
		}
		want := c.mean + c.mean*c.mean/c.size
		if math.Abs(sum/n-c.mean) > 4*math.Sqrt(want/n) || math.Abs(squares/n/want-1) > 0.05 {
			t.Errorf("%+v: mean %g, variance %g of %g", c, sum/n, squares/n, want)
		}
	}
}

// TestPoissonSeason: factors and level are found, and the intervals a season ahead hold their share.
func TestPoissonSeason(t *testing.T) {
	factors := []float64{0.4, 1.2, 2, 0.9, 0.5}
	rng := rand.New(rand.NewPCG(2, 2))
	f := poissonLevels(t, PoissonLevelConfig{Alpha: 0.02, Gamma: 0.05, Season: 5, Paths: 400, Outliers: 20})
	s, o := f.Start().(*poissonLevel), models.NewOutlook(10, []float64{0.1, 0.9})
	const n = 3000
	y := make([]float64, n+10)
	for i := range y {
		y[i] = distuv.Poisson{Lambda: 12 * factors[i%5], Src: rng}.Rand()
	}
	var below, at, asked float64
	for i := range n {
		s.Advance(1)
		s.Observe(y[i], nil)
		if i < 300 || i%7 > 0 {
			continue
		}
		s.Forecast(o, nil)
		for h := range 10 {
			asked++
			if v := y[i+1+h]; v < o.Quantiles[2*h+1] {
				below++
				at++
			} else if v == o.Quantiles[2*h+1] {
				at++
			}
		}
	}
	if below/asked > 0.92 || at/asked < 0.89 {
		t.Errorf("%.3f below the 0.9 quantile, %.3f at or below", below/asked, at/asked)
	}
	for h := range 5 {
		if want := 12 * factors[(n+h)%5]; math.Abs(o.Mean[h]-want) > 0.2*want {
			t.Logf("mean %d: %g, want %g", h, o.Mean[h], want)
		}
	}
	if math.Abs(s.level-12) > 2 {
		t.Errorf("level %g", s.level)
	}
}

// TestDispersionIsLearned: of counts that spread beyond Poisson's, the size of their distribution.
func TestDispersionIsLearned(t *testing.T) {
	f := poissonLevels(t, PoissonLevelConfig{Alpha: 0.02, Dispersion: true, Outliers: 50})
	s := f.Start().(*poissonLevel)
	sizes := []float64{}
	for i, y := range counts(rand.New(rand.NewPCG(3, 3)), 6000, 8, 2, 0) {
		s.Advance(1)
		s.Observe(y, nil)
		if i > 1000 {
			sizes = append(sizes, s.size())
		}
	}
	slices.Sort(sizes)
	if m := sizes[len(sizes)/2]; m < 1.5 || m > 3 {
		t.Errorf("median size %g, want 2", m)
	}
}

// TestPathsOfCounts: without a moving level, what is far ahead is distributed as what is next.
func TestPathsOfCounts(t *testing.T) {
	f := poissonLevels(t, PoissonLevelConfig{Alpha: 1e-9, Paths: 8000, Seed: 4})
	s := f.Start()
	for range 50 {
		s.Advance(1)
		s.Observe(7, nil)
	}
	o := models.NewOutlook(6, []float64{0.1, 0.5, 0.9, 0.99})
	s.Forecast(o, nil)
	for i := 4; i < len(o.Quantiles); i++ {
		if math.Abs(o.Quantiles[i]-o.Quantiles[i%4]) > 1 {
			t.Errorf("step %d: %v, next %v", i/4, o.Quantiles[i/4*4:i/4*4+4], o.Quantiles[:4])
		}
	}
}

func TestPoissonConfigIsChecked(t *testing.T) {
	for i, c := range []PoissonLevelConfig{{}, {Alpha: 0.1, Gamma: 1}, {Alpha: 0.1, Season: -1}, {Alpha: 0.1, Paths: -1}, {Alpha: 0.1, Outliers: math.NaN()}} {
		if _, err := NewPoissonLevel(c); err == nil {
			t.Errorf("configuration %d was accepted", i)
		}
	}
}

func ExampleNewPoissonLevel() {
	f, err := NewPoissonLevel(PoissonLevelConfig{Alpha: 0.1, Gamma: 0.1, Season: 3, Paths: 200})
	if err != nil {
		panic(err)
	}
	s := f.Start()
	for i := range 60 {
		s.Advance(1)
		s.Observe([]float64{1, 6, 2}[i%3], nil)
	}
	o := models.NewOutlook(3, []float64{0.5, 0.9})
	s.Forecast(o, nil)
	fmt.Printf("%.1f %v\n", o.Mean, o.Quantiles[:2])
	// Output: [1.2 5.8 2.0] [1 3]
}

func BenchmarkPoissonLevelForecast(b *testing.B) {
	s, o := poissonLevels(b, PoissonLevelConfig{Alpha: 0.1, Gamma: 0.1, Season: 7, Dispersion: true, Paths: 300}).Start(), models.NewOutlook(28, []float64{0.1, 0.5, 0.9})
	for i := range 100 {
		s.Advance(1)
		s.Observe(float64(i&7), nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Forecast(o, nil)
	}
}
