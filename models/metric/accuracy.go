package metric

// accuracy is the share of answers whose class is the label's: in [0, 1], NaN without examples.
func accuracy(s *Set) float64 { return s.tally.agreement() }
