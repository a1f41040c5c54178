package random_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models/random"
)

func ExampleNew() {
	a, b := random.New(7, 1), random.New(7, 1)
	other := random.New(7, 2)
	fmt.Println(a.Unit() == b.Unit(), a.Unit() == other.Unit())
	// Output: true false
}

func TestDrawsHaveTheirMoments(t *testing.T) {
	const n = 200_000
	r := random.New(1, 0)
	var unit, normal, squares float64
	var counts [7]float64
	for range n {
		u := r.Unit()
		if u < 0 || u >= 1 {
			t.Fatal(u)
		}
		unit += u
		x := r.Normal()
		normal, squares = normal+x, squares+x*x
		counts[r.Below(7)]++
	}
	// Five standard errors each.
	for name, c := range map[string][3]float64{"unit": {unit / n, 0.5, 5 / math.Sqrt(12*n)}, "normal": {normal / n, 0, 5 / math.Sqrt(n)},
		"variance": {squares / n, 1, 5 * math.Sqrt(2.0/n)}} {
		if math.Abs(c[0]-c[1]) > c[2] {
			t.Errorf("mean of %s: %v, want %v ± %v", name, c[0], c[1], c[2])
		}
	}
	for i, c := range counts {
		if p := 1.0 / 7; math.Abs(c/n-p) > 5*math.Sqrt(p*(1-p)/n) {
			t.Errorf("%d was drawn %v times of %d", i, c, n)
		}
	}
}

func TestStateGoesOn(t *testing.T) {
	r := random.New(3, 4)
	r.Normal()
	saved := codec.Save(&r)
	want := r.Unit()
	var back random.Source
	if err := codec.Load(&back, saved); err != nil || back.Unit() != want {
		t.Errorf("another stream: %v", err)
	}
	for n := range saved {
		if err := codec.Load(new(random.Source), saved[:n]); !errors.Is(err, codec.ErrDamaged) {
			t.Errorf("%d of %d bytes: %v", n, len(saved), err)
		}
	}
	saved[3] ^= 1 // in the word that names the generator
	if err := codec.Load(new(random.Source), saved); !errors.Is(err, codec.ErrDamaged) {
		t.Errorf("another generator: %v", err)
	}
}
