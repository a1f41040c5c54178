package optim

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
)

func blockOf(n int, rng *rand.Rand) (w, g []float64) {
	w, g = make([]float64, n), make([]float64, n)
	for i := range w {
		w[i] = rng.NormFloat64()
		if rng.IntN(3) > 0 {
			g[i] = rng.NormFloat64() * math.Pow(10, float64(rng.IntN(9)-6))
		}
	}
	return w, g
}

// TestMoveIsStep: a block moves to the bits that Step asks for, whatever its length, and clears the gradients.
func TestMoveIsStep(t *testing.T) {
	warm := Schedule{Rate: 0.01, WarmUp: 5}
	for name, make := range map[string]func(n int) Optimizer{
		"rmsprop": func(n int) Optimizer { return NewRMSProp(n, warm, 0.9, 1e-6) },
		"adam":    func(n int) Optimizer { return NewAdam(n, warm, 0.9, 0.999, 1e-8) },
		"sgd":     func(n int) Optimizer { return NewSGD(warm) },
		"adagrad": func(n int) Optimizer { return NewAdaGrad(n, 0.1, 1, 1e-8) },
		"nadam":   func(n int) Optimizer { return NewNadam(n, warm, 0.9, 0.999, 1e-8) },
	} {
		for n := range 10 {
			rng := rand.New(rand.NewPCG(uint64(n), 1))
			plain, block := make(n), make(n)
			b, err := NewBlock(block, n)
			if err != nil {
				t.Fatal(err)
			}
			w, _ := blockOf(n, rng)
			want := append([]float64(nil), w...)
			dst := append([]float64(nil), w...)
			for round := range 20 {
				_, g := blockOf(n, rng)
				plain.Step(dst, nil, g, want)
				for i := range want {
					want[i] += dst[i]
				}
				b.Move(w, g, 1)
				for i := range w {
					if math.Float64bits(w[i]) != math.Float64bits(want[i]) || g[i] != 0 {
						t.Fatalf("%s, %d weights, round %d: weight %d is %v, not %v; its gradient is left at %v", name, n, round, i, w[i], want[i], g[i])
					}
				}
			}
			if codec.Sum(plain) != codec.Sum(b) {
				t.Errorf("%s, %d weights: the optimizers differ", name, n)
			}
		}
	}
}

// TestMoveScales: a scale of ½ is half the gradient.
func TestMoveScales(t *testing.T) {
	b, err := NewBlock(NewSGD(Schedule{Rate: 1}), 3)
	if err != nil {
		t.Fatal(err)
	}
	w := []float64{1, 2, 3}
	b.Move(w, []float64{1, 0, -2}, 0.5)
	if w[0] != 0.5 || w[1] != 2 || w[2] != 4 {
		t.Errorf("got %v", w)
	}
}

// TestBlockRefuses optimizers that begin at 0.
func TestBlockRefuses(t *testing.T) {
	for _, o := range []Optimizer{NewFTRL(1, 1, 1, 1, 1), NewCoin(1, 100), NewNormalized(1, 0.5)} {
		if _, err := NewBlock(o, 1); err == nil {
			t.Errorf("%T was taken", o)
		}
	}
}

func BenchmarkMove(b *testing.B) {
	const n = 2656
	rng := rand.New(rand.NewPCG(1, 1))
	for name, o := range map[string]Optimizer{"rmsprop": NewRMSProp(n, Schedule{Rate: 1e-6}, 0.99, 1e-6), "adam": NewAdam(n, Schedule{Rate: 1e-6}, 0, 0.99, 1e-6)} {
		w, g := blockOf(n, rng)
		for i := range g {
			g[i] = rng.NormFloat64()
		}
		from := append([]float64(nil), g...)
		block, err := NewBlock(o, n)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				copy(g, from)
				block.Move(w, g, 1)
			}
		})
	}
	mean, w, g := make([]float64, n), make([]float64, n), make([]float64, n)
	_, from := blockOf(n, rng)
	for i := range from {
		from[i] = rng.NormFloat64()
	}
	b.Run("rmsprop, plain", func(b *testing.B) {
		for b.Loop() {
			copy(g, from)
			rmsMovePlain(w, g, mean, 1e-6, 0.99, 1e-6)
		}
	})
}
