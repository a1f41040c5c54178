package metric_test

import (
	"encoding/csv"
	"fmt"
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/models/metric"
	"github.com/freshet-ml/freshet/models/modeltest"
)

// wide reads a file of M4: a row for each series, its id first, padded with empty cells. The test is skipped where the data is not.
func wide(t *testing.T, name string) [][]float64 {
	r := csv.NewReader(modeltest.OpenReference(t, name))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out [][]float64
	for _, row := range rows[1:] {
		var y []float64
		for _, cell := range row[1:] {
			if cell == "" {
				break
			}
			v, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				t.Fatal(err)
			}
			y = append(y, v)
		}
		out = append(out, y)
	}
	return out
}

// TestOfficialFiguresOfM4: the published figures of the hourly data for the seasonal naive forecast and Naive2, to their last digit.
func TestOfficialFiguresOfM4(t *testing.T) {
	history, future := wide(t, "m4_hourly_train.csv"), wide(t, "m4_hourly_test.csv")
	var s, m, s2, m2 float64
	answer, n := make([]float64, 48), float64(len(history))
	for i, y := range future {
		scale := metric.SeasonalError(history[i], 24)
		metric.SeasonalNaive(answer, history[i], 24)
		s, m = s+metric.SMAPE(y, answer)/n, m+metric.MASE(y, answer, scale)/n
		metric.Naive2(answer, history[i], 24)
		s2, m2 = s2+metric.SMAPE(y, answer)/n, m2+metric.MASE(y, answer, scale)/n
	}
	got := fmt.Sprintf("%.3f %.3f %.3f; %.3f %.3f", s, m, metric.OWA(s, m, s2, m2), s2, m2)
	if want := "13.912 1.193 0.628; 18.383 2.395"; got != want {
		t.Errorf("seasonal naive and Naive2: %s, published are %s", got, want)
	}
}

func TestForecastMeasures(t *testing.T) {
	nan := math.NaN()
	y, f := []float64{10, nan, 0, 4}, []float64{8, 1, 0, 6}
	for name, c := range map[string]struct{ got, want float64 }{
		"smape":              {metric.SMAPE(y, f), 200 * (2.0/18 + 0 + 2.0/10) / 3},
		"smape of nothing":   {metric.SMAPE(y[1:2], f[1:2]), nan},
		"scale":              {metric.SeasonalError([]float64{1, 5, 2, 8, nan, 9}, 2), 5.0 / 3},
		"scale, season 0":    {metric.SeasonalError([]float64{1, 4}, 0), nan},
		"scale, no season":   {metric.SeasonalError([]float64{1, 4, 2}, 1), 2.5},
		"scale, short":       {metric.SeasonalError([]float64{1, 2}, 2), nan},
		"scale, constant":    {metric.SeasonalError([]float64{3, 3, 3}, 1), 0},
		"mase":               {metric.MASE(y, f, 2), (2.0 + 0 + 2) / 3 / 2},
		"mase, constant":     {metric.MASE(y, f, 0), nan},
		"msis":               {metric.MSIS([]float64{1, 5, nan, -3}, []float64{0, 1, 0, -1}, []float64{2, 4, 0, 1}, 0.05, 2), (2 + (3 + 40*1) + (2 + 40*2.0)) / 3 / 2},
		"msis, not scalable": {metric.MSIS(y, f, f, 0.05, nan), nan},
		"owa of naive2":      {metric.OWA(3, 4, 3, 4), 1},
		"owa":                {metric.OWA(1, 8, 2, 4), 1.25},
	} {
		if !(math.Abs(c.got-c.want) < 1e-12) && !(math.IsNaN(c.got) && math.IsNaN(c.want)) {
			t.Errorf("%s: %g, want %g", name, c.got, c.want)
		}
	}
}

func TestNaiveForecasts(t *testing.T) {
	nan := math.NaN()
	dst := make([]float64, 5)
	for _, c := range []struct {
		history []float64
		season  int
		want    string
	}{
		{nil, 3, "[NaN NaN NaN NaN NaN]"},
		{[]float64{nan, 1, 2, nan, 4}, 3, "[2 2 4 2 2]"},
		{[]float64{1, 2}, 3, "[2 2 2 2 2]"},
		{[]float64{1, 2}, 0, "[2 2 2 2 2]"},
	} {
		if metric.SeasonalNaive(dst, c.history, c.season); fmt.Sprint(dst) != c.want {
			t.Errorf("seasonal naive of %v, season %d: %v, want %s", c.history, c.season, dst, c.want)
		}
	}
	metric.Naive2(dst, []float64{1, 5, 2}, 4)
	if fmt.Sprint(dst) != "[2 2 2 2 2]" {
		t.Errorf("Naive2 of a short history: %v", dst)
	}
	signs := make([]float64, 60) // seasonal indices that are not above 0
	for i := range signs {
		signs[i] = float64(i%4) - 1.5
	}
	if metric.Naive2(dst, signs, 4); dst[0] != 1.5 {
		t.Errorf("Naive2 of a series around 0: %v", dst)
	}
}

// TestNaive2IsExact: a level times an exact season of any length is forecast exactly.
func TestNaive2IsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		index := rapid.SliceOfN(rapid.Float64Range(0.5, 3), 2, 13).Draw(t, "season")
		m, n := len(index), rapid.IntRange(60, 130).Draw(t, "length")
		index[0] = 4 // so that the season shows
		y, dst := make([]float64, n+m+2), make([]float64, m+2)
		for i := range y {
			y[i] = 100 * index[i%m]
		}
		metric.Naive2(dst, y[:n], m)
		for i, f := range dst {
			if math.Abs(f-y[n+i]) > 1e-9*f {
				t.Fatalf("step %d: %g, want %g", i, f, y[n+i])
			}
		}
	})
}
