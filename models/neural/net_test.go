package neural

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// mixedSchema has numbers and categories.
func mixedSchema(numbers, categories int) *features.Schema {
	s := &features.Schema{}
	for i := range numbers {
		s.Columns = append(s.Columns, features.Column{Name: fmt.Sprint("x", i)})
	}
	for i := range categories {
		s.Columns = append(s.Columns, features.Column{Name: fmt.Sprint("c", i), Kind: features.Categorical})
	}
	return s
}

// mixedRow draws a row: now and then a value is missing.
func mixedRow(rng *rand.Rand, numbers, categories, distinct int) []float64 {
	var v []float64
	for range numbers {
		v = append(v, rng.NormFloat64())
	}
	for range categories {
		v = append(v, features.Category(fmt.Sprint("v", rng.IntN(distinct))))
	}
	if rng.IntN(3) == 0 {
		v[rng.IntN(len(v))] = math.NaN()
	}
	return v
}

func small() Options {
	o := Defaults()
	o.Hidden, o.Embedding, o.Rows = []int{6, 4}, 3, 512
	return o
}

// envs are the tasks that nets serve.
func envs(s *features.Schema) []models.Env {
	return []models.Env{{Schema: s, Task: models.Binary, Classes: 2, Seed: 1}, {Schema: s, Task: models.Multiclass, Classes: 3, Seed: 1}, {Schema: s, Task: models.Regression, Seed: 1}}
}

// checkFamily compares the derivatives of a model family with differences, for each task, with known, new and missing values.
func checkFamily(t *testing.T, name string, make func(env models.Env) (*Net, error)) {
	t.Helper()
	for _, env := range envs(mixedSchema(3, 2)) {
		n, err := make(env)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(7, 7))
		for range 40 {
			e := &models.Example{Row: models.Row{Value: mixedRow(rng, 3, 2, 3)}, Y: float64(rng.IntN(2)), Weight: 1}
			n.Observe(e)
			n.Learn(e, nil)
		}
		for range 6 {
			e := &models.Example{Row: models.Row{Value: mixedRow(rng, 3, 2, 5)}, Y: float64(rng.IntN(2)), Weight: 1}
			checkNet(t, name+" "+env.Task.String(), n, e)
		}
	}
}

func TestGradientMLP(t *testing.T) {
	for i, change := range []func(o *Options){
		func(o *Options) {},
		func(o *Options) { o.LayerNorm = false },
		func(o *Options) { o.Hidden = nil },
		func(o *Options) { o.Activation, o.LayerNorm, o.Dropout = "gelu", true, 0.3 },
	} {
		checkFamily(t, fmt.Sprint("mlp ", i), func(env models.Env) (*Net, error) {
			o := small()
			change(&o)
			return NewMLP(env, o)
		})
	}
}

// TestRandomLabels: labels that nothing predicts are predicted no better and no worse than by chance: within 4·√(.25/n).
func TestRandomLabels(t *testing.T) {
	checkChance(t, func(env models.Env) (*Net, error) { return NewMLP(env, Defaults()) })
}

func checkChance(t *testing.T, make func(env models.Env) (*Net, error)) {
	t.Helper()
	n, err := make(envs(mixedSchema(6, 2))[0])
	if err != nil {
		t.Fatal(err)
	}
	const rounds = 5000
	rng := rand.New(rand.NewPCG(8, 8))
	right := 0.0
	for range rounds {
		e := &models.Example{Row: models.Row{Value: mixedRow(rng, 6, 2, 50)}, Y: float64(rng.IntN(2)), Weight: 1}
		if (n.Predict(nil, e)[0] > 0.5) == (e.Y == 1) {
			right++
		}
		n.Observe(e)
		n.Learn(e, nil)
	}
	if share := right / rounds; math.Abs(share-0.5) > 4*math.Sqrt(0.25/rounds) {
		t.Errorf("%.4f of random labels were predicted", share)
	}
}

