package metric

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

func near(t *testing.T, name string, got, want, tol float64) {
	t.Helper()
	if math.IsNaN(want) && math.IsNaN(got) {
		return
	}
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s = %.12g, want %.12g ± %g", name, got, want, tol)
	}
}

// reference is a table of examples with the values that scikit-learn 1.x gives for them.
type reference struct {
	Rows [][2]json.RawMessage
	Want map[string]float64
}

func loadReference(t *testing.T) map[string]reference {
	t.Helper()
	b, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]reference
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAgainstScikitLearn(t *testing.T) {
	for name, ref := range loadReference(t) {
		task, _ := models.ParseTask(name)
		s := New(task, 4)
		for _, row := range ref.Rows {
			var y float64
			var answer []float64
			if err := json.Unmarshal(row[0], &y); err != nil {
				t.Fatal(err)
			}
			if json.Unmarshal(row[1], &answer) != nil {
				answer = make([]float64, 1)
				if err := json.Unmarshal(row[1], &answer[0]); err != nil {
					t.Fatal(err)
				}
			}
			s.Add(y, answer, 1)
		}
		for metric, want := range ref.Want {
			got, ok := s.Value(metric)
			if !ok {
				t.Errorf("%s: no %s", name, metric)
			}
			tol := 1e-9
			if metric == "roc_auc" {
				tol = s.ROCBound() + 1e-12
			}
			if metric == "pr_auc" {
				tol = 2e-3
			}
			near(t, name+" "+metric, got, want, tol)
		}
	}
}

func TestKappaBaselinesByHand(t *testing.T) {
	// labels 1 1 0 1, answers 1 0 0 1: accuracy 3/4.
	// no change answers 0 1 1 0: right once (the second). majority answers 0 1 1 1: right twice (second, fourth).
	s := New(models.Binary, 2)
	for i, y := range []float64{1, 1, 0, 1} {
		s.Add(y, []float64{[]float64{.9, .1, .2, .8}[i]}, 1)
	}
	got, _ := s.Value("kappa_t")
	near(t, "kappa_t", got, (0.75-0.25)/(1-0.25), 1e-15)
	got, _ = s.Value("kappa_m")
	near(t, "kappa_m", got, (0.75-0.5)/(1-0.5), 1e-15)
}

func TestNoChangeModelHasKappaTZero(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s, last := New(models.Binary, 2), 0.0
	for range 1000 {
		y := float64(rng.IntN(2))
		s.Add(y, []float64{last}, 1)
		last = y
	}
	got, _ := s.Value("kappa_t")
	near(t, "kappa_t", got, 0, 1e-15)
}

func TestCalibrationBins(t *testing.T) {
	s := New(models.Binary, 2)
	for _, e := range []struct{ y, p float64 }{{1, 0.95}, {1, 0.99}, {0, 0.97}, {0, 0.01}, {1, 0.06}, {1, 1}} {
		s.Add(e.y, []float64{e.p}, 1)
	}
	// Last bin: |0.95+0.99+0.97+1 − 3|, first bin: |0.01+0.06 − 1|.
	got, _ := s.Value("ece")
	near(t, "ece", got, (0.91+0.93)/6, 1e-12)
}

func TestUndefinedIsNaN(t *testing.T) {
	for _, task := range []models.Task{models.Binary, models.Multiclass, models.Regression, models.Forecast, models.Anomaly} {
		for _, v := range New(task, 3).Values() {
			if !math.IsNaN(v.Value) {
				t.Errorf("%s: %s = %g without examples", task, v.Name, v.Value)
			}
		}
	}
}

func TestLogLossIsClipped(t *testing.T) {
	near(t, "p=0, y=1", BinaryLogLoss(1, 0), -math.Log(1e-15), 1e-12)
	near(t, "p=1, y=0", BinaryLogLoss(0, 1), 34.5, 0.1)
	near(t, "class", ClassLogLoss(1, []float64{1, 0}), -math.Log(1e-15), 1e-12)
	near(t, "perfect", BinaryLogLoss(0, 0), 1e-15, 1e-16)
}

func TestInvalidAnswersAreCounted(t *testing.T) {
	s := New(models.Multiclass, 3)
	s.Add(0, []float64{1, 0, math.NaN()}, 1)
	s.Add(0, []float64{1, 0}, 1)
	s.Add(3, []float64{1, 0, 0}, 1)
	s.Add(0.5, []float64{1, 0, 0}, 1)
	s.Add(math.Inf(1), []float64{1, 0, 0}, 1)
	s.Add(1, []float64{0, 1, 0}, 1)
	s.Add(1, []float64{0, 1, 0}, 0)
	s.Add(1, []float64{0, 1, 0}, math.NaN())
	if s.Invalid() != 5 || s.Events() != 1 || s.Weight() != 1 {
		t.Errorf("invalid %g, events %d, weight %g", s.Invalid(), s.Events(), s.Weight())
	}
}

