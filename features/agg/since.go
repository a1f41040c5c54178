package agg

import "math"

var sinceSpec = Spec{
	Name: "since", Doc: "Seconds since the newest event. Missing without events.",
	Value: MayValue, Text: true, Windows: true, Always: true, Version: 1,
	Cost: "1 ns to add", Memory: "24 bytes a tile, shared with gap_mean", Source: "definition",
	New: plain(spans{}, func(c []byte, s Span) float64 {
		if u64(c, 0) == 0 {
			return math.NaN()
		}
		return (float64(s.End) - float64(i64(c, 16))) / 1e6
	}),
}

// spans is the number of rows, the oldest and the newest time: u64, i64, i64.
type spans struct{}

func (spans) Name() string { return "spans" }
func (spans) Width() int   { return 24 }
func (spans) Init(c []byte) []byte {
	putU64(c, 0, 0)
	putI64(c, 8, math.MaxInt64)
	putI64(c, 16, math.MinInt64)
	return c
}

func (spans) Add(c []byte, r Row) []byte {
	putU64(c, 0, u64(c, 0)+1)
	putI64(c, 8, min(i64(c, 8), r.Time))
	putI64(c, 16, max(i64(c, 16), r.Time))
	return c
}

func (spans) Merge(c, o []byte) []byte {
	putU64(c, 0, u64(c, 0)+u64(o, 0))
	putI64(c, 8, min(i64(c, 8), i64(o, 8)))
	putI64(c, 16, max(i64(c, 16), i64(o, 16)))
	return c
}

func (spans) Check([]byte) error { return nil }
