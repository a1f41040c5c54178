package neural

import "github.com/freshet-ml/freshet/features"

// trunk is a stack of hidden layers: dense, layer norm if wanted, activation, dropout if wanted.
type trunk struct {
	layers  []hidden
	act     activation
	dropout float64
	seed    uint64 // of the dropout
	taps    bool   // derivatives come in at every layer, not only at the last
}

type hidden struct {
	dense
	norm *layerNorm // nil: none
}

// trunkOptions say what hidden layers are made of.
type trunkOptions struct {
	Hidden     []int // widths, each ≥ 1; none: the trunk passes its inputs on
	Activation activation
	LayerNorm  bool
	Dropout    float64 // in [0, 1)
}

func newTrunk(l *layout, in int, o trunkOptions, seed uint64) *trunk {
	t := &trunk{act: o.Activation, dropout: o.Dropout, seed: seed}
	for _, n := range o.Hidden {
		h := hidden{dense: newDense(l, in, n, o.Activation.bound(in, n))}
		if o.LayerNorm {
			norm := newLayerNorm(l, n)
			h.norm = &norm
		}
		t.layers = append(t.layers, h)
		in = n
	}
	return t
}

// width is the number of outputs of a trunk with in inputs.
func (t *trunk) width(in int) int {
	if len(t.layers) == 0 {
		return in
	}
	return t.layers[len(t.layers)-1].out
}

// trunkPass is the working memory of one trunk.
type trunkPass struct {
	layers []hiddenPass
}

type hiddenPass struct {
	z       []float64 // what goes into the activation
	h       []float64 // what comes out of the layer
	dh      []float64 // derivatives by h; by z after the layer's backward pass
	hat     []float64 // with layer norm
	inverse float64
	a       []float64 // with dropout: the activations before it
	mask    []float64
}

// top is the last layer.
func (p *trunkPass) top() *hiddenPass { return &p.layers[len(p.layers)-1] }

func (t *trunk) memory() *trunkPass {
	p := &trunkPass{layers: make([]hiddenPass, len(t.layers))}
	for i := range p.layers {
		n, l := t.layers[i].out, &p.layers[i]
		l.z, l.h, l.dh = make([]float64, n), make([]float64, n), make([]float64, n)
		if l.a = l.h; t.dropout > 0 {
			l.a, l.mask = make([]float64, n), make([]float64, n)
		}
		if t.layers[i].norm != nil {
			l.hat = make([]float64, n)
		}
	}
	return p
}

// forward returns the outputs of the last layer for the inputs x, borrowed from p. Dropout draws for the event, and only when learning.
func (t *trunk) forward(w, x []float64, p *trunkPass, learning bool, event uint64) []float64 {
	for i := range t.layers {
		d, l := &t.layers[i], &p.layers[i]
		d.forward(w, x, l.z)
		if d.norm != nil {
			l.inverse = d.norm.forward(w, l.z, l.z, l.hat)
		}
		t.act.apply(l.a, l.z)
		if t.dropout > 0 {
			t.drop(l, learning, features.Mix(t.seed+uint64(i)), event)
		}
		x = l.h
	}
	return x
}

func (t *trunk) drop(l *hiddenPass, learning bool, seed, event uint64) {
	if !learning {
		copy(l.h, l.a)
		return
	}
	dropMask(l.mask, t.dropout, seed, event)
	for j, v := range l.a {
		l.h[j] = float64(v * l.mask[j])
	}
}

// backward adds the derivatives of the weights to g and writes those of the first len(dx) inputs into dx. The derivatives by the
// outputs are in dh of the last layer, with taps in that of every layer. The forward pass must have been one of learning. A trunk without layers does nothing.
func (t *trunk) backward(w, g, x []float64, p *trunkPass, dx []float64) {
	for i := len(t.layers) - 1; i >= 0; i-- {
		d, l := &t.layers[i], &p.layers[i]
		if t.dropout > 0 {
			for j, m := range l.mask {
				l.dh[j] *= m
			}
		}
		t.act.slope(l.dh, l.z, l.a)
		if d.norm != nil {
			d.norm.backward(w, g, l.hat, l.inverse, l.dh)
		}
		if i == 0 {
			d.backward(w, g, x, l.dh, dx, false)
			return
		}
		below := &p.layers[i-1]
		d.backward(w, g, below.h, l.dh, below.dh, t.taps)
	}
}
