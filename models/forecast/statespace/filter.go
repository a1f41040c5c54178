package statespace

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// diffuseTolerance is below which part of the greatest value that it could have the root of a diffuse variance counts as zero.
const diffuseTolerance = 1e-11

// steadyTolerance is how little a gain may still move, relative to its greatest entry, to count as settled; steadySteps is for how many values in a row.
const (
	steadyTolerance = 1e-12
	steadySteps     = 8
)

// Filter is the Kalman filter of a model, one value at a time, on line: it holds the moments of the present state, given the values so
// far. It belongs to one goroutine and allocates nothing after NewFilter.
//
// Until the gain moves no more, a value costs O(states²) and a step as transition says; then both cost O(states), see Steady.
type Filter struct {
	model *Model
	step  *transition
	a     []float64 // mean
	p     ud        // covariance of the known part
	inf   [][]float64
	reach []float64 // by state: the greatest that its row of inf ever was
	left  int       // columns of inf that are in use: how much of the state is still unknown
	work  workspace

	k, f, g, t []float64 // gain and scratch
	noise      decorrelated

	settling           // once steady, gain k and variance lastF hold until something else than a step and a value comes
	z        []float64 // row of a model with one output
	fixed    bool      // one output, Z and H as in the model: a gain can settle
}

// NewFilter returns a filter at time 1, before its value.
func NewFilter(m *Model) (*Filter, error) {
	if err := m.Check(); err != nil {
		return nil, fmt.Errorf("state space model: %w", err)
	}
	n := m.States()
	f := &Filter{model: m, step: newTransition(m.T, m.Q), a: make([]float64, n), p: newUD(n)}
	copy(f.a, m.Start.Mean)
	if m.Start.Cov != nil {
		f.p.u, f.p.d, _ = factor(m.Start.Cov)
	}
	f.inf = zeros(len(m.Start.Diffuse), n)
	for k, i := range m.Start.Diffuse {
		f.inf[k][i] = 1
	}
	f.left, f.reach = len(f.inf), make([]float64, n)
	f.work = newWorkspace(n, f.step)
	f.k, f.f, f.g, f.t, f.last = make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	f.noise, f.tolerance = decorrelate(m.H), steadyTolerance
	f.fixed, f.z = m.Outputs() == 1, m.Z[0]
	return f, nil
}

// Mean is the mean of the state; borrowed.
func (f *Filter) Mean() []float64 { return f.a }

// Unknown is how many directions of the state are still diffuse: the covariance is finite when it is 0.
func (f *Filter) Unknown() int { return f.left }

// Steady reports whether the gain has settled: then a step and a value cost O(states), and the covariance stands as it was.
func (f *Filter) Steady() bool { return f.steady }

// Covariance writes the covariance of the state, without its diffuse part, to dst (states × states). Cost: O(states³).
func (f *Filter) Covariance(dst [][]float64) {
	f.p.dense(dst)
	if f.steady && f.ticks > 0 { // it stands at a value, and steps were made since
		p := ud{append([]float64(nil), f.p.u...), append([]float64(nil), f.p.d...)}
		for range f.ticks {
			f.step.covariance(&p, &f.work)
		}
		p.dense(dst)
	}
}

// diffuse writes P∞ to dst.
func (f *Filter) diffuse(dst [][]float64) {
	for i := range dst {
		clear(dst[i])
		for _, col := range f.inf[:f.left] {
			axpy(dst[i], col[i], col)
		}
	}
}

// Predict goes one step ahead.
func (f *Filter) Predict() {
	f.step.mean(f.a, f.t)
	if f.steady {
		if f.ticks++; f.ticks > 1 { // a step without value: the covariance moves on
			f.unsettle()
		}
		return
	}
	f.ticks++
	f.calmless(f.ticks > 1)
	f.move(f.step)
}

// calmless forgets how long the gain has not moved.
func (f *Filter) calmless(yes bool) {
	if yes {
		f.calm = 0
	}
}

