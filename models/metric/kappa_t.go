package metric

// kappaT is the temporal kappa (Žliobaitė et al. 2015, §4): (p₀ − p')/(1 − p'), where p' is the accuracy of
// answering with the label that was scored just before. It is ≤ 0 for a model that is no better than
// "no change". Before the first label the rule answers class 0. NaN when that rule is always right.
func kappaT(s *Set) float64 {
	rule := ratio(s.tally.noChange, sum(s.tally.truth))
	return ratio(s.tally.agreement()-rule, 1-rule)
}
