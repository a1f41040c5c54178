package agg

var countSpec = Spec{
	Name: "count", Doc: "Number of events; with a value, of those that have it. 0 without events.",
	Value: MayValue, Text: true, Windows: true, Always: true, Version: 1,
	Cost: "1 ns to add", Memory: "8 bytes a tile", Source: "definition",
	New: plain(counts{}, func(c []byte, _ Span) float64 { return float64(u64(c, 0)) }),
}

// counts is the number of rows: u64.
type counts struct{}

func (counts) Name() string { return "counts" }
func (counts) Width() int   { return 8 }
func (counts) Init(c []byte) []byte {
	putU64(c, 0, 0)
	return c
}

func (counts) Add(c []byte, _ Row) []byte {
	putU64(c, 0, u64(c, 0)+1)
	return c
}

func (counts) Merge(c, o []byte) []byte {
	putU64(c, 0, u64(c, 0)+u64(o, 0))
	return c
}

func (counts) Check([]byte) error { return nil }

func (counts) AddRun(c []byte, rows Rows) {
	n := u64(c, 0)
	if rows.X == 0 {
		putU64(c, 0, n+uint64(rows.Len()))
		return
	}
	for at := rows.X; at < len(rows.B); at += rows.Stride {
		if !Skip(f64(rows.B, at)) {
			n++
		}
	}
	putU64(c, 0, n)
}

func (counts) MergeRun(c []byte, cells Cells) {
	n := u64(c, 0)
	for at := cells.At; at < len(cells.B); at += cells.Stride {
		n += u64(cells.B, at)
	}
	putU64(c, 0, n)
}
