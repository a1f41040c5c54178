package forecast

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
)

// drawnSet is series of one kind, forecast at every step-th origin of their last part.
type drawnSet struct {
	name    string
	seasons []int
	ahead   int
	from    float64 // share of a series before the first origin
	step    int
	count   int
	draw    func(rng *rand.Rand) []float64
}

// drawnSets are the kinds that intervals and the member with rates of its own were decided on: frequencies, seasons, shapes of errors.
func drawnSets() []drawnSet {
	var sets []drawnSet
	for _, c := range generatedKinds {
		var seasons []int
		if c.m > 1 {
			seasons = []int{c.m}
		}
		sets = append(sets, drawnSet{"local trends, " + c.name, seasons, c.h, 0.5, max(1, c.h/3), map[bool]int{false: 120, true: 30}[c.m == 52], func(rng *rand.Rand) []float64 {
			return generated(rng, c.m, c.least+rng.IntN(c.most-c.least)+c.h)
		}})
	}
	for _, c := range []struct {
		name                      string
		season, n, ahead, repeats int
	}{{"monthly", 12, 144, 24, 120}, {"quarterly", 4, 80, 12, 120}, {"weekly", 52, 400, 26, 30}, {"hourly", 24, 720, 24, 40}} {
		sets = append(sets, drawnSet{"airline model, " + c.name, []int{c.season}, c.ahead, 0.4, 4, c.repeats, func(rng *rand.Rand) []float64 { return drawnGrowth(rng, c.season, c.n) }})
	}
	return append(sets,
		drawnSet{"hours of days and weeks", []int{24, 168}, 24, 0.5, 7, 24, func(rng *rand.Rand) []float64 { return drawnHours(rng, 1344, 1, 0) }},
		drawnSet{"the same, nights near zero", []int{24, 168}, 24, 0.5, 7, 24, func(rng *rand.Rand) []float64 { return drawnHours(rng, 1344, 0.05, 0) }},
		drawnSet{"the same, heavy tails", []int{24, 168}, 48, 0.5, 7, 24, func(rng *rand.Rand) []float64 { return drawnHours(rng, 1344, 1, 3) }},
		drawnSet{"months, heavy tails", []int{12}, 12, 0.4, 5, 80, func(rng *rand.Rand) []float64 {
			return drawnNoise(rng, 12, 200, func() float64 { return student(rng, 3) })
		}},
		drawnSet{"days, skewed errors", []int{7}, 14, 0.4, 5, 60, func(rng *rand.Rand) []float64 { return drawnNoise(rng, 7, 500, func() float64 { return skewed(rng) }) }},
		drawnSet{"no season, skewed errors", nil, 10, 0.4, 5, 80, func(rng *rand.Rand) []float64 { return drawnNoise(rng, 1, 200, func() float64 { return skewed(rng) }) }},
	)
}

// student is of a t distribution.
func student(rng *rand.Rand, freedom int) float64 {
	squares := 0.0
	for range freedom {
		g := rng.NormFloat64()
		squares += g * g
	}
	return rng.NormFloat64() / math.Sqrt(squares/float64(freedom))
}

func skewed(rng *rand.Rand) float64 { return math.Exp(rng.NormFloat64()) - math.Exp(0.5) }

// drawnGrowth is of the airline model in logarithms, errors of 3 %.
func drawnGrowth(rng *rand.Rand, season, n int) []float64 {
	theta, seasonal := 0.2+0.6*rng.Float64(), 0.3+0.6*rng.Float64()
	e, y := make([]float64, n), make([]float64, n)
	for i := range y {
		e[i] = 0.03 * rng.NormFloat64()
		switch {
		case i < season:
			y[i] = 5 + 0.15*math.Sin(2*math.Pi*float64(i)/float64(season)) + 0.08*rng.NormFloat64()
		case i == season:
			y[i] = y[0] + 0.1*rng.NormFloat64() + e[i]
		default:
			y[i] = y[i-1] + y[i-season] - y[i-season-1] + e[i] - theta*e[i-1] - seasonal*e[i-season] + theta*seasonal*e[i-season-1]
		}
	}
	for i := range y {
		y[i] = math.Exp(y[i])
	}
	return y
}

