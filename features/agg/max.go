package agg

var maxSpec = Spec{
	Name: "max", Doc: "Greatest value. Missing without events.",
	Value: MustValue, Windows: true, Always: true, Version: 1,
	Cost: "1 ns to add", Memory: "8 bytes a tile", Source: "definition",
	New: plain(extreme{sign: 1}, extremeOf(1)),
}
