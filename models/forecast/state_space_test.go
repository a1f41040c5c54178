package forecast

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/forecast/statespace"
)

// ofCatalog makes a forecaster of the catalogue.
func ofCatalog(t testing.TB, name string, params map[string]any, env models.ForecastEnv) models.Forecaster {
	t.Helper()
	plan, err := models.Registry(Components).Resolve(models.Spec{Stages: []models.Stage{{Name: name, Params: params}}}, models.Forecast)
	if err != nil {
		t.Fatal(err)
	}
	f, err := plan.Forecaster(env)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func saved(s models.Series) []byte {
	v := codec.Saver(nil)
	s.State(v)
	return v.Bytes()
}

// healthOf asks for one step.
func healthOf(s models.Series, x [][]float64) (float64, models.Health) {
	o := models.NewOutlook(1, nil)
	s.Forecast(o, x)
	return o.Mean[0], o.Health
}

// A gap in one go is that many steps.
func TestGapIsItsSteps(t *testing.T) {
	for _, name := range stateSpaceModels {
		f := ofCatalog(t, name, nil, models.ForecastEnv{Seasons: []int{4}, Horizon: 3})
		a, b := f.Start(), f.Start()
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range 150 {
			steps := 1
			if i%20 == 19 {
				steps = 1 + rng.IntN(9)
			}
			a.Advance(int64(steps))
			for range steps {
				b.Advance(1)
			}
			y := 20 + 3*float64(i%4) + rng.NormFloat64()
			a.Observe(y, nil)
			b.Observe(y, nil)
		}
		p, q := models.NewOutlook(3, nil), models.NewOutlook(3, nil)
		a.Forecast(p, nil)
		b.Forecast(q, nil)
		for h, m := range p.Mean {
			if math.Abs(m-q.Mean[h]) > 1e-9 {
				t.Errorf("%s: a gap is not its steps: %v, %v", name, p.Mean, q.Mean)
			}
		}
		if name != "local_level" && !bytes.Equal(saved(a), saved(b)) { // it adds the variance of a gap in one go
			t.Errorf("%s: a gap leaves another state than its steps", name)
		}
	}
}

// One value far outside is damped and counted; a level that stays is believed within a few values, and counted.
func TestOutliersAndShifts(t *testing.T) {
	for _, name := range stateSpaceModels {
		f := ofCatalog(t, name, nil, models.ForecastEnv{Horizon: 1})
		s := f.Start()
		rng := rand.New(rand.NewPCG(1, 2))
		feed := func(n int, level float64) {
			for range n {
				s.Advance(1)
				s.Observe(level+rng.NormFloat64(), nil)
			}
		}
		feed(300, 50)
		_, calm := healthOf(s, nil)
		feed(1, 500)
		m, spiked := healthOf(s, nil)
		if math.Abs(m-50) > 4 || spiked.Anomalies != calm.Anomalies+1 || spiked.Shifts != calm.Shifts {
			t.Errorf("%s: after a spike %.1f, %+v", name, m, spiked)
		}
		feed(50, 50)
		feed(12, 90)
		m, moved := healthOf(s, nil)
		if math.Abs(m-90) > 6 || moved.Shifts != spiked.Shifts+1 || moved.Status != models.HealthShifted {
			t.Errorf("%s: after a shift %.1f, %+v", name, m, moved)
		}
	}
}

// Regressors are used: what they explain is forecast.
func TestRegressors(t *testing.T) {
	for _, name := range []string{"unobserved_components", "sarima", "dynamic_linear_model"} {
		f := ofCatalog(t, name, nil, models.ForecastEnv{Seasons: []int{6}, Horizon: 1, Regressors: 2})
		s := f.Start()
		rng := rand.New(rand.NewPCG(1, 2))
		total, n := 0.0, 0.0
		for i := range 600 {
			x := []float64{1000 * rng.NormFloat64(), float64(rng.IntN(2))}
			y := 100 + 0.02*x[0] + 7*x[1] + 5*math.Sin(2*math.Pi*float64(i)/6) + rng.NormFloat64()
			if i > 300 {
				m, _ := healthOf(s, [][]float64{x})
				total += math.Abs(m - y)
				n++
			}
			s.Advance(1)
			s.Observe(y, x)
		}
		if mae := total / n; mae > 1.15 { // of the noise alone: 0.80; without regressors above 16
			t.Errorf("%s: mean absolute error %.2f", name, mae)
		}
	}
}

// Logarithms are taken where they are likelier, left when a value has none, and refused values are counted.
func TestTransforms(t *testing.T) {
	for _, name := range []string{"unobserved_components", "sarima"} {
		env := models.ForecastEnv{Seasons: []int{6}, Horizon: 1}
		rng := rand.New(rand.NewPCG(1, 2))
		grow := func(i int) float64 {
			return math.Exp(3 + 0.01*float64(i) + 0.5*math.Sin(2*math.Pi*float64(i)/6) + 0.05*rng.NormFloat64())
		}
		s := ofCatalog(t, name, nil, env).Start()
		for i := range 200 {
			s.Advance(1)
			s.Observe(grow(i), nil)
		}
		logs := func(s models.Series) bool {
			switch s := s.(type) {
			case *unobserved:
				return s.scale.log
			case *sarima:
				return s.scale.log
			}
			return false
		}
		if !logs(s) {
			t.Errorf("%s: a series that grows with its season is worked with as it is", name)
		}
		s.Advance(1)
		s.Observe(-1, nil)
		if _, h := healthOf(s, nil); logs(s) || h.Refused != 0 || h.Observed != 201 {
			t.Errorf("%s: a negative value: %+v", name, h)
		}
		strict := ofCatalog(t, name, map[string]any{"transform": "log"}, env).Start()
		for i := range 80 {
			strict.Advance(1)
			strict.Observe([]float64{grow(i), 0}[i%8/7], nil)
		}
		if m, h := healthOf(strict, nil); h.Refused != 10 || h.Observed != 70 || !(m > 0) {
			t.Errorf("%s: with logarithms only: %g, %+v", name, m, h)
		}
	}
}

// The innovations form with its rings is the exact Kalman filter of the same model once that has settled, also after missing values.
func TestSARIMAIsItsFilter(t *testing.T) {
	env := models.ForecastEnv{Seasons: []int{4}, Horizon: 8}
	m, err := NewSARIMA(SARIMAConfig{Order: [3]int{1, 1, 1}, SeasonalOrder: [3]int{1, 0, 1}, Transform: "none", Evaluations: 1, Memory: 0.99}, env)
	if err != nil {
		t.Fatal(err)
	}
	s := m.Start().(*sarima)
	copy(s.theta, []float64{0.5, 0.4, 0.3, 0.6})
	s.fits = maxSarimaFits // none comes
	s.derive()
	c := func(x float64) float64 { return 0.99 * math.Tanh(x) }
	model, err := (&statespace.ARIMA{AR: []float64{c(0.5)}, MA: []float64{-c(0.4)}, SeasonalAR: []float64{c(0.3)}, SeasonalMA: []float64{-c(0.6)}, Diff: 1, Period: 4, Variance: 1}).Model()
	if err != nil {
		t.Fatal(err)
	}
	exact, err := statespace.NewFilter(model)
	if err != nil {
		t.Fatal(err)
	}
	rng, y := rand.New(rand.NewPCG(1, 2)), 100.0
	for i := range 400 {
		y += rng.NormFloat64()
		s.Advance(1)
		if i > 0 {
			exact.Predict()
		}
		if i == 350 || i >= 375 && i < 378 {
			exact.Observe(math.NaN())
			continue
		}
		if want, variance := exact.Forecast(model.Z[0]); i > 200 {
			near := 1e-9
			if i > 350 { // what is not known of the errors of missing values is left out
				near = 0.1
			}
			if d := math.Abs(s.y[s.at] - want); d > near {
				t.Fatalf("value %d: forecast %.6f, exact %.6f", i, s.y[s.at], want)
			}
			if got := s.psi[s.missed-1]; math.Abs(got-variance) > 0.1 {
				t.Fatalf("value %d: variance %.6f, exact %.6f", i, got, variance)
			}
		}
		// The guard would damp errors: the rings take them as they are.
		missed := s.missed - 1
		if e := y - s.y[s.at]; missed == 0 {
			s.e[s.at], s.y[s.at] = e, y
		} else {
			s.mend(e, missed)
		}
		s.missed = 0
		s.steps = min(s.steps, len(s.y)-1)
		exact.Observe(y)
	}
	ahead := s.ahead(8)
	for h := range 8 {
		exact.Predict()
		want, variance := exact.Forecast(model.Z[0])
		if math.Abs(ahead[h]-want) > 0.05 || math.Abs(s.psi[h]-variance) > 1e-2 {
			t.Errorf("%d ahead: %.5f with %.5f, exact %.5f with %.5f", h+1, ahead[h], s.psi[h], want, variance)
		}
	}
}

// Of a simulated local level the learned ratio is near the true one, and intervals hold what they say.
func TestLocalLevelLearnsItsRatio(t *testing.T) {
	for _, ratio := range []float64{0.01, 0.3} {
		f := NewLocalLevel(0, 0.99)
		s := f.Start().(*localLevel)
		rng, level := rand.New(rand.NewPCG(3, 2)), 10.0
		covered, n := 0.0, 0.0
		o := models.NewOutlook(1, []float64{0.1, 0.9})
		for range 3000 {
			level += math.Sqrt(ratio) * rng.NormFloat64()
			y := level + rng.NormFloat64()
			if s.count > 100 {
				s.Forecast(o, nil)
				n++
				if y >= o.Quantiles[0] && y <= o.Quantiles[1] {
					covered++
				}
			}
			s.Advance(1)
			s.Observe(y, nil)
		}
		if got := f.ratios[s.best]; got < ratio/4 || got > ratio*4 {
			t.Errorf("ratio %g learned as %g", ratio, got)
		}
		if c := covered / n; math.Abs(c-0.8) > 0.04 {
			t.Errorf("ratio %g: 80 %% intervals hold %.3f", ratio, c)
		}
	}
}

func TestStateSpaceParametersAreChecked(t *testing.T) {
	env := models.ForecastEnv{Seasons: []int{24, 168, 400}, Horizon: 4}
	for _, c := range []struct {
		name   string
		params map[string]any
		want   string
	}{
		{"sarima", map[string]any{"order": "1,0"}, "three numbers"},
		{"sarima", map[string]any{"order": "9,0,1"}, "from 0 to 5"},
		{"sarima", map[string]any{"seasonal_order": "1,2,1"}, "D is 0 or 1"},
		{"unobserved_components", map[string]any{"harmonics": 60}, "fewer harmonics"},
		{"dynamic_linear_model", map[string]any{"harmonics": 60}, "fewer harmonics"},
	} {
		plan, err := models.Registry(Components).Resolve(models.Spec{Stages: []models.Stage{{Name: c.name, Params: c.params}}}, models.Forecast)
		if err == nil {
			_, err = plan.Forecaster(env)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: %v, want … %s …", c.name, c.params, err, c.want)
		}
	}
}

func BenchmarkStateSpace(b *testing.B) {
	for _, name := range stateSpaceModels {
		b.Run(name, func(b *testing.B) {
			s := ofCatalog(b, name, nil, models.ForecastEnv{Seasons: []int{12}, Horizon: 12}).Start()
			for i := range 5000 {
				s.Advance(1)
				s.Observe(float64(i%12)+0.1*float64(i%7), nil)
			}
			i := 0
			for b.Loop() {
				s.Advance(1)
				s.Observe(float64(i%12)+0.1*float64(i%7), nil)
				i++
			}
		})
	}
}

func ExampleNewDynamicLinear() {
	f, err := NewDynamicLinear(DynamicLinearConfig{Trend: "local", Harmonics: 2, TrendKeep: 0.95, SeasonKeep: 0.995, CoefKeep: 0.998, Memory: 0.99}, models.ForecastEnv{Seasons: []int{4}, Horizon: 4})
	if err != nil {
		panic(err)
	}
	s := f.Start()
	for i := range 60 {
		s.Advance(1)
		s.Observe(100+0.5*float64(i)+[]float64{3, -1, -4, 2}[i%4], nil)
	}
	o := models.NewOutlook(4, []float64{0.025, 0.975})
	s.Forecast(o, nil)
	fmt.Printf("%.1f %v\n", o.Mean, o.Health.Status)
	// Output:
	// [133.0 129.5 127.0 133.5] good
}

// Quantiles of logarithms go where the mean goes: in a series that grows, a level without slope lags, and half of the values must not lie above all but the last quantiles.
func TestQuantilesGrowWithTheSeries(t *testing.T) {
	const n, h = 144, 12
	for _, name := range []string{"unobserved_components", "sarima"} {
		rng, below, total := rand.New(rand.NewPCG(5, 7)), 0.0, 0.0
		for range 4 {
			y, level := make([]float64, n), 5.0
			for i := range y {
				level += 0.03 + 0.02*rng.NormFloat64()
				y[i] = math.Exp(level + 0.3*math.Sin(2*math.Pi*float64(i)/12) + 0.05*rng.NormFloat64())
			}
			s, o := ofCatalog(t, name, nil, models.ForecastEnv{Seasons: []int{12}, Horizon: h}).Start(), models.NewOutlook(h, []float64{0.5})
			for i := range n - h {
				s.Advance(1)
				s.Observe(y[i], nil)
				if i < n/2 {
					continue
				}
				s.Forecast(o, nil)
				for k, q := range o.Quantiles {
					if total++; y[i+1+k] < q {
						below++
					}
				}
			}
		}
		if share := below / total; !(share > 0.2 && share < 0.8) {
			t.Errorf("%s: %.3f of the values lie below the median", name, share)
		}
	}
}
