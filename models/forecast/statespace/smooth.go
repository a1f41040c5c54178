package statespace

// pass is what the smoother keeps of one time.
type pass struct {
	a        []float64   // mean of the state before the values of this time
	cov, inf [][]float64 // its covariance, known and diffuse part
	values   []value
	stepped  bool  // a step leads to this time
	jump     *Jump // several at once
}

type value struct {
	z  []float64
	h  float64
	in Innovation
}

// Smoothed are the moments of the state of each time, given all values.
type Smoothed struct {
	Mean [][]float64
	Cov  [][][]float64
}

// Smooth is the fixed-interval smoother of a run that kept its passes, exact also where the start is diffuse: the backward recursions of Durbin & Koopman 2012
// (§4.4, diffuse: §5.3), for one value at a time (§6.4). With r = r0 + r1/κ and N = N0 + N1/κ + N2/κ² for κ → ∞,
// the mean is a + P r0 + P∞ r1 and the covariance P − P N0 P − P∞ N1 P − P N1 P∞ − P∞ N2 P∞. Cost: O(states³) a time.
func (r *Result) Smooth() *Smoothed {
	n, times := r.model.States(), len(r.Passes)
	b := &backward{r0: make([]float64, n), r1: make([]float64, n), n0: zeros(n, n), n1: zeros(n, n), n2: zeros(n, n)}
	out := &Smoothed{Mean: make([][]float64, times), Cov: make([][][]float64, times)}
	for t := times - 1; t >= 0; t-- {
		p := &r.Passes[t]
		b.values(p)
		out.Mean[t], out.Cov[t] = b.moments(p)
		if p.stepped {
			step := r.model.T
			if p.jump != nil {
				step = p.jump.step.matrix()
			}
			b.step(step)
		}
	}
	return out
}

type backward struct {
	r0, r1     []float64
	n0, n1, n2 [][]float64
}

// matrix is T.
func (tr *transition) matrix() [][]float64 {
	t := zeros(len(tr.rows), len(tr.rows))
	for i, row := range tr.rows {
		for _, e := range row {
			t[i][e.at] = e.v
		}
	}
	return t
}

func (b *backward) step(t [][]float64) {
	tt := transpose(t)
	b.r0, b.r1 = mulVec(tt, b.r0), mulVec(tt, b.r1)
	b.n0, b.n1, b.n2 = mul(mul(tt, b.n0), t), mul(mul(tt, b.n1), t), mul(mul(tt, b.n2), t)
}

// gains are those of one value: F, K, and for a diffuse one F∞ and the gains of order 1 and 1/κ.
type gains struct {
	f, finf float64
	k, k1   []float64
}

// values goes back over the values of a time. Their gains are formed again from the covariance before the first of them.
func (b *backward) values(p *pass) {
	all := make([]gains, len(p.values))
	cov, inf := clone(p.cov), clone(p.inf)
	for i := range p.values {
		all[i] = gainsOf(&p.values[i], cov, inf)
	}
	for i := len(all) - 1; i >= 0; i-- {
		b.value(&p.values[i], &all[i])
	}
}

func clone(m [][]float64) [][]float64 {
	out := zeros(len(m), len(m))
	for i := range m {
		copy(out[i], m[i])
	}
	return out
}

// gainsOf forms the gains of a value and takes it into the covariances.
func gainsOf(v *value, cov, inf [][]float64) gains {
	m := mulVec(cov, v.z)
	g := gains{f: dot(v.z, m) + v.h, k: make([]float64, len(m))}
	if !v.in.Diffuse {
		g.f = v.in.Variance
		if g.f > 0 {
			axpy(g.k, 1/g.f, m)
		}
		for i := range cov {
			axpy(cov[i], -g.k[i], m)
		}
		return g
	}
	minf := mulVec(inf, v.z)
	g.finf = v.in.Variance
	axpy(g.k, 1/g.finf, minf)
	g.k1 = make([]float64, len(m))
	for i := range m {
		g.k1[i] = (m[i] - g.k[i]*g.f) / g.finf
	}
	for i := range cov { // Koopman & Durbin 2003
		for j := range cov {
			cov[i][j] += g.k[i]*g.k[j]*g.f - m[i]*g.k[j] - g.k[i]*m[j]
			inf[i][j] -= g.k[i] * minf[j]
		}
	}
	return g
}

func (b *backward) value(v *value, g *gains) {
	e, z := v.in.Error, v.z
	if g.finf == 0 {
		if !(g.f > 0) {
			return
		}
		s := e/g.f - dot(g.k, b.r0)
		axpy(b.r1, -dot(g.k, b.r1), z)
		axpy(b.r0, s, z)
		b.n0, b.n1, b.n2 = around(b.n0, g.k, z), around(b.n1, g.k, z), around(b.n2, g.k, z)
		square(b.n0, 1/g.f, z)
		return
	}
	s1 := e/g.finf - dot(g.k, b.r1) - dot(g.k1, b.r0)
	axpy(b.r1, s1, z)
	axpy(b.r0, -dot(g.k, b.r0), z)
	// L = I − k z', M = −k1 z': N0 ← L'N0L, N1 ← L'N1L + M'N0L + L'N0M + zz'/F∞, N2 ← L'N2L + M'N1L + L'N1M + M'N0M − zz'F/F∞².
	n1, n2 := around(b.n1, g.k, z), around(b.n2, g.k, z)
	cross(n1, b.n0, g.k, g.k1, z)
	cross(n2, b.n1, g.k, g.k1, z)
	square(n1, 1/g.finf, z)
	square(n2, dot(g.k1, mulVec(b.n0, g.k1))-g.f/(g.finf*g.finf), z)
	b.n0, b.n1, b.n2 = around(b.n0, g.k, z), n1, n2
}

// around is (I − k z')' n (I − k z') for symmetric n.
func around(n [][]float64, k, z []float64) [][]float64 {
	nk := mulVec(n, k)
	c := dot(k, nk)
	out := zeros(len(n), len(n))
	for i := range n {
		for j := range n {
			out[i][j] = n[i][j] - z[i]*nk[j] - nk[i]*z[j] + c*z[i]*z[j]
		}
	}
	return out
}

// cross adds M'nL + L'nM with L = I − k z' and M = −k1 z'.
func cross(dst, n [][]float64, k, k1, z []float64) {
	nk1 := mulVec(n, k1)
	c := dot(k, nk1)
	for i := range n {
		for j := range n {
			dst[i][j] += 2*c*z[i]*z[j] - z[i]*nk1[j] - nk1[i]*z[j]
		}
	}
}

// square adds c·z z'.
func square(dst [][]float64, c float64, z []float64) {
	for i := range dst {
		axpy(dst[i], c*z[i], z)
	}
}

func (b *backward) moments(p *pass) (mean []float64, cov [][]float64) {
	mean = append([]float64(nil), p.a...)
	axpy(mean, 1, mulVec(p.cov, b.r0))
	axpy(mean, 1, mulVec(p.inf, b.r1))
	pn0p := mul(mul(p.cov, b.n0), p.cov)
	in1p := mul(mul(p.inf, b.n1), p.cov)
	in2i := mul(mul(p.inf, b.n2), p.inf)
	cov = zeros(len(mean), len(mean))
	for i := range cov {
		for j := range cov {
			cov[i][j] = p.cov[i][j] - pn0p[i][j] - in1p[i][j] - in1p[j][i] - in2i[i][j]
		}
	}
	return mean, cov
}
