package preprocess_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/preprocess"
)

var nan = math.NaN()

// numbers is a schema of n numeric columns.
func numbers(n int) *features.Schema {
	s := &features.Schema{}
	for i := range n {
		s.Columns = append(s.Columns, features.Column{Name: fmt.Sprintf("x%d", i)})
	}
	return s
}

// mixed is a schema of a number, a category, a number and a category.
func mixed() *features.Schema {
	s := numbers(4)
	s.Columns[1].Kind, s.Columns[3].Kind = features.Categorical, features.Categorical
	return s
}

func row(v ...float64) *models.Example {
	return &models.Example{Row: models.Row{Value: v}, Weight: 1}
}

// expand returns the row that t makes of the values, as a dense one.
func expand(t models.Transformer, v ...float64) []float64 {
	r := t.Transform(models.Row{}, row(v...))
	out := make([]float64, len(t.Schema().Columns))
	for i := range out {
		out[i] = r.At(i)
	}
	return out
}

func same(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !(a[i] != a[i] && b[i] != b[i]) && math.Abs(a[i]-b[i]) > 1e-12*(1+math.Abs(b[i])) {
			return false
		}
	}
	return true
}

func check(t *testing.T, what string, got []float64, want ...float64) {
	t.Helper()
	if !same(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestStandardScalerMoments compares with mean and deviation in two passes, also far from zero.
func TestStandardScalerMoments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		offset := rapid.SampledFrom([]float64{0, 1e6, -1e9}).Draw(t, "offset")
		xs := rapid.SliceOfN(rapid.Float64Range(-100, 100), 2, 50).Draw(t, "xs")
		s := preprocess.NewStandardScaler(numbers(1), []int{0})
		mean := 0.0
		for _, x := range xs {
			s.Observe(row(x + offset))
			s.Observe(row(nan))
			mean += x
		}
		mean /= float64(len(xs))
		variance := 0.0
		for _, x := range xs {
			variance += (x - mean) * (x - mean)
		}
		variance /= float64(len(xs))
		if variance < 1e-3 {
			t.Skip("hardly any variance")
		}
		got := s.Transform(models.Row{}, row(5+offset)).Value[0]
		if want := (5 - mean) / math.Sqrt(variance); math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
			t.Fatalf("scaled %v, two passes give %v", got, want)
		}
	})
}

func TestScalersAtTheStart(t *testing.T) {
	for name, s := range map[string]models.Transformer{
		"standard": preprocess.NewStandardScaler(numbers(2), []int{0}), "ew": preprocess.NewEWScaler(numbers(2), []int{0}, 100, 5, 0),
	} {
		check(t, name+", nothing seen", expand(s, 3, 4), 0, 4)
		s.Observe(row(3, 4))
		s.Observe(row(3, 4))
		check(t, name+", constant", expand(s, 9, 4), 0, 4)
		check(t, name+", missing", expand(s, nan, nan), nan, nan)
		s.Observe(row(5, 4))
		if got := expand(s, 5, 4)[0]; !(got > 0) {
			t.Errorf("%s: above the mean is scaled to %v", name, got)
		}
	}
}

// TestEWScalerStartsAsWelford: before the half-life matters, mean and variance are the plain ones.
func TestEWScalerStartsAsWelford(t *testing.T) {
	a, b := preprocess.NewStandardScaler(numbers(1), []int{0}), preprocess.NewEWScaler(numbers(1), []int{0}, 1e6, 0, 0)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		x := row(10 + rng.NormFloat64())
		a.Observe(x)
		b.Observe(x)
	}
	if x, y := expand(a, 12)[0], expand(b, 12)[0]; math.Abs(x-y) > 1e-9 {
		t.Errorf("standard_scaler gives %v, ew_scaler %v", x, y)
	}
}

func TestEWScalerFollowsDrift(t *testing.T) {
	s := preprocess.NewEWScaler(numbers(1), []int{0}, 50, 8, 0)
	rng := rand.New(rand.NewPCG(2, 2))
	for i := range 4000 {
		level := 0.0
		if i >= 2000 {
			level = 3
		}
		s.Observe(row(level + rng.NormFloat64()))
	}
	if got := expand(s, 3)[0]; math.Abs(got) > 0.5 {
		t.Errorf("the new level is scaled to %v, want about 0", got)
	}
}

