package neural

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/models"
)

// tolerance of derivatives against central differences, relative to the greater of 1 and their size.
const tolerance = 1e-6

// checkGradient compares the derivatives g of f by v with central differences. f must not depend on anything else that changes; v is
// left as it was. Every derivative of this package is checked by it: layers, losses, bodies, and recurrent ones through time.
func checkGradient(t *testing.T, name string, v, g []float64, f func() float64) {
	t.Helper()
	const h = 1e-5
	for i := range v {
		was := v[i]
		v[i] = was + h
		up := f()
		v[i] = was - h
		down := f()
		v[i] = was
		f() // what it writes elsewhere is as it was, too
		want := (up - down) / (2 * h)
		if d := math.Abs(g[i] - want); !(d <= tolerance*max(1, math.Abs(want))) {
			t.Fatalf("%s: derivative %d of %d is %v, differences say %v", name, i, len(v), g[i], want)
		}
	}
}

// normals draws n normal numbers.
func normals(rng *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = rng.NormFloat64()
	}
	return v
}

func dotted(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// begin fills the weights of a layout with normal numbers, so that no derivative is 0 by where a net begins.
func begin(rng *rand.Rand, l *layout) (w, g []float64) {
	return normals(rng, l.n), make([]float64, l.n)
}

func TestGradientDense(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, size := range [][2]int{{1, 1}, {3, 5}, {8, 4}, {17, 9}} {
		l := &layout{}
		l.take(3, nil) // a layer before it
		d := newDense(l, size[0], size[1], 1)
		w, g := begin(rng, l)
		x, c, y := normals(rng, d.in), normals(rng, d.out), make([]float64, d.out)
		f := func() float64 { d.forward(w, x, y); return dotted(y, c) }
		f()
		dx := make([]float64, d.in)
		d.backward(w, g, x, c, dx, false)
		checkGradient(t, fmt.Sprint("dense ", size, " weights"), w, g, f)
		checkGradient(t, fmt.Sprint("dense ", size, " inputs"), x, dx, f)
		d.backward(w, g, x, c, dx, true)
		for i := range dx {
			dx[i] /= 2
		}
		checkGradient(t, fmt.Sprint("dense ", size, " inputs, added"), x, dx, f)
	}
}

func TestGradientLayerNorm(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	for _, n := range []int{2, 7} {
		l := &layout{}
		norm := newLayerNorm(l, n)
		w, g := begin(rng, l)
		x, c, y, hat := normals(rng, n), normals(rng, n), make([]float64, n), make([]float64, n)
		f := func() float64 { norm.forward(w, x, y, hat); return dotted(y, c) }
		inverse := norm.forward(w, x, y, hat)
		dy := append([]float64(nil), c...)
		norm.backward(w, g, hat, inverse, dy)
		checkGradient(t, "layer norm weights", w, g, f)
		checkGradient(t, "layer norm inputs", x, dy, f)
	}
}

func TestGradientActivations(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	for i, name := range activationNames {
		a := activation(i)
		z, c := normals(rng, 40), normals(rng, 40)
		y := make([]float64, len(z))
		f := func() float64 { a.apply(y, z); return dotted(y, c) }
		f()
		dy := append([]float64(nil), c...)
		a.slope(dy, z, y)
		checkGradient(t, name, z, dy, f)
		if parseActivation(name) != a {
			t.Errorf("%s is not activation %d", name, i)
		}
	}
}

func TestGradientTrunk(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	for i, o := range []trunkOptions{
		{Hidden: []int{5}},
		{Hidden: []int{6, 4, 3}, Activation: tanh},
		{Hidden: []int{6, 4}, Activation: gelu, LayerNorm: true},
		{Hidden: []int{9, 8}, Activation: leakyRelu, Dropout: 0.4},
		{Hidden: []int{9, 8}, Activation: sigmoid, Dropout: 0.4, LayerNorm: true},
	} {
		for _, taps := range []bool{false, true} {
			l := &layout{}
			tr := newTrunk(l, 7, o, 11)
			tr.taps = taps
			w, g := begin(rng, l)
			x, p := normals(rng, 7), tr.memory()
			var c [][]float64 // by layer
			for k, h := range o.Hidden {
				if c = append(c, make([]float64, h)); taps || k == len(o.Hidden)-1 {
					c[k] = normals(rng, h)
				}
			}
			f := func() float64 {
				tr.forward(w, x, p, true, 5)
				sum := 0.0
				for k := range c {
					sum += dotted(c[k], p.layers[k].h)
				}
				return sum
			}
			f()
			for k := range c {
				copy(p.layers[k].dh, c[k])
			}
			dx := make([]float64, len(x))
			tr.backward(w, g, x, p, dx)
			checkGradient(t, fmt.Sprintf("trunk %d, taps %v, weights", i, taps), w, g, f)
			checkGradient(t, fmt.Sprintf("trunk %d, taps %v, inputs", i, taps), x, dx, f)
		}
	}
}

func TestGradientOutputs(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	target := &moments{n: 10, mean: 3, variance: 4}
	target.measure()
	for _, c := range []struct {
		task models.Task
		loss string
	}{
		{models.Binary, "auto"}, {models.Binary, "focal"}, {models.Multiclass, "auto"}, {models.Multiclass, "focal"}, {models.Regression, "auto"},
		{models.Regression, "huber"}, {models.Regression, "absolute"}, {models.Regression, "gaussian"}, {models.Regression, "quantiles"},
	} {
		o, err := newOutput(models.Env{Task: c.task, Classes: 4}, outputOptions{Loss: c.loss, Quantiles: []float64{0.1, 0.4, 0.9}, NegativeRate: 0.3})
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			s, y := normals(rng, o.width()), 4*rng.NormFloat64()
			if c.task != models.Regression {
				y = float64(rng.IntN(4))
			}
			if c.task == models.Binary {
				y = float64(rng.IntN(2))
			}
			slopes, spare := make([]float64, len(s)), make([]float64, len(s))
			o.slopes(slopes, s, y, target)
			checkGradient(t, c.task.String()+" "+c.loss, s, slopes, func() float64 { return o.slopes(spare, s, y, target) })
		}
	}
}

