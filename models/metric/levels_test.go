package metric

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/freshet-ml/freshet/internal/codec"
)

// TestForecastSet: many quantiles of the right normal distribution have its CRPS, σ/√π in the mean over labels (Gneiting & Raftery 2007, eq. 21), and cover what they say.
func TestForecastSet(t *testing.T) {
	var levels []float64
	for i := range 199 {
		levels = append(levels, float64(i+1)/200)
	}
	s, half, all := NewForecast(levels), NewForecast(levels), NewForecast(levels)
	rng, n := rand.New(rand.NewPCG(1, 2)), distuv.Normal{Mu: 3, Sigma: 2}
	answer := []float64{3}
	for _, q := range levels {
		answer = append(answer, n.Quantile(q))
	}
	for i := range 40_000 {
		y := 3 + 2*rng.NormFloat64()
		s.Add(y, answer, 1)
		if i%2 == 0 {
			half.Add(y, answer, 1)
		} else {
			all.Add(y, answer, 1)
		}
	}
	value := func(s *Set, name string) float64 {
		v, ok := s.Value(name)
		if !ok {
			t.Fatalf("no %s", name)
		}
		return v
	}
	if got, want := value(s, "crps"), 2/math.Sqrt(math.Pi); math.Abs(got-want) > 0.02 {
		t.Errorf("crps %.4f, in expectation %.4f", got, want)
	}
	if got := value(s, "coverage_90"); math.Abs(got-.9) > 0.01 {
		t.Errorf("coverage of 90 %% is %.3f", got)
	}
	if got, want := value(s, "mae"), 2*math.Sqrt(2/math.Pi); math.Abs(got-want) > 0.03 {
		t.Errorf("mae %.3f, want %.3f", got, want)
	}
	all.Merge(half)
	for _, name := range []string{"crps", "coverage_90", "mae"} {
		if a, b := value(s, name), value(all, name); math.Abs(a-b) > 1e-9 {
			t.Errorf("%s is %g, merged %g", name, a, b)
		}
	}
	loaded := NewForecast(levels)
	if err := codec.Load(loaded, codec.Save(s)); err != nil || !bytes.Equal(codec.Save(loaded), codec.Save(s)) {
		t.Errorf("loaded it is another: %v", err)
	}
	if codec.Load(NewForecast(levels[:5]), codec.Save(s)) == nil {
		t.Error("a set of other levels was accepted")
	}
}

// TestForecastByHand: two levels, one label.
func TestForecastByHand(t *testing.T) {
	s := NewForecast([]float64{.1, .9})
	s.Add(5, []float64{4, 1, 4}, 1) // weights .5 each; pinball .1·4 and .9·1
	if got, _ := s.Value("crps"); math.Abs(got-(.4+.9)) > 1e-12 {
		t.Errorf("crps %g", got)
	}
	if got, _ := s.Value("coverage_80"); got != 0 {
		t.Errorf("coverage %g", got)
	}
	s.Add(5, []float64{4, math.NaN(), 4}, 1)
	s.Add(5, []float64{4, 1}, 1)
	if s.Events() != 1 || s.Invalid() != 2 {
		t.Errorf("%d scored, %g not", s.Events(), s.Invalid())
	}
	p := NewForecastPeriods([]float64{.1, .9}, 3)
	p.Add(0, 5, []float64{4, 1, 9}, 1)
	if got, ok := p.List()[0].Value("coverage_80"); !ok || got != 1 {
		t.Errorf("coverage of the month %g", got)
	}
	if a, b := NewForecast(nil), New(4, 0); len(a.Values()) != len(b.Values()) {
		t.Error("without levels it has other metrics")
	}
}