// TestEWScalerWinsorises: one absurd value moves the statistics by no more than one at the limit.
func TestEWScalerWinsorises(t *testing.T) {
	make := func(limit, outlier float64) float64 {
		s := preprocess.NewEWScaler(numbers(1), []int{0}, 1000, limit, 0)
		rng := rand.New(rand.NewPCG(3, 3))
		for range 1000 {
			s.Observe(row(rng.NormFloat64()))
		}
		s.Observe(row(outlier))
		return expand(s, 1)[0]
	}
	clean, cut, open := make(8, 0), make(8, 1e9), make(0, 1e9)
	if math.Abs(cut-clean) > 0.1 {
		t.Errorf("with a limit 1 is scaled to %v after an outlier, to %v without one", cut, clean)
	}
	if math.Abs(open) > 0.1 {
		t.Errorf("without a limit 1 is scaled to %v; the outlier should have drowned it", open)
	}
}

func TestEWScalerClips(t *testing.T) {
	s := preprocess.NewEWScaler(numbers(1), []int{0}, 1000, 8, 5)
	s.Observe(row(0))
	s.Observe(row(1))
	check(t, "far above", expand(s, 1e9), 5)
	check(t, "far below", expand(s, -1e9), -5)
	check(t, "missing", expand(s, nan), nan)
}

func TestSignedLog(t *testing.T) {
	s := preprocess.NewSignedLog(numbers(3), []int{0, 1}, 5)
	check(t, "fixed scale", expand(s, 10, -10, 10), math.Log(3), -math.Log(3), 10)
	check(t, "zero and missing", expand(s, 0, nan, nan), 0, nan, nan)
}

// TestSignedLogFindsItsBend: a heavy tail is compressed much more than an even spread, in any unit.
func TestSignedLogFindsItsBend(t *testing.T) {
	for _, unit := range []float64{1e-6, 1, 1e6} {
		s := preprocess.NewSignedLog(numbers(2), []int{0, 1}, 0)
		rng := rand.New(rand.NewPCG(4, 4))
		for range 20000 {
			s.Observe(row(unit*rng.Float64(), unit*math.Exp(2*rng.NormFloat64())))
		}
		a, b := expand(s, unit, unit), expand(s, 0.5*unit, 0.5*unit)
		if straight := a[0] / b[0]; straight < 1.7 {
			t.Errorf("unit %v: half of an even column's range is bent to 1/%.2f", unit, straight)
		}
		top, usual := expand(s, 0, 100*unit)[1], expand(s, 0, unit)[1]
		if top/usual > 10 {
			t.Errorf("unit %v: a hundred times the usual value is still %.1f times it", unit, top/usual)
		}
	}
}

func TestClip(t *testing.T) {
	s, err := preprocess.ClipComponent.NewTransformer(resolved(t, preprocess.ClipComponent, map[string]any{"min": -1, "max": 2}), models.Env{Schema: numbers(4)})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "clip", expand(s, -9, 9, 0.5, nan), -1, 2, 0.5, nan)
}

// resolved returns the arguments that a spec with the parameters gives.
func resolved(t *testing.T, c models.Component, params map[string]any) models.Args {
	t.Helper()
	var got models.Args
	probe := c
	probe.NewTransformer = func(a models.Args, env models.Env) (models.Transformer, error) {
		got = a
		return c.NewTransformer(a, env)
	}
	model := models.Component{Name: "m", Kind: models.ModelKind, NewModel: func(models.Args, models.Env) (models.Learner, error) { return nil, nil }}
	p, err := models.Registry{probe, model}.Resolve(models.Spec{Stages: []models.Stage{{Name: c.Name, Params: params}, {Name: "m"}}}, models.Binary)
	if err != nil {
		t.Fatal(err)
	}
	p.Build(models.Env{Schema: mixed(), Task: models.Binary})
	return got
}

func TestImpute(t *testing.T) {
	s := preprocess.NewImpute(numbers(1), []int{0}, true, -1)
	check(t, "before a mean", expand(s, nan), -1)
	s.Observe(row(2))
	s.Observe(row(nan))
	s.Observe(row(4))
	check(t, "mean", expand(s, nan), 3)
	check(t, "present", expand(s, 9), 9)
	check(t, "constant", expand(preprocess.NewImpute(numbers(1), []int{0}, false, 7), nan), 7)
}

