package loss

import "math"

// expBits is the base-two logarithm of the size of the table of FastSigmoid.
const expBits = 7

// expTable holds 2^(i/128).
var expTable = func() (t [1 << expBits]float64) {
	for i := range t {
		t[i] = math.Exp2(float64(i) / (1 << expBits))
	}
	return t
}()

// FastSigmoid is Sigmoid within 6e-16 of it, at less than half its cost: e^−x = 2^(k/128) · e^r, with the power from a table and
// e^r, |r| ≤ ln 2 / 256, by its Taylor polynomial of degree 5 (Tang 1989, table-driven exponential). Beyond |x| = 700 it is
// 0 or 1.
func FastSigmoid(x float64) float64 {
	if !(math.Abs(x) < 700) {
		return Sigmoid(x)
	}
	const (
		perOctave = (1 << expBits) / math.Ln2
		high      = 6.93147180369123816490e-01 / (1 << expBits) // ln 2 / 128 in two parts
		low       = 1.90821492927058770002e-10 / (1 << expBits)
		round     = 3 << 51 // added, then subtracted, it rounds to an integer
	)
	t := float64(-x*perOctave) + round
	k := int64(math.Float64bits(t)<<13) >> 13
	kf := t - round
	r := (-x - float64(kf*high)) - float64(kf*low)
	r2 := r * r
	tail := 1.0/24 + float64(r*(1.0/120))
	p := r + float64(r2*((0.5+float64(r*(1.0/6)))+float64(r2*tail)))
	s := expTable[k&(1<<expBits-1)]
	e := math.Float64frombits(math.Float64bits(s+float64(s*p)) + uint64(k>>expBits)<<52)
	return 1 / (1 + e)
}
