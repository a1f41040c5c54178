package forecast

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/internal/codec"
)

// drawnAirline is a series of the model (0,1,1)(0,1,1) of a season, and its errors, that start after a season and one step.
func drawnAirline(rng *rand.Rand, season, n int, theta, seasonal float64) (y, e []float64) {
	y, e = make([]float64, n), make([]float64, n)
	for i := range y {
		if i <= season {
			y[i] = 5 + rng.NormFloat64()
			continue
		}
		e[i] = 0.1 * rng.NormFloat64()
		y[i] = y[i-1] + y[i-season] - y[i-season-1] + e[i] - theta*e[i-1] - seasonal*e[i-season] + theta*seasonal*e[i-season-1]
	}
	return y, e
}

// setRates fixes α and γ for the next value.
func (a *airline) setRates(theta, seasonal float64) { a.rates = [2]float64{1 - theta, 1 - seasonal} }

// TestAirlineIsTheDifferenceEquation: with the rates of the model, a forecast h steps ahead is what its difference equation says without the errors to come.
func TestAirlineIsTheDifferenceEquation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		season := rapid.IntRange(1, 7).Draw(t, "season")
		theta, seasonal := rapid.Float64Range(0, 0.9).Draw(t, "theta"), rapid.Float64Range(0, 0.9).Draw(t, "seasonal")
		n := 6*season + 10
		y, e := drawnAirline(rng, season, n, theta, seasonal)
		a := newAirline(season)
		first := season + 1 // the state that continues y[0..season] without errors
		a.started = true
		a.state.step = y[season] - y[0]
		a.state.level = 0
		for i := 1; i <= season; i++ {
			a.state.season[i%season] = float32(y[i])
		}
		for i := 1; i <= season; i++ { // what follows y[i] after a season
			a.state.season[i%season] += float32(a.state.step)
		}
		for i := first; i < n; i++ {
			a.setRates(theta, seasonal)
			if d := y[i] - a.state.at(int64(i), 1) - e[i]; math.Abs(d) > 1e-4 {
				t.Fatalf("season %d, step %d: the error differs by %g", season, i, d)
			}
			a.learn(y[i], int64(i), 1, math.Inf(1))
		}
		long := append(append([]float64(nil), y...), make([]float64, 3*season)...)
		late := append(append([]float64(nil), e...), make([]float64, 3*season)...)
		for i := n; i < len(long); i++ {
			long[i] = long[i-1] + long[i-season] - long[i-season-1] - theta*late[i-1] - seasonal*late[i-season] + theta*seasonal*late[i-season-1]
			if d := a.state.at(int64(i), int64(i-n+1)) - long[i]; math.Abs(d) > 1e-3 {
				t.Fatalf("season %d, %d ahead: the forecast differs by %g", season, i-n+1, d)
			}
		}
	})
}

// TestAirlineSlopes: the slopes of forecasts by the rates are those of finite differences.
func TestAirlineSlopes(t *testing.T) {
	const season, n, d = 4, 40, 1e-3
	y, _ := drawnAirline(rand.New(rand.NewPCG(1, 1)), season, n, 0.4, 0.6)
	at := func(alpha, gamma float64) airline {
		a := newAirline(season)
		a.start(y[0], season-1, func(i int64) float64 { return y[i] })
		for i := season; i < n; i++ {
			a.rates = [2]float64{alpha, gamma}
			a.learn(y[i], int64(i), 1, math.Inf(1))
		}
		return a
	}
	a := at(0.6, 0.3)
	for h := int64(1); h < 12; h++ {
		forecast := func(alpha, gamma float64) float64 {
			b := at(alpha, gamma)
			return b.state.at(n-1+h, h)
		}
		want := [2]float64{(forecast(0.6+d, 0.3) - forecast(0.6-d, 0.3)) / (2 * d), (forecast(0.6, 0.3+d) - forecast(0.6, 0.3-d)) / (2 * d)}
		for i := range want {
			if got := a.slopes[i].at(n-1+h, h); math.Abs(got-want[i]) > 2e-3*(1+math.Abs(want[i])) {
				t.Errorf("%d ahead, by rate %d: %g, finite differences %g", h, i, got, want[i])
			}
		}
	}
}

