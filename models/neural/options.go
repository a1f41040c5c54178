package neural

import (
	"fmt"
	"math"
	"strconv"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/optim"
)

// Options are what all nets of this package take. Start from Defaults.
type Options struct {
	Hidden     []int   // widths of the hidden layers, in [1, 4096]
	Activation string  // leaky_relu, relu, tanh, sigmoid, gelu
	LayerNorm  bool    // in every hidden layer, before the activation
	Dropout    float64 // share of hidden units left out while learning, in [0, 1)

	Embedding     int     // length of a category's vector, in [1, 256]
	Rows          int     // greatest number of categories with a vector of their own, rounded up to a power of two, in [512, 2^26]
	MinCount      int     // label of a category at which it gets one, in [1, 255]
	Expire        float64 // seconds of event time without a label after which it loses it; 0: never
	EmbeddingRate float64 // learning rate of the vectors (AdaGrad), > 0

	Loss         string    // auto, focal, squared, huber, absolute, gaussian, quantiles
	Quantiles    []float64 // of the loss quantiles, increasing, in (0, 1)
	NegativeRate float64   // share of the negative examples that were kept before, in (0, 1]

	HalfLife     float64 // values after which one counts half in the moments of inputs and target; 0: never
	MaxNorm      float64 // greatest norm of a gradient; 0: no limit
	Shadow       int     // labels between two copies of the weights to go back to; 0: none
	Batch        int     // labels of a step, at least 1
	Replay       int     // newest labels that are kept to be learned again; 0: none
	ReplayLabels int     // labels learned again after each

	// Optimizer makes the one of the dense weights, for n of them; nil is RMSProp as in Defaults.
	Optimizer func(n int) (*optim.Block, error)
}

// Defaults are the options that the catalogue has.
func Defaults() Options {
	return Options{Hidden: []int{64, 32}, Activation: "leaky_relu", LayerNorm: true, Embedding: 8, Rows: 1 << 17, MinCount: 1, EmbeddingRate: 0.05,
		Loss: "auto", Quantiles: []float64{0.05, 0.5, 0.95}, NegativeRate: 1, MaxNorm: 10, Shadow: 1000, Batch: 1, ReplayLabels: 1}
}

const (
	defaultRate     = 0.003
	defaultDiscount = 0.999
	defaultEpsilon  = 1e-6
	defaultWarmUp   = 200
)

var optimizerParam = models.Param{Name: "optimizer", Part: models.OptimizerKind,
	Default: models.Spec{Stages: []models.Stage{{Name: "rmsprop", Params: map[string]any{"learning_rate": defaultRate, "discount": defaultDiscount, "epsilon": defaultEpsilon,
		"schedule": map[string]any{"constant": map[string]any{"warm_up": defaultWarmUp}}}}}},
	Doc: fmt.Sprintf("of the dense weights. The default is `{rmsprop: {learning_rate: %g, discount: %g, epsilon: %.6f, schedule: {constant: {warm_up: %d}}}}`: "+
		"without momentum, which falls behind where labels follow each other. `ftrl`, `coin` and `normalized_adaptive_gradient` cannot train a net", defaultRate, defaultDiscount, defaultEpsilon, defaultWarmUp)}

// Parameters by what they are about; a component takes those that it has a use for.
var (
	hiddenParam = models.Param{Name: "hidden", Default: []int{64, 32}, Range: models.Between(1, 4096), Unit: "units", Doc: "widths of the hidden layers, from the inputs on; `[]` for none"}

	layerParams = []models.Param{hiddenParam,
		{Name: "activation", Default: "leaky_relu", Choices: activationNames, Doc: "of hidden units"},
		{Name: "layer_norm", Default: true, Doc: "centre and scale each hidden layer's sums before the activation: probabilities are less extreme, for a tenth more time"},
		{Name: "dropout", Default: 0.0, Range: models.Range{Min: 0, Max: 1, OpenMax: true}, Doc: "share of hidden units left out while learning; the draws are a function of seed and label"},
	}
	embeddingParams = []models.Param{
		{Name: "embedding", Default: 8, Range: models.Between(1, 256), Doc: "length of the vector of a category"},
		{Name: "max_categories", Default: 1 << 17, Range: models.Between(512, 1<<26), Doc: "so many categories have a vector of their own, rounded up to a power of two; in a full bucket of 8 the one whose label is oldest gives way"},
		{Name: "min_count", Default: 1, Range: models.Between(1, 255), Unit: "labels", Doc: "a category gets its own vector at this label; before, it shares that of the rare ones of its column"},
		{Name: "expire_after", Default: 0.0, Range: models.AtLeast(0), Unit: "s of event time", Doc: "a vector without a label for so long is dropped; 0: never"},
		{Name: "embedding_learning_rate", Default: 0.05, Range: models.Above(0), Doc: "of AdaGrad, for every number of a vector"},
	}
	lossParams = []models.Param{
		{Name: "loss", Default: "auto", Choices: lossNames, Doc: "auto: logistic, cross-entropy or squared by the task; classes also focal; numbers also huber, absolute, gaussian (appends the standard deviation to the answer) and quantiles (answers with the middle one, appends all)"},
		{Name: "quantiles", Default: []float64{0.05, 0.5, 0.95}, Range: models.Inside(0, 1), Doc: "with the loss quantiles: which, in increasing order"},
		{Name: "negative_rate", Default: 1.0, Range: models.AboveTo(0, 1), Doc: "binary: the share of negative examples that were kept before they came here; probabilities are corrected for it"},
	}
	learnParams = []models.Param{optimizerParam,
		{Name: "half_life", Default: 0.0, Range: models.AtLeast(0), Unit: "values", Doc: "after so many values one counts half in the means and deviations that inputs and targets are scaled by; 0: all count alike"},
		{Name: "max_gradient_norm", Default: 10.0, Range: models.AtLeast(0), Doc: "longer gradients are shortened to it; 0: off. Far below 10 it ruins probabilities: just the gradients of wrong answers would shrink"},
		{Name: "shadow_every", Default: 1000, Range: models.Between(0, 1<<40), Unit: "labels", Doc: "the weights are copied so often, and go back to the copy when the recent loss is more than twice what it was; 0: off"},
		{Name: "batch", Default: 1, Range: models.Between(1, 1<<20), Unit: "labels", Doc: "labels of one step, at fixed places of the log, of whichever entities; vectors of categories move at every label"},
		{Name: "replay", Default: 0, Range: models.Between(0, 1<<24), Unit: "labels", Doc: "so many of the newest labels are kept with their rows (by recurrent nets with the events that they went back through, and the state before) to be learned again; 0: none"},
		{Name: "replay_labels", Default: 1, Range: models.Between(1, 100), Unit: "labels", Doc: "with replay: so many are learned again after each label, drawn at random by the seed"},
	}
)

