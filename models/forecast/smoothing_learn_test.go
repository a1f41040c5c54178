package forecast

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/modeltest"
)

// learnForms are the forms whose rates are learned: a level, a trend, a damped one, and both seasons.
var learnForms = []SmoothingForm{{}, {Trend: true}, {Trend: true, Damped: true}, {Trend: true, Season: AdditiveSeason}, {Trend: true, Damped: true, Season: MultiplicativeSeason},
	{Season: MultiplicativeSeason, RelativeError: true}}

// TestDerivativesOfSmoothing: while the rates stand still, the derivatives of each error by the logits are those of finite differences, over gaps too.
func TestDerivativesOfSmoothing(t *testing.T) {
	const n, season = 80, 4
	for _, form := range learnForms {
		rng := rand.New(rand.NewPCG(1, 2))
		y, steps := make([]float64, n), make([]int64, n)
		for i := range y {
			y[i] = 50 + 0.1*float64(i) + 8*math.Sin(2*math.Pi*float64(i)/season) + 3*rng.NormFloat64()
			if steps[i] = 1; rng.IntN(10) == 0 {
				steps[i] = 3
			}
		}
		base := [learnedRates]float64{-0.7, -1.5, -1}
		run := func(u [learnedRates]float64, learn bool) (errors []float64, gradients [][learnedRates]float64) {
			l := newRateLearner(season)
			l.begin([learnedRates]float64{})
			l.u = u
			p := smoothParams{SmoothingForm: form, winters: true, phi: 0.95}
			if !form.Damped {
				p.phi = 1
			}
			l.rates(&p)
			s := smoothState{level: 50, season: []float64{1, 1.1, 0.9, 1}}
			for i, v := range y {
				p.advance(&s, steps[i])
				l.advance(&p, steps[i])
				e := v - p.predict(&s)
				errors = append(errors, e)
				if !learn {
					p.correct(&s, e)
					continue
				}
				level, factor := s.level, s.season[s.at]
				p.correct(&s, e)
				gradients = append(gradients, l.follow(&p, &s, e, level, factor))
			}
			return errors, gradients
		}
		_, gradients := run(base, true)
		for k := range learnedRates {
			const h = 1e-5
			up, down := base, base
			up[k] += h
			down[k] -= h
			a, _ := run(up, false)
			b, _ := run(down, false)
			for i := range a {
				want := (a[i] - b[i]) / (2 * h)
				if got := gradients[i][k]; math.Abs(got-want) > 1e-6*(1+math.Abs(want)) {
					t.Fatalf("%s: error %d by rate %d: %v, by differences %v", form, i, k, got, want)
				}
			}
		}
	}
}

// drawSmoothing draws a series from exponential smoothing with these rates (Winters' names).
func drawSmoothing(rng *rand.Rand, form SmoothingForm, alpha, beta, gamma float64, m, n int) []float64 {
	p := smoothParams{SmoothingForm: form, winters: true, alpha: alpha, beta: alpha * beta, gamma: gamma * (1 - alpha), phi: 0.95}
	if !form.Damped {
		p.phi = 1
	}
	s := smoothState{level: 1000, season: make([]float64, m)}
	for i := range s.season {
		if s.season[i] = 40 * math.Sin(2*math.Pi*float64(i)/float64(m)); form.Season == MultiplicativeSeason {
			s.season[i] = 1 + 0.2*math.Sin(2*math.Pi*float64(i)/float64(m))
		}
	}
	y := make([]float64, n)
	for i := range y {
		p.advance(&s, 1)
		e := 5 * rng.NormFloat64()
		y[i] = p.predict(&s) + e
		p.correct(&s, e)
	}
	return y
}

