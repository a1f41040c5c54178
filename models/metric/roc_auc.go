package metric

import (
	"math"
	"slices"
)

// rocAUC is the area under the receiver operating characteristic: the probability that a positive
// scores above a negative, ties counting half (Mann–Whitney). It is computed over the 16,384 bins of the score
// grid, treating scores in one bin as tied. NaN until both classes occurred. See ROCBound for its error.
func rocAUC(s *Set) float64 {
	area, above := 0.0, 0.0
	pos, neg := s.scores.totals()
	s.scores.each(func(p, n float64) {
		area += float64(n * (above + p/2))
		above += p
	})
	return ratio(area, pos*neg)
}

// ROCBound returns the greatest possible distance of roc_auc from the exact area over unbinned scores:
// half of the share of (positive, negative) pairs that fall into one bin. It is 0 when equal bins hold
// equal scores only, and NaN until both classes occurred.
func (s *Set) ROCBound() float64 {
	pairs := 0.0
	pos, neg := s.scores.totals()
	s.scores.each(func(p, n float64) { pairs += float64(p * n) })
	return ratio(pairs/2, pos*neg)
}

// ExactROCAUC is the area under the receiver operating characteristic of all scores at once, ties
// counting half; labels are 1 or 0. It sorts a copy: O(n log n), for tests and small sets. NaN when one class is missing.
func ExactROCAUC(labels, scores []float64) float64 {
	order := byScore(scores)
	area, above, pos, neg := 0.0, 0.0, 0.0, 0.0
	for i := 0; i < len(order); {
		p, n, j := tied(labels, scores, order, i)
		area += float64(n * (above + p/2))
		above += p
		pos, neg, i = pos+p, neg+n, j
	}
	return ratio(area, pos*neg)
}

// byScore returns the places of the scores from the highest down.
func byScore(scores []float64) []int {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return a - b
	})
	return order
}

// tied counts the positives and negatives that share the score at place i, and returns the place after them.
func tied(labels, scores []float64, order []int, i int) (pos, neg float64, next int) {
	score := scores[order[i]]
	for next = i; next < len(order) && math.Float64bits(scores[order[next]]) == math.Float64bits(score); next++ {
		if labels[order[next]] > 0.5 {
			pos++
		} else {
			neg++
		}
	}
	return pos, neg, next
}
