package agg

import "math"

var gapMeanSpec = Spec{
	Name: "gap_mean", Doc: "Mean time between consecutive events, in seconds. Missing with fewer than two.",
	Value: MayValue, Text: true, Windows: true, Always: true, Version: 1,
	Cost: "1 ns to add", Memory: "24 bytes a tile, shared with since",
	Source: "the gaps add up to newest − oldest, so their mean is (newest − oldest)/(n − 1)",
	New: plain(spans{}, func(c []byte, _ Span) float64 {
		n := u64(c, 0)
		if n < 2 {
			return math.NaN()
		}
		return (float64(i64(c, 16)) - float64(i64(c, 8))) / 1e6 / float64(n-1)
	}),
}
