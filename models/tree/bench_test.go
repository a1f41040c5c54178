package tree

import (
	"slices"
	"syscall"
	"testing"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/modeltest"
)

// cpu is the processor time of this process in nanoseconds.
func cpu() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// benchStream measures predict and learn over a stream from its beginning, again with a new model each time.
func benchStream(b *testing.B, fresh func() models.Learner, examples []models.Example) {
	answer := make([]float64, 0, 16)
	b.ReportAllocs()
	var spent int64
	n := 0
	for b.Loop() {
		m := fresh()
		begin := cpu()
		for i := range examples {
			e := &examples[i]
			answer = m.Predict(answer[:0], e)
			m.Learn(e, answer)
		}
		spent += cpu() - begin
		n += len(examples)
	}
	b.ReportMetric(float64(spent)/float64(n), "cpu-ns/event")
}

func BenchmarkElec2(b *testing.B) {
	for _, name := range []string{"elec2num", "elec2"} {
		s := modeltest.ReadReference(b, name)
		for _, c := range Components {
			if c.Tasks[0] == models.Binary {
				b.Run(c.Name+"/"+name, func(b *testing.B) {
					benchStream(b, func() models.Learner { return build(b, c.Name, s.Env) }, s.Examples)
				})
			}
		}
	}
}

func BenchmarkFried(b *testing.B) {
	s := modeltest.ReadReference(b, "fried")
	for _, c := range Components {
		if slices.Contains(c.Tasks, models.Regression) {
			b.Run(c.Name, func(b *testing.B) {
				benchStream(b, func() models.Learner { return build(b, c.Name, s.Env) }, s.Examples)
			})
		}
	}
}

// BenchmarkWide has 100 columns and 10 classes (regressions: 100 columns).
func BenchmarkWide(b *testing.B) {
	examples := gaussians(5000, 100)
	for i := range examples {
		x := examples[i].Value
		examples[i].Y = float64(min(9, max(0, int(5+2*x[98]+2*x[99]))))
	}
	for _, c := range Components {
		task := models.Multiclass
		if !slices.Contains(c.Tasks, task) {
			if task = models.Regression; !slices.Contains(c.Tasks, task) {
				continue
			}
		}
		env := models.Env{Schema: schema(100), Task: task, Classes: 10, Seed: 1}
		b.Run(c.Name, func(b *testing.B) {
			benchStream(b, func() models.Learner { return build(b, c.Name, env) }, examples)
		})
	}
}

// BenchmarkPublish publishes a tree of many leaves after ten examples each time, as a server does that publishes every millisecond at
// 10,000 events a second; ns/op holds the ten examples. BenchmarkPublish/learn is the ten examples alone.
func BenchmarkPublish(b *testing.B) {
	cfg := DefaultConfig()
	cfg.GracePeriod, cfg.Tau = 20, 1
	h := New(models.Env{Schema: schema(8), Task: models.Binary}, cfg)
	examples := gaussians(200000, 8)
	accuracy(h, examples)
	h.cfg.GracePeriod = 1e9 // it has grown
	i := 0
	ten := func() {
		for range 10 {
			h.Learn(&examples[i%len(examples)], nil)
			i++
		}
	}
	b.Run("learn", func(b *testing.B) {
		for b.Loop() {
			ten()
		}
		b.ReportMetric(float64(h.Leaves()), "leaves")
	})
	h.Publish()
	b.Run("learn_and_publish", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ten()
			h.Publish()
		}
	})
}
