package agg

var firstSpec = Spec{
	Name: "first", Doc: "Oldest value by event time. Missing without events.",
	Value: MustValue, Text: true, Windows: true, Always: true, Version: 1,
	Cost: "1 ns to add", Memory: "24 bytes a tile", Source: "definition; ties of time by the order of events",
	New: func(Params) (Fold, error) {
		f := one(edge{}, func(c []byte, _ Span) float64 { return f64(c, 16) })
		f.Category = true
		return f, nil
	},
}
