package statespace

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/freshet-ml/freshet/models/modeltest"
)

// The cases of ../testdata/forecast.json.gz; its `conventions` say what they mean.

type references struct {
	Datasets map[string]struct{ Y modeltest.Nullable }
	Cases    map[string]json.RawMessage
	MLE      map[string]struct {
		Dataset, Transform string
		Params             map[string]float64
		Loglik             float64 `json:"loglik_all_log2pi"`
	} `json:"mle_reference"`
}

func load(t testing.TB) *references {
	t.Helper()
	r := new(references)
	modeltest.ReadJSON(t, "../testdata/forecast.json.gz", r)
	return r
}

func (r *references) series(t testing.TB, dataset, transform string) []float64 {
	t.Helper()
	change := map[string]func(float64) float64{"none": func(x float64) float64 { return x }, "log": math.Log, "log10": math.Log10, "sqrt": math.Sqrt}[transform]
	y := r.Datasets[dataset].Y
	if y == nil || change == nil {
		t.Fatalf("no series %s, or no transform %s", dataset, transform)
	}
	out := make([]float64, len(y))
	for i, v := range y {
		out[i] = change(v)
	}
	return out
}

func each[C any](t *testing.T, r *references, family string, f func(t *testing.T, name string, c *C)) {
	var names []string
	for name := range r.Cases {
		names = append(names, name)
	}
	slices.Sort(names)
	found := 0
	for _, name := range names {
		var head struct{ Family string }
		if err := json.Unmarshal(r.Cases[name], &head); err != nil {
			t.Fatal(err)
		}
		if head.Family != family {
			continue
		}
		found++
		t.Run(name, func(t *testing.T) {
			c := new(C)
			if err := json.Unmarshal(r.Cases[name], c); err != nil {
				t.Fatal(err)
			}
			f(t, name, c)
		})
	}
	if found == 0 {
		t.Errorf("no case of family %s", family)
	}
}

// flexible is a number, a row or a matrix, null for missing ones: files write what has one output without brackets.
type flexible [][]float64

func (f *flexible) UnmarshalJSON(b []byte) error {
	var number *float64
	if json.Unmarshal(b, &number) == nil {
		if number != nil {
			*f = flexible{{*number}}
		}
		return nil
	}
	var row modeltest.Nullable
	if json.Unmarshal(b, &row) == nil {
		*f = flexible{row}
		return nil
	}
	var rows []modeltest.Nullable
	if err := json.Unmarshal(b, &rows); err != nil {
		return err
	}
	*f = nil
	for _, r := range rows {
		*f = append(*f, r)
	}
	return nil
}

// flat are the numbers of it, row by row.
func (f flexible) flat() []float64 { return slices.Concat(f...) }

// ssmCase is a case of the family ssm.
type ssmCase struct {
	Dataset, Transform string
	SSM                struct {
		T, Q [][]float64
		Z, H flexible
		Zt   []flexible
		Next []flexible `json:"Z_forecast"`
	}
	Init struct {
		A1      []float64
		P1      [][]float64
		Diffuse []int `json:"diffuse_states"`
	}
	Y        []flexible
	Expected struct {
		All         float64 `json:"loglik_diffuse_all_log2pi"`
		KFAS        float64 `json:"loglik_diffuse_kfas"`
		FirstProper int     `json:"first_proper_t"`
		Innovations []flexible
		Variances   []flexible  `json:"innovation_var"`
		Last        []float64   `json:"filtered_state_last"`
		LastCov     [][]float64 `json:"filtered_cov_last"`
		Filtered    []flexible  `json:"filtered_state"`
		FilteredVar []flexible  `json:"filtered_var_diag"`
		Forecast    struct {
			H         int
			Mean, Var []flexible
		}
	}
}

func (c *ssmCase) model() (*Model, Data, [][][]float64) {
	z := c.SSM.Z
	data := Data{}
	for _, rows := range c.SSM.Zt {
		data.Z = append(data.Z, rows)
		z = rows
	}
	m := &Model{Z: z, H: c.SSM.H, T: c.SSM.T, Q: c.SSM.Q, Start: Start{Mean: c.Init.A1, Cov: c.Init.P1, Diffuse: c.Init.Diffuse}}
	var next [][][]float64
	for _, rows := range c.SSM.Next {
		next = append(next, rows)
	}
	return m, data, next
}

// near wants x within the tolerance of want, relative to the greater of want and scale.
func near(t *testing.T, what string, at int, x, want []float64, scale, tolerance float64) {
	t.Helper()
	if len(x) != len(want) {
		t.Fatalf("%s, %d: %v, want %v", what, at, x, want)
	}
	for i := range x {
		if !(math.Abs(x[i]-want[i]) <= tolerance*math.Max(scale, math.Abs(want[i]))) {
			t.Fatalf("%s, %d: [%d] is %.17g, want %.17g", what, at, i, x[i], want[i])
		}
	}
}

