package metric

import "math"

// f1 is the harmonic mean of precision and recall, 2·hits/(labels + answers): of class 1 for a binary
// task, else the mean over the classes that occurred as label or answer (macro). NaN without examples; 0 when class 1
// neither occurred nor was answered.
func f1(s *Set) float64 { return s.tally.perClass(classF1) }

func classF1(hits, truth, predicted float64) float64 { return orZero(ratio(2*hits, truth+predicted)) }

// perClass applies f to class 1 of a binary task, or averages it over the classes that occurred.
func (t *tally) perClass(f func(hits, truth, predicted float64) float64) float64 {
	if !(sum(t.truth) > 0) {
		return math.NaN()
	}
	if len(t.truth) == 2 {
		return f(t.hits[1], t.truth[1], t.predicted[1])
	}
	total, classes := 0.0, 0
	for c := range t.truth {
		if t.truth[c] > 0 || t.predicted[c] > 0 {
			total += f(t.hits[c], t.truth[c], t.predicted[c])
			classes++
		}
	}
	return total / float64(classes)
}

func orZero(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return x
}
