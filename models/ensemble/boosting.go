package ensemble

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/drift"
)

// OzaBoost is the catalogue entry of online boosting.
var OzaBoost = models.Component{
	Name: "oza_boost", Kind: models.ModelKind, Tasks: classification, Fold: 1,
	Params: []models.Param{baseParam, membersParam},
	Doc: "Online boosting: the members learn an example one after the other, with a weight drawn from a Poisson distribution whose mean falls when a member gets the example right and rises when it is wrong. " +
		"Members vote with the logarithm of their odds of being right; those that are wrong more often than right do not." + bagMissing,
	Cost: "members × that of the model", Memory: "members × that of the model", Source: "Oza & Russell 2001, fig. 2",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		return newBoost(env, a.Int("members"), maker(a, env), boostConfig{draw: true})
	},
}

// OnlineAdaBoost is the catalogue entry of online boosting without random weights.
var OnlineAdaBoost = models.Component{
	Name: "online_adaboost", Kind: models.ModelKind, Tasks: classification, Fold: 1,
	Params: []models.Param{baseParam, membersParam},
	Doc:    "Online boosting as oza_boost, in the form of AdaBoost: the weight itself is handed from member to member and nothing is drawn. The members see the same examples, so it needs no seed." + bagMissing,
	Cost:   "members × that of the model", Memory: "members × that of the model", Source: "Freund & Schapire 1997 (AdaBoost.M1); online: Oza & Russell 2001, §4",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		return newBoost(env, a.Int("members"), maker(a, env), boostConfig{})
	},
}

// BOLE is the catalogue entry of the boosting-like online learning ensemble.
var BOLE = models.Component{
	Name: "bole", Kind: models.ModelKind, Tasks: classification, Fold: 3,
	Params: []models.Param{baseParam, membersParam,
		{Name: "error_bound", Default: 0.5, Range: models.Between(0.1, 1), Doc: "members with a greater share of errors do not vote"},
		{Name: "warm_up", Default: 7, Range: models.AtLeast(1), Unit: "events", Doc: "what the detector (ddm) of a member sees before its first test"},
		{Name: "warning", Default: 1.2, Range: models.Above(0), Unit: "standard deviations", Doc: "rise of a member's error at which its successor begins to learn"},
		{Name: "drift", Default: 1.95, Range: models.Above(0), Unit: "standard deviations", Doc: "rise of a member's error at which its successor replaces it"},
	},
	Doc: "Boosting-like online learning ensemble: online boosting in which the worst member learns first and after each mistake, the best one after each hit, and every member is guarded by a drift detector that trains a successor. " +
		"The detector's levels are sensitive by default: members are short-lived, which suits labels that follow each other; under label delay that advantage goes." + bagMissing,
	Cost: "members × that of the model, twice where a successor learns", Memory: "2 × members × that of the model", Source: "Barros, Santos & Gonçalves 2016, A boosting-like online learning ensemble",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		return newBoost(env, a.Int("members"), maker(a, env), boostConfig{draw: true, sorted: true, bound: a.Float("error_bound"),
			guard: &drift.DDMConfig{WarmUp: a.Int("warm_up"), Warning: a.Float("warning"), Drift: a.Float("drift")}})
	},
}

// boostConfig says which form of boosting it is.
type boostConfig struct {
	draw   bool             // weights are drawn from Poisson distributions
	sorted bool             // the order of the members follows their accuracy
	bound  float64          // greatest share of errors of a voter; 0: ½
	guard  *drift.DDMConfig // of the detectors; nil: members are not guarded
}

// boost is online boosting in its three forms. It is a models.Learner.
type boost struct {
	ballot
	cfg   boostConfig
	fresh freshLearner
	dice  dice
	parts []boostMember
	order []int   // by accuracy, the best first; sorted only
	seen  float64 // weight of the examples learned
	swaps uint64
	gone  models.Drops // counts of members that are gone
}

type boostMember struct {
	base
	hits, errors float64    // boosting weight of the examples it got right and wrong
	next         base       // the successor; no learner: none
	errs         *drift.DDM // nil: not guarded
}

func newBoost(env models.Env, members int, fresh freshLearner, cfg boostConfig) (models.Learner, error) {
	b := &boost{ballot: newBallot(env, members), cfg: cfg, fresh: fresh, dice: newDice(env.Seed, 0)}
	if cfg.bound == 0 {
		b.cfg.bound = 0.5
	}
	b.parts = make([]boostMember, len(b.members))
	b.order = make([]int, len(b.members))
	b.weights = make([]float64, len(b.members))
	for i := range b.parts {
		l, err := b.fresh(b.dice.Uint64())
		if err != nil {
			return nil, err
		}
		b.order[i] = i
		b.put(i, newBase(l))
		if cfg.guard != nil {
			b.parts[i].errs = drift.NewDDMWith(*cfg.guard)
		}
	}
	if publishable(b.parts[0].learner) {
		return &publishingBoost{b}, nil
	}
	return b, nil
}

// put makes a learner the i-th member.
func (b *boost) put(i int, l base) {
	b.parts[i].base, b.members[i] = l, l.learner
}

// Observe lets the members observe.
func (b *boost) Observe(e *models.Example) {
	for i := range b.parts {
		b.parts[i].learner.Observe(e)
		if n := b.parts[i].next.learner; n != nil {
			n.Observe(e)
		}
	}
}

// mostBoost bounds the boosting weight of one example: it grows with the length of the stream for a member that is hardly ever wrong.
const mostBoost = 1e4

