package metric

// precision is the share of answers "c" that were right: of class 1 for a binary task, else the mean
// over the classes that occurred as label or answer (macro). A class never answered counts 0.
func precision(s *Set) float64 { return s.tally.perClass(classPrecision) }

func classPrecision(hits, _, predicted float64) float64 { return orZero(ratio(hits, predicted)) }
