package forecast

import (
	"encoding/csv"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
	"github.com/freshet-ml/freshet/models/modeltest"
)

// fileTable reads a file of the reference data, without its header; the test is skipped where the data is not.
func fileTable(t testing.TB, name string) [][]string {
	t.Helper()
	r := csv.NewReader(modeltest.OpenReference(t, name))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

func number(t testing.TB, cell string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(cell, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// fileRows are the series of a file of M4: a row each, its id first, padded with empty cells.
func fileRows(t testing.TB, name string) [][]float64 {
	var out [][]float64
	for _, row := range fileTable(t, name) {
		var y []float64
		for _, cell := range row[1:] {
			if cell == "" {
				break
			}
			y = append(y, number(t, cell))
		}
		out = append(out, y)
	}
	return out
}

// fileColumn is one column of a file.
func fileColumn(t testing.TB, name string, at int) []float64 {
	var out []float64
	for _, row := range fileTable(t, name) {
		out = append(out, number(t, row[at]))
	}
	return out
}

// accuracy of forecasts at the end of many series, as M4 counts it; m is the season of its measures.
type accuracy struct {
	n                                              float64
	smape, mase, smape2, mase2, msis, covered, owa float64
}

func (a *accuracy) add(history, future []float64, o *models.Outlook, m int) {
	h := len(future)
	scale, naive2 := metric.SeasonalError(history, m), make([]float64, h)
	if !(scale > 0) {
		return
	}
	low, high := make([]float64, h), make([]float64, h)
	for i := range h {
		low[i], high[i] = o.Quantiles[2*i], o.Quantiles[2*i+1]
		if future[i] >= low[i] && future[i] <= high[i] {
			a.covered += 1 / float64(h)
		}
	}
	metric.Naive2(naive2, history, m)
	a.n++
	a.smape += metric.SMAPE(future, o.Mean)
	a.mase += metric.MASE(future, o.Mean, scale)
	a.smape2 += metric.SMAPE(future, naive2)
	a.mase2 += metric.MASE(future, naive2, scale)
	a.msis += metric.MSIS(future, low, high, 0.05, scale)
	a.owa = metric.OWA(a.smape, a.mase, a.smape2, a.mase2)
}

func (a *accuracy) log(t *testing.T, name string) {
	t.Logf("%s: %.0f series: sMAPE %.3f, MASE %.3f, OWA %.3f, MSIS %.2f, coverage %.1f %%", name, a.n, a.smape/a.n, a.mase/a.n, a.owa, a.msis/a.n, 100*a.covered/a.n)
}

// measure learns each series in one pass and scores the forecast at its end.
func measure(t *testing.T, name string, b models.Forecaster, histories, futures [][]float64, m int) accuracy {
	var a accuracy
	var spent time.Duration
	updates := 0
	for i, y := range histories {
		s := b.Start()
		o := models.NewOutlook(len(futures[i]), []float64{0.025, 0.975})
		start := time.Now()
		for _, v := range y {
			s.Advance(1)
			s.Observe(v, nil)
		}
		s.Forecast(o, nil)
		spent += time.Since(start)
		updates += len(y)
		a.add(y, futures[i], o, m)
	}
	if name == "" {
		return a
	}
	a.log(t, name)
	t.Logf("%s: %.2f s, others' time included, for %d values, %.2f µs each; MaxBytes %d", name, spent.Seconds(), updates, 1e6*spent.Seconds()/float64(updates), b.MaxBytes())
	return a
}

// split holds out the last h values of each series.
func split(series [][]float64, h, less int) (histories, futures [][]float64) {
	for _, y := range series {
		n := len(y) - less
		histories, futures = append(histories, y[:n-h]), append(futures, y[n-h:n])
	}
	return histories, futures
}

// sums adds up the values of each k steps.
func sums(series [][]float64, k int) [][]float64 {
	var out [][]float64
	for _, y := range series {
		var z []float64
		for i := 0; i+k <= len(y); i += k {
			total := 0.0
			for _, v := range y[i : i+k] {
				total += v
			}
			z = append(z, total)
		}
		out = append(out, z)
	}
	return out
}

// TestBankOnValidation prints what choices were made on: the last values of the training part.
func TestBankOnValidation(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	train := fileRows(t, "m4_hourly_train.csv")
	for _, c := range []struct {
		name    string
		seasons []int
		series  [][]float64
		h, less int
	}{
		{"hourly, last 48", []int{24, 168}, train, 48, 0},
		{"hourly, 48 before them", []int{24, 168}, train, 48, 48},
		{"hourly, one season, 24 ahead", []int{24}, train, 24, 24},
		{"daily sums", []int{7}, sums(train, 24), 7, 0},
		{"six-hourly sums", []int{4, 28}, sums(train, 6), 12, 4},
	} {
		histories, futures := split(c.series, c.h, c.less)
		measure(t, c.name, newBank(t, models.ForecastEnv{Seasons: c.seasons, Horizon: c.h}), histories, futures, c.seasons[0])
	}
}

// origins cuts a series at every step-th place from its third on, h values before its end.
func origins(y []float64, h, step int) (histories, futures [][]float64) {
	for n := max(len(y)/3, h); n+h <= len(y); n += step {
		histories, futures = append(histories, y[:n]), append(futures, y[n:n+h])
	}
	return histories, futures
}

// TestBankOnPublishedSeries compares it with other forecasters on the published series of years, quarters and months, by rolling origins.
func TestBankOnPublishedSeries(t *testing.T) {
	series := loadReferences(t).Datasets
	for _, c := range []struct {
		name  string
		m, h  int
		names []string
		most  float64 // OWA
	}{
		{"yearly", 1, 6, []string{"Nile", "LakeHuron", "lynx", "sunspot.year", "uspop", "airmiles", "nhtemp", "discoveries"}, 1},
		{"quarterly", 4, 8, []string{"UKgas", "presidents", "JohnsonJohnson"}, 1},
		{"monthly", 12, 18, []string{"co2", "AirPassengers", "UKDriverDeaths", "USAccDeaths", "nottem", "Seatbelts.front", "Seatbelts.rear", "Seatbelts.kms", "Seatbelts.PetrolPrice"}, 1},
	} {
		env := models.ForecastEnv{Horizon: c.h}
		if c.m > 1 {
			env.Seasons = []int{c.m}
		}
		for _, name := range []string{"forecaster_bank", "seasonal_naive", "holt_winters"} {
			f := named(t, name, env)
			var all accuracy
			for _, dataset := range c.names {
				y := complete(series[dataset].Y)
				if len(y) < 10 {
					t.Fatalf("no series %s", dataset)
				}
				histories, futures := origins(y, c.h, 5)
				one := measure(t, "", f, histories, futures, c.m)
				all.merge(&one)
			}
			all.log(t, c.name+", "+name)
			if name == "forecaster_bank" && !(all.owa < c.most) {
				t.Errorf("%s: OWA %.3f", c.name, all.owa)
			}
		}
	}
}

// TestBankOnGeneratedSeries compares it with others on series of many lengths and seasons from one generator.
func TestBankOnGeneratedSeries(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	for i, c := range generatedKinds {
		env := models.ForecastEnv{Horizon: c.h}
		if c.m > 1 {
			env.Seasons = []int{c.m}
		}
		rng := rand.New(rand.NewPCG(uint64(i), 7))
		var series [][]float64
		for range 200 {
			series = append(series, generated(rng, c.m, c.least+rng.IntN(c.most-c.least)+c.h))
		}
		histories, futures := split(series, c.h, 0)
		for _, name := range []string{"forecaster_bank", "seasonal_naive", "holt_winters"} {
			a := measure(t, "", named(t, name, env), histories, futures, c.m)
			if a.log(t, c.name+", "+name); name == "forecaster_bank" && !(a.owa < 1) {
				t.Errorf("%s: OWA %.3f", c.name, a.owa)
			}
		}
	}
}

var generatedKinds = []struct {
	name        string
	m, h        int
	least, most int
}{
	{"yearly", 1, 6, 15, 45},
	{"quarterly", 4, 8, 24, 110},
	{"monthly", 12, 18, 60, 280},
	{"weekly", 52, 13, 90, 1100},
	{"daily", 7, 14, 100, 1500},
}

// generated is a local trend, damped by chance, times or plus a season by chance, with noise and rare outliers; one that comes near 0 is drawn again.
func generated(rng *rand.Rand, m, n int) []float64 {
	step := math.Exp(-5 + 2.5*rng.Float64())
	slopes, noise := step*math.Exp(-4+3*rng.Float64()), step*math.Exp(-2+3*rng.Float64())
	phi, drift, ratio := 0.85+0.15*rng.Float64(), 0.0, rng.IntN(2) == 0
	if rng.IntN(2) == 0 {
		drift = step * 0.5 * rng.NormFloat64()
	}
	season := make([]float64, m)
	if m > 1 && rng.IntN(4) > 0 {
		wave, phase := step*math.Exp(0.5+2*rng.Float64()), 6*rng.Float64()
		for i := range season {
			x := 2*math.Pi*float64(i)/float64(m) + phase
			season[i] = wave * (math.Sin(x) + 0.5*math.Cos(2*x) + 0.3*rng.NormFloat64())
		}
	}
	y, base := make([]float64, n), math.Exp(5+4*rng.Float64())
	level, slope := 0.0, 0.0
	for i := range y {
		slope = phi*slope + slopes*rng.NormFloat64()
		level += slope + drift + step*rng.NormFloat64()
		v := level + season[i%m] + noise*rng.NormFloat64()
		if rng.IntN(150) == 0 {
			v += 6 * noise * rng.NormFloat64()
		}
		if y[i] = base * (1 + v); ratio {
			y[i] = base * math.Exp(v)
		}
		if y[i] < 0.1*base || y[i] > 50*base {
			return generated(rng, m, n)
		}
	}
	return y
}

// named is a forecaster of the catalogue with its defaults.
func named(t testing.TB, name string, env models.ForecastEnv) models.Forecaster {
	t.Helper()
	plan, err := models.Registry(Components).Resolve(models.Named(name), models.Forecast)
	if err != nil {
		t.Fatal(err)
	}
	f, err := plan.Forecaster(env)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// complete is the part of a series before its first missing value, or after it where that is longer.
func complete(y []float64) []float64 {
	var best []float64
	from := 0
	for i := range len(y) + 1 {
		if i == len(y) || y[i] != y[i] {
			if i-from > len(best) {
				best = y[from:i]
			}
			from = i + 1
		}
	}
	return best
}

// merge adds the mean of another as one series.
func (a *accuracy) merge(b *accuracy) {
	a.n++
	a.smape += b.smape / b.n
	a.mase += b.mase / b.n
	a.smape2 += b.smape2 / b.n
	a.mase2 += b.mase2 / b.n
	a.msis += b.msis / b.n
	a.covered += b.covered / b.n
	a.owa = metric.OWA(a.smape, a.mase, a.smape2, a.mase2)
}

// TestBankOnM4Hourly is the golden test on the held-out part of the competition's hourly series, as its organisers measure: one pass, no refit, one configuration. Nothing was chosen on it.
func TestBankOnM4Hourly(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	histories, futures := fileRows(t, "m4_hourly_train.csv"), fileRows(t, "m4_hourly_test.csv")
	b := newBank(t, models.ForecastEnv{Seasons: []int{24, 168}, Horizon: 48})
	a := measure(t, "hourly", b, histories, futures, 24)
	if covered := a.covered / a.n; !(a.owa <= 0.5) || !(a.msis/a.n <= 12) || !(math.Abs(covered-0.95) <= 0.02) {
		t.Errorf("OWA %.3f, MSIS %.2f, coverage %.3f", a.owa, a.msis/a.n, covered)
	}
	var inside [3]float64
	for i, y := range histories {
		o := models.NewOutlook(48, drawnLevels)
		followed(b, y).Forecast(o, nil)
		var one judged
		one.add(o, futures[i])
		for k := range inside {
			inside[k] += one.inside[k] / float64(len(histories))
		}
	}
	t.Logf("hourly: inside the intervals of 50, 80, 95 %%: %.3f, %.3f, %.3f", inside[0], inside[1], inside[2])
	if math.Abs(inside[1]-0.8) > 0.04 {
		t.Errorf("the interval of 80 %% holds %.3f", inside[1])
	}
}

// TestBankRollsOn measures one-step and later errors of the bank and the seasonal naive forecast at every origin of some series, with known future regressors where there are some.
func TestBankRollsOn(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	air, bike, taxi := fileColumn(t, "airline_passengers.csv", 1), fileColumn(t, "bike_sharing_hour.csv", 16), fileColumn(t, "nab_nyc_taxi.csv", 1)
	weather := make([][]float64, len(bike))
	for _, at := range []int{6, 8, 9, 10, 12, 13} { // holiday, working day, kind of weather, temperature, humidity, wind
		for i, v := range fileColumn(t, "bike_sharing_hour.csv", at) {
			weather[i] = append(weather[i], v)
		}
	}
	for _, c := range []struct {
		name     string
		y        []float64
		x        [][]float64
		seasons  []int
		from, to int
	}{
		{"airline, after two years", air, nil, []int{12}, 24, 144},
		{"airline, second half", air, nil, []int{12}, 72, 144},
		{"bike, rows 672 to 1343", bike, nil, []int{24, 168}, 672, 1344},
		{"bike, after a week", bike, nil, []int{24, 168}, 168, len(bike)},
		{"bike with regressors, after a week", bike, weather, []int{24, 168}, 168, len(bike)},
		{"taxi, second half", taxi, nil, []int{48, 336}, 5160, len(taxi)},
	} {
		env := models.ForecastEnv{Seasons: c.seasons, Horizon: 24}
		naive := rolled(NewNaive(env), c.y, nil, c.from, c.to)
		env.Regressors = len(append(c.x, nil)[0])
		got := rolled(newBank(t, env), c.y, c.x, c.from, c.to)
		t.Logf("%s: MAE one step %.2f, 24th step %.2f, mean of 24 steps %.2f, coverage %.1f %%; seasonal naive %.2f, %.2f, %.2f", c.name, got.one, got.last, got.mean, 100*got.covered, naive.one, naive.last, naive.mean)
		if !(got.one < naive.one && got.last < naive.last) {
			t.Errorf("%s: no better than the seasonal naive forecast", c.name)
		}
	}
}

// errorsOf is what rolling on a series measures.
type errorsOf struct{ one, last, mean, covered float64 }

// rolled forecasts 24 steps at every origin; the first step forecast is from, the last to − 1.
func rolled(f models.Forecaster, y []float64, x [][]float64, from, to int) (out errorsOf) {
	const h = 24
	s, o := f.Start(), models.NewOutlook(h, []float64{0.025, 0.975})
	n, inside, whole := 0.0, 0.0, 0.0
	for i := range to {
		var now []float64
		var future [][]float64
		if x != nil {
			now = x[i]
			future = append(future, x[i:min(i+h, len(x))]...)
			for len(future) < h {
				future = append(future, now)
			}
		}
		if s.Forecast(o, future); i >= from {
			n++
			out.one += math.Abs(y[i] - o.Mean[0])
		}
		if i >= from && i+h <= to {
			whole++
			out.last += math.Abs(y[i+h-1] - o.Mean[h-1])
			for k := range h {
				out.mean += math.Abs(y[i+k]-o.Mean[k]) / h
				if y[i+k] >= o.Quantiles[2*k] && y[i+k] <= o.Quantiles[2*k+1] {
					inside += 1.0 / h
				}
			}
		}
		s.Advance(1)
		s.Observe(y[i], now)
	}
	return errorsOf{out.one / n, out.last / whole, out.mean / whole, inside / whole}
}