func (f *Filter) move(tr *transition) {
	tr.covariance(&f.p, &f.work)
	for _, col := range f.inf[:f.left] {
		tr.mean(col, f.t)
	}
}

// unsettle brings the covariance to the present step and lets it move again.
func (f *Filter) unsettle() {
	for range f.ticks {
		f.step.covariance(&f.p, &f.work)
	}
	f.steady, f.calm = false, 0
}

// PredictSteps goes n ≥ 0 steps ahead, the model of which j.Steps(n) gives: see Jump.
func (f *Filter) PredictSteps(j *Jump) {
	if f.steady {
		f.unsettle()
	}
	f.ticks, f.calm = 2, 0
	j.step.mean(f.a, f.t)
	if j.step.blocks == nil && len(f.work.weight) < len(f.a)+len(j.step.noise) {
		most := f.work.most
		f.work = newWorkspace(len(f.a), j.step)
		copy(f.work.most, most)
	}
	j.step.covarianceWith(f)
	for _, col := range f.inf[:f.left] {
		j.step.mean(col, f.t)
	}
}

// covarianceWith makes the step with a workspace that fits its noise.
func (tr *transition) covarianceWith(f *Filter) {
	s := f.work
	if tr.blocks == nil {
		n := len(f.a) + len(tr.noise)
		s.weight, s.c = s.weight[:n], s.c[:n]
		s.w = append([][]float64(nil), s.w...)
		for i := range s.w {
			s.w[i] = s.w[i][:n]
		}
	}
	tr.covariance(&f.p, &s)
}

// Jump is several steps of a model at once, prepared.
type Jump struct{ step *transition }

// NewJump prepares n ≥ 1 steps of a model that Check accepts. Cost: O(states³ log n).
func NewJump(m *Model, n int64) *Jump {
	s := m.Steps(n)
	return &Jump{newTransition(s.T, s.Q)}
}

// Innovation is what one value said.
type Innovation struct {
	Error    float64 // of its forecast; NaN for a missing value
	Variance float64 // of that forecast, F; of a diffuse value its diffuse part F∞; 0: the model knew the value exactly
	Diffuse  bool    // the forecast had infinite variance
}

// Observe takes in the value of a model with one output, NaN if it is missing.
func (f *Filter) Observe(y float64) Innovation {
	if math.IsNaN(y) {
		return Innovation{Error: math.NaN()}
	}
	if f.steady && f.ticks == 1 {
		e := y - dot(f.z, f.a)
		axpy(f.a, e, f.k)
		f.ticks = 0
		return Innovation{Error: e, Variance: f.lastF}
	}
	regular := f.ticks == 1 && f.left == 0
	in := f.scalar(y, f.z, f.model.H[0][0])
	f.ticks = 0
	f.settle(regular && f.fixed && f.left == 0, in.Variance, f.k)
	return in
}

// ObserveRow takes in the value of a model with one output whose row of Z is z at this time.
func (f *Filter) ObserveRow(y float64, z []float64) Innovation {
	if f.steady {
		f.unsettle()
	}
	f.ticks, f.calm = 0, 0
	if math.IsNaN(y) {
		return Innovation{Error: math.NaN()}
	}
	return f.scalar(y, z, f.model.H[0][0])
}

// ObserveAll takes in the values of one time of a model with several outputs; NaN are missing. z is Z at this time, nil for that of the model. It
// calls each with what every value said, one after the other, given those before it (Durbin & Koopman 2012, §6.4); each may be nil.
func (f *Filter) ObserveAll(y []float64, z [][]float64, each func(z []float64, h float64, in Innovation)) {
	if f.steady {
		f.unsettle()
	}
	f.ticks, f.calm = 0, 0
	if z == nil {
		z = f.model.Z
	}
	f.noise.rows(f.model.H, y, z, func(y float64, z []float64, h float64) {
		in := f.scalar(y, z, h)
		if each != nil {
			each(z, h, in)
		}
	})
}

