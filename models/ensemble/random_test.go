package ensemble

import (
	"math"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
)

// Frequencies of draws against the probabilities of the distribution, within five standard deviations.
func TestPoissonFrequencies(t *testing.T) {
	const n = 200000
	for _, mean := range []float64{0.25, 1, 6, 40, 100} {
		d, table := newDice(1, 0), newPoisson(mean)
		counts, plain := make([]float64, 300), make([]float64, 300)
		for range n {
			counts[table.draw(&d)]++
			plain[min(299, int(drawPoisson(&d, mean)))]++
		}
		p := math.Exp(-mean)
		for k := range counts {
			allowed := 5*math.Sqrt(n*p) + 5
			if math.Abs(counts[k]-n*p) > allowed {
				t.Errorf("mean %v: %v draws of %d, %.0f expected", mean, counts[k], k, n*p)
			}
			if mean <= normalFrom && math.Abs(plain[k]-n*p) > allowed {
				t.Errorf("mean %v, by inversion: %v draws of %d, %.0f expected", mean, plain[k], k, n*p)
			}
			p *= mean / float64(k+1)
		}
		sum, squares := 0.0, 0.0
		for k, c := range plain {
			sum += float64(k) * c / n
			squares += float64(k*k) * c / n
		}
		if math.Abs(sum-mean) > 0.05*math.Sqrt(mean) || math.Abs(squares-sum*sum-mean) > 0.05*mean {
			t.Errorf("mean %v: drawn mean %.3f and variance %.3f", mean, sum, squares-sum*sum)
		}
	}
}

func TestSubsetsAreUniform(t *testing.T) {
	d, counts, set := newDice(3, 1), make([]float64, 9), make([]int, 4)
	const n = 90000
	for range n {
		d.subset(set, 9)
		for i, c := range set {
			if c < 0 || c > 8 || i > 0 && c <= set[i-1] {
				t.Fatalf("subset %v", set)
			}
			counts[c]++
		}
	}
	for c, k := range counts {
		if math.Abs(k-n*4/9) > 5*math.Sqrt(n*4.0/9*5/9) {
			t.Errorf("%d was chosen %v times, %d expected", c, k, n*4/9)
		}
	}
}

func TestDiceGoOn(t *testing.T) {
	a, b := newDice(5, 2), newDice(6, 2)
	a.Unit()
	if err := codec.Load(&b, codec.Save(&a)); err != nil || a.Unit() != b.Unit() {
		t.Errorf("a loaded stream goes on otherwise: %v", err)
	}
}

// Every piece is done once, whatever the number of processors.
func TestCrewDoesAllOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	var c crew
	for _, n := range []int{0, 1, crewShare, 2*crewShare + 1, 10 * crewShare} {
		done := make([]atomic.Int32, n)
		work := func(i int) { done[i].Add(1) }
		for round := range 50 {
			c.each(n, work)
			if round%10 == 9 { // quiet for so long that the helpers end
				for _, h := range c.helpers {
					for h.at.Load() != gone {
						runtime.Gosched()
					}
				}
			}
		}
		for i := range done {
			if done[i].Load() != 50 {
				t.Fatalf("%d of %d was done %d times", i, n, done[i].Load())
			}
		}
	}
}
