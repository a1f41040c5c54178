package metric_test

import (
	"math"
	"testing"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
	"pgregory.net/rapid"
)

// Every metric of a merged set is that of all answers scored in one, but for those that look at the label before.
func TestMergeEqualsOneSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		task := rapid.SampledFrom([]models.Task{models.Binary, models.Regression}).Draw(t, "task")
		one, first, second := metric.New(task, 2), metric.New(task, 2), metric.New(task, 2)
		n := rapid.IntRange(0, 40).Draw(t, "answers")
		cut := rapid.IntRange(0, n).Draw(t, "cut")
		for i := range n {
			y, p := float64(rapid.IntRange(0, 1).Draw(t, "y")), rapid.Float64Range(0.01, 0.99).Draw(t, "p")
			one.Add(y, []float64{p}, 1)
			if i < cut {
				first.Add(y, []float64{p}, 1)
			} else {
				second.Add(y, []float64{p}, 1)
			}
		}
		first.Merge(second)
		for _, want := range one.Values() {
			if want.Name == "kappa_t" || want.Name == "kappa_m" {
				continue
			}
			got, _ := first.Value(want.Name)
			if math.Abs(got-want.Value) > 1e-9 && !(math.IsNaN(got) && math.IsNaN(want.Value)) {
				t.Fatalf("%s is %v merged, %v in one", want.Name, got, want.Value)
			}
		}
		if first.Events() != one.Events() {
			t.Fatalf("%d events merged, %d in one", first.Events(), one.Events())
		}
	})
}
