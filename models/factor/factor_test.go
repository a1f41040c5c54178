package factor_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/factor"
	"github.com/freshet-ml/freshet/models/modeltest"
)

func schema(numbers, categories int) *features.Schema {
	return modeltest.Columns(strings.Repeat("n", numbers) + strings.Repeat("c", categories))
}

func ftrl(s *features.Schema, bits, order int) *factor.FTRL {
	return factor.NewFTRL(models.Env{Schema: s}, factor.FTRLOptions{Bits: bits, Alpha: 0.1, Beta: 1, L2: 0.1, Order: order})
}

func machine(s *features.Schema, task models.Task, aware bool) *factor.Machine {
	return factor.NewMachine(models.Env{Schema: s, Task: task, Seed: 7}, factor.MachineOptions{Bits: 12, Rank: 4, Rate: 0.1, Spread: 0.5, FieldAware: aware})
}

func row(y float64, v ...float64) *models.Example {
	return &models.Example{Row: models.Row{Value: v}, Y: y, Weight: 1}
}

// accuracy of the last half of n examples of two or three categories whose parity is the label.
func parity(m models.Learner, categories, n int) float64 {
	rng := rand.New(rand.NewPCG(1, 1))
	right, seen := 0.0, 0.0
	for i := range n {
		v, y := make([]float64, categories), 0
		for j := range v {
			k := rng.IntN(2)
			y ^= k
			v[j] = features.Category(fmt.Sprint("v", k))
		}
		e := row(float64(y), v...)
		if p := m.Predict(nil, e)[0]; i > n/2 {
			seen++
			if (p > 0.5) == (y == 1) {
				right++
			}
		}
		m.Learn(e, nil)
	}
	return right / seen
}

// TestCrosses: parity is learned with crosses of its order, and not without them.
func TestCrosses(t *testing.T) {
	for _, c := range []struct {
		categories, order int
		learns            bool
	}{{2, 1, false}, {2, 2, true}, {3, 2, false}, {3, 3, true}} {
		if got := parity(ftrl(schema(0, c.categories), 16, c.order), c.categories, 4000); (got > 0.99) != c.learns || !c.learns && got > 0.7 {
			t.Errorf("parity of %d categories with crosses of order %d: accuracy %.3f", c.categories, c.order, got)
		}
	}
	for _, aware := range []bool{false, true} {
		if got := parity(machine(schema(0, 2), models.Binary, aware), 2, 20000); got < 0.99 {
			t.Errorf("field-aware %v: accuracy %.3f on the parity of two categories", aware, got)
		}
	}
}

// TestPairsThatNeverMet: a factorization machine knows of pairs that it has never seen (Rendle 2010, §3.1); crosses do not.
func TestPairsThatNeverMet(t *testing.T) {
	taste := func(user, film int) float64 { return float64(2*(user%2)-1) * float64(2*(film%2)-1) }
	hidden := func(user, film int) bool { return (user*7+film*3)%10 == 0 }
	value := func(user, film int) []float64 {
		return []float64{features.Category(fmt.Sprint("u", user)), features.Category(fmt.Sprint("f", film))}
	}
	for _, aware := range []bool{false, true} {
		m := machine(schema(0, 2), models.Regression, aware)
		rng := rand.New(rand.NewPCG(2, 2))
		for range 60000 {
			if u, f := rng.IntN(20), rng.IntN(20); !hidden(u, f) {
				m.Learn(row(taste(u, f), value(u, f)...), nil)
			}
		}
		right, n := 0.0, 0.0
		for u := range 20 {
			for f := range 20 {
				if hidden(u, f) {
					n++
					if p := m.Predict(nil, row(0, value(u, f)...))[0]; p*taste(u, f) > 0 {
						right++
					}
				}
			}
		}
		if right/n < 0.9 {
			t.Errorf("field-aware %v: right about %.0f %% of the pairs that never met", aware, 100*right/n)
		}
	}
}

// TestStepIsTheGradient: the first step of a fresh model with tiny rate changes the loss by −rate·Σ|g|, as AdaGrad's first step is the
// sign of each gradient: checked by differences against a step of twice the rate.
func TestStepIsTheGradient(t *testing.T) {
	for _, aware := range []bool{false, true} {
		change := func(rate float64) float64 {
			o := factor.MachineOptions{Bits: 12, Rank: 3, Rate: rate, Spread: 1, FieldAware: aware}
			m := factor.NewMachine(models.Env{Schema: schema(3, 0), Task: models.Regression, Seed: 3}, o)
			e := row(5, 0.5, -1, 2)
			zero := *e
			zero.Weight = 1e-30 // draws the latent numbers and moves by the sign of nearly nothing
			m.Learn(&zero, nil)
			before := m.Predict(nil, e)[0]
			m.Learn(e, nil)
			return m.Predict(nil, e)[0] - before
		}
		one, two := change(1e-4), change(2e-4)
		if !(one > 0) || math.Abs(two/one-2) > 0.01 {
			t.Errorf("field-aware %v: the answer moved %v, with twice the rate %v", aware, one, two)
		}
	}
}

// TestMissingAddsNothing: neither a number nor a category.
func TestMissingAddsNothing(t *testing.T) {
	s := schema(1, 1)
	nan := math.NaN()
	for name, m := range map[string]models.Learner{"ftrl": ftrl(s, 10, 2), "fm": machine(s, models.Binary, false), "ffm": machine(s, models.Binary, true)} {
		c := features.Category("a")
		for range 50 {
			m.Learn(row(1, 2, c), nil)
		}
		base := m.Predict(nil, row(0, nan, nan))[0]
		if got := m.Predict(nil, &models.Example{Row: models.Row{Index: []uint32{}}})[0]; got != base {
			t.Errorf("%s: missing gives %v, an empty row %v", name, base, got)
		}
		if got := m.Predict(nil, row(0, 2, c))[0]; got == base {
			t.Errorf("%s: the features say nothing", name)
		}
	}
}

