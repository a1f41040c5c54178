package forecast

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/features"
)

// TestCatalog: every forecaster keeps what its shape says, and checks what it keeps, over series with gaps, repeated steps and
// jumps, on every kind of grid.
func TestCatalog(t *testing.T) {
	for _, spec := range Catalog {
		if Find(spec.Name) == nil || spec.Doc == "" || spec.Cost == "" || spec.Memory == "" || spec.Source == "" || spec.Version < 1 {
			t.Errorf("%+v is not complete", spec)
		}
		for _, use := range spec.Uses {
			if !slices.Contains([]string{"step", "season", "horizon", "alpha", "beta", "gamma", "damping"}, use) {
				t.Errorf("%s uses an unknown %s", spec.Name, use)
			}
		}
		rapid.Check(t, func(t *rapid.T) {
			g := Grid{Period: rapid.SampledFrom([]int64{0, 1, hour}).Draw(t, "period"), Season: rapid.IntRange(0, 5).Draw(t, "season"), Horizon: rapid.IntRange(1, 4).Draw(t, "horizon")}
			k, err := spec.New(DefaultHoltWinters(g))
			if err != nil {
				t.Fatal(err)
			}
			shape := k.Shape()
			if shape.Version != spec.Version || len(shape.Columns) != g.Horizon {
				t.Fatalf("%+v", shape)
			}
			keeps(t, k, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)))
		})
	}
	if Find("holtwinters") != nil {
		t.Error("found what is not there")
	}
}

// keeps updates a state with an odd series and wants it good and within its bound after each value.
func keeps(t *rapid.T, k features.Keyed, rng *rand.Rand) {
	var state []byte
	shape, at := k.Shape(), int64(-20)*hour
	values := [][]float64{{1, -5, 0.5, math.NaN()}, {math.MaxFloat64, -math.MaxFloat64, 1}}[rng.IntN(2)]
	for range 60 {
		at += []int64{0, 1, hour / 2, hour, 3 * hour, 30 * hour, -2 * hour}[rng.IntN(7)]
		state, _ = k.Update(state, at, []float64{values[rng.IntN(len(values))]})
		if err := k.Check(state); err != nil || len(state) > shape.MaxBytes {
			t.Fatalf("%T: after an update: %v, %d bytes of %d", k, err, len(state), shape.MaxBytes)
		}
		if n := len(k.Read(nil, state, at)); n != len(shape.Columns) {
			t.Fatalf("%T reads %d numbers, not %d", k, n, len(shape.Columns))
		}
	}
}

func TestParametersOfTheCatalog(t *testing.T) {
	for _, spec := range Catalog {
		if k, err := spec.New(HoltWintersConfig{}); err == nil || k != nil {
			t.Errorf("%s without horizon: %v, %v", spec.Name, k, err)
		}
	}
}

// TestDamagedStates: states of another version, kind, size or season, and of numbers that no update makes, are refused.
func TestDamagedStates(t *testing.T) {
	for _, k := range keyed(t) {
		for _, steps := range []int64{4, 40} { // warming up, and after it
			var good []byte
			for i := range steps {
				good, _ = k.Update(good, i*hour, []float64{float64(i % 5)})
			}
			for name, damage := range map[string]func([]byte) []byte{
				"version":  func(b []byte) []byte { b[0]++; return b },
				"kind":     func(b []byte) []byte { b[1] = 77; return b },
				"cut":      func(b []byte) []byte { return b[:len(b)-3] },
				"head":     func(b []byte) []byte { return b[:4] },
				"longer":   func(b []byte) []byte { return append(b, make([]byte, 8*10)...) },
				"infinite": func(b []byte) []byte { setDouble(b, 0, math.Inf(1)); return b },
				"far step": func(b []byte) []byte { binary.LittleEndian.PutUint64(b[2:], 1<<62); return b },
			} {
				if err := k.Check(damage(append([]byte(nil), good...))); err == nil {
					t.Errorf("%T after %d steps: damage %q was accepted", k, steps, name)
				}
			}
			if err := k.Check(good); err != nil {
				t.Errorf("%T: %v", k, err)
			}
		}
	}
}
