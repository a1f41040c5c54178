package fold

import (
	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models/drift"
)

// Level is what the detector on a loss has last said.
type Level uint8

// The levels.
const (
	Steady  Level = iota // nothing so far, or a warning that has passed
	Warning              // the loss is suspect now, short of a change
	Drift                // the loss has changed
)

// String is the word for a level: none, warning or drift.
func (l Level) String() string { return [...]string{"none", "warning", "drift"}[l] }

// spoken is what the detector on a loss has said, and when, by the event time of the example with which it said it. It is no part of the scores, whose hash it
// leaves as it is.
type spoken struct {
	warning  bool   // suspect now
	warnings uint64 // how often that began
	warned   int64  // when that last began; features.NoTime if never
	wary     bool   // the last warning was of a rise
	changed  int64  // when it last reported a change; features.NoTime if never, or not known
	rose     bool   // the last change was a rise
}

func silent() spoken { return spoken{warned: features.NoTime, changed: features.NoTime} }

// hear takes in what the detector says of an example with event time t, and reports whether a warning has begun.
func (s *spoken) hear(d drift.Detector, changed bool, t int64) (warned bool) {
	if changed {
		s.changed, s.rose = t, d.Rose()
	}
	before := s.warning
	s.warning = d.Warning()
	if s.warning {
		s.wary = d.Rose()
	}
	if !s.warning || before {
		return false
	}
	s.warnings, s.warned = s.warnings+1, t
	return true
}

// guess fills in what a state of version 1 says of it.
func (s *spoken) guess(d drift.Detector, rose bool) {
	*s = silent()
	s.warning, s.wary, s.rose = d.Warning(), d.Rose(), rose
}

func (s *spoken) state(c *codec.State) {
	c.Bool(&s.warning)
	c.Uint64(&s.warnings)
	c.Int64(&s.warned)
	c.Bool(&s.wary)
	c.Int64(&s.changed)
	c.Bool(&s.rose)
}

// Said is what the detector on the loss of a member has last said.
type Said struct {
	Detector  string // adwin, ddm, …
	Level     Level
	Rose      bool  // of what Level says: the loss rose, for the worse
	At        int64 // event time of the example with which it said so; features.NoTime if it is silent, or in states of older versions
	Changes   uint64
	ChangedAt int64  // of the last change
	ChangeUp  bool   // it was a rise
	Warnings  uint64 // how often a warning began
}

// said puts together what the detector has said.
func (m *member) said() Said {
	s := &m.spoken
	out := Said{Detector: m.spec.DetectorName(), At: features.NoTime, Changes: m.drifts, ChangedAt: s.changed, ChangeUp: s.rose, Warnings: s.warnings}
	switch {
	case s.warning:
		out.Level, out.At, out.Rose = Warning, s.warned, s.wary
	case m.drifts > 0:
		out.Level, out.At, out.Rose = Drift, s.changed, s.rose
	}
	return out
}
