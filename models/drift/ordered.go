package drift

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/freshet-ml/freshet/internal/codec"
)

const (
	// maxPoints is how many values of the reference are kept in their order.
	maxPoints = 101
	// farthest bounds the distance, in standard deviations, that is told.
	farthest = 1e9
)

// ordered compares the values of a numeric column with the reference in their order. The line is cut at points of the reference, all its values where
// there are at most maxPoints, else its percentiles; a cell is what lies below all points, a point itself, what lies between two, or what lies above all. So
// shares up to a point are exact on both sides of it.
type ordered struct {
	points    []float64 // strictly rising; none: the reference has no value
	deviation float64   // standard deviation of the reference's values
	reference tally
	current   tally
	last      tally   // of the last finished window
	spread    float64 // follows from the reference: ∫ √(F(1−F)) dx, in deviations
}

// tally is what was counted.
type tally struct {
	cells   []float64 // 2·points + 1
	gaps    []float64 // points + 1: of the values below all points, between two, and above all, the sum of the distances from the point before; below all, behind
	missing float64
}

// newOrdered takes the reference: its values, sorted, and how many were missing. Infinite ones count as missing.
func newOrdered(sorted []float64, missing int) *ordered {
	for len(sorted) > 0 && math.IsInf(sorted[0], 0) {
		sorted, missing = sorted[1:], missing+1
	}
	for len(sorted) > 0 && math.IsInf(sorted[len(sorted)-1], 0) {
		sorted, missing = sorted[:len(sorted)-1], missing+1
	}
	o := &ordered{points: pointsOf(sorted), deviation: deviationOf(sorted)}
	for _, t := range []*tally{&o.reference, &o.current, &o.last} {
		t.make(len(o.points))
	}
	for _, x := range sorted {
		o.add(&o.reference, x)
	}
	o.reference.missing = float64(missing)
	o.spread = o.spreading()
	return o
}

// pointsOf returns all different values of a sorted sample, or its percentiles where these are fewer.
func pointsOf(sorted []float64) []float64 {
	distinct := slices.Compact(slices.Clone(sorted))
	if len(distinct) <= maxPoints {
		return distinct
	}
	points := make([]float64, 0, maxPoints)
	for k := range maxPoints {
		points = append(points, sorted[k*(len(sorted)-1)/(maxPoints-1)])
	}
	return slices.Compact(points)
}

// deviationOf is the standard deviation of a sorted sample, 0 for less than two values; scaled, so that great values do not overflow.
func deviationOf(sorted []float64) float64 {
	if len(sorted) < 2 || sorted[0] == sorted[len(sorted)-1] {
		return 0
	}
	scale := max(math.Abs(sorted[0]), math.Abs(sorted[len(sorted)-1]))
	mean, square := 0.0, 0.0
	for i, x := range sorted {
		d := x/scale - mean
		mean += d / float64(i+1)
		square += float64(d * (x/scale - mean))
	}
	return math.Sqrt(square/float64(len(sorted))) * scale
}

// cell is where a value lies.
func (o *ordered) cell(x float64) int {
	i, found := slices.BinarySearch(o.points, x)
	if found {
		return 2*i + 1
	}
	return 2 * i
}

// add takes in a value.
func (o *ordered) add(t *tally, x float64) {
	if x-x != 0 { // NaN, or infinite
		t.missing++
		return
	}
	i, n := o.cell(x), len(o.points)
	t.cells[i]++
	switch k := i / 2; {
	case i&1 == 1 || n == 0:
	case k == 0:
		t.gaps[0] = min(t.gaps[0]+(o.points[0]-x), math.MaxFloat64)
	default:
		t.gaps[k] = min(t.gaps[k]+(x-o.points[k-1]), math.MaxFloat64)
	}
}

func (t *tally) make(points int) {
	t.cells, t.gaps, t.missing = make([]float64, 2*points+1), make([]float64, points+1), 0
}

// end ends the current window.
func (o *ordered) end() {
	o.last, o.current = o.current, o.last
	clear(o.current.cells)
	clear(o.current.gaps)
	o.current.missing = 0
}

// present is how many values were not missing.
func (t *tally) present() float64 { return total(t.cells) }

// ks is the Kolmogorov–Smirnov distance between the reference and the last window, with the missing values before all others.
func (o *ordered) ks() float64 {
	n, m := o.reference.present()+o.reference.missing, o.last.present()+o.last.missing
	f, g := o.reference.missing, o.last.missing
	most := math.Abs(f/n - g/m)
	for c := range o.reference.cells {
		f, g = f+o.reference.cells[c], g+o.last.cells[c]
		most = max(most, math.Abs(f/n-g/m))
	}
	return most
}

// wasserstein is the distance by which values have moved on average, in deviations of the reference; a missing value lies one from every other.
func (o *ordered) wasserstein() float64 {
	p, q := o.reference.present(), o.last.present()
	here, there := p/(p+o.reference.missing), q/(q+o.last.missing)
	moved := 0.0
	if p > 0 && q > 0 {
		moved = o.moved(p, q)
	}
	return min(float64(min(here, there)*moved)+math.Abs(here-there), farthest)
}

