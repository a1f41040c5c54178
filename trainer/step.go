package trainer

import (
	"maps"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models/forecast"
)

// over is the last watermark at which a value of a step may still come: Late after its end.
func (l *Label) over(step int64) int64 { return addTime((step+1)*l.StepLength-1, l.Late) }

// gather puts a value into its key's step, whether or not an example awaits it: one that comes late may.
func (j *Joiner) gather(l int, y float64, it *features.Item) {
	spec := &j.trigger.Labels[l]
	var ok bool
	if j.place, ok = spec.at(j.place[:0], it, spec.Key, spec.stepOf(it.Time)); !ok {
		return
	}
	g := j.open(l, spec.stepOf(it.Time), it.Seq)
	if g == nil {
		j.stats.Late++
		return
	}
	g.Add(spec.Aggregate, it.Time, y)
}

// open returns what the key and step of j.place have gathered, and sees to its end; nil if that has passed.
func (j *Joiner) open(l int, step int64, event uint64) *forecast.Gathered {
	end := j.trigger.Labels[l].over(step)
	if end < j.clock.Watermark {
		return nil
	}
	g := j.steps[l][string(j.place)]
	if g == nil {
		g = &forecast.Gathered{}
		place := string(j.place)
		j.steps[l][place] = g
		j.timers.add(timer{at: end, seq: event, label: l, place: place})
	}
	return g
}

// stepOver joins what a step has gathered to the examples that await it. Where it has no value these are closed when their wait ends.
func (j *Joiner) stepOver(tm *timer, event uint64) {
	g := j.steps[tm.label][tm.place]
	if g == nil {
		return
	}
	delete(j.steps[tm.label], tm.place)
	list := j.places[tm.label][tm.place]
	if len(list) == 0 && g.Count > 0 {
		j.stats.Orphans++
	}
	y, ok := g.Of(j.trigger.Labels[tm.label].Aggregate)
	if !ok {
		return
	}
	for _, seq := range slices.Clone(list) { // a label that is final takes its example out
		if e := j.examples[seq]; e.waiting&(1<<tm.label) != 0 {
			j.learn(tm.label, seq, e, y, tm.at, event, 0)
		}
	}
}

// gathers reports whether some label is what a step gathers.
func (j *Joiner) gathers() bool {
	return slices.ContainsFunc(j.trigger.Labels, func(l Label) bool { return l.Aggregate != forecast.AggregateNone })
}

// stateSteps visits what steps have gathered.
func (j *Joiner) stateSteps(s *codec.State) {
	for l := range j.steps {
		places := slices.Sorted(maps.Keys(j.steps[l]))
		codec.Slice(s, &places, 1, codec.MaxLen, func(s *codec.State, p *string) { s.Text(p) })
		if s.Loading() {
			j.steps[l] = make(map[string]*forecast.Gathered, len(places))
		}
		for _, place := range places {
			if s.Loading() {
				j.steps[l][place] = &forecast.Gathered{}
			}
			j.steps[l][place].State(s)
		}
	}
}
