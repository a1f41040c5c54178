package agg

var ratioSpec = Spec{
	Name: "ratio",
	Doc:  "Sum of the values over the sum of `per`; without `per`, over the number of events, so that a condition gives the share for which it is true. Missing without events or over 0.",
	Per:  true, Value: MustValue, Windows: true, Always: true, Version: 1,
	Cost: "4 ns to add", Memory: "32 bytes a tile", Source: "definition; compensated sums as in sum",
	New: plain(ratios{}, func(c []byte, _ Span) float64 { return total(c, 0) / total(c, 16) }),
}

// ratios is two compensated sums: sum and compensation of x, of y, f64 each.
type ratios struct{}

func (ratios) Name() string { return "ratios" }
func (ratios) Width() int   { return 32 }
func (ratios) Init(c []byte) []byte {
	clear(c[:32])
	return c
}

func (ratios) Add(c []byte, r Row) []byte {
	addTo(c, 0, r.X)
	addTo(c, 16, r.Y)
	return c
}

func (ratios) Merge(c, o []byte) []byte {
	mergeSum(c, o, 0)
	mergeSum(c, o, 16)
	return c
}

func (ratios) Check([]byte) error { return nil }
