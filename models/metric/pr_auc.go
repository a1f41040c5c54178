package metric

// prAUC is the area under the precision–recall curve as average precision, Σ (Rᵢ − Rᵢ₋₁)·Pᵢ over the thresholds from the
// highest score down (no interpolation; Davis & Goadrich 2006 on why). Thresholds are the edges of the 16,384 score bins, so it is exact but
// for the order of scores within one bin. NaN without positives.
func prAUC(s *Set) float64 {
	area, hits, answers := 0.0, 0.0, 0.0
	s.scores.each(func(p, n float64) {
		hits += p
		answers += p + n
		area += float64(p * (hits / answers))
	})
	return ratio(area, hits)
}

// ExactPRAUC is the average precision of all scores at once; labels are 1 or 0, equal scores share a
// threshold. It sorts a copy: O(n log n). NaN without positives.
func ExactPRAUC(labels, scores []float64) float64 {
	order := byScore(scores)
	area, hits, answers := 0.0, 0.0, 0.0
	for i := 0; i < len(order); {
		p, n, j := tied(labels, scores, order, i)
		hits += p
		answers += p + n
		area += float64(p * (hits / answers))
		i = j
	}
	return ratio(area, hits)
}
