package agg

var rateSpec = Spec{
	Name: "rate", Doc: "Events, or with a value the sum of it, per second of the window. 0 without events.",
	Value: MayValue, Windows: true, Version: 1,
	Cost: "2 ns to add", Memory: "24 bytes a tile, shared with sum; 8 without a value", Source: "definition",
	New: func(p Params) (Fold, error) {
		if !p.Valued {
			return one(counts{}, func(c []byte, s Span) float64 { return float64(u64(c, 0)) / s.Seconds }), nil
		}
		return one(sums{}, func(c []byte, s Span) float64 { return total(c, 8) / s.Seconds }), nil
	},
}
