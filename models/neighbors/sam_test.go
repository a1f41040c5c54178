package neighbors_test

import (
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

func sam(t testing.TB, env models.Env, cfg neighbors.SAMConfig) *neighbors.SAM {
	t.Helper()
	m, err := neighbors.NewSAM(env, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func samEnv(columns string) models.Env {
	return models.Env{Task: models.Binary, Schema: modeltest.Columns(columns), Seed: 1}
}

// naive is the algorithm of the paper written down as it stands there, with lists, full sorts and no compression: a memory of unlimited size.
type naive struct {
	k, least    int
	short, long []point
	windows     map[int][]bool // by start: what the window answered, from its kth row on
	wait        map[int]int    // by halvings: not asked again before
	past        [][3]bool      // by row of short: which memories were right
	seen        int
}

type point struct {
	x []float64
	y int
}

func (p point) to(q point) (d float64) {
	for j := range p.x {
		d += (p.x[j] - q.x[j]) * (p.x[j] - q.x[j])
	}
	return math.Sqrt(d)
}

// nearest are the k nearest, those first that came last among equals (there are none in these tests).
func nearest(q point, of []point, k int) []point {
	out := slices.Clone(of)
	slices.SortStableFunc(out, func(a, b point) int {
		switch d := a.to(q) - b.to(q); {
		case d < 0:
			return -1
		case d > 0:
			return 1
		}
		return 0
	})
	return out[:min(k, len(out))]
}

// vote is the class of most inverse distance, −1 without neighbours.
func vote(q point, of []point, k int) int {
	near, votes := nearest(q, of, k), map[int]float64{}
	for _, p := range near {
		votes[p.y] += 1 / p.to(q)
	}
	best := -1
	for y := range 2 {
		if votes[y] > 0 && (best < 0 || votes[y] > votes[best]) {
			best = y
		}
	}
	return best
}

func (n *naive) both() []point { return append(slices.Clone(n.short), n.long...) }

func (n *naive) predict(q point) int {
	var right [3]int
	for _, p := range n.past {
		for b, ok := range p {
			if ok {
				right[b]++
			}
		}
	}
	best := 0
	for b := range right {
		if right[b] > right[best] {
			best = b
		}
	}
	return vote(q, [][]point{n.short, n.long, n.both()}[best], n.k)
}

// clean takes from a list what contradicts p, of which others are the rows of the short-term memory without it.
func (n *naive) clean(list []point, p point, others []point) []point {
	within := -1.0
	for _, o := range nearest(p, others, n.k) {
		if o.y == p.y {
			within = max(within, o.to(p))
		}
	}
	near := nearest(p, list, n.k)
	return slices.DeleteFunc(slices.Clone(list), func(o point) bool {
		return o.y != p.y && o.to(p) <= within && slices.ContainsFunc(near, func(x point) bool { return &x.x[0] == &o.x[0] })
	})
}

func (n *naive) ask(rows []point) (out []bool) {
	for i := n.k; i < len(rows); i++ {
		out = append(out, vote(rows[i], rows[:i], n.k) == rows[i].y)
	}
	return out
}

func errors(answers []bool) float64 {
	wrong := 0
	for _, ok := range answers {
		if !ok {
			wrong++
		}
	}
	return math.Round(1e4 * float64(wrong) / float64(len(answers)))
}

func (n *naive) learn(p point) {
	n.past = append(n.past, [3]bool{vote(p, n.short, n.k) == p.y, vote(p, n.long, n.k) == p.y, vote(p, n.both(), n.k) == p.y})
	if len(n.short) >= n.k {
		n.long = n.clean(n.long, p, n.short)
	}
	n.short = append(n.short, p)
	n.seen++
	n.adapt()
}

func (n *naive) adapt() {
	windows, best, least := map[int][]bool{}, 0, 0.0
	all := len(n.short)
	for j := 0; j == 0 || all>>j >= n.least; j++ {
		start := all - all>>j
		answers, ok := n.windows[start]
		if ok && len(answers) < all-start-n.k { // one row more
			answers = append(answers, vote(n.short[all-1], n.short[start:all-1], n.k) == n.short[all-1].y)
		} else if before, moved := n.windows[start-1]; !ok && moved && j > 0 && len(before) > 0 {
			answers = append(before[1:len(before):len(before)], vote(n.short[all-1], n.short[start:all-1], n.k) == n.short[all-1].y)
		} else {
			answers = n.ask(n.short[start:])
		}
		windows[start] = answers
	}
	n.windows = windows
	whole := 1e4
	if len(windows[0]) > 0 {
		whole = errors(windows[0])
	}
	least = whole
	for j := 1; all>>j >= n.least; j++ {
		start := all - all>>j
		if errors(windows[start]) >= whole || n.wait[j] > n.seen {
			continue
		}
		windows[start] = n.ask(n.short[start:])
		n.wait[j] = n.seen + all>>j/8
		if e := errors(windows[start]); e < least {
			best, least = j, e
		}
	}
	if best == 0 {
		return
	}
	start := all - all>>best
	old := n.short[:start:start]
	n.short, n.past, n.wait = n.short[start:], n.past[start:], map[int]int{}
	n.windows = map[int][]bool{}
	for at, answers := range windows {
		if at >= start {
			n.windows[at-start] = answers
		}
	}
	for i, p := range n.short {
		others := append(slices.Clone(n.short[:i]), n.short[i+1:]...)
		old = n.clean(old, p, others)
	}
	n.long = append(n.long, old...)
}

// turning is a stream whose classes lie on two sides of a line that turns after every so many rows, and comes back.
func turning(n, every int, seed uint64) []models.Example {
	rng := rand.New(rand.NewPCG(seed, 9))
	out := make([]models.Example, n)
	for i := range out {
		x := []float64{rng.Float64(), rng.Float64()}
		y, angle := 0.0, float64(i/every%3)*2*math.Pi/3
		if (x[0]-0.5)*math.Cos(angle)+(x[1]-0.5)*math.Sin(angle) > 0 {
			y = 1
		}
		if rng.IntN(20) == 0 {
			y = 1 - y
		}
		out[i] = *example(y, x...)
	}
	return out
}

// TestSAMAgainstThePaper: over changes of concept, sizes of both memories and every answer are those of the naive algorithm.
func TestSAMAgainstThePaper(t *testing.T) {
	const k, least = 3, 30
	m := sam(t, samEnv("nn"), neighbors.SAMConfig{K: k, Most: 5000, LongShare: 0.4, Least: least, Scale: "none"})
	n := &naive{k: k, least: least, windows: map[int][]bool{}, wait: map[int]int{}}
	cuts, before := 0, 0
	for i, e := range turning(900, 220, 3) {
		p := point{e.Value, int(e.Y)}
		if i > 0 {
			got, want := m.Predict(nil, &e)[0], n.predict(p)
			if math.Abs(got-0.5) > 0.1 && (got > 0.5) != (want == 1) { // near ½ the shares of the classes may decide
				t.Fatalf("row %d: %v, the naive algorithm says %v", i, got, want)
			}
		}
		m.Learn(&e, nil)
		n.learn(p)
		short, long := m.Sizes()
		if short != len(n.short) || long != len(n.long) {
			t.Fatalf("row %d: memories of %d and %d rows, the naive ones have %d and %d", i, short, long, len(n.short), len(n.long))
		}
		if short < before {
			cuts++
		}
		before = short
	}
	if cuts < 3 {
		t.Errorf("the memory was cut %d times in four changes", cuts)
	}
	if models.DroppedBy(m).Total() == 0 {
		t.Error("nothing contradicted the newest examples")
	}
}

// TestSAMRemembers: when a concept comes back, the long-term memory knows it; a window of as many examples has to learn it anew, and one that forgets
// nothing mixes them up (Losing, Hammer & Wersing 2016, §V).
func TestSAMRemembers(t *testing.T) {
	examples := turning(12000, 1500, 5)
	two := sam(t, samEnv("nn"), neighbors.SAMConfig{K: 5, Most: 1000, LongShare: 0.4, Least: 50})
	one := knn(t, samEnv("nn"), neighbors.Config{K: 5, Window: 1000})
	a, b := hits(two, examples), hits(one, examples)
	if t.Logf("%.3f, one window %.3f", a, b); a < b+0.02 {
		t.Errorf("accuracy %.3f, of one window %.3f", a, b)
	}
}

func hits(m models.Learner, examples []models.Example) float64 {
	n := 0
	var answer []float64
	for i := range examples {
		e := &examples[i]
		answer = m.Predict(answer[:0], e)
		if (answer[0] > 0.5) == (e.Y == 1) {
			n++
		}
		m.Learn(e, answer)
	}
	return float64(n) / float64(len(examples))
}

// TestSAMBounds: both memories together never hold more than they may, also where all examples are of one class, each of its own, or the same.
func TestSAMBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for _, kind := range []string{"changing", "one class", "many classes", "equal rows", "categories"} {
		env := models.Env{Task: models.Multiclass, Classes: 40, Schema: modeltest.Columns("nnc"), Seed: 2}
		if kind == "categories" {
			env.Schema = modeltest.Columns("cc")
		}
		m := sam(t, env, neighbors.SAMConfig{K: 3, Most: 60, LongShare: 0.4, Least: 20})
		most := 0
		for i := range 1500 {
			e := example(float64(i/200%2), rng.Float64(), rng.Float64(), float64(rng.IntN(3)))
			switch kind {
			case "one class":
				e.Y = 7
			case "many classes":
				e.Y = float64(i % 40)
			case "equal rows":
				e.Value = []float64{1, 2, 1}
			case "categories":
				e.Value = []float64{float64(rng.IntN(9)), math.NaN()}
			}
			m.Learn(e, nil)
			short, long := m.Sizes()
			if most = max(most, short+long); short+long > 60 || short < 1 {
				t.Fatalf("%s, row %d: %d and %d examples", kind, i, short, long)
			}
			if p := m.Predict(nil, e); math.Abs(total(p)-1) > 1e-9 {
				t.Fatalf("%s, row %d: %v", kind, i, p)
			}
		}
		again := sam(t, env, neighbors.SAMConfig{K: 3, Most: 60, LongShare: 0.4, Least: 20})
		if err := codec.Load(again, codec.Save(m)); err != nil || models.DroppedBy(m).Total() == 0 {
			t.Errorf("%s: %d dropped, load: %v", kind, models.DroppedBy(m).Total(), err)
		}
	}
}

func total(p []float64) (s float64) {
	for _, v := range p {
		s += v
	}
	return s
}

// TestSAMSnapshots: what was published answers as before when the memories are cut, cleaned and compressed.
func TestSAMSnapshots(t *testing.T) {
	m := sam(t, samEnv("nn"), neighbors.SAMConfig{K: 3, Most: 200, LongShare: 0.4, Least: 30})
	examples := turning(3000, 300, 8)
	type kept struct {
		p    models.Predictor
		want []float64
	}
	var all []kept
	answers := func(p models.Predictor) (out []float64) {
		for i := range 50 {
			out = p.Predict(out, &examples[i])
		}
		return out
	}
	for i := range examples {
		m.Learn(&examples[i], nil)
		if i%97 == 0 {
			all = append(all, kept{m.Publish(), answers(m)})
		}
	}
	for i, k := range all {
		if !slices.Equal(answers(k.p), k.want) {
			t.Errorf("snapshot %d answers otherwise now", i)
		}
	}
}

func TestSAMServesNoRegression(t *testing.T) {
	if _, err := neighbors.NewSAM(models.Env{Task: models.Regression, Schema: modeltest.Columns("n")}, neighbors.SAMConfig{K: 1, Most: 20}); err == nil {
		t.Error("the task regression was accepted")
	}
}

func FuzzSAMState(f *testing.F) {
	cfg := neighbors.SAMConfig{K: 2, Most: 40, LongShare: 0.4, Least: 10}
	probes := turning(60, 20, 2)
	for _, n := range []int{0, 3, 60} {
		m := sam(f, samEnv("nn"), cfg)
		for i := range probes[:n] {
			m.Learn(&probes[i], nil)
		}
		f.Add(codec.Save(m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := sam(t, samEnv("nn"), cfg)
		if codec.Load(m, b) != nil {
			return
		}
		hits(m, probes)
		m.Publish().Predict(nil, &probes[0])
	})
}

func ExampleNewSAM() {
	env := models.Env{Task: models.Binary, Schema: &features.Schema{Columns: []features.Column{{Name: "size"}}}}
	m, err := neighbors.NewSAM(env, neighbors.SAMConfig{K: 3, Most: 1000, LongShare: 0.4, Least: 50})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 100 {
		size := i * 37 % 100
		m.Learn(example(float64(size/50), float64(size)), nil)
	}
	fmt.Println(m.Predict(nil, example(0, 20))[0] < 0.1, m.Predict(nil, example(0, 80))[0] > 0.9)
	// Output: true true
}

func BenchmarkSAM(b *testing.B) {
	m := sam(b, samEnv("nnnnnnnn"), neighbors.SAMConfig{K: 5, Most: 5000, LongShare: 0.4, Least: 50})
	rng := rand.New(rand.NewPCG(1, 1))
	e := example(0, make([]float64, 8)...)
	var out []float64
	b.ReportAllocs()
	for b.Loop() {
		centre := float64(rng.IntN(10))
		for j := range e.Value {
			e.Value[j] = centre + rng.NormFloat64()
		}
		e.Y = float64(rng.IntN(2))
		out = m.Predict(out[:0], e)
		m.Learn(e, out)
	}
}