// scalar takes in one value with noise of its own.
func (f *Filter) scalar(y float64, z []float64, h float64) Innovation {
	e := y - dot(z, f.a)
	if f.left > 0 {
		if in, ok := f.takeDiffuse(e, z, h); ok {
			return in
		}
	}
	variance := f.p.observe(z, h, f.f, f.g, f.k)
	axpy(f.a, e, f.k)
	return Innovation{Error: e, Variance: variance}
}

// takeDiffuse takes in a value whose forecast has infinite variance: it fixes one direction of the diffuse part, which a Householder
// reflection of the columns of A brings to the last place. False: the value says nothing of the diffuse part.
func (f *Filter) takeDiffuse(e float64, z []float64, h float64) (Innovation, bool) {
	f.grow()
	square, most, pivot := 0.0, 0.0, 0
	for k, col := range f.inf[:f.left] {
		s := dot(z, col)
		f.f[k] = s
		square += s * s
		if math.Abs(s) > math.Abs(f.f[pivot]) {
			pivot = k
		}
	}
	for i, v := range f.reach {
		most += v * math.Abs(z[i])
	}
	norm := math.Sqrt(square)
	if !(norm > diffuseTolerance*most) {
		return Innovation{}, false
	}
	last := f.left - 1
	f.inf[pivot], f.inf[last], f.f[pivot], f.f[last] = f.inf[last], f.inf[pivot], f.f[last], f.f[pivot]
	f.reflect(norm)
	for i, v := range f.inf[last] {
		f.k[i] = v / norm
	}
	f.left = last
	f.p.replace(f.k, z, h, f.work.most)
	axpy(f.a, e, f.k)
	return Innovation{Error: e, Variance: square, Diffuse: true}, true
}

// grow notes how great the diffuse part of each state was at most: a trace of rounding of it is not a direction.
func (f *Filter) grow() {
	for i, most := range f.reach {
		s := 0.0
		for _, col := range f.inf[:f.left] {
			s += col[i] * col[i]
		}
		f.reach[i] = math.Max(most, math.Sqrt(s))
	}
}

// reflect multiplies A by the reflection that makes A'z = (0, …, norm); f.f holds A'z.
func (f *Filter) reflect(norm float64) {
	w, last := f.f[:f.left], f.inf[f.left-1]
	sign := 1.0
	if w[f.left-1] > 0 { // reflect to the far side, then turn the column
		sign = -1
	}
	w[f.left-1] -= sign * norm
	length := dot(w, w)
	for i := range f.a {
		s := 0.0
		for k, col := range f.inf[:f.left] {
			s += w[k] * col[i]
		}
		s *= 2 / length
		for k, col := range f.inf[:f.left] {
			col[i] -= s * w[k]
		}
		last[i] *= sign
	}
}

// replace sets the covariance to (I − k z') P (I − k z')' + h k k'. It allocates: diffuse values are few. Cost: O(n³).
func (p *ud) replace(k, z []float64, h float64, most []float64) {
	n := len(p.d)
	w, weight, size := zeros(n, n+1), make([]float64, n+1), append([]float64(nil), most...)
	copy(weight, p.d)
	weight[n] = h
	for j := range n {
		col := column(p.u, j)
		s := z[j] + dot(col, z)
		for i := range n {
			v := 0.0
			if i < j {
				v = col[i]
			} else if i == j {
				v = 1
			}
			w[i][j] = v - k[i]*s
			size[i] += weight[j] * (v*v + k[i]*s*k[i]*s)
		}
	}
	for i := range n {
		w[i][n] = k[i]
		size[i] += h * k[i] * k[i]
	}
	p.orthogonalise(w, weight, size, make([]float64, n+1))
}

// Forecast returns the mean and the variance of z'a, without the noise of a value; the variance leaves out what is still diffuse.
func (f *Filter) Forecast(z []float64) (mean, variance float64) {
	if f.steady && f.ticks > 0 {
		f.unsettle()
	}
	return dot(z, f.a), f.p.variance(z)
}

