package statespace

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

// arimaCase is a case of the family sarimax: R's arima with method ML.
type arimaCase struct {
	Dataset, Transform string
	Order, Seasonal    []int
	Period             int
	Params             map[string]float64
	Sigma2, Loglik     float64
	Input              []float64 `json:"ssm_input"`
	Forecast           struct {
		H        int
		Mean, SE []float64
	}
}

func (c *arimaCase) model(t *testing.T) *Model {
	t.Helper()
	a := ARIMA{Period: c.Period, Variance: 1}
	if c.Order != nil {
		a.Diff, a.SeasonalDiff = c.Order[1], c.Seasonal[1]
	} else { // airline-exact-stationary does not repeat them
		a.Diff, a.SeasonalDiff, a.Period = 1, 1, 12
	}
	for prefix, to := range map[string]*[]float64{"ar": &a.AR, "ma": &a.MA, "sar": &a.SeasonalAR, "sma": &a.SeasonalMA} {
		for i := 1; ; i++ {
			v, ok := c.Params[prefix+strconv.Itoa(i)]
			if !ok {
				break
			}
			*to = append(*to, v)
		}
	}
	m, err := a.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// regression is what the regressors of the case add to the values at time i; those of the future are as the case says.
func (c *arimaCase) regression(r *references, name string, i, n int) float64 {
	s := c.Params["intercept"]
	again := func(dataset string) float64 {
		if i >= n {
			i = n - 12 + (i-n)%12
		}
		return r.Datasets[dataset].Y[i]
	}
	switch name {
	case "lakehuron-ar2-trend":
		s += c.Params["xreg"] * float64(1875+i-1920)
	case "bjsales-xreg":
		s += c.Params["xreg"] * r.Datasets["BJsales.lead"].Y[min(i, n-1)]
	case "seatbelts-sarimax":
		s += c.Params["kms"]*math.Log(again("Seatbelts.kms")) + c.Params["petrol"]*math.Log(again("Seatbelts.PetrolPrice")) + c.Params["law"]*again("Seatbelts.law")
	}
	return s
}

// TestARIMA runs R's models. Where differences are taken R starts with the variance 10⁶ instead of an infinite one, which moves its likelihood by some 10⁻³;
// the case airline-exact-stationary has the exact value.
func TestARIMA(t *testing.T) {
	r := load(t)
	each(t, r, "sarimax", func(t *testing.T, name string, c *arimaCase) {
		m := c.model(t)
		y := r.series(t, c.Dataset, c.Transform)
		for i := range y {
			y[i] -= c.regression(r, name, i, len(y))
		}
		for i, want := range c.Input {
			near(t, "input", i, y[i:i+1], []float64{want}, 1, 1e-9)
		}
		got, err := Run(m, Data{Y: Column(y)}, false)
		if err != nil {
			t.Fatal(err)
		}
		diffs := len(m.Start.Diffuse) > 0
		tolerance := 1e-7
		if strings.HasSuffix(name, "exact-stationary") {
			tolerance, diffs = 1e-10, false
		} else if diffs {
			tolerance = 5e-3
		}
		t.Logf("%.12f, want %.12f", got.Concentrated(), c.Loglik)
		if math.Abs(got.Concentrated()-c.Loglik) > tolerance {
			t.Errorf("log-likelihood %.12f, want %.12f", got.Concentrated(), c.Loglik)
		}
		if s := got.Scale(); math.Abs(s/c.Sigma2-1) > map[bool]float64{true: 2e-4, false: 1e-8}[diffs] {
			t.Errorf("variance %.12g, want %.12g", s, c.Sigma2)
		}
		mean, cov := got.Forecast(c.Forecast.H, nil)
		for h := range mean {
			v := mean[h][0] + c.regression(r, name, len(y)+h, len(y))
			near(t, "forecast", h, []float64{v}, c.Forecast.Mean[h:h+1], 1, 1e-6)
			near(t, "deviation of the forecast", h, []float64{math.Sqrt(cov[h][0][0] * c.Sigma2)}, c.Forecast.SE[h:h+1], 0, 1e-5)
		}
	})
}

func TestARIMAIsRefused(t *testing.T) {
	for name, a := range map[string]ARIMA{
		"unit root":      {AR: []float64{1}, Variance: 1},
		"explosive":      {AR: []float64{1.2}, Variance: 1},
		"no period":      {SeasonalMA: []float64{.5}, Variance: 1},
		"below 0":        {Diff: -1, Variance: 1},
		"too many":       {SeasonalDiff: 1, Period: 2 * MaxStates, Variance: 1},
		"seasonal root":  {SeasonalAR: []float64{1}, Period: 4, Variance: 1},
		"next to a root": {AR: []float64{1 - 1e-17}, Variance: 1},
	} {
		if m, err := a.Model(); err == nil && m.Check() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
