package agg

import "math"

var varianceSpec = Spec{
	Name: "variance", Doc: "Sample variance of the values (divisor n − 1). Missing with fewer than two.",
	Value: MustValue, Windows: true, Always: true, Version: 1,
	Cost: "6 ns to add (one division)", Memory: "24 bytes a tile",
	Source: "Welford, Technometrics 4(3), 1962; merge by Chan, Golub and LeVeque, 1979",
	New:    plain(moments{}, func(c []byte, _ Span) float64 { return sampleVariance(c) }),
}

// moments is n u64, mean f64, sum of squared deviations from the mean f64.
type moments struct{}

func (moments) Name() string { return "moments" }
func (moments) Width() int   { return 24 }
func (moments) Init(c []byte) []byte {
	clear(c[:24])
	return c
}

func (moments) Add(c []byte, r Row) []byte {
	n, mean, m2 := welford(u64(c, 0), f64(c, 8), f64(c, 16), r.X)
	putMoments(c, n, mean, m2)
	return c
}

func welford(n uint64, mean, m2, x float64) (uint64, float64, float64) {
	n++
	d := x - mean
	mean += d / float64(n)
	m2 += float64(d * (x - mean))
	return n, mean, m2
}

func putMoments(c []byte, n uint64, mean, m2 float64) {
	putU64(c, 0, n)
	putF64(c, 8, mean)
	putF64(c, 16, m2)
}

func (moments) Merge(c, o []byte) []byte {
	n, mean, m2 := chan2(u64(c, 0), f64(c, 8), f64(c, 16), o)
	putMoments(c, n, mean, m2)
	return c
}

// chan2 merges the moments in o into n, mean and m2.
func chan2(n uint64, mean, m2 float64, o []byte) (uint64, float64, float64) {
	m := u64(o, 0)
	if m == 0 {
		return n, mean, m2
	}
	if n == 0 {
		return m, f64(o, 8), f64(o, 16)
	}
	a, b := float64(n), float64(m)
	d := f64(o, 8) - mean
	share := b / (a + b)
	return n + m, mean + float64(d*share), m2 + f64(o, 16) + float64(float64(d*d)*float64(a*share))
}

func (moments) MergeRun(c []byte, cells Cells) {
	n, mean, m2 := u64(c, 0), f64(c, 8), f64(c, 16)
	for at := cells.At; at < len(cells.B); at += cells.Stride {
		n, mean, m2 = chan2(n, mean, m2, cells.B[at:at+24])
	}
	putMoments(c, n, mean, m2)
}

func (moments) Check([]byte) error { return nil }

// AddRun takes the run's own moments by the corrected two-pass algorithm (Chan, Golub and LeVeque, The
// American Statistician 37, 1983), which divides once, and merges them.
func (moments) AddRun(c []byte, rows Rows) {
	n, sum := uint64(0), 0.0
	for at := len(rows.B) - rows.Stride; at >= 0; at -= rows.Stride {
		if x := rows.x(at); x == x {
			n++
			sum += x
		}
	}
	if n == 0 {
		return
	}
	mean, rest, m2 := sum/float64(n), 0.0, 0.0
	for at := len(rows.B) - rows.Stride; at >= 0; at -= rows.Stride {
		if d := rows.x(at) - mean; d == d {
			rest += d
			m2 += float64(d * d)
		}
	}
	var run [24]byte
	shift := rest / float64(n)
	putMoments(run[:], n, mean+shift, m2-float64(rest*shift))
	moments{}.Merge(c, run[:])
}

func sampleVariance(c []byte) float64 {
	n := u64(c, 0)
	if n < 2 {
		return math.NaN()
	}
	return math.Max(f64(c, 16), 0) / float64(n-1)
}
