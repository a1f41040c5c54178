package ensemble_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
)

// steps makes a binary stream whose concept, steps in three columns, turns around at the change; a tenth of the labels is noise.
func steps(n, change int, seed uint64) []models.Example {
	rng := rand.New(rand.NewPCG(seed, 4))
	out := make([]models.Example, n)
	for i := range out {
		x := []float64{rng.NormFloat64(), rng.NormFloat64(), rng.Float64(), rng.Float64()}
		y := 0.0
		if (x[0] > 0.3 && x[1] > -1 || x[0] <= 0.3 && x[2] > 0.7) == (i < change) {
			y = 1
		}
		if rng.IntN(10) == 0 {
			y = 1 - y
		}
		out[i] = models.Example{Row: models.Row{Value: x}, Y: y, Weight: 1}
	}
	return out
}

func env(columns int) models.Env {
	s := &features.Schema{}
	for i := range columns {
		s.Columns = append(s.Columns, features.Column{Name: fmt.Sprint("x", i)})
	}
	return models.Env{Schema: s, Task: models.Binary, Classes: 2, Seed: 1}
}

func build(t testing.TB, spec any, e models.Env) models.Learner {
	t.Helper()
	sp, err := models.ParseSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	m, err := catalog.Build(sp, e)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// accuracy is that of test-then-train over the examples.
func accuracy(m models.Learner, es []models.Example) float64 {
	hits, out := 0.0, []float64(nil)
	for i := range es {
		out = m.Predict(out[:0], &es[i])
		m.Observe(&es[i])
		if (out[0] > 0.5) == (es[i].Y == 1) {
			hits++
		}
		m.Learn(&es[i], out)
	}
	return hits / float64(len(es))
}

// Claims of the papers on a stream that turns around: bags that watch their errors recover, plain bagging does not; leveraging bagging
// is the most accurate of the three (Bifet et al. 2010, table 2), and all beat a single tree before the change.
func TestBagsAndDrift(t *testing.T) {
	before, after := map[string]float64{}, map[string]float64{}
	for _, name := range []string{"hoeffding_tree", "oza_bagging", "adwin_bagging", "leveraging_bagging"} {
		m := build(t, name, env(4))
		es := steps(20000, 10000, 7)
		accuracy(m, es[:5000])
		before[name] = accuracy(m, es[5000:10000])
		accuracy(m, es[10000:12000])
		after[name] = accuracy(m, es[12000:])
	}
	t.Log(before, after)
	if b := before["leveraging_bagging"]; b < before["hoeffding_tree"] || b < 0.83 {
		t.Errorf("before the change: %v", before)
	}
	if a := after["leveraging_bagging"]; a < after["adwin_bagging"] || a < 0.82 || after["adwin_bagging"] < after["oza_bagging"] {
		t.Errorf("after the change: %v", after)
	}
}

func TestResetsOnlyAfterAChange(t *testing.T) {
	m := build(t, "leveraging_bagging", env(4))
	es := steps(12000, 8000, 3)
	accuracy(m, es[:8000])
	calm := m.(interface{ Resets() uint64 }).Resets()
	accuracy(m, es[8000:])
	if n := m.(interface{ Resets() uint64 }).Resets(); calm > 1 || n < calm+2 {
		t.Errorf("%d resets before the change, %d after it", calm, n)
	}
}

// Large ensembles work on several processors: the state and the answers have the same bits as on one.
func TestSameBitsOnAnyNumberOfProcessors(t *testing.T) {
	for _, spec := range large {
		var sums [2][32]byte
		var answers [2][]float64
		for i, procs := range []int{1, 4} {
			before := runtime.GOMAXPROCS(procs)
			m := build(t, spec, env(4))
			es := steps(3000, 1500, 9)
			accuracy(m, es)
			for j := range es[:100] {
				answers[i] = m.Predict(answers[i], &es[j])
			}
			sums[i] = codec.Sum(m)
			runtime.GOMAXPROCS(before)
		}
		if sums[0] != sums[1] || fmt.Sprint(answers[0]) != fmt.Sprint(answers[1]) {
			t.Errorf("%v: the bits depend on the number of processors", spec)
		}
	}
}

var large = []any{one("leveraging_bagging", map[string]any{"members": 60})}

// Members are told apart by their seeds, and a seed gives the same ensemble again.
func TestSeeds(t *testing.T) {
	for _, name := range seeded {
		sum := func(seed uint64) [32]byte {
			e := env(4)
			e.Seed = seed
			m := build(t, name, e)
			accuracy(m, steps(500, 500, 1))
			return codec.Sum(m)
		}
		if first := sum(1); first != sum(1) || first == sum(2) {
			t.Errorf("%s: seeds do not decide", name)
		}
	}
}

var seeded = []string{"oza_bagging", "adwin_bagging", "leveraging_bagging", "oza_boost", "bole"}

// A pipeline may be a member: its scaler observes without labels.
func TestPipelinesAsMembers(t *testing.T) {
	spec := one("leveraging_bagging", map[string]any{"members": 5, "model": []any{"standard_scaler", "logistic_regression"}})
	m := build(t, spec, env(4))
	es := steps(4000, 4000, 2)
	for i := range es { // a linear concept
		es[i].Y = 0
		if es[i].Value[0] > es[i].Value[1] {
			es[i].Y = 1
		}
	}
	if a := accuracy(m, es); a < 0.9 {
		t.Errorf("accuracy %.3f", a)
	}
	p := m.(models.Publisher).Publish()
	if a, b := m.Predict(nil, &es[0]), p.Predict(nil, &es[0]); a[0] != b[0] {
		t.Errorf("the snapshot answers %v, the learner %v", b, a)
	}
}

// After 20,000 events an event allocates next to nothing: trees grow seldom.
func TestEventsAllocateNothing(t *testing.T) {
	numbers := env(4)
	numbers.Task = models.Regression
	for k, name := range append(steady, "adaptive_random_forest") {
		e := env(4)
		if k == len(steady) {
			e = numbers
		}
		m := build(t, name, e)
		es := steps(26000, 26000, 5)
		accuracy(m, es[:20000])
		var out []float64
		out = m.Predict(out, &es[0])
		n := testing.AllocsPerRun(1, func() {
			for i := range es[20000:23000] {
				e := &es[20000+i]
				out = m.Predict(out[:0], e)
				m.Observe(e)
				m.Learn(e, out)
			}
		}) / 3000
		if n > allowed {
			t.Errorf("%v, %v: %.4f allocations per event", name, e.Task, n)
		}
	}
}

var steady = []string{"oza_bagging", "adwin_bagging", "leveraging_bagging", "oza_boost", "online_adaboost"}

// allowed is what an ensemble may allocate for an event, for the leaves that its trees go on to grow: their memory is taken for many at once.
const allowed = 0.01

func Example_leveragingBagging() {
	spec, _ := models.ParseSpec(map[string]any{"leveraging_bagging": map[string]any{"members": 5}})
	m, err := catalog.Build(spec, env(4))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(accuracy(m, steps(5000, 5000, 1)) > 0.8)
	// Output: true
}

func Example_adwinBagging() {
	m, err := catalog.Build(models.Named("adwin_bagging"), env(4))
	if err != nil {
		fmt.Println(err)
		return
	}
	es := steps(8000, 4000, 1) // the concept turns around half way
	accuracy(m, es[:6000])
	fmt.Println(accuracy(m, es[6000:]) > 0.7)
	// Output: true
}

func Example_ozaBagging() {
	m, err := catalog.Build(models.Named("oza_bagging"), env(4))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(accuracy(m, steps(5000, 5000, 1)) > 0.75)
	// Output: true
}
