package metric_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
)

// answers draws an answer of each task.
func draw(r *rand.Rand, task models.Task) (y float64, answer []float64) {
	switch task {
	case models.Multiclass:
		p, q := r.Float64()/2, r.Float64()/2
		return float64(r.IntN(3)), []float64{p, q, 1 - p - q}
	case models.Binary, models.Anomaly:
		return float64(r.IntN(2)), []float64{float64(r.IntN(50)) / 50}
	}
	return r.NormFloat64(), []float64{r.NormFloat64()}
}

var scored = []models.Task{models.Binary, models.Multiclass, models.Regression, models.Anomaly}

// The metrics of the newest answers are those of a new set that saw these alone, but for kappa_t, which knows the label before them, and exact areas.
func TestRecentAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		task := rapid.SampledFrom(scored).Draw(t, "task")
		limit, span := rapid.IntRange(1, 70).Draw(t, "limit"), time.Duration(rapid.IntRange(0, 50).Draw(t, "span"))*time.Microsecond
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		recent := metric.NewRecent(task, 3, limit, span)
		type one struct {
			t      int64
			y, w   float64
			answer []float64
		}
		var all []one
		now := int64(0)
		for range rapid.IntRange(0, 200).Draw(t, "n") {
			now += int64(r.IntN(4))
			y, answer := draw(r, task)
			w := float64(r.IntN(3))
			recent.Add(now, y, answer, w)
			if w > 0 {
				all = append(all, one{now, y, w, answer})
			}
		}
		kept := all
		if len(all) > 0 && span > 0 {
			newest := all[len(all)-1].t
			for len(kept) > 0 && kept[0].t < newest-span.Microseconds() {
				kept = kept[1:]
			}
		}
		if len(kept) > limit {
			kept = kept[len(kept)-limit:]
		}
		if recent.Len() != len(kept) {
			t.Fatalf("%d kept, want %d", recent.Len(), len(kept))
		}
		s := metric.New(task, 3)
		var labels, scores []float64
		for _, e := range kept {
			s.Add(e.y, e.answer, e.w)
			for range int(e.w) {
				labels, scores = append(labels, e.y), append(scores, e.answer[0])
			}
		}
		for i, v := range recent.Values() {
			want := s.Values()[i].Value
			switch v.Name {
			case "kappa_t":
				continue
			case "roc_auc":
				want = metric.ExactROCAUC(labels, scores)
			case "pr_auc":
				want = metric.ExactPRAUC(labels, scores)
			}
			if !(math.Abs(v.Value-want) < 1e-9 || math.IsNaN(v.Value) && math.IsNaN(want)) {
				t.Fatalf("%s: %s %g, want %g", task, v.Name, v.Value, want)
			}
		}
	})
}

// kappa_t of a window compares with the label before it, not with none.
func TestRecentKnowsTheLabelBefore(t *testing.T) {
	r := metric.NewRecent(models.Binary, 2, 2, 0)
	for i, y := range []float64{0, 1, 1, 0} {
		r.Add(int64(i), y, []float64{y}, 1)
	}
	if got, _ := r.Set().Value("kappa_t"); got != 1 { // no change is right once of two: (1 − .5)/(1 − .5)
		t.Errorf("kappa_t %g", got)
	}
}

// A fading set is a set whose weights are powers of the factor, also beyond the place where it scales its sums down.
func TestFadingAgainstBruteForce(t *testing.T) {
	for _, task := range scored {
		r := rand.New(rand.NewPCG(4, uint64(task)))
		const factor, n = 0.9, 3000 // .9^3000 is 1e-137
		fading := metric.NewFading(task, 3, factor)
		direct := metric.New(task, 3)
		for i := range n {
			y, answer := draw(r, task)
			fading.Add(0, y, answer, 1)
			if left := n - 1 - i; left < 600 {
				direct.Add(y, answer, math.Pow(factor, float64(left)))
			}
		}
		for i, v := range fading.Values() {
			want := direct.Values()[i].Value
			if v.Name != "kappa_m" && math.Abs(v.Value-want) > 1e-9 { // the majority before the 600 differs
				t.Errorf("%s: %s %g, want %g", task, v.Name, v.Value, want)
			}
		}
	}
}

func TestRecentAllocatesNothing(t *testing.T) {
	r, f := metric.NewRecent(models.Binary, 2, 100, 0), metric.NewFading(models.Binary, 2, 0.99)
	answer := []float64{0.3}
	for i := range 2000 {
		answer[0] = float64(i%1000) / 1000
		r.Add(int64(i), 1, answer, 1)
		f.Add(0, 1, answer, 1)
	}
	if n := testing.AllocsPerRun(1000, func() { r.Add(5000, 1, answer, 1); f.Add(0, 0, answer, 1) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// Accuracy of the last three answers.
func ExampleRecent() {
	r := metric.NewRecent(models.Binary, 2, 3, 0)
	for i, p := range []float64{.1, .2, .9, .8} { // the label is 1 each time
		r.Add(int64(i), 1, []float64{p}, 1)
	}
	fmt.Printf("%.3f\n", r.Values()[0].Value)
	// Output: 0.667
}