// optionsOf reads the parameters of a component that has those of layers, embeddings, losses and learning.
func optionsOf(a models.Args, env models.Env) Options {
	o := Defaults().learning(a, env).batches(a)
	o.Hidden, o.Activation, o.LayerNorm, o.Dropout = a.Ints("hidden"), a.Text("activation"), a.Bool("layer_norm"), a.Float("dropout")
	o.Loss, o.Quantiles, o.NegativeRate = a.Text("loss"), a.Floats("quantiles"), a.Float("negative_rate")
	return o.embeddings(a)
}

// embeddings reads embeddingParams.
func (o Options) embeddings(a models.Args) Options {
	o.Embedding, o.Rows, o.MinCount = a.Int("embedding"), a.Int("max_categories"), a.Int("min_count")
	o.Expire, o.EmbeddingRate = a.Float("expire_after"), a.Float("embedding_learning_rate")
	return o
}

// batches reads the last three of learnParams.
func (o Options) batches(a models.Args) Options {
	o.Batch, o.Replay, o.ReplayLabels = a.Int("batch"), a.Int("replay"), a.Int("replay_labels")
	return o
}

// learning reads the first four of learnParams.
func (o Options) learning(a models.Args, env models.Env) Options {
	o.HalfLife, o.MaxNorm, o.Shadow = a.Float("half_life"), a.Float("max_gradient_norm"), a.Int("shadow_every")
	o.Optimizer = func(n int) (*optim.Block, error) { return optim.BuildBlock(a, "optimizer", env, n) }
	return o
}

func (o *Options) trunk() trunkOptions {
	return trunkOptions{Hidden: o.Hidden, Activation: parseActivation(o.Activation), LayerNorm: o.LayerNorm, Dropout: o.Dropout}
}

func (o *Options) output(env models.Env) (output, error) {
	return newOutput(env, outputOptions{Loss: o.Loss, Quantiles: o.Quantiles, NegativeRate: o.NegativeRate})
}

// table returns the table of embeddings of a part, nil if it has no categories.
func (o *Options) table(in *inputs, seed uint64) *table {
	if len(in.fields) == 0 {
		return nil
	}
	return newTable(in.stride(), embeddingOptions{Rows: 1 << bitsOf(max(512, o.Rows)), Gate: o.MinCount, Expire: int64(min(o.Expire, 1e11) * 1e6),
		Rate: o.EmbeddingRate, Lead: in.lead, Spread: 0.1 / math.Sqrt(float64(max(1, in.width))), Seed: seed})
}

// maxWeights bounds the dense weights of a net.
const maxWeights = 1 << 24

// weights makes the weights of a layout and their optimizer.
func (o *Options) weights(l *layout, seed uint64) (*params, error) {
	if l.n > maxWeights {
		return nil, models.SpecErrors{{Path: "hidden", Reason: "a net of " + strconv.Itoa(l.n) + " weights, at most " + strconv.Itoa(maxWeights), Mend: "narrower layers, or fewer columns"}}
	}
	make := o.Optimizer
	if make == nil {
		make = func(n int) (*optim.Block, error) {
			return optim.NewBlock(optim.NewRMSProp(n, optim.Schedule{Rate: defaultRate, WarmUp: defaultWarmUp}, defaultDiscount, defaultEpsilon), n)
		}
	}
	block, err := make(l.n)
	if err != nil {
		return nil, err
	}
	return newParams(l, seed, block), nil
}

// stride is how these weights are moved.
func (o *Options) stride(p *params) stride {
	return stride{params: p, steady: newSteady(steadyOptions{o.MaxNorm, o.Shadow}, len(p.w)), batch: uint64(max(1, o.Batch))}
}

// net puts a net together.
func (o *Options) net(env models.Env, l *layout, b body, out output, parts ...inputs) (*Net, error) {
	p, err := o.weights(l, env.Seed)
	if err != nil {
		return nil, err
	}
	numbers := 0
	for i := range parts {
		numbers += len(parts[i].numeric)
	}
	n := &Net{shape: &shape{parts: parts, body: b, out: out, rate: rateOf(o.HalfLife)}, stride: o.stride(p),
		known:  newKnown(p.w, numbers),
		replay: newReplay(o.Replay, o.ReplayLabels, len(env.Schema.Columns), env.Seed)}
	n.tables, n.rows = make([]*table, len(parts)), make([]*rows, len(parts))
	for i := range parts {
		if n.tables[i] = o.table(&parts[i], env.Seed); n.tables[i] != nil {
			n.rows[i] = &n.tables[i].rows
		}
	}
	n.pass = n.memory()
	return n, nil
}
