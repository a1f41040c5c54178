package agg

import "math"

var stddevSpec = Spec{
	Name: "stddev", Doc: "Sample standard deviation of the values (divisor n − 1). Missing with fewer than two.",
	Value: MustValue, Windows: true, Always: true, Version: 1,
	Cost: "6 ns to add (one division)", Memory: "24 bytes a tile, shared with variance", Source: "see variance",
	New: plain(moments{}, func(c []byte, _ Span) float64 { return math.Sqrt(sampleVariance(c)) }),
}
