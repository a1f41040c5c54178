package neural

import (
	"slices"

	"github.com/freshet-ml/freshet/models"
)

var crossesParam = models.Param{Name: "crosses", Default: true, Doc: "the linear part has a weight for every pair of categories of two columns that was met, too"}

// WideAndDeepComponent is the catalogue entry of Wide & Deep.
var WideAndDeepComponent = models.Component{
	Name: "wide_and_deep", Kind: models.ModelKind, Tasks: supervised, Fold: 2, Bounds: netBounds,
	Doc: "A linear model on numbers, categories and pairs of categories, which remembers, and a multilayer perceptron on their embeddings, which generalises; their scores are added and learned together. " +
		"Weights of the linear part move by AdaGrad (the paper has FTRL there)." + inputsDoc +
		" Good for: recommendations and clicks where some pairs of categories are exceptions that must be known one by one. Not for: numbers alone (use mlp); many categorical columns of which only few pairs matter (deep_fm is smaller).",
	Params: slices.Concat(layerParams, embeddingParams, []models.Param{crossesParam}, lossParams, learnParams),
	Cost:   "O(columns² + weights) with crosses", Memory: memoryDoc + ", the same for pairs with an embedding of 0", Source: "Cheng et al. 2016, §3",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		n, err := NewWideAndDeep(env, optionsOf(a, env), a.Bool("crosses"))
		if err != nil {
			return nil, err
		}
		return n, nil
	},
}

// NewWideAndDeep returns a Wide & Deep net for the rows and the task of env: Binary, Multiclass or Regression.
func NewWideAndDeep(env models.Env, o Options, crosses bool) (*Net, error) {
	out, err := o.output(env)
	if err != nil {
		return nil, err
	}
	l := &layout{}
	in, err := newInputs(l, env.Schema, nil, o.Embedding, out.width(), 0)
	if err != nil {
		return nil, err
	}
	parts := []inputs{in}
	if crosses && len(in.fields) > 1 {
		pairs, err := newCrosses(l, &in, out.width())
		if err != nil {
			return nil, err
		}
		parts = append(parts, pairs)
	}
	b := &wideAndDeep{parts: parts, deep: newPerceptron(l, &parts[0], o.trunk(), out.width(), env.Seed), linear: newDense(l, 2*len(in.numeric), out.width(), 0)}
	return o.net(env, l, b, out, parts...)
}

// wideAndDeep adds the scores of a perceptron, of a dense layer on the numbers, and the leads of all rows of embeddings.
type wideAndDeep struct {
	parts  []inputs
	deep   *perceptron
	linear dense
}

type widePass struct {
	deep   perceptronPass
	linear []float64
}

func (b *wideAndDeep) memory() any {
	return &widePass{deep: perceptronPass{trunk: b.deep.trunk.memory()}, linear: make([]float64, b.linear.out)}
}

func (b *wideAndDeep) forward(w []float64, p *pass) {
	m, x := p.own.(*widePass), p.parts[0].x
	b.deep.run(w, x, p.scores, &m.deep, p)
	b.linear.forward(w, x[b.parts[0].embedded():], m.linear)
	for k, v := range m.linear {
		p.scores[k] += v
	}
	for i := range b.parts {
		in := &b.parts[i]
		for f := range in.fields {
			for k, v := range p.parts[i].emb[f*in.stride() : f*in.stride()+in.lead] {
				p.scores[k] += v
			}
		}
	}
}

func (b *wideAndDeep) backward(w, g []float64, p *pass) {
	m, part := p.own.(*widePass), &p.parts[0]
	b.deep.learn(w, g, part.x, p.slopes, part.dx, &m.deep)
	b.parts[0].fold(part)
	b.linear.backward(w, g, part.x[b.parts[0].embedded():], p.slopes, nil, false)
	for i := range b.parts {
		in := &b.parts[i]
		for f := range in.fields {
			row := p.parts[i].demb[f*in.stride() : f*in.stride()+in.lead]
			for k := range row {
				row[k] += p.slopes[k]
			}
		}
	}
}
