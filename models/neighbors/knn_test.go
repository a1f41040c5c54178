package neighbors_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/modeltest"
	"github.com/freshet-ml/freshet/models/neighbors"
)

func example(y float64, row ...float64) *models.Example {
	return &models.Example{Row: models.Row{Value: row}, Y: y, Weight: 1}
}

func knn(t testing.TB, env models.Env, cfg neighbors.Config) *neighbors.KNN {
	t.Helper()
	m, err := neighbors.NewKNN(env, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// draw makes a row with holes, and a label that depends on it.
func draw(rng *rand.Rand, kinds string) ([]float64, float64) {
	row, y := make([]float64, len(kinds)), 0.0
	for j, k := range kinds {
		row[j] = rng.NormFloat64() * float64(j+1)
		if k == 'c' {
			row[j] = float64(rng.IntN(3))
		}
		y += row[j]
	}
	if rng.IntN(5) == 0 {
		row[rng.IntN(len(row))] = math.NaN()
	}
	return row, y
}

// brute answers a regression with all rows kept, scales of the whole window taken at the moments that the model takes them, and
// a full sort.
type brute struct {
	kinds             string
	k, window         int
	rows              [][]float64
	labels            []float64
	seen, refresh     int
	low, rate, middle []float64
}

func (b *brute) learn(row []float64, y float64) {
	b.rows, b.labels = append(b.rows, row), append(b.labels, y)
	if len(b.rows) > b.window {
		b.rows, b.labels = b.rows[1:], b.labels[1:]
	}
	b.seen++
	if b.seen < b.refresh {
		return
	}
	b.refresh = b.seen + min(b.seen, max(b.window/4, 16))
	b.low, b.rate, b.middle = make([]float64, len(b.kinds)), make([]float64, len(b.kinds)), make([]float64, len(b.kinds))
	for j := range b.kinds {
		low, high, sum, n := math.Inf(1), math.Inf(-1), 0.0, 0.0
		for _, r := range b.rows {
			if r[j] == r[j] {
				low, high, sum, n = min(low, r[j]), max(high, r[j]), sum+r[j], n+1
			}
		}
		if n > 0 {
			b.middle[j], b.low[j] = sum/n, low
		}
		if high > low {
			b.rate[j] = 1 / (high - low)
		}
	}
}

func (b *brute) distance(p, q []float64) float64 {
	s := 0.0
	for j, k := range b.kinds {
		if k == 'c' {
			if p[j] != q[j] {
				s++
			}
			continue
		}
		fill := func(x float64) float64 {
			if x != x {
				return b.middle[j]
			}
			return x
		}
		d := (fill(p[j]) - fill(q[j])) * b.rate[j]
		s += d * d
	}
	return math.Sqrt(s)
}

func (b *brute) answer(q []float64) float64 {
	at := make([]int, len(b.rows))
	for i := range at {
		at[i] = i
	}
	d := make([]float64, len(b.rows))
	for i, r := range b.rows {
		d[i] = b.distance(r, q)
	}
	slices.SortFunc(at, func(x, y int) int { return cmp.Compare(d[x], d[y]) })
	if d[at[0]] == 0 || len(at) > b.k && d[at[b.k-1]] == d[at[b.k]] {
		return math.NaN() // which of equals answers is not said
	}
	votes, sum := 0.0, 0.0
	for _, i := range at[:min(b.k, len(at))] {
		votes += 1 / d[i]
		sum += b.labels[i] / d[i]
	}
	return sum / votes
}

// TestExactAgainstBruteForce: every answer is that of a full sort over the rows of the window.
func TestExactAgainstBruteForce(t *testing.T) {
	for _, kinds := range []string{"n", "nnnnnnnn", "nnnc", "nnnnnnnnnnn"} {
		for _, window := range []int{3, 50, 200} {
			env := models.Env{Task: models.Regression, Schema: modeltest.Columns(kinds)}
			m, b := knn(t, env, neighbors.Config{K: 4, Window: window}), &brute{kinds: kinds, k: 4, window: window, refresh: 1}
			rng := rand.New(rand.NewPCG(1, uint64(window)))
			for i := range 500 {
				row, y := draw(rng, kinds)
				m.Learn(example(y, row...), nil)
				b.learn(row, y)
				q, _ := draw(rng, kinds)
				got, want := m.Predict(nil, example(0, q...))[0], b.answer(q)
				if !math.IsNaN(want) && !(math.Abs(got-want) <= 1e-9*(1+math.Abs(want))) {
					t.Fatalf("%s, window %d, row %d: %v, want %v", kinds, window, i, got, want)
				}
			}
			if got := models.DroppedBy(m).Count("examples_forgotten"); got != uint64(500-window) {
				t.Errorf("%d dropped, want %d", got, 500-window)
			}
		}
	}
}

// TestCellsReachTheirRecall: on rows in clusters and on rows without any, the search of cells finds about the share of the true
// neighbours that was asked for, and says so; and answers go on after loading as if nothing had happened.
func TestCellsReachTheirRecall(t *testing.T) {
	const kinds, k = "nnnn", 10
	for _, clusters := range []int{1, 20} {
		env := models.Env{Task: models.Regression, Schema: modeltest.Columns(kinds)}
		fast := knn(t, env, neighbors.Config{K: k, Window: 3000, Uniform: true, Cells: true, Recall: 0.9})
		exact := knn(t, env, neighbors.Config{K: k, Window: 3000, Uniform: true})
		rng := rand.New(rand.NewPCG(9, 9))
		same, asked := 0, 0
		for i := range 9000 {
			row := make([]float64, len(kinds))
			for j := range row {
				row[j] = rng.NormFloat64() + 20*float64(rng.IntN(clusters))
			}
			if i > 6000 {
				asked++
				if fast.Predict(nil, example(0, row...))[0] == exact.Predict(nil, example(0, row...))[0] {
					same++
				}
			}
			y := rng.Float64() // answers are equal only if the neighbours are
			fast.Learn(example(y, row...), nil)
			exact.Learn(example(y, row...), nil)
		}
		if r := fast.Recall(); r < 0.85 || r > 1 {
			t.Errorf("%d clusters: recall %v, 0.9 was asked for", clusters, r)
		}
		if share := float64(same) / float64(asked); share < 0.3 || share == 1 && clusters == 1 {
			t.Errorf("%d clusters: %v of the answers are exact", clusters, share)
		}
		saved := codec.Save(fast)
		again := knn(t, env, neighbors.Config{K: k, Window: 3000, Uniform: true, Cells: true, Recall: 0.9})
		if err := codec.Load(again, saved); err != nil {
			t.Fatal(err)
		}
		for range 2000 {
			e := example(rng.Float64(), rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64())
			if a, b := fast.Predict(nil, e)[0], again.Predict(nil, e)[0]; a != b {
				t.Fatalf("after loading: %v, without: %v", b, a)
			}
			fast.Learn(e, nil)
			again.Learn(e, nil)
		}
	}
}

// TestOneNeighbour: with k = 1 a question equal to an example is answered with its class (Fix & Hodges 1951).
func TestOneNeighbour(t *testing.T) {
	m := knn(t, models.Env{Task: models.Multiclass, Classes: 3, Schema: modeltest.Columns("nn")}, neighbors.Config{K: 1, Window: 100})
	rng := rand.New(rand.NewPCG(2, 2))
	var rows [][]float64
	for i := range 100 {
		row := []float64{rng.NormFloat64(), rng.NormFloat64()}
		rows = append(rows, row)
		m.Learn(example(float64(i%3), row...), nil)
	}
	for i, row := range rows {
		if p := m.Predict(nil, example(0, row...)); p[i%3] < 0.6 {
			t.Fatalf("row %d of class %d: %v", i, i%3, p)
		}
	}
}

func TestNoAnswersForAnomalies(t *testing.T) {
	if _, err := neighbors.NewKNN(models.Env{Task: models.Anomaly, Schema: modeltest.Columns("n")}, neighbors.Config{K: 1, Window: 1}); err == nil {
		t.Error("the task anomaly was accepted")
	}
}

func ExampleNewKNN() {
	env := models.Env{Task: models.Regression, Schema: &features.Schema{Columns: []features.Column{{Name: "size"}}}}
	m, err := neighbors.NewKNN(env, neighbors.Config{K: 2, Window: 100, Uniform: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, size := range []float64{10, 20, 30, 40} {
		m.Learn(example(100*size, size), nil)
	}
	fmt.Println(m.Predict(nil, example(0, 24))[0])
	// Output: 2500
}

func BenchmarkSearch(b *testing.B) {
	for _, cells := range []bool{false, true} {
		for _, window := range []int{1000, 10000, 100000} {
			b.Run(fmt.Sprintf("cells=%v/window=%d", cells, window), func(b *testing.B) {
				m := knn(b, models.Env{Task: models.Binary, Schema: modeltest.Columns("nnnnnnnn")}, neighbors.Config{K: 5, Window: window, Cells: cells, Recall: 0.95})
				rng := rand.New(rand.NewPCG(1, 1))
				e := example(0, make([]float64, 8)...)
				next := func() {
					centre := float64(rng.IntN(10))
					for j := range e.Value {
						e.Value[j] = centre + rng.NormFloat64()
					}
					e.Y = float64(rng.IntN(2))
				}
				for range window + window/2 {
					next()
					m.Learn(e, nil)
				}
				var out []float64
				b.ReportAllocs()
				for b.Loop() {
					next()
					out = m.Predict(out[:0], e)
					m.Learn(e, nil)
				}
				b.ReportMetric(m.Recall(), "recall")
			})
		}
	}
}
