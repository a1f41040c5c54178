package neural

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

func TestGradientPairwise(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, weighted := range []bool{false, true} {
		layout := &layout{}
		layout.take(2, nil) // a layer before it
		l := newPairwise(layout, 5, 3, weighted)
		w, g := begin(rng, layout)
		v, sums, dv := normals(rng, 15), make([]float64, 15), make([]float64, 15)
		f := func() float64 { return 1.7 * l.forward(w, v, sums) }
		f()
		l.backward(g, v, sums, 1.7, dv)
		checkGradient(t, fmt.Sprint("pairwise, weighted ", weighted), v, dv, f)
		checkGradient(t, fmt.Sprint("weights of pairs, weighted ", weighted), w, g, f)
		naive, at := 0.0, 0
		for i := range l.n {
			for j := range i {
				by := 1.0
				if weighted {
					by = l.weights.of(w)[at]
				}
				at++
				naive += by * dotted(v[i*3:i*3+3], v[j*3:j*3+3])
			}
		}
		if d := l.forward(w, v, sums) - naive; math.Abs(d) > 1e-12 {
			t.Errorf("weighted %v: the sum of the pairs is off by %v", weighted, d)
		}
	}
}

// TestPairWeights: where two of eight columns act together, weights of pairs tell which (Pan et al. 2018, §5.3), and the answers are better for it.
func TestPairWeights(t *testing.T) {
	loss := func(weighted bool) (mean, strongest, others float64) {
		o := Defaults()
		o.Hidden = nil
		n, err := NewDeepFM(models.Env{Schema: mixedSchema(0, 8), Task: models.Binary, Seed: 1}, o, weighted)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, 1))
		for i := range 30_000 {
			v := make([]float64, 8)
			for j := range v {
				v[j] = float64(rng.IntN(40))
			}
			e := &models.Example{Row: models.Row{Value: v}, Y: math.Mod(v[5]+v[2], 2), Weight: 1}
			if p := n.Predict(nil, e)[0]; i > 20_000 {
				mean -= math.Log(math.Abs(1-e.Y-p)) / 10_000
			}
			n.Learn(e, nil)
		}
		b := n.body.(*deepFM)
		for at, r := range b.pairs.weights.of(n.w) {
			if at == 5*4/2+2 {
				strongest = math.Abs(r)
			} else {
				others = max(others, math.Abs(r))
			}
		}
		return mean, strongest, others
	}
	plain, _, _ := loss(false)
	weighted, strongest, others := loss(true)
	if weighted > 0.8*plain || strongest < 2*others {
		t.Errorf("log-loss %.4f without weights, %.4f with them; that of the pair is %.3f, of the others at most %.3f", plain, weighted, strongest, others)
	}
	if _, err := NewDeepFM(models.Env{Schema: mixedSchema(maxPaired, 1), Task: models.Binary}, Defaults(), true); err == nil || !strings.Contains(err.Error(), "pair_weights: false") {
		t.Errorf("of too many columns: %v", err)
	}
}

func TestGradientAutoencoder(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	m, err := NewAutoencoder(models.Env{Schema: mixedSchema(4, 0), Task: models.Anomaly, Seed: 1}, small(), 0.01, 100, false)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		m.Observe(&models.Example{Row: models.Row{Value: mixedRow(rng, 4, 0, 0)}})
		if i > 30 {
			checkNet(t, "autoencoder", m.net, &models.Example{Row: models.Row{Value: mixedRow(rng, 4, 0, 0)}})
		}
	}
}

