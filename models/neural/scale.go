package neural

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

const (
	inputLimit    = 1e100 // greater magnitudes are taken as this
	clipInput     = 5.0   // standard deviations at which scaled inputs end
	clipTarget    = 20.0  // those at which scaled targets end
	outlier       = 8.0   // values further off than so many deviations move the moments as if they were so far
	outlierBefore = 32    // values before that is done
)

// moments are a running mean and variance: Welford's while the weight of a new value is 1/n, exponentially weighted from the length of
// the memory on (West 1979).
type moments struct {
	n, mean, variance float64
	deviation         float64 // derived: the root of variance; 1 for 0
}

// add takes a value in; rate is the least weight of one, 0 to count all alike.
func (m *moments) add(x, rate float64) {
	x = max(-inputLimit, min(inputLimit, x))
	m.n = min(m.n+1, 1<<53)
	a := max(1/m.n, rate)
	d := x - m.mean
	if far := outlier * m.deviation; m.variance > 0 && m.n > outlierBefore {
		d = max(-far, min(far, d))
	}
	m.mean += float64(a * d)
	m.variance = (1 - a) * (m.variance + float64(a*float64(d*d)))
	m.measure()
}

func (m *moments) measure() {
	if m.deviation = 1; m.variance > 0 {
		m.deviation = math.Sqrt(m.variance)
	}
}

// scale returns (x − mean)/deviation within ±limit.
func (m *moments) scale(x, limit float64) float64 {
	x = max(-inputLimit, min(inputLimit, x))
	return max(-limit, min(limit, (x-m.mean)/m.deviation))
}

func (m *moments) state(s *codec.State) {
	s.Float64(&m.n)
	s.Float64(&m.mean)
	s.Float64(&m.variance)
	if !(m.n >= 0 && m.n <= 1<<53 && math.Abs(m.mean) <= inputLimit && m.variance >= 0 && m.variance <= 1e202) {
		s.Fail("mean %v, variance %v of %v values", m.mean, m.variance, m.n)
		*m = moments{}
	}
	m.measure()
}

// rateOf is the weight of a new value in moments that forget half in halfLife values; 0 never forgets.
func rateOf(halfLife float64) float64 {
	if halfLife <= 0 {
		return 0
	}
	return -math.Expm1(-math.Ln2 / halfLife)
}
