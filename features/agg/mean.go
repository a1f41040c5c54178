package agg

var meanSpec = Spec{
	Name: "mean", Doc: "Arithmetic mean of the values. Missing without events.",
	Value: MustValue, Windows: true, Always: true, Version: 1,
	Cost: "2 ns to add", Memory: "24 bytes a tile, shared with sum", Source: "compensated sum over count; see sum",
	// 0/0 is missing.
	New: plain(sums{}, func(c []byte, _ Span) float64 { return total(c, 8) / float64(u64(c, 0)) }),
}
