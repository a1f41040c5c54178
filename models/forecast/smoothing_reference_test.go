package forecast

import (
	"fmt"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/models"
)

// far is the greatest relative difference of two rows of numbers.
func far(t testing.TB, got, want []float64) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d numbers, want %d", len(got), len(want))
	}
	worst := 0.0
	for i := range want {
		d := math.Abs(got[i]-want[i]) / math.Max(1e-300, math.Abs(want[i]))
		if math.IsNaN(got[i]) != math.IsNaN(want[i]) {
			return math.Inf(1)
		} else if want[i] == 0 {
			d = math.Abs(got[i])
		}
		if d > worst {
			worst = d
		}
	}
	return worst
}

// column returns a column of rows.
func column(rows [][]float64, k int) (out []float64) {
	for _, r := range rows {
		out = append(out, r[k])
	}
	return out
}

type referenceForecast struct {
	H                                        int
	Mean, Lower80, Upper80, Lower95, Upper95 []float64
}

// asked asks for the mean, and the bounds of 80 and 95 %.
func asked(s models.Series, h int) (mean, lower80, upper80, lower95, upper95 []float64) {
	o := models.NewOutlook(h, []float64{0.025, 0.1, 0.9, 0.975})
	s.Forecast(o, nil)
	for i := range h {
		q := o.Quantiles[4*i : 4*i+4]
		lower95, lower80, upper80, upper95 = append(lower95, q[0]), append(lower80, q[1]), append(upper80, q[2]), append(upper95, q[3])
	}
	return o.Mean, lower80, upper80, lower95, upper95
}

// TestHoltWintersAgainstR runs the cases of R's stats::HoltWinters: initial state and rates as the case writes them, every fitted value and state, the sum of squares,
// and the forecasts with their bounds.
func TestHoltWintersAgainstR(t *testing.T) {
	refs := loadReferences(t)
	for _, name := range refs.family(t, "holtwinters") {
		var c struct {
			Init struct {
				Level, Trend     float64
				Season           []float64
				FirstFittedIndex int `json:"first_fitted_index"`
			}
			Params   struct{ Alpha, Beta, Gamma float64 }
			Seasonal string
			SSE      float64
			Final    map[string]float64
			Fitted   [][]float64
			Forecast referenceForecast
		}
		refs.read(t, name, &c)
		y := refs.series(t, name)[c.Init.FirstFittedIndex-1:]
		cfg := WintersConfig{Alpha: c.Params.Alpha, Beta: c.Params.Beta, Gamma: c.Params.Gamma, Phi: 1, Form: SmoothingForm{Trend: len(c.Fitted[0]) > 2, Season: AdditiveSeason}}
		cfg.SmoothingOptions = SmoothingOptions{Season: len(c.Init.Season), Spread: 0.02}
		if c.Seasonal == "multiplicative" {
			cfg.Form.Season = MultiplicativeSeason
		}
		f, err := NewWinters(cfg)
		if err != nil {
			t.Fatal(err)
		}
		from := Smoothed{Level: c.Init.Level, Trend: c.Init.Trend, Season: c.Init.Season}
		scored := f.Score(from, y)
		if d := max(far(t, scored.Fitted, column(c.Fitted, 0)), far(t, []float64{scored.SSE}, []float64{c.SSE})); !(d < 1e-9) {
			t.Errorf("%s: fitted values differ by %g", name, d)
		}
		end := []float64{scored.Final.Level}
		want := []float64{c.Final["a"]}
		if cfg.Form.Trend {
			end, want = append(end, scored.Final.Trend), append(want, c.Final["b"])
		}
		for i, v := range scored.Final.Season {
			end, want = append(end, v), append(want, c.Final[fmt.Sprintf("s%d", i+1)])
		}
		if d := far(t, end, want); !(d < 1e-9) {
			t.Errorf("%s: the last state differs by %g", name, d)
		}
		_, deviation := momentsOf(scored.Errors) // R takes the variance of the errors about their mean
		series := f.Resume(from, 1)
		for i, v := range y {
			series.Advance(1)
			if got := series.(*smoothed).p.predict(&series.(*smoothed).smoothState); math.Abs(got-c.Fitted[i][0]) > 1e-9*math.Abs(got) {
				t.Fatalf("%s: step %d: the series forecasts %v, want %v", name, i, got, c.Fitted[i][0])
			}
			series.Observe(v, nil)
		}
		mean, _, _, _, _ := asked(series, c.Forecast.H)
		if d := far(t, mean, c.Forecast.Mean); !(d < 1e-9) {
			t.Errorf("%s: forecasts differ by %g", name, d)
		}
		_, _, _, lower, upper := asked(f.Resume(scored.Final, deviation*deviation), c.Forecast.H)
		if d := max(far(t, lower, c.Forecast.Lower95), far(t, upper, c.Forecast.Upper95)); !(d < 1e-9) && c.Seasonal == "additive" {
			t.Errorf("%s: bounds differ by %g", name, d) // for factors R divides by another number of its coefficients every season: not compared
		}
	}
}