// moved is the distance between the p values of the reference and the q of the last window.
func (o *ordered) moved(p, q float64) float64 {
	ref, cur := o.reference.cells, o.last.cells
	scale, unit := o.scale()
	if unit == 0 {
		share := 0.0 // that has another value than the reference
		for c := range ref {
			share += math.Abs(ref[c]/p - cur[c]/q)
		}
		return share / 2
	}
	n := len(o.points)
	sum := (o.last.gaps[0] + o.last.gaps[n]) / scale / q // all values of the reference are on this side
	f, g := ref[0], cur[0]
	for k := range n - 1 {
		f, g = f+ref[2*k+1], g+cur[2*k+1]
		width, before := o.points[k+1]/scale-o.points[k]/scale, f/p-g/q
		a, b := ref[2*k+2], cur[2*k+2]
		signed := float64(width*before) + (float64(a*width)-o.reference.gaps[k+1]/scale)/p - (float64(b*width)-o.last.gaps[k+1]/scale)/q
		f, g = f+a, g+b
		sum += area(width, before, f/p-g/q, signed)
	}
	if d := sum / unit; d <= farthest {
		return d
	}
	return farthest
}

// scale is the greatest magnitude of the reference, by which its points can be divided without overflow, and its deviation in that unit; 0 when
// it does not vary.
func (o *ordered) scale() (scale, unit float64) {
	if len(o.points) < 2 {
		return 1, 0
	}
	scale = max(math.Abs(o.points[0]), math.Abs(o.points[len(o.points)-1]))
	return scale, o.deviation / scale
}

// spreading is ∫ √(F(1−F)) dx of the reference, in deviations; F is taken as straight between two points.
func (o *ordered) spreading() float64 {
	scale, unit := o.scale()
	p := o.reference.present()
	if unit == 0 || p == 0 {
		return 0
	}
	root := func(u float64) float64 { return math.Sqrt(max(0, u*(1-u))) }
	sum, f := 0.0, o.reference.cells[0]
	for k := range len(o.points) - 1 {
		f += o.reference.cells[2*k+1]
		a := f / p
		f += o.reference.cells[2*k+2]
		b := f / p
		sum += float64((o.points[k+1]/scale - o.points[k]/scale) * (root(a) + 4*root((a+b)/2) + root(b)) / 6) // Simpson's rule
	}
	return sum / unit
}

// ksChance is the distance that samples of these sizes exceed with chance alpha without drift (Smirnov 1948, the asymptotic form).
func ksChance(n, m, alpha float64) float64 {
	return math.Sqrt(-math.Log(alpha/2) / 2 * (1/n + 1/m))
}

// chance is the Wasserstein distance that a window of m examples exceeds with a chance of at most alpha without drift. At great sizes the distance without drift is
// √(1/n + 1/m) times the integral of |B(F(x))|, B a Brownian bridge, and a normal number for the share of missing values. Its mean is √(2/π) times that of
// the deviations; it is a supremum of normal numbers whose variance is at most that of the values, so it exceeds its median, which is below the mean (Kwapień 1994), by u
// deviations with a chance of at most 1 − Φ(u) (Borell 1975).
func (o *ordered) chance(n, m, alpha float64) float64 {
	here := o.reference.present() / n
	share := here * (1 - here)
	mean := math.Sqrt(2/math.Pi) * (math.Sqrt(here)*o.spread + math.Sqrt(share))
	return (mean + float64(distuv.UnitNormal.Quantile(1-alpha)*math.Sqrt(here+share))) * math.Sqrt(1/n+1/m)
}

// area is that between two distributions from one point to the next: their difference at both, and its exact integral. Where one lies above the other all the way that
// is the area. Where they cross, the lesser part is what values that are spread evenly give.
func area(width, from, to, signed float64) float64 {
	if float64(from*to) >= 0 {
		return math.Abs(signed)
	}
	return math.Abs(signed) + float64(width*min(float64(from*from), float64(to*to))/math.Abs(from-to))
}

func total(v []float64) (sum float64) {
	for _, x := range v {
		sum += x
	}
	return sum
}

// state visits points, deviation and counts; n and m are the examples of the reference and so far of the current window.
func (o *ordered) state(c *codec.State, n, m, window float64) {
	c.Float64s(&o.points)
	c.Float64(&o.deviation)
	if c.Loading() && !o.sound() {
		c.Fail("points of a column")
		o.points = nil
	}
	o.reference.state(c, len(o.points), n)
	o.current.state(c, len(o.points), m)
	o.last.state(c, len(o.points), window)
	if c.Loading() {
		o.spread = o.spreading()
	}
}

// sound reports whether loaded points can be a reference's.
func (o *ordered) sound() bool {
	for i, x := range o.points {
		if x-x != 0 || i > 0 && x <= o.points[i-1] {
			return false
		}
	}
	return len(o.points) <= maxPoints && o.deviation >= 0 && o.deviation <= math.MaxFloat64
}

// state visits the counts of so many examples; the last window before the first one ended has none.
func (t *tally) state(c *codec.State, points int, examples float64) {
	c.Float64s(&t.cells)
	c.Float64s(&t.gaps)
	c.Float64(&t.missing)
	if !c.Loading() {
		return
	}
	ok := len(t.cells) == 2*points+1 && len(t.gaps) == points+1 && t.missing >= 0
	for _, x := range t.cells {
		ok = ok && x >= 0
	}
	for _, x := range t.gaps {
		ok = ok && x >= 0 && x <= math.MaxFloat64
	}
	if !ok || total(t.cells)+t.missing != examples {
		c.Fail("counts of a column")
		t.make(points)
	}
}
