package statespace

import "math"

// ud is a covariance U D U' with U unit upper triangular. Columns of U above the diagonal lie one after the other: column j has j numbers.
type ud struct {
	u, d []float64
}

func newUD(n int) ud { return ud{u: make([]float64, n*(n-1)/2), d: make([]float64, n)} }

// column returns column j of packed u, above its diagonal.
func column(u []float64, j int) []float64 {
	at := j * (j - 1) / 2
	return u[at : at+j : at+j]
}

// dense writes the covariance to dst, rows of rows. Cost: O(n³).
func (p *ud) dense(dst [][]float64) {
	n := len(p.d)
	for i := range dst {
		clear(dst[i])
	}
	x := make([]float64, n)
	for k := range n {
		copy(x, column(p.u, k))
		x[k] = 1
		for i := range k + 1 {
			c := p.d[k] * x[i]
			for j := range i + 1 {
				dst[i][j] += c * x[j]
			}
		}
	}
	for i := range n {
		for j := range i {
			dst[j][i] = dst[i][j]
		}
	}
}

// observe takes in a value with the row z and the noise variance h by Bierman's update (Bierman 1977, §V.3, table V.2): it writes the gain to k
// and returns the variance F of the value before it. f and g are scratch. With F = 0 the value says nothing and nothing changes. Cost: O(n²).
func (p *ud) observe(z []float64, h float64, f, g, k []float64) float64 {
	n := len(p.d)
	f, g, k, d := f[:n], g[:n], k[:n], p.d[:n]
	at := 0
	for j, s := range z[:n] {
		col := p.u[at : at+j]
		zj := z[:len(col)]
		for i, v := range col {
			s += float64(v * zj[i])
		}
		at += j
		f[j], g[j] = s, float64(d[j]*s)
	}
	if h == 0 {
		p.clean(z, f, g)
	}
	alpha := h
	at = 0
	for j := range n {
		fj, gj := f[j], g[j]
		old := alpha
		alpha += float64(fj * gj)
		k[j] = gj
		col := p.u[at : at+j]
		at += j
		if !(alpha > 0) {
			continue
		}
		if gj != 0 || fj != 0 {
			d[j] *= old / alpha
		}
		if !(old > 0) { // every k so far is 0
			axpy(k[:j], gj, col)
			continue
		}
		lambda := -fj / old
		kj := k[:len(col)]
		for i, v := range col {
			ki := kj[i]
			col[i] = v + float64(lambda*ki)
			kj[i] = ki + float64(v*gj)
		}
	}
	if !(alpha > 0) {
		clear(k)
		return 0
	}
	inverse := 1 / alpha
	for j := range k {
		k[j] *= inverse
	}
	return alpha
}

// clean sets to 0 what rounding left in U'z: a value without noise would divide by it.
func (p *ud) clean(z, f, g []float64) {
	for j := range f {
		size := math.Abs(z[j])
		for i, v := range column(p.u, j) {
			size += math.Abs(v * z[i])
		}
		if math.Abs(f[j]) < 1e-14*size {
			f[j], g[j] = 0, 0
		}
	}
}

// variance returns z' P z. Cost: O(n²).
func (p *ud) variance(z []float64) float64 {
	total, at := 0.0, 0
	for j, s := range z[:len(p.d)] {
		col := p.u[at : at+j]
		zj := z[:len(col)]
		for i, v := range col {
			s += float64(v * zj[i])
		}
		at += j
		total += float64(float64(s*s) * p.d[j])
	}
	return total
}

// times writes P z to dst; f is scratch. Cost: O(n²).
func (p *ud) times(dst, z, f []float64) {
	n := len(p.d)
	for j := range n {
		f[j] = p.d[j] * (z[j] + dot(column(p.u, j), z))
	}
	for j := range n {
		dst[j] = f[j]
		axpy(dst[:j], f[j], column(p.u, j))
	}
}

// addRankOne adds c·x x' with c > 0, where x is 0 after its place last, and destroys x (Agee & Turner 1972; Bierman 1977, §III.3). The recursion is written in
// 1/c, of which every step adds x²/d: so no step waits for the division of the one before it. Cost: O(last²).
func (p *ud) addRankOne(c float64, x []float64, last int) {
	r := 1 / c // ∞ ends it: nothing is left to add
	inverse := c
	for j := last; j >= 0; j-- {
		xj, dj := x[j], p.d[j]
		if xj == 0 {
			continue
		}
		col := p.u[j*(j-1)/2:]
		col = col[:j]
		if !(dj > leastVariance) { // all of it goes here
			p.d[j] = float64(float64(xj*xj) * inverse)
			beta := 1 / xj
			for i := range col {
				col[i] = float64(x[i] * beta)
			}
			return
		}
		q := xj / dj
		r += float64(xj * q)
		p.d[j] = float64(dj*r) * inverse
		inverse = 1 / r
		beta := float64(q * inverse)
		head := x[:len(col)]
		for i, v := range col {
			xi := head[i] - float64(xj*v)
			head[i] = xi
			col[i] = v + float64(beta*xi)
		}
	}
}

// roundedVariance is the part of a sum of squares that rounding of its terms can leave of zero: the square of a double's relative error, about 1.2e-32. A greater value takes
// directions away that a model with a diffuse start and little noise really has.
const roundedVariance = 1e-32

// leastVariance is what counts as none: its inverse and that times a square stay in range.
const leastVariance = 1e-200

// orthogonalise sets the covariance to W diag(weight) W', where row i of w has the length of weight; w is destroyed (modified weighted Gram-Schmidt:
// Thornton 1976; Bierman 1977, §VI.4). size are the variances of the rows as they would be if nothing in them had cancelled: what is below rounding of that is
// zero. Cost: O(n² · len(weight)).
func (p *ud) orthogonalise(w [][]float64, weight, size, scratch []float64) {
	c := scratch[:len(weight)]
	for j := len(p.d) - 1; j >= 0; j-- {
		row := w[j]
		dj := 0.0
		for k, v := range row {
			c[k] = float64(weight[k] * v)
			dj += float64(c[k] * v)
		}
		p.d[j] = dj
		col := column(p.u, j)
		if !(dj > roundedVariance*size[j]) || !(dj > leastVariance) {
			p.d[j] = 0
			clear(col)
			continue
		}
		inverse := 1 / dj
		for i := range j {
			s := dot(c, w[i]) * inverse
			col[i] = s
			axpy(w[i], -s, row)
		}
	}
}
