package mixture

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// EWA is the catalogue entry of the exponentially weighted average.
var EWA = models.Component{
	Name: "ewa", Kind: models.ModelKind, Tasks: everyTask, Fold: 1,
	Params: []models.Param{members,
		{Name: "learning_rate", Default: 0.5, Range: models.AboveTo(0, 10), Doc: "how much of a loss counts against a member's weight"},
		{Name: "share", Default: 0.0001, Range: models.Range{Min: 0, Max: 1, OpenMax: true}, Doc: "part of every weight that is dealt out evenly at each label, so that a member can come back after a change"}},
	Doc: "Exponentially weighted average: the weight of a member falls by e^(−learning_rate·loss); the loss is the log-loss, for numbers the squared error in units of the mixture's own. " +
		"Missing values go to the members as they are.",
	Cost: "that of the members", Memory: memory, Source: "Kivinen and Warmuth 1997; share: Herbster and Warmuth 1998",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		ms, err := a.Models("models", env)
		if err != nil {
			return nil, err
		}
		return newMixture(env, ms, &ewa{losses: losses{task: env.Task}, rate: a.Float("learning_rate"), share: a.Float("share"), weights: even(len(ms))}, false), nil
	},
}

type ewa struct {
	losses
	rate, share float64
	weights     []float64 // sum 1
}

func (r *ewa) combine(out, said []float64) { weighted(out, said, r.weights) }

func (r *ewa) learn(y, weight float64, said []float64) {
	if r.task == models.Regression {
		var mixed [1]float64
		r.combine(mixed[:], said)
		r.observe(y-mixed[0], weight)
	}
	for i := range r.weights {
		var own []float64
		own, said = next(said)
		r.weights[i] *= math.Exp(-min(20, r.rate*weight*r.of(y, own)))
	}
	normalise(r.weights)
	each := r.share / float64(len(r.weights))
	for i, w := range r.weights {
		r.weights[i] = float64((1-r.share)*w) + each
	}
}

func (r *ewa) state(s *codec.State) {
	r.losses.state(s)
	for i := range r.weights {
		if finite(s, &r.weights[i]); !(r.weights[i] >= 0 && r.weights[i] <= 1) {
			s.Fail("weight %v of member %d", r.weights[i], i)
			r.weights[i] = 0
		}
	}
}

func (r *ewa) clone() rule {
	c := *r
	c.weights = slices.Clone(r.weights)
	return &c
}
