package metric

import "math"

// balancedAccuracy is the mean of the recalls of the classes that occurred as labels (Brodersen et al.
// 2010): in [0, 1], NaN without examples. A class that never occurred is left out.
func balancedAccuracy(s *Set) float64 {
	total, classes := 0.0, 0
	for c, n := range s.tally.truth {
		if n > 0 {
			total += s.tally.hits[c] / n
			classes++
		}
	}
	if classes == 0 {
		return math.NaN()
	}
	return total / float64(classes)
}
