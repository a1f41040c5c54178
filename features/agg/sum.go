package agg

var sumSpec = Spec{
	Name: "sum", Doc: "Sum of the values. 0 without events.",
	Value: MustValue, Windows: true, Always: true, Version: 1,
	Cost: "2 ns to add", Memory: "24 bytes a tile", Source: "Neumaier, ZAMM 54, 1974, with the error term of Knuth, The Art of Computer Programming 2, 4.2.2",
	New: plain(sums{}, func(c []byte, _ Span) float64 { return total(c, 8) }),
}

// sums is the number of rows and their compensated sum: n u64, sum f64, compensation f64.
type sums struct{}

func (sums) Name() string { return "sums" }
func (sums) Width() int   { return 24 }
func (sums) Init(c []byte) []byte {
	clear(c[:24])
	return c
}

func (sums) Add(c []byte, r Row) []byte {
	putU64(c, 0, u64(c, 0)+1)
	addTo(c, 8, r.X)
	return c
}

func (sums) Merge(c, o []byte) []byte {
	putU64(c, 0, u64(c, 0)+u64(o, 0))
	mergeSum(c, o, 8)
	return c
}

func (sums) Check([]byte) error { return nil }

func (sums) AddRun(c []byte, rows Rows) {
	n, sum, comp := u64(c, 0), f64(c, 8), f64(c, 16)
	for at := len(rows.B) - rows.Stride; at >= 0; at -= rows.Stride {
		x := 1.0
		if rows.X > 0 {
			x = f64(rows.B, at+rows.X)
		}
		if x != x {
			continue
		}
		n++
		sum, comp = compensate(sum, comp, x)
	}
	putU64(c, 0, n)
	putF64(c, 8, sum)
	putF64(c, 16, comp)
}

func (sums) MergeRun(c []byte, cells Cells) {
	n, sum, comp := u64(c, 0), f64(c, 8), f64(c, 16)
	for at := cells.At; at < len(cells.B); at += cells.Stride {
		b := cells.B[at : at+24]
		n += u64(b, 0)
		sum, comp = compensate(sum, comp, f64(b, 8))
		comp += f64(b, 16)
	}
	putU64(c, 0, n)
	putF64(c, 8, sum)
	putF64(c, 16, comp)
}

// compensate adds x to a compensated sum. The rounding error comes from Knuth's branch-free two-sum.
func compensate(sum, comp, x float64) (float64, float64) {
	t := sum + x
	part := t - sum
	return t, comp + ((sum - (t - part)) + (x - part))
}

// addTo adds x to the compensated sum at that offset of c.
func addTo(c []byte, at int, x float64) {
	sum, comp := compensate(f64(c, at), f64(c, at+8), x)
	putF64(c, at, sum)
	putF64(c, at+8, comp)
}

// mergeSum adds the compensated sum of o at that offset to the one of c.
func mergeSum(c, o []byte, at int) {
	sum, comp := compensate(f64(c, at), f64(c, at+8), f64(o, at))
	putF64(c, at, sum)
	putF64(c, at+8, comp+f64(o, at+8))
}

// total returns the compensated sum at that offset, infinite once the sum overflowed.
func total(c []byte, at int) float64 {
	sum := f64(c, at)
	if sum-sum != 0 { // the compensation is NaN
		return sum
	}
	return sum + f64(c, at+8)
}
