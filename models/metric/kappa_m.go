package metric

// kappaM is kappa against the majority class (Bifet et al. 2015, §3.2): (p₀ − p_m)/(1 − p_m), where p_m is the
// accuracy of answering with the most frequent of the labels scored before, the lowest class on a tie
// and before the first. NaN when that rule is always right.
func kappaM(s *Set) float64 {
	rule := ratio(s.tally.majority, sum(s.tally.truth))
	return ratio(s.tally.agreement()-rule, 1-rule)
}
