// Package ensemble holds models made of models. In the flow they are the last stage of a pipeline, or,
// like auto, a whole pipeline with encoders of their own.
package ensemble

import (
	"slices"
	"sync"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/baseline"
	"github.com/freshet-ml/freshet/models/linear"
	"github.com/freshet-ml/freshet/models/loss"
	"github.com/freshet-ml/freshet/models/optim"
	"github.com/freshet-ml/freshet/models/preprocess"
)

// Expert is one of the models that auto mixes. Experts made outside this package see the raw rows, with
// categories as numbers, and the raw labels.
type Expert struct {
	Name string
	Dear bool // costs ten times as much as the others, or more: kept while it pays
	// New makes the model, or returns nil where it does not serve the task.
	New func(env models.Env) (models.Learner, error)
	// Bounds are the counts that it keeps.
	Bounds []models.Bound
}

// encoder sizes of auto.
const (
	autoSlots     = 32     // categories with a column of their own
	autoOverflow  = 64     // hashed columns for the others
	autoSmoothing = 20     // examples that the mean of all counts for
	autoBits      = 12     // cells of a target encoder
	autoClip      = 5      // standard deviations
	autoWinsorise = 8      // standard deviations
	autoHalfLife  = 100000 // values
	autoIntercept = 0.01   // rate at which the intercept of level follows the labels
	autoEarly     = 0.5    // mixing rate at the first label
)

// The choices of effort.
const (
	effortFull = "full"
	effortLow  = "low"
)

// Auto returns the catalogue entry of the model that a project gets when it names none. extra are
// experts beside the linear ones.
func Auto(extra ...Expert) models.Component {
	names := []string{"prior", "steady", "level", "quick", "coin", "margin"}
	for _, x := range extra {
		if !slices.Contains(names, x.Name) { // a name may stand for one model by task
			names = append(names, x.Name)
		}
	}
	bounds := []models.Bound{{What: expertsDropped, Doc: "dear experts that did not pay and were given up"}}
	bounds = append(bounds, preprocess.OneHotComponent.Bounds...)
	for _, x := range extra {
		for _, b := range x.Bounds {
			if !slices.ContainsFunc(bounds, func(a models.Bound) bool { return a.What == b.What }) {
				bounds = append(bounds, b)
			}
		}
	}
	return models.Component{
		Name: "auto", Kind: models.ModelKind, Fold: 7,
		Bounds: bounds,
		Tasks:  []models.Task{models.Binary, models.Multiclass, models.Regression},
		Params: []models.Param{
			{Name: "experts", Default: names, Choices: names, Doc: "the models that are mixed"},
			{Name: "effort", Default: effortFull, Choices: []string{effortFull, effortLow}, Doc: "low: without the dear experts (boosted, forest, mondrian, neighbors), for a tenth of the cost"},
			{Name: "learning_rate", Default: 0.02, Range: models.Above(0), Doc: "step length of steady; quick takes five times as much"},
			{Name: "discount", Default: 0.99999, Range: models.AboveTo(0, 1), Doc: "how fast steady forgets squared gradients"},
			{Name: "bend", Default: 5.0, Range: models.AtLeast(0), Unit: "units of the columns", Doc: "magnitude at which numbers turn from linear to logarithmic; 0: found for each column from its tail"},
			{Name: "mixing_rate", Default: 0.05, Range: models.AboveTo(0, 1), Doc: "how much of a loss counts against an expert's weight: 1 is Bayes' rule, which under label delay runs after every shower of like labels"},
			{Name: "share", Default: 0.00005, Range: models.Range{Min: 0, Max: 1, OpenMax: true}, Doc: "part of every expert's weight that is dealt out evenly at each label, so that a better one is found soon after a change"},
			{Name: "calibrate", Default: true, Doc: "binary only: bend the mixture's probability online so that it is true on average"},
		},
		Cost:   "O(experts × entries): about 3 µs for ten columns with effort: low, 30 to 60 µs with dear experts",
		Memory: "about 100 bytes per encoded column; up to 64 KB per categorical column; dear experts at most 24 MiB together",
		Source: "mean: Herbster and Warmuth 1998 (fixed share); pool: Genest and Zidek 1986; calibration: Zadrozny and Elkan 2001, made continuous and online",
		Doc: "What a project gets when it names no model. Numbers: signed_log (values well below 5 stay in proportion, larger ones are compressed; bend: 0 finds a bend for each column), ew_scaler with winsorised updates, clip at ±5, then missing_indicator. " +
			"Categories: one_hot up to 32 values, the rest hashed into 64 columns, and target_encoder. The experts: prior or mean, two linear models with discounted adagrad (steady, quick), one with an intercept that follows the labels at a constant " +
			"rate (level), a parameter-free one (coin), passive-aggressive (margin; classes only), a tree where there is one, and dear ones: a forest of 10, boosted trees (30 with learning_rate 0.2; for numbers 100), a Mondrian forest of 5 and nearest neighbours (both for classes). Labels of a regression are standardised for the linear experts. " +
			"Their answers are averaged by a fixed-share mixture, weighted by log-loss (regression: by squared error in units of the mixture's own); the mean, the experts and the newest labels are combined by a pool with learned exponents; and the probability of two classes is calibrated. " +
			"Each step is used while it does better than the one before. Every 8,192 labels the dear experts are dropped for good unless they lower the loss by 1 %. " +
			"Experts are weighed by the answers they gave at the predict record: Predict appends those after its own.",
		NewModel: func(a models.Args, env models.Env) (models.Learner, error) { return newAuto(a, env, extra) },
	}
}