// drawnHours are days of two peaks, one at weekends, with days that differ and autocorrelated errors, in proportion; night is the level of the nights, tails the degrees of freedom of errors (0: normal ones).
func drawnHours(rng *rand.Rand, n int, night float64, tails int) []float64 {
	rho, noise := 0.3+0.6*rng.Float64(), 0.1+0.2*rng.Float64()
	morning, evening, noon := 7+2*rng.Float64(), 16+3*rng.Float64(), 12+3*rng.Float64()
	peak := func(hour, center, width float64) float64 {
		d := math.Abs(hour - center)
		d = min(d, 24-d)
		return math.Exp(-d * d / 2 / width / width)
	}
	y, level, day, lasting := make([]float64, n), 100.0, 0.0, 0.0
	for i := range y {
		hour := float64(i % 24)
		if i%24 == 0 {
			day = 0.7*day + 0.15*rng.NormFloat64()
		}
		shape := night + 0.9*peak(hour, morning, 1.5) + peak(hour, evening, 2)
		if i/24%7 >= 5 {
			shape = night + 0.8*peak(hour, noon, 3.5)
		}
		z := rng.NormFloat64()
		if tails > 0 {
			z = student(rng, tails)
		}
		lasting = rho*lasting + noise*z
		level *= math.Exp(0.002 * rng.NormFloat64())
		y[i] = level * shape * math.Exp(max(-3, min(3, lasting+day)))
		if night < 0.1 {
			y[i] = math.Floor(y[i]) + float64(rng.IntN(3))
		}
	}
	return y
}

// drawnNoise is a moving level with a season and errors.
func drawnNoise(rng *rand.Rand, season, n int, noise func() float64) []float64 {
	places := make([]float64, season)
	for i := range places {
		places[i] = 8 * rng.NormFloat64()
	}
	y, level, moves := make([]float64, n), 100.0, math.Exp(-2+2*rng.Float64())
	for i := range y {
		level += moves * rng.NormFloat64()
		y[i] = level + places[i%season] + 3*noise()
	}
	return y
}

var drawnLevels = []float64{0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975}

// judged are means over the series of a set: errors over that of the seasonal naive forecast, the mean quantile loss over the same, and the shares of values inside the intervals of 50, 80 and 95 %.
type judged struct {
	one, all, crps float64
	inside         [3]float64
}

func (c *drawnSet) judge(f models.Forecaster) (out judged) {
	rng := rand.New(rand.NewPCG(uint64(len(c.name)), uint64(c.ahead)))
	n := float64(c.count)
	for range c.count {
		y := c.draw(rng)
		r := c.follow(f.Start(), y)
		scale := metric.SeasonalError(y, append(c.seasons, 1)[0])
		out.one += r.one / scale / n
		out.all += r.all / scale / n
		out.crps += r.crps / scale / n
		for i := range out.inside {
			out.inside[i] += r.inside[i] / n
		}
	}
	return out
}

// follow learns a series in one pass and judges the forecasts at the origins.
func (c *drawnSet) follow(s models.Series, y []float64) (out judged) {
	o := models.NewOutlook(c.ahead, drawnLevels)
	first, origins := int(c.from*float64(len(y))), 0.0
	for i, v := range y {
		if i >= first && i+c.ahead <= len(y) && (i-first)%c.step == 0 {
			s.Forecast(o, nil)
			origins++
			out.one += math.Abs(v - o.Mean[0])
			out.add(o, y[i:i+c.ahead])
		}
		s.Advance(1)
		s.Observe(v, nil)
	}
	out.one, out.all, out.crps = out.one/origins, out.all/origins, out.crps/origins
	for i := range out.inside {
		out.inside[i] /= origins
	}
	return out
}

func (j *judged) add(o *models.Outlook, future []float64) {
	n, width := float64(len(future)), len(drawnLevels)
	for h, v := range future {
		j.all += math.Abs(v-o.Mean[h]) / n
		row := o.Quantiles[h*width : (h+1)*width]
		for k, level := range drawnLevels {
			d := v - row[k]
			j.crps += 2 * max(level*d, (level-1)*d) / float64(width) / n
		}
		for k := range j.inside {
			if v >= row[2-k] && v <= row[4+k] {
				j.inside[k] += 1 / n
			}
		}
	}
}

// TestBankOnDrawnSeries prints what intervals and members were decided on, and holds the intervals to what they say.
func TestBankOnDrawnSeries(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	for _, c := range drawnSets() {
		r := c.judge(newBank(t, models.ForecastEnv{Seasons: c.seasons, Horizon: c.ahead}))
		t.Logf("%s: one step %.4f, all %.4f, crps %.4f, inside 50, 80, 95 %%: %.3f %.3f %.3f", c.name, r.one, r.all, r.crps, r.inside[0], r.inside[1], r.inside[2])
		for i, want := range []float64{0.5, 0.8, 0.95} {
			if math.Abs(r.inside[i]-want) > []float64{0.07, 0.05, 0.03}[i] {
				t.Errorf("%s: an interval of %g holds %.3f", c.name, want, r.inside[i])
			}
		}
	}
}
