package preprocess_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/preprocess"
)

func TestRangeScalers(t *testing.T) {
	m, a := preprocess.NewMinMaxScaler(numbers(2), []int{0}, true), preprocess.NewMaxAbsScaler(numbers(2), []int{0})
	open := preprocess.NewMinMaxScaler(numbers(2), []int{0}, false)
	for _, s := range []models.Transformer{m, a, open} {
		check(t, "nothing seen", expand(s, 3, 4), 0, 4)
		s.Observe(row(nan, 1))
		s.Observe(row(-2, 1))
	}
	check(t, "one value", expand(m, -2, 4), 0, 4)
	check(t, "one magnitude", expand(a, -1, 4), -0.5, 4)
	for _, s := range []models.Transformer{m, a, open} {
		s.Observe(row(6, 1))
	}
	check(t, "range", expand(m, 0, 4), 0.25, 4)
	check(t, "beyond the range", expand(m, 100, 4), 1, 4)
	check(t, "beyond the range, open", expand(open, 14, 4), 2, 4)
	check(t, "magnitude", expand(a, -3, 4), -0.5, 4)
	check(t, "beyond the magnitude", expand(a, -100, 4), -1, 4)
	check(t, "missing", expand(m, nan, nan), nan, nan)
}

// TestQuantileEstimates: the published example of Jain & Chlamtac (1985, table I): 20 values, the median comes out as 4.44.
func TestQuantileEstimates(t *testing.T) {
	s := preprocess.NewImputeWith(numbers(1), []int{0}, preprocess.ImputeConfig{With: "median"})
	for _, x := range []float64{0.02, 0.15, 0.74, 3.39, 0.83, 22.37, 10.15, 15.43, 38.62, 15.92, 34.60, 10.28, 1.47, 0.40, 0.05, 11.39, 0.27, 0.42, 0.09, 11.37} {
		s.Observe(row(x))
	}
	if got := expand(s, nan)[0]; math.Abs(got-4.44) > 0.005 {
		t.Errorf("median %.4f, the paper's is 4.44", got)
	}
}

// TestRobustScaler: on long streams the quantiles are those of the sorted values, and an outlier in fifty does not matter.
func TestRobustScaler(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for name, draw := range map[string]func() float64{"normal": rng.NormFloat64, "exponential": rng.ExpFloat64, "even": rng.Float64} {
		s, all := preprocess.NewRobustScaler(numbers(1), []int{0}, 0.25), []float64(nil)
		for i := range 20000 {
			x := draw()
			if i%50 == 49 {
				x = 1e6
			}
			all = append(all, x)
			s.Observe(row(x))
		}
		slices.Sort(all)
		low, median, high := all[5000], all[10000], all[15000]
		for _, x := range []float64{median, high, low} {
			want := (x - median) / (high - low)
			if got := expand(s, x)[0]; math.Abs(got-want) > 0.05 {
				t.Errorf("%s: %v scaled to %.3f, sorting gives %.3f", name, x, got, want)
			}
		}
	}
	s := preprocess.NewRobustScaler(numbers(1), []int{0}, 0.25)
	check(t, "nothing seen", expand(s, 5), 0)
	s.Observe(row(7))
	check(t, "not varied", expand(s, 9), 2)
}

func TestImputeVariants(t *testing.T) {
	for with, want := range map[string]float64{"mean": 4, "median": 2, "last": 9, "constant": -1} {
		s := preprocess.NewImputeWith(numbers(2), []int{0}, preprocess.ImputeConfig{With: with, Value: -1, Indicator: true})
		check(t, with+", nothing seen", expand(s, nan, nan), -1, nan, 1)
		for _, x := range []float64{1, 2, 9} {
			s.Observe(row(x, 0))
			s.Observe(row(nan, 0))
		}
		check(t, with, expand(s, nan, 3), want, 3, 1)
		check(t, with+", there", expand(s, 5, 3), 5, 3, 0)
		if name := s.Schema().Columns[2].Name; name != "x0_missing" {
			t.Errorf("indicator %s", name)
		}
	}
}