// Learn hands the example from member to member with a weight that falls where they are right.
func (b *boost) Learn(e *models.Example, _ []float64) {
	if !b.teaches(e) {
		return
	}
	b.seen += e.Weight
	if b.cfg.sorted {
		b.sort()
	}
	weight, ok := 1.0, false
	best, worst := 0, len(b.order)-1
	for i := range b.parts {
		at := i
		if b.cfg.sorted {
			if ok {
				at, best = b.order[best], best+1
			} else {
				at, worst = b.order[worst], worst-1
			}
		}
		ok = b.teach(at, e, weight)
		m := &b.parts[at]
		share := &m.errors
		if ok {
			share = &m.hits
		}
		*share += float64(weight * e.Weight)
		weight = min(mostBoost, weight*b.seen/(2**share))
	}
	for i := range b.parts {
		b.weights[i] = b.say(&b.parts[i])
	}
}

// sort orders the members by their accuracy. They are nearly in order: insertion, which keeps equal ones in their order.
func (b *boost) sort() {
	for i := 1; i < len(b.order); i++ {
		for j := i; j > 0 && b.parts[b.order[j-1]].accuracy() < b.parts[b.order[j]].accuracy(); j-- {
			b.order[j-1], b.order[j] = b.order[j], b.order[j-1]
		}
	}
}

func (m *boostMember) accuracy() float64 {
	if m.hits+m.errors == 0 {
		return 0
	}
	return m.hits / (m.hits + m.errors)
}

// say is the weight of a member's vote, log((1−ε)/ε); 0 for one that has not been right and wrong yet, or is wrong too often.
func (b *boost) say(m *boostMember) float64 {
	if !(m.hits > 0 && m.errors > 0) {
		return 0
	}
	e := m.errors / (m.hits + m.errors)
	if e > b.cfg.bound {
		return 0
	}
	return max(0, math.Log((1-e)/e))
}

// teach lets one member learn with a boosting weight and reports whether it gets the example right afterwards, which is
// what decides the weight for the next one (Oza & Russell's order of steps).
func (b *boost) teach(at int, e *models.Example, weight float64) bool {
	k := weight
	if b.cfg.draw {
		k = drawPoisson(&b.dice, weight)
	}
	m, answerLen := &b.parts[at], models.AnswerLen(b.task, b.classes)
	if k > 0 {
		if m.errs != nil {
			b.guard(at, e, e.Weight*k, m.right(e, answerLen))
		}
		m.train(e, e.Weight*k)
	}
	return m.right(e, answerLen)
}

// guard feeds the detector of a member with what it got right before learning, and lets its successor learn or take over.
func (b *boost) guard(at int, e *models.Example, weight float64, ok bool) {
	m := &b.parts[at]
	switch {
	case m.errs.Update(wrong(ok)):
		if m.next.learner == nil {
			m.next = b.another()
		}
		b.gone.Of(m.learner)
		b.put(at, m.next)
		m.next = base{}
		b.swaps++
	case m.errs.Warning():
		if m.next.learner == nil {
			m.next = b.another()
		}
		m.next.train(e, weight)
	default:
		b.gone.Of(m.next.learner)
		m.next = base{}
	}
}

func (b *boost) another() base {
	l, err := b.fresh(b.dice.Uint64())
	if err != nil {
		panic("ensemble: a member that could be made cannot be made again: " + err.Error())
	}
	return newBase(l)
}

// Resets returns how many members were replaced after a change.
func (b *boost) Resets() uint64 { return b.swaps }

// Dropped adds what the members count, those that are gone included.
func (b *boost) Dropped(d *models.Drops) {
	d.Of(b.gone)
	for i := range b.parts {
		d.Of(b.parts[i].learner, b.parts[i].next.learner)
	}
}

// State visits the members, their successors and the weights.
func (b *boost) State(s *codec.State) {
	version := 1
	if b.cfg.guard != nil {
		version = 3 // with detectors of models/drift, and counts of what is gone
	}
	s.Fixed("boosting version", version)
	s.Fixed("number of members", len(b.parts))
	s.Float64(&b.seen)
	s.Uint64(&b.swaps)
	if b.cfg.guard != nil {
		b.gone.State(s)
	}
	b.dice.State(s)
	taken := make([]bool, len(b.order))
	for i := range b.order {
		if b.order[i] = s.Len(b.order[i], 0, len(b.order)-1); taken[b.order[i]] {
			s.Fail("member %d stands twice in the order", b.order[i])
		}
		taken[b.order[i]] = true
	}
	for i := range b.parts {
		b.visit(s, i)
	}
}

func (b *boost) visit(s *codec.State, i int) {
	m := &b.parts[i]
	s.Float64(&m.hits)
	s.Float64(&m.errors)
	if s.Loading() && !(m.hits >= 0 && m.errors >= 0 && m.hits+m.errors < math.Inf(1)) {
		s.Fail("member %d was right %v and wrong %v times", i, m.hits, m.errors)
		m.hits, m.errors = 0, 0
	}
	m.learner.State(s)
	if s.Loading() {
		b.weights[i] = b.say(m)
	}
	if m.errs == nil {
		return
	}
	m.errs.State(s)
	has := m.next.learner != nil
	s.Bool(&has)
	if s.Loading() {
		m.next = base{}
		if has {
			l, err := b.fresh(0)
			if err != nil {
				s.Fail("successor of member %d: %v", i, err)
				return
			}
			m.next = newBase(l)
		}
	}
	if has {
		m.next.learner.State(s)
	}
}

type publishingBoost struct{ *boost }

// Publish snapshots the members.
func (b *publishingBoost) Publish() models.Predictor {
	return b.freeze(func(i int) models.Learner { return b.parts[i].learner })
}