// Property: a weight of k is the same as k examples.
func TestWeightIsRepetition(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, task := range []models.Task{models.Binary, models.Regression} {
		a, b := New(task, 2), New(task, 2)
		for range 500 {
			y, p, k := float64(rng.IntN(2)), rng.Float64(), 1+rng.IntN(3)
			a.Add(y, []float64{p}, float64(k))
			for range k {
				b.Add(y, []float64{p}, 1)
			}
		}
		for i, v := range a.Values() {
			if v.Name != "kappa_t" && v.Name != "kappa_m" { // these depend on the order of single examples
				near(t, v.Name, v.Value, b.Values()[i].Value, 1e-9)
			}
		}
	}
}

func TestAreasAgainstPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for round := range 30 {
		s := New(models.Binary, 2)
		var labels, scores []float64
		for range 300 {
			y, p := float64(rng.IntN(2)), rng.Float64()
			if round%2 == 0 {
				p = math.Round(p*20) / 20
			} else if round%5 == 0 {
				p = math.Pow(p, 30) // far into the corner of the grid
			}
			labels, scores = append(labels, y), append(scores, p)
			s.Add(y, []float64{p}, 1)
		}
		exact := pairsAUC(labels, scores)
		near(t, "exact", ExactROCAUC(labels, scores), exact, 1e-12)
		got, _ := s.Value("roc_auc")
		near(t, "binned", got, exact, s.ROCBound()+1e-12)
		if s.ROCBound() > 0.03 && round%5 != 0 {
			t.Errorf("bound %g", s.ROCBound())
		}
		near(t, "exact pr", ExactPRAUC(labels, scores), thresholdsAP(labels, scores), 1e-12)
		pr, _ := s.Value("pr_auc")
		near(t, "binned pr", pr, ExactPRAUC(labels, scores), 0.02)
		if round%2 == 0 { // distinct scores lie in distinct bins
			near(t, "binned, coarse scores", got, exact, 1e-12)
			near(t, "binned pr, coarse scores", pr, ExactPRAUC(labels, scores), 1e-12)
		}
	}
}

// pairsAUC counts all pairs.
func pairsAUC(labels, scores []float64) float64 {
	won, pairs := 0.0, 0.0
	for i := range labels {
		for j := range labels {
			if labels[i] == 1 && labels[j] == 0 {
				pairs++
				switch {
				case scores[i] > scores[j]:
					won++
				case scores[i] == scores[j]:
					won += 0.5
				}
			}
		}
	}
	return won / pairs
}

// thresholdsAP walks over all distinct thresholds the slow way.
func thresholdsAP(labels, scores []float64) float64 {
	positives := 0.0
	for _, y := range labels {
		positives += y
	}
	area := 0.0
	for i := range scores {
		if labels[i] != 1 {
			continue
		}
		hits, answers := 0.0, 0.0
		for j := range scores {
			if scores[j] >= scores[i] {
				answers++
				hits += labels[j]
			}
		}
		area += hits / answers / positives
	}
	return area
}

func TestScoreGridIsMonotone(t *testing.T) {
	last := 0
	for i := range 200001 {
		p := float64(i) / 200000
		at := scoreIndex(p)
		if at < last || at >= gridSize {
			t.Fatalf("bin %d after %d at %g", at, last, p)
		}
		last = at
	}
	for _, p := range []float64{-1, 0, 1e-300, math.SmallestNonzeroFloat64, 1, 2, 1 - 1e-16} {
		if at := scoreIndex(p); at < 0 || at >= gridSize {
			t.Errorf("bin %d of %g", at, p)
		}
	}
	// The stated width: equal bins differ by at most p(1−p)/256.
	rng := rand.New(rand.NewPCG(9, 9))
	for range 10000 {
		p := rng.Float64()
		q := p + p*(1-p)/200
		if q < 1 && scoreIndex(p) == scoreIndex(q) {
			t.Fatalf("%g and %g share a bin", p, q)
		}
	}
}

func filled(task models.Task, classes, n int, seed uint64) *Set {
	rng := rand.New(rand.NewPCG(seed, 1))
	s := New(task, classes)
	answer := make([]float64, max(classes, 1))
	for range n {
		total := 0.0
		for i := range answer {
			answer[i] = rng.Float64()
			total += answer[i]
		}
		if task == models.Multiclass {
			for i := range answer {
				answer[i] /= total
			}
		}
		s.Add(float64(rng.IntN(2)), answer, 1)
	}
	return s
}

func TestStateRoundTrip(t *testing.T) {
	for _, task := range []models.Task{models.Binary, models.Multiclass, models.Regression, models.Anomaly} {
		a := filled(task, 3, 500, 8)
		b := New(task, 3)
		if err := codec.Load(b, codec.Save(a)); err != nil {
			t.Fatal(err)
		}
		if codec.Sum(a) != codec.Sum(b) {
			t.Errorf("%s: another state after loading", task)
		}
		for _, s := range []*Set{a, b} {
			s.Add(1, []float64{0.3, 0.3, 0.4}, 1)
		}
		for i, v := range a.Values() {
			if math.Float64bits(v.Value) != math.Float64bits(b.Values()[i].Value) {
				t.Errorf("%s: %s %g, %g after loading", task, v.Name, v.Value, b.Values()[i].Value)
			}
		}
	}
	if err := codec.Load(New(models.Binary, 2), codec.Save(New(models.Multiclass, 3))); err == nil {
		t.Error("a set of another task was loaded")
	}
}

