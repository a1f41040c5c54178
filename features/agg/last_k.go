package agg

import (
	"fmt"
	"slices"
	"strconv"
)

var lastKSpec = Spec{
	Name: "last_k", Doc: "The k newest values by event time, newest first, as k columns. Missing where there are fewer.",
	Value: MustValue, Text: true, Uses: []string{"k"}, Windows: true, Always: true, Version: 1,
	Cost: "5 ns to add, k moves at worst", Memory: "24·k bytes a tile at most", Source: "definition; ties of time by the order of events",
	New: func(p Params) (Fold, error) { return listed(edges{k: p.K, newest: true}, p) },
}

// maxK is the greatest k of last_k, first_k and lag.
const maxK = 1000

func listed(e edges, p Params) (Fold, error) {
	if p.K < 1 || p.K > maxK {
		return Fold{}, fmt.Errorf("k is %d; set it to 1 to %d", p.K, maxK)
	}
	return Fold{Partial: e, Columns: p.K, Category: true, Numbered: true, Finish: func(dst []float64, c []byte, _ Span) {
		fill(dst)
		for i := 0; i < len(c)/entry; i++ {
			dst[i] = f64(c, i*entry+16)
		}
	}}, nil
}

// edges is the k newest or oldest rows, best first: time i64, seq u64, x f64 each. It grows.
type edges struct {
	k      int
	newest bool
}

// entry is the length of a row in edges.
const entry = 24

func (e edges) Name() string {
	if e.newest {
		return "last_k(" + strconv.Itoa(e.k) + ")"
	}
	return "first_k(" + strconv.Itoa(e.k) + ")"
}

func (edges) Width() int           { return 0 }
func (edges) Init(c []byte) []byte { return c[:0] }
func (e edges) better(t int64, seq uint64, c []byte, i int) bool {
	u, other := i64(c, i*entry), u64(c, i*entry+8)
	if e.newest {
		return before(u, other, t, seq)
	}
	return before(t, seq, u, other)
}

func (e edges) Add(c []byte, r Row) []byte {
	n := len(c) / entry
	if n == e.k && !e.better(r.Time, r.Seq, c, n-1) {
		return c
	}
	i := n
	for i > 0 && e.better(r.Time, r.Seq, c, i-1) {
		i--
	}
	if n < e.k {
		c = slices.Grow(c, entry)[:len(c)+entry]
	}
	copy(c[(i+1)*entry:], c[i*entry:])
	putPlace(c[i*entry:], r.Time, r.Seq, r.X)
	return c
}

func (e edges) Merge(c, o []byte) []byte {
	for i := 0; i < len(o)/entry; i++ {
		c = e.Add(c, Row{Time: i64(o, i*entry), Seq: u64(o, i*entry+8), X: f64(o, i*entry+16)})
	}
	return c
}

func (e edges) Check(c []byte) error {
	if len(c)%entry != 0 || len(c)/entry > e.k {
		return errCell
	}
	for i := 1; i < len(c)/entry; i++ {
		if e.better(i64(c, i*entry), u64(c, i*entry+8), c, i-1) {
			return errCell
		}
	}
	return nil
}
