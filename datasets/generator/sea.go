package generator

var seaSpec = Spec{
	Name: "sea",
	Doc: "Two of three features in [0, 10) decide by whether their sum is above a threshold: 8, 9, 7 or 9.5 for concept 1 to 4; some labels are " +
		"turned round by noise.",
	Source: "Street & Kim, A Streaming Ensemble Algorithm, KDD 2001; rows as MOA's SEAGenerator",
	Params: []Param{rowSeed, count("concept", 1, 1, 4, "which threshold"), count("noise", 10, 0, 100, "percent of labels that are turned round"), balanceParam},
	New: func(a Args) (Stream, error) {
		return &sea{
			meta: &Meta{Columns: numeric("attrib", 3), Target: "class", Classes: []string{"groupA", "groupB"}},
			rng:  a.rand("seed"), threshold: [...]float64{8, 9, 7, 9.5}[a.int("concept")-1], noise: a.int("noise"), balance: newBalanced(a),
		}, nil
	},
}

type sea struct {
	meta      *Meta
	rng       *JavaRandom
	threshold float64
	noise     int
	balance   balanced
}

func (s *sea) Meta() *Meta     { return s.meta }
func (s *sea) Drifts() []Drift { return nil }

func (s *sea) Next(x []float64) float64 {
	for {
		for i := range x {
			x[i] = 10 * s.rng.Float64()
		}
		class := boolClass(x[0]+x[1] > s.threshold)
		if !s.balance.takes(class) {
			continue
		}
		if flips(s.rng, s.noise) {
			class = 1 - class
		}
		return float64(class)
	}
}
