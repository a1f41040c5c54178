package metric

// smape is the symmetric mean absolute percentage error as in the M4 competition:
// the mean of 200·|y − ŷ|/(|y| + |ŷ|), in [0, 200]; an example where both are 0 counts 0. NaN without examples.
func smape(s *Set) float64 { return 200 * ratio(s.errors.relative, s.errors.weight) }
