package loss_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/models/loss"
)

// TestFastSigmoid: within 6e-16 of the plain one, the same far out, between 0 and 1.
func TestFastSigmoid(t *testing.T) {
	for x := -60.0; x <= 60; x += 0.00137 {
		if got, want := loss.FastSigmoid(x), loss.Sigmoid(x); math.Abs(got-want) > 6e-16 {
			t.Fatalf("at %v: %v, want %v", x, got, want)
		}
	}
	for _, x := range []float64{-1e300, -800, -700, -699.9, 0, 5e-324, 699.9, 700, 1e300, math.Inf(1), math.Inf(-1)} {
		if got, want := loss.FastSigmoid(x), loss.Sigmoid(x); math.Abs(got-want) > 6e-16 || got < 0 || got > 1 {
			t.Errorf("at %v: %v, want %v", x, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64().Draw(t, "x")
		if got, want := loss.FastSigmoid(x), loss.Sigmoid(x); math.Abs(got-want) > 6e-16 {
			t.Fatalf("at %v: %v, want %v", x, got, want)
		}
	})
}

func BenchmarkFastSigmoid(b *testing.B) {
	x := 0.1
	for b.Loop() {
		x = loss.FastSigmoid(-x)
	}
}

func BenchmarkSigmoid(b *testing.B) {
	x := 0.1
	for b.Loop() {
		x = loss.Sigmoid(-x)
	}
}