func TestMissingIndicator(t *testing.T) {
	s := preprocess.NewMissingIndicator(numbers(3), []int{0, 2})
	check(t, "none missing", expand(s, 1, 2, 3), 1, 2, 3, 0, 0)
	check(t, "one missing", expand(s, nan, 2, 3), 0, 2, 3, 1, 0)
	check(t, "not selected", expand(s, 1, nan, nan), 1, nan, 0, 0, 1)
	if got := s.Schema().Columns[4].Name; got != "x2_missing" {
		t.Errorf("the indicator is named %s", got)
	}
}

func TestOneHot(t *testing.T) {
	s := preprocess.NewOneHot(mixed(), []int{1, 3}, 2, 1)
	// columns: x0, x2, x1 is 0, x1 is 1, x1 other, x3 is 0, x3 is 1, x3 other
	check(t, "unknown", expand(s, 5, 70, 6, 80), 5, 6, 0, 0, 0, 0, 0, 0)
	s.Observe(row(5, 70, 6, 80))
	check(t, "known", expand(s, 5, 70, 6, 80), 5, 6, 1, 0, 0, 1, 0, 0)
	check(t, "room left", expand(s, 5, 71, 6, 81), 5, 6, 0, 0, 0, 0, 0, 0)
	s.Observe(row(5, 71, 6, nan))
	check(t, "full", expand(s, 0, 99, 6, 99), 0, 6, 0, 0, 1, 0, 0, 0)
	check(t, "missing", expand(s, nan, nan, 6, 80), nan, 6, 0, 0, 0, 1, 0, 0)
	if n := len(s.Schema().Columns); n != 8 {
		t.Errorf("%d columns, want 8", n)
	}
}

// TestOneHotSnapshot: what the dictionary learns later is not seen by a snapshot.
func TestOneHotSnapshot(t *testing.T) {
	s := preprocess.NewOneHot(mixed(), []int{1}, 4, 1)
	s.Observe(row(0, 70, 0, 0))
	snap := s.Snapshot()
	s.Observe(row(0, 71, 0, 0))
	if got := expand(snap, 0, 71, 0, 0); got[4] != 0 {
		t.Errorf("the snapshot knows a later category: %v", got)
	}
	if got := expand(s, 0, 71, 0, 0); got[4] != 1 {
		t.Errorf("the encoder does not know its second category: %v", got)
	}
}

// TestHashingIsSortedAndStable: rows are valid sparse rows, whatever meets.
func TestHashingIsSortedAndStable(t *testing.T) {
	schema := numbers(12)
	var columns []int
	for i := 2; i < 12; i++ {
		schema.Columns[i].Kind = features.Categorical
		columns = append(columns, i)
	}
	s := preprocess.NewHashing(schema, columns, 3)
	rng := rand.New(rand.NewPCG(5, 5))
	for range 200 {
		v := make([]float64, 12)
		for i := range v {
			v[i] = float64(rng.IntN(1000))
		}
		r := s.Transform(models.Row{}, row(v...))
		total := 0.0
		for j, i := range r.Index {
			if j > 0 && r.Index[j-1] >= i || int(i) >= len(s.Schema().Columns) {
				t.Fatalf("indices %v of %d columns", r.Index, len(s.Schema().Columns))
			}
			if i >= 2 {
				total += math.Abs(r.Value[j])
			}
		}
		if total > 10 || int(total)%2 != 0 {
			t.Fatalf("ten categories of ±1 sum to %v in magnitude", total)
		}
	}
}

