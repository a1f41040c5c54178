package statespace

import (
	"math"
	"slices"
	"testing"

	"github.com/freshet-ml/freshet/models/modeltest"
)

// discountCase is a case of the family dlm-discount.
type discountCase struct {
	Dataset, Transform string
	Missing            []int `json:"missing_index0"`
	Params             struct {
		G        [][]float64
		F        []float64
		Blocks   [][2]int
		Discount []float64
		Beta     float64
		M0       []float64
		C0       [][]float64
		N0, S0   float64
	}
	Expected struct {
		Mean   modeltest.Nullable `json:"one_step_mean"`
		Scale  modeltest.Nullable `json:"one_step_scale2"`
		Dof    []float64          `json:"dof_after"`
		S      []float64          `json:"S_after"`
		Log    float64            `json:"log_predictive_student_t"`
		FinalM []float64          `json:"final_m"`
		C      [][]float64        `json:"final_C"`
		Ahead  struct {
			H      int
			Mean   []float64
			Scale2 []float64
			Dof    float64
		} `json:"forecast"`
	}
}

// TestDiscount runs the cases. They discount steps without a value too, as the book does.
func TestDiscount(t *testing.T) {
	r := load(t)
	each(t, r, "dlm-discount", func(t *testing.T, name string, c *discountCase) {
		p, e := &c.Params, &c.Expected
		cov := clone(p.C0)
		for i := range cov {
			for j := range cov {
				cov[i][j] /= p.S0 // in units of the variance
			}
		}
		d, err := NewDiscounted(&DiscountModel{G: p.G, F: p.F, Blocks: p.Blocks, Discount: p.Discount}, p.M0, cov)
		if err != nil {
			t.Fatal(err)
		}
		l, total := Learned{Discount: p.Beta, N: p.N0, S: p.S0}, 0.0
		for i, y := range r.series(t, c.Dataset, c.Transform) {
			d.Predict()
			mean, f := d.Forecast(nil)
			if !math.IsNaN(e.Mean[i]) {
				near(t, "forecast", i, []float64{mean, f * l.S}, []float64{e.Mean[i], e.Scale[i]}, 0, 1e-9)
			}
			if !slices.Contains(c.Missing, i) && !math.IsNaN(y) {
				in := d.Weigh(y, nil)
				total += l.LogPredictive(in.Error, in.Variance*l.S)
				l.Take(in.Error, in.Variance)
				d.Correct(in.Error)
			}
			near(t, "variance", i, []float64{l.N, l.S}, []float64{e.Dof[i], e.S[i]}, 0, 1e-9)
		}
		near(t, "log density", 0, []float64{total}, []float64{e.Log}, 0, 1e-9)
		near(t, "state", 0, d.Mean(), e.FinalM, biggest(e.FinalM), 1e-9)
		for i := range e.C {
			for j := range e.C {
				near(t, "covariance", i, []float64{d.Covariance(i, j) * l.S}, []float64{e.C[i][j]}, biggest(slices.Concat(e.C...)), 1e-9)
			}
		}
		for h := range e.Ahead.H { // the noise of the next step stays for those after it
			if h == 0 {
				d.Predict()
			} else {
				d.Hold()
			}
			mean, f := d.Forecast(nil)
			near(t, "ahead", h, []float64{mean, f * l.S, l.Degrees()}, []float64{e.Ahead.Mean[h], e.Ahead.Scale2[h], e.Ahead.Dof}, 0, 1e-9)
		}
	})
}

// Without a value the discount of the book winds the covariance up; Hold does not, and many steps at once are that many.
func TestHold(t *testing.T) {
	m := &DiscountModel{G: [][]float64{{1, 1, 0, 0}, {0, 1, 0, 0}, {0, 0, 0, 1}, {0, 0, -1, 0}}, F: []float64{1, 0, 1, 0}, Blocks: [][2]int{{0, 2}, {2, 2}}, Discount: []float64{0.8, 0.9}}
	mean := []float64{1, 0.5, 2, -1}
	make := func() *Discounted {
		d, err := NewDiscounted(m, mean, identity(4))
		if err != nil {
			t.Fatal(err)
		}
		d.Predict()
		return d
	}
	wound, held, many := make(), make(), make()
	for range 20 {
		wound.Predict()
		held.Hold()
	}
	many.HoldMany(20, 100)
	if wound.c[2][2] < 2*held.c[2][2] {
		t.Errorf("wound up to %g, held %g", wound.c[2][2], held.c[2][2])
	}
	near(t, "mean", 0, many.Mean(), held.Mean(), 1, 1e-12)
	far := make()
	far.HoldMany(20, 7)
	near(t, "far mean", 0, far.Mean(), held.Mean(), 1, 1e-12)
	if far.c[0][0] > held.c[0][0] || far.c[0][0] < 0 {
		t.Errorf("far variance %g, held %g", far.c[0][0], held.c[0][0])
	}
	far.Cap(0, 0.5)
	if _, v := far.Forecast([]float64{1, 0, 0, 0}); math.Abs(v-1.5) > 1e-12 {
		t.Errorf("capped variance %g", v-1)
	}
	for name, bad := range map[string]DiscountModel{
		"discount 0": {G: m.G, F: m.F, Blocks: m.Blocks, Discount: []float64{0, 1}},
		"a gap":      {G: m.G, F: m.F, Blocks: [][2]int{{0, 1}, {2, 2}}, Discount: m.Discount},
		"short":      {G: m.G, F: m.F, Blocks: [][2]int{{0, 2}}, Discount: []float64{1}},
		"F":          {G: m.G, F: []float64{1}, Blocks: m.Blocks, Discount: m.Discount},
	} {
		if bad.Check() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
