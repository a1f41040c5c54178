package forecast

import (
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/models"
)

// lastColumn reads the last column of a file of reference data.
func lastColumn(t testing.TB, name string) []float64 {
	t.Helper()
	var y []float64
	for _, row := range fileTable(t, name) {
		v, err := strconv.ParseFloat(row[len(row)-1], 64)
		if err != nil {
			t.Fatal(err)
		}
		y = append(y, v)
	}
	return y
}

// rolling is what a forecaster makes of a series, one pass, scored from half of it on: mean absolute errors one step and 24 steps ahead and over all 24, and the part of the values
// one step ahead that lie in the 95 % interval.
type rolling struct {
	one, last, all, covered float64
	update                  time.Duration
	health                  models.Health
}

func roll(f models.Forecaster, y []float64, from int) (r rolling) {
	s := f.Start()
	o := models.NewOutlook(24, []float64{0.025, 0.975})
	var n, m float64
	for i, v := range y {
		begin := time.Now()
		s.Advance(1)
		s.Observe(v, nil)
		r.update += time.Since(begin)
		if i+1 < from || i+1 >= len(y) {
			continue
		}
		s.Forecast(o, nil)
		n++
		r.one += math.Abs(o.Mean[0] - y[i+1])
		if y[i+1] >= o.Quantiles[0] && y[i+1] <= o.Quantiles[1] {
			r.covered++
		}
		if i+24 < len(y) {
			m++
			r.last += math.Abs(o.Mean[23] - y[i+24])
			for h := range 24 {
				r.all += math.Abs(o.Mean[h]-y[i+1+h]) / 24
			}
		}
	}
	r.health = o.Health
	return rolling{r.one / n, r.last / m, r.all / m, r.covered / n, r.update / time.Duration(len(y)), o.Health}
}

// TestRolling shows what the forecasters of this package make of two series; every one must beat the seasonal naive one step ahead.
func TestRolling(t *testing.T) {
	for _, c := range []struct {
		file    string
		seasons []int
		first   int // values that are used, 0: all
	}{{"airline_passengers.csv", []int{12}, 0}, {"bike_sharing_hour.csv", []int{24, 168}, 1344}} {
		y := lastColumn(t, c.file)
		if c.first > 0 {
			y = y[:c.first]
		}
		env := models.ForecastEnv{Seasons: c.seasons, Horizon: 24, Seed: 1}
		naive := roll(NewNaive(env), y, len(y)/2)
		t.Logf("%s, seasonal naive: %.2f, 24 ahead %.2f, over all %.2f", c.file, naive.one, naive.last, naive.all)
		for _, name := range stateSpaceModels {
			plan, err := models.Registry(Components).Resolve(models.Named(name), models.Forecast)
			if err != nil {
				t.Fatal(err)
			}
			f, err := plan.Forecaster(env)
			if err != nil {
				t.Fatal(err)
			}
			r := roll(f, y, len(y)/2)
			t.Logf("%s, %s: %.2f, 24 ahead %.2f, over all %.2f, covered %.3f, %v an update, %+v", c.file, name, r.one, r.last, r.all, r.covered, r.update, r.health)
			if r.one > naive.one && name != "local_level" {
				t.Errorf("%s, %s: one step ahead %.2f, seasonal naive %.2f", c.file, name, r.one, naive.one)
			}
		}
	}
}

// stateSpaceModels are the catalogue names of what stands on statespace.
var stateSpaceModels = []string{"unobserved_components", "sarima", "dynamic_linear_model", "local_level"}
