package trainer

import "github.com/freshet-ml/freshet/models/fold"

// NewReplayTo returns a replay at the beginning that hands each entry of the example logs to emit and
// folds no models itself, for callers that spread models over goroutines or score them in their own way. emit gets the
// trigger of p and an entry that it borrows. Golden then has the sums of items, states and logs only.
func NewReplayTo(p *Program, emit func(t *Trigger, e *fold.Entry)) (*Replay, error) {
	bare := &Program{Sources: p.Sources, Entities: p.Entities}
	for _, t := range p.Triggers {
		without := *t
		without.Members = nil
		bare.Triggers = append(bare.Triggers, &without)
	}
	r, err := NewReplay(bare)
	if err != nil {
		return nil, err
	}
	for i, l := range r.lines {
		t := p.Triggers[i]
		l.joiner = NewJoiner(l.trigger, p.Sources, func(e *fold.Entry) {
			l.take(e)
			emit(t, e)
		})
	}
	return r, nil
}
