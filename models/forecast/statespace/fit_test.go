package statespace

import (
	"math"
	"testing"
)

// TestMaximumLikelihood finds the parameters that statsmodels found for structural models with an exact diffuse start, by Minimize over log-variances.
func TestMaximumLikelihood(t *testing.T) {
	r := load(t)
	for name, build := range map[string]struct {
		params []string
		start  []float64 // log10 of variances
		model  func(v []float64) *Model
		petrol bool
	}{
		"nile-ll-exact-mle": {[]string{"sigma2.irregular", "sigma2.level"}, []float64{4, 3}, func(v []float64) *Model { return Compose(v[0], Level(v[1])) }, false},
		"drivers-bsm-dummy-exact-mle": {[]string{"sigma2.irregular", "sigma2.level", "sigma2.seasonal"}, []float64{-2, -3, -6},
			func(v []float64) *Model { return Compose(v[0], Level(v[1]), SeasonalDummy(12, v[2])) }, false},
		"drivers-bsm-reg-exact-mle": {[]string{"sigma2.irregular", "sigma2.level", "sigma2.seasonal"}, []float64{-2, -3, -6},
			func(v []float64) *Model { return Compose(v[0], Level(v[1]), SeasonalDummy(12, v[2]), Regression(2, 0)) }, true},
		"airp-bsm-trig-exact-mle": {[]string{"sigma2.irregular", "sigma2.level", "sigma2.trend", "sigma2.freq_seasonal_12(6)"}, []float64{-4, -4, -8, -5},
			func(v []float64) *Model { return Compose(v[0], Trend(v[1], v[2]), SeasonalTrig(12, 6, v[3])) }, false},
		"ukgas-bsm-dummy-exact-mle": {[]string{"sigma2.irregular", "sigma2.level", "sigma2.trend", "sigma2.seasonal"}, []float64{-3, -4, -5, -3},
			func(v []float64) *Model { return Compose(v[0], Trend(v[1], v[2]), SeasonalDummy(4, v[3])) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			want := r.MLE[name]
			transform := want.Transform
			if build.petrol {
				transform = "log"
			}
			data := Data{Y: Column(r.series(t, want.Dataset, transform))}
			variances := func(x []float64) []float64 {
				v := make([]float64, len(x))
				for i := range x {
					v[i] = math.Pow(10, math.Max(x[i], -25))
				}
				return v
			}
			if build.petrol {
				z := build.model(variances(build.start)).Z[0]
				for i := range data.Y {
					row := append([]float64(nil), z...)
					row[12], row[13] = math.Log(r.Datasets["Seatbelts.PetrolPrice"].Y[i]), r.Datasets["Seatbelts.law"].Y[i]
					data.Z = append(data.Z, [][]float64{row})
				}
			}
			loglik := func(v []float64) float64 {
				f, err := NewFilter(build.model(v))
				if err != nil {
					t.Fatal(err)
				}
				var l Likelihood
				for i, y := range data.Y {
					if i > 0 {
						f.Predict()
					}
					z := f.z
					if data.Z != nil {
						z = data.Z[i][0]
					}
					l.add(f.ObserveRow(y[0], z))
				}
				return l.AllLog2Pi()
			}
			at := make([]float64, len(build.params))
			for i, p := range build.params {
				at[i] = want.Params[p]
			}
			if got := loglik(at); math.Abs(got-want.Loglik) > 1e-5 {
				t.Errorf("log-likelihood at the published parameters %.9f, want %.9f", got, want.Loglik)
			}
			x := append([]float64(nil), build.start...)
			for _, step := range []float64{1, 0.3} {
				Minimize(func(x []float64) float64 { return -loglik(variances(x)) }, x, step, 1e-10, 400)
			}
			v := variances(x)
			best := loglik(v)
			t.Logf("%v: %.9f, published %v: %.9f", v, best, at, want.Loglik)
			if best < want.Loglik-1e-5 {
				t.Errorf("found %.9f, less than the published %.9f", best, want.Loglik)
			}
			for i, p := range build.params {
				if at[i] > 1e-9 && math.Abs(v[i]/at[i]-1) > 0.01 {
					t.Errorf("%s is %g, published %g", p, v[i], at[i])
				}
			}
		})
	}
}

// Minimize on functions whose least value is known.
func TestMinimize(t *testing.T) {
	x := []float64{-1.2, 1}
	rosenbrock := func(x []float64) float64 { return math.Pow(1-x[0], 2) + 100*math.Pow(x[1]-x[0]*x[0], 2) }
	if v := Minimize(rosenbrock, x, 0.5, 1e-18, 2000); v > 1e-12 || math.Abs(x[0]-1) > 1e-5 {
		t.Errorf("%g at %v", v, x)
	}
	one := []float64{3}
	if v := Minimize(func(x []float64) float64 { return math.Abs(x[0] - 0.5) }, one, 1, 1e-12, 300); v > 1e-9 {
		t.Errorf("%g at %v", v, one)
	}
	hole := []float64{1}
	Minimize(func(x []float64) float64 {
		if x[0] < 0.2 {
			return math.NaN()
		}
		return x[0]
	}, hole, 0.3, 1e-9, 200)
	if math.Abs(hole[0]-0.2) > 1e-4 {
		t.Errorf("next to a hole: %v", hole)
	}
	calls := 0
	Minimize(func(x []float64) float64 { calls++; return rosenbrock(x) }, []float64{-1.2, 1}, 1, 0, 50)
	if calls > 55 {
		t.Errorf("%d evaluations of 50", calls)
	}
}