// TestUnscaledTargets: a target in millions with an offset is learned as well as one in units: its answers are those, scaled.
func TestUnscaledTargets(t *testing.T) {
	env := envs(mixedSchema(3, 0))[2]
	run := func(make func(models.Env, Options) (*Net, error), scale, offset float64) float64 {
		o := small()
		o.Hidden = []int{16, 8}
		n, err := make(env, o)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(9, 9))
		errors, spread := 0.0, 0.0
		for i := range 12000 {
			v := normals(rng, 3)
			y := v[0]*v[1] + math.Abs(v[2])
			e := &models.Example{Row: models.Row{Value: v}, Y: offset + scale*y, Weight: 1}
			if p := n.Predict(nil, e)[0]; i > 6000 {
				errors += (p - e.Y) * (p - e.Y)
				spread += scale * scale * 1.36 // variance of the target: 1 + 1 − 2/π
			}
			n.Observe(e)
			n.Learn(e, nil)
		}
		return 1 - errors/spread
	}
	for name, make := range map[string]func(models.Env, Options) (*Net, error){
		"mlp":     NewMLP,
		"deep_fm": func(env models.Env, o Options) (*Net, error) { return NewDeepFM(env, o, true) },
		"wide":    func(env models.Env, o Options) (*Net, error) { return NewWideAndDeep(env, o, true) },
		"hedge":   func(env models.Env, o Options) (*Net, error) { return NewHedge(env, o, 0.99, 0.05) },
		"towers": func(env models.Env, o Options) (*Net, error) {
			return NewTwoTower(env, o, []bool{true, false, true}, 4)
		},
	} {
		plain, large := run(make, 1, 0), run(make, 3e6, -7e8)
		if plain < 0.9 || math.Abs(plain-large) > 0.01 {
			t.Errorf("%s: R² is %.4f in units, %.4f in millions", name, plain, large)
		}
	}
}

// TestNegativeRate: with one in ten of the negative examples kept, the answers are the probabilities of the whole stream.
func TestNegativeRate(t *testing.T) {
	o := small()
	o.NegativeRate = 0.1
	n, err := NewMLP(envs(mixedSchema(1, 0))[0], o)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(10, 10))
	came, said := 0.0, 0.0
	for i := range 80000 {
		x := rng.NormFloat64()
		p := 0.02
		if x > 0 {
			p = 0.1
		}
		e := &models.Example{Row: models.Row{Value: []float64{x}}, Weight: 1}
		if rng.Float64() < p {
			e.Y = 1
		}
		if i > 40000 {
			said += n.Predict(nil, e)[0]
			came += e.Y
		}
		n.Observe(e)
		if e.Y == 1 || rng.Float64() < 0.1 {
			n.Learn(e, nil)
		}
	}
	if math.Abs(said/came-1) > 0.1 {
		t.Errorf("%.0f expected, %.0f came", said, came)
	}
}

// TestSpreadOfAnswers: the spread that a net answers is the spread that there is, where it depends on the input.
func TestSpreadOfAnswers(t *testing.T) {
	env := envs(mixedSchema(1, 0))[2]
	learn := func(loss string) *Net {
		o := small()
		o.Loss, o.Quantiles = loss, []float64{0.05, 0.5, 0.95}
		n, err := NewMLP(env, o)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(11, 11))
		for range 30000 {
			x := rng.NormFloat64()
			sd := 1.0
			if x > 0 {
				sd = 5
			}
			e := &models.Example{Row: models.Row{Value: []float64{x}}, Y: 100 + sd*rng.NormFloat64(), Weight: 1}
			n.Observe(e)
			n.Learn(e, nil)
		}
		return n
	}
	g, q := learn("gaussian"), learn("quantiles")
	for _, c := range []struct{ x, sd float64 }{{-1, 1}, {1, 5}} {
		e := &models.Example{Row: models.Row{Value: []float64{c.x}}}
		if a := g.Predict(nil, e); len(a) != 2 || math.Abs(a[1]/c.sd-1) > 0.3 || math.Abs(a[0]-100) > c.sd {
			t.Errorf("x = %v: mean and deviation %v, not 100 and %v", c.x, a, c.sd)
		}
		a := q.Predict(nil, e)
		if len(a) != 4 || a[0] != a[2] || math.Abs((a[3]-a[1])/(2*1.645*c.sd)-1) > 0.3 {
			t.Errorf("x = %v: quantiles %v do not span %v", c.x, a, 2*1.645*c.sd)
		}
	}
}

