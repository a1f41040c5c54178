package agg

var firstKSpec = Spec{
	Name: "first_k", Doc: "The k oldest values by event time, oldest first, as k columns. Missing where there are fewer.",
	Value: MustValue, Text: true, Uses: []string{"k"}, Windows: true, Always: true, Version: 1,
	Cost: "5 ns to add, k moves at worst", Memory: "24·k bytes a tile at most", Source: "definition; ties of time by the order of events",
	New: func(p Params) (Fold, error) { return listed(edges{k: p.K}, p) },
}
