package metric

// kappa is Cohen's kappa (1960): (p₀ − pₑ)/(1 − pₑ), where p₀ is the accuracy and pₑ that of answers drawn at
// random with the same margins. 1 is perfect, 0 no better than chance; NaN without examples and when
// labels and answers are all of one class.
func kappa(s *Set) float64 {
	n := sum(s.tally.truth)
	chance := 0.0
	for c := range s.tally.truth {
		chance += float64(ratio(s.tally.truth[c], n) * ratio(s.tally.predicted[c], n))
	}
	return ratio(s.tally.agreement()-chance, 1-chance)
}
