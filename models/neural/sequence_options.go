package neural

import (
	"slices"
	"strconv"

	"github.com/freshet-ml/freshet/models"
)

// SequenceOptions are what recurrent nets take. Start from SequenceDefaults.
type SequenceOptions struct {
	Options // Replay is of windows, of as many events as steps; Hidden are the layers between the state and the scores

	Units         int  // numbers of the hidden state, in [1, 512]; even for a linear recurrence
	Steps         int  // events that a label goes back through, its own included, in [1, 64]
	Held          int  // events of an entity that are held, in [Steps, 1024]
	Entities      int  // greatest number of entities that are remembered, in [1, 2^26]
	PreviousLabel bool // the last label of the entity that is known is an input
}

// SequenceDefaults are the options that the catalogue has for gru and rnn.
func SequenceDefaults() SequenceOptions {
	o := SequenceOptions{Options: Defaults(), Units: 16, Steps: 8, Held: 16, Entities: 50_000}
	o.Hidden, o.LayerNorm = nil, false
	return o
}

// sequenceParams are those of a recurrent net with these layers between state and scores.
func sequenceParams(layers []int) []models.Param {
	own := []models.Param{
		{Name: "units", Default: 16, Range: models.Between(1, 512), Doc: "numbers of the hidden state"},
		{Name: "steps", Default: 8, Range: models.Between(1, 64), Unit: "events", Doc: "a label goes back through so many of its entity's events, its own included; an answer walks through as many"},
		{Name: "held", Default: 16, Range: models.Between(1, 1024), Unit: "events", Doc: "so many of an entity's last events are held, at least steps: a label may come so many less steps of its entity's events late and still go back all steps; later ones teach one step"},
		{Name: "max_entities", Default: 50_000, Range: models.Between(1, 1<<26), Unit: "entities", Doc: "so many entities are remembered; the one whose newest event is oldest makes room"},
		{Name: "previous_label", Default: false, Doc: "the entity's last label that is known at the event is an input, with one that says whether there is any"},
		{Name: "layers", Default: layers, Range: models.Between(1, 4096), Unit: "units", Doc: "widths of dense layers between the hidden state, which the inputs of the event go beside, and the scores; `[]` for none"},
		{Name: "activation", Default: "leaky_relu", Choices: activationNames, Doc: "of these layers"},
		{Name: "layer_norm", Default: false, Doc: "centre and scale each of these layers' sums before the activation"},
	}
	return slices.Concat(own, embeddingParams, lossParams, learnParams)
}

func sequenceOptions(a models.Args, env models.Env) SequenceOptions {
	o := SequenceDefaults()
	o.Units, o.Steps, o.Held, o.Entities = a.Int("units"), a.Int("steps"), a.Int("held"), a.Int("max_entities")
	o.PreviousLabel = a.Bool("previous_label")
	o.Hidden, o.Activation, o.LayerNorm = a.Ints("layers"), a.Text("activation"), a.Bool("layer_norm")
	o.Loss, o.Quantiles, o.NegativeRate = a.Text("loss"), a.Floats("quantiles"), a.Float("negative_rate")
	o.Options = o.Options.embeddings(a).learning(a, env).batches(a)
	return o
}

const (
	sequenceDoc    = " Each entity has a hidden state of its own, which its last events are walked through with the weights as they are; the exact derivatives go back through them from the event that a label belongs to, even when it comes late." + inputsDoc
	sequenceMemory = "24 bytes a weight (32 with the copy that shadow_every keeps), 8 · (embedding + 2) bytes a category, and for each of the held events of an entity 8 · (units + 2 · numeric columns + categories) + 24 bytes, " +
		"at most max_entities times held of them; with replay 8 · (units + steps · (2 · numeric columns + categories)) bytes a label that is kept; copies of what changed in versions that are still read"
	sequenceCost = "O(steps · weights of the recurrence)"
)

// sequenceComponent is a catalogue entry of a net that remembers entities: what it is, what it is good for, the layers behind its state, and its cell.
func sequenceComponent(name, what, uses string, layers []int, source string, cell func(l *layout, inputs, units int) cell) models.Component {
	return models.Component{
		Name: name, Kind: models.ModelKind, Tasks: supervised, Entities: true, Fold: 2, Bounds: sequenceBounds, Doc: what + sequenceDoc + uses,
		Params: sequenceParams(layers), Cost: sequenceCost, Memory: sequenceMemory, Source: source,
		NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
			n, err := newSequence(env, sequenceOptions(a, env), cell)
			if err != nil {
				return nil, err
			}
			return n, nil
		},
	}
}

// GRUComponent is the catalogue entry of the gated recurrent unit.
var GRUComponent = sequenceComponent("gru", "A gated recurrent net over the events of each entity, in their order.",
	" Good for: labels that depend on what an entity did some events ago and in which order, where no window or lag names it: machines, accounts, patients, sessions. "+
		"Not for: rows without an entity or with one event each (use mlp); what a lag, a last value or a mean over a window says as well, which is faster and can be read; effects further back than steps, which only the state may carry. "+
		"A project says whose each event is with `key` beside the pipeline, `freshet evaluate` with `--key` (without, all rows are one sequence); a row whose key is missing has no memory.",
	[]int{}, "Cho et al. 2014, §2.3, with the reset gate behind the product; back-propagation through time: Williams and Peng 1990", newGRUCell)