func TestOrdinalEncoder(t *testing.T) {
	s := preprocess.NewOrdinalEncoder(mixed(), []int{1, 3}, 2)
	snap := s.Snapshot()
	for _, c := range []float64{50, 20, 70, 20} {
		s.Observe(row(1, c, 2, nan))
	}
	middle := s.Snapshot()
	s.Observe(row(1, 1, 1, 5))
	check(t, "first", expand(s, 9, 50, 8, nan), 9, 1, 8, nan)
	check(t, "second", expand(s, 9, 20, 8, 5), 9, 2, 8, 1)
	check(t, "came too late", expand(s, 9, 70, 8, 6), 9, 0, 8, 0)
	check(t, "before", expand(snap, 9, 50, 8, nan), 9, 0, 8, nan)
	check(t, "in between", expand(middle, 9, 20, 8, 5), 9, 2, 8, 0)
	if s.Schema().Columns[1].Kind != features.Numeric {
		t.Error("still a category")
	}
}

func TestCountEncoder(t *testing.T) {
	for as, want := range map[string]float64{"share": 3. / 5, "count": 3, "log": math.Log(4)} {
		s := preprocess.NewCountEncoder(mixed(), []int{1}, as, 12, true)
		snap := s.Snapshot()
		for _, c := range []float64{50, 20, 50, nan, 50} {
			s.Observe(row(1, c, 2, 3))
		}
		check(t, as, expand(s, 9, 50, 8, 7), 9, 50, 8, 7, want)
		check(t, as+", missing", expand(s, 9, nan, 8, 7), 9, nan, 8, 7, 0)
		check(t, as+", before", expand(snap, 9, 50, 8, 7), 9, 50, 8, 7, 0)
	}
}

func TestPolynomial(t *testing.T) {
	p, err := preprocess.NewPolynomial(numbers(3), []int{0, 2}, 3, false)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "products", expand(p, 2, 7, 3), 2, 7, 3, 4, 6, 9, 8, 12, 18, 27)
	check(t, "missing factor", expand(p, nan, 7, 3), nan, 7, 3, nan, nan, 9, nan, nan, nan, 27)
	if got := p.Schema().Columns[8].Name; got != "x0*x2*x2" {
		t.Errorf("name %s", got)
	}
	p, _ = preprocess.NewPolynomial(numbers(3), []int{0, 1, 2}, 2, true)
	check(t, "interactions", expand(p, 2, 7, 3), 2, 7, 3, 14, 6, 21)
	if _, err := preprocess.NewPolynomial(numbers(500), seq(500), 3, false); err == nil {
		t.Error("20 million columns")
	}
}

func seq(n int) (out []int) {
	for i := range n {
		out = append(out, i)
	}
	return out
}

// TestRandomFourierKernel: dot products of the features are the kernel, within what 4,000 components promise (Rahimi & Recht 2007, claim 1).
func TestRandomFourierKernel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gamma := rapid.SampledFrom([]float64{0.1, 0.5, 2}).Draw(t, "gamma")
		s := preprocess.NewRandomFourier(numbers(3), []int{0, 2}, 4000, gamma, false, rapid.Uint64().Draw(t, "seed"))
		point := rapid.Custom(func(t *rapid.T) []float64 { return rapid.SliceOfN(rapid.Float64Range(-2, 2), 3, 3).Draw(t, "point") })
		x, y := point.Draw(t, "x"), point.Draw(t, "y")
		a, b := expand(s, x...), expand(s, y...)
		if a[0] != x[1] || len(a) != 4001 {
			t.Fatalf("the other column is %v of %d", a[0], len(a))
		}
		dot := 0.0
		for i := range a[1:] {
			dot += a[i+1] * b[i+1]
		}
		want := math.Exp(-gamma * ((x[0]-y[0])*(x[0]-y[0]) + (x[2]-y[2])*(x[2]-y[2])))
		if math.Abs(dot-want) > 0.1 {
			t.Fatalf("dot product %.3f, kernel %.3f", dot, want)
		}
	})
}

func TestVarianceThreshold(t *testing.T) {
	s := preprocess.NewVarianceThreshold(numbers(3), []int{0, 1}, 0.5, 10)
	for i := range 20 {
		check(t, "warm-up", expand(s, 5, 6, 7)[2:], 7)
		if i < 10 {
			check(t, "warm-up", expand(s, 5, 6, 7), 5, 6, 7)
		}
		s.Observe(row(3, float64(i%3), nan))
	}
	check(t, "constant left out", expand(s, 5, 6, 7), 0, 6, 7)
}

