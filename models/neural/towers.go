package neural

import (
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/models"
)

// TwoTowerComponent is the catalogue entry of the two-tower model.
var TwoTowerComponent = models.Component{
	Name: "two_tower", Kind: models.ModelKind, Tasks: []models.Task{models.Binary, models.Regression}, Fold: 2, Bounds: netBounds,
	Doc: "Scores a pair, such as a user and an article: one net turns the columns of the one into a vector, another those of the other, and the score is the product of the vectors plus a constant. " +
		"The columns of the one are named by `left`; all others are those of the other." + inputsDoc +
		" Good for: how well two things of many each go together, from few examples of each pair. Not for: columns that describe the pair as such (the time, the place in the list): they stand on one side only (use deep_fm).",
	Params: slices.Concat([]models.Param{
		{Name: "left", Default: []string{}, Doc: "columns of the left tower; at least one, and not all"},
		{Name: "vector", Default: 16, Range: models.Between(1, 1024), Doc: "length of the vectors that are multiplied"}},
		[]models.Param{withHidden(32)}, layerParams[1:], embeddingParams, lossParams, learnParams),
	Cost: "O(weights)", Memory: memoryDoc, Source: "Yi et al. 2019, §3, with a pointwise loss",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		keep, err := leftColumns(env, a.Texts("left"))
		if err != nil {
			return nil, err
		}
		n, err := NewTwoTower(env, optionsOf(a, env), keep, a.Int("vector"))
		if err != nil {
			return nil, err
		}
		return n, nil
	},
}

func withHidden(widths ...int) models.Param {
	p := hiddenParam
	p.Default = widths
	return p
}

// leftColumns marks the columns of the left tower.
func leftColumns(env models.Env, names []string) ([]bool, error) {
	if len(env.Schema.Columns) == 0 {
		return nil, nil
	}
	if len(names) == 0 { // all columns would be meant
		return nil, models.SpecErrors{{Path: "left", Reason: "no columns of the left tower", Mend: "name those of one of the two, such as left: [" + env.Schema.Columns[0].Name + "]"}}
	}
	return models.SelectColumns(env, names, true)
}

// NewTwoTower returns a two-tower net for the rows and the task of env: Binary or Regression. left says which columns are those of the
// left tower; vector is the length of what the towers make.
func NewTwoTower(env models.Env, o Options, left []bool, vector int) (*Net, error) {
	out, err := o.output(env)
	if err != nil {
		return nil, err
	}
	if out.width() != 1 {
		return nil, models.SpecErrors{{Path: "loss", Reason: "two_tower has one score, and the loss " + o.Loss + " more", Mend: "use mlp for it"}}
	}
	right := make([]bool, len(left))
	for i := range left {
		right[i] = !left[i]
	}
	l := &layout{}
	parts := make([]inputs, 2)
	at := 0
	for i, keep := range [][]bool{left, right} {
		if parts[i], err = newInputs(l, env.Schema, keep, o.Embedding, 0, at); err != nil {
			return nil, err
		}
		at += len(parts[i].numeric)
	}
	b := &towers{vector: vector}
	for i := range parts {
		if parts[i].size() == 0 && len(left) > 0 { // a row without any columns has a constant answer
			return nil, models.SpecErrors{{Path: "left", Reason: []string{"the left tower", "the right tower"}[i] + " has no columns", Mend: "the columns are " + strings.Join(columnNames(env), ", ")}}
		}
		b.sides[i] = newTower(l, &parts[i], o.trunk(), vector, env.Seed+uint64(i))
	}
	b.bias = l.take(1, nil)
	return o.net(env, l, b, out, parts...)
}

// newTower is a perceptron whose outputs do not begin at 0: the derivative of a product of zeros would be 0.
func newTower(l *layout, in *inputs, o trunkOptions, vector int, seed uint64) *perceptron {
	t := newTrunk(l, in.size(), o, seed)
	n := t.width(in.size())
	return &perceptron{inputs: in, trunk: t, top: newDense(l, n, vector, glorotBound(n, vector))}
}

func columnNames(env models.Env) []string {
	var names []string
	for _, c := range env.Schema.Columns {
		names = append(names, c.Name)
	}
	return names
}

// towers is the product of the vectors of two perceptrons plus a constant.
type towers struct {
	sides  [2]*perceptron
	vector int
	bias   span
}

type towersPass struct {
	sides [2]perceptronPass
	v     [2][]float64 // the vectors
	dv    []float64    // derivatives by one of them
}

func (b *towers) memory() any {
	p := &towersPass{dv: make([]float64, b.vector)}
	for i, s := range b.sides {
		p.sides[i].trunk, p.v[i] = s.trunk.memory(), make([]float64, b.vector)
	}
	return p
}

func (b *towers) forward(w []float64, p *pass) {
	m := p.own.(*towersPass)
	for i, s := range b.sides {
		s.run(w, p.parts[i].x, m.v[i], &m.sides[i], p)
	}
	p.scores[0] = b.bias.of(w)[0]
	for k, v := range m.v[0] {
		p.scores[0] += float64(v * m.v[1][k])
	}
}

func (b *towers) backward(w, g []float64, p *pass) {
	m, slope := p.own.(*towersPass), p.slopes[0]
	b.bias.of(g)[0] += slope
	for i, s := range b.sides {
		for k, v := range m.v[1-i] {
			m.dv[k] = float64(slope * v)
		}
		s.learn(w, g, p.parts[i].x, m.dv, p.parts[i].dx, &m.sides[i])
		s.inputs.fold(&p.parts[i])
	}
}
