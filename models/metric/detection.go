package metric

import (
	"math"
	"slices"
)

// Detection is how a drift detector did on a stream whose changes are known (Bifet et al., MTD, MTFA and MDR; Gama et al., A Survey on Concept Drift Adaptation, ACM
// Computing Surveys 46(4), 2014, §5.3).
type Detection struct {
	Changes  int
	Detected int
	Missed   int
	False    int     // alarms that belong to no change
	Delay    float64 // mean events from a change to its first alarm; NaN when none was detected
	// BetweenFalse is the mean number of events between false alarms, the length of the stream without any.
	BetweenFalse float64
}

// ScoreDetection compares alarms with true changes, both as numbers of events before them, in a stream of length events. An alarm at or after a change, before the
// next one and at most horizon events later (0: any), detects it; further alarms there are repetitions and not false. All others are false.
func ScoreDetection(changes, alarms []int64, length, horizon int64) Detection {
	changes, alarms = slices.Sorted(slices.Values(changes)), slices.Sorted(slices.Values(alarms))
	d := Detection{Changes: len(changes), Delay: math.NaN()}
	found := make([]bool, len(changes))
	total := 0.0
	for _, a := range alarms {
		at, same := slices.BinarySearch(changes, a)
		if same {
			for at+1 < len(changes) && changes[at+1] == a {
				at++
			}
		} else {
			at--
		}
		switch {
		case at < 0 || horizon > 0 && a-changes[at] > horizon:
			d.False++
		case !found[at]:
			found[at] = true
			d.Detected++
			total += float64(a - changes[at])
		}
	}
	d.Missed = d.Changes - d.Detected
	if d.Detected > 0 {
		d.Delay = total / float64(d.Detected)
	}
	d.BetweenFalse = float64(length) / float64(max(d.False, 1))
	return d
}
