package drift

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// Defaults of ADWIN.
const (
	adwinBuckets = 5  // buckets of one size before two are merged
	adwinClock   = 32 // updates between two tests
	adwinGrace   = 10 // least width of the window for a test
	adwinMinimum = 5  // least width of either side of a cut
	adwinRows    = 48 // sizes 2⁰…2⁴⁷: more events than a stream can have
)

// ADWIN keeps the mean of a stream over a window that shrinks when the mean has changed (Bifet & Gavaldà
// 2007, ADWIN2, §3.2 and §4): the window is a histogram of buckets of exponentially growing size, and whenever two
// sub-windows differ by more than the bound allows at confidence δ, the oldest bucket is dropped. Every
// 32nd update tests all cuts between buckets whose sides hold 5 values or more.
//
// Memory: O(5·log₂(width)) buckets, at most 5 KiB. Cost: constant per update, O(log width) per test.
// The window is kept after a change (as in the paper; some libraries start it anew).
type ADWIN struct {
	delta    float64
	rows     []adwinRow // row i holds buckets of 2ⁱ values, oldest first
	width    float64
	total    float64
	variance float64 // sum of squared deviations from the mean
	ticks    uint64
	changes  uint64
	rose     bool
}

type adwinRow struct {
	n        int
	total    [adwinBuckets + 1]float64
	variance [adwinBuckets + 1]float64
}

// NewADWIN returns a detector with confidence delta in (0, 1), 0.002 by default (0): roughly the chance of a false
// alarm at one test. It panics for other values.
func NewADWIN(delta float64) *ADWIN {
	if delta == 0 {
		delta = 0.002
	}
	if !(delta > 0 && delta < 1) {
		panic("drift: delta of adwin outside (0, 1)")
	}
	a := &ADWIN{delta: delta, rows: make([]adwinRow, 1, adwinRows)}
	return a
}

// Update takes in the next value and reports whether the mean has changed. Values that are not finite are
// ignored. It does not allocate.
func (a *ADWIN) Update(x float64) bool {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return false
	}
	a.insert(x)
	a.ticks++
	if a.ticks%adwinClock != 0 || a.width <= adwinGrace {
		return false
	}
	changed := false
	for before := a.Mean(); a.cut(); changed = true {
		a.rose = a.Mean() > before
	}
	if changed {
		a.changes++
	}
	return changed
}

// Mean returns the mean of the window, 0 before the first value.
func (a *ADWIN) Mean() float64 {
	if a.width == 0 {
		return 0
	}
	return a.total / a.width
}

// Variance returns the population variance of the window, 0 before the second value.
func (a *ADWIN) Variance() float64 {
	if a.width == 0 {
		return 0
	}
	return max(a.variance, 0) / a.width
}

// Width returns the number of values in the window.
func (a *ADWIN) Width() int { return int(a.width) }

// Changes returns how often Update reported a change.
func (a *ADWIN) Changes() uint64 { return a.changes }

// Rose reports whether the last change was a rise of the mean: of an error, a turn for the worse.
func (a *ADWIN) Rose() bool { return a.rose }

func (a *ADWIN) insert(x float64) {
	if a.width > 0 {
		d := x - a.total/a.width
		a.variance += float64(a.width*d*d) / (a.width + 1)
	}
	a.width++
	a.total += x
	a.rows[0].push(x, 0)
	for i := 0; a.rows[i].n > adwinBuckets; i++ {
		if i+1 == len(a.rows) {
			if len(a.rows) == adwinRows {
				a.drop()
				return
			}
			a.rows = append(a.rows, adwinRow{})
		}
		r, size := &a.rows[i], float64(uint64(1)<<i)
		d := r.total[0]/size - r.total[1]/size
		a.rows[i+1].push(r.total[0]+r.total[1], r.variance[0]+r.variance[1]+float64(d*d)*size/2)
		r.shift(2)
	}
}

func (r *adwinRow) push(total, variance float64) {
	r.total[r.n], r.variance[r.n] = total, variance
	r.n++
}

// shift removes the k oldest buckets.
func (r *adwinRow) shift(k int) {
	copy(r.total[:], r.total[k:r.n])
	copy(r.variance[:], r.variance[k:r.n])
	r.n -= k
	for i := r.n; i < r.n+k; i++ {
		r.total[i], r.variance[i] = 0, 0
	}
}

// cut looks for a cut, the oldest first, whose sides differ; if there is one it drops the oldest bucket.
func (a *ADWIN) cut() bool {
	n0, u0 := 0.0, 0.0
	logs := math.Log(2 * math.Log(a.width) / a.delta)
	spread := 2 * max(a.variance, 0) / a.width * logs
	for i := len(a.rows) - 1; i >= 0; i-- {
		r, size := &a.rows[i], float64(uint64(1)<<i)
		for k := range r.n {
			n0, u0 = n0+size, u0+r.total[k]
			n1 := a.width - n0
			if n1 < adwinMinimum {
				return false
			}
			if n0 < adwinMinimum {
				continue
			}
			m0, m1 := n0-adwinMinimum+1, n1-adwinMinimum+1
			// The first term of the bound alone, without divisions and roots, settles nearly all cuts.
			if d, nn := float64(u0*n1)-float64((a.total-u0)*n0), n0*n1; d*d*m0*m1 < 0.999999*spread*(m0+m1)*nn*nn {
				continue
			}
			m := 1/m0 + 1/m1
			bound := math.Sqrt(spread*m) + float64(2.0/3*logs*m)
			if math.Abs(u0/n0-(a.total-u0)/n1) > bound {
				a.drop()
				return true
			}
		}
	}
	return false
}

// drop forgets the oldest bucket.
func (a *ADWIN) drop() {
	last := len(a.rows) - 1
	r, size := &a.rows[last], float64(uint64(1)<<last)
	u, v := r.total[0], r.variance[0]
	a.width -= size
	a.total -= u
	if a.width > 0 {
		d := u/size - a.total/a.width
		a.variance -= v + float64(size*a.width*d*d)/(size+a.width)
	} else {
		a.variance = 0
	}
	r.shift(1)
	for len(a.rows) > 1 && a.rows[len(a.rows)-1].n == 0 {
		a.rows = a.rows[:len(a.rows)-1]
	}
}

// State visits the window. Loading refuses a window of another confidence.
func (a *ADWIN) State(c *codec.State) {
	c.Fixed("adwin version", 1)
	delta := a.delta
	c.Float64(&delta)
	if c.Loading() && math.Float64bits(delta) != math.Float64bits(a.delta) {
		c.Fail("delta %g, not %g", delta, a.delta)
	}
	c.Float64(&a.total)
	c.Float64(&a.variance)
	c.Uint64(&a.ticks)
	c.Uint64(&a.changes)
	c.Bool(&a.rose)
	n := c.Len(len(a.rows), 1, adwinRows)
	if c.Loading() {
		a.rows, a.width = append(a.rows[:0], make([]adwinRow, max(n, 1))...), 0
	}
	for i := range n {
		r := &a.rows[i]
		r.n = c.Len(r.n, 16, adwinBuckets)
		for k := range r.n {
			c.Float64(&r.total[k])
			c.Float64(&r.variance[k])
		}
		if c.Loading() {
			a.width += float64(uint64(r.n) << i)
		}
	}
	if c.Loading() && (n == 0 || n > 1 && a.rows[n-1].n == 0) {
		c.Fail("no bucket in the last of %d rows", n)
	}
}
