package metric

import "math"

// rmse is the root of the mean of (y − ŷ)², in units of the target. NaN without examples.
func rmse(s *Set) float64 { return math.Sqrt(ratio(s.errors.squares, s.errors.weight)) }
