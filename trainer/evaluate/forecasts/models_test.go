package forecasts

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// hostilePanel is a file of series that some models cannot take: constant, zero, negative, counts with some below 0, jumps, gaps, short.
func hostilePanel() string {
	rng := rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	b.WriteString("k,t,v\n")
	row := func(key string, i int, v float64) { fmt.Fprintf(&b, "%s,%d,%g\n", key, i, v) }
	for i := range 60 {
		row("constant", i, 7)
		row("zero", i, 0)
		row("negative", i, -5-math.Abs(rng.NormFloat64()))
		row("counts", i, float64(rng.IntN(4)))
		row("mixed", i, float64(rng.IntN(5)-1))
		row("jump", i, math.Pow(10, float64(i/20)*3)+rng.Float64())
		row("huge", i, 1e200*float64(i%4))
		if i%3 != 1 {
			row("gaps", i*2, 5+float64(i%4))
		}
		if i >= 55 {
			row("short", i, float64(i))
		}
	}
	return b.String()
}

// TestEveryForecaster takes every forecaster of the catalogue through series that are hard to take: every answer is finite and scored, but for a series of
// which a model of counts refused every value.
func TestEveryForecaster(t *testing.T) {
	text := hostilePanel()
	tested := 0
	for _, c := range catalog.All {
		if c.NewForecaster == nil {
			continue
		}
		tested++
		t.Run(c.Name, func(t *testing.T) {
			spec, err := evaluate.ParseModel(c.Name)
			if err != nil {
				t.Fatal(err)
			}
			r := mustText(t, text, Options{Model: c.Name, Spec: spec, Time: "t", Key: "k", Target: "v", Step: "1", Seasons: []int{4}, Horizon: 3, Origins: Origins{Count: 5}, Workers: 2})
			if r.Forecast != 9 || r.Forecasts < 35 {
				t.Errorf("%d series, %d forecasts", r.Forecast, r.Forecasts)
			}
			if r.Invalid != 0 && (r.Health.Unknown != 1 || r.Health.Refused < 60) { // models of counts have no answer for the negative series
				t.Errorf("%g answers are not finite; health %v", r.Invalid, r.Health)
			}
			for _, name := range []string{"mae", "smape", "mase", "msis", "crps", "coverage_95"} {
				if x := r.Metrics.Value(name); math.IsNaN(x) || math.IsInf(x, 0) {
					t.Errorf("%s is %v", name, x)
				}
			}
			if h := r.Health; h.Cold+h.Good+h.Shifted+h.Unknown != 9 || h.Cold == 0 && c.Name != "seasonal_naive" && h.Good == 9 {
				t.Errorf("health %+v", h)
			}
			if c.Name == "gamma_poisson" && r.Health.Refused == 0 {
				t.Error("negative counts were not refused")
			}
		})
	}
	if tested < 2 {
		t.Errorf("%d forecasters in the catalogue", tested)
	}
	if name := DefaultModel(catalog.All); catalog.All.Find(name) == nil {
		t.Errorf("default %s", name)
	}
	if name := DefaultModel(models.Registry{}); name != "seasonal_naive" {
		t.Errorf("default %s", name)
	}
}
