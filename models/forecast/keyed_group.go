package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// UpdateIn is Update of a series of a group: a new one starts from what group knows, and one that has grown up is told to it, which allocates the group's new state.
func (k *Keyed) UpdateIn(state, group []byte, t int64, x []float64) (next, known []byte, late bool) {
	if len(x) < 1+k.cfg.Inputs || !finite(x[0]) {
		return state, nil, false
	}
	s := k.pool.Get().(*scratch)
	defer k.pool.Put(s)
	if s.load(state) != nil {
		state = state[:0]
	}
	if k.cfg.Group && s.newest == features.NoTime {
		_ = s.loadGroup(group)
		s.begun.begin(&s.group)
	}
	s.heard, s.known, s.tells = group, nil, k.cfg.Group
	late = s.take(within(t), x)
	known, s.heard, s.known, s.tells = s.known, nil, nil, false
	s.visitor.Save(state[:0])
	s.state(&s.visitor)
	next = s.visitor.Bytes()
	s.visitor.Save(nil)
	return next, known, late
}

// begin takes a value that was just taken into the series into its start, own is what the model alone had forecast; at the step at which the series has grown up, its group is told. A read, which
// takes in what still waits for older values, tells nobody.
func (s *scratch) begin(y, own float64, first bool) {
	s.begun.take(s.phase(s.track.slot), y, own, first)
	if !s.tells {
		return
	}
	if !s.begun.isTold && s.begun.steps >= s.begun.grown() {
		_ = s.loadGroup(s.heard) // bytes that are none: a group that knows nothing
		s.group.learn(&s.begun)
		s.begun.isTold = true
		s.visitor.Save(nil)
		s.groupState(&s.visitor)
		s.known = s.visitor.Bytes()
		s.visitor.Save(nil)
	}
	if s.begun.isTold && (s.begun.siblings == 0 || s.begun.steps >= s.begun.over()) {
		s.begun.reset()
	}
}

// loadGroup makes s.group that of the bytes; bytes that are none are a group that knows nothing.
func (s *scratch) loadGroup(group []byte) error {
	s.group.reset()
	if len(group) == 0 {
		return nil
	}
	s.visitor.Load(group)
	s.groupState(&s.visitor)
	err := s.visitor.Close()
	if err != nil {
		s.group.reset()
	}
	return err
}

func (s *scratch) groupState(c *codec.State) {
	version := byte(keyedVersion)
	c.Byte(&version)
	if version != keyedVersion {
		c.Fail("version %d of the state of a group", version)
		return
	}
	s.group.State(c)
}

// CheckGroup returns an error if the bytes are no state of a group of this forecaster.
func (k *Keyed) CheckGroup(group []byte) error {
	s := k.pool.Get().(*scratch)
	defer k.pool.Put(s)
	return s.loadGroup(group)
}

// ahead is what the model alone forecasts for the step of t, NaN where it forecasts nothing.
func (s *scratch) ahead(t int64) float64 {
	skip := s.track.Ahead(t) - 1
	if skip < 0 {
		return math.NaN()
	}
	o := s.room(1, nil)
	o.Skip = skip
	s.track.Series.Forecast(o, s.future(o, nil))
	return o.Mean[0]
}

// phase is the place of a step in the season of a start.
func (s *scratch) phase(slot int64) int {
	m := int64(s.k.season)
	return int((slot%m + m) % m)
}

// forecast answers into o, whose Skip is set, with the start's part in it.
func (s *scratch) forecast(o *models.Outlook, given [][]float64) {
	s.track.Series.Forecast(o, s.future(o, given))
	if s.begun.on {
		s.begun.mix(o, s.phase(s.track.slot+o.Skip+1))
	}
}
