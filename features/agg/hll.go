package agg

import (
	"math"
	"math/bits"
)

// A HyperLogLog of 2^12 registers of one byte: the hash's first 12 bits choose the register, which holds
// the greatest rank (leading zeros + 1) of the other 52.
const (
	precision = 12
	registers = 1 << precision
	maxRank   = 64 - precision + 1
)

func hllAdd(regs []byte, h uint64) {
	rank := byte(bits.LeadingZeros64(h<<precision|1<<(precision-1)) + 1)
	if i := h >> (64 - precision); regs[i] < rank {
		regs[i] = rank
	}
}

// hllEstimate is Ertl's improved raw estimator (2017, algorithm 6): unbiased over the whole range
// without tables.
func hllEstimate(regs []byte) float64 {
	var count [maxRank + 1]int
	for _, r := range regs {
		count[min(int(r), maxRank)]++
	}
	const m = registers
	z := m * hllTau(1-float64(count[maxRank])/m)
	for k := maxRank - 1; k >= 1; k-- {
		z = 0.5 * (z + float64(count[k]))
	}
	z += m * hllSigma(float64(count[0])/m)
	return math.Round(m / (2 * math.Ln2) * m / z)
}

// hllSigma is x + Σ x^(2^k)·2^(k−1), infinite at 1.
func hllSigma(x float64) float64 {
	if x >= 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		next := z + float64(x*y)
		if next == z {
			return z
		}
		z, y = next, 2*y
	}
}

// hllTau is (1 − x − Σ (1 − x^(2^−k))²·2^−k)/3.
func hllTau(x float64) float64 {
	if x <= 0 || x >= 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		y /= 2
		next := z - float64(float64((1-x)*(1-x))*y)
		if next == z {
			return z / 3
		}
		z = next
	}
}
