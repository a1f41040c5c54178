package agg

import "math"

var lastSpec = Spec{
	Name: "last", Doc: "Newest value by event time. Missing without events; for a table also after a null.",
	Value: MustValue, Text: true, Windows: true, Always: true, Version: 1,
	Cost: "1 ns to add", Memory: "24 bytes a tile", Source: "definition; ties of time by the order of events",
	New: func(Params) (Fold, error) {
		f := one(edge{newest: true}, func(c []byte, _ Span) float64 { return f64(c, 16) })
		f.Category, f.Nulls = true, true
		return f, nil
	},
}

// edge is the newest or the oldest row: time i64, seq u64, x f64. Without rows its place is before, or
// behind, every possible one.
type edge struct{ newest bool }

func (e edge) Name() string {
	if e.newest {
		return "last"
	}
	return "first"
}

func (edge) Width() int { return 24 }
func (e edge) Init(c []byte) []byte {
	t, seq := int64(math.MaxInt64), uint64(math.MaxUint64)
	if e.newest {
		t, seq = math.MinInt64, 0
	}
	putPlace(c, t, seq, math.NaN())
	return c
}

func putPlace(c []byte, t int64, seq uint64, x float64) {
	putI64(c, 0, t)
	putU64(c, 8, seq)
	putF64(c, 16, x)
}

// before reports whether the place (t, seq) comes before (u, other).
func before(t int64, seq uint64, u int64, other uint64) bool {
	return t < u || t == u && seq < other
}

func (e edge) Add(c []byte, r Row) []byte {
	t, seq := i64(c, 0), u64(c, 8)
	if e.newest && before(t, seq, r.Time, r.Seq) || !e.newest && before(r.Time, r.Seq, t, seq) {
		putPlace(c, r.Time, r.Seq, r.X)
	}
	return c
}

func (e edge) Merge(c, o []byte) []byte {
	t, seq, u, other := i64(c, 0), u64(c, 8), i64(o, 0), u64(o, 8)
	if e.newest && before(t, seq, u, other) || !e.newest && before(u, other, t, seq) {
		copy(c, o[:24])
	}
	return c
}

func (edge) Check([]byte) error { return nil }

func (e edge) AddRun(c []byte, rows Rows) {
	for i := rows.Len() - 1; i >= 0; i-- {
		if r := rows.Row(i); !Skip(r.X) {
			e.Add(c, r)
			if e.newest { // rows come newest first
				return
			}
		}
	}
}

func (e edge) MergeRun(c []byte, cells Cells) {
	for at := cells.At; at < len(cells.B); at += cells.Stride {
		e.Merge(c, cells.B[at:at+24])
	}
}