// checkNet compares all derivatives of a net, those of the rows of embeddings among them, with differences of the loss on one example.
func checkNet(t *testing.T, name string, n *Net, e *models.Example) {
	t.Helper()
	rng := rand.New(rand.NewPCG(6, 1))
	copy(n.w, normals(rng, len(n.w)))
	p, spare := n.pass, make([]float64, len(n.pass.slopes))
	p.learning, p.event = true, 3
	n.scores(&n.known, p, e, n.tables)
	n.out.slopes(p.slopes, p.scores, e.Y, &n.target)
	for i := range p.parts {
		clear(p.parts[i].demb)
	}
	n.body.backward(n.w, n.params.g, p)
	for i := range n.parts { // rows first: spread hands those of shared rows to the dense weights
		part := &p.parts[i]
		demb := append([]float64(nil), part.demb...)
		checkGradient(t, name+", rows", part.emb, demb, func() float64 {
			for f := range part.slots {
				in := &n.parts[i]
				copy(part.x[f*in.width:(f+1)*in.width], part.emb[f*in.stride()+in.lead:(f+1)*in.stride()])
			}
			n.body.forward(n.w, p)
			return n.out.slopes(spare, p.scores, e.Y, &n.target)
		})
	}
	for i := range n.parts {
		n.parts[i].spread(&p.parts[i], n.params.g)
	}
	g := append([]float64(nil), n.params.g...)
	clear(n.params.g)
	f := func() float64 {
		n.scores(&n.known, p, e, nil) // the first pass gave rows to those that get one
		return n.out.slopes(spare, p.scores, e.Y, &n.target)
	}
	if h, ok := n.body.(*hedge); ok { // the shares move by another rule
		at, end := h.shares.at, h.shares.at+h.shares.n
		checkGradient(t, name+", weights before the shares", n.w[:at], g[:at], f)
		checkGradient(t, name+", weights after the shares", n.w[end:], g[end:], f)
		return
	}
	checkGradient(t, name+", weights", n.w, g, f)
}
