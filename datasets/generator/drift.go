package generator

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

var (
	firstParam  = Param{Name: "first", Stream: "sea", Doc: "the concept at the beginning"}
	secondParam = Param{Name: "second", Stream: "sea(concept=3)", Doc: "the concept after the drift; the same columns and classes"}
	atParam     = count("at", 50_000, 0, maxRows, "rows before the centre of the (first) drift")
	widthParam  = count("width", 1000, 1, maxRows, "rows over which a drift happens")
	coinParam   = seed("seed", "seed of the choice between the two concepts")
)

var abruptSpec = Spec{
	Name: "abrupt", Doc: "Changes from one concept to another at once.", Source: "definition",
	Params: []Param{firstParam, secondParam, atParam},
	New: func(a Args) (Stream, error) {
		return newSwitch(a, []Drift{{At: int64(a.int("at"))}}, nil)
	},
}

var gradualSpec = Spec{
	Name:   "gradual",
	Doc:    "Changes from one concept to another: the second is drawn with probability 1/(1 + exp(−4 (row − at)/width)), rows counted from 1.",
	Source: "Bifet et al., New Ensemble Methods for Evolving Data Streams, KDD 2009, §4; rows as MOA's ConceptDriftStream",
	Params: []Param{firstParam, secondParam, atParam, widthParam, coinParam},
	New: func(a Args) (Stream, error) {
		at, width := a.float("at"), a.float("width")
		return newSwitch(a, []Drift{{int64(at), int64(width)}}, func(row float64) float64 { return 1 / (1 + math.Exp(-4*(row-at)/width)) })
	},
}

var recurringSpec = Spec{
	Name: "recurring", Doc: "Changes to another concept and back, several times, each change as in gradual.",
	Source: "rows as MOA's RecurrentConceptDriftStream",
	Params: []Param{firstParam, secondParam, atParam, widthParam, coinParam,
		count("length", 10_000, 1, maxRows, "rows from a drift to the drift back"),
		count("stable", 10_000, 0, maxRows, "rows from a drift back to the next drift"),
		count("times", 4, 1, 1000, "how often the second concept comes")},
	New: newRecurring,
}

func newRecurring(a Args) (Stream, error) {
	at, width, length, stable, times := a.float("at"), a.float("width"), a.float("length"), a.float("stable"), a.int("times")
	var drifts []Drift
	for i := range times {
		from := at + float64(i)*(length+stable)
		drifts = append(drifts, Drift{int64(from), int64(width)}, Drift{int64(from + length), int64(width)})
	}
	return newSwitch(a, drifts, func(row float64) float64 {
		p, from := 0.0, at
		for range times {
			p += 1/(1+math.Exp(-4*(row-from)/width)) - 1/(1+math.Exp(-4*(row-(from+length))/width))
			from += length + stable
		}
		return p
	})
}

// switched draws each row from one of two streams.
type switched struct {
	streams [2]Stream
	chance  func(row float64) float64 // of the second stream, for rows counted from 1; nil: by drifts[0].At
	rng     *JavaRandom
	drifts  []Drift
	made    int64
}

func newSwitch(a Args, drifts []Drift, chance func(float64) float64) (Stream, error) {
	s := &switched{streams: [2]Stream{a.streams["first"], a.streams["second"]}, chance: chance, drifts: drifts}
	if chance != nil {
		s.rng = a.rand("seed")
	}
	one, other := s.streams[0].Meta(), s.streams[1].Meta()
	same := slices.EqualFunc(one.Columns, other.Columns, func(a, b Column) bool { return a.Name == b.Name && slices.Equal(a.Values, b.Values) })
	if !same || !slices.Equal(one.Classes, other.Classes) {
		return nil, fmt.Errorf("first and second must have the same columns and classes: the one has %d columns and %d classes, the other %d and %d",
			len(one.Columns), len(one.Classes), len(other.Columns), len(other.Classes))
	}
	return s, nil
}

func (s *switched) Meta() *Meta { return s.streams[0].Meta() }

// Drifts are those of the change, and those of the streams within that fall into their time: of the first stream before the change, of the
// second, which begins to count at the change, after it. Of streams that recur only the continuous ones are listed.
func (s *switched) Drifts() []Drift {
	out := slices.Clone(s.drifts)
	at := s.drifts[0].At
	for i, inner := range s.streams {
		for _, d := range inner.Drifts() {
			switch {
			case d.Width < 0:
			case len(s.drifts) > 1 || i == 0 && d.At >= at:
				continue
			case i == 1:
				d.At += at
			}
			if !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	slices.SortFunc(out, func(a, b Drift) int { return cmp.Compare(a.At, b.At) })
	return out
}

func (s *switched) Next(x []float64) float64 {
	s.made++
	second := 0
	if s.chance == nil {
		second = boolClass(s.made > s.drifts[0].At)
	} else if s.rng.Float64() <= s.chance(float64(s.made)) {
		second = 1
	}
	return s.streams[second].Next(x)
}
