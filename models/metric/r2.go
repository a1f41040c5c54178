package metric

// r2 is the coefficient of determination 1 − Σ(y − ŷ)²/Σ(y − ȳ)², where ȳ is the mean of all labels so far: 1 is perfect,
// 0 as good as knowing that mean, without lower bound. NaN while the labels have no spread.
func r2(s *Set) float64 { return 1 - ratio(s.errors.squares, s.errors.spread) }
