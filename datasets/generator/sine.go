package generator

import "math"

var sineSpec = Spec{
	Name: "sine",
	Doc: "Points of the unit square below a curve are positive: sin(x) in concept 1, .5 + .3 sin(3πx) in concept 3; concepts 2 and 4 are their " +
		"reverses. Two more features mean nothing. No noise.",
	Source: "Gama et al., Learning with Drift Detection, SBIA 2004, §4; rows as MOA's SineGenerator",
	Params: []Param{rowSeed, count("concept", 1, 1, 4, "which curve"), flag("plain", "1: without the features that mean nothing"), balanceParam},
	New: func(a Args) (Stream, error) {
		columns := 4
		if a.flag("plain") {
			columns = 2
		}
		m := &Meta{Columns: numeric("att", columns), Target: "class", Classes: []string{"positive", "negative"}}
		return &sine{meta: m, rng: a.rand("seed"), concept: a.int("concept"), balance: newBalanced(a)}, nil
	},
}

type sine struct {
	meta    *Meta
	rng     *JavaRandom
	concept int
	balance balanced
}

func (s *sine) Meta() *Meta     { return s.meta }
func (s *sine) Drifts() []Drift { return nil }

func (s *sine) Next(x []float64) float64 {
	for {
		x[0], x[1] = s.rng.Float64(), s.rng.Float64()
		below := x[1] < math.Sin(x[0])
		if s.concept > 2 {
			below = belowWave(x[0], x[1])
		}
		class := boolClass(below == (s.concept%2 == 0))
		if !s.balance.takes(class) {
			continue
		}
		for i := 2; i < len(x); i++ {
			x[i] = s.rng.Float64()
		}
		return float64(class)
	}
}

func belowWave(x, y float64) bool { return y < 0.5+float64(0.3*math.Sin(3*math.Pi*x)) }
