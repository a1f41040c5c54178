package agg

import "math"

var minSpec = Spec{
	Name: "min", Doc: "Least value. Missing without events.",
	Value: MustValue, Windows: true, Always: true, Version: 1,
	Cost: "1 ns to add", Memory: "8 bytes a tile", Source: "definition",
	New: plain(extreme{sign: -1}, extremeOf(-1)),
}

// extreme is the greatest value of sign·x: f64, NaN without rows. sign is 1 or −1.
type extreme struct{ sign float64 }

func (e extreme) Name() string {
	if e.sign < 0 {
		return "min"
	}
	return "max"
}

func (extreme) Width() int { return 8 }
func (extreme) Init(c []byte) []byte {
	putF64(c, 0, math.NaN())
	return c
}

func (e extreme) Add(c []byte, r Row) []byte {
	if x := e.sign * r.X; !(x <= f64(c, 0)) {
		putF64(c, 0, x)
	}
	return c
}

func (extreme) Merge(c, o []byte) []byte {
	if x := f64(o, 0); x == x && !(x <= f64(c, 0)) {
		putF64(c, 0, x)
	}
	return c
}

func (extreme) Check([]byte) error { return nil }

func (e extreme) AddRun(c []byte, rows Rows) {
	best := f64(c, 0)
	for at := len(rows.B) - rows.Stride; at >= 0; at -= rows.Stride {
		x := e.sign
		if rows.X > 0 {
			x = e.sign * f64(rows.B, at+rows.X)
		}
		if x > best || best != best && x == x {
			best = x
		}
	}
	putF64(c, 0, best)
}

func (extreme) MergeRun(c []byte, cells Cells) {
	best := f64(c, 0)
	for at := cells.At; at < len(cells.B); at += cells.Stride {
		if x := f64(cells.B, at); x > best || best != best && x == x {
			best = x
		}
	}
	putF64(c, 0, best)
}

func extremeOf(sign float64) func([]byte, Span) float64 {
	return func(c []byte, _ Span) float64 { return sign * f64(c, 0) }
}
