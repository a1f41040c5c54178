package catalog_test

import (
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/linear"
	"github.com/freshet-ml/freshet/models/loss"
	"github.com/freshet-ml/freshet/models/modeltest"
	"github.com/freshet-ml/freshet/models/optim"
)

// events measures predict, observe and learn of one event.
func events(b *testing.B, m models.Learner, es []models.Example) {
	var out []float64
	b.ReportAllocs()
	i := 0
	begin := cpu()
	defer func() { b.ReportMetric(float64(cpu()-begin)/float64(b.N), "cpu-ns/op") }()
	for b.Loop() {
		e := &es[i]
		if i++; i == len(es) {
			i = 0
		}
		out = m.Predict(out[:0], e)
		m.Observe(e)
		m.Learn(e, out)
	}
}

// cpu is the processor time of the process, in nanoseconds: on a busy machine it says more than the clock.
func cpu() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkElec2Linear measures linear models behind a scaler on the 8 columns of elec2.
func BenchmarkElec2Linear(b *testing.B) {
	s := modeltest.ReadReference(b, "elec2num")
	for _, c := range []struct {
		name string
		spec any
	}{
		{"logistic", riverLogistic(0.005)},
		{"scaler", []any{"standard_scaler", "prior"}},
		{"adagrad", []any{"standard_scaler", one("logistic_regression", map[string]any{"optimizer": "adagrad"})}},
	} {
		b.Run(c.name, func(b *testing.B) {
			events(b, built(b, c.spec, s.Env), s.Examples)
		})
	}
}

// sparseRows makes rows of 80 entries among 2^20 columns.
func sparseRows() []models.Example {
	rng := rand.New(rand.NewPCG(1, 2))
	es := make([]models.Example, 4096)
	for i := range es {
		index := make([]uint32, 80)
		value := make([]float64, 80)
		for j := range index {
			index[j], value[j] = uint32(rng.IntN(1<<20)), 1
		}
		slices.Sort(index)
		es[i] = models.Example{Row: models.Row{Index: index, Value: value}, Y: float64(rng.IntN(2)), Weight: 1}
	}
	return es
}

func BenchmarkSparse80(b *testing.B) {
	const n = 1 << 20
	events(b, linear.NewLogistic(n, loss.Logistic{}, optim.NewSGD(optim.Schedule{Rate: 0.05}), linear.Options{InterceptRate: 0.01}), sparseRows())
}

// BenchmarkSoftmax100x10 has 100 columns and 10 classes.
func BenchmarkSoftmax100x10(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	es := make([]models.Example, 2048)
	for i := range es {
		v := make([]float64, 100)
		for j := range v {
			v[j] = rng.NormFloat64()
		}
		es[i] = models.Example{Row: models.Row{Value: v}, Y: float64(rng.IntN(10)), Weight: 1}
	}
	m, err := linear.NewSoftmax(100, 10, func() (optim.Optimizer, error) { return optim.NewSGD(optim.Schedule{Rate: 0.01}), nil }, linear.Options{InterceptRate: 0.01})
	if err != nil {
		b.Fatal(err)
	}
	events(b, m, es)
}
