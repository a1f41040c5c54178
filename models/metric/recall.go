package metric

// recall is the share of labels c that were answered "c": of class 1 for a binary task, else the mean
// over the classes that occurred as label or answer (macro). A class without labels counts 0.
func recall(s *Set) float64 { return s.tally.perClass(classRecall) }

func classRecall(hits, truth, _ float64) float64 { return orZero(ratio(hits, truth)) }
