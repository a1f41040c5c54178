package metric_test

import (
	"testing"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
)

// BenchmarkAdd is the cost of scoring one answer with all metrics of a binary task.
func BenchmarkAdd(b *testing.B) {
	set, recent, fading := metric.New(models.Binary, 2), metric.NewRecent(models.Binary, 2, 1000, 0), metric.NewFading(models.Binary, 2, 0.999)
	answer := []float64{0}
	run := func(name string, add func(y float64)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				answer[0] = float64(i*7919%1000) / 1000
				add(float64(i & 1))
			}
		})
	}
	run("all", func(y float64) { set.Add(y, answer, 1) })
	run("recent", func(y float64) { recent.Add(0, y, answer, 1) })
	run("fading", func(y float64) { fading.Add(0, y, answer, 1) })
}

// BenchmarkValues is the cost of reading all metrics: of a set, and of the last 1,000 answers, which are scored anew.
func BenchmarkValues(b *testing.B) {
	set, recent := metric.New(models.Binary, 2), metric.NewRecent(models.Binary, 2, 1000, 0)
	for i := range 5000 {
		answer := []float64{float64(i*7919%1000) / 1000}
		set.Add(float64(i&1), answer, 1)
		recent.Add(0, float64(i&1), answer, 1)
	}
	b.Run("all", func(b *testing.B) {
		for range b.N {
			set.Values()
		}
	})
	b.Run("recent", func(b *testing.B) {
		for range b.N {
			recent.Values()
		}
	})
}
