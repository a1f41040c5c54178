package forecast

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/models"
)

// spreadLevels are the levels of the quantiles that are tracked, and spreadLogits their log odds.
var (
	spreadLevels = [...]float64{0.005, 0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975, 0.995}
	spreadLogits = func() (out [len(spreadLevels)]float64) {
		for i, l := range spreadLevels {
			out[i] = logit(l)
		}
		return out
	}()
)

// perLogit is the quantile of a logistic distribution whose mean absolute value is 1, by log odds: 1/(2·ln 2), and a little more for a series of which little is known.
const perLogit = 0.75

// spread learns how far values lie from the bank's own forecasts, made before they were known: the mean size of errors by distance, and the
// quantiles of errors in units of it, each of which moves by η·(level − [error ≤ quantile]) with every error, so that it holds as often as its level says whatever
// the errors are (Robbins & Monro 1951; Gibbs & Candès 2021; Angelopoulos, Candès & Tibshirani 2023, "Conformal PID control", §2). Both for errors and for ratios of value and
// forecast: the one under which the errors are likelier (two-sided exponential) makes the intervals. The first errors are those of members that have hardly learned: in the mean size the kth counts k times as
// much as the first (polynomial decay, Shamir & Zhang 2013, §4, with η = 1) until the memory is full. With equal weights the size fell for long, and quantiles in units of it, which move at a
// steady pace, stayed behind: most those near the middle.
type spread struct {
	memory   []float64    // by distance: errors that count
	leads    []int64      // distances
	scale    [][2]float64 // by distance and view: mean size of errors
	count    []float64    // by distance
	quantile [2][len(spreadLevels)]float64
	n        float64 // errors that moved the quantiles
	fit      [2]float64
}

func newSpread(b *Bank) spread {
	s := spread{leads: b.leads, scale: make([][2]float64, len(b.leads)), count: make([]float64, len(b.leads)), memory: b.memory}
	s.restart()
	return s
}

// restart makes what is known of errors count as much as two of them, and their quantiles those of a logistic distribution.
func (s *spread) restart() {
	for k := range s.count {
		s.count[k] = min(s.count[k], expected)
	}
	s.n = 0
	for v := range s.quantile {
		for i, l := range spreadLogits {
			s.quantile[v][i] = perLogit * l
		}
	}
}

// typical is the size of errors at the kth distance; 0 while hardly known.
func (s *spread) typical(k int) float64 {
	if s.count[k] < 5 {
		return 0
	}
	return s.scale[k][linearView]
}

// proportional reports whether errors are better described as shares of the forecast.
func (s *spread) proportional(noLog bool) bool { return !noLog && s.fit[logView] > s.fit[linearView] }

// add takes in the value y and the forecast f that was made for it at the kth distance.
func (s *spread) add(k int, y, f float64) {
	if !finite(f) {
		return
	}
	rate := max(2/(s.count[k]+2), 1/s.memory[k])
	for v := range s.scale[k] {
		e := y - f
		if v == logView {
			if !(y > 0) || !(f > 0) {
				continue
			}
			e = math.Log(y / f)
		}
		size := s.scale[k][v]
		if s.count[k] >= 2 && size > 1e-12*math.Abs(y) {
			s.track(v, e/size)
			fit := -math.Log(size) - min(math.Abs(e)/size, 1000)
			if v == logView {
				fit -= math.Log(y)
			}
			s.fit[v] += float64(rate / 4 * (fit - s.fit[v]))
		}
		e = math.Abs(e)
		if s.count[k] > 10 && size > 0 {
			e = min(e, outlying*size)
		}
		s.scale[k][v] += float64(rate * (e - size))
	}
	if s.count[k] >= 2 {
		s.n++
	}
	s.count[k]++
}

// mostQuantile bounds the quantiles of errors in units of their mean size.
const mostQuantile = 1e4

// track moves the quantiles by an error in units of its size.
func (s *spread) track(v int, r float64) {
	eta := max(2/(s.n+50), 0.003)
	q := &s.quantile[v]
	for i, level := range spreadLevels {
		step := level
		if r <= q[i] {
			step--
		}
		q[i] = max(-mostQuantile, min(mostQuantile, q[i]+float64(eta*step*(1+math.Abs(q[i])))))
	}
}

// spreadSizes are those of errors by distance, completed where none was seen.
type spreadSizes [scoredLeads + 1]float64

// expected is how many errors at a distance count as much as what is expected there of the errors of one step.
const expected = 2

// sizes returns them, somewhat wider while few errors are known. doubt is the size of those of one step where none is; grown[k] is how many times that errors at the
// kth distance are expected to be.
func (s *spread) sizes(v int, doubt float64, grown *spreadSizes) (out spreadSizes) {
	out[0] = doubt
	if n := s.count[0]; n > 0 {
		out[0] = s.scale[0][v] * (1 + 2/(n+1))
	}
	for k, n := range s.count {
		if k > 0 {
			out[k] = (float64(n*s.scale[k][v]) + float64(expected*out[0]*grown[k])) / (n + expected)
		}
	}
	return out
}

// size is that of errors h steps ahead: between the distances on a line over the logarithm of the distance (errors that are correlated grow most in the first steps), beyond them in proportion to its root.
func (s *spread) size(sizes *spreadSizes, h int64) float64 {
	k := 0
	for k < len(s.leads) && s.leads[k] < h {
		k++
	}
	switch {
	case k == 0:
		return sizes[0]
	case k == len(s.leads):
		return sizes[k-1] * math.Sqrt(float64(h)/float64(s.leads[k-1]))
	}
	from, to := math.Log(float64(s.leads[k-1])), math.Log(float64(s.leads[k]))
	part := (math.Log(float64(h)) - from) / (to - from)
	return sizes[k-1] + float64(part*(sizes[k]-sizes[k-1]))
}

// quantiles writes those of the ith step of o, whose mean is there, from the size of errors.
func (s *spread) quantiles(o *models.Outlook, i, v int, size float64) {
	q := s.quantile[v]
	for j := 1; j < len(q); j++ {
		q[j] = max(q[j], q[j-1])
	}
	row := o.Quantiles[i*len(o.Levels) : (i+1)*len(o.Levels)]
	for j, level := range o.Levels {
		e := size * quantileAt(&q, logit(level))
		if v == logView && o.Mean[i] > 0 {
			row[j] = o.Mean[i] * math.Exp(max(-mostRatio, min(mostRatio, e)))
		} else {
			row[j] = o.Mean[i] + e
		}
	}
}

// mostRatio bounds the logarithm of a quantile's ratio to the forecast.
const mostRatio = 8

// quantileAt is on a line over log odds between the tracked quantiles, and beyond them as that of a logistic distribution.
func quantileAt(q *[len(spreadLevels)]float64, l float64) float64 {
	k, found := slices.BinarySearch(spreadLogits[:], l)
	switch {
	case found:
		return q[k]
	case k == 0:
		return q[0] + float64(perLogit*(l-spreadLogits[0]))
	case k == len(q):
		return q[k-1] + float64(perLogit*(l-spreadLogits[k-1]))
	}
	part := (l - spreadLogits[k-1]) / (spreadLogits[k] - spreadLogits[k-1])
	return q[k-1] + float64(part*(q[k]-q[k-1]))
}
