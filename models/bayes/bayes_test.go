package bayes_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/bayes"
	"github.com/freshet-ml/freshet/models/modeltest"
)

func learn(m models.Learner, y float64, row ...float64) {
	m.Learn(&models.Example{Row: models.Row{Value: row}, Y: y, Weight: 1}, nil)
}

func ask(m models.Predictor, row ...float64) []float64 {
	return m.Predict(nil, &models.Example{Row: models.Row{Value: row}})
}

func near(t *testing.T, what string, got, want []float64) {
	t.Helper()
	for i := range want {
		if len(got) != len(want) || !(math.Abs(got[i]-want[i]) <= 1e-9) {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
}

func naive(t *testing.T, env models.Env, flags ...bool) *bayes.Naive {
	t.Helper()
	m, err := bayes.NewNaive(env, bayes.Config{Flags: flags, Alpha: 1, MaxCategories: 8})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// joint is the naive oracle: all rows are kept, and the posterior follows from Bayes' rule with plain products.
type joint struct {
	kinds string // n: normal, c: category, f: flag
	rows  [][]float64
	y     []int
}

func (o *joint) posterior(x []float64, classes int) []float64 {
	out, sum := make([]float64, classes), 0.0
	for c := range out {
		n := 0.0
		for _, y := range o.y {
			if y == c {
				n++
			}
		}
		p := n
		for j, k := range o.kinds {
			if x[j] == x[j] {
				p *= o.column(j, byte(k), c, x[j])
			}
		}
		out[c] = p
		sum += p
	}
	for c := range out {
		out[c] /= sum
	}
	return out
}

func (o *joint) column(j int, kind byte, c int, x float64) float64 {
	var v []float64
	places := map[float64]bool{}
	for i, r := range o.rows {
		if r[j] != r[j] {
			continue
		}
		places[r[j]] = true
		if o.y[i] == c {
			v = append(v, r[j])
		}
	}
	n := float64(len(v))
	switch kind {
	case 'n':
		mean, squares := 0.0, 0.0
		for _, a := range v {
			mean += a / n
		}
		for _, a := range v {
			squares += (a - mean) * (a - mean)
		}
		variance := squares / (n - 1)
		return math.Exp(-(x-mean)*(x-mean)/(2*variance)) / math.Sqrt(2*math.Pi*variance)
	case 'c':
		if !places[x] {
			return 1
		}
		here := 0.0
		for _, a := range v {
			if a == x {
				here++
			}
		}
		return (here + 1) / (n + float64(len(places)))
	}
	here := 0.0
	for _, a := range v {
		if (a > 0) == (x > 0) {
			here++
		}
	}
	return (here + 1) / (n + 2)
}

// TestNaiveAgainstOracle: the posterior of every kind of column is Bayes' rule over all rows kept, missing values included.
func TestNaiveAgainstOracle(t *testing.T) {
	for _, kinds := range []string{"nnn", "ccc", "fff", "nncfc", "n"} {
		s := modeltest.Columns(kinds)
		flags := make([]bool, len(kinds))
		for i := range kinds {
			flags[i] = kinds[i] == 'f'
		}
		m, o := naive(t, models.Env{Task: models.Multiclass, Classes: 3, Schema: s}, flags...), &joint{kinds: kinds}
		rng := rand.New(rand.NewPCG(3, 4))
		row := func(y int) []float64 {
			x := make([]float64, len(kinds))
			for j, k := range kinds {
				switch k {
				case 'n':
					x[j] = float64(y) + (1+float64(j))*rng.NormFloat64()
				case 'c':
					x[j] = float64(rng.IntN(3 + y))
				default:
					x[j] = float64(rng.IntN(2 + y))
				}
				if rng.IntN(10) == 0 {
					x[j] = math.NaN()
				}
			}
			return x
		}
		for i := range 300 {
			y := rng.IntN(3)
			x := row(y)
			learn(m, float64(y), x...)
			o.rows, o.y = append(o.rows, x), append(o.y, y)
			if i > 100 && i%20 == 0 {
				q := row(rng.IntN(3))
				near(t, kinds, ask(m, q...), o.posterior(q, 3))
			}
		}
	}
}

func TestColumnWithoutSpread(t *testing.T) {
	m := naive(t, models.Env{Task: models.Binary, Schema: modeltest.Columns("nn")})
	for i := range 10 {
		learn(m, float64(i%2), float64(i%2), 5)
	}
	if p := ask(m, 1, 5)[0]; p < 1-1e-9 {
		t.Errorf("P = %v at the only value of class 1", p)
	}
	if p := ask(m, 3, 5)[0]; math.Abs(p-0.5) > 1e-9 {
		t.Errorf("P = %v at a value that no class has shown, want ½", p)
	}
}

func TestCategoriesAreBounded(t *testing.T) {
	m := naive(t, models.Env{Task: models.Binary, Schema: modeltest.Columns("c")})
	for i := range 100 {
		learn(m, float64(i%2), float64(i))
	}
	if got := models.DroppedBy(m).Count("values_shared"); got != 93 { // seven have a place of their own
		t.Errorf("%d dropped, want 93", got)
	}
}

func TestNotAClassification(t *testing.T) {
	if _, err := bayes.NewNaive(models.Env{Task: models.Regression, Schema: modeltest.Columns("n")}, bayes.Config{}); err == nil {
		t.Error("a regression was accepted")
	}
}

// The example of Manning, Raghavan & Schütze, Introduction to Information Retrieval, table 13.1 and example 13.1 (multinomial):
// P(China) ∝ ¾·(3/7)³·1/14·1/14, P(not) ∝ ¼·(2/9)³·2/9·2/9. Example 13.2 (Bernoulli): ∝ .005 and .022.
func TestPublishedExample(t *testing.T) {
	// Chinese, Beijing, Shanghai, Macao, Tokyo, Japan
	docs := [][]float64{{2, 1, 0, 0, 0, 0}, {2, 0, 1, 0, 0, 0}, {1, 0, 0, 1, 0, 0}, {1, 0, 0, 0, 1, 1}}
	labels := []float64{1, 1, 1, 0}
	question := []float64{3, 0, 0, 0, 1, 1}
	env := models.Env{Task: models.Binary, Schema: modeltest.Columns("nnnnnn")}
	m, err := bayes.NewMultinomial(env, 1)
	if err != nil {
		t.Fatal(err)
	}
	b := naive(t, env, true, true, true, true, true, true)
	for i, d := range docs {
		learn(m, labels[i], d...)
		learn(b, labels[i], d...)
	}
	yes, no := 0.75*math.Pow(3./7, 3)/14/14, 0.25*math.Pow(2./9, 5)
	near(t, "multinomial", ask(m, question...), []float64{yes / (yes + no)})
	yes = 3. / 4 * 4. / 5 * 1 / 5 * 1 / 5 * (1 - 2./5) * (1 - 2./5) * (1 - 2./5)
	no = 1. / 4 * 2. / 3 * 2. / 3 * 2. / 3 * (1 - 1./3) * (1 - 1./3) * (1 - 1./3)
	near(t, "Bernoulli", ask(b, question...), []float64{yes / (yes + no)})
	sparse := models.Example{Row: models.Row{Index: []uint32{0, 4, 5}, Value: []float64{3, 1, 1}}}
	near(t, "multinomial, sparse", m.Predict(nil, &sparse), ask(m, question...))
	near(t, "Bernoulli, sparse", b.Predict(nil, &sparse), ask(b, question...))
}

// TestComplementAgainstDefinition: Rennie et al. 2003, equation 6, over all rows kept.
func TestComplementAgainstDefinition(t *testing.T) {
	const d, classes, alpha = 5, 3, 0.5
	m, err := bayes.NewComplement(models.Env{Task: models.Multiclass, Classes: classes, Schema: modeltest.Columns("nnnnn")}, alpha)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 6))
	var n [classes][d]float64
	for range 200 {
		y, row := rng.IntN(classes), make([]float64, d)
		for j := range row {
			row[j] = float64(rng.IntN(3 + (y+j)%classes))
			n[y][j] += row[j]
		}
		learn(m, float64(y), row...)
	}
	question := []float64{1, 0, 2, 4, 1}
	votes, sum := make([]float64, classes), 0.0
	for c := range votes {
		all, score := 0.0, 0.0
		for k := range classes {
			for j := range d {
				if k != c {
					all += n[k][j]
				}
			}
		}
		for j := range d {
			others := 0.0
			for k := range classes {
				if k != c {
					others += n[k][j]
				}
			}
			score -= question[j] * math.Log((others+alpha)/(all+alpha*d))
		}
		votes[c] = math.Exp(score)
		sum += votes[c]
	}
	for c := range votes {
		votes[c] /= sum
	}
	near(t, "complement", ask(m, question...), votes)
}

// TestWeightTwiceIsTwice: a weight of 2 is the same as the example twice, for counts.
func TestWeightTwiceIsTwice(t *testing.T) {
	env := models.Env{Task: models.Binary, Schema: modeltest.Columns("nc")}
	a, b := naive(t, env), naive(t, env)
	rng := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		row := models.Row{Value: []float64{rng.NormFloat64(), float64(rng.IntN(4))}}
		e := models.Example{Row: row, Y: float64(rng.IntN(2)), Weight: 2}
		a.Learn(&e, nil)
		e.Weight = 1
		b.Learn(&e, nil)
		b.Learn(&e, nil)
	}
	near(t, "weight 2", ask(a, 0.3, 1), ask(b, 0.3, 1))
}

