package tree

import "math"

// classStats counts classes and, while it is active, keeps the distribution of every watched column in each class: for
// numbers a normal one, for categories a table.
//
// block lies flat: the class weights; for each class the logarithm of all that its naive Bayes vote holds besides the
// values of the row; for each class the means and the inverse variances of the columns (up to here a snapshot
// copies it); for each class the weights, sums of squared deviations, least and greatest values.
type classStats struct {
	*scope            // nil: inactive
	block   []float64 // only class weights: inactive
	tables  [][]float64
	bins    []float64 // with the splitter histogram, while active: see histograms
	weight  float64   // of all classes
	classes int32
	active  bool
}

// scope is the columns that a leaf watches.
type scope struct {
	numeric []int32 // columns
	slots   []int32 // of categorical columns
	room    []int32 // of a leaf's own: where both lie
}

// set makes a leaf's own scope, which has room for it, the same as another.
func (s *scope) set(from *scope) {
	n := copy(s.room, from.numeric)
	k := copy(s.room[n:], from.slots)
	s.numeric, s.slots = s.room[:n:n], s.room[n:n+k:n+k]
}

// Variances outside of these are taken as no spread and as the greatest one, so that products of a few densities stay finite.
const (
	leastVariance = 1e-60
	mostVariance  = 1e60
)

// neverSeen is the log-likelihood of a value in a class that has shown no such thing: a value other than the only
// one, or a column without any value. Finite, so that one odd column cannot veto a class for good.
const neverSeen = -30

const oneOverTwoPi = 1 / (2 * math.Pi)

// blockLen is the length of a block for so many classes and numeric columns.
func blockLen(classes, columns int) int { return 2*classes + 6*classes*columns }

func (s *classStats) counts() []float64 { return s.block[:s.classes:s.classes] }

// norm is where the class's constant part of the vote lies.
func (s *classStats) norm(class int) *float64 { return &s.block[int(s.classes)+class] }

// density returns means and inverse variances of a class.
func (s *classStats) density(class int) (mean, inverse []float64) {
	a := len(s.numeric)
	at := 2*int(s.classes) + 2*a*class
	return s.block[at : at+a : at+a], s.block[at+a : at+2*a : at+2*a]
}

// moments returns weights, sums of squared deviations, least and greatest values of a class.
func (s *classStats) moments(class int) (n, squares, least, most []float64) {
	a, c := len(s.numeric), int(s.classes)
	b := s.block[2*c+2*a*c+4*a*class:]
	return b[:a:a], b[a : 2*a : 2*a], b[2*a : 3*a : 3*a], b[3*a : 4*a : 4*a]
}

// activate clears the statistics in block, which has blockLen and holds the class weights.
func (s *classStats) activate(block []float64) {
	s.block, s.active = block, true
	for k := range int(s.classes) {
		*s.norm(k) = constant(block[k], 1, 0)
		mean, inverse := s.density(k)
		n, squares, least, most := s.moments(k)
		for a := range mean {
			mean[a], inverse[a] = math.NaN(), math.Inf(1)
			n[a], squares[a], least[a], most[a] = 0, 0, math.Inf(1), math.Inf(-1)
		}
	}
	for k := range s.tables {
		s.tables[k] = s.tables[k][:0]
	}
}

// histograms are those of the numeric columns, of which there is one at least.
func (s *classStats) histograms() histograms {
	size, classes := len(s.bins)/len(s.numeric), int(s.classes)
	return histograms{classes: classes, most: (size-1)/(2+classes) - 1, block: s.bins}
}

// keeps reports whether there are statistics besides the class weights.
func (s *classStats) keeps() bool { return s.active }

// deactivate keeps the class weights only, in counts.
func (s *classStats) deactivate(counts []float64) {
	copy(counts, s.counts())
	s.block, s.tables, s.bins, s.scope, s.active = counts, nil, nil, nil, false
}

// add takes in a dense row of class y. place gives the places of its categories.
func (s *classStats) add(lay *layout, row []float64, places []int32, y int, w float64) {
	s.block[y] += w
	s.weight += w
	if !s.active {
		return
	}
	mean, inverse := s.density(y)
	n, squares, least, most := s.moments(y)
	product, logs := 1.0, 0.0
	last, share := 0.0, 0.0
	for a, column := range s.numeric {
		x := row[column]
		if x-x == 0 { // finite
			m := n[a] + w
			if m == w {
				n[a], mean[a], least[a], most[a], squares[a], inverse[a] = w, x, x, x, 0, math.Inf(1)
				continue
			}
			if m != last {
				last, share = m, w/m
			}
			d := x - mean[a]
			mu := mean[a] + float64(d*share)
			q := squares[a] + float64(float64(w*d)*(x-mu))
			n[a], mean[a], squares[a] = m, mu, q
			if x < least[a] {
				least[a] = x
			}
			if x > most[a] {
				most[a] = x
			}
			inverse[a] = invert(m, q)
		}
		if v := inverse[a]; v < math.MaxFloat64 {
			if product *= v * oneOverTwoPi; product < 1e-200 || product > 1e200 {
				logs, product = logs+math.Log(product), 1
			}
		}
	}
	*s.norm(y) = constant(s.block[y], product, logs)
	if s.bins != nil {
		s.histograms().add(s.numeric, row, y, w)
	}
	for k, slot := range s.slots {
		if p := places[slot]; p >= 0 {
			s.tables[k] = count(s.tables[k], int(p), lay.dicts[slot].places(), int(s.classes), y, w)
		}
	}
}

// constant is the logarithm of a class weight times the root of a product of inverse variances over 2π.
func constant(weight, product, logs float64) float64 {
	if p := weight * weight * product; p > 1e-290 && p < 1e290 {
		return (math.Log(p) + logs) / 2
	}
	return math.Log(weight) + (math.Log(product)+logs)/2
}

