package metric

// brier is the mean squared error of probabilities (Brier 1950): (p − y)² for a binary task, in [0, 1];
// the sum over classes, in [0, 2], for a multiclass one. NaN without examples.
func brier(s *Set) float64 { return ratio(s.losses.squares, s.losses.weight) }