// TestBadOptions are refused with what is wrong.
func TestBadOptions(t *testing.T) {
	text := &features.Schema{Columns: []features.Column{{Name: "note", Kind: features.Text}}}
	for name, make := range map[string]func() (*Net, error){
		"a text column":            func() (*Net, error) { return NewMLP(envs(text)[0], small()) },
		"the loss of another task": func() (*Net, error) { o := small(); o.Loss = "gaussian"; return NewMLP(envs(mixedSchema(1, 0))[0], o) },
		"quantiles out of order": func() (*Net, error) {
			o := small()
			o.Loss, o.Quantiles = "quantiles", []float64{0.9, 0.1}
			return NewMLP(envs(mixedSchema(1, 0))[2], o)
		},
		"too many inputs": func() (*Net, error) { return NewMLP(envs(mixedSchema(40000, 0))[0], small()) },
		"too many weights": func() (*Net, error) {
			o := small()
			o.Hidden = []int{4096, 4096, 4096}
			return NewMLP(envs(mixedSchema(1, 0))[0], o)
		},
	} {
		if _, err := make(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzNetState(f *testing.F) {
	make := func() *Net {
		o := small()
		o.Replay, o.Batch, o.Dropout = 8, 2, 0.1
		n, err := NewMLP(envs(mixedSchema(2, 1))[1], o)
		if err != nil {
			f.Fatal(err)
		}
		return n
	}
	n := make()
	rng := rand.New(rand.NewPCG(1, 1))
	es := []models.Example{}
	for range 30 {
		es = append(es, models.Example{Row: models.Row{Value: mixedRow(rng, 2, 1, 3)}, Y: float64(rng.IntN(3)), Weight: 1})
		n.Observe(&es[len(es)-1])
		n.Learn(&es[len(es)-1], nil)
	}
	f.Add(codec.Save(n))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := make()
		if codec.Load(n, b) != nil {
			return
		}
		for i := range es {
			n.Predict(nil, &es[i])
			n.Observe(&es[i])
			n.Learn(&es[i], nil)
		}
		n.Publish().Predict(nil, &es[0])
	})
}

func ExampleNewMLP() {
	schema := &features.Schema{Columns: []features.Column{{Name: "x"}, {Name: "y"}, {Name: "shop", Kind: features.Categorical}}}
	m, err := NewMLP(models.Env{Schema: schema, Task: models.Binary, Seed: 1}, Defaults())
	if err != nil {
		panic(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	inside := func(x, y float64) float64 {
		if x*x+y*y < 1 {
			return 1
		}
		return 0
	}
	e := models.Example{Weight: 1}
	for range 20000 {
		x, y := 4*rng.Float64()-2, 4*rng.Float64()-2
		e.Value, e.Y = []float64{x, y, features.Category("north")}, inside(x, y)
		m.Observe(&e)
		m.Learn(&e, nil)
	}
	e.Value = []float64{0.1, 0.2, features.Category("north")}
	fmt.Println("centre:", m.Predict(nil, &e)[0] > 0.9)
	e.Value = []float64{1.5, 1.5, math.NaN()}
	fmt.Println("corner:", m.Predict(nil, &e)[0] > 0.1)
	// Output:
	// centre: true
	// corner: false
}

func TestGradientFamilies(t *testing.T) {
	gated := small()
	gated.MinCount = 1
	checkFamily(t, "wide_and_deep", func(env models.Env) (*Net, error) { return NewWideAndDeep(env, small(), true) })
	checkFamily(t, "wide_and_deep, no gate, no crosses", func(env models.Env) (*Net, error) { return NewWideAndDeep(env, gated, false) })
	one := func(make func(env models.Env) (*Net, error)) func(env models.Env) (*Net, error) {
		return func(env models.Env) (*Net, error) {
			if env.Task == models.Multiclass {
				env.Task = models.Binary
			}
			return make(env)
		}
	}
	checkFamily(t, "deep_fm", one(func(env models.Env) (*Net, error) { return NewDeepFM(env, small(), true) }))
	checkFamily(t, "deep_fm, plain", one(func(env models.Env) (*Net, error) { return NewDeepFM(env, small(), false) }))
	checkFamily(t, "two_tower", one(func(env models.Env) (*Net, error) {
		return NewTwoTower(env, small(), []bool{true, false, false, true, false}, 3)
	}))
	checkFamily(t, "hedge_backpropagation", func(env models.Env) (*Net, error) { return NewHedge(env, small(), 0.99, 0.2) })
}