// TestPairs: models that know pairs learn the parity of two categories, and what has only a linear part does not.
func TestPairs(t *testing.T) {
	env := models.Env{Schema: mixedSchema(0, 2), Task: models.Binary, Seed: 1}
	flat := Defaults()
	flat.Hidden = nil
	for name, c := range map[string]struct {
		make   func() (*Net, error)
		learns bool
	}{
		"linear":             {func() (*Net, error) { return NewMLP(env, flat) }, false},
		"mlp":                {func() (*Net, error) { return NewMLP(env, Defaults()) }, true},
		"deep_fm, not deep":  {func() (*Net, error) { return NewDeepFM(env, flat, true) }, true},
		"plain machine":      {func() (*Net, error) { return NewDeepFM(env, flat, false) }, true},
		"wide, not deep":     {func() (*Net, error) { return NewWideAndDeep(env, flat, true) }, true},
		"not wide, not deep": {func() (*Net, error) { return NewWideAndDeep(env, flat, false) }, false},
		"two_tower":          {func() (*Net, error) { return NewTwoTower(env, flat, []bool{true, false}, 4) }, true},
		"hedge":              {func() (*Net, error) { return NewHedge(env, Defaults(), 0.99, 0.2) }, true},
	} {
		n, err := c.make()
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, 1))
		right := 0.0
		for i := range 8000 {
			a, b := rng.IntN(6), rng.IntN(6)
			e := &models.Example{Row: models.Row{Value: []float64{features.Category(fmt.Sprint(a)), features.Category(fmt.Sprint(b))}}, Y: float64((a + b) % 2), Weight: 1}
			if p := n.Predict(nil, e)[0]; i >= 6000 && (p > 0.5) == (e.Y == 1) {
				right++
			}
			n.Learn(e, nil)
		}
		if right /= 2000; (right > 0.97) != c.learns || !c.learns && right > 0.7 {
			t.Errorf("%s: accuracy %.3f on the parity of two categories", name, right)
		}
	}
}

// TestHedgeChoosesDepth: on a circle the outputs of hidden layers take over from that at the inputs; shares sum to 1 and keep their floor (Sahoo et al. 2018, algorithm 1).
func TestHedgeChoosesDepth(t *testing.T) {
	for name, c := range map[string]struct {
		label func(x, y float64) bool
		deep  bool
	}{
		"line":   {func(x, y float64) bool { return x+y > 0.3 }, false},
		"circle": {func(x, y float64) bool { return x*x+y*y > 1.4 }, true},
	} {
		o := Defaults()
		o.Hidden = []int{16, 16, 16}
		n, err := NewHedge(models.Env{Schema: mixedSchema(2, 0), Task: models.Binary, Seed: 1}, o, 0.99, 0.2)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(3, 3))
		for range 3000 {
			v := normals(rng, 2)
			e := &models.Example{Row: models.Row{Value: v}, Weight: 1}
			if c.label(v[0], v[1]) {
				e.Y = 1
			}
			n.Observe(e)
			n.Learn(e, nil)
		}
		b := n.body.(*hedge)
		shares, sum := b.shares.of(n.w), 0.0
		for _, s := range shares {
			sum += s
			if s < b.floor*0.8 {
				t.Errorf("%s: share %v below the floor", name, s)
			}
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("%s: shares sum to %v", name, sum)
		}
		if c.deep && shares[0] > 0.1 {
			t.Errorf("%s: shares %v", name, shares)
		}
	}
}

// TestAutoencoderFinds rows that break what the columns have in common, each number of which is usual by itself.
func TestAutoencoderFinds(t *testing.T) {
	m, err := NewAutoencoder(models.Env{Schema: mixedSchema(6, 0), Task: models.Anomaly, Seed: 1}, Options{Hidden: []int{8, 2, 8}, Activation: "tanh", MaxNorm: 10, Shadow: 1000}, 0.01, 5000, true)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 5))
	usual, strange := 0.0, 0.0
	for i := range 30000 {
		a, b := rng.NormFloat64(), rng.NormFloat64()
		v := []float64{a, b, a + b, a - b, 2 * a, -b}
		for k := range v {
			v[k] += 0.1 * rng.NormFloat64()
		}
		odd := i > 5000 && i%100 == 7
		if odd {
			for k := range v {
				v[k] = rng.NormFloat64() * []float64{1, 1, 1.4, 1.4, 2, 1}[k]
			}
		}
		e := &models.Example{Row: models.Row{Value: v}}
		if i > 20000 && m.Predict(nil, e)[0] > 0.5 {
			if odd {
				strange++
			} else {
				usual++
			}
		}
		m.Observe(e)
	}
	if strange < 60 || usual > 150 {
		t.Errorf("%v of 100 strange rows and %v of 9,900 usual ones raised an alarm", strange, usual)
	}
}

