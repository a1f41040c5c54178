package drift

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// ADWINComponent is the catalogue entry of ADWIN.
var ADWINComponent = component("adwin", "Adaptive windowing: a window that drops its older part whenever two of its parts have different means. For rates and losses of any scale.",
	"0.02 µs amortised; O(log² of the width) per test", "at most 5 KiB", "Bifet & Gavaldà 2007, §3.2 and §4", []models.Param{
		{Name: "delta", Default: 0.002, Range: models.Inside(0, 1), Doc: "chance of a false alarm at one test, roughly"},
		{Name: "warning", Default: 0.0, Range: models.Range{Min: 0, Max: 1, OpenMax: true}, Doc: "warns at this chance, greater than delta; 0: never"},
		directionParam},
	func(a models.Args, _ models.Env) Detector {
		return Of(NewADWINWarning(a.Float("delta"), a.Float("warning")), a.Text("direction"))
	})

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
	delta      float64
	warn       float64    // confidence of warnings, 0: none
	rows       []adwinRow // row i holds buckets of 2ⁱ values, oldest first
	width      float64
	total      float64
	variance   float64 // sum of squared deviations from the mean
	ticks      uint64
	changes    uint64
	rose       bool
	suspect    bool // the last test differed at the confidence of warnings
	risen      bool // and the newer values were greater
	newerAbove bool // of the cut that differs last found
}

// adwinRow is a ring of buckets of one size, the oldest at head.
type adwinRow struct {
	n, head  uint
	total    [adwinSlots]float64
	variance [adwinSlots]float64
}

// adwinSlots is the least power of two above adwinBuckets + 1.
const adwinSlots = 8

// NewADWIN returns a detector with confidence delta in (0, 1), 0.002 by default (0): roughly the chance of a false
// alarm at one test. It panics for other values.
func NewADWIN(delta float64) *ADWIN { return NewADWINWarning(delta, 0) }

// NewADWINWarning returns a detector that also warns, when parts of the window differ at the confidence warning, which should be greater
// than delta; 0: it never warns. It panics for values outside [0, 1).
func NewADWINWarning(delta, warning float64) *ADWIN {
	return &ADWIN{delta: confidence(delta, warning), warn: warning, rows: make([]adwinRow, 1, adwinRows)}
}

// MakeADWINs makes all of dst detectors as NewADWIN does, in memory that is taken at once, and held while one of them is.
func MakeADWINs(dst []ADWIN, delta float64) {
	delta = confidence(delta, 0)
	rows := make([]adwinRow, len(dst)*adwinRows)
	for i := range dst {
		dst[i] = ADWIN{delta: delta, rows: rows[i*adwinRows : i*adwinRows+1 : (i+1)*adwinRows]}
	}
}

// confidence checks the parameters and fills in the default.
func confidence(delta, warning float64) float64 {
	delta = zeroTo(delta, 0.002)
	if !(delta > 0 && delta < 1) || !(warning >= 0 && warning < 1) {
		panic("drift: delta of adwin outside (0, 1)")
	}
	return delta
}

// Reset empties the window. It does not allocate.
func (a *ADWIN) Reset() {
	*a = ADWIN{delta: a.delta, warn: a.warn, rows: a.rows[:1]}
	a.rows[0] = adwinRow{}
}

// Update takes in the next value and reports whether the mean has changed. Values that are not finite are
// ignored; magnitudes above 1e100 count as 1e100. It does not allocate.
func (a *ADWIN) Update(x float64) bool {
	if !(math.Abs(x) <= limit) {
		if !finite(x) {
			return false
		}
		x = bounded(x)
	}
	a.insert(x)
	a.ticks++
	if a.ticks%adwinClock != 0 || a.width <= adwinGrace {
		return false
	}
	changed := false
	for before := a.Mean(); a.differs(a.delta); changed = true {
		a.drop()
		a.rose = a.Mean() > before
	}
	if changed {
		a.changes++
	}
	if a.warn > 0 {
		if a.suspect = !changed && a.differs(a.warn); a.suspect {
			a.risen = a.newerAbove
		}
	}
	return changed
}

// Warning reports whether the last test, at most 31 values ago, found parts of the window that differ at the confidence of warnings.
func (a *ADWIN) Warning() bool { return a.suspect }

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

// Rose reports whether the warning, or without one the last change, is a rise of the mean: of an error, a turn for the worse.
func (a *ADWIN) Rose() bool {
	if a.suspect {
		return a.risen
	}
	return a.rose
}

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
		t0, v0 := r.pop()
		t1, v1 := r.pop()
		d := t0/size - t1/size
		a.rows[i+1].push(t0+t1, v0+v1+float64(d*d)*size/2)
	}
}

func (r *adwinRow) push(total, variance float64) {
	at := (r.head + r.n) % adwinSlots
	r.total[at], r.variance[at] = total, variance
	r.n++
}

// pop removes the oldest bucket and returns it.
func (r *adwinRow) pop() (total, variance float64) {
	at := r.head % adwinSlots
	r.head, r.n = (at+1)%adwinSlots, r.n-1
	return r.total[at], r.variance[at]
}

// differs looks for a cut, the oldest first, whose sides differ at confidence delta.
func (a *ADWIN) differs(delta float64) bool {
	n0, u0 := 0.0, 0.0
	logs := math.Log(2 * math.Log(a.width) / delta)
	spread := 2 * max(a.variance, 0) / a.width * logs
	for i := len(a.rows) - 1; i >= 0; i-- {
		r, size := &a.rows[i], float64(uint64(1)<<i)
		for k := range r.n {
			n0, u0 = n0+size, u0+r.total[(r.head+k)%adwinSlots]
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
				a.newerAbove = u0*n1 < (a.total-u0)*n0
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
	u, v := r.pop()
	a.width -= size
	a.total -= u
	if a.width > 0 {
		d := u/size - a.total/a.width
		a.variance -= v + float64(size*a.width*d*d)/(size+a.width)
	} else {
		a.variance = 0
	}
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
	visit(c, &a.total, &a.variance)
	c.Uint64(&a.ticks)
	c.Uint64(&a.changes)
	c.Bool(&a.rose)
	n := c.Len(len(a.rows), 1, adwinRows)
	if c.Loading() {
		a.rows, a.width = append(a.rows[:0], make([]adwinRow, max(n, 1))...), 0
	}
	for i := range n {
		r := &a.rows[i]
		r.n = uint(c.Len(int(r.n), 16, adwinBuckets))
		for k := range r.n {
			at := (r.head + k) % adwinSlots
			visit(c, &r.total[at], &r.variance[at])
		}
		if c.Loading() {
			a.width += float64(uint64(r.n) << i)
		}
	}
	if c.Loading() && (n == 0 || n > 1 && a.rows[n-1].n == 0) {
		c.Fail("no bucket in the last of %d rows", n)
	}
	if a.warn > 0 {
		parameters(c, "warnings of adwin", 1, a.warn)
		c.Bool(&a.suspect)
		c.Bool(&a.risen)
	}
}
