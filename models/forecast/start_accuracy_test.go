package forecast_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/forecast"
)

// retail draws series of daily sales: levels spread as a log-normal distribution, one week that the series of a group share but for some deviation of their own, and negative binomial noise.
type retail struct {
	rng     *rand.Rand
	week    [7]float64
	spread  float64 // of the logarithm of levels
	own     float64 // of the logarithm of a series' own week about the group's
	typical float64
}

const retailDays = 70

func (r *retail) series() []float64 {
	level := r.typical * math.Exp(r.spread*r.rng.NormFloat64())
	var week [7]float64
	for d := range week {
		week[d] = r.week[d] * math.Exp(r.own*r.rng.NormFloat64())
	}
	ys := make([]float64, retailDays)
	for d := range ys {
		mean := level * week[d%7]
		ys[d] = poisson(r.rng, mean*gamma(r.rng, 10))
	}
	return ys
}

// gamma draws a gamma variable of the mean 1 and the shape k, a whole number.
func gamma(rng *rand.Rand, k int) float64 {
	x := 0.0
	for range k {
		x += rng.ExpFloat64()
	}
	return x / float64(k)
}

func poisson(rng *rand.Rand, mean float64) float64 {
	n, t := 0.0, rng.ExpFloat64()
	for t < mean {
		n++
		t += rng.ExpFloat64()
	}
	return n
}

func retailGroup(seed uint64, typical, own float64) *retail {
	return &retail{rng: rand.New(rand.NewPCG(seed, 9)), week: [7]float64{.7, .8, .9, 1, 1.3, 1.6, .7}, spread: .7, own: own, typical: typical}
}

const retailDay = int64(86400e6)

var retailLevels = []float64{.025, .1, .25, .5, .75, .9, .975}

func retailKeyed(t testing.TB, name string, group bool) *forecast.Keyed {
	t.Helper()
	plan, err := catalog.Resolve(models.Named(name), models.Forecast)
	if err != nil {
		t.Fatal(err)
	}
	k, err := forecast.NewKeyed(plan.Forecaster, forecast.KeyedConfig{Step: retailDay, Seasons: []int{7}, Horizon: 7, Leads: []int{1}, Seed: 1, Group: group})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// young scores the forecasts of the next seven days after each day of the first two weeks of a series: the errors in units of those of the seasonal naive forecast over the whole
// series, and the mean pinball loss, doubled, in units of the series' mean; and how many values lie between the quantiles 0.025 and 0.975.
func young(t testing.TB, k *forecast.Keyed, group []byte, ys []float64) (mase, crps, cover float64) {
	var state []byte
	scale, mean := 0.0, 0.0
	for d := range ys {
		mean += ys[d] / float64(len(ys))
		if d >= 7 {
			scale += math.Abs(ys[d]-ys[d-7]) / float64(len(ys)-7)
		}
	}
	if scale == 0 {
		return 0, 0, 1
	}
	n, m := 0.0, float64(len(retailLevels))
	for d := range 14 {
		state, _, _ = k.UpdateIn(state, group, int64(d)*retailDay, []float64{ys[d]})
		o := models.NewOutlook(7, retailLevels)
		if _, err := k.Forecast(o, state, int64(d)*retailDay, nil); err != nil {
			t.Fatal(err)
		}
		for h, f := range o.Mean {
			y := ys[d+h+1]
			n++
			mase += math.Abs(y-f) / scale
			q := o.Quantiles[h*len(retailLevels) : (h+1)*len(retailLevels)]
			for i, p := range retailLevels {
				crps += 2 * math.Max(p*(y-q[i]), (p-1)*(y-q[i])) / m / mean
			}
			if y >= q[0] && y <= q[len(q)-1] {
				cover++
			}
		}
	}
	return mase / n, crps / n, cover / n
}

// TestStartFromSiblings: what a start from k siblings gives over a cold one, in the first two seasons: MASE, CRPS and coverage of 95 %. RETAIL_TRIALS=60 prints the table of the ADR.
func TestStartFromSiblings(t *testing.T) {
	trials, counts := 20, []int{0, 10}
	if n, err := strconv.Atoi(os.Getenv("RETAIL_TRIALS")); err == nil {
		trials, counts = n, []int{0, 1, 3, 10, 30}
	}
	for _, name := range []string{"holt_winters", "dynamic_linear_model", "forecaster_bank", "gamma_poisson"} {
		for _, kind := range []struct {
			name         string
			typical, own float64
		}{{"usual", 20, .1}, {"slow", .8, .1}, {"unlike", 20, .5}} {
			line := fmt.Sprintf("%-22s%-8s", name, kind.name)
			cold := 0.0
			for _, siblings := range counts {
				k := retailKeyed(t, name, siblings > 0)
				var sum [3]float64
				for trial := range uint64(trials) {
					r := retailGroup(trial, kind.typical, kind.own)
					ys := r.series()
					var group []byte
					for range siblings {
						var state []byte
						for d, y := range r.series() {
							var known []byte
							if state, known, _ = k.UpdateIn(state, group, int64(d)*retailDay, []float64{y}); known != nil {
								group = known
							}
							if d == 20 {
								break
							}
						}
					}
					a, b, c := young(t, k, group, ys)
					for i, v := range []float64{a, b, c} {
						sum[i] += v / float64(trials)
					}
				}
				if siblings == 0 {
					cold = sum[1]
				}
				if kind.name == "usual" && siblings >= 10 && !(sum[1] < .85*cold) {
					t.Errorf("%s: CRPS %.3f from %d siblings, %.3f from none", name, sum[1], siblings, cold)
				}
				line += fmt.Sprintf("  %3d: %.3f %.3f %.2f", siblings, sum[0], sum[1], sum[2])
			}
			t.Log(line)
		}
	}
}