// TestTargetEncoder compares with the smoothed mean of the labels.
func TestTargetEncoder(t *testing.T) {
	s := preprocess.NewTargetEncoder(mixed(), []int{1}, 2, 8, false)
	check(t, "nothing learned", expand(s, 5, 70, 6, 80), 5, 0, 6, 80)
	for i, y := range []float64{1, 1, 0, 1} {
		e := row(5, []float64{70, 70, 70, 71}[i], 6, 80)
		e.Y = y
		s.Observe(e) // must not matter
		s.Learn(e)
	}
	all := 0.75
	check(t, "three examples", expand(s, 5, 70, 6, 80), 5, (2+2*all)/5, 6, 80)
	check(t, "one example", expand(s, 5, 71, 6, 80), 5, (1+2*all)/3, 6, 80)
	check(t, "unknown", expand(s, 5, 72, 6, 80), 5, all, 6, 80)
	check(t, "missing", expand(s, 5, nan, 6, 80), 5, all, 6, 80)
	kept := preprocess.NewTargetEncoder(mixed(), []int{1, 3}, 2, 8, true)
	if n := len(kept.Schema().Columns); n != 6 || kept.Schema().Columns[5].Name != "x3_target" {
		t.Errorf("columns %v", kept.Schema().Columns)
	}
}

// TestMulticlassTargetEncoder compares with the smoothed shares of the classes, counted.
func TestMulticlassTargetEncoder(t *testing.T) {
	const classes, smoothing = 4, 3
	s := preprocess.NewMulticlassTargetEncoder(mixed(), []int{1, 3}, classes, smoothing, 12, false)
	names := []string{"x0", "x1_target_1", "x2", "x3_target_1", "x1_target_2", "x1_target_3", "x3_target_2", "x3_target_3"}
	if got := fmt.Sprint(columnNames(s.Schema())); got != fmt.Sprint(names) {
		t.Fatalf("columns %v", got)
	}
	rng := rand.New(rand.NewPCG(5, 5))
	var all [classes]float64
	var of [2][3][classes]float64
	n, in := 0.0, [2][3]float64{}
	share := func(j, c, k int) float64 {
		if n == 0 {
			return 0
		}
		return (of[j][c][k] + smoothing*all[k]/n) / (in[j][c] + smoothing)
	}
	for range 300 {
		a, b, y := rng.IntN(3), rng.IntN(3), rng.IntN(classes)
		e := row(5, float64(70+a), 6, float64(80+b))
		e.Y = float64(y)
		check(t, "before its label", expand(s, 5, e.Value[1], 6, e.Value[3]), 5, share(0, a, 1), 6, share(1, b, 1), share(0, a, 2), share(0, a, 3), share(1, b, 2), share(1, b, 3))
		s.Observe(e) // must not matter
		s.Learn(e)
		n++
		all[y]++
		of[0][a][y]++
		of[1][b][y]++
		in[0][a]++
		in[1][b]++
	}
	check(t, "missing and unknown", expand(s, 5, nan, 6, 99), 5, all[1]/n, 6, all[1]/n, all[2]/n, all[3]/n, all[2]/n, all[3]/n)
	before := codec.Sum(s)
	for _, y := range []float64{-1, classes, nan} {
		e := row(5, 70, 6, 80)
		e.Y = y
		s.Learn(e)
	}
	if codec.Sum(s) != before {
		t.Error("a class that there is not was learned")
	}
}

// TestTwoClassesAreABinaryTarget: class 1 of two is encoded as it is for the task binary, and kept columns stand before the encoded ones.
func TestTwoClassesAreABinaryTarget(t *testing.T) {
	two, binary := preprocess.NewMulticlassTargetEncoder(mixed(), []int{1}, 2, 5, 8, true), preprocess.NewTargetEncoder(mixed(), []int{1}, 5, 8, true)
	rng := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		e := row(5, float64(rng.IntN(40)), 6, 80)
		e.Y = float64(rng.IntN(2))
		two.Learn(e)
		binary.Learn(e)
		if a, b := expand(two, e.Value...), expand(binary, e.Value...); !same(a, b) || a[1] != e.Value[1] {
			t.Fatalf("%v and %v", a, b)
		}
	}
}

func columnNames(s *features.Schema) (out []string) {
	for _, c := range s.Columns {
		out = append(out, c.Name)
	}
	return out
}

