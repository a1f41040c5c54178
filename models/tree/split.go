package tree

import "math"

// splitPoints is the number of thresholds tried between a column's least and greatest value.
const splitPoints = 10

// leastBranch is the share of the weight that at least two branches of a split must hold.
const leastBranch = 0.01

// candidate is the best split of one column.
type candidate struct {
	merit     float64 // of the null split 0
	column    int32   // −1: the null split
	slot      int32   // −1: a number
	at        int     // place among the watched columns of its kind
	threshold float64
}

var nullSplit = candidate{column: -1, slot: -1}

// ranking keeps the best and the second best candidate; not to split is one, of merit 0.
type ranking struct{ best, second candidate }

func newRanking() ranking {
	return ranking{nullSplit, candidate{merit: math.Inf(-1), column: -1, slot: -1}}
}

func (r *ranking) consider(c candidate) {
	switch {
	case c.merit > r.best.merit:
		r.best, r.second = c, r.best
	case c.merit > r.second.merit:
		r.second = c
	}
}

// hoeffding is the bound ε = √(R² ln(1/δ)/(2n)).
func hoeffding(r, delta, n float64) float64 {
	return math.Sqrt(r * r * math.Log(1/delta) / (2 * n))
}

// reach is R of the information gain: log₂ of the classes with weight, at least of two.
func (s *classStats) reach() float64 {
	seen := 0
	for _, n := range s.counts() {
		if n > 0 {
			seen++
		}
	}
	return math.Log2(float64(max(seen, 2)))
}

// rank finds the best and the second best of one candidate for each watched column and the null split, by
// information gain in bits. scratch has room for two numbers per class.
func (s *classStats) rank(lay *layout, scratch []float64) ranking {
	r := newRanking()
	before := entropy(s.counts())
	for a, column := range s.numeric {
		c := s.bestThreshold(a, before, scratch)
		c.column = column
		r.consider(c)
	}
	for i, slot := range s.slots {
		r.consider(candidate{merit: tableGain(s.tables[i], int(s.classes), before), column: lay.nominal[slot], slot: slot, at: i})
	}
	return r
}

// bestThreshold tries the gaps between the bins of a column, or equidistant thresholds between its least and its greatest value.
func (s *classStats) bestThreshold(a int, before float64, scratch []float64) candidate {
	if s.bins != nil {
		return s.histograms().best(a, before, scratch)
	}
	best := candidate{merit: math.Inf(-1), slot: -1, at: a}
	low, high := math.Inf(1), math.Inf(-1)
	for k := range int(s.classes) {
		_, _, least, most := s.moments(k)
		low, high = min(low, least[a]), max(high, most[a])
	}
	if !(low < high) {
		return best
	}
	left, right := scratch[:s.classes], scratch[s.classes:2*s.classes]
	for i := 1; i <= splitPoints; i++ {
		t := low + float64((high-low)/(splitPoints+1)*float64(i))
		if !(t > low && t < high) {
			continue
		}
		s.sides(a, t, left, right)
		if g := pairGain(left, right, before); g > best.merit {
			best.merit, best.threshold = g, t
		}
	}
	return best
}

// sides writes the weight of each class that is expected on either side of a threshold.
func (s *classStats) sides(a int, t float64, left, right []float64) {
	if s.bins != nil {
		s.histograms().sides(a, t, left, right)
		return
	}
	for k := range int(s.classes) {
		n, _, least, most := s.moments(k)
		mean, inverse := s.density(k)
		left[k] = below(t, n[a], mean[a], inverse[a], least[a], most[a])
		right[k] = n[a] - left[k]
	}
}

// below is the weight expected at or below x. Outside of the observed range it is exact.
func below(x, n, mean, inverse, least, most float64) float64 {
	switch {
	case n == 0 || x < least:
		return 0
	case x >= most:
		return n
	case inverse > math.MaxFloat64:
		return n / 2
	}
	return n * 0.5 * math.Erfc((mean-x)*math.Sqrt(inverse/2))
}

// pairGain is the information gain of a split in two, −∞ if one side holds too little.
func pairGain(left, right []float64, before float64) float64 {
	nl, nr := total(left), total(right)
	n := nl + nr
	if nl <= leastBranch*n || nr <= leastBranch*n {
		return math.Inf(-1)
	}
	return before - (plogp(left, nl)+plogp(right, nr))/(n*math.Ln2)
}

// plogp is n times the entropy of weights that sum to n, in nats.
func plogp(x []float64, n float64) float64 {
	h := n * math.Log(n)
	for _, v := range x {
		if v > 0 {
			h -= float64(v * math.Log(v))
		}
	}
	return h
}

// tableGain is the information gain of a split into one branch per value, −∞ if fewer than two branches hold enough.
func tableGain(t []float64, classes int, before float64) float64 {
	if len(t) == 0 {
		return math.Inf(-1)
	}
	n, full := total(t[:classes]), 0
	after := 0.0
	for i := classes; i < len(t); i += classes {
		branch := t[i : i+classes]
		w := total(branch)
		if w > leastBranch*n {
			full++
		}
		if w > 0 {
			after += plogp(branch, w)
		}
	}
	if full < 2 {
		return math.Inf(-1)
	}
	return before - after/(n*math.Ln2)
}

func total(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s
}

// entropy is that of the shares of non-negative weights, in bits; 0 without weight.
func entropy(x []float64) float64 {
	n := total(x)
	if !(n > 0) {
		return 0
	}
	return max(0, plogp(x, n)/(n*math.Ln2))
}

// expect appends to dst the class weights that a split expects in each branch, and for a category to branch the branch of each
// place.
func (s *classStats) expect(c candidate, dst []float64, branch []int32) ([]float64, []int32) {
	classes := int(s.classes)
	if c.slot < 0 {
		for range 2 * classes {
			dst = append(dst, 0)
		}
		s.sides(c.at, c.threshold, dst[:classes], dst[classes:])
		return dst, branch
	}
	t, next := s.tables[c.at], int32(0)
	for i := classes; i < len(t); i += classes {
		if total(t[i:i+classes]) > 0 {
			branch = append(branch, next)
			dst = append(dst, t[i:i+classes]...)
			next++
		} else {
			branch = append(branch, -1)
		}
	}
	return dst, branch
}