func TestPeriods(t *testing.T) {
	at := func(s string) int64 {
		d, err := time.Parse("2006-01-02T15:04:05", s)
		if err != nil {
			t.Fatal(err)
		}
		return d.UnixMicro()
	}
	p := NewPeriods(models.Regression, 0, 2)
	p.Add(at("2013-01-31T23:59:59"), 1, []float64{2}, 1)
	p.Add(at("2013-02-01T00:00:00"), 1, []float64{4}, 1)
	p.Add(at("2013-01-01T00:00:00"), 1, []float64{1}, 1)
	p.Add(at("1969-12-31T23:00:00"), 1, []float64{1}, 1) // older than both kept
	if len(p.List()) != 2 || p.Dropped() != 1 || p.List()[0].Month.String() != "2013-01" || p.List()[0].Events() != 2 {
		t.Fatalf("%v dropped %d", p.List(), p.Dropped())
	}
	p.Add(at("2013-04-10T00:00:00"), 1, []float64{1}, 1)
	if p.List()[0].Month.String() != "2013-02" || p.List()[1].Month.String() != "2013-04" || p.List()[1].Events() != 1 {
		t.Fatalf("after a new month: %v", p.List())
	}
	p.Add(at("2013-03-10T00:00:00"), 1, []float64{1}, 1) // between: the oldest goes
	if p.List()[0].Month.String() != "2013-03" || p.List()[0].Events() != 1 {
		t.Fatalf("after a month between: %v", p.List()[0])
	}
	q := NewPeriods(models.Regression, 0, 2)
	if err := codec.Load(q, codec.Save(p)); err != nil || codec.Sum(p) != codec.Sum(q) {
		t.Errorf("round trip: %v", err)
	}
}

func TestPairedBand(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	d := make([]float64, 4000)
	for i := range d {
		d[i] = 0.1 + rng.NormFloat64()
	}
	b := PairedBand(d, 1, 2000, 7)
	mean := sum(d) / 4000
	near(t, "mean", b.Mean, mean, 1e-12)
	// Independent differences: the classical limits ± 1.96/√n, to the noise of the replicas.
	near(t, "low", b.Low, mean-1.96/math.Sqrt(4000), 0.003)
	near(t, "high", b.High, mean+1.96/math.Sqrt(4000), 0.003)
	if b != PairedBand(d, 1, 2000, 7) || b == PairedBand(d, 1, 2000, 8) {
		t.Error("not a function of the seed")
	}
	// Each value repeated 20 times: independent draws would be √20 too sure, blocks are not.
	for i := range d {
		d[i] = d[i/20*20]
	}
	naive, blocks := PairedBand(d, 1, 500, 1), PairedBand(d, 200, 500, 1)
	if wider := (blocks.High - blocks.Low) / (naive.High - naive.Low); wider < 3 || wider > 6 {
		t.Errorf("blocks widen the band %.2f times, want about 4.5", wider)
	}
	if whole := PairedBand(d, 1<<20, 10, 1); math.Abs(whole.High-whole.Low) > 1e-12 {
		t.Error("one circular block of all is the mean itself")
	}
	if !math.IsNaN(PairedBand(nil, 1, 1, 1).Mean) {
		t.Error("a band of nothing")
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	for _, task := range []models.Task{models.Binary, models.Multiclass, models.Regression} {
		s, p := filled(task, 3, 5000, 1), NewPeriods(task, 3, 0)
		answer := []float64{0.25, 0.5, 0.25}
		p.Add(0, 1, answer, 1)
		if n := testing.AllocsPerRun(100, func() { s.Add(1, answer, 1); p.Add(5, 1, answer, 1) }); n != 0 {
			t.Errorf("%s: %g allocations", task, n)
		}
	}
}

func FuzzSetState(f *testing.F) {
	f.Add(codec.Save(filled(models.Binary, 2, 50, 1)))
	f.Add([]byte{1, 1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := New(models.Binary, 2)
		if codec.Load(s, b) == nil {
			if string(codec.Save(s)) != string(b) {
				t.Error("loading and saving changed the bytes")
			}
			s.Add(1, []float64{0.5}, 1)
			s.Values()
		}
	})
}

func BenchmarkAddBinary(b *testing.B) {
	s := filled(models.Binary, 2, 10000, 1)
	answer := []float64{0.3}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Add(float64(i&1), answer, 1)
	}
}

func ExampleSet() {
	s := New(models.Binary, 2)
	s.Add(1, []float64{0.8}, 1)
	s.Add(0, []float64{0.6}, 1)
	s.Add(0, []float64{0.1}, 1)
	for _, m := range s.Values() {
		switch m.Name {
		case "accuracy", "log_loss", "roc_auc":
			fmt.Printf("%s %.3f\n", m.Name, m.Value)
		}
	}
	// Output:
	// accuracy 0.667
	// log_loss 0.415
	// roc_auc 1.000
}