// TestTowerColumns: what is named wrongly is said.
func TestTowerColumns(t *testing.T) {
	env := models.Env{Schema: mixedSchema(2, 0), Task: models.Binary}
	for _, c := range []struct {
		left []bool
		want string
	}{{[]bool{true, true}, "right tower"}, {[]bool{false, false}, "left tower"}} {
		if _, err := NewTwoTower(env, small(), c.left, 3); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.left, err)
		}
	}
	if _, err := leftColumns(env, nil); err == nil || !strings.Contains(err.Error(), "left: [x0]") {
		t.Errorf("no columns: %v", err)
	}
	if _, err := leftColumns(env, []string{"x9"}); err == nil {
		t.Error("a column that is not there was taken")
	}
}

// TestEmbeddingTransformer: numbers pass, categories become vectors that tell them apart, and a snapshot stays as it was.
func TestEmbeddingTransformer(t *testing.T) {
	env := models.Env{Schema: mixedSchema(1, 2), Task: models.Binary, Seed: 1}
	o := Defaults()
	o.Embedding, o.Hidden = 2, []int{8}
	tr, err := NewEmbedding(env, o, []bool{false, true, false})
	if err != nil {
		t.Fatal(err)
	}
	if names := fmt.Sprint(tr.Schema().Columns); names != "[{x0 0} {c0_1 0} {c0_2 0} {c1 1}]" {
		t.Errorf("columns %s", names)
	}
	row := func(a int) *models.Example {
		return &models.Example{Row: models.Row{Value: []float64{7, features.Category(fmt.Sprint(a)), 5}}, Y: float64(a % 2), Weight: 1}
	}
	for i := range 4000 {
		tr.Observe(row(i % 4))
		tr.Learn(row(i % 4))
	}
	vector := func(t models.Transformer, a int) []float64 { return t.Transform(models.Row{}, row(a)).Value }
	if v := vector(tr, 1); len(v) != 4 || v[0] != 7 || v[3] != 5 {
		t.Errorf("row %v", v)
	}
	apart := func(a, b int) float64 {
		v, w := vector(tr, a), vector(tr, b)
		return math.Hypot(v[1]-w[1], v[2]-w[2])
	}
	if apart(0, 1) < 3*apart(0, 2) {
		t.Errorf("categories of two labels are %v apart, of one %v", apart(0, 1), apart(0, 2))
	}
	still, want := tr.Snapshot(), vector(tr, 3)
	for range 500 {
		tr.Learn(row(3))
	}
	if got := vector(still, 3); got[1] != want[1] || vector(tr, 3)[1] == want[1] {
		t.Errorf("the snapshot says %v, then %v", want, got)
	}
	if _, err := NewEmbedding(env, o, []bool{true, false, false}); err == nil {
		t.Error("a number was embedded")
	}
}

// TestVersionsOfNetsStay: every version answers for ever as the net did.
func TestVersionsOfNetsStay(t *testing.T) {
	env := models.Env{Schema: mixedSchema(2, 3), Task: models.Binary, Seed: 1}
	n, err := NewWideAndDeep(env, small(), true)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(6, 6))
	ask := &models.Example{Row: models.Row{Value: mixedRow(rng, 2, 3, 4)}}
	var versions []models.Predictor
	var want []float64
	for range 300 {
		e := &models.Example{Row: models.Row{Value: mixedRow(rng, 2, 3, 4)}, Y: float64(rng.IntN(2)), Weight: 1}
		n.Observe(e)
		n.Learn(e, nil)
		versions, want = append(versions, n.Publish()), append(want, n.Predict(nil, ask)[0])
	}
	for i, v := range versions {
		if got := v.Predict(nil, ask)[0]; got != want[i] {
			t.Fatalf("version %d answers %v, at its time the net answered %v", i, got, want[i])
		}
	}
}

