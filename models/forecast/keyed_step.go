package forecast

import "slices"

// maxZeros bounds the steps without values of a series of sums that are taken for 0 at once: of a longer gap the newest so many; the others count as not observed.
const maxZeros = 1024

// gather puts a value of a series with an aggregate into its step, and takes in the steps for which none can come any more: those that ended by the lateness before the newest value.
func (s *scratch) gather(t int64, x []float64) (late bool) {
	slot := s.track.at(t)
	if s.track.started && slot <= s.track.slot {
		s.late++
		return true
	}
	s.newest = max(s.newest, t)
	at, inputs := len(s.held), x[1:1+s.k.cfg.Inputs]
	for at > 0 && s.track.at(s.held[at-1].Time) > slot {
		at--
	}
	if at > 0 && s.track.at(s.held[at-1].Time) == slot {
		h := &s.held[at-1]
		if t >= h.Time {
			copy(s.waiting[h.from:], inputs)
		}
		h.Add(s.k.cfg.Aggregate, t, x[0])
	} else {
		h := held{from: len(s.waiting)}
		h.Add(s.k.cfg.Aggregate, t, x[0])
		s.waiting = append(s.waiting, inputs...)
		s.held = slices.Insert(s.held, at, h)
	}
	open, n := s.track.at(within(s.newest-s.k.cfg.Lateness)), 0 // the first step that is not over for good
	for n < len(s.held) && (s.track.at(s.held[n].Time) < open || len(s.held)-n > maxHeld) {
		s.observeStep(&s.held[n])
		s.done = max(s.done, s.held[n].Time)
		n++
	}
	s.held = slices.Delete(s.held, 0, n)
	s.zeros(open - 1)
	return false
}

// observeStep takes a step into the series, after those before it that had no value.
func (s *scratch) observeStep(h *held) {
	s.zeros(s.track.at(h.Time) - 1)
	y, _ := h.Of(s.k.cfg.Aggregate)
	s.observe(h.Time, y, s.waiting[h.from:h.from+len(s.inputs)])
}

// zeros takes in the steps up to that one that had no value, of a series of sums.
func (s *scratch) zeros(upto int64) {
	if s.k.cfg.Aggregate != AggregateSum || !s.track.started {
		return
	}
	for slot := max(s.track.slot+1, upto-maxZeros+1); slot <= upto; slot++ {
		s.observe(s.track.start(slot), 0, s.inputs)
	}
}

// readySteps takes in what waits for an answer at t: steps that are over, and of means and last values the present one, too.
func (s *scratch) readySteps(t int64) {
	if len(s.held) == 0 && !s.track.started {
		return
	}
	present := s.track.at(max(t, s.newest))
	for i := range s.held {
		if slot := s.track.at(s.held[i].Time); slot < present || s.k.cfg.Aggregate != AggregateSum {
			s.observeStep(&s.held[i])
		}
	}
	s.zeros(present - 1)
}
