package preprocess

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// moments is a running mean and sum of squared deviations (Welford 1962).
type moments struct{ n, mean, m2 float64 }

// columnMoments are the moments of several columns, each kind of number in a slice of its own, so that neighbours are worked on
// together. Missing values are not counted.
type columnMoments struct {
	n, mean, m2 []float64
	scale       []float64 // derived: 1 / the population's standard deviation, 0 while the column has not varied
}

func newColumnMoments(columns int) columnMoments {
	all := make([]float64, 4*columns)
	part := func(i int) []float64 { return all[i*columns : (i+1)*columns : (i+1)*columns] }
	return columnMoments{n: part(0), mean: part(1), m2: part(2), scale: part(3)}
}

// add takes in one value of every column.
func (m *columnMoments) add(x []float64) { addMoments(x, m.n, m.mean, m.m2, m.scale) }

// scaleTo writes (x − mean) · scale.
func (m *columnMoments) scaleTo(dst, x []float64) { scaleValues(dst, x, m.mean, m.scale) }

// addMomentsPlain is what addMoments does everywhere but on amd64, and there for what is left over. The slices have one length.
// Columns without missing values have seen equally many, so 1/n is divided once.
func addMomentsPlain(x, n, mean, m2, scale []float64) {
	n, mean, m2, scale = n[:len(x)], mean[:len(x)], m2[:len(x)], scale[:len(x)]
	count, inverse := 0.0, 0.0
	for j, x := range x {
		if x != x {
			continue
		}
		n[j]++
		if n[j] != count {
			count, inverse = n[j], 1/n[j]
		}
		x = bounded(x)
		d := x - mean[j]
		mean[j] += float64(d * inverse)
		m2[j] += float64(d * (x - mean[j]))
		scale[j] = inverseRoot(m2[j] * inverse)
	}
}

// inverseRoot is 1/√v, 0 where v is not above 0.
func inverseRoot(v float64) float64 {
	if v > 0 {
		return 1 / math.Sqrt(v)
	}
	return 0
}

func scaleValuesPlain(dst, x, mean, scale []float64) {
	dst, mean, scale = dst[:len(x)], mean[:len(x)], scale[:len(x)]
	for j, x := range x {
		dst[j] = (bounded(x) - mean[j]) * scale[j]
	}
}

// state visits the columns one by one.
func (m *columnMoments) state(s *codec.State) {
	for j := range m.n {
		s.Float64(&m.n[j])
		s.Float64(&m.mean[j])
		s.Float64(&m.m2[j])
		if m.scale[j] = 0; m.n[j] > 0 {
			m.scale[j] = inverseRoot(m.m2[j] * (1 / m.n[j]))
		}
	}
}

func (m *columnMoments) clone() columnMoments {
	c := newColumnMoments(len(m.n))
	for i, from := range [][]float64{m.n, m.mean, m.m2, m.scale} {
		copy([][]float64{c.n, c.mean, c.m2, c.scale}[i], from)
	}
	return c
}
