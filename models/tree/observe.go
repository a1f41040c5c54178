package tree

import (
	"math"

	"github.com/freshet-ml/freshet/models"
)

// gaussian is the weighted normal distribution of one numeric column in one class: Welford's recurrence (1962), West's weights (1979).
type gaussian struct {
	n, mean, squares float64 // squares: sum of squared deviations
	least, most      float64
	inverse          float64 // 1/variance, 0: no spread yet
}

func (g *gaussian) add(x, w float64) {
	if g.n == 0 {
		g.n, g.mean, g.least, g.most = w, x, x, x
		return
	}
	g.n += w
	d := x - g.mean
	g.mean += d * w / g.n
	g.squares += float64(w*d) * (x - g.mean)
	if x < g.least {
		g.least = x
	}
	if x > g.most {
		g.most = x
	}
	g.invert()
}

// Variances outside of these are taken as no spread and as the greatest one, so that products of a few densities stay finite.
const (
	leastVariance = 1e-60
	mostVariance  = 1e60
)

// invert recomputes the inverse of the variance, squares/(n − 1).
func (g *gaussian) invert() {
	g.inverse = 0
	if g.n > 1 && g.squares > leastVariance*(g.n-1) {
		g.inverse = max((g.n-1)/g.squares, 1/mostVariance)
	}
}

// below is the weight expected at or below x. Outside of the observed range it is exact.
func (g *gaussian) below(x float64) float64 {
	switch {
	case g.n == 0 || x < g.least:
		return 0
	case x >= g.most:
		return g.n
	case g.inverse == 0:
		return g.n / 2
	}
	return g.n * 0.5 * math.Erfc((g.mean-x)*math.Sqrt(g.inverse/2))
}

// table counts a categorical column: weight by place and class, as long as the places seen.
type table []float64

func (t *table) add(place int32, classes, y int, w float64) {
	if need := (int(place) + 1) * classes; need > len(*t) {
		*t = append(*t, make([]float64, need-len(*t))...)
	}
	(*t)[int(place)*classes+y] += w
}

// neverSeen is the log-likelihood of a value in a class that has shown no such thing: a value other than the only
// one, or a column without any value. Finite, so that one odd column cannot veto a class for good.
const neverSeen = -30

// naiveBayes writes the log-vote of each class: log of its weight and, for every column that is not missing, of the density (normal) or of
// the share (with one added to each place: Laplace) in the class. −∞ for a class that the leaf has not seen. A column without spread counts
// as density 1 at its value.
func (l *leaf) naiveBayes(lay *layout, votes []float64, e *models.Example) {
	for c := range votes {
		if l.counts[c] > 0 {
			votes[c] = l.vote(lay, c, e)
		} else {
			votes[c] = math.Inf(-1)
		}
	}
	for k, column := range lay.nominal {
		if place, ok := lay.values[k][math.Float64bits(e.At(column))]; ok {
			l.tables[k].vote(votes, int(place))
		}
	}
}

// vote multiplies the densities' factors and takes one logarithm instead of one for each column; the
// product is folded into the sum before it can leave the range of a double.
func (l *leaf) vote(lay *layout, c int, e *models.Example) float64 {
	const twoPi = 2 * math.Pi
	squares, product, logs := 0.0, 1.0, 0.0
	dense := e.Index == nil && len(e.Value) >= lay.width
	at := c
	for _, column := range lay.numeric {
		var x float64
		if dense {
			x = e.Value[column]
		} else {
			x = e.At(column)
		}
		g := &l.stats[at]
		at += lay.classes
		if x-x != 0 {
			continue
		}
		d := x - g.mean
		if g.inverse == 0 {
			if g.n == 0 || d != 0 {
				logs += neverSeen
			}
			continue
		}
		squares += float64(float64(d*d) * g.inverse)
		product *= g.inverse / twoPi
		if product < 1e-200 || product > 1e200 {
			logs, product = logs+math.Log(product)/2, 1
		}
	}
	logs += math.Log(float64(l.counts[c]*l.counts[c])*product) / 2
	return logs - squares/2
}

// vote adds the log-share of a place in each class to its vote.
func (t table) vote(votes []float64, place int) {
	classes := len(votes)
	if len(t) == 0 {
		return
	}
	for c := range votes {
		total, here := 0.0, 0.0
		for i := c; i < len(t); i += classes {
			total += t[i]
		}
		if i := place*classes + c; i < len(t) {
			here = t[i]
		}
		votes[c] += math.Log((here + 1) / (total + float64(len(t)/classes)))
	}
}
