package agg

var decayedSumSpec = Spec{
	Name: "decayed_sum", Doc: "Sum of the values, each weighing 2^(−age/half_life). 0 without events.",
	Value: MustValue, Uses: []string{"half_life"}, Windows: true, Always: true, Version: 1,
	Cost: "20 ns to add (one exp2)", Memory: "24 bytes a tile, shared by the decayed ones", Source: "see decayed_count",
	New: func(p Params) (Fold, error) {
		return decayedFold(p, func(d decays, c []byte, s Span) float64 {
			return f64(c, 0) * d.weight(s.End, i64(c, 16))
		})
	},
}