// TestAirlineLearnsItsRates: on long series of the model the rates come near those that drew it.
func TestAirlineLearnsItsRates(t *testing.T) {
	for _, c := range []struct{ theta, seasonal float64 }{{0.2, 0.8}, {0.7, 0.3}, {0.4, 0.6}} {
		y, _ := drawnAirline(rand.New(rand.NewPCG(3, 3)), 12, 3000, c.theta, c.seasonal)
		a := newAirline(12)
		a.start(5, 11, func(i int64) float64 { return y[i] })
		var mean [2]float64
		for i := 12; i < len(y); i++ {
			if a.learn(y[i], int64(i), 1, math.Inf(1)); !a.started {
				t.Fatal("numbers out of bounds")
			}
			if i >= 2000 {
				mean[0] += (1 - a.rates[0]) / 1000
				mean[1] += (1 - a.rates[1]) / 1000
			}
		}
		if math.Abs(mean[0]-c.theta) > 0.08 || math.Abs(mean[1]-c.seasonal) > 0.08 {
			t.Errorf("θ %.3f, Θ %.3f; drawn with %g, %g", mean[0], mean[1], c.theta, c.seasonal)
		}
	}
}

// TestAirlineOverGaps: what a gap leaves out is what was forecast for it, over any number of seasons.
func TestAirlineOverGaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		season := rapid.IntRange(1, 9).Draw(t, "season")
		gap := rapid.Int64Range(1, 3*lasting).Draw(t, "gap")
		a := newAirline(season)
		a.started = true
		a.state.level, a.state.step = 3, 0.25
		for i := range a.state.season {
			a.state.season[i] = float32(i)
		}
		last := rapid.Int64Range(0, 100).Draw(t, "last")
		want := a.state.at(last+gap, gap)
		a.state.pass(last+gap, gap-1)
		if got := a.state.at(last+gap, 1); got != want {
			t.Fatalf("season %d, gap %d: %g, forecast before it %g", season, gap, got, want)
		}
	})
}

// TestAirlineGrowth: the variance of the error h steps ahead is that of drawn series.
func TestAirlineGrowth(t *testing.T) {
	const season, h, runs = 3, 8, 20000
	a := newAirline(season)
	rng := rand.New(rand.NewPCG(5, 5))
	a.setRates(0.4, 0.5)
	sum := 0.0
	for range runs {
		var y, e [season + 1 + h]float64
		for i := season + 1; i < len(y); i++ {
			e[i] = rng.NormFloat64()
			y[i] = y[i-1] + y[i-season] - y[i-season-1] + e[i] - 0.4*e[i-1] - 0.5*e[i-season] + 0.2*e[i-season-1]
		}
		sum += y[len(y)-1] * y[len(y)-1] / runs
	}
	if got := a.growth(h); math.Abs(got-sum) > 0.05*sum {
		t.Errorf("%g, of drawn errors %g", got, sum)
	}
}

// TestAirlineStaysWithinBounds: any values leave a state that can be saved and read again.
func TestAirlineStaysWithinBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		season := rapid.IntRange(1, 5).Draw(t, "season")
		a := newAirline(season)
		a.start(rapid.Float64Range(-bankLimit, bankLimit).Draw(t, "mean"), 0, func(int64) float64 { return 1 })
		step := int64(1)
		for range rapid.IntRange(1, 60).Draw(t, "values") {
			gap := rapid.Int64Range(1, 2*lasting).Draw(t, "gap")
			step += gap
			if z := rapid.OneOf(rapid.Float64Range(-bankLimit, bankLimit), rapid.Float64Range(-1, 1), rapid.Just(0.0)).Draw(t, "value"); a.started {
				a.learn(z, step, gap, 5)
			} else {
				a.start(z, step, func(int64) float64 { return z })
			}
			b := newAirline(season)
			if err := codec.Load(&airlineVisitor{&b}, codec.Save(&airlineVisitor{&a})); err != nil {
				t.Fatal(err)
			}
		}
	})
}

type airlineVisitor struct{ *airline }

func (v *airlineVisitor) State(c *codec.State) { v.visit(c) }
