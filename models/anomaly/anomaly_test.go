package anomaly_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/anomaly"
)

func env(columns int) models.Env {
	s := &features.Schema{}
	for i := range columns {
		s.Columns = append(s.Columns, features.Column{Name: fmt.Sprint("x", i)})
	}
	return models.Env{Task: models.Anomaly, Schema: s, Seed: 1}
}

func row(x ...float64) *models.Example {
	return &models.Example{Row: models.Row{Value: x}, Weight: 1}
}

// detectors makes one of each, with a rate of false alarms of 2 %.
func detectors(t testing.TB, columns int) map[string]models.Learner {
	t.Helper()
	const rate, memory = 0.02, 5000
	out := map[string]models.Learner{}
	add := func(name string, m models.Learner, err error) {
		if err != nil {
			t.Fatal(err)
		}
		out[name] = m
	}
	hst, err := anomaly.NewHalfSpaceTrees(env(columns), anomaly.HalfSpaceTreesConfig{Trees: 10, Height: 8, Window: 250, SizeLimit: 0.1, Rate: rate, Memory: memory})
	add("half_space_trees", hst, err)
	rrcf, err := anomaly.NewCutForest(env(columns), 20, 128, rate, memory)
	add("robust_random_cut_forest", rrcf, err)
	forest, err := anomaly.NewIsolationForest(env(columns), anomaly.IsolationForestConfig{Trees: 32, Window: 1024, MaxLeaf: 16, Rate: rate, Memory: memory})
	add("online_isolation_forest", forest, err)
	loda, err := anomaly.NewLODA(env(columns), 100, 64, rate, memory)
	add("loda", loda, err)
	gauss, err := anomaly.NewGaussianFilter(env(columns), rate, 1000, 100)
	add("gaussian_filter", gauss, err)
	inner, err := anomaly.NewLODA(env(columns), 50, 64, 0.01, memory)
	if err != nil {
		t.Fatal(err)
	}
	filter, err := anomaly.NewQuantileFilter(inner, rate, memory, true)
	add("quantile_filter", filter, err)
	return out
}

// TestAlarmsAtTheWantedRate: among normal examples about as many raise an alarm as were wanted, and an example far outside of
// all others is an alarm and stands before almost all normal ones.
func TestAlarmsAtTheWantedRate(t *testing.T) {
	for name, m := range detectors(t, 3) {
		rng := rand.New(rand.NewPCG(1, 2))
		alarms, asked := 0, 0
		var normal []float64
		for i := range 6000 {
			e := row(rng.NormFloat64(), 5+2*rng.NormFloat64(), rng.NormFloat64())
			p := m.Predict(nil, e)[0]
			if i >= 2000 {
				asked++
				normal = append(normal, p)
				if p > 0.5 {
					alarms++
				}
			}
			m.Observe(e)
			m.Learn(e, nil)
		}
		share := float64(alarms) / float64(asked)
		if share < 0.01 || share > 0.035 {
			t.Errorf("%s: %.2f %% alarms, 2 %% were wanted", name, 100*share)
		}
		strange := m.Predict(nil, row(9, 23, -9))[0]
		slices.Sort(normal)
		if at := normal[len(normal)*97/100]; strange <= 0.5 || strange <= at {
			t.Errorf("%s: a strange example gets %v, the 97th percentile of normal ones is %v", name, strange, at)
		}
	}
}

// TestThresholdAgainstSort: without fading, the threshold is within a bucket of the exact quantile at every moment.
func TestThresholdAgainstSort(t *testing.T) {
	for _, rate := range []float64{0.01, 0.1, 0.5} {
		th := anomaly.NewThreshold(rate, 1<<40)
		rng := rand.New(rand.NewPCG(3, 4))
		var all []float64
		for i := range 3000 {
			x := rng.ExpFloat64() * float64(1+i/1000)
			th.Add(x)
			all = append(all, x)
			if i%100 != 99 {
				continue
			}
			above := 0
			for _, v := range all {
				if v > th.Value() {
					above++
				}
			}
			slices.Sort(all)
			exact := all[len(all)-1-int(rate*float64(len(all)))]
			if math.Abs(th.Value()-exact) > 0.04*exact && math.Abs(float64(above)-rate*float64(len(all))) > 3 {
				t.Fatalf("rate %v after %d: threshold %v with %d above, exact %v", rate, i+1, th.Value(), above, exact)
			}
		}
	}
}

