package forecast

import (
	"fmt"
	"math"
	"strings"
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

// etsCase is a case of R's forecast::ets.
type etsCase struct {
	Model             string
	Params, Initstate map[string]float64
	Loglik, Sigma2    float64
	Fitted            []float64
	Last              any `json:"states_last"`
	Forecast          referenceForecast
}

// form is ETS(M,A,M) as MAM.
func (c *etsCase) form(t *testing.T) SmoothingForm {
	t.Helper()
	f, err := ParseSmoothingForm(strings.NewReplacer("ETS(", "", ",", "", ")", "").Replace(c.Model))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// from is the state before the first value: R counts the places of the season backwards.
func (c *etsCase) from(m int) Smoothed {
	s := Smoothed{Level: c.Initstate["l"], Trend: c.Initstate["b"]}
	for i := m; i >= 1; i-- {
		s.Season = append(s.Season, c.Initstate[fmt.Sprintf("s%d", i)])
	}
	return s
}

func numbers(x any) (out []float64) {
	switch x := x.(type) {
	case float64:
		return []float64{x}
	case []any:
		for _, v := range x {
			out = append(out, numbers(v)...)
		}
	}
	return out
}

// TestETSAgainstR runs the cases of R's forecast::ets: first state and rates as the case writes them, every fitted value, the last state, the likelihood, and the forecasts
// with their bounds, which for forms with factors are those of other moments than ours.
func TestETSAgainstR(t *testing.T) {
	refs := loadReferences(t)
	for _, name := range refs.family(t, "ets") {
		var c etsCase
		refs.read(t, name, &c)
		form := c.form(t)
		m := 0
		if form.Season != NoSeason {
			m = len(c.Initstate) - 2
		}
		f, err := NewETS(ETSConfig{Form: form, Alpha: c.Params["alpha"], Beta: c.Params["beta"], Gamma: c.Params["gamma"], Phi: c.Params["phi"], SmoothingOptions: SmoothingOptions{Season: m, Spread: 0.02, Paths: 4000, Seed: 1}})
		if err != nil {
			t.Fatal(err)
		}
		scored := f.Score(c.from(m), refs.series(t, name))
		if d := max(far(t, scored.Fitted, c.Fitted), far(t, []float64{scored.LogLikelihood}, []float64{c.Loglik})); !(d < 1e-9) {
			t.Errorf("%s: fitted values and likelihood differ by %g", name, d)
		}
		end := []float64{scored.Final.Level}
		if form.Trend {
			end = append(end, scored.Final.Trend)
		}
		for i := range scored.Final.Season {
			end = append(end, scored.Final.Season[m-1-i])
		}
		if d := far(t, end, numbers(c.Last)); !(d < 1e-9) {
			t.Errorf("%s: the last state differs by %g", name, d)
		}
		mean, lower80, upper80, lower95, upper95 := asked(f.Resume(scored.Final, c.Sigma2), c.Forecast.H)
		most, bounds := 1e-9, 1e-9
		if !form.linear() {
			most, bounds = 5e-3, 3e-2 // R takes a normal distribution with moments of its own
		}
		if d := far(t, mean, c.Forecast.Mean); !(d < most) {
			t.Errorf("%s: forecasts differ by %g", name, d)
		}
		want := c.Forecast
		if d := max(far(t, lower80, want.Lower80), far(t, upper80, want.Upper80), far(t, lower95, want.Lower95), far(t, upper95, want.Upper95)); !(d < bounds) {
			t.Errorf("%s: bounds differ by %g", name, d)
		}
	}
}

// TestFitAgainstR: on R's series our own fit of R's form reaches R's likelihood or comes near; the search is another, and ours does not move the first season.
func TestFitAgainstR(t *testing.T) {
	refs := loadReferences(t)
	for _, name := range refs.family(t, "ets") {
		var c etsCase
		refs.read(t, name, &c)
		form, y, m := c.form(t), refs.series(t, name), 1
		if form.Season != NoSeason {
			m = len(c.Initstate) - 2
		}
		fit := newSmoothFit(form, false, y, m, 0)
		fit.search(fineSearch)
		got := fit.run(fit.best, &fit.scratch)
		t.Logf("%s: likelihood %.2f, R %.2f", name, got.logLikelihood(), c.Loglik)
		if ll := got.logLikelihood(); ll < c.Loglik-0.03*math.Abs(c.Loglik) {
			t.Errorf("%s: likelihood %g, R %g", name, ll, c.Loglik)
		}
	}
}
