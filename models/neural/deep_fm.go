package neural

import (
	"fmt"
	"math"
	"slices"

	"github.com/freshet-ml/freshet/models"
)

var pairWeightsParam = models.Param{Name: "pair_weights", Default: true, Doc: "each pair of columns counts in the factorization machine by a learned weight (a field-weighted one), so that pairs that say nothing do not disturb the others; " +
	"false: all alike, as in Guo et al. and at less cost where columns are many"}

// DeepFMComponent is the catalogue entry of DeepFM.
var DeepFMComponent = models.Component{
	Name: "deep_fm", Kind: models.ModelKind, Tasks: []models.Task{models.Binary, models.Regression}, Fold: 2, Bounds: netBounds,
	Doc: "A factorization machine and a multilayer perceptron that read the same embeddings; their scores are added. The machine, in which each pair of columns has a weight, knows of pairs of categories from few examples, the perceptron of what goes beyond pairs." + inputsDoc +
		" Good for: clicks, orders, payments: many categorical columns of many values that act in pairs. Not for: numbers alone (use mlp), or pairs that must be known one by one (hashed_ftrl with crosses stores each).",
	Params: slices.Concat(layerParams, embeddingParams, []models.Param{pairWeightsParam}, lossParams, learnParams),
	Cost:   "O(columns² · embedding + weights)", Memory: memoryDoc, Source: "Guo et al. 2017, equations 1 to 4; weights of pairs: Pan et al. 2018, equation 6, and with a perceptron Deng et al. 2021",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		n, err := NewDeepFM(env, optionsOf(a, env), a.Bool("pair_weights"))
		if err != nil {
			return nil, err
		}
		return n, nil
	},
}

// maxPaired bounds the columns whose pairs have weights: half a million pairs.
const maxPaired = 1 << 10

// NewDeepFM returns a DeepFM for the rows and the task of env: Binary or Regression; weighted gives each pair of columns a weight. Its loss must have one score: not gaussian or quantiles.
func NewDeepFM(env models.Env, o Options, weighted bool) (*Net, error) {
	out, err := o.output(env)
	if err != nil {
		return nil, err
	}
	if out.width() != 1 {
		return nil, models.SpecErrors{{Path: "loss", Reason: "deep_fm has one score, and the loss " + o.Loss + " more", Mend: "use mlp for it"}}
	}
	l := &layout{}
	in, err := newInputs(l, env.Schema, nil, o.Embedding, 1, 0)
	if err != nil {
		return nil, err
	}
	numbers := len(in.numeric)
	columns := len(in.fields) + numbers
	if weighted && columns > maxPaired {
		return nil, models.SpecErrors{{Path: "pair_weights", Reason: fmt.Sprintf("%d columns, weights for the pairs of at most %d", columns, maxPaired), Mend: "pair_weights: false, or fewer columns"}}
	}
	b := &deepFM{deep: newPerceptron(l, &in, o.trunk(), 1, env.Seed), pairs: newPairwise(l, columns, o.Embedding, weighted),
		linear: l.take(numbers, nil), vectors: l.take(numbers*o.Embedding, uniform(0.1/math.Sqrt(float64(o.Embedding))))}
	return o.net(env, l, b, out, in)
}

// deepFM adds three scores: of a linear part (the lead of each row of embeddings, a weight for each number), of all pairs, and of a perceptron.
type deepFM struct {
	deep    *perceptron
	pairs   pairwise
	linear  span // a weight for each number
	vectors span // a vector for each number
}

type deepFMPass struct {
	deep        perceptronPass
	v, dv, sums []float64 // the vectors that meet, their derivatives, their sums
}

func (b *deepFM) memory() any {
	n := b.pairs.n * b.pairs.k
	return &deepFMPass{deep: perceptronPass{trunk: b.deep.trunk.memory()}, v: make([]float64, n), dv: make([]float64, n), sums: make([]float64, max(n, b.pairs.k))}
}

// numbers is the part of x that holds the scaled numbers.
func (in *inputs) numbers(x []float64) []float64 {
	return x[in.embedded() : in.embedded()+len(in.numeric)]
}

func (b *deepFM) forward(w []float64, p *pass) {
	m, part, in := p.own.(*deepFMPass), &p.parts[0], b.deep.inputs
	b.deep.run(w, part.x, p.scores, &m.deep, p)
	score := 0.0
	for f := range in.fields {
		score += part.emb[f*in.stride()]
	}
	copy(m.v, part.x[:in.embedded()])
	linear, vectors, rest := b.linear.of(w), b.vectors.of(w), m.v[in.embedded():]
	for i, z := range in.numbers(part.x) {
		score += float64(linear[i] * z)
		for f := range b.pairs.k {
			rest[i*b.pairs.k+f] = float64(vectors[i*b.pairs.k+f] * z)
		}
	}
	p.scores[0] += score + b.pairs.forward(w, m.v, m.sums)
}

func (b *deepFM) backward(w, g []float64, p *pass) {
	m, part, in := p.own.(*deepFMPass), &p.parts[0], b.deep.inputs
	b.deep.learn(w, g, part.x, p.slopes, part.dx, &m.deep)
	slope := p.slopes[0]
	b.pairs.backward(g, m.v, m.sums, slope, m.dv)
	for i, d := range m.dv[:in.embedded()] {
		part.dx[i] += d
	}
	in.fold(part)
	for f := range in.fields {
		part.demb[f*in.stride()] += slope
	}
	linear, vectors, rest := b.linear.of(g), b.vectors.of(g), m.dv[in.embedded():]
	for i, z := range in.numbers(part.x) {
		linear[i] += float64(slope * z)
		for f := range b.pairs.k {
			vectors[i*b.pairs.k+f] += float64(rest[i*b.pairs.k+f] * z)
		}
	}
}
