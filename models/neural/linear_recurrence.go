package neural

import "math"

// linearCell is the linear recurrent unit (Orvieto et al., Resurrecting Recurrent Neural Networks for Long Sequences, ICML 2023, §3):
// each pair of numbers of the state is a complex number that turns and fades by itself,
//
//	h' = λ∘h + γ∘(b + xW),  λ = exp(−d + iθ), d = exp(ν) + slowest > 0, θ = exp(φ)
//
// and what is not linear comes behind it, in the layers between the state and the scores. |λ| < 1 whatever the weights, so no
// state grows without bound.
//
// As λ is diagonal, exact real-time recurrent learning would cost O(weights) an event instead of a walk (§2 of Zucchet et al.,
// Online learning of long-range dependencies, NeurIPS 2023). It is not used here: it keeps a derivative by each weight of the
// recurrence for every entity, about what the held inputs take, knows nothing of the vectors of categories, and belongs to
// weights that have moved on; the walk through the last events serves all cells alike and is exact within its reach.
type linearCell struct {
	n       int // numbers of the state: twice the complex ones
	in      dense
	nu, phi span
	gamma   span // the logarithm of γ
}

// slowest bounds |λ| by 1 − 1e-4: a memory of ten thousand events.
const slowest = 1e-4

// The ring of the first λ, and their greatest angle (Orvieto et al., §3.2 and §3.3).
const ringFrom, ringTo, angleTo = 0.5, 0.99, math.Pi

func newLinearCell(l *layout, inputs, n int) cell {
	k := n / 2
	c := &linearCell{n: n, in: newDense(l, inputs, n, glorotBound(inputs, n))}
	c.nu = l.take(k, func(w []float64, r *draws) {
		for j := range w {
			square := float64(r.unit()*(ringTo*ringTo-ringFrom*ringFrom)) + ringFrom*ringFrom
			w[j] = math.Log(-0.5 * math.Log(square))
		}
	})
	c.phi = l.take(k, func(w []float64, r *draws) {
		for j := range w {
			w[j] = math.Log(angleTo * (float64(j) + 1 - r.unit()) / float64(k))
		}
	})
	c.gamma = l.take(k, nil)
	return c
}

// linearPass has λ, γ, and the derivatives by them of the steps so far.
type linearPass struct {
	re, im, gamma    []float64
	dre, dim, dgamma []float64
	a                [][]float64 // b + xW of each step
	da               []float64
}

func (c *linearCell) size() int { return c.n }

func (c *linearCell) memory(steps int) any {
	k := slab(6, c.n/2)
	return &linearPass{re: k[0], im: k[1], gamma: k[2], dre: k[3], dim: k[4], dgamma: k[5], a: slab(steps, c.n), da: make([]float64, c.n)}
}

func (c *linearCell) begin(w []float64, m any) {
	p := m.(*linearPass)
	nu, phi, gamma := c.nu.of(w), c.phi.of(w), c.gamma.of(w)
	for j := range nu {
		size := math.Exp(-decay(nu[j]))
		sin, cos := math.Sincos(angle(phi[j]))
		p.re[j], p.im[j] = float64(size*cos), float64(size*sin)
		p.gamma[j] = math.Exp(min(gamma[j], 20)) * math.Sqrt(1-float64(size*size))
	}
	clear(p.dre)
	clear(p.dim)
	clear(p.dgamma)
}

func decay(nu float64) float64  { return math.Exp(min(nu, 5)) + slowest }
func angle(phi float64) float64 { return math.Exp(min(phi, 5)) }

func (c *linearCell) forward(w []float64, m any, t int, x, h, next []float64) {
	p := m.(*linearPass)
	a := p.a[t]
	c.in.forward(w, x, a)
	for j, re := range p.re {
		im, r, i := p.im[j], h[2*j], h[2*j+1]
		next[2*j] = float64(re*r) - float64(im*i) + float64(p.gamma[j]*a[2*j])
		next[2*j+1] = float64(re*i) + float64(im*r) + float64(p.gamma[j]*a[2*j+1])
	}
}

func (c *linearCell) backward(w, g []float64, m any, t int, x, h, _, dnext, dh, dx []float64) {
	p := m.(*linearPass)
	a := p.a[t]
	for j, re := range p.re {
		im, r, i, dr, di := p.im[j], h[2*j], h[2*j+1], dnext[2*j], dnext[2*j+1]
		p.dre[j] += float64(dr*r) + float64(di*i)
		p.dim[j] += float64(di*r) - float64(dr*i)
		p.dgamma[j] += float64(dr*a[2*j]) + float64(di*a[2*j+1])
		p.da[2*j], p.da[2*j+1] = float64(dr*p.gamma[j]), float64(di*p.gamma[j])
		dh[2*j], dh[2*j+1] = float64(re*dr)+float64(im*di), float64(re*di)-float64(im*dr)
	}
	c.in.backward(w, g, x, p.da, dx, false)
}

// end turns the derivatives by λ and γ into those by ν, φ and log γ. γ is measured in √(1 − |λ|²), which keeps the size of the state the
// same for every λ and is itself a function of ν.
func (c *linearCell) end(w, g []float64, m any) {
	p := m.(*linearPass)
	nu, phi, gamma := c.nu.of(w), c.phi.of(w), c.gamma.of(w)
	dnu, dphi, dgamma := c.nu.of(g), c.phi.of(g), c.gamma.of(g)
	for j := range nu {
		square := float64(p.re[j]*p.re[j]) + float64(p.im[j]*p.im[j])
		along := float64(p.dre[j]*p.re[j]) + float64(p.dim[j]*p.im[j])
		along -= float64(p.dgamma[j]*p.gamma[j]) * square / (1 - square)
		if nu[j] < 5 {
			dnu[j] -= float64(along * math.Exp(nu[j]))
		}
		if phi[j] < 5 {
			dphi[j] += float64((float64(p.dim[j]*p.re[j]) - float64(p.dre[j]*p.im[j])) * angle(phi[j]))
		}
		if gamma[j] < 20 {
			dgamma[j] += float64(p.dgamma[j] * p.gamma[j])
		}
	}
}