// TestSSM runs the cases with explicit matrices, against arithmetic of 100 digits.
func TestSSM(t *testing.T) {
	r := load(t)
	each(t, r, "ssm", func(t *testing.T, name string, c *ssmCase) {
		m, data, next := c.model()
		for _, row := range c.Y {
			if row == nil {
				row = flexible{{math.NaN()}}
			}
			data.Y = append(data.Y, row[0])
		}
		if c.Y == nil {
			data.Y = Column(r.series(t, c.Dataset, c.Transform))
		}
		tolerance := 1e-10
		if len(name) > 7 && name[:7] == "illcond" {
			tolerance = 1e-6
		}
		got, err := Run(m, data, false)
		if err != nil {
			t.Fatal(err)
		}
		e := &c.Expected
		near(t, "log-likelihood", 0, []float64{got.AllLog2Pi(), got.ProperLog2Pi()}, []float64{e.All, e.KFAS}, 0, tolerance)
		if got.FirstProper != e.FirstProper {
			t.Errorf("finite from %d on, want %d", got.FirstProper, e.FirstProper)
		}
		scale := 0.0
		for _, y := range data.Y {
			for _, v := range y {
				if math.Abs(v) > scale { // NaN is not
					scale = math.Abs(v)
				}
			}
		}
		checkRun(t, got, c, scale, tolerance)
		mean, cov := got.Forecast(e.Forecast.H, next)
		for h := range mean {
			near(t, "forecast", h, mean[h], e.Forecast.Mean[h].flat(), 0, tolerance)
			near(t, "variance of the forecast", h, slices.Concat(cov[h]...), e.Forecast.Var[h].flat(), biggest(e.Forecast.Var[h].flat()), tolerance)
		}
	})
}

func biggest(x []float64) float64 {
	most := 0.0
	for _, v := range x {
		most = math.Max(most, math.Abs(v))
	}
	return most
}

func checkRun(t *testing.T, got *Result, c *ssmCase, scale, tolerance float64) {
	t.Helper()
	e, last := &c.Expected, len(got.Filtered)-1
	for i, want := range e.Innovations {
		if want == nil && got.Innovations[i] != nil && got.Filtered[i] != nil && i+1 > e.FirstProper {
			t.Fatalf("innovation %d is %v, want none", i, got.Innovations[i])
		}
		if want != nil {
			near(t, "innovation", i, got.Innovations[i], want.flat(), scale, tolerance)
			near(t, "variance of the innovation", i, slices.Concat(got.InnovationVar[i]...), e.Variances[i].flat(), biggest(e.Variances[i].flat()), tolerance)
		}
	}
	for i, want := range e.Filtered {
		if (want == nil) != (got.Filtered[i] == nil) {
			t.Fatalf("filtered state %d: %v, want %v", i, got.Filtered[i], want)
		}
		if want == nil {
			continue
		}
		near(t, "filtered state", i, got.Filtered[i], want.flat(), scale, tolerance)
		for k, v := range e.FilteredVar[i].flat() {
			near(t, "filtered variance", i, got.FilteredCov[i][k][k:k+1], []float64{v}, biggest(e.FilteredVar[i].flat()), tolerance)
		}
	}
	near(t, "last state", last, got.Filtered[last], e.Last, biggest(e.Last), tolerance)
	flat := slices.Concat(e.LastCov...)
	near(t, "last covariance", last, slices.Concat(got.FilteredCov[last]...), flat, biggest(flat), tolerance)
}

// structCase is a case of the family ucm: R's StructTS, whose start is that of time 0.
type structCase struct {
	Dataset, Transform string
	Initial            struct {
		Z        []float64
		A0       []float64
		H        float64
		T, V, P0 [][]float64
	} `json:"ssm_initial"`
	Loglik   float64     `json:"loglik_structts"`
	Std      []float64   `json:"std_resid"`
	Filtered [][]float64 `json:"filtered_states"`
	Smoothed [][]float64 `json:"smoothed_states"`
	Final    struct {
		A []float64
		P [][]float64
	} `json:"final_state"`
	Forecast struct {
		H        int
		Mean, SE []float64
	}
}

// TestStructTS runs structural models as R fitted them. R fills the whole covariance of its start with one number 10⁶ times the variance of the series: it
// knows eight digits of what follows, so this is what is compared.
func TestStructTS(t *testing.T) {
	r := load(t)
	each(t, r, "ucm", func(t *testing.T, name string, c *structCase) {
		m := &Model{Z: [][]float64{c.Initial.Z}, H: [][]float64{{c.Initial.H}}, T: c.Initial.T, Q: c.Initial.V}
		m.FromFiltered(c.Initial.A0, c.Initial.P0)
		y := r.series(t, c.Dataset, c.Transform)
		got, err := Run(m, Data{Y: Column(y)}, true)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "log-likelihood", 0, []float64{got.AllLog2Pi()}, []float64{c.Loglik}, 1, 5e-8)
		for i, want := range c.Std {
			near(t, "standardised residual", i, []float64{got.Innovations[i][0] / math.Sqrt(got.InnovationVar[i][0][0])}, []float64{want}, 1, 5e-7)
		}
		scale := biggest(y)
		for i, want := range c.Filtered {
			i += len(y) - len(c.Filtered)
			near(t, "filtered state", i, got.Filtered[i], want, scale, 5e-8)
		}
		if smooth := got.Smooth(); c.Smoothed != nil {
			for i, want := range c.Smoothed {
				i += len(y) - len(c.Smoothed)
				near(t, "smoothed state", i, smooth.Mean[i], want, scale, 5e-8)
			}
		}
		mean, cov := got.Forecast(c.Forecast.H, nil)
		for h := range mean {
			near(t, "forecast", h, mean[h], c.Forecast.Mean[h:h+1], scale, 1e-9)
			near(t, "deviation of the forecast", h, []float64{math.Sqrt(cov[h][0][0])}, c.Forecast.SE[h:h+1], 0, 5e-7)
		}
	})
}