// RNNComponent is the catalogue entry of the simple recurrent net.
var RNNComponent = sequenceComponent("rnn", "A simple recurrent net over the events of each entity, in their order: the new state is the hyperbolic tangent of a linear function of input and state.",
	" Good for: what happened a fixed few events ago, which it finds sooner than gru at half the cost. Not for: what must be kept for an unknown while or be forgotten at once, which takes the gates of gru; otherwise as gru.",
	[]int{}, "Elman 1990; back-propagation through time: Williams and Peng 1990", newRNNCell)

// LinearRecurrenceComponent is the catalogue entry of the linear recurrent unit.
var LinearRecurrenceComponent = sequenceComponent("linear_recurrence", "A diagonal linear recurrence over the events of each entity, in their order (a linear recurrent unit): complex numbers that turn and fade, each at its own pace, and a layer behind them for what is not linear.",
	" Derivatives go back through the held events, not by real-time recurrent learning, whose sensitivities would take as much for each entity as the events do. "+
		"Good for: memories that fade or repeat (rhythms, levels, counts of what happened before), at less cost than gru, and states that last thousands of events. "+
		"Not for: memories that must be reset by what an event says, which takes the gates of gru; otherwise as gru.",
	[]int{16}, "Orvieto et al. 2023, §3; back-propagation through time: Williams and Peng 1990", newLinearCell)

// NewGRU returns a gated recurrent net for the rows and the task of env: Binary, Multiclass or Regression.
func NewGRU(env models.Env, o SequenceOptions) (*Sequence, error) {
	return newSequence(env, o, newGRUCell)
}

// NewRNN returns a simple recurrent net for the rows and the task of env: Binary, Multiclass or Regression.
func NewRNN(env models.Env, o SequenceOptions) (*Sequence, error) {
	return newSequence(env, o, newRNNCell)
}

// NewLinearRecurrence returns a linear recurrent unit for the rows and the task of env: Binary, Multiclass or Regression. The catalogue
// gives it a hidden layer of 16.
func NewLinearRecurrence(env models.Env, o SequenceOptions) (*Sequence, error) {
	return newSequence(env, o, newLinearCell)
}

func newSequence(env models.Env, o SequenceOptions, make func(l *layout, inputs, units int) cell) (*Sequence, error) {
	out, err := o.output(env)
	if err != nil {
		return nil, err
	}
	n := &recurrence{out: out, rate: rateOf(o.HalfLife), steps: o.Steps, task: env.Task}
	l := &layout{}
	if n.inputs, err = newInputs(l, env.Schema, nil, o.Embedding, 0, 0); err != nil {
		return nil, err
	}
	if o.PreviousLabel {
		n.extra = extras(env.Task, env.Classes)
	}
	if n.cell, err = o.cell(l, n.inputs.size()+n.extra, make); err != nil {
		return nil, err
	}
	n.layers = newTrunk(l, n.cell.size()+n.inputs.size()+n.extra, o.trunk(), env.Seed)
	n.top = newDense(l, n.layers.width(n.cell.size()+n.inputs.size()+n.extra), out.width(), 0)
	return o.learner(env, l, n)
}

// cell makes the cell, or says what is wrong with its sizes.
func (o *SequenceOptions) cell(l *layout, inputs int, make func(l *layout, inputs, units int) cell) (cell, error) {
	if o.Held < o.Steps {
		return nil, models.SpecErrors{{Path: "held", Reason: strconv.Itoa(o.Held) + " events are held, and a label goes back through " + strconv.Itoa(o.Steps), Mend: "held at least as great as steps"}}
	}
	c := make(l, inputs, o.Units)
	if _, complex := c.(*linearCell); complex && o.Units%2 != 0 {
		return nil, models.SpecErrors{{Path: "units", Reason: strconv.Itoa(o.Units) + " units; two of them make one complex number", Mend: "an even number"}}
	}
	return c, nil
}

// learner puts the net together.
func (o *SequenceOptions) learner(env models.Env, l *layout, r *recurrence) (*Sequence, error) {
	p, err := o.weights(l, env.Seed)
	if err != nil {
		return nil, err
	}
	shape := entityShape{held: o.Held, hidden: r.cell.size(), width: r.inputs.size() - r.inputs.embedded() + r.extra, names: len(r.inputs.fields)}
	n := &Sequence{recurrence: r, stride: o.stride(p), entities: newEntities(o.Entities, shape), known: newKnown(p.w, len(r.inputs.numeric))}
	if n.windows, err = newWindows(o.Replay, o.ReplayLabels, o.Steps, shape, env.Seed); err != nil {
		return nil, err
	}
	n.rows = make([]*rows, 1)
	if n.table = o.table(&r.inputs, env.Seed); n.table != nil {
		n.rows[0] = &n.table.rows
	}
	n.walk = r.memory()
	r.pool.New = func() any { return r.memory() }
	return n, nil
}