// TestLearnedRatesComeNearTheBest: one pass with learned rates has, in its second half, nearly the error of the rates that drew the series, from default rates that have far more; and
// where the rates change, it follows.
func TestLearnedRatesComeNearTheBest(t *testing.T) {
	const m, n = 6, 3000
	for _, form := range learnForms[:5] {
		var learned, given, count float64
		for seed := range uint64(6) {
			rng := rand.New(rand.NewPCG(seed, 9))
			alpha, beta, gamma := 0.1+0.8*rng.Float64(), 0.02+0.1*rng.Float64(), 0.1+0.6*rng.Float64()
			y := drawSmoothing(rng, form, alpha, beta, gamma, m, n)
			phi := 0.95
			if !form.Damped {
				phi = 1
			}
			total := func(c WintersConfig, learn bool) float64 {
				c.Form, c.Phi, c.SmoothingOptions = form, phi, SmoothingOptions{Spread: 0.02, Learn: learn}
				if form.Season != NoSeason {
					c.Season = m
				}
				f, err := NewWinters(c)
				if err != nil {
					t.Fatal(err)
				}
				s, sum := f.Start().(*smoothed), 0.0
				for i, v := range y {
					s.Advance(1)
					s.Observe(v, nil)
					if i >= n/2 {
						r, _ := s.Residual()
						sum += r * r
					}
				}
				return sum
			}
			b := total(WintersConfig{Alpha: alpha, Beta: beta, Gamma: gamma}, false)
			learned += math.Log(total(WintersConfig{Alpha: 0.3, Beta: 0.05, Gamma: 0.2}, true) / b)
			given += math.Log(total(WintersConfig{Alpha: 0.3, Beta: 0.05, Gamma: 0.2}, false) / b)
			count++
		}
		learned, given = math.Exp(learned/count)-1, math.Exp(given/count)-1
		t.Logf("%s: squared errors %.2f %% above those of the true rates; the default rates %.1f %%", form, 100*learned, 100*given)
		if !(learned < 0.02) || !(learned < given/2) {
			t.Errorf("%s: learned rates are %.3f above the true ones, default ones %.3f", form, learned, given)
		}
	}
}

// TestLearnedRatesAreKept: a series with learned rates is saved and goes on with the same bits, begins anew with the given rates, and fit and learn exclude each other.
func TestLearnedRatesAreKept(t *testing.T) {
	f := ofCatalog(t, "holt_winters", map[string]any{"learn": true, "seasonal": "multiplicative"}, models.ForecastEnv{Seasons: []int{6}, Horizon: 3})
	a, b := f.Start(), f.Start()
	y := drawSmoothing(rand.New(rand.NewPCG(3, 3)), learnForms[4], 0.6, 0.1, 0.3, 6, 400)
	for i, v := range y {
		if i == 200 {
			loader := codec.Loader(saved(a))
			b.State(loader)
			if err := loader.Close(); err != nil {
				t.Fatal(err)
			}
		}
		a.Advance(1)
		a.Observe(v, nil)
		if i >= 200 {
			b.Advance(1)
			b.Observe(v, nil)
		}
	}
	if !bytes.Equal(saved(a), saved(b)) {
		t.Error("a loaded series goes on otherwise")
	}
	s := a.(*smoothed)
	if s.p.alpha == s.f.given.alpha {
		t.Error("the rates did not move")
	}
	if s.empty(); math.Abs(s.p.alpha-0.3) > 1e-12 {
		t.Errorf("an empty series begins with alpha %v", s.p.alpha)
	}
	if n := len(saved(a)); n > f.MaxBytes() {
		t.Errorf("%d bytes, at most %d are said", n, f.MaxBytes())
	}
	if _, err := NewWinters(WintersConfig{SmoothingOptions: SmoothingOptions{Spread: 0.1, Fit: 50, Learn: true}}); err == nil {
		t.Error("fit and learn together")
	}
}

// TestLearnedRatesConform runs the suite of forecasters: gaps, hostile values, damaged states, no allocation.
func TestLearnedRatesConform(t *testing.T) {
	for _, seasonal := range []string{"additive", "multiplicative"} {
		plan, err := models.Registry(Components).Resolve(models.Spec{Stages: []models.Stage{{Name: "holt_winters", Params: map[string]any{"learn": true, "seasonal": seasonal}}}}, models.Forecast)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(seasonal, func(t *testing.T) {
			modeltest.RunForecaster(t, modeltest.ForecasterCase{Name: seasonal, Env: models.ForecastEnv{Horizon: 10, Seasons: []int{7}, Seed: 1}, New: plan.Forecaster})
		})
	}
}

func BenchmarkLearnedRates(b *testing.B) {
	f := ofCatalog(b, "holt_winters", map[string]any{"learn": true}, models.ForecastEnv{Seasons: []int{24}, Horizon: 1})
	s := f.Start()
	b.ReportAllocs()
	for i := range b.N {
		s.Advance(1)
		s.Observe(float64(50+i%24+i%7), nil)
	}
}