// Clone returns a filter of its own in the same state.
func (f *Filter) Clone() *Filter {
	out := *f
	n := len(f.a)
	out.a, out.last, out.k = append([]float64(nil), f.a...), append([]float64(nil), f.last...), append([]float64(nil), f.k...)
	out.p = ud{append([]float64(nil), f.p.u...), append([]float64(nil), f.p.d...)}
	out.f, out.g, out.t = make([]float64, n), make([]float64, n), make([]float64, n)
	out.inf = zeros(len(f.inf), n)
	for i := range f.inf {
		copy(out.inf[i], f.inf[i])
	}
	out.reach = append([]float64(nil), f.reach...)
	out.work = newWorkspace(n, f.step)
	copy(out.work.most, f.work.most)
	return &out
}

// State visits the moments and whether the gain has settled.
func (f *Filter) State(s *codec.State) {
	s.Fixed("states", len(f.a))
	for _, x := range [][]float64{f.a, f.p.u, f.p.d, f.k, f.last} {
		for i := range x {
			s.Float64(&x[i])
			if s.Loading() && !(math.Abs(x[i]) < 1e150) {
				s.Fail("filter: number %v", x[i])
			}
		}
	}
	for _, d := range f.p.d {
		if s.Loading() && d < 0 {
			s.Fail("filter: negative variance %v", d)
		}
	}
	f.left = s.Len(f.left, 0, len(f.inf))
	for _, col := range f.inf[:f.left] {
		for i := range col {
			s.Float64(&col[i])
		}
	}
	if len(f.inf) > 0 {
		for i := range f.reach {
			s.Float64(&f.reach[i])
		}
	}
	if f.step.blocks == nil {
		for i := range f.work.most {
			s.Float64(&f.work.most[i])
		}
	}
	s.Float64(&f.lastF)
	f.calm = s.Len(f.calm, 0, steadySteps)
	f.ticks = s.Len(f.ticks, 0, math.MaxInt32)
	s.Bool(&f.steady)
}

// decorrelated is H = L D L' with L unit lower triangular.
type decorrelated struct {
	l        [][]float64
	d        []float64
	diagonal bool
}

// decorrelate factors h, which is checked.
func decorrelate(h [][]float64) decorrelated {
	p := len(h)
	out := decorrelated{l: identity(p), d: make([]float64, p), diagonal: true}
	r := make([][]float64, p)
	for i := range h {
		r[i] = append([]float64(nil), h[i]...)
	}
	for j := range p {
		out.d[j] = math.Max(r[j][j], 0)
		for i := j + 1; i < p; i++ {
			if h[i][j] != 0 {
				out.diagonal = false
			}
			if out.d[j] <= 1e-15*h[j][j] {
				continue
			}
			out.l[i][j] = r[i][j] / out.d[j]
			for k := j + 1; k <= i; k++ {
				r[i][k] -= out.l[i][j] * out.l[k][j] * out.d[j]
				r[k][i] = r[i][k]
			}
		}
	}
	return out
}

// rows calls f with every value that is not missing, its row and its noise, made independent of those before it.
func (c *decorrelated) rows(h [][]float64, y []float64, z [][]float64, f func(y float64, z []float64, h float64)) {
	if c.diagonal {
		for i, v := range y {
			if !math.IsNaN(v) {
				f(v, z[i], c.d[i])
			}
		}
		return
	}
	var seen []int
	for i, v := range y {
		if !math.IsNaN(v) {
			seen = append(seen, i)
		}
	}
	own := c
	if len(seen) < len(y) {
		sub := zeros(len(seen), len(seen))
		for i, a := range seen {
			for j, b := range seen {
				sub[i][j] = h[a][b]
			}
		}
		d := decorrelate(sub)
		own = &d
	}
	ys, zs := make([]float64, len(seen)), make([][]float64, len(seen))
	for i, a := range seen { // L⁻¹ y and L⁻¹ Z by forward substitution
		ys[i], zs[i] = y[a], append([]float64(nil), z[a]...)
		for j := range i {
			ys[i] -= own.l[i][j] * ys[j]
			axpy(zs[i], -own.l[i][j], zs[j])
		}
		f(ys[i], zs[i], own.d[i])
	}
}
