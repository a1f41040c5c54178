package ensemble

import (
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/drift"
)

// classification is what the ensembles of classifiers serve.
var classification = []models.Task{models.Binary, models.Multiclass}

// baseParam and membersParam are parameters of the ensembles over any classifier.
var (
	baseParam    = models.Param{Name: "model", Default: models.Named("hoeffding_tree"), Part: models.ModelKind, Doc: "the members: a model or a pipeline"}
	membersParam = models.Param{Name: "members", Default: 10, Range: models.Between(1, 1000), Doc: "number of members"}
)

const bagMissing = " Missing values are the members' matter."

// OzaBagging is the catalogue entry of online bagging.
var OzaBagging = models.Component{
	Name: "oza_bagging", Kind: models.ModelKind, Tasks: classification, Fold: 2,
	Params: []models.Param{baseParam, membersParam},
	Doc: "Online bagging: every member learns each example with a weight drawn from a Poisson distribution of mean 1, as if the stream had been sampled with replacement. " +
		"The answer is the mean of the members' probabilities." + bagMissing,
	Cost: "members × that of the model", Memory: "members × that of the model", Source: "Oza & Russell 2001, fig. 1",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		return newBag(env, a.Int("members"), maker(a, env), bagConfig{mean: 1})
	},
}

// ADWINBagging is the catalogue entry of online bagging that replaces its worst member after a change.
var ADWINBagging = models.Component{
	Name: "adwin_bagging", Kind: models.ModelKind, Tasks: classification, Fold: 2,
	Params: []models.Param{baseParam, membersParam,
		{Name: "delta", Default: 0.002, Range: models.Inside(0, 1), Doc: "chance of a false alarm of the detector that watches the errors of a member"},
	},
	Doc:  "Online bagging with an ADWIN on the errors of every member: when an error has risen, the member with the greatest error starts anew." + bagMissing,
	Cost: "members × that of the model", Memory: "members × (that of the model + 5 KiB)", Source: "Bifet et al. 2009, New ensemble methods for evolving data streams, §3",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		return newBag(env, a.Int("members"), maker(a, env), bagConfig{mean: 1, delta: a.Float("delta")})
	},
}

// LeveragingBagging is the catalogue entry of leveraging bagging.
var LeveragingBagging = models.Component{
	Name: "leveraging_bagging", Kind: models.ModelKind, Tasks: classification, Fold: 2,
	Params: []models.Param{baseParam, membersParam,
		{Name: "weight", Default: 6.0, Range: models.AboveTo(0, 100), Doc: "mean weight of an example: more makes the members more different, and learn faster"},
		{Name: "delta", Default: 0.002, Range: models.Inside(0, 1), Doc: "chance of a false alarm of the detector that watches the errors of a member"},
	},
	Doc:  "Online bagging with heavier random weights, and an ADWIN on the errors of every member: when an error has risen, the member with the greatest error starts anew." + bagMissing,
	Cost: "members × that of the model", Memory: "members × (that of the model + 5 KiB)", Source: "Bifet, Holmes & Pfahringer 2010, Leveraging bagging for evolving data streams, §2",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		return newBag(env, a.Int("members"), maker(a, env), bagConfig{mean: a.Float("weight"), delta: a.Float("delta")})
	},
}

// bagConfig says how a bag samples and forgets.
type bagConfig struct {
	mean  float64 // of the Poisson weights
	delta float64 // of the detectors; 0: none
}

// bag is online bagging in its three forms. It is a models.Learner.
type bag struct {
	ballot
	cfg     bagConfig
	fresh   freshLearner
	weights *poisson
	parts   []bagMember
	resets  uint64
	gone    models.Drops // counts of members that are gone
	crew    crew
	now     *models.Example
	teach   func(i int)
}

type bagMember struct {
	base
	dice  dice
	error *drift.ADWIN // nil: not watched
	rose  bool
}

func newBag(env models.Env, members int, fresh freshLearner, cfg bagConfig) (models.Learner, error) {
	b := &bag{ballot: newBallot(env, members), cfg: cfg, fresh: fresh, weights: newPoisson(cfg.mean)}
	b.parts = make([]bagMember, len(b.members))
	for i := range b.parts {
		m := &b.parts[i]
		m.dice = newDice(env.Seed, i)
		if cfg.delta > 0 {
			m.error = drift.NewADWIN(cfg.delta)
		}
		if err := b.replace(i); err != nil {
			return nil, err
		}
	}
	b.teach = b.teachOne
	if publishable(b.parts[0].learner) {
		return &publishingBag{b}, nil
	}
	return b, nil
}

// replace puts a new learner in the i-th place.
func (b *bag) replace(i int) error {
	m := &b.parts[i]
	l, err := b.fresh(m.dice.Uint64())
	if err != nil {
		return err
	}
	b.gone.Of(m.learner)
	m.base, b.members[i] = newBase(l), l
	return nil
}

// Observe lets the members observe.
func (b *bag) Observe(e *models.Example) {
	for i := range b.parts {
		b.parts[i].learner.Observe(e)
	}
}

// Learn lets every member learn the example with a weight of its own. Errors are judged with the members as they
// are before they learn; the answer that was given earlier is not used.
func (b *bag) Learn(e *models.Example, _ []float64) {
	if !b.teaches(e) {
		return
	}
	b.now = e
	b.crew.each(len(b.parts), b.teach)
	b.now = nil
	if b.cfg.delta > 0 {
		b.forget()
	}
}

func (b *bag) teachOne(i int) {
	m := &b.parts[i]
	k := b.weights.draw(&m.dice)
	m.rose = false
	if k == 0 && m.error == nil {
		return
	}
	answerLen := models.AnswerLen(b.task, b.classes)
	var ok bool
	if k == 0 {
		ok = m.right(b.now, answerLen)
	} else {
		ok = m.trainJudged(b.now, b.now.Weight*float64(k), answerLen)
	}
	if m.error != nil {
		m.rose = m.error.Update(wrong(ok)) && m.error.Rose()
	}
}

func wrong(ok bool) float64 {
	if ok {
		return 0
	}
	return 1
}

// forget replaces the worst member when the error of any has risen.
func (b *bag) forget() {
	rose, worst := false, 0
	for i := range b.parts {
		rose = rose || b.parts[i].rose
		if b.parts[i].error.Mean() > b.parts[worst].error.Mean() {
			worst = i
		}
	}
	if !rose {
		return
	}
	b.resets++
	b.parts[worst].error = drift.NewADWIN(b.cfg.delta)
	if err := b.replace(worst); err != nil {
		panic("ensemble: a member that could be made cannot be made again: " + err.Error())
	}
}

// Resets returns how many members were replaced after a change.
func (b *bag) Resets() uint64 { return b.resets }

// Dropped adds what the members count, those that are gone included.
func (b *bag) Dropped(d *models.Drops) {
	d.Of(b.gone)
	for i := range b.parts {
		d.Of(b.parts[i].learner)
	}
}

// State visits the members.
func (b *bag) State(s *codec.State) {
	s.Fixed("bagging version", 2)
	s.Fixed("number of members", len(b.parts))
	s.Uint64(&b.resets)
	b.gone.State(s)
	for i := range b.parts {
		m := &b.parts[i]
		m.dice.State(s)
		if m.error != nil {
			m.error.State(s)
		}
		m.learner.State(s)
	}
}

type publishingBag struct{ *bag }

// Publish snapshots the members.
func (b *publishingBag) Publish() models.Predictor {
	return b.freeze(func(i int) models.Learner { return b.parts[i].learner })
}
