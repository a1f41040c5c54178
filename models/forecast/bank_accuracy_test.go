package forecast_test

import (
	"compress/gzip"
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/forecast"
	"github.com/freshet-ml/freshet/models/metric"
)

// table reads a file of the reference data, without its header; the test is skipped where the data is not.
func table(t testing.TB, name string) [][]string {
	t.Helper()
	dir := os.Getenv("FRESHET_DATA")
	if dir == "" {
		t.Skip("FRESHET_DATA does not name the folder of reference data")
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Skipf("no reference data: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(z)
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

// rows are the series of a file of M4: a row each, its id first, padded with empty cells.
func rows(t testing.TB, name string) [][]float64 {
	var out [][]float64
	for _, row := range table(t, name) {
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

// column is one column of a file.
func column(t testing.TB, name string, at int) []float64 {
	var out []float64
	for _, row := range table(t, name) {
		out = append(out, number(t, row[at]))
	}
	return out
}

func bank(t testing.TB, env models.ForecastEnv) *forecast.Bank {
	t.Helper()
	b, err := forecast.NewBank(env, forecast.DefaultBank())
	if err != nil {
		t.Fatal(err)
	}
	return b
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

// score learns each series in one pass and scores the forecast at its end.
func score(t *testing.T, name string, b *forecast.Bank, histories, futures [][]float64, m int) accuracy {
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
	a.log(t, name)
	t.Logf("%s: %.2f s for %d values, %.2f µs each; MaxBytes %d", name, spent.Seconds(), updates, 1e6*spent.Seconds()/float64(updates), b.MaxBytes())
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
	train := rows(t, "m4_hourly_train.csv.gz")
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
		score(t, c.name, bank(t, models.ForecastEnv{Seasons: c.seasons, Horizon: c.h}), histories, futures, c.seasons[0])
	}
}