// invert is the inverse of the variance, +∞ without spread.
func invert(n, squares float64) float64 {
	if n > 1 && squares > leastVariance*(n-1) {
		return max((n-1)/squares, 1/mostVariance)
	}
	return math.Inf(1)
}

// renew recomputes what is derived from the moments.
func (s *classStats) renew() {
	for k := range int(s.classes) {
		_, inverse := s.density(k)
		n, squares, _, _ := s.moments(k)
		product, logs := 1.0, 0.0
		for a := range inverse {
			inverse[a] = math.Inf(1)
			if n[a] > 0 {
				inverse[a] = invert(n[a], squares[a])
			}
			if v := inverse[a]; v < math.MaxFloat64 {
				if product *= v * oneOverTwoPi; product < 1e-200 || product > 1e200 {
					logs, product = logs+math.Log(product), 1
				}
			}
		}
		*s.norm(k) = constant(s.block[k], product, logs)
	}
}

// count adds to a table: totals of the classes, then the weights by place and class as long as the places seen here, of as many as there are.
func count(t []float64, place, places, classes, y int, w float64) []float64 {
	t = lengthen(t, (place+2)*classes, (places+1)*classes)
	t[y] += w
	t[(place+1)*classes+y] += w
	return t
}

// lengthen adds zeros up to length n. A table that has to move gets room for what it can have at most, a large one for a quarter more than it had.
func lengthen[T any](t []T, n, most int) []T {
	if n > cap(t) {
		t = append(make([]T, 0, max(n, min(most, max(cap(t)+cap(t)/4, atOnce)))), t...)
	}
	grown := len(t)
	t = t[:max(grown, n)]
	clear(t[grown:])
	return t
}

// atOnce is the length up to which tables get all their memory at once.
const atOnce = 256

// votes writes the log-vote of each class: log of its weight and, for every column that is not missing, of the density (normal) or of
// the share (with one added to each place: Laplace) in the class. −∞ for a class without weight. A column without spread counts
// as density 1 at its value.
func (s *classStats) votes(lay *layout, votes, row []float64) {
	s.numberVotes(votes, row)
	for i := 0; i < len(s.slots); i += tableBatch {
		end := min(i+tableBatch, len(s.slots))
		tableVotes(lay, votes, row, s.slots[i:end], s.tables[i:end])
	}
}

// numberVotes are the votes of the class weights and of the numeric columns.
func (s *classStats) numberVotes(votes, row []float64) {
	for k := range votes {
		if !(s.block[k] > 0) {
			votes[k] = math.Inf(-1)
			continue
		}
		mean, inverse := s.density(k)
		sum := 0.0
		for a, column := range s.numeric {
			d := row[column] - mean[a]
			sum += float64(float64(d*d) * inverse[a])
		}
		if sum < math.MaxFloat64 {
			votes[k] = *s.norm(k) - sum/2
		} else {
			votes[k] = s.oddVote(k, row)
		}
	}
}

// oddVote is the vote of the numeric columns where values are missing or columns have no spread.
func (s *classStats) oddVote(k int, row []float64) float64 {
	mean, inverse := s.density(k)
	sum, missing, logs := 0.0, 1.0, 0.0
	for a, column := range s.numeric {
		x, v := row[column], inverse[a]
		switch {
		case x-x != 0:
			if v < math.MaxFloat64 {
				if missing *= v * oneOverTwoPi; missing < 1e-200 || missing > 1e200 {
					logs, missing = logs-math.Log(missing)/2, 1
				}
			}
		case v < math.MaxFloat64:
			d := x - mean[a]
			sum += float64(float64(d*d) * v)
		case x != mean[a]:
			logs += neverSeen
		}
	}
	return *s.norm(k) + logs - math.Log(missing)/2 - sum/2
}

// tableBatch is how many tables vote together: their places fit on the stack.
const tableBatch = 32

// tableVotes adds the log-shares of a row's categories in each class to its vote. Shares are multiplied, and one logarithm is
// taken for all, unless the product leaves the range of a double.
func tableVotes(lay *layout, votes, row []float64, slots []int32, tables [][]float64) {
	var places [tableBatch]int32
	for i, slot := range slots {
		places[i] = -1
		if len(tables[i]) > 0 {
			places[i] = lay.dicts[slot].find(row[lay.nominal[slot]])
		}
	}
	classes := len(votes)
	for c := range votes {
		above, below, logs := 1.0, 1.0, 0.0
		for i, t := range tables {
			p := int(places[i])
			if p < 0 {
				continue
			}
			here := 0.0
			if at := (p+1)*classes + c; at < len(t) {
				here = t[at]
			}
			above *= here + 1
			below *= t[c] + float64(len(t)/classes-1)
			if above > 1e100 || below > 1e100 {
				logs, above, below = logs+math.Log(above)-math.Log(below), 1, 1
			}
		}
		votes[c] += logs + math.Log(above/below)
	}
}

// pure reports whether at most one class has weight.
func (s *classStats) pure() bool {
	seen := 0
	for _, n := range s.counts() {
		if n > 0 {
			seen++
		}
	}
	return seen < 2
}

// promise is the weight that the majority class gets wrong: what a split could gain.
func (s *classStats) promise() float64 { return s.weight - s.block[argmax(s.counts())] }

// frequencies writes the shares of the classes, equal ones without weight.
func frequencies(dst, counts []float64) {
	n := total(counts)
	for c, w := range counts {
		if n > 0 {
			dst[c] = w / n
		} else {
			dst[c] = 1 / float64(len(counts))
		}
	}
}