// auto is a learner. See Auto.
type auto struct {
	mixture
	chain *models.Chain
	x     models.Example // the example as encoded
	past  []float64      // scratch: answers of now, where none were kept
}

func newAuto(a models.Args, env models.Env, extra []Expert) (models.Learner, error) {
	stages := encoders(env, a.Float("bend"))
	in := env
	if len(stages) > 0 {
		in.Schema = stages[len(stages)-1].Schema()
	}
	m := &auto{chain: models.NewChain(stages)}
	m.task, m.k, m.share, m.rate, m.early = env.Task, models.AnswerLen(env.Task, env.Classes), a.Float("share"), a.Float("mixing_rate"), autoEarly
	m.calibrate = a.Bool("calibrate") && env.Task == models.Binary
	named := a.Texts("experts")
	for _, name := range named {
		l, err := newExpert(name, a, in)
		if err != nil {
			return nil, err
		}
		if l != nil {
			m.experts = append(m.experts, expert{learner: l, predictor: l, encoded: name != "prior"})
		}
	}
	for _, dear := range []bool{false, true} {
		if dear && a.Text("effort") == effortLow {
			break
		}
		for _, x := range extra {
			if x.Dear != dear || !slices.Contains(named, x.Name) {
				continue
			}
			l, err := x.New(env)
			if err != nil {
				return nil, err
			}
			if l != nil {
				m.experts = append(m.experts, expert{learner: l, predictor: l})
			}
		}
		if !dear {
			m.light = len(m.experts)
		}
	}
	if m.light == 0 {
		return nil, models.SpecErrors{{Path: "experts", Reason: "none of the experts that are not dear serves the task " + env.Task.String(), Mend: "add prior"}}
	}
	if a.Text("effort") == effortLow {
		m.light = len(m.experts)
	}
	m.ready()
	for i := range m.experts {
		if _, ok := m.experts[i].learner.(models.Publisher); !ok {
			return m, nil
		}
	}
	return &publishingAuto{m}, nil
}

// encoders are the transformers before the linear experts.
func encoders(env models.Env, bend float64) []models.Transformer {
	var ts []models.Transformer
	schema := env.Schema
	var numeric, categorical []int
	for i, c := range schema.Columns {
		if c.Kind == features.Categorical {
			categorical = append(categorical, i)
		} else {
			numeric = append(numeric, i)
		}
	}
	add := func(t models.Transformer) {
		ts, schema = append(ts, t), t.Schema()
	}
	if len(categorical) > 0 && env.Task != models.Multiclass {
		for j := range categorical {
			numeric = append(numeric, len(env.Schema.Columns)+j)
		}
		add(preprocess.NewTargetEncoder(schema, categorical, autoSmoothing, autoBits, true))
	}
	if len(numeric) > 0 {
		add(preprocess.NewSignedLog(schema, numeric, bend))
		add(preprocess.NewEWScaler(schema, numeric, autoHalfLife, autoWinsorise, autoClip))
		add(preprocess.NewMissingIndicator(schema, numeric))
	}
	if len(categorical) > 0 {
		add(preprocess.NewOneHot(schema, categorical, autoSlots, autoOverflow))
	}
	return ts
}

