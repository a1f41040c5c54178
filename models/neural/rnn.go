package neural

// rnnCell is the simple recurrence h' = tanh(b + xW + hU) (Elman, Finding Structure in Time, Cognitive Science 14, 1990).
type rnnCell struct {
	n         int
	in, again dense
}

func newRNNCell(l *layout, inputs, n int) cell {
	c := &rnnCell{n: n, in: newDense(l, inputs, n, glorotBound(inputs, n)), again: newDense(l, n, n, 0)}
	l.starts = append(l.starts, start{c.again.w, orthogonal(n, 1)})
	return c
}

type rnnPass struct{ a, u []float64 }

func (c *rnnCell) size() int { return c.n }

func (c *rnnCell) memory(int) any { return &rnnPass{make([]float64, c.n), make([]float64, c.n)} }

func (c *rnnCell) begin([]float64, any) {}

func (c *rnnCell) forward(w []float64, m any, _ int, x, h, next []float64) {
	p := m.(*rnnPass)
	c.in.forward(w, x, p.a)
	c.again.forward(w, h, p.u)
	for j := range next {
		next[j] = fastTanh(p.a[j] + p.u[j])
	}
}

func (c *rnnCell) backward(w, g []float64, m any, _ int, x, h, next, dnext, dh, dx []float64) {
	da := m.(*rnnPass).a
	for j, d := range dnext {
		da[j] = float64(d * (1 - float64(next[j]*next[j])))
	}
	c.in.backward(w, g, x, da, dx, false)
	c.again.backward(w, g, h, da, dh, false)
}

func (c *rnnCell) end(_, _ []float64, _ any) {}
