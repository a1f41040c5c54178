package neural

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// benchEvents draws examples of numbers, and of categories of many values, the low ones of which are frequent.
func benchEvents(numbers, categories int) []models.Example {
	rng := rand.New(rand.NewPCG(1, 1))
	es := make([]models.Example, 4096)
	for i := range es {
		v := normals(rng, numbers)
		for range categories {
			u := rng.Float64()
			v = append(v, features.Category(fmt.Sprint(int(50000*u*u*u))))
		}
		es[i] = models.Example{Row: models.Row{Value: v}, Y: float64(rng.IntN(2)), Weight: 1, Time: int64(i)}
	}
	return es
}

// BenchmarkEvent is predict, observe and learn of one event, and the same with a version published after it.
func BenchmarkEvent(b *testing.B) {
	for _, c := range []struct {
		name                string
		numbers, categories int
		make                func(env models.Env) (*Net, error)
	}{
		{"mlp of 8 numbers", 8, 0, func(env models.Env) (*Net, error) { return NewMLP(env, Defaults()) }},
		{"hedge of 8 numbers", 8, 0, func(env models.Env) (*Net, error) {
			o := Defaults()
			o.Hidden = []int{32, 32, 32, 32}
			return NewHedge(env, o, 0.99, 0.2)
		}},
		{"mlp of 10 categories", 0, 10, func(env models.Env) (*Net, error) { return NewMLP(env, Defaults()) }},
		{"deep_fm of 10 categories", 0, 10, func(env models.Env) (*Net, error) { return NewDeepFM(env, Defaults(), true) }},
		{"wide_and_deep of 10 categories", 0, 10, func(env models.Env) (*Net, error) { return NewWideAndDeep(env, Defaults(), true) }},
	} {
		es := benchEvents(c.numbers, c.categories)
		for _, publish := range []bool{false, true} {
			n, err := c.make(models.Env{Schema: mixedSchema(c.numbers, c.categories), Task: models.Binary, Seed: 1})
			if err != nil {
				b.Fatal(err)
			}
			name := c.name
			if publish {
				name += ", published"
			}
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				var out []float64
				for i := range es { // rows of embeddings are made
					n.Learn(&es[i], nil)
				}
				begin := cpu()
				for i := 0; b.Loop(); i++ {
					e := &es[i%len(es)]
					out = n.Predict(out[:0], e)
					n.Observe(e)
					n.Learn(e, out)
					if publish {
						n.Publish()
					}
				}
				b.ReportMetric(float64(cpu()-begin)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// cpu is the processor time of the process, in nanoseconds.
func cpu() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