// TestThresholdForgets: after the scores have grown tenfold, the threshold follows.
func TestThresholdForgets(t *testing.T) {
	th := anomaly.NewThreshold(0.1, 500)
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range 10000 {
		x := rng.Float64()
		if i >= 5000 {
			x *= 10
		}
		th.Add(x)
	}
	if v := th.Value(); v < 8.6 || v > 9.4 {
		t.Errorf("threshold %v, want 9", v)
	}
}

// TestGaussianThreshold: with one column and warm moments, the alarm stands at the normal quantile: 2.5758 deviations for 1 %.
func TestGaussianThreshold(t *testing.T) {
	m, err := anomaly.NewGaussianFilter(env(1), 0.01, 1<<30, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		m.Observe(row(float64(i%2*2 - 1))) // mean 0, deviation 1
	}
	if below, above := m.Predict(nil, row(2.575))[0], m.Predict(nil, row(2.577))[0]; below > 0.5 || above <= 0.5 {
		t.Errorf("answers %v and %v around the quantile", below, above)
	}
}

// TestQuantileFilterProtects: while it alarms, the detector does not see the examples, and so goes on alarming.
func TestQuantileFilterProtects(t *testing.T) {
	for _, protect := range []bool{true, false} {
		inner, err := anomaly.NewGaussianFilter(env(1), 0.01, 50, 10)
		if err != nil {
			t.Fatal(err)
		}
		m, err := anomaly.NewQuantileFilter(inner, 0.05, 100000, protect)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(7, 8))
		for range 2000 {
			m.Observe(row(rng.NormFloat64()))
		}
		alarms := 0
		for range 50 {
			e := row(12 + rng.NormFloat64())
			if m.Predict(nil, e)[0] > 0.5 {
				alarms++
			}
			m.Observe(e)
		}
		if protect && (alarms < 50 || m.Kept() < 50) || !protect && (alarms > 40 || m.Kept() != 0) {
			t.Errorf("protect %v: %d alarms of 50, %d kept", protect, alarms, m.Kept())
		}
	}
}

func TestOnlyAnomalies(t *testing.T) {
	e := env(1)
	e.Task = models.Binary
	if _, err := anomaly.NewLODA(e, 1, 2, 0.1, 10); err == nil {
		t.Error("a classification was accepted")
	}
	if _, err := anomaly.NewHalfSpaceTrees(env(1), anomaly.HalfSpaceTreesConfig{Trees: 1000, Height: 16, Window: 2, Rate: 0.1, Memory: 10}); err == nil {
		t.Error("trees of 131 million parts were accepted")
	}
}

func watch(m models.Learner) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		m.Observe(row(20 + rng.NormFloat64()))
	}
	fmt.Println("20:", m.Predict(nil, row(20))[0] > 0.5, " 35:", m.Predict(nil, row(35))[0] > 0.5)
}

func ExampleNewHalfSpaceTrees() {
	m, err := anomaly.NewHalfSpaceTrees(env(1), anomaly.HalfSpaceTreesConfig{Trees: 10, Height: 8, Window: 250, SizeLimit: 0.1, Rate: 0.01, Memory: 10000})
	if err != nil {
		fmt.Println(err)
		return
	}
	watch(m)
	// Output: 20: false  35: true
}

func ExampleNewCutForest() {
	m, err := anomaly.NewCutForest(env(1), 10, 64, 0.01, 10000)
	if err != nil {
		fmt.Println(err)
		return
	}
	watch(m)
	// Output: 20: false  35: true
}

func ExampleNewIsolationForest() {
	m, err := anomaly.NewIsolationForest(env(1), anomaly.IsolationForestConfig{Trees: 32, Window: 1024, MaxLeaf: 16, Rate: 0.05, Memory: 10000})
	if err != nil {
		fmt.Println(err)
		return
	}
	watch(m)
	// Output: 20: false  35: true
}

func ExampleNewLODA() {
	m, err := anomaly.NewLODA(env(1), 10, 64, 0.01, 10000)
	if err != nil {
		fmt.Println(err)
		return
	}
	watch(m)
	// Output: 20: false  35: true
}

func ExampleNewGaussianFilter() {
	m, err := anomaly.NewGaussianFilter(env(1), 0.01, 1000, 100)
	if err != nil {
		fmt.Println(err)
		return
	}
	watch(m)
	// Output: 20: false  35: true
}

func ExampleNewQuantileFilter() {
	inner, err := anomaly.NewGaussianFilter(env(1), 0.01, 1000, 100)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := anomaly.NewQuantileFilter(inner, 0.01, 10000, true)
	if err != nil {
		fmt.Println(err)
		return
	}
	watch(m)
	// Output: 20: false  35: true
}
