package catalog_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/modeltest"
)

// TestOthersReference holds naive Bayes and neighbours to the accuracies of MOA on the same streams, without label delay, and
// shows what they reach with labels 48 events late.
func TestOthersReference(t *testing.T) {
	for _, c := range []struct {
		model, data string
		least       float64 // accuracy, or for regression the greatest RMSE
	}{
		{"gaussian_nb", "elec2", .7236},
		{"gaussian_nb", "elec2num", .72},
		{"gaussian_nb", "electricity_tiny", .825},
		{"gaussian_nb", "phishing", .874},
		{"gaussian_nb", "bananas", .6053},
		{"gaussian_nb", "sea_stream", .8702},
		{"gaussian_nb", "segment", .7688},
		{"k_nearest_neighbors", "elec2", .8087},
		{"k_nearest_neighbors", "electricity_tiny", .801},
		{"k_nearest_neighbors", "phishing", .8796},
		{"k_nearest_neighbors", "bananas", .8789},
		{"k_nearest_neighbors", "sea_stream", .8498},
		{"k_nearest_neighbors", "segment", .898},
		{"k_nearest_neighbors", "fried", 2.75},
		{"k_nearest_neighbors", "bike", 127},
	} {
		t.Run(c.model+" "+c.data, func(t *testing.T) {
			s := modeltest.ReadReference(t, c.data)
			now, perEvent, bytes := progressive(t, s, c.model, 0)
			late, _, _ := progressive(t, s, c.model, 48)
			t.Logf("accuracy %.4f, log-loss %.4f, rmse %.3f; late %.4f, %.4f, %.3f; %v per event, %d bytes", now.Accuracy, now.LogLoss, now.RMSE, late.Accuracy, late.LogLoss, late.RMSE, perEvent, bytes)
			if s.Env.Task == models.Regression {
				if !(now.RMSE <= c.least) {
					t.Errorf("rmse %.4f, want at most %v", now.RMSE, c.least)
				}
			} else if now.Accuracy < c.least {
				t.Errorf("accuracy %.4f, want at least %v", now.Accuracy, c.least)
			}
		})
	}
}

// BenchmarkOthers measures predict, observe and learn of one event of elec2, all eight columns as numbers.
func BenchmarkOthers(b *testing.B) {
	for _, spec := range []string{"gaussian_nb", "bernoulli_nb", "multinomial_nb", "complement_nb", "k_nearest_neighbors"} {
		b.Run(fmt.Sprint(spec), func(b *testing.B) {
			s := modeltest.ReadReference(b, "elec2num")
			c := catalog.All.Find(spec)
			if !slices.Contains(c.Tasks, models.Binary) {
				s.Env.Task = c.Tasks[0]
			}
			benchStream(b, s, spec)
		})
	}
}

// benchStream measures predict, observe and learn of one event, after a first pass over 5,000; cpu-ns is the time of the processor, which
// other programs do not stretch.
func benchStream(b *testing.B, s modeltest.Stream, name string) {
	m := built(b, name, s.Env)
	var out []float64
	var e models.Example
	i := 0
	step := func() {
		e = s.Examples[i%len(s.Examples)]
		e.Time = int64(i) * 1e6
		out = m.Predict(out[:0], &e)
		m.Observe(&e)
		m.Learn(&e, out)
		i++
	}
	for range 5000 {
		step()
	}
	b.ReportAllocs()
	before := cpuTime(b)
	b.ResetTimer()
	for range b.N {
		step()
	}
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// cpuTime is the processor time of the process.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
