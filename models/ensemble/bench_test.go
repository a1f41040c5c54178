package ensemble_test

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/models"
)

// cpu is the processor time of this process.
func cpu(b testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchElec2 measures predict and learn of an event of elec2's 8 columns, all as numbers; cpu-ns/op is processor time over all
// goroutines, the collector's included.
func benchElec2(b *testing.B, spec any, publish int) {
	s := read(b, "elec2num")
	m := build(b, spec, s.Env)
	var out []float64
	b.ReportAllocs()
	begin := time.Duration(0)
	i := 0
	for b.Loop() {
		if i == 0 {
			begin = cpu(b)
		}
		e := &s.Examples[i%len(s.Examples)]
		out = m.Predict(out[:0], e)
		m.Observe(e)
		m.Learn(e, out)
		if i++; publish > 0 && i%publish == 0 {
			m.(models.Publisher).Publish()
		}
	}
	b.ReportMetric(float64(cpu(b)-begin)/float64(i), "cpu-ns/op")
}

func BenchmarkLeveragingBagging10(b *testing.B) { benchElec2(b, "leveraging_bagging", 0) }
func BenchmarkBOLE10(b *testing.B)              { benchElec2(b, "bole", 0) }
func BenchmarkOzaBoost10(b *testing.B)          { benchElec2(b, "oza_boost", 0) }
func BenchmarkADWINBagging10(b *testing.B)      { benchElec2(b, "adwin_bagging", 0) }
func BenchmarkForest10(b *testing.B)            { benchElec2(b, "adaptive_random_forest", 0) }
func BenchmarkPatches10(b *testing.B)           { benchElec2(b, "streaming_random_patches", 0) }
func BenchmarkForest100(b *testing.B) {
	benchElec2(b, one("adaptive_random_forest", map[string]any{"trees": 100}), 0)
}

// BenchmarkForest100Publishing publishes every 10 events: every millisecond at 10,000 events/s.
func BenchmarkForest100Publishing(b *testing.B) {
	benchElec2(b, one("adaptive_random_forest", map[string]any{"trees": 100}), 10)
}

// BenchmarkPublishing measures what publishing every 10 events costs: two equal models learn the same 200 events in turn, one of them publishes. cost-% is the processor time
// that this one takes more, the median over the turns, which a load of the machine changes little; run it with -cpu 1.
func BenchmarkPublishing(b *testing.B) {
	for _, m := range []struct {
		name string
		spec any
	}{
		{"forest_of_100", one("adaptive_random_forest", map[string]any{"trees": 100})},
		{"forest_of_10", one("adaptive_random_forest", map[string]any{"trees": 10})},
		{"hoeffding_tree", "hoeffding_tree"},
		{"gradient_boosted_trees", "gradient_boosted_trees"},
	} {
		b.Run(m.name, func(b *testing.B) {
			s := read(b, "elec2num")
			plain, published := build(b, m.spec, s.Env), build(b, m.spec, s.Env)
			var out []float64
			run := func(l models.Learner, from int, publish bool) time.Duration {
				begin := cpu(b)
				for i := from; i < from+200; i++ {
					e := &s.Examples[i%len(s.Examples)]
					out = l.Predict(out[:0], e)
					l.Learn(e, out)
					if publish && i%10 == 9 {
						l.(models.Publisher).Publish()
					}
				}
				return cpu(b) - begin
			}
			i := 0
			for ; i < 10000; i += 200 {
				run(plain, i, false)
				run(published, i, true)
			}
			var without, ratios []float64
			for b.Loop() {
				alone := float64(run(plain, i, false))
				without, ratios = append(without, alone), append(ratios, float64(run(published, i, true))/alone)
				i += 200
			}
			slices.Sort(without)
			slices.Sort(ratios)
			b.ReportMetric(100*(ratios[len(ratios)/2]-1), "cost-%")
			b.ReportMetric(without[len(without)/2]/200e3, "learn-µs/event")
		})
	}
}

// BenchmarkRegressionForest10 runs on the 10 columns of fried.
func BenchmarkRegressionForest10(b *testing.B) {
	s := read(b, "fried")
	m := build(b, "adaptive_random_forest", s.Env)
	var out []float64
	b.ReportAllocs()
	begin, i := time.Duration(0), 0
	for b.Loop() {
		if i == 0 {
			begin = cpu(b)
		}
		e := &s.Examples[i%len(s.Examples)]
		out = m.Predict(out[:0], e)
		m.Learn(e, out)
		i++
	}
	b.ReportMetric(float64(cpu(b)-begin)/float64(i), "cpu-ns/op")
}