func ExampleNewNaive() {
	env := models.Env{Task: models.Binary, Schema: &features.Schema{Columns: []features.Column{{Name: "height"}}}}
	m, err := bayes.NewNaive(env, bayes.Config{Alpha: 1, MaxCategories: 64})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range []float64{-1, 0, 1} {
		learn(m, 0, 160+d)
		learn(m, 1, 180+d)
	}
	fmt.Printf("%.3f %.3f\n", ask(m, 170)[0], ask(m, 181)[0])
	// Output: 0.500 1.000
}

func ExampleNewMultinomial() {
	env := models.Env{Task: models.Binary, Schema: &features.Schema{Columns: []features.Column{{Name: "cheap"}, {Name: "hello"}}}}
	m, err := bayes.NewMultinomial(env, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	learn(m, 1, 3, 1)
	learn(m, 0, 0, 2)
	fmt.Printf("%.2f\n", ask(m, 1, 0)[0])
	// Output: 0.73
}

func ExampleNewComplement() {
	env := models.Env{Task: models.Binary, Schema: &features.Schema{Columns: []features.Column{{Name: "cheap"}, {Name: "hello"}}}}
	m, err := bayes.NewComplement(env, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	learn(m, 1, 3, 1)
	learn(m, 0, 0, 2)
	fmt.Printf("%.2f\n", ask(m, 1, 0)[0])
	// Output: 0.73
}
