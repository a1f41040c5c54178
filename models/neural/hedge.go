package neural

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/models"
)

// HedgeComponent is the catalogue entry of hedge back-propagation.
var HedgeComponent = models.Component{
	Name: "hedge_backpropagation", Kind: models.ModelKind, Tasks: supervised, Fold: 2, Bounds: netBounds,
	Doc: "A deep net that chooses its own depth as it goes: every hidden layer has an output of its own, the answer is their weighted mean, and an output's weight shrinks with its loss: those that lose least answer." + inputsDoc +
		" Good for: streams of which nobody knows how deep a net they need, long or short. Not for: little processor time (mlp of two layers costs less and is rarely worse); losses gaussian and quantiles.",
	Params: slices.Concat([]models.Param{
		{Name: "discount", Default: 0.99, Range: models.AboveTo(0, 1), Doc: "an output's weight is multiplied by discount^loss at each label"},
		{Name: "smoothing", Default: 0.2, Range: models.Between(0, 1), Doc: "no weight falls below smoothing / outputs"}},
		[]models.Param{withHidden(32, 32, 32, 32)}, layerParams[1:], embeddingParams, lossParams, learnParams),
	Cost: "O(weights)", Memory: memoryDoc, Source: "Sahoo et al. 2018, algorithm 1",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		n, err := NewHedge(env, optionsOf(a, env), a.Float("discount"), a.Float("smoothing"))
		if err != nil {
			return nil, err
		}
		return n, nil
	},
}

// NewHedge returns a net with an output at the inputs and at each hidden layer for the rows and the task of env: Binary, Multiclass or
// Regression, with a loss of one score or one for each class.
func NewHedge(env models.Env, o Options, discount, smoothing float64) (*Net, error) {
	each, err := o.output(env)
	if err != nil {
		return nil, err
	}
	switch each.(type) {
	case gaussian, quantiles:
		return nil, models.SpecErrors{{Path: "loss", Reason: "outputs of hedge_backpropagation are averaged, which those of the loss " + o.Loss + " cannot be", Mend: "use mlp for it"}}
	}
	l := &layout{}
	in, err := newInputs(l, env.Schema, nil, o.Embedding, 0, 0)
	if err != nil {
		return nil, err
	}
	t := newTrunk(l, in.size(), o.trunk(), env.Seed)
	t.taps = true
	out := hedged{each: each, outputs: len(t.layers) + 1}
	b := &hedge{inputs: &in, trunk: t, out: out, shares: l.take(out.outputs, constantly(1/float64(out.outputs))), discount: discount, floor: smoothing / float64(out.outputs)}
	b.tops = append(b.tops, newDense(l, in.size(), each.width(), 0))
	for i := range t.layers {
		b.tops = append(b.tops, newDense(l, t.layers[i].out, each.width(), 0))
	}
	return o.net(env, l, b, out, in)
}

// hedge has scores at the inputs and at every hidden layer. The outputs' shares in the answer lie among the weights, where no derivative
// reaches them: settle changes them.
type hedge struct {
	inputs          *inputs
	trunk           *trunk
	tops            []dense // of the inputs, then of each hidden layer
	out             hedged
	shares          span
	discount, floor float64
}

func (b *hedge) memory() any { return b.trunk.memory() }

// layer is what the kth top reads.
func (b *hedge) layer(k int, p *pass) []float64 {
	if k == 0 {
		return p.parts[0].x
	}
	return p.own.(*trunkPass).layers[k-1].h
}

// forward writes the scores of each output, then their shares.
func (b *hedge) forward(w []float64, p *pass) {
	b.trunk.forward(w, p.parts[0].x, p.own.(*trunkPass), p.learning, p.event)
	n := b.out.each.width()
	for k := range b.tops {
		b.tops[k].forward(w, b.layer(k, p), p.scores[k*n:(k+1)*n])
	}
	copy(p.scores[len(b.tops)*n:], b.shares.of(w))
}

func (b *hedge) backward(w, g []float64, p *pass) {
	m, n, part := p.own.(*trunkPass), b.out.each.width(), &p.parts[0]
	for k := range b.tops[1:] {
		b.tops[k+1].backward(w, g, m.layers[k].h, p.slopes[(k+1)*n:(k+2)*n], m.layers[k].dh, false)
	}
	if len(b.trunk.layers) > 0 {
		b.trunk.backward(w, g, part.x, m, part.dx)
	} else {
		clear(part.dx)
	}
	b.tops[0].backward(w, g, part.x, p.slopes[:n], part.dx, true)
	b.inputs.fold(part)
}

// settle multiplies each share by discount^loss of its output, keeps it above the floor, and makes them sum to 1.
func (b *hedge) settle(w []float64, p *pass, y float64, target *moments) {
	shares, n := b.shares.of(w), b.out.each.width()
	sum := 0.0
	for k := range shares {
		l := b.out.each.slopes(p.slopes[:n], p.scores[k*n:(k+1)*n], y, target)
		shares[k] = max(b.floor, shares[k]*math.Pow(b.discount, max(0, min(lossCap, l))))
		sum += shares[k]
	}
	for k := range shares {
		shares[k] /= sum
	}
}

// hedged is several outputs of one kind and their shares: scores are those of each, one after the other, then the shares.
type hedged struct {
	each    output
	outputs int
}

func (o hedged) width() int          { return o.outputs * (o.each.width() + 1) }
func (o hedged) fits(y float64) bool { return o.each.fits(y) }

// slopes of an output are those of its own loss times its share; the loss is the mean by shares.
func (o hedged) slopes(dst, scores []float64, y float64, target *moments) float64 {
	n, sum := o.each.width(), 0.0
	for k, share := range scores[o.outputs*n:] {
		part := dst[k*n : (k+1)*n]
		sum += float64(share * o.each.slopes(part, scores[k*n:(k+1)*n], y, target))
		for i := range part {
			part[i] *= share
		}
	}
	clear(dst[o.outputs*n:])
	return sum
}

// answer is the mean of the outputs' answers by shares.
func (o hedged) answer(dst, scores []float64, target *moments) []float64 {
	n, at := o.each.width(), len(dst)
	for range n {
		dst = append(dst, 0)
	}
	for k, share := range scores[o.outputs*n:] {
		dst = o.each.answer(dst, scores[k*n:(k+1)*n], target)
		for i, v := range dst[at+n:] {
			dst[at+i] += float64(share * v)
		}
		dst = dst[:at+n]
	}
	return dst
}