func FuzzAutoencoderState(f *testing.F) {
	make := func() *Autoencoder {
		m, err := NewAutoencoder(models.Env{Schema: mixedSchema(3, 0), Task: models.Anomaly, Seed: 1}, small(), 0.05, 50, true)
		if err != nil {
			f.Fatal(err)
		}
		return m
	}
	rng := rand.New(rand.NewPCG(1, 1))
	e := &models.Example{Row: models.Row{Value: mixedRow(rng, 3, 0, 0)}}
	m := make()
	m.Observe(e)
	f.Add(codec.Save(m))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := make()
		if codec.Load(m, b) != nil {
			return
		}
		m.Predict(nil, e)
		m.Observe(e)
		m.Publish().Predict(nil, e)
	})
}

func pairSchema(names ...string) *features.Schema {
	s := &features.Schema{}
	for _, n := range names {
		s.Columns = append(s.Columns, features.Column{Name: n, Kind: features.Categorical})
	}
	return s
}

// taste is 1 if a user likes a film: users of even number like films of even number, the others the others.
func taste(rng *rand.Rand) *models.Example {
	user, film := rng.IntN(30), rng.IntN(30)
	return &models.Example{Row: models.Row{Value: []float64{features.Category(fmt.Sprint("user ", user)), features.Category(fmt.Sprint("film ", film))}},
		Y: float64((user + film + 1) % 2), Weight: 1}
}

func learnTaste(n *Net) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20000 {
		n.Learn(taste(rng), nil)
	}
	p := func(user, film string) float64 {
		return n.Predict(nil, &models.Example{Row: models.Row{Value: []float64{features.Category(user), features.Category(film)}}})[0]
	}
	fmt.Println(p("user 4", "film 8") > 0.9, p("user 4", "film 7") < 0.1)
}

func ExampleNewDeepFM() {
	n, err := NewDeepFM(models.Env{Schema: pairSchema("user", "film"), Task: models.Binary, Seed: 1}, Defaults(), true)
	if err != nil {
		panic(err)
	}
	learnTaste(n)
	// Output: true true
}

func ExampleNewWideAndDeep() {
	n, err := NewWideAndDeep(models.Env{Schema: pairSchema("user", "film"), Task: models.Binary, Seed: 1}, Defaults(), true)
	if err != nil {
		panic(err)
	}
	learnTaste(n)
	// Output: true true
}

func ExampleNewTwoTower() {
	n, err := NewTwoTower(models.Env{Schema: pairSchema("user", "film"), Task: models.Binary, Seed: 1}, Defaults(), []bool{true, false}, 8)
	if err != nil {
		panic(err)
	}
	learnTaste(n)
	// Output: true true
}

func ExampleNewHedge() {
	n, err := NewHedge(models.Env{Schema: pairSchema("user", "film"), Task: models.Binary, Seed: 1}, Defaults(), 0.99, 0.2)
	if err != nil {
		panic(err)
	}
	learnTaste(n)
	// Output: true true
}

func ExampleNewAutoencoder() {
	o := Defaults()
	o.Hidden, o.LayerNorm = []int{4, 1, 4}, false
	m, err := NewAutoencoder(models.Env{Schema: mixedSchema(2, 0), Task: models.Anomaly, Seed: 1}, o, 0.01, 10000, true)
	if err != nil {
		panic(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20000 {
		x := rng.NormFloat64()
		m.Observe(&models.Example{Row: models.Row{Value: []float64{x, x + 0.1*rng.NormFloat64()}}})
	}
	together := &models.Example{Row: models.Row{Value: []float64{1.5, 1.5}}}
	apart := &models.Example{Row: models.Row{Value: []float64{1.5, -1.5}}}
	fmt.Println(m.Predict(nil, together)[0] > 0.5, m.Predict(nil, apart)[0] > 0.5)
	// Output: false true
}

func ExampleNewEmbedding() {
	env := models.Env{Schema: pairSchema("shop"), Task: models.Regression, Seed: 1}
	o := Defaults()
	o.Embedding = 2
	t, err := NewEmbedding(env, o, []bool{true})
	if err != nil {
		panic(err)
	}
	e := &models.Example{Row: models.Row{Value: []float64{features.Category("north")}}, Y: 3, Weight: 1}
	for range 10 {
		t.Learn(e)
	}
	fmt.Println(t.Schema().Columns[0].Name, t.Schema().Columns[1].Name, len(t.Transform(models.Row{}, e).Value))
	// Output: shop_1 shop_2 2
}
