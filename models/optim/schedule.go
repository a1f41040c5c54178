package optim

import (
	"math"

	"github.com/freshet-ml/freshet/models"
)

// Shape is how a schedule goes on after its warm-up.
type Shape uint8

// The shapes.
const (
	Inverse Shape = iota // rate / (1 + t)^Power: constant for Power 0, the classical inverse scaling for ½
	Stairs               // rate · Factor^⌊t / Steps⌋
	Cosine               // from rate down to Factor · rate along half a cosine over Steps, then constant (Loshchilov and Hutter 2017, without restarts)
)

// Schedule is how a learning rate changes with the number of steps of a model. The zero Shape with Power 0 is constant.
type Schedule struct {
	Rate   float64 // > 0
	Power  float64 // ≥ 0, of Inverse
	Shape  Shape
	Steps  uint64  // ≥ 1, of Stairs and Cosine
	Factor float64 // in [0, 1], of Stairs and Cosine
	WarmUp uint64  // the rate climbs in so many equal steps to its full height, then the shape begins (Goyal et al. 2017, §2.2)
}

// At returns the rate of step t, counted from 0.
func (s *Schedule) At(t uint64) float64 {
	if s.WarmUp > 0 {
		if t < s.WarmUp {
			return s.Rate * (float64(t+1) / float64(s.WarmUp))
		}
		t -= s.WarmUp
	}
	if s.Shape == Inverse && s.Power == 0 {
		return s.Rate
	}
	return s.falling(t)
}

func (s *Schedule) falling(t uint64) float64 {
	switch s.Shape {
	case Stairs:
		return s.Rate * math.Pow(s.Factor, float64(t/s.Steps))
	case Cosine:
		part := float64(min(t, s.Steps)) / float64(s.Steps)
		return s.Rate * (s.Factor + float64((1-s.Factor)*float64(0.5*(1+math.Cos(math.Pi*part)))))
	}
	if s.Power == 0.5 {
		return s.Rate / math.Sqrt(1+float64(t))
	}
	return s.Rate / math.Pow(1+float64(t), s.Power)
}

var (
	warmUp = models.Param{Name: "warm_up", Default: 0, Range: models.Between(0, 1e12), Unit: "labels", Doc: "the rate climbs evenly to its full height over so many"}
	spans  = models.Param{Name: "steps", Default: 10000, Range: models.Between(1, 1e12), Unit: "labels"}
)

func documented(p models.Param, doc string) models.Param {
	p.Doc = doc
	return p
}

// Schedules lists them for the catalogue.
var Schedules = []models.Component{
	{Name: "constant", Kind: models.ScheduleKind, Fold: 1, Cost: "O(1)", Doc: "The rate stays, so that the model keeps following a drifting stream.",
		Params: []models.Param{warmUp},
		NewPart: func(a models.Args, _ models.Env) (any, error) {
			return Schedule{WarmUp: uint64(a.Int("warm_up"))}, nil
		}},
	{Name: "inverse_scaling", Kind: models.ScheduleKind, Fold: 1, Cost: "O(1)", Doc: "The rate falls as 1 / (1 + labels)^power: for streams that stand still.",
		Source: "Robbins and Monro 1951",
		Params: []models.Param{{Name: "power", Default: 0.5, Range: models.Between(0, 1), Doc: "how fast it falls"}, warmUp},
		NewPart: func(a models.Args, _ models.Env) (any, error) {
			return Schedule{Power: a.Float("power"), WarmUp: uint64(a.Int("warm_up"))}, nil
		}},
	{Name: "step", Kind: models.ScheduleKind, Fold: 1, Cost: "O(1)", Doc: "The rate is multiplied by a factor after every so many labels.",
		Params: []models.Param{documented(spans, "labels between two falls"), {Name: "factor", Default: 0.5, Range: models.AboveTo(0, 1), Doc: "what remains of the rate"}, warmUp},
		NewPart: func(a models.Args, _ models.Env) (any, error) {
			return Schedule{Shape: Stairs, Steps: uint64(a.Int("steps")), Factor: a.Float("factor"), WarmUp: uint64(a.Int("warm_up"))}, nil
		}},
	{Name: "cosine", Kind: models.ScheduleKind, Fold: 1, Cost: "O(1)", Doc: "The rate falls along half a cosine, then stays.",
		Source: "Loshchilov and Hutter 2017, without restarts",
		Params: []models.Param{documented(spans, "length of the fall"), {Name: "factor", Default: 0.1, Range: models.Between(0, 1), Doc: "share of the rate that stays"}, warmUp},
		NewPart: func(a models.Args, _ models.Env) (any, error) {
			return Schedule{Shape: Cosine, Steps: uint64(a.Int("steps")), Factor: a.Float("factor"), WarmUp: uint64(a.Int("warm_up"))}, nil
		}},
}

var scheduleParam = models.Param{Name: "schedule", Default: models.Named("constant"), Part: models.ScheduleKind, Doc: "how the rate changes with time"}

// schedule reads learning_rate and schedule.
func schedule(a models.Args, env models.Env) (Schedule, error) {
	p, err := a.Part("schedule", env)
	if err != nil {
		return Schedule{}, err
	}
	s := p.(Schedule)
	s.Rate = a.Float("learning_rate")
	return s, nil
}