// TestOldVersionsStay: every version answers for ever as the model did when it was published.
func TestOldVersionsStay(t *testing.T) {
	s := schema(0, 3)
	for name, m := range map[string]models.Learner{"ftrl": ftrl(s, 14, 2), "fm": machine(s, models.Binary, false), "ffm": machine(s, models.Binary, true)} {
		rng := rand.New(rand.NewPCG(4, 4))
		es := make([]*models.Example, 400)
		for i := range es {
			es[i] = row(float64(rng.IntN(2)), rng.Float64(), rng.Float64(), float64(rng.IntN(5)))
		}
		type published struct {
			p    models.Predictor
			want []float64
		}
		var all []published
		for i, e := range es {
			m.Learn(e, nil)
			if i%20 != 0 {
				continue
			}
			v := published{p: m.(models.Publisher).Publish()}
			for _, q := range es[:50] {
				v.want = append(v.want, m.Predict(nil, q)[0])
			}
			all = append(all, v)
		}
		for i, v := range all {
			for j, q := range es[:50] {
				if got := v.p.Predict(nil, q)[0]; got != v.want[j] {
					t.Fatalf("%s: version %d answers %v, at its time the model answered %v", name, i, got, v.want[j])
				}
			}
		}
	}
}

// clicks makes rows of 80 categories.
func clicks(n int) (*features.Schema, []models.Example) {
	rng := rand.New(rand.NewPCG(5, 5))
	es := make([]models.Example, n)
	for i := range es {
		v := make([]float64, 80)
		for j := range v {
			v[j] = math.Floor(1e6 * math.Pow(rng.Float64(), 3))
		}
		es[i] = models.Example{Row: models.Row{Value: v}, Y: float64(rng.IntN(2)), Weight: 1}
	}
	return schema(0, 80), es
}

func BenchmarkFTRL80(b *testing.B) {
	s, es := clicks(4096)
	m := ftrl(s, 20, 1)
	var out []float64
	b.ReportAllocs()
	begin := cpu()
	for i := 0; b.Loop(); i++ {
		e := &es[i%len(es)]
		out = m.Predict(out[:0], e)
		m.Learn(e, out)
	}
	b.ReportMetric(float64(cpu()-begin)/float64(b.N), "cpu-ns/op")
}

// BenchmarkPublish is a millisecond of a model of 2^20 places and 80 categories at 10,000 events a second: ten events, without and with a
// version after them, and with a copy of the table in its place. The difference of processor time, the collector's share in it, is
// what publishing costs.
func BenchmarkPublish(b *testing.B) {
	s, es := clicks(4096)
	flat := make([]float32, 1<<20)
	for name, publish := range map[string]func(m *factor.FTRL) any{
		"none":  func(*factor.FTRL) any { return nil },
		"pages": func(m *factor.FTRL) any { return m.Publish() },
		"copy":  func(*factor.FTRL) any { return append([]float32(nil), flat...) },
	} {
		b.Run(name, func(b *testing.B) {
			m := ftrl(s, 20, 1)
			for i := range es {
				m.Learn(&es[i], nil)
			}
			m.Publish()
			var out []float64
			var version any
			i, begin := 0, cpu()
			for b.Loop() {
				for range 10 {
					e := &es[i%len(es)]
					i++
					out = m.Predict(out[:0], e)
					m.Learn(e, out)
				}
				version = publish(m)
			}
			_ = version
			b.ReportMetric(float64(cpu()-begin)/float64(b.N)/1e3, "cpu-µs/ms")
		})
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

func ExampleNewFTRL() {
	s := &features.Schema{Columns: []features.Column{{Name: "site", Kind: features.Categorical}, {Name: "advert", Kind: features.Categorical}}}
	m := factor.NewFTRL(models.Env{Schema: s}, factor.FTRLOptions{Bits: 16, Alpha: 0.5, Beta: 1, L2: 0.1, Order: 2})
	news, shop, shoes := features.Category("news"), features.Category("shop"), features.Category("shoes")
	for range 300 {
		m.Learn(&models.Example{Row: models.Row{Value: []float64{shop, shoes}}, Y: 1, Weight: 1}, nil)
		m.Learn(&models.Example{Row: models.Row{Value: []float64{news, shoes}}, Y: 0, Weight: 1}, nil)
	}
	p := m.Predict(nil, &models.Example{Row: models.Row{Value: []float64{shop, shoes}}})[0]
	fmt.Println(p > 0.9)
	// Output: true
}

func ExampleNewMachine() {
	s := &features.Schema{Columns: []features.Column{{Name: "user", Kind: features.Categorical}, {Name: "film", Kind: features.Categorical}}}
	m := factor.NewMachine(models.Env{Schema: s, Task: models.Regression, Seed: 1}, factor.MachineOptions{Bits: 12, Rank: 4, Rate: 0.1, Spread: 0.1})
	ann, heat := features.Category("ann"), features.Category("Heat")
	for range 500 {
		m.Learn(&models.Example{Row: models.Row{Value: []float64{ann, heat}}, Y: 4, Weight: 1}, nil)
	}
	fmt.Printf("%.1f\n", m.Predict(nil, &models.Example{Row: models.Row{Value: []float64{ann, heat}}})[0])
	// Output: 4.0
}
