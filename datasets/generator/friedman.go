package generator

import "math"

var friedmanSpec = Spec{
	Name: "friedman",
	Doc: "A number: 10 sin(πx1x2) + 20 (x3 − .5)² + 10 x4 + 5 x5 and standard normal noise; five more features mean nothing. Concept 2 to 5 turn " +
		"the features round by one place each, so that others matter.",
	Source: "Friedman, Multivariate Adaptive Regression Splines, Annals of Statistics 19(1), 1991, §4.3; the rows are our own",
	Params: []Param{rowSeed, count("concept", 1, 1, 5, "how far the features are turned round"), {Name: "noise", Default: 1, Max: 1000, Doc: "standard deviation of the noise"}},
	New: func(a Args) (Stream, error) {
		return &friedman{meta: &Meta{Columns: numeric("x", 10), Target: "y"}, rng: a.rand("seed"), shift: a.int("concept") - 1, noise: a.float("noise")}, nil
	},
}

type friedman struct {
	meta  *Meta
	rng   *JavaRandom
	shift int
	noise float64
}

func (f *friedman) Meta() *Meta     { return f.meta }
func (f *friedman) Drifts() []Drift { return nil }

func (f *friedman) Next(x []float64) float64 {
	for i := range x {
		x[i] = f.rng.Float64()
	}
	v := func(i int) float64 { return x[(i+f.shift)%5] }
	c := v(2) - 0.5
	return float64(10*math.Sin(math.Pi*v(0)*v(1))) + float64(20*float64(c*c)) + float64(10*v(3)) + float64(5*v(4)) + float64(f.noise*f.rng.Normal())
}
