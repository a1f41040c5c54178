package neural

import (
	"slices"

	"github.com/freshet-ml/freshet/models"
)

var supervised = []models.Task{models.Binary, models.Multiclass, models.Regression}

const (
	inputsDoc = " Takes rows as they come: numbers are scaled by their mean and deviation so far and clipped at 5, missing ones are 0 with an input that says so, categories have learned vectors, " +
		"targets of a regression are scaled, all inside: no scaler and no one_hot before it."
	memoryDoc = "24 bytes a weight (32 with the copy that shadow_every keeps), and 8 · (embedding + 2) bytes a category"
)

// MLPComponent is the catalogue entry of the multilayer perceptron.
var MLPComponent = models.Component{
	Name: "mlp", Kind: models.ModelKind, Tasks: supervised, Fold: 2, Bounds: netBounds,
	Doc: "A multilayer perceptron: dense layers, each followed by an activation, learned by exact back-propagation, one step for each label." + inputsDoc +
		" Good for: smooth or interacting numeric inputs, where a linear model is too stiff and trees answer in steps. " +
		"Not for: a few hundred labels (use auto or a linear model), labels that repeat the one before, which a baseline answers better, or rows whose meaning lies in their order (use gru).",
	Params: slices.Concat(layerParams, embeddingParams, lossParams, learnParams),
	Cost:   "O(weights): about 3 ns a weight for predict and learn", Memory: memoryDoc, Source: "Rumelhart, Hinton and Williams 1986; steps: Tieleman and Hinton 2012, lecture 6.5",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		n, err := NewMLP(env, optionsOf(a, env))
		if err != nil {
			return nil, err
		}
		return n, nil
	},
}

// NewMLP returns a multilayer perceptron for the rows and the task of env: Binary, Multiclass or Regression.
func NewMLP(env models.Env, o Options) (*Net, error) {
	out, err := o.output(env)
	if err != nil {
		return nil, err
	}
	l := &layout{}
	in, err := newInputs(l, env.Schema, nil, o.Embedding, 0, 0)
	if err != nil {
		return nil, err
	}
	return o.net(env, l, newPerceptron(l, &in, o.trunk(), out.width(), env.Seed), out, in)
}

// perceptron is a trunk and a dense layer of scores.
type perceptron struct {
	inputs *inputs
	trunk  *trunk
	top    dense
}

// newPerceptron takes the layers; the scores begin at 0, whatever the inputs.
func newPerceptron(l *layout, in *inputs, o trunkOptions, scores int, seed uint64) *perceptron {
	t := newTrunk(l, in.size(), o, seed)
	return &perceptron{inputs: in, trunk: t, top: newDense(l, t.width(in.size()), scores, 0)}
}

// perceptronPass is the working memory of a perceptron.
type perceptronPass struct {
	trunk *trunkPass
	h     []float64 // what the top layer reads
}

func (b *perceptron) memory() any { return &perceptronPass{trunk: b.trunk.memory()} }

func (b *perceptron) forward(w []float64, p *pass) {
	b.run(w, p.parts[0].x, p.scores, p.own.(*perceptronPass), p)
}

func (b *perceptron) run(w, x, scores []float64, m *perceptronPass, p *pass) {
	m.h = b.trunk.forward(w, x, m.trunk, p.learning, p.event)
	b.top.forward(w, m.h, scores)
}

func (b *perceptron) backward(w, g []float64, p *pass) {
	part := &p.parts[0]
	b.learn(w, g, part.x, p.slopes, part.dx, p.own.(*perceptronPass))
	b.inputs.fold(part)
}

// learn adds the derivatives of the weights to g and writes those of the first len(dx) inputs into dx.
func (b *perceptron) learn(w, g, x, slopes, dx []float64, m *perceptronPass) {
	if len(b.trunk.layers) == 0 {
		b.top.backward(w, g, x, slopes, dx, false)
		return
	}
	b.top.backward(w, g, m.h, slopes, m.trunk.top().dh, false)
	b.trunk.backward(w, g, x, m.trunk, dx)
}
