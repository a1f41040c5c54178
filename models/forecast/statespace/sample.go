package statespace

import "math"

// Path writes one possible future of the outputs to dst, by step, then output, with Z by step where it moves (nil: that of the model): a state drawn from its distribution,
// moved on and seen with noise. normal draws standard normal numbers; the filter does not change. What is still diffuse is taken at its mean.
func (f *Filter) Path(dst [][]float64, z [][][]float64, normal func() float64) {
	c := f.Clone()
	if c.steady && c.ticks > 0 {
		c.unsettle()
	}
	a := c.a
	for j, d := range c.p.d { // a + U √D ε
		e := math.Sqrt(d) * normal()
		a[j] += e
		axpy(a[:j], e, column(c.p.u, j))
	}
	h := decorrelate(f.model.H)
	e := make([]float64, len(f.model.Z))
	for step := range dst {
		f.step.mean(a, c.t)
		for i := range f.step.noise {
			n := &f.step.noise[i]
			axpy(a[n.first:n.first+len(n.x)], math.Sqrt(n.weight)*normal(), n.x)
		}
		now := f.model.Z
		if z != nil {
			now = z[step]
		}
		for i := range e {
			e[i] = math.Sqrt(h.d[i]) * normal()
		}
		for i := range dst[step] {
			dst[step][i] = dot(now[i], a) + dot(h.l[i][:i+1], e[:i+1])
		}
	}
}