// newExpert makes one of the experts of this package; nil if the name is another's.
func newExpert(name string, a models.Args, env models.Env) (models.Learner, error) {
	n := optim.Columns(env)
	var opt func() optim.Optimizer
	var options linear.Options
	switch name {
	case "prior":
		if env.Task == models.Regression {
			return baseline.NewMean(0.9995), nil
		}
		return baseline.NewPrior(env, 0.9995), nil
	case "steady":
		opt = func() optim.Optimizer {
			return optim.NewAdaGrad(n, a.Float("learning_rate"), a.Float("discount"), 1e-8)
		}
	case "level":
		opt = func() optim.Optimizer { return optim.NewAdaGrad(n, 1.5*a.Float("learning_rate"), 1, 1e-8) }
		options.InterceptRate = autoIntercept
	case "quick":
		opt = func() optim.Optimizer { return optim.NewAdaGrad(n, 5*a.Float("learning_rate"), 0.999, 1e-8) }
	case "margin":
		if env.Task == models.Regression {
			return nil, nil
		}
		return linear.NewPassiveAggressive(env, 1, 0.1, false, true), nil
	case "coin":
		opt = func() optim.Optimizer { return optim.NewCoin(n, 100) }
	default:
		return nil, nil
	}
	columns := len(env.Schema.Columns)
	switch env.Task {
	case models.Binary:
		return linear.NewLogistic(columns, loss.Logistic{}, opt(), options), nil
	case models.Multiclass:
		return linear.NewSoftmax(columns, env.Classes, func() (optim.Optimizer, error) { return opt(), nil }, options)
	}
	return linear.NewRegression(columns, loss.Huber{Delta: 3}, opt(), options), nil
}

// Predict appends the answer, and what the mixture keeps of it until the label comes.
func (m *auto) Predict(dst []float64, e *models.Example) []float64 {
	m.x = *e
	m.x.Row = m.chain.Apply(e)
	return m.predict(dst, e, &m.x)
}

// Observe lets encoders and experts observe.
func (m *auto) Observe(e *models.Example) {
	m.x = *e
	m.x.Row = m.chain.Observe(e)
	for i := range m.experts {
		m.experts[i].learner.Observe(m.pick(i, e, &m.x))
	}
}

// Learn weighs the experts by the answers they gave, learns the calibration, then lets each learn.
func (m *auto) Learn(e *models.Example, past []float64) {
	if !(e.Weight > 0) || e.Y != e.Y {
		return
	}
	if len(past) < m.head()+len(m.experts)*m.k {
		m.past = m.Predict(m.past[:0], e)
		past = m.past
	}
	m.weigh(e.Y, e.Weight, past)
	m.x = *e
	m.x.Row = m.chain.Apply(e)
	if m.task == models.Regression {
		m.labels.add(e.Y)
		m.x.Y = m.labels.standard(e.Y)
	}
	for i := range m.experts {
		at := m.head() + i*m.k
		m.experts[i].learner.Learn(m.pick(i, e, &m.x), past[at:at+m.k])
	}
	m.chain.Learn(e)
}

// Dropped adds the counts of encoders and experts, those that were given up included.
func (m *auto) Dropped(d *models.Drops) {
	d.Of(m.chain)
	m.mixture.dropped(d)
}

// State visits encoders, experts and the mixture.
func (m *auto) State(s *codec.State) {
	m.chain.State(s)
	m.mixture.state(s)
}

type publishingAuto struct{ *auto }

// Publish snapshots encoders and experts.
func (m *publishingAuto) Publish() models.Predictor {
	f := &frozenAuto{mixture: m.mixture, stages: m.chain.Snapshot()}
	f.freeze()
	for i := range f.experts {
		f.experts[i].predictor = m.experts[i].learner.(models.Publisher).Publish()
		f.experts[i].learner = nil
	}
	f.pool.New = func() any { return &frozenScratch{rows: make([]models.Row, len(f.stages))} }
	return f
}

// frozenAuto is an immutable auto for any number of goroutines.
type frozenAuto struct {
	mixture
	stages []models.Transformer
	pool   sync.Pool
}

type frozenScratch struct {
	rows   []models.Row
	raw, x models.Example
}

// Predict answers as the learner did when it was published.
func (f *frozenAuto) Predict(dst []float64, e *models.Example) []float64 {
	s := f.pool.Get().(*frozenScratch)
	s.raw, s.x = *e, *e
	for i, t := range f.stages {
		s.rows[i] = t.Transform(s.rows[i], &s.x)
		s.x.Row = s.rows[i]
	}
	dst = f.predict(dst, &s.raw, &s.x)
	s.raw, s.x = models.Example{}, models.Example{}
	f.pool.Put(s)
	return dst
}