// TestTargetEncoderPages: snapshots share pages, and later labels do not reach them.
func TestTargetEncoderPages(t *testing.T) {
	s := preprocess.NewTargetEncoder(mixed(), []int{1}, 1, 8, false)
	type kept struct {
		snap models.Transformer
		want []float64
	}
	var all []kept
	rng := rand.New(rand.NewPCG(6, 6))
	probe := func(t models.Transformer) (out []float64) {
		for c := range 40 {
			out = append(out, expand(t, 0, float64(c), 0, 0)[1])
		}
		return out
	}
	for i := range 300 {
		e := row(0, float64(rng.IntN(40)), 0, 0)
		e.Y = rng.NormFloat64()
		s.Learn(e)
		if i%30 == 0 {
			all = append(all, kept{s.Snapshot(), probe(s)})
		}
	}
	for i, k := range all {
		if !same(probe(k.snap), k.want) {
			t.Errorf("snapshot %d changed", i)
		}
	}
}

// FuzzState loads arbitrary bytes into every stateful transformer: an error or a state that can be saved
// again as it was, never a panic.
func FuzzState(f *testing.F) {
	make := func() []models.Transformer {
		return []models.Transformer{
			preprocess.NewStandardScaler(numbers(2), []int{0, 1}), preprocess.NewEWScaler(numbers(2), []int{0, 1}, 10, 5, 5),
			preprocess.NewSignedLog(numbers(2), []int{0, 1}, 0), preprocess.NewImpute(numbers(2), []int{0}, true, 0),
			preprocess.NewOneHot(mixed(), []int{1, 3}, 4, 2), preprocess.NewTargetEncoder(mixed(), []int{1}, 5, 7, true), preprocess.NewMulticlassTargetEncoder(mixed(), []int{1, 3}, 3, 5, 7, false),
			preprocess.NewMinMaxScaler(numbers(2), []int{0, 1}, true), preprocess.NewRobustScaler(numbers(2), []int{0, 1}, 0.25),
			preprocess.NewOrdinalEncoder(mixed(), []int{1, 3}, 4), preprocess.NewCountEncoder(mixed(), []int{1}, "log", 7, false),
			preprocess.NewVarianceThreshold(numbers(2), []int{0, 1}, 1, 1), preprocess.NewSelectKBest(numbers(4), []int{0, 1, 2}, 1, 1, 2),
			preprocess.NewImputeWith(numbers(2), []int{0, 1}, preprocess.ImputeConfig{With: "median"}),
		}
	}
	for i, t := range make() {
		t.Observe(row(1, 2, 3, 4))
		t.Learn(row(1, 2, 3, 4))
		f.Add(uint8(i), codec.Save(t))
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		ts := make()
		x := ts[int(which)%len(ts)]
		if codec.Load(x, b) != nil {
			return
		}
		x.Transform(models.Row{}, row(1, 2, 3, 4))
		x.Observe(row(1, 2, 3, 4))
	})
}

func ExampleNewStandardScaler() {
	s := preprocess.NewStandardScaler(&features.Schema{Columns: []features.Column{{Name: "x"}}}, []int{0})
	for _, x := range []float64{2, 4, 6} {
		s.Observe(&models.Example{Row: models.Row{Value: []float64{x}}})
	}
	r := s.Transform(models.Row{}, &models.Example{Row: models.Row{Value: []float64{6}}})
	fmt.Printf("%.3f\n", r.Value[0])
	// Output: 1.225
}

func ExampleNewOneHot() {
	schema := &features.Schema{Columns: []features.Column{{Name: "colour", Kind: features.Categorical}, {Name: "size"}}}
	s := preprocess.NewOneHot(schema, []int{0}, 2, 1)
	red := &models.Example{Row: models.Row{Value: []float64{features.Category("red"), 3}}}
	s.Observe(red)
	r := s.Transform(models.Row{}, red)
	fmt.Println(s.Schema().Columns[r.Index[0]].Name, r.Value[0], s.Schema().Columns[r.Index[1]].Name, r.Value[1])
	// Output: size 3 colour_is_0 1
}

func ExampleNewSignedLog() {
	s := preprocess.NewSignedLog(&features.Schema{Columns: []features.Column{{Name: "delay"}}}, []int{0}, 5)
	for _, x := range []float64{-5, 0, 5, 500} {
		r := s.Transform(models.Row{}, &models.Example{Row: models.Row{Value: []float64{x}}})
		fmt.Printf("%.2f ", r.Value[0])
	}
	// Output: -0.69 0.00 0.69 4.62
}