// TestSelectKBest: the columns with the greatest correlation, as computed in two passes.
func TestSelectKBest(t *testing.T) {
	for _, targets := range []int{1, 3} {
		rng := rand.New(rand.NewPCG(7, uint64(targets)))
		s := preprocess.NewSelectKBest(numbers(5), seq(5), 2, 50, targets)
		for range 1000 {
			v := []float64{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64(), nan}
			e := row(v...)
			e.Y = v[1] - 0.5*v[3] + 0.5*rng.NormFloat64()
			if targets == 3 {
				e.Y = max(0, min(2, math.Round(1+e.Y)))
			}
			s.Observe(e)
			s.Learn(e)
		}
		check(t, fmt.Sprint(targets, " targets"), expand(s, 1, 2, 3, 4, 5), 0, 2, 0, 4, 0)
	}
}

// TestUnionAndChain: parts see the row that comes in to them, states are those of the parts alone, names are unique.
func TestUnionAndChain(t *testing.T) {
	make := func() (models.Transformer, models.Transformer) {
		chain := preprocess.NewChain([]models.Transformer{preprocess.NewImpute(numbers(2), []int{0}, true, 0), preprocess.NewStandardScaler(numbers(2), []int{0, 1})})
		return chain, preprocess.NewUnion([]models.Transformer{chain, preprocess.NewMaxAbsScaler(numbers(2), []int{1})})
	}
	_, u := make()
	impute, scale, magnitude := preprocess.NewImpute(numbers(2), []int{0}, true, 0), preprocess.NewStandardScaler(numbers(2), []int{0, 1}), preprocess.NewMaxAbsScaler(numbers(2), []int{1})
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range 200 {
		v := []float64{rng.NormFloat64(), 100 * rng.NormFloat64()}
		if i%5 == 0 {
			v[0] = nan
		}
		filled := expand(impute, v...)
		want := append(expand(scale, filled...), expand(magnitude, v...)...)
		check(t, fmt.Sprint("row ", i), expand(u, v...), want...)
		impute.Observe(row(v...))
		scale.Observe(row(filled...))
		magnitude.Observe(row(v...))
		u.Observe(row(v...))
	}
	if got := u.Schema().Columns; len(got) != 4 || got[2].Name != "x0_2" {
		t.Errorf("columns %v", got)
	}
	snap := u.Snapshot()
	before := expand(snap, 1, 2)
	u.Observe(row(1e6, 1e6))
	check(t, "snapshot", expand(snap, 1, 2), before...)
	_, other := make()
	if err := codec.Load(other, codec.Save(u)); err != nil || codec.Sum(other) != codec.Sum(u) {
		t.Errorf("load: %v", err)
	}
	e, out := row(1, 2), models.Row{}
	if n := testing.AllocsPerRun(1000, func() { out = u.Transform(out, e); u.Observe(e) }); n >= 1 {
		t.Errorf("%v allocations", n)
	}
}

func ExampleNewMinMaxScaler() {
	s := preprocess.NewMinMaxScaler(&features.Schema{Columns: []features.Column{{Name: "price"}}}, []int{0}, true)
	for _, x := range []float64{10, 30} {
		s.Observe(&models.Example{Row: models.Row{Value: []float64{x}}})
	}
	fmt.Println(s.Transform(models.Row{}, &models.Example{Row: models.Row{Value: []float64{25}}}).Value)
	// Output: [0.75]
}

func ExampleNewPolynomial() {
	p, _ := preprocess.NewPolynomial(&features.Schema{Columns: []features.Column{{Name: "a"}, {Name: "b"}}}, []int{0, 1}, 2, false)
	r := p.Transform(models.Row{}, &models.Example{Row: models.Row{Value: []float64{2, 3}}})
	for i, c := range p.Schema().Columns {
		fmt.Print(c.Name, "=", r.Value[i], " ")
	}
	// Output: a=2 b=3 a*a=4 a*b=6 b*b=9
}
