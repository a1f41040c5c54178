package generator

var mixedSpec = Spec{
	Name: "mixed",
	Doc: "Two truth values and a point of the unit square: positive when two of three hold: v, w, the point is below .5 + .3 sin(3πx). Concept 2 is the " +
		"reverse. No noise.",
	Source: "Gama et al., Learning with Drift Detection, SBIA 2004, §4; rows as MOA's MixedGenerator",
	Params: []Param{rowSeed, count("concept", 1, 1, 2, "which rule"), balanceParam},
	New: func(a Args) (Stream, error) {
		bit := []string{"0", "1"}
		m := &Meta{Columns: []Column{{"v", bit}, {"w", bit}, {"x", nil}, {"y", nil}}, Target: "class", Classes: []string{"positive", "negative"}}
		return &mixed{meta: m, rng: a.rand("seed"), concept: a.int("concept"), balance: newBalanced(a)}, nil
	},
}

type mixed struct {
	meta    *Meta
	rng     *JavaRandom
	concept int
	balance balanced
}

func (m *mixed) Meta() *Meta     { return m.meta }
func (m *mixed) Drifts() []Drift { return nil }

func (m *mixed) Next(x []float64) float64 {
	for {
		x[0], x[1] = m.coin(), m.coin()
		x[2], x[3] = m.rng.Float64(), m.rng.Float64()
		holding := x[0] + x[1]
		if belowWave(x[2], x[3]) {
			holding++
		}
		class := boolClass((holding >= 2) == (m.concept == 2))
		if m.balance.takes(class) {
			return float64(class)
		}
	}
}

func (m *mixed) coin() float64 {
	if m.rng.Float64() < 0.5 {
		return 0
	}
	return 1
}
