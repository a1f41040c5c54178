package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

func TestDistancesByHand(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"ks", KS([]float64{1, 1, 2}, []float64{2, 1, 1}), 0.25},
		{"ks of equal ones", KS([]float64{1, 2}, []float64{50, 100}), 0},
		{"ks of disjoint ones", KS([]float64{5, 0}, []float64{0, 7}), 1},
		{"ks of nothing", KS([]float64{0, 0}, []float64{0, 7}), 0},
		{"js of disjoint ones", JensenShannon([]float64{5, 0}, []float64{0, 7}), 1},
		{"js", JensenShannon([]float64{1, 1}, []float64{1, 0}), math.Sqrt((0.5*math.Log2(0.5/0.75) + 0.5 + math.Log2(1/0.75)) / 2)},
		{"wasserstein of a shift by one bin", Wasserstein([]float64{0, 1, 2}, []float64{4, 0}, []float64{0, 4}), math.Sqrt(12)},
		{"wasserstein of a constant", Wasserstein([]float64{3, 3}, []float64{4}, []float64{9}), 0},
		{"straight across zero", straight(-1, 3), 1.25},
	} {
		if math.Abs(c.got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}

// TestDistancesKnowSizes: at the sizes of a window hardly a false alarm by any measure, a shift of half a deviation found by all, and the
// binned measures near those of the values: for a shift of a normal one by d, W1 = d and KS = 2Φ(d/2) − 1.
func TestDistancesKnowSizes(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 2))
	run := func(shift float64) []Distance {
		p := NewPSI(&features.Schema{Columns: []features.Column{{Name: "x"}}}, PSIConfig{Reference: 1000, Window: 500})
		for i := range 1500 {
			x := rng.NormFloat64()
			if i >= 1000 {
				x += shift
			}
			p.Observe(models.Row{Value: []float64{x}})
		}
		return p.Distributions()[0].Distances(0.001)
	}
	alarms, sums := map[string]int{}, map[string]float64{}
	for range 300 {
		for _, d := range run(0) {
			if d.Drifted {
				alarms[d.Measure]++
			}
		}
	}
	for measure, n := range alarms {
		if n > 3 {
			t.Errorf("%s: %d false alarms of 300", measure, n)
		}
	}
	for range 50 {
		for _, d := range run(0.5) {
			sums[d.Measure] += d.Value / 50
			if !d.Drifted {
				t.Errorf("%+v: a shift was not found", d)
			}
		}
	}
	if want := math.Erf(0.25 / math.Sqrt2); math.Abs(sums["ks"]-want) > 0.03 {
		t.Errorf("ks %.3f, exact %.3f", sums["ks"], want)
	}
	if math.Abs(sums["wasserstein"]-0.5) > 0.08 {
		t.Errorf("wasserstein %.3f, exact 0.5", sums["wasserstein"])
	}
}

func TestDistancesOfCategories(t *testing.T) {
	d := Distribution{Categorical: true, Edges: []float64{1, 2}, Reference: []float64{500, 500, 0, 0}, Current: []float64{100, 400, 0, 0}}
	got := d.Distances(0.001)
	if len(got) != 2 || !got[0].Drifted || !got[1].Drifted {
		t.Errorf("%+v", got)
	}
	if (&Distribution{Reference: []float64{3}, Current: []float64{0}}).Distances(0.001) != nil {
		t.Error("distances of an empty window")
	}
}

func ExampleDistribution_Distances() {
	d := Distribution{Edges: []float64{0, 1, 2, 3}, Reference: []float64{300, 400, 300, 0, 0}, Current: []float64{50, 150, 300, 0, 0}}
	for _, m := range d.Distances(0.001) {
		fmt.Printf("%s %.2f %t\n", m.Measure, m.Value, m.Drifted)
	}
	// Output:
	// psi 0.45 true
	// jensen_shannon 0.28 true
	// ks 0.30 true
	// wasserstein 0.60 true
}
